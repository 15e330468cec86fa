package session

import (
	"strconv"
	"strings"
	"testing"
)

// TestSameCell: functions use the variables of statements of their own cell.
func TestSameCell(t *testing.T) {
	for _, c := range []struct {
		name, want string
		cells      []string
	}{
		{"before", "1", []string{"x := 1\nfunc f() int { return x }\nf()"}},
		{"after", "3", []string{"func f() int { return x }\nx := 3\nf()"}},
		{"var", "2", []string{"var x = 2\nfunc f() int { return x }\nf()"}},
		{"set by the function", "7", []string{"n := 1\nfunc inc() { n += 6 }\ninc()\nn"}},
		{"of a type of the cell", "5", []string{"type T struct{ X int }\nts := []T{{2}, {3}}\nfunc (t T) M() int { return t.X }\nfunc sum() (n int) { for _, t := range ts { n += t.M() }; return }\nsum()"}},
		{"of a generic type of the cell", "[1 2]", []string{"type L[E any] struct{ es []E }\nl := L[int]{}\nfunc add(n int) { l.es = append(l.es, n) }\nadd(1); add(2)\nl.es"}},
		{"of an anonymous struct", "4", []string{"type E int\np := struct{ A E; B map[E]*E }{A: 4}\nfunc f() E { return p.A }\nf()"}},
		{"a function value", "9", []string{"type E int\nsq := func(e E, more ...E) E { return e * e }\nfunc f() E { return sq(3, 1) }\nf()"}},
		{"storage is the session's", "5", []string{"x := 1", "func old() int { return x }", "x := 5\nfunc f() int { return x }\nf()", "old()"}},
		{"another type", "a1", []string{"x := 1", "import \"fmt\"\nx := fmt.Sprint(\"a\", x)\nfunc f() string { return x }\nf()"}},
		{"a method", "8", []string{"k := 2\ntype T int\nfunc (t T) Times() int { return int(t) * k }\nT(4).Times()"}},
		{"must", "0", []string{"import (\"os\"; \"io\")\nf := must(os.Open(\"/dev/null\"))\nfi := must(f.Stat())\nfunc size() int { return len(must(io.ReadAll(f))) + int(fi.Size()) }\nsize()"}},
		{"later cells", "6", []string{"x := 1\nfunc f() int { return x }", "x = 6", "f()"}},
		{"type declared anew", "3", []string{"type T struct{ X int }\nt := T{1}\nfunc f() int { return t.X }", "type T struct{ X, Y int }\nt := T{3, 4}\nfunc f() int { return t.X }\nf()"}},
		{"two of them", "3", []string{"a, b := 1, 2\nfunc f() int { return a + b }\nf()"}},
	} {
		holdSession(t, c.name, c.want, c.cells)
	}
}

// TestSameCellErrors: the fault is told where it is, and once.
func TestSameCellErrors(t *testing.T) {
	for code, want := range map[string]string{
		"x := nope()\nfunc f() int { return x }":                    "1:6 undefined: nope",
		"x := 1\nfunc f() string { return x }":                      "2:26 cannot use x (variable of type int) as string value in return statement",
		"x := 1\nfunc f() int { return x + y }\nz := \"a\" + 1":     "2:27 undefined: y",
		"func f() int { return x }\nx := 1\ng := func() { u := 1 }": "3:15 declared and not used: u",
	} {
		_, r := cellOut(newTestSession(t), code)
		if r.Err == nil || len(r.Err.Diagnostics) == 0 {
			t.Errorf("%s: no error", code)
			continue
		}
		d := r.Err.Diagnostics[0]
		if got := strings.Join([]string{itoa(d.Line), itoa(d.Column)}, ":") + " " + d.Message; got != want {
			t.Errorf("%s\ngot %s, want %s (all: %v)", code, got, want, r.Err.Diagnostics)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
