package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const program = `package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"example.org/prog/shapes"
)

var mode = flag.String("mode", "none", "what to do")

type stack struct{ xs []int }

func (s *stack) at(i int) int {
	return s.xs[i]
}

func init() { fmt.Println("init") }

func main() {
	flag.Parse()
	fmt.Println(*mode, flag.Args(), len(os.Args), shapes.Area(3))
	defer fmt.Println("deferred")
	switch *mode {
	case "exit":
		os.Exit(7)
	case "panic":
		s := &stack{}
		fmt.Println(s.at(
			3))
	case "error":
		panic(fmt.Errorf("bad %d", 3))
	case "number":
		panic(1.5)
	case "goroutine":
		done := make(chan bool)
		go func() {
			(&stack{}).at(1)
			close(done)
		}()
		<-done
	case "read":
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			fmt.Println(strings.ToUpper(in.Text()))
		}
		fmt.Fprintln(os.Stderr, "to stderr")
	}
}
`

// TestRunProgram runs an ordinary program and holds it against go run: output,
// exit code, and the panic up to addresses.
func TestRunProgram(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/prog\n\ngo 1.26\n", "prog.go": program,
		"shapes/shapes.go": "package shapes\n\nvar k = 2.0\n\nfunc Area(x float64) float64 { return k * x * x }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "prog", "prog.go")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	execute := func(name string, args ...string) (stdout, stderr string, code int) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TRAFFICGPT_TEST_RUN=1")
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("one\ntwo\n"), &out, &errs
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.String(), plainStack(strings.ReplaceAll(errs.String(), dir+"/", "./")), cmd.ProcessState.ExitCode()
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"-mode", "exit", "a", "b"}, {"-mode", "panic"}, {"-mode", "error"}, {"-mode", "number"}, {"-mode", "goroutine"}, {"-mode", "read"}, {"-none"},
	} {
		out, errs, code := execute(filepath.Join(dir, "prog"), args...)
		gotOut, gotErrs, gotCode := execute(self, append([]string{"run", "prog.go", "--"}, args...)...)
		if gotOut != out || gotCode != code || gotErrs != errs {
			t.Errorf("%v:\ngot exit %d\n%s%s\nwant exit %d\n%s%s", args, gotCode, gotOut, gotErrs, code, out, errs)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.go"), []byte("package main\n\nfunc main() {\n\tx := 1\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := execute(self, "run", "bad.go"); code != 1 || !strings.Contains(errs, "bad.go:4:2: declared and not used: x") {
		t.Errorf("a program that does not check: exit %d, %s", code, errs)
	}
	if _, errs, code := execute(self, "run", "-p", "x=1", "prog.go"); code != 2 || !strings.Contains(errs, "-p is for notebooks") {
		t.Errorf("a flag for notebooks: exit %d, %s", code, errs)
	}
}

// plainStack drops what differs between a compiled program and an interpreted
// one: addresses, arguments, who made a goroutine, the program's own path.
func plainStack(s string) string {
	for _, r := range [][2]string{
		{`(?m)^\[signal .*$`, "[signal]"}, {` \+0x[0-9a-f]+`, ""}, {`\(0x[^)]*\)|\(\{0x[^)]*\)|\(\.\.\.\)|\(\)$`, "()"},
		{`(?m)^goroutine \d+`, "goroutine"}, {`(?m)^created by .*\n.*\n`, ""}, {`(?m)^Usage of .*:$`, "Usage:"}, {`(?m)^exit status.*\n`, ""},
	} {
		s = regexp.MustCompile(r[0]).ReplaceAllString(s, r[1])
	}
	return s
}
