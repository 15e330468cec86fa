package cli

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

const programText = `package main

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
		"go.mod": "module example.org/prog\n\ngo 1.26\n", "prog.go": programText,
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

// TestLanguage runs the script that uses every item of the language that cells
// promise, and the program that it is exported to: they print the same.
func TestLanguage(t *testing.T) {
	script := filepath.Join("..", "notebooks", "testdata", "language.go")
	code, interpreted, errs := program(t, "", "run", "--quiet", script)
	if code != 0 {
		t.Fatalf("run: exit %d\n%s", code, errs)
	}
	dir := t.TempDir()
	if code, _, errs := program(t, "", "export", script, "-o", dir); code != 0 {
		t.Fatalf("export: exit %d\n%s", code, errs)
	}
	build := exec.Command("go", "build", "-o", "prog", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	compiled, err := exec.Command(filepath.Join(dir, "prog")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if interpreted != string(compiled) {
		t.Errorf("interpreted:\n%s\ncompiled:\n%s", interpreted, compiled)
	}
	if n := strings.Count(interpreted, "\n"); n < 35 {
		t.Errorf("only %d lines:\n%s", n, interpreted)
	}
}

// TestExportOfOwnPackages: what a script imports from beside it goes along.
func TestExportOfOwnPackages(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"cells.go":         "// %%\nimport \"./shapes\"\nimport \"fmt\"\nfmt.Println(shapes.Area(2), shapes.Name)\ns := &shapes.Shape{N: 3}\ns.N",
		"shapes/a.go":      "package shapes\n\nimport (\n\t\"strings\"\n\n\tu \"./unit\"\n)\n\nvar Name = strings.ToUpper(\"s\")\n\ntype Shape struct{ N int }\n\nfunc Area(x float64) float64 { return u.K * x }\n",
		"shapes/unit/u.go": "package unit\n\nvar K = 2.5\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code, interpreted, errs := program(t, "", "run", "--quiet", filepath.Join(dir, "cells.go"))
	if code != 0 || interpreted != "5 S\n3\n" {
		t.Fatalf("run: exit %d\n%s%s", code, interpreted, errs)
	}
	if code, _, errs := program(t, "", "export", filepath.Join(dir, "cells.go"), "-o", out); code != 0 {
		t.Fatalf("export: exit %d\n%s", code, errs)
	}
	run := exec.Command("go", "run", ".")
	run.Dir = out
	if compiled, err := run.CombinedOutput(); err != nil || string(compiled) != interpreted {
		t.Errorf("%v\n%s", err, compiled)
	}
}
