package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The child's exit status for a program that cannot be lowered, and for one
// that ended by a panic of its own.
const (
	exitRefused = 43
	exitPanic   = 44
)

func TestMain(m *testing.M) {
	if path := os.Getenv("INTERP_PROGRAM"); path != "" {
		os.Exit(runChild(path))
	}
	if dir := os.Getenv("INTERP_BATCH"); dir != "" {
		os.Exit(runChildBatch(dir))
	}
	os.Exit(m.Run())
}

// direct writes what a program prints to the process's own files.
type direct struct{ memory }

func (*direct) Stdout(p []byte) { _, _ = os.Stdout.Write(p) }
func (*direct) Stderr(p []byte) { _, _ = os.Stderr.Write(p) }

func runChild(path string) int {
	src, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := New(Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv("INTERP_SOURCE") != "" {
		s.lowered = func(text string) { fmt.Fprintln(os.Stderr, text) }
	}
	exit, e := s.RunProgram(context.Background(), map[string][]byte{filepath.Base(path): src}, &direct{})
	if e == nil {
		return exit
	}
	fmt.Fprintln(os.Stderr, strings.Join(e.Traceback, "\n"))
	if e.Name == "Refused" || e.Name == "CompileError" && strings.Contains(e.Message, "cannot be imported") {
		return exitRefused
	}
	if e.Name == "CompileError" {
		return 1
	}
	return exitPanic
}

// outcome runs one program and compares it with what Go's own test expects.
func outcome(root, path string, limit time.Duration) (result, detail string) {
	want, err := os.ReadFile(strings.TrimSuffix(path, ".go") + ".out")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "wrong", err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "INTERP_PROGRAM="+path, "GOMEMLIMIT=2GiB", "GOMAXPROCS=2", "GOROOT="+filepath.Dir(root))
	cmd.Dir = root // where Go's own harness runs them
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	got := out.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "timeout", ""
	case errors.As(err, &exit) && exit.ExitCode() == exitRefused:
		return "refused", got
	case errors.As(err, &exit) && (exit.ExitCode() == 2 && strings.Contains(got, "goroutine ") || exit.ExitCode() < 0):
		return "crash", got
	case err != nil:
		return "wrong", got
	case got != string(want):
		return "wrong", "output differs:\n" + got
	}
	return "pass", ""
}

// special are the packages whose use takes a test out of the plain ones.
var special = map[string]bool{"unsafe": true, "runtime": true, "reflect": true, "syscall": true, "os/exec": true}

// runTest reads a file and says whether it is a program to run and whether it
// is a plain one. The rule: its first line of directive is exactly "// run",
// and it needs no cgo, no assembly, no internal package, no second package and
// nothing that Go's test harness prepares (STDLIB_IMPORTCFG).
func runTest(path string) (run, plain bool) {
	src, err := os.ReadFile(path)
	if err != nil {
		return false, false
	}
	if !regexp.MustCompile(`(?m)\A(?:(?://go:build|// \+build)[^\n]*\n\s*)*// run\s*$`).Match(src) {
		return false, false
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
	if err != nil || f.Name.Name != "main" {
		return false, false
	}
	plain = true
	for _, is := range f.Imports {
		p, _ := strconv.Unquote(is.Path.Value)
		if p == "C" || strings.Contains(p, "internal/") || strings.HasPrefix(p, ".") {
			return false, false
		}
		if special[p] || strings.HasPrefix(p, "runtime/") {
			plain = false
		}
	}
	if bytes.Contains(src, []byte("STDLIB_IMPORTCFG")) {
		return false, false
	}
	if m := regexp.MustCompile(`(?m)^//go:build (.*)$`).FindSubmatch(src); m != nil {
		tags := string(m[1])
		if strings.Contains(tags, "cgo") && !strings.Contains(tags, "!cgo") || strings.Contains(tags, "wasm") && !strings.Contains(tags, "!wasm") || strings.Contains(tags, "goexperiment") {
			return false, false
		}
	}
	return true, plain
}

// TestGoTests runs Go's own run tests. The table testdata/gotests.tsv holds
// the outcome of each, which may only improve; TRAFFICGPT_LONG=1 runs all,
// otherwise every fortieth. TRAFFICGPT_GOTESTS=write writes the table,
// =verbose shows every outcome but pass.
func TestGoTests(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "test")
	if _, err := os.Stat(root); err != nil {
		t.Skip("Go's tests are not installed: ", err)
	}
	known := readOutcomes(t)
	var paths []string
	plain := map[string]bool{}
	filter := os.Getenv("TRAFFICGPT_GOTESTS_ONLY")
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasSuffix(path, ".dir") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && strings.Contains(path, filter) {
			if run, p := runTest(path); run {
				rel, _ := filepath.Rel(root, path)
				paths = append(paths, rel)
				plain[rel] = p
			}
		}
		return nil
	})
	sort.Strings(paths)
	long := os.Getenv("TRAFFICGPT_LONG") != ""
	count := map[string]int{}
	results := map[string]string{}
	begin := time.Now()
	for i, rel := range paths {
		if !long && filter == "" && i%40 != 0 {
			continue
		}
		limit := 60 * time.Second
		if d, err := time.ParseDuration(os.Getenv("TRAFFICGPT_GOTESTS_LIMIT")); err == nil {
			limit = d
		}
		got, detail := outcome(root, filepath.Join(root, rel), limit)
		results[rel] = got
		group := "special"
		if plain[rel] {
			group = "plain"
		}
		count[group+" "+got]++
		if was := known[rel]; worse(got, was) {
			t.Errorf("%s: %s, was %s\n%s", rel, got, was, clip(detail))
		} else if got != "pass" && (filter != "" || os.Getenv("TRAFFICGPT_GOTESTS") == "verbose") {
			t.Logf("%s: %s\n%s", rel, got, clip(detail))
		}
	}
	t.Logf("%d programs in %v: %v", len(results), time.Since(begin).Round(time.Second), count)
	if os.Getenv("TRAFFICGPT_GOTESTS") == "write" {
		writeOutcomes(t, results, plain)
	}
}

func clip(s string) string {
	if len(s) > 900 {
		return s[:900] + "…"
	}
	return s
}

var rank = map[string]int{"pass": 0, "refused": 1, "timeout": 2, "wrong": 3, "crash": 4}

func worse(got, was string) bool { return was != "" && rank[got] > rank[was] }

func readOutcomes(t *testing.T) map[string]string {
	out := map[string]string{}
	data, err := os.ReadFile("testdata/gotests.tsv")
	if err != nil {
		return out
	}
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Split(line, "\t"); len(f) == 3 && f[0] != "file" {
			out[f[0]] = f[2]
		}
	}
	return out
}

func writeOutcomes(t *testing.T, results map[string]string, plain map[string]bool) {
	var b strings.Builder
	b.WriteString("file\tgroup\toutcome\n")
	var names []string
	for n := range results {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		g := "special"
		if plain[n] {
			g = "plain"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\n", n, g, results[n])
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/gotests.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
