package notebooks

import (
	"context"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"trafficgpt/display"
	"trafficgpt/interp/session"
)

// cutArguments takes off what stands after --.
func cutArguments(args []string) (own, rest []string, given bool) {
	i := slices.Index(args, "--")
	if i < 0 {
		return args, nil, false
	}
	return args[:i], args[i+1:], true
}

// readProgram reads a file that is an ordinary program: Go with a package
// clause. Cells have none.
func readProgram(path string) (text []byte, ok bool) {
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

// unfit names a flag that a program has no use for.
func unfit(fs *flag.FlagSet) (name string) {
	fs.Visit(func(f *flag.Flag) {
		if f.Name != "cwd" && f.Name != "quiet" {
			name = f.Name
		}
	})
	return name
}

// runProgram runs a program in this process, which is its own from then on:
// its arguments, its files, its signals, its exit code.
func runProgram(path string, text []byte, args []string, cwd string, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintf(stderr, "trafficgpt run: %v\n", err)
		return 1
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return fail(err)
	}
	s, err := session.New(session.Options{Dir: filepath.Dir(full), Exit: exit})
	if err != nil {
		return fail(err)
	}
	if cwd != "" {
		if err := os.Chdir(cwd); err != nil {
			return fail(err)
		}
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	os.Args = append([]string{strings.TrimSuffix(path, ".go")}, args...)
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.CommandLine.Usage = func() { flag.Usage() }
	code, failure := s.RunProgram(context.Background(), map[string][]byte{path: text}, &console{stderr})
	switch {
	case failure == nil:
	case code == 2:
		fmt.Fprint(stderr, session.PanicText(failure, func(name string) string {
			if name == path {
				return full
			}
			return filepath.Join(filepath.Dir(full), filepath.FromSlash(name))
		}))
	default:
		for _, line := range failure.Traceback {
			fmt.Fprintln(stderr, line)
		}
	}
	return code
}

// exit is os.Exit for programs; tests put another there.
var exit = os.Exit

// console is where a program writes.
type console struct{ stderr io.Writer }

func (*console) Stdout(p []byte)   { _, _ = os.Stdout.Write(p) }
func (c *console) Stderr(p []byte) { _, _ = c.stderr.Write(p) }

func (*console) Input(context.Context, string, bool) (string, error) { return "", errNoInput }

// Emit prints the text form of what the program shows.
func (*console) Emit(e display.Event) error {
	if e.Kind == display.Display {
		_, err := io.WriteString(os.Stdout, textForm(e.Data))
		return err
	}
	return nil
}
