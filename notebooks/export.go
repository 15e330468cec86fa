package notebooks

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"trafficgpt/atomicfile"
	"trafficgpt/interp/export"
)

const exportHelp = `usage: trafficgpt export -o DIR NOTEBOOK.ipynb | CELLS.go

Writes a Go program that prints what the notebook printed: DIR/main.go, and a
go.mod that finds this project's library in the folder --module names.

  -o DIR         folder of the program (made if it is not there)
  --module DIR   checkout of this project (default: the one the working folder
                 is in, else the one this binary was built from)

example: trafficgpt export notebooks/00-quickstart.ipynb -o /tmp/e && cd /tmp/e && go build ./...
`

// ExportCommand is `trafficgpt export`: 0 written, 1 failed, 2 wrong usage.
func ExportCommand(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("export", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	out := fs.String("o", "", "")
	module := fs.String("module", "", "")
	files, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, exportHelp)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "trafficgpt export: %v (trafficgpt help export)\n", err)
		return 2
	case len(files) != 1 || *out == "":
		fmt.Fprintln(stderr, "trafficgpt export: usage: trafficgpt export -o DIR NOTEBOOK (trafficgpt help export)")
		return 2
	}
	left, err := exportTo(files[0], *out, *module)
	if err != nil {
		fmt.Fprintf(stderr, "trafficgpt export: %v\n", err)
		return 1
	}
	for _, l := range left {
		fmt.Fprintf(stderr, "trafficgpt export: left out, since it is a command of the notebook: %s\n", l)
	}
	fmt.Fprintf(stdout, "wrote %s\n", filepath.Join(*out, "main.go"))
	return 0
}

// exportTo writes the program and returns the commands that it lacks.
func exportTo(in, out, module string) (left []string, err error) {
	nb, err := Read(in)
	if err != nil {
		return nil, err
	}
	var cells []export.Cell
	for _, c := range nb.Cells {
		cells = append(cells, export.Cell{Code: c.Source, Comment: c.Type != "code"})
	}
	program, err := export.Export(cells, filepath.Dir(in))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	root, err := moduleRoot(module)
	if err != nil {
		return nil, err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return nil, err
	}
	own := moduleLine.ReplaceAllString(string(mod), "module "+export.Module)
	own += fmt.Sprintf("\nrequire trafficgpt v0.0.0\n\nreplace trafficgpt => %s\n", root)
	all := map[string][]byte{"go.mod": []byte(own), "go.sum": sum, "main.go": program.Main}
	maps.Copy(all, program.Files)
	for name, data := range all {
		name = filepath.FromSlash(name)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(out, name)), 0o755); err != nil {
			return nil, err
		}
		if err := atomicfile.WriteBytes(filepath.Join(out, name), data); err != nil {
			return nil, err
		}
	}
	return program.Left, nil
}

var moduleLine = regexp.MustCompile(`(?m)^module trafficgpt$`)

// moduleRoot finds a checkout of this project: the named one, the one around
// the working folder, or the one this binary was compiled from.
func moduleRoot(named string) (string, error) {
	var candidates []string
	if named != "" {
		candidates = []string{named}
	} else {
		if dir, err := os.Getwd(); err == nil {
			for ; ; dir = filepath.Dir(dir) {
				candidates = append(candidates, dir)
				if dir == filepath.Dir(dir) {
					break
				}
			}
		}
		if _, file, _, ok := runtime.Caller(0); ok {
			candidates = append(candidates, filepath.Dir(filepath.Dir(file)))
		}
	}
	for _, dir := range candidates {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && moduleLine.Match(data) {
			return filepath.Abs(dir)
		}
	}
	if named != "" {
		return "", fmt.Errorf("%s is no checkout of trafficgpt: it has no go.mod of it", named)
	}
	return "", fmt.Errorf("no checkout of trafficgpt was found: name it with --module (looked in %s)", strings.Join(candidates, ", "))
}
