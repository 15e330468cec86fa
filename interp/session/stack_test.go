package session

import (
	"fmt"
	"strings"
	"testing"
)

// TestStack: the functions that a panic has left, each with the line it was at.
func TestStack(t *testing.T) {
	const first = "func deep(n int) int {\n if n == 0 {\n  var p *int\n  return *p\n }\n return deep(n-1) + 1\n}\n" +
		"type S struct{ a int }\nfunc (s *S) Do(n int) int {\n return deep(n)\n}\n" +
		"func Gen[T any](t T, f func(T) int) int {\n return f(t)\n}\ns := &S{}"
	for _, c := range []struct{ name, code, at, stack string }{
		{"closure through a generic function", "println(1)\nGen(3, func(n int) int {\n defer func() {\n  println(2)\n }()\n return s.Do(n)\n})", "1:4:10",
			"deep 1:4, deep 1:6, deep 1:6, deep 1:6, (*main.S).Do 1:10, func literal 1 2:6, Gen[int] 1:13, the cell 2:2"},
		{"goroutine", "import \"time\"\ngo func() {\n s.Do(0)\n}()\ntime.Sleep(time.Second)", "1:4:10", "deep 1:4, (*main.S).Do 1:10, func literal 1 2:3"},
		{"deferred", "func d() {\n defer func() {\n  deep(1)\n }()\n}\nd()", "1:4:10", "deep 1:4, deep 1:6, d$1 2:3, d 2:2, the cell 2:6"},
		{"a panic in a deferred call replaces the first", "func d() {\n defer func() {\n  deep(0)\n }()\n panic(1)\n}\nd()", "1:4:10", "deep 1:4, d$1 2:3, d 2:2, the cell 2:7"},
		{"a deferred call that runs on", "func d() {\n defer func() {\n  x := []int{1}\n  println(x[0])\n }()\n deep(0)\n}\nd()", "1:4:10", "deep 1:4, d 2:6, the cell 2:8"},
		{"recovered ones are over", "func rec() {\n defer func() { recover() }()\n deep(2)\n}\nrec()\nrec()\ndeep(0)", "1:4:10", "deep 1:4, the cell 2:7"},
		{"strings.Map", "import \"strings\"\nstrings.Map(func(r rune) rune {\n if r == 'b' {\n  s.Do(0)\n }\n return r\n}, \"abc\")", "1:4:10",
			"deep 1:4, (*main.S).Do 1:10, func literal 1 2:4, the cell 2:2"},
		{"sort.Sort", "import \"sort\"\ntype By []int\nfunc (b By) Len() int { return len(b) }\nfunc (b By) Swap(i, j int) {}\nfunc (b By) Less(i, j int) bool {\n return b[i+10] < b[j]\n}\nfunc srt() {\n println(3)\n sort.Sort(By{3,2,1})\n}\nsrt()",
			"2:6:10", "(main.By).Less 2:6, srt 2:10, the cell 2:12"},
		{"sort.Slice", "import \"sort\"\nxs := []int{3, 1}\nsort.Slice(xs, func(i, j int) bool {\n return xs[i+5] > 0\n})", "2:4:11", "func literal 1 2:4, the cell 2:3"},
		{"slices.SortFunc", "import \"slices\"\nslices.SortFunc([]int{2, 1}, func(a, b int) int {\n panic(\"cmp\")\n})", "2:3:2", "func literal 1 2:3, the cell 2:2"},
		{"interface", "type I interface{ Do(n int) int }\nvar i I = s\nfor k := range 3 {\n if k == 2 {\n  i.Do(0)\n }\n}", "1:4:10", "deep 1:4, (*main.S).Do 1:10, the cell 2:5"},
		{"method value", "for _, f := range []func(int) int{s.Do, deep} {\n f(0)\n}", "1:4:10", "deep 1:4, (*main.S).Do 1:10, the cell 2:2"},
		{"range over a function", "func seq(yield func(int) bool) {\n yield(1)\n}\nfor x := range seq {\n deep(x)\n}", "1:4:10", "deep 1:4, deep 1:6, func literal 1 2:5, seq 2:2, the cell 2:4"},
		{"after a panic that fmt has caught", "import \"fmt\"\ntype St int\nfunc (s St) String() string { panic(\"str\") }\n_ = fmt.Sprint(St(1))\ndeep(0)", "1:4:10", "deep 1:4, the cell 2:5"},
		{"several lines, none of them claimed alone", "func two(n int) {\n if n == 0 {\n  deep(0)\n }\n deep(n)\n}\ntwo(0)", "1:4:10", "deep 1:4, two 2:3 2:5, the cell 2:7"},
		{"no call", "var m map[string]int\nm[\"a\"] = 1", "2:2:2", "the cell 2:2"},
		{"must", "import \"os\"\nfunc open() {\n must(os.Open(\"/no/such\"))\n}\nopen()", "2:3:2", "open 2:3, the cell 2:5"},
	} {
		s := newTestSession(t)
		if _, r := cellOut(s, first); r.Err != nil {
			t.Fatal(r.Err)
		}
		_, r := cellOut(s, c.code)
		if r.Err == nil || len(r.Err.Diagnostics) == 0 {
			t.Errorf("%s: %v", c.name, r.Err)
			continue
		}
		var list []string
		for _, f := range r.Err.Stack {
			text := f.Func
			for _, n := range f.Lines {
				text += fmt.Sprintf(" %s:%d", strings.TrimPrefix(f.File, "cell "), n)
			}
			list = append(list, text)
		}
		if got := strings.Join(list, ", "); got != c.stack || strings.TrimPrefix(r.Err.Diagnostics[0].Place(), "cell ") != c.at {
			t.Errorf("%s\ngot  %s at %s\nwant %s at %s", c.name, got, r.Err.Diagnostics[0].Place(), c.stack, c.at)
		}
	}
}
