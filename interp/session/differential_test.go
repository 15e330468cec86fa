package session

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"trafficgpt/interp"
)

// The scripts of testdata/differential run interpreted and compiled and must
// print the same. Each file is an archive of scripts, one a feature or trap; a
// script is a program without its package clause and imports.

// scriptImports are the packages that scripts use, by the names they go by.
var scriptImports = map[string]string{
	"bytes": "bytes", "cmp": "cmp", "context": "context", "errors": "errors", "fmt": "fmt", "heap": "container/heap", "io": "io",
	"iter": "iter", "json": "encoding/json", "list": "container/list", "maps": "maps", "math": "math", "cmplx": "math/cmplx", "os": "os",
	"slices": "slices", "sort": "sort", "strconv": "strconv", "strings": "strings", "sync": "sync", "atomic": "sync/atomic",
	"time": "time", "unicode": "unicode", "utf8": "unicode/utf8", "bits": "math/bits", "runtime": "runtime", "bufio": "bufio", "rand": "math/rand",
}

// archive is a file of scripts.
type archive struct {
	name    string // of the file, without its folder and extension
	scripts []script
}

type script struct{ name, body string }

// readArchives reads the archives that the patterns name.
func readArchives(t *testing.T, patterns ...string) []archive {
	t.Helper()
	var list []archive
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no files %s (%v)", pattern, err)
		}
		for _, f := range files {
			read, err := txtar.ParseFile(f)
			if err != nil {
				t.Fatal(err)
			}
			a := archive{name: strings.TrimSuffix(filepath.Base(f), ".txt")}
			for _, x := range read.Files {
				a.scripts = append(a.scripts, script{x.Name, string(x.Data)})
			}
			list = append(list, a)
		}
	}
	return list
}

// readScripts lists the scripts of testdata/differential, and of testdata/found
// what random programs found (TestGenerated).
func readScripts(t *testing.T) []script {
	t.Helper()
	var list []script
	for _, a := range readArchives(t, "testdata/differential/*.txt", "testdata/found/*.txt") {
		list = append(list, a.scripts...)
	}
	return list
}

// source completes a script to a file of package pkg.
func (s script) source(pkg string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", pkg)
	var names []string
	for n := range scriptImports {
		if regexp.MustCompile(`\b` + n + `\.[A-Z]`).MatchString(s.body) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(&b, "import %q\n", scriptImports[n])
	}
	b.WriteString(s.body)
	return b.String()
}

// compiledOutputs compiles all scripts and returns what each prints.
func compiledOutputs(t *testing.T, scripts []script) []string {
	t.Helper()
	binary, err := buildPrograms(t.TempDir(), len(scripts), func(i int, pkg string) string { return scripts[i].source(pkg) })
	if err != nil {
		t.Fatal(err)
	}
	b := &batch{limit: time.Minute, start: func() *exec.Cmd { return exec.Command(binary) }}
	defer b.close()
	var out []string
	for i := range scripts {
		out = append(out, b.run(i))
	}
	return out
}

func TestDifferential(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain to compare with: ", err)
	}
	scripts := readScripts(t)
	if len(scripts) < 150 {
		t.Errorf("%d scripts, want at least 150", len(scripts))
	}
	want := compiledOutputs(t, scripts)
	for i, s := range scripts {
		for _, debugged := range []bool{false, true} {
			name := s.name
			if debugged {
				name += ", debugged"
			}
			t.Run(name, func(t *testing.T) {
				if got := printed(t, s, debugged); got != want[i] {
					t.Errorf("%s\ninterpreted:\n%s\ncompiled:\n%s", s.body, got, want[i])
				}
				if want[i] == "" {
					t.Error("the script prints nothing")
				}
			})
		}
	}
}

// printed is what a script prints, also with a debugger attached.
func printed(t *testing.T, s script, debugged bool) string {
	session := newTestSession(t)
	if debugged {
		if _, err := session.Debug(context.Background(), interp.DebugRequest{Do: interp.DebugAttach}); err != nil {
			t.Fatal(err)
		}
	}
	var m memory
	_, e := session.RunProgram(context.Background(), map[string][]byte{s.name + ".go": []byte(s.source("main"))}, &m)
	got := strings.ReplaceAll(m.out.String(), "\x00", "␀")
	if e != nil {
		if e.Name != "Panic" && e.Name != "RuntimeError" {
			t.Fatalf("%s\n%s", e.Message, strings.Join(e.Traceback, "\n"))
		}
		got += "panic: " + e.Message + "\n"
	}
	return got
}
