package session

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"trafficgpt/interp/progen"
)

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
	s, err := New(Options{})
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
	for i, p := range programs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.go", i)), []byte(progen.File(p, "main")), 0o644); err != nil {
			return nil, nil, err
		}
	}
	// Without optimisation, for the sake of time: the programs are large.
	binary, err := buildPrograms(dir, len(programs), func(i int, pkg string) string { return progen.File(programs[i], pkg) }, "-gcflags=scripts/...=-N -l", "-ldflags=-w")
	if err != nil {
		return nil, nil, err
	}
	c := &batch{limit: 20 * time.Second, start: func() *exec.Cmd { return exec.Command(binary) }}
	n := &batch{limit: 20 * time.Second, start: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "INTERP_BATCH="+dir, "GOMEMLIMIT=2GiB")
		return cmd
	}}
	defer c.close()
	defer n.close()
	for i := range programs {
		compiled = append(compiled, c.run(i))
		interpreted = append(interpreted, n.run(i))
	}
	return interpreted, compiled, nil
}

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
