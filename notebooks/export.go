package notebooks

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"trafficgpt/atomicfile"
	"trafficgpt/interp/export"
)

// ExportOptions says how Export writes a program.
type ExportOptions struct {
	// Module is a checkout of this project; "" is the one the working folder is
	// in, else the one that this binary was built from.
	Module string
}

// Export writes the Go program that prints what the notebook or script of cells
// in prints, into the folder out: main.go, and a go.mod that finds this
// project's library. It returns the commands that the program lacks.
func Export(in, out string, o ExportOptions) (left []string, err error) {
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
	root, err := moduleRoot(o.Module)
	if err != nil {
		return nil, err
	}
	mod, sum, err := exportedModule(root)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{"go.mod": mod, "go.sum": sum, "main.go": program.Main}
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

// exportedModule is the go.mod and go.sum of a program that finds the library in
// root. It asks for all that root does, so that it builds as it is, also where
// nothing can be downloaded.
func exportedModule(root string) (mod, sum []byte, err error) {
	if mod, err = os.ReadFile(filepath.Join(root, "go.mod")); err != nil {
		return nil, nil, fmt.Errorf("failed to read the library's module: %w", err)
	}
	if sum, err = os.ReadFile(filepath.Join(root, "go.sum")); err != nil {
		return nil, nil, fmt.Errorf("failed to read the library's module: %w", err)
	}
	folder := root
	if strings.ContainsAny(folder, " \t\"'`()[]{},;") || strings.Contains(folder, "//") {
		folder = strconv.Quote(folder)
	}
	own := moduleLine.ReplaceAllLiteralString(string(mod), "module "+export.Module)
	return fmt.Appendf(nil, `// The library of this program, trafficgpt, is not published: the go command
// takes it from the folder behind => below. Where that has moved:
//
//	go mod edit -replace trafficgpt=FOLDER
//
// "go mod tidy" takes out the modules that this program does not need.

%s
require trafficgpt v0.0.0

replace trafficgpt => %s
`, own, folder), sum, nil
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
