package session

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"trafficgpt/display"
)

// writeFiles lays an archive out in a folder.
func writeFiles(t *testing.T, dir, archive string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func localSession(t *testing.T, archive string) (*Session, string) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, archive)
	s, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// want runs a cell and compares what it printed, then its value.
func want(t *testing.T, s *Session, code, expect string) {
	t.Helper()
	out, r := cellOut(s, code)
	if r.Err != nil {
		t.Errorf("%s\n%s", code, strings.Join(r.Err.Traceback, "\n"))
		return
	}
	if v, ok := r.Value[display.Text].(string); ok {
		out += v
	}
	if out != expect {
		t.Errorf("%s\ngot %q, want %q", code, out, expect)
	}
}

const shapes = `
-- shapes/shape.go --
// Package shapes has areas.
package shapes

import (
	"fmt"
	"slices"

	"./unit"
)

// Shape has an area.
type Shape interface{ Area() float64 }

type Square struct{ Side float64; hidden int }

func (s Square) Area() float64 { return unit.Scale(s.Side * s.Side) }
func (s *Square) Grow(by float64) { s.Side += by; s.hidden++ }
func (s Square) String() string { return fmt.Sprintf("□%g/%d", s.Side, s.hidden) }

// Sum adds areas.
func Sum[S Shape](list ...S) (total float64) {
	for _, s := range list {
		total += s.Area()
	}
	return total
}

type Stack[E any] struct{ list []E }

func (s *Stack[E]) Push(e E) { s.list = append(s.list, e) }
func (s *Stack[E]) All() []E { return slices.Clone(s.list) }

func secret() int { return 1 }
-- shapes/state.go --
package shapes

import "errors"

var Count = start() + 1

func start() int { return base }

var base = 40

func init() { Count++ }

// ErrFlat is an error of the package.
var ErrFlat = errors.New("flat")

type Flat struct{ N int }

func (f *Flat) Error() string { return "flat" }

func Check(n int) error {
	if n == 0 {
		return &Flat{7}
	}
	return ErrFlat
}

func Fault(xs []int) int {
	i := 5
	return xs[i]
}
-- shapes/shape_test.go --
package shapes

import "testing"

func TestX(t *testing.T) { undefined() }
-- shapes/other_plan9.go --
package shapes

func start() int { return 0 }
-- shapes/unit/unit.go --
package unit

var factor = 2.0

func Scale(x float64) float64 { return x * factor }
`

func TestLocalPackage(t *testing.T) {
	s, dir := localSession(t, shapes)
	want(t, s, "import \"./shapes\"\nimport \"fmt\"\nshapes.Count", "42")
	want(t, s, "sq := shapes.Square{Side: 3}\nsq.Grow(1)\nfmt.Println(sq, sq.Area())\nfmt.Printf(\"%T\\n\", sq)", "□4/1 32\nshapes.Square\n")
	want(t, s, "shapes.Sum(sq, sq)", "64")
	want(t, s, "var st shapes.Stack[string]\nst.Push(\"a\"); st.Push(\"b\")\nst.All()", "[a b]")
	want(t, s, "type Disc struct{ R float64 }\nfunc (d Disc) Area() float64 { return 3 * d.R * d.R }\nshapes.Sum[shapes.Shape](Disc{1}, sq)", "35")
	want(t, s, "import \"errors\"\nvar f *shapes.Flat\nfmt.Println(errors.As(shapes.Check(0), &f), f.N, errors.Is(shapes.Check(1), shapes.ErrFlat))", "true 7 true\n")
	want(t, s, "import \"encoding/json\"\nstring(must(json.Marshal(sq)))", `{"Side":4}`)
	for code, message := range map[string]string{
		"shapes.secret()":     "name secret not exported by package shapes",
		"sq.hidden":           "sq.hidden undefined (cannot refer to unexported field hidden)",
		"shapes.Square{1, 2}": "implicit assignment to unexported field hidden in struct literal of type shapes.Square",
	} {
		_, r := cellOut(s, code)
		if r.Err == nil || !strings.Contains(r.Err.Message, message) {
			t.Errorf("%s: %v, want %s", code, r.Err, message)
		}
	}
	_, r := cellOut(s, "shapes.Fault(nil)")
	if r.Err == nil || r.Err.Diagnostics[0].Place() != "shapes/state.go:29:11" || r.Err.Diagnostics[0].Source != "\treturn xs[i]" {
		t.Errorf("a fault inside: %+v", *r.Err)
	}
	// as it was: not run again
	want(t, s, "import \"./shapes\"\nshapes.Count++\nshapes.Count", "43")
	want(t, s, "import \"./shapes\"\nshapes.Count", "43")
	// the folder is the notebook's, whatever the process's is
	t.Chdir(t.TempDir())
	want(t, s, "import sh \"./shapes\"\nsh.Count", "43")
	// by its path in a module
	writeFiles(t, dir, "-- go.mod --\nmodule example.org/lab // mine\n\ngo 1.26\n")
	want(t, s, "import again \"example.org/lab/shapes\"\nagain.Count", "43")
}

func TestLocalPackageChanges(t *testing.T) {
	s, dir := localSession(t, shapes)
	want(t, s, "import \"./shapes\"\nimport \"./shapes/unit\"\nfunc area(side float64) float64 { return shapes.Square{Side: side}.Area() }\narea(2)", "8")
	want(t, s, "sq := shapes.Square{Side: 1}\nsq.Area()", "2")
	// a package below changes
	writeFiles(t, dir, "-- shapes/unit/unit.go --\npackage unit\n\nfunc Scale(x float64) float64 { return 10 * x }\n")
	want(t, s, "area(2)", "8")
	want(t, s, "import \"./shapes\"\narea(2)", "40")
	want(t, s, "sq.Area()", "10")
	want(t, s, "shapes.Count", "42")
	// a broken one changes nothing
	writeFiles(t, dir, "-- shapes/unit/unit.go --\npackage unit\n\nfunc Scale(x float64) float64 {\n\treturn y * x\n}\n")
	_, r := cellOut(s, "import \"./shapes\"")
	if r.Err == nil || r.Err.Message != "undefined: y" || r.Err.Diagnostics[0].Place() != "shapes/unit/unit.go:4:9" || r.Err.Diagnostics[0].Source != "\treturn y * x" {
		t.Errorf("broken package: %+v", r.Err)
	}
	want(t, s, "area(2)", "40")
}

func TestLocalPackageErrors(t *testing.T) {
	s, _ := localSession(t, shapes+`
-- a/a.go --
package a

import "../b"

var X = b.X
-- b/b.go --
package b

import "../a"

var X = a.X
-- prog/main.go --
package main

func main() {}
-- two/a.go --
package two
-- two/b.go --
package three
-- syntax/a.go --
package syntax

func F( {
-- foreign/a.go --
package foreign

import "github.com/none/such"
-- boom/a.go --
package boom

var m map[string]int

func init() {
	m["a"] = 1
}

func F() int { return 1 }
-- empty/readme --
-- unused/a.go --
package unused

import "fmt"

func F() { x := 1 }
`)
	for code, message := range map[string]string{
		`import "./nodir"`:   "near: ./a, ./b",
		`import "./empty"`:   "there are no Go files in",
		`import "./a"`:       "import cycle",
		`import "./prog"`:    "prog/main.go:1:9: ./prog is a program (package main), which cannot be imported",
		`import "./two"`:     "two/b.go:1:9: package three stands beside package two in one folder",
		`import "./syntax"`:  "syntax/a.go:3:9: ",
		`import "./foreign"`: "foreign/a.go:3:8: package github.com/none/such cannot be imported",
		`import "./unused"`:  "unused/a.go:3:8: \"fmt\" imported and not used",
		`import "./boom"`:    "assignment to entry in nil map",
	} {
		_, r := cellOut(s, code)
		if r.Err == nil {
			t.Errorf("%s: no error", code)
			continue
		}
		got := r.Err.Message
		if len(r.Err.Diagnostics) > 0 {
			got = r.Err.Diagnostics[0].Place() + ": " + got
		}
		if !strings.Contains(got, message) {
			t.Errorf("%s: %s, want %s", code, got, message)
		}
	}
	if _, r := cellOut(s, "boom.F()"); r.Err == nil {
		t.Error("a package whose init failed can be used")
	}
}

func TestLocalPackageCompletion(t *testing.T) {
	s, _ := localSession(t, shapes)
	want(t, s, "import \"./shapes\"\nsq := &shapes.Square{}", "")
	for code, item := range map[string]string{
		"shapes.Su":          "Sum",
		"sq.Gr":              "Grow",
		"import \"./sha":     "shapes/",
		"import \"./shapes/": "unit/",
	} {
		c, err := s.Complete(context.Background(), code, len(code))
		if err != nil || len(c.Items) != 1 || c.Items[0].Text != item {
			t.Errorf("%s: %+v %v, want %s", code, c.Items, err, item)
		}
	}
	in, err := s.Inspect(context.Background(), "shapes.Sum", len("shapes.Sum"), 1)
	text, _ := in.Data[display.Text].(string)
	if err != nil || !strings.Contains(text, "Sum adds areas") || !strings.Contains(text, "total += s.Area()") {
		t.Errorf("inspect: %v %v", text, err)
	}
}
