package export

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build runs the program that cells become, inside this module, and gives
// what it printed.
func build(t *testing.T, cells ...string) string {
	t.Helper()
	var in []Cell
	for _, c := range cells {
		in = append(in, Cell{Code: c})
	}
	text, err := Program(in)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", file)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text)
	}
	return string(out)
}

func TestProgramPrintsWhatTheCellsDo(t *testing.T) {
	got := build(t,
		"import (\n\"fmt\"\n\"os\"\n)\nx := 1 // one\ntype point struct{ X, Y int }\nconst k = 2",
		"func (p point) sum() int { return p.X + p.Y }\nfunc twice(n int) int { return 2 * n }\nfunc four(n int) int { return twice(twice(n)) }",
		"p := point{x, k}\nfmt.Println(p.sum(), four(1))",
		"x := \"again\"\nfmt.Println(x)",
		"func twice(n int) int { return 3 * n }\nfmt.Println(four(1))",
		"f := must(os.CreateTemp(\"\", \"x\"))\nmust(f.Close())\nmust(os.Remove(f.Name()))",
		"var a, b = fmt.Sscan(\"7\", &p.X)\nif b == nil {\n\tfmt.Println(a, p)\n}",
		"a, c := 5, 6\nc, d := 7, 8\nfmt.Println(a, c, d)",
		"for i := range 2 {\n\tx := i\n\tfmt.Print(x, \" \")\n}\nfmt.Println(x)",
		"import \"math/rand/v2\"\nr := rand.New(rand.NewPCG(1, 2))\n_ = r",
		"x",
	)
	want := "3 4\nagain\n9\n1 {7 2}\n5 7 8\n0 1 again\n" + "again\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestProgramRefuses(t *testing.T) {
	for _, c := range []struct {
		cells []string
		want  string
	}{
		{[]string{"x := 1", "%time x"}, "cell 2, line 1:1: \"%time x\" is a command"},
		{[]string{"x := 1", "\ny := x + \"a\""}, "cell 2, line 2:"},
		{[]string{"x := 1\ny := "}, "cell 1, line 2"},
		{[]string{"import \"no/such\""}, "cell 1, line 1:8: package \"no/such\" cannot be imported"},
		{[]string{"type t int\nfunc (t) m() {}", "func (t) m() {}"}, "cell 2, line 1:1: method t.m is defined a second time"},
	} {
		var in []Cell
		for _, s := range c.cells {
			in = append(in, Cell{Code: s})
		}
		_, err := Program(in)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.cells, err, c.want)
		}
	}
}
