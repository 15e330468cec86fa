package session

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// batch is a process that runs programs by their number.
type batch struct {
	start func() *exec.Cmd
	limit time.Duration
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	errs  *bytes.Buffer
}

// run returns what a program printed, or how its process ended.
func (b *batch) run(i int) string {
	if b.cmd == nil {
		b.cmd = b.start()
		b.errs = &bytes.Buffer{}
		b.cmd.Stderr = b.errs
		b.in, _ = b.cmd.StdinPipe()
		out, _ := b.cmd.StdoutPipe()
		b.out = bufio.NewReader(out)
		if err := b.cmd.Start(); err != nil {
			b.cmd = nil
			return "CRASH: " + err.Error()
		}
	}
	hung := false
	process := b.cmd.Process
	timer := time.AfterFunc(b.limit, func() { hung = true; _ = process.Kill() })
	_, _ = fmt.Fprintln(b.in, i)
	s, err := b.out.ReadString(0)
	timer.Stop()
	if err == nil {
		return ownPackage.ReplaceAllString(strings.TrimSuffix(s, "\x00"), "main.")
	}
	_ = b.cmd.Wait()
	b.cmd = nil
	if hung {
		return fmt.Sprintf("HANG: not done after %v\n", b.limit)
	}
	return "CRASH: " + clip(b.errs.String())
}

func (b *batch) close() {
	if b.cmd != nil {
		_ = b.in.Close()
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

var (
	mainFunc = regexp.MustCompile(`(?m)^func main\(\)`)
	// ownPackage is how a compiled program names its types: it is not alone.
	ownPackage = regexp.MustCompile(`\b(scripts/)?s\d\d\d\.`)
)

// buildPrograms compiles n programs, each a package of its own, into one binary
// that runs them by their numbers, as a batch asks it to. source is a program as
// a file of package pkg.
func buildPrograms(dir string, n int, source func(i int, pkg string) string, flags ...string) (binary string, err error) {
	dir = filepath.Join(dir, "all")
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
	var imports, table strings.Builder
	for i := range n {
		pkg := fmt.Sprintf("s%03d", i)
		write(pkg+"/s.go", mainFunc.ReplaceAllString(source(i, pkg), "func Main()"))
		fmt.Fprintf(&imports, "import %q\n", "scripts/"+pkg)
		fmt.Fprintf(&table, "\t%d: %s.Main,\n", i, pkg)
	}
	write("go.mod", "module scripts\n\ngo 1.26\n")
	write("main.go", "package main\n"+imports.String()+batchMain+"var programs = []func(){\n"+table.String()+"}\n")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", append(append([]string{"build", "-trimpath"}, flags...), "-o", "all", ".")...)
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("programs do not compile: %w\n%s", err, out)
	}
	return filepath.Join(dir, "all"), nil
}

const batchMain = `
import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func run(f func()) {
	defer func() {
		if v := recover(); v != nil {
			if e, ok := v.(error); ok {
				v = e.Error()
			}
			fmt.Print("panic: ", v, "\n")
		}
	}()
	f()
}

func main() {
	out := os.Stdout
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		i, _ := strconv.Atoi(sc.Text())
		r, w, _ := os.Pipe()
		os.Stdout = w
		done := make(chan string)
		go func() { b, _ := io.ReadAll(r); done <- string(b) }()
		run(programs[i])
		w.Close()
		fmt.Fprint(out, strings.ReplaceAll(<-done, "\x00", "␀"), "\x00")
	}
}
`
