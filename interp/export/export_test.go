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
	program, err := Export(in, ".")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, program.Main, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", file)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, program.Main)
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
		{[]string{"x := 1", "x++\n%cd /tmp"}, "cell 2, line 2:1: \"%cd /tmp\" is a command of the notebook on which later cells hang"},
		{[]string{"import \"./nosuch\""}, "cell 1, line 1:8: there is no folder"},
		{[]string{"x := 1", "\ny := x + \"a\""}, "cell 2, line 2:"},
		{[]string{"x := 1\ny := "}, "cell 1, line 2"},
		{[]string{"import \"no/such\""}, "cell 1, line 1:8: package \"no/such\" cannot be imported"},
		{[]string{"type t int\nfunc (t) m() {}", "func (t) m(int) {}"}, "cell 2, line 1:1: method t.m is defined a second time with another signature"},
	} {
		var in []Cell
		for _, s := range c.cells {
			in = append(in, Cell{Code: s})
		}
		_, err := Export(in, ".")
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.cells, err, c.want)
		}
	}
}

func TestCommandsAreLeftOut(t *testing.T) {
	out, err := Export([]Cell{{Code: "x := 2\n%time x++\n!ls it's\ny := []int{\n\t1,\n}"}, {Code: "%%bash\nls"}, {Code: "%%time\nx += len(y)"}, {Code: "x?"}, {Code: "!true\nb := x == 4\n!b"}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(out.Left, "|"), "cell 1: !ls it's|cell 2: %%bash|cell 4: x?|cell 5: !true"; got != want {
		t.Errorf("left out %s, want %s", got, want)
	}
	if !strings.Contains(string(out.Main), "x++") || !strings.Contains(string(out.Main), "// Left out, since it is a command of the notebook: cell 1: !ls it's") {
		t.Errorf("%s", out.Main)
	}
}

func TestRedefinedMethodsAndDotImports(t *testing.T) {
	got := build(t,
		"import . \"fmt\"\nimport . \"strings\"\ntype P struct{ X int }\nfunc (p P) Get(n int, more ...string) int { return p.X + n + len(more) }\nfunc (p *P) Inc() { p.X++ }",
		"p := P{1}\np.Inc()\nPrintln(p.Get(10, \"a\"), ToUpper(\"dot\"))\nfunc use(p P) int { return p.Get(0) }",
		"Println(p.Get(1), use(p))\nfunc (q P) Get(k int, _ ...string) int { return 100 * q.X * k }\nfunc (*P) Inc() {}",
		"p.Inc()\nPrintln(use(p), p.Get(1))\nfunc (p P) String() string { return Sprint(\"P\", p.X) }",
		"Println(p)",
	)
	if want := "13 DOT\n200 0\n0 200\nP2\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestVariablesDeclaredAgain(t *testing.T) {
	got := build(t,
		"import \"fmt\"\nx := 1\nvar y = 2\nfunc f() int { return x + 10*y }",
		"x := 3\nx, z := x+1, \"x_2\"\nvar y int\nfmt.Println(f(), z)",
		"x := \"s\"\nfmt.Println(f(), x)",
		"x := 7\nfmt.Println(f(), x)",
		"for i, n := 0, 3; i < n; i++ { fmt.Print(i) }\nif k := x; k > 2 { fmt.Println(\" k\") } else if k := 3; k > 1 { fmt.Println() }\nswitch q := x; q { case 7: fmt.Println(q) }",
	)
	if want := "4 x_2\n4 s\n4 7\n012 k\n7\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What is updated in place is printed at the end at the latest, whichever of the
// project's packages shows it.
func TestProgramShowsTheLastUpdate(t *testing.T) {
	if got := build(t, "import \"trafficgpt/display\"\nh := display.New(\"first\")\nh.Update(\"second\")\nh.Update(\"last\")"); !strings.Contains(got, "last") {
		t.Errorf("got:\n%s", got)
	}
}
