package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trafficgpt/interp/worker"
	"trafficgpt/kernel"
)

// TestMain lets the test binary be its own child, as trafficgpt is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == worker.ChildCommand {
		os.Exit(worker.Main())
	}
	kernel.Spec = kernelSpec
	if os.Getenv("TRAFFICGPT_TEST_RUN") != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// call runs the program with the input and returns what it gives.
func call(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	in, out := open("in"), open("out")
	if _, err := in.WriteString(input); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	code = run(context.Background(), args, in, out, &errs)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text), errs.String()
}

func TestEveryCommandHelpsWithAnExample(t *testing.T) {
	code, list, _ := call(t, "", "help")
	if code != 0 || !strings.Contains(list, "example: trafficgpt") {
		t.Errorf("help: exit %d, %q", code, list)
	}
	for _, c := range commands() {
		if !strings.Contains(list, c.name) || !strings.Contains(list, c.summary) {
			t.Errorf("help does not list %s", c.name)
		}
		for _, args := range [][]string{{c.name, "--help"}, {"help", c.name}, {c.name, "-h"}} {
			code, out, _ := call(t, "", args...)
			if code != 0 || !strings.Contains(out, "example:") || !strings.Contains(out, "trafficgpt "+c.name) {
				t.Errorf("%v: exit %d, %q", args, code, out)
			}
		}
	}
}

// TestWrongUse gives each mistake one line and the exit code 2, and each file
// that is not there one line and the exit code 1.
func TestWrongUse(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{2, nil, "which command"},
		{2, []string{"rnu"}, `no command "rnu", did you mean repl or run?`},
		{2, []string{"zzz"}, `no command "zzz"`},
		{2, []string{"help", "zzz"}, `no command "zzz"`},
		{2, []string{"run"}, "one notebook"},
		{2, []string{"run", "--nosuch", none}, "nosuch"},
		{2, []string{"run", "--memory", "much", none}, "gigabytes"},
		{2, []string{"kernel"}, "usage"},
		{2, []string{"repl", "x"}, "usage"},
		{2, []string{"version", "x"}, "usage"},
		{2, []string{"export", none}, "usage"},
		{2, []string{"encode"}, "needed"},
		{2, []string{"decode", "a"}, "needed"},
		{2, []string{"install", "--nosuch"}, "nosuch"},
		{2, []string{"doctor", "x"}, "x"},
		{1, []string{"run", none + ".ipynb"}, none},
		{1, []string{"kernel", none}, none},
		{1, []string{"export", "-o", none, none + ".ipynb"}, none},
		{1, []string{"encode", none, none + ".out"}, none},
		{1, []string{"decode", none, none + ".out"}, none},
	} {
		code, _, stderr := call(t, "", c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d and %q, want %d and one line with %q", c.args, code, stderr, c.code, c.says)
		}
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := call(t, "", "version"); code != 0 || !strings.HasPrefix(out, "trafficgpt "+version+" ") {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestPipedREPL(t *testing.T) {
	code, out, stderr := call(t, "x := 20\nx + 1\n", "repl")
	if code != 0 || out != "21\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, stderr)
	}
	code, out, stderr = call(t, "x := 1\nx + \"a\"\nx\n", "repl")
	if code != 1 || out != "" || !strings.Contains(stderr, "mismatched types") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, stderr)
	}
}

// TestRunStoresWhatAFailureLeaves runs a notebook whose second cell kills the
// engine: the reason is in the cell, the outputs before it are stored.
func TestRunStoresWhatAFailureLeaves(t *testing.T) {
	for name, c := range map[string]struct{ code, says string }{
		"panic": {"var p *int\n*p", "nil pointer"},
		"exit":  {"import \"os\"\nos.Exit(3)", "os.Exit(3)"},
		"crash": {"go func() { panic(\"deep\") }()\nselect {}", "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			script, out := filepath.Join(dir, "cells.go"), filepath.Join(dir, "out.ipynb")
			text := "// %%\nimport \"fmt\"\nfmt.Println(\"before\")\n// %%\n" + c.code + "\n// %%\nfmt.Println(\"after\")\n"
			if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := call(t, "", "run", script, "-o", out)
			if code != 1 || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d, stderr %q", code, stderr)
			}
			stored, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if s := string(stored); !strings.Contains(s, `"before\n"`) || strings.Contains(s, `"after\n"`) || !strings.Contains(s, c.says) {
				t.Errorf("stored:\n%s", s)
			}
		})
	}
}
