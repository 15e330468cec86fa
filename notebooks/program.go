package notebooks

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"

	"trafficgpt/display"
	"trafficgpt/interp/session"
)

// ReadProgram reads a file that is an ordinary program: Go with a package
// clause. Cells have none.
func ReadProgram(path string) (text []byte, ok bool) {
	if filepath.Ext(path) != ".go" {
		return nil, false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly)
	return text, err == nil && f.Name.Name != ""
}

// ProgramOptions says how RunProgram runs a program.
type ProgramOptions struct {
	Dir    string    // where it works; "" is this process's folder, which changes otherwise
	Stdout io.Writer // nil discards
	Stderr io.Writer // nil discards; panics are told here as the runtime would
}

// RunProgram runs the text of a program in this process, which is its own from
// then on: it may end it. The code is the one that a compiled program would end
// with; an error means that it could not begin.
func RunProgram(path string, text []byte, o ProgramOptions) (code int, err error) {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	s, err := session.New(session.Options{Dir: filepath.Dir(full), Exit: os.Exit})
	if err != nil {
		return 0, err
	}
	if o.Dir != "" {
		if err := os.Chdir(o.Dir); err != nil {
			return 0, err
		}
	}
	code, failure := s.RunProgram(context.Background(), map[string][]byte{path: text}, &console{o.Stdout, o.Stderr})
	switch {
	case failure == nil:
	case code == 2:
		fmt.Fprint(o.Stderr, session.PanicText(failure, func(name string) string {
			if name == path {
				return full
			}
			return filepath.Join(filepath.Dir(full), filepath.FromSlash(name))
		}))
	default:
		for _, line := range failure.Traceback {
			fmt.Fprintln(o.Stderr, line)
		}
	}
	return code, nil
}

// console is where a program writes.
type console struct{ stdout, stderr io.Writer }

func (c *console) Stdout(p []byte) { _, _ = c.stdout.Write(p) }
func (c *console) Stderr(p []byte) { _, _ = c.stderr.Write(p) }

func (*console) Input(context.Context, string, bool) (string, error) { return "", errNoInput }

// Emit prints the text form of what the program shows.
func (c *console) Emit(e display.Event) error {
	if e.Kind == display.Display {
		_, err := io.WriteString(c.stdout, textForm(e.Data))
		return err
	}
	return nil
}
