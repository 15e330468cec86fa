package session

import (
	"strings"
	"testing"

	"trafficgpt/display"
)

// TestTraps: what cells do one after the other and raw yaegi got wrong.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name  string
		cells []string // each with what it prints and its value, after a |
	}{
		{"an import again", []string{"import \"fmt\"\nfmt.Println(1)|1\n", "import \"fmt\"\nfmt.Println(2)|2\n"}},
		{"declarations between statements", []string{"x := 1\ntype T int\nfunc f() T { return 4 }\ny := f()\nconst k = 2\nx + int(y) + k|7"}},
		{"a type again", []string{"type T struct{ A int }|", "type T struct{ B string }|", "T{B: \"b\"}.B|b"}},
		{"a top-level defer runs once, at the end of its cell", []string{"defer println(1)\nprintln(2)|2\n1\n", "3|3", "4|4"}},
		{"a cell that begins with a call of a literal runs once", []string{"func() { println(5) }()|5\n", "6|6"}},
		{"a cell may define main", []string{"func main() { println(7) }|", "8|8", "main()|7\n"}},
		{"the value is the last expression's", []string{"func two() (int, string) { return 1, \"b\" }\ntwo()|1 b", "func none() {}\nnone()|", "x := 9|"}},
		{"a typed nil is not nil", []string{"type E struct{}\nfunc (*E) Error() string { return \"e\" }\nvar e *E\nvar err error = e\nerr == nil|false"}},
		{"statements of a failed cell did not run", []string{"n := 1|", "n = 5; undefined()!undefined: undefined", "n|1"}},
		{"a failed cell declares nothing", []string{"type U int; func g() int { return \"\" }!cannot use \"\" (untyped string constant) as int value in return statement", "U(1)!undefined: U"}},
		{"an undefined name is called so", []string{"const c = nothing!undefined: nothing", "func h() int { return nowhere }!undefined: nowhere"}},
		{"a missing return", []string{"func h() int { }!missing return"}},
		{"goroutines of earlier cells live on after an error", []string{
			"ch := make(chan int)\nback := make(chan int)\ngo func() { for x := range ch { back <- x + 1 } }()|", "panic(1)!1", "ch <- 4; <-back|5"}},
	} {
		s := newTestSession(t)
		for _, cell := range c.cells {
			code, want, fails := strings.Cut(cell, "!")
			if !fails {
				i := strings.LastIndex(cell, "|")
				code, want = cell[:i], cell[i+1:]
			}
			out, r := cellOut(s, code)
			if v, ok := r.Value[display.Text].(string); ok {
				out += v
			}
			if fails && r.Err != nil {
				out = r.Err.Message
			}
			if out != want || (r.Err != nil) != fails {
				t.Errorf("%s: %s\ngot %q %v, want %q", c.name, code, out, r.Err, want)
			}
		}
	}
}
