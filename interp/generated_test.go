package interp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"trafficgpt/interp/progen"
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
		return strings.TrimSuffix(s, "\x00")
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

// runChildBatch runs the programs of a folder by the numbers it reads.
func runChildBatch(dir string) int {
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		src, err := os.ReadFile(filepath.Join(dir, sc.Text()+".go"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Print(strings.ReplaceAll(interpreted(src), "\x00", "␀"), "\x00")
	}
	return 0
}

// interpreted is what a program prints in a session of its own.
func interpreted(src []byte) string {
	s, err := NewSession(Options{})
	if err != nil {
		return "CRASH: " + err.Error()
	}
	defer func() { _ = s.Close() }()
	var m memory
	_, e := s.RunProgram(context.Background(), map[string][]byte{"p.go": src}, &m)
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.out.String()
	if e != nil {
		if e.Name != "Panic" && e.Name != "RuntimeError" {
			return got + "REFUSED: " + e.Name + " " + e.Message + "\n" + strings.Join(e.Traceback, "\n")
		}
		got += "panic: " + e.Message + "\n"
	}
	return got
}

// bothWays runs programs interpreted and compiled.
func bothWays(programs []string) (interpreted, compiled []string, err error) {
	dir, err := os.MkdirTemp("", "generated")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
	var imports, table strings.Builder
	mainFunc := regexp.MustCompile(`(?m)^func main\(\)`)
	for i, p := range programs {
		write(fmt.Sprintf("src/%d.go", i), progen.File(p, "main"))
		pkg := fmt.Sprintf("s%03d", i)
		write("all/"+pkg+"/s.go", mainFunc.ReplaceAllString(progen.File(p, pkg), "func Main()"))
		fmt.Fprintf(&imports, "import %q\n", "scripts/"+pkg)
		fmt.Fprintf(&table, "\t%d: %s.Main,\n", i, pkg)
	}
	write("all/go.mod", "module scripts\n\ngo 1.26\n")
	write("all/main.go", "package main\n"+imports.String()+batchMain+"var programs = []func(){\n"+table.String()+"}\n")
	if err != nil {
		return nil, nil, err
	}
	build := exec.Command("go", "build", "-trimpath", "-gcflags=scripts/...=-N -l", "-ldflags=-w", "-o", "all", ".")
	build.Dir = filepath.Join(dir, "all")
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("programs do not compile: %w\n%s", err, out)
	}
	c := &batch{limit: 20 * time.Second, start: func() *exec.Cmd { return exec.Command(filepath.Join(dir, "all", "all")) }}
	n := &batch{limit: 20 * time.Second, start: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "INTERP_BATCH="+filepath.Join(dir, "src"), "GOMEMLIMIT=2GiB")
		return cmd
	}}
	defer c.close()
	defer n.close()
	own := regexp.MustCompile(`\b(scripts/)?s\d\d\d\.`)
	for i := range programs {
		compiled = append(compiled, own.ReplaceAllString(c.run(i), "main."))
		interpreted = append(interpreted, n.run(i))
	}
	return interpreted, compiled, nil
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

// TestGenerated compares random programs interpreted and compiled. It runs a
// few of fixed seeds; TRAFFICGPT_GENERATE gives a time to go on with fresh
// ones, TRAFFICGPT_SEED fixes the first of those. A program that differs is
// made small and kept in testdata/found, which TestDifferential runs.
func TestGenerated(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain to compare with: ", err)
	}
	seed, limit, count := uint64(1), time.Duration(0), 8
	if s := os.Getenv("TRAFFICGPT_GENERATE"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		seed, limit, count = uint64(time.Now().UnixNano()), d, 30
		if s := os.Getenv("TRAFFICGPT_SEED"); s != "" {
			if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := strconv.Atoi(os.Getenv("TRAFFICGPT_COUNT")); err == nil {
		count = n
	}
	t.Logf("first seed %d", seed)
	begin := time.Now()
	ran, found := 0, 0
	for {
		var programs []string
		for i := range count {
			p := progen.Program(seed + uint64(i))
			if err := progen.Check(p); err != nil {
				t.Fatalf("seed %d is not Go: %v", seed+uint64(i), err)
			}
			programs = append(programs, p)
		}
		got, want, err := bothWays(programs)
		if err != nil {
			t.Fatalf("seeds %d to %d: %v", seed, seed+uint64(count)-1, err)
		}
		for i := range programs {
			ran++
			if got[i] != want[i] {
				found++
				keep(t, seed+uint64(i), programs[i], got[i], want[i])
			}
		}
		seed += uint64(count)
		if time.Since(begin) >= limit || found >= 5 {
			break
		}
	}
	t.Logf("%d programs in %v, %d differ", ran, time.Since(begin).Round(time.Second), found)
}

// keep reduces a program that differs, reports it and writes it down.
func keep(t *testing.T, seed uint64, program, got, want string) {
	symptom := difference(got, want)
	deadline := time.Now().Add(3 * time.Minute)
	if os.Getenv("TRAFFICGPT_NOREDUCE") != "" {
		deadline = time.Now()
	}
	small := progen.Reduce(program, func(ps []string) []bool {
		out := make([]bool, len(ps))
		got, want, err := bothWays(ps)
		if err != nil {
			return out
		}
		for i := range ps {
			out[i] = got[i] != want[i] && kindOf(got[i]) == kindOf(symptom)
		}
		return out
	}, func() bool { return time.Now().Before(deadline) })
	name := fmt.Sprintf("testdata/found/seed-%d.txt", seed)
	_ = os.MkdirAll("testdata/found", 0o755)
	_ = os.WriteFile(name, []byte("-- seed-"+fmt.Sprint(seed)+" --\n"+small), 0o644)
	t.Errorf("seed %d, kept in %s: %s", seed, name, symptom)
}

func kindOf(s string) string {
	for _, k := range []string{"REFUSED", "CRASH", "HANG"} {
		if strings.Contains(s, k+": ") {
			return k
		}
	}
	return "WRONG"
}

// difference is the first line in which two outputs differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) {
			return "interpreted goes on: " + clip(strings.Join(g[i:], "\n"))
		}
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\ninterpreted: %s\ncompiled:    %s", i+1, clip(strings.Join(g[i:min(i+3, len(g))], "\n")), clip(w[i]))
		}
	}
	return "compiled goes on: " + clip(strings.Join(w[len(g):], "\n"))
}
