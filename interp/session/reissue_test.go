package session

import (
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// TestRedefinition: earlier code follows what later cells declare anew.
func TestRedefinition(t *testing.T) {
	for _, c := range []struct {
		name, want string
		cells      []string
	}{
		{"function", "12", []string{"func a() int { return 1 }", "func b() int { return a() + 10 }", "func a() int { return 2 }", "b()"}},
		{"constant", "2", []string{"const c = 1\nfunc g() int { return c }", "const c = 2", "g()"}},
		{"method added", "4", []string{"type T struct{ X int }\nt := T{3}", "func (t T) Sum() int { return t.X + 1 }", "t.Sum()"}},
		{"method replaced", "6", []string{"type T struct{ X int }\nfunc (t T) M() int { return t.X }", "t := T{3}\nfunc twice(t T) int { return 2 * t.M() }\n", "func (t T) M() int { return 1 }", "twice(t) + 4"}},
		{"type replaced", "3", []string{"type T struct{ X int }\nfunc (t T) M() int { return t.X }", "type T struct{ X, Y int }", "T{3, 4}.M()"}},
		{"signature replaced", "1", []string{"func a() int { return 1 }", "func b() int { return a() }", "func a(s string) int { return len(s) }", "b()"}},
		{"function in a closure", "2", []string{"func a() int { return 1 }", "h := func() int { return a() }", "func a() int { return 2 }", "h()"}},
		{"function value", "23", []string{"func a(p float64, s ...int) int { return 10 + len(s) }", "h := a", "func a(p float64, s ...int) int { return 20 + len(s) }", "h(1, 1, 2, 3)"}},
		{"function in a closure, twice and through another", "13", []string{"func a() int { return 1 }\nfunc b() int { return a() + 10 }", "h := func() int { return b() }\nh()", "func a() int { return 2 }", "func a() int { return 3 }", "h()"}},
		{"function that recovers", "2", []string{"func a() (n int) { defer func() { n = 1; recover() }(); panic(0) }", "h := func() int { return a() }", "func a() int { return 2 }", "h()"}},
		{"recursive function", "24", []string{"func f(n int) int { if n == 0 { return 1 }; return n + f(n-1) }", "h := func(n int) int { return f(n) }", "func f(n int) int { if n == 0 { return 1 }; return n * f(n-1) }", "h(4)"}},
		{"another signature", "1", []string{"func a() int { return 1 }", "h := func() int { return a() }", "func a(s string) int { return 2 }", "h()"}},
		{"method value", "7", []string{"type T struct{ X int }\nfunc (t T) M() int { return t.X }", "h := T{7}.M", "func M() int { return 1 }", "h()"}},
		{"generic function", "3", []string{"func a[E any](e []E) int { return len(e) }", "h := func() int { return a([]int{1, 2, 3}) }", "func b() int { return 1 }", "h()"}},
		{"failed cell", "1", []string{"func a() int { return 1 }", "h := func() int { return a() }\nh()", "h()"}},
		{"variable", "5", []string{"x := 1", "func h() int { return x }", "x := 5", "h()"}},
		{"variable of another type", "1!", []string{"x := 1", "import \"strconv\"\nx := strconv.Itoa(x)", "x + \"!\""}},
	} {
		holdSession(t, c.name, c.want, c.cells)
	}
}

// TestStale: values of a type that was declared anew are named as such.
func TestStale(t *testing.T) {
	s := newTestSession(t)
	for _, code := range []string{
		"import \"fmt\"\ntype T struct{ X int }\nvar a any = T{1}\nvar list any = []T{{2}}\nold := T{2}", "type T struct{ X, Y int }\nnow := T{1, 2}",
	} {
		if _, r := cellOut(s, code); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for code, want := range map[string]string{
		"_ = a.(T)":        "interface conversion: interface {} is main.T (earlier version), not main.T",
		"_ = list.([]T)":   "interface conversion: interface {} is []main.T (earlier version), not []main.T",
		"var q T = old":    "cannot use old (variable of struct type main.T) as main.T value in variable declaration; old is of main.T (earlier version)",
		"old.Y":            "old.Y undefined (type main.T has no field or method Y); old is of main.T (earlier version)",
		"now == old":       "invalid operation: now == old (mismatched types main.T and main.T); old is of main.T (earlier version)",
		"_ = any(now).(T)": "",
	} {
		_, r := cellOut(s, code)
		got := ""
		if r.Err != nil {
			got = r.Err.Message
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", code, got, want)
		}
	}
	out, r := cellOut(s, "fmt.Printf(\"%T %T %T\\n\", a, old, now)")
	if want := "main.T (earlier version) main.T (earlier version) main.T\n"; out != want || r.Err != nil {
		t.Errorf("%%T: %q %v", out, r.Err)
	}
	var m memory
	s.Eval(t.Context(), interp.Cell{Code: "%vars"}, &m)
	text := ""
	for _, e := range m.events {
		v, _ := e.Data[display.Text].(string)
		text += v
	}
	if !strings.Contains(text, "T, earlier version") {
		t.Errorf("%%vars:\n%s%s", text, m.out.String())
	}
}
