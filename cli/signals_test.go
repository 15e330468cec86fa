package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"trafficgpt/kernel/wire"
)

// TestInterrupts sends signals to the program while a cell runs, which says so
// by making the file "begun".
func TestInterrupts(t *testing.T) {
	const cell = "import (\"os\"; \"time\")\nos.WriteFile(\"begun\", nil, 0o600); time.Sleep(time.Minute)\n"
	for name, c := range map[string]struct {
		args   []string
		signal syscall.Signal
		code   int
		says   string
	}{
		"run":            {[]string{"run", "--quiet", "cells.go"}, syscall.SIGINT, 130, "Interrupted"},
		"run, terminate": {[]string{"run", "--quiet", "cells.go", "-o", "out.ipynb"}, syscall.SIGTERM, 130, "Interrupted"},
		"repl":           {[]string{"repl"}, syscall.SIGINT, 130, "Interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "cells.go"), []byte(cell), 0o600); err != nil {
				t.Fatal(err)
			}
			p := begin(t, dir, cell, c.args...)
			p.await(t, filepath.Join(dir, "begun"))
			code, stderr := p.end(t, c.signal)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, %s", code, stderr)
			}
			if _, err := os.Stat(filepath.Join(dir, "out.ipynb")); len(c.args) > 3 && err != nil {
				t.Error("the outputs up to the interrupt are not stored")
			}
		})
	}
}

// A kernel that is told to end does so in order.
func TestKernelTerminates(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", dir) // its history is not the user's
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		path := filepath.Join(dir, signal.String()+".json")
		file := &wire.ConnectionFile{Transport: "tcp", IP: "127.0.0.1", Key: "k", SignatureScheme: "hmac-sha256"}
		if err := file.Write(path); err != nil {
			t.Fatal(err)
		}
		p := begin(t, dir, "", "kernel", path)
		for wait := time.Now().Add(patience); file.HBPort == 0; time.Sleep(10 * time.Millisecond) {
			var err error
			if file, err = wire.ReadConnectionFile(path); err != nil || time.Now().After(wait) {
				t.Fatal("the kernel does not bind", err)
			}
		}
		if code, stderr := p.end(t, signal); code != 0 || stderr != "" {
			t.Errorf("%v: exit code %d, %s", signal, code, stderr)
		}
	}
}

const patience = 20 * time.Second

// process is trafficgpt, in a process of its own.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan error
}

func begin(t *testing.T, dir, input string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self, args...), done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), "TRAFFICGPT_TEST_RUN=1")
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, &p.stderr
	p.cmd.Stdin = strings.NewReader(input)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended, unless the test failed
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

// await returns when there is a file of that name.
func (p *process) await(t *testing.T, name string) {
	t.Helper()
	for wait := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(wait) {
			t.Fatalf("%s does not appear", name)
		}
	}
}

// end sends the signal and returns what comes of it.
func (p *process) end(t *testing.T, signal syscall.Signal) (code int, stderr string) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode(), p.stderr.String()
}
