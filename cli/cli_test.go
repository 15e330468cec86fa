package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"trafficgpt/interp/worker"
	"trafficgpt/tokenizer/pcap"
)

// main is trafficgpt's, but for the kernelspec, which it reads where it is.
func main() {
	spec, err := os.ReadFile(os.Getenv("KERNEL_SPEC"))
	if err != nil {
		spec = nil // install says so
	}
	os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, Options{KernelSpec: spec}))
}

// TestMain lets the test binary be trafficgpt, and its child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == worker.ChildCommand {
		os.Exit(worker.Main())
	}
	if os.Getenv("TRAFFICGPT_TEST_RUN") != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"trafficgpt": main})
}

// TestScripts runs the sessions of testdata/script. They have two words more
// than testscript: "exits CODE ARGUMENTS…" runs trafficgpt, which must end with
// that code, and with one line on standard error when it is not 0; "damage FILE
// TEXT" changes a bit where the text stands in the file.
func TestScripts(t *testing.T) {
	spec, err := filepath.Abs(filepath.Join("..", "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("KERNEL_SPEC", spec)
			return errors.Join(capture(filepath.Join(e.WorkDir, "one.pcap"), 100, 50), capture(filepath.Join(e.WorkDir, "two.pcap"), 30, 500))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "damage": damage},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec("trafficgpt", args[1:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if said := ts.ReadFile("stderr"); want != 0 && strings.Count(said, "\n") != 1 {
		ts.Fatalf("not one line on standard error: %q", said)
	}
}

func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	i := bytes.Index(b, []byte(args[1]))
	if i < 0 {
		ts.Fatalf("%s holds no %q", args[0], args[1])
	}
	b[i] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// capture writes n packets of 77 flows, each with size bytes of payload.
func capture(path string, n, size int) error {
	var packets []pcap.Packet
	for i := range n {
		d := make([]byte, 54+size)
		copy(d[12:], []byte{8, 0, 0x45, 0})
		binary.BigEndian.PutUint16(d[16:], uint16(40+size))
		copy(d[22:], []byte{64, 6, 0, 0, 10, 0, 0, byte(i % 7), 10, 1, 0, 1, 1, byte(i % 11), 0, 80})
		copy(d[46:], []byte{0x50, 0x10})
		packets = append(packets, pcap.Packet{Time: time.Unix(1e9, 0).Add(time.Duration(i) * 1234 * time.Microsecond),
			Data: d, Length: len(d), LinkType: 1})
	}
	var b bytes.Buffer
	if err := pcap.WriteTo(&b, packets); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

// program runs the program in this process, with the input, and returns what it
// gives.
func program(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
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
	code = Run(context.Background(), args, in, out, &errs)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text), errs.String()
}

func TestEveryCommandHelpsWithAnExample(t *testing.T) {
	code, list, _ := program(t, "", "help")
	if code != 0 || !strings.Contains(list, "example: trafficgpt") {
		t.Errorf("help: exit %d, %q", code, list)
	}
	for _, c := range commands() {
		if !strings.Contains(list, c.name) || !strings.Contains(list, c.summary) {
			t.Errorf("help does not list %s", c.name)
		}
		for _, args := range [][]string{{c.name, "--help"}, {"help", c.name}, {c.name, "-h"}} {
			code, out, _ := program(t, "", args...)
			for line := range strings.Lines(out) {
				if n := len(strings.TrimSpace(line)); n > 80 && !strings.HasPrefix(line, "example:") {
					t.Errorf("%s: a line of %d letters: %s", c.name, n, line)
				}
			}
			if code != 0 || !strings.Contains(out, "example:") || !strings.Contains(out, "trafficgpt "+c.name) {
				t.Errorf("%v: exit %d, %q", args, code, out)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := program(t, "", "version"); code != 0 || !strings.HasPrefix(out, "trafficgpt "+version+" ") {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestPipedREPL(t *testing.T) {
	code, out, stderr := program(t, "x := 20\nx + 1\n", "repl")
	if code != 0 || out != "21\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, stderr)
	}
	code, out, stderr = program(t, "x := 1\nx + \"a\"\nx\n", "repl")
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
			code, _, stderr := program(t, "", "run", script, "-o", out)
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
