package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trafficgpt/interp/assist"
)

// Commands are completed where they may stand, and Go behind those that take
// it. The cursor is at the bar; want are all items, name:kind, and a + in the
// end says that there are more.
func TestCompleteCommands(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a file.pcap", "beta.txt"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o644)
	}
	os.Mkdir(filepath.Join(dir, "alpha"), 0o755)
	s := newTestSession(t)
	runCells(t, s, []string{"import \"strings\"\ntype Point struct{ X int }\nfunc (p *Point) Norm() int { return p.X }\nvar places []Point"})
	for code, want := range map[string]string{
		"%ti|":                  "%time:command %timeit:command",
		"%%wr|":                 "%%writefile:command",
		"x := 1\n%va|":          "%vars:command",
		"%cd " + dir + "/al|":   "alpha/:path",
		"!cat " + dir + "/be|":  "beta.txt:path",
		"%time strings.ToUp|":   "ToUpper:function+",
		"%%time\nstrings.ToUp|": "ToUpper:function+",
		"%time\nplaces[0].No|":  "Norm:method",
	} {
		pos := strings.Index(code, "|")
		got, err := s.Complete(t.Context(), code[:pos]+code[pos+1:], pos)
		if err != nil {
			t.Fatal(err)
		}
		var items []string
		for _, it := range got.Items {
			items = append(items, it.Text+":"+it.Kind)
		}
		list, more := strings.CutSuffix(want, "+")
		if fields := strings.Fields(list); more && len(items) > len(fields) {
			items = items[:len(fields)]
		}
		if !slices.Equal(items, strings.Fields(list)) {
			t.Errorf("%q: %q, want %q", code, items, want)
		}
	}
	in, err := s.Inspect(t.Context(), "%timeit x", len("%timeit"), 0)
	text, _ := in.Data["text/plain"].(string)
	if err != nil || !strings.Contains(text, "%timeit") || !strings.Contains(text, "how long one run takes") {
		t.Errorf("%%timeit: %v %v", text, err)
	}
}

// Whatever stands in the cell and wherever the cursor is, there is an answer.
func TestCompleteSurvivesAnything(t *testing.T) {
	s := newTestSession(t)
	if _, r := cellOut(s, "import (\"fmt\"; \"net/http\"; \"strings\")\nvar client = &http.Client{}\nvar places []struct{ X, Y int }\n_ = fmt.Sprint\n_ = strings.ToUpper"); r.Err != nil {
		t.Fatal(r.Err)
	}
	known := s.known()
	for _, code := range []string{
		"func f(client *http.Client) (x int, err error) {\n\tfor i, p := range places {\n\t\tswitch v := any(p).(type) {\n\t\tcase fmt.Stringer: fmt.Println(v.String(), `raw`, 'x', i)\n\t\t}\n\t}\n\tgo func() { select {} }()\n\treturn\n}\n",
		"type G[T any] struct{ a T }; func (g G[T]) M() T { return g.a }\nvar g = G[int]{a: 1}\ng.M()",
		"%time x := é + \"ü\\\"\n!ls {x}\nimport (\n. \"strings\"\n)\nL: for { break L }",
		"}{)(][..:=<-,;''\"`/* // \x00\xff",
	} {
		for pos := range len(code) + 1 {
			complete(code, pos, known)
			inspect(code, pos, 1, known)
			complete(code[:pos], pos, known)
			assist.IsComplete(code[:pos])
		}
	}
}

// Declarations are found in cells that hold statements too.
func TestInspectNamesOfCells(t *testing.T) {
	s := newTestSession(t)
	runCells(t, s, []string{
		"import \"fmt\"\nfmt.Sprint()\n\n// add adds.\nfunc add(a, b int) int { return a + b }\n\n// total is a sum.\ntotal := add(1, 2)",
		"// T is one.\ntype T struct {\n\tA int // the first\n}\n\n// Get gets.\nfunc (t T) Get() int { return t.A }\nv := T{A: 1}",
	})
	for _, c := range []struct {
		code   string
		detail int
		want   []string
	}{
		{"add", 0, []string{"func add(a, b int) int", "declared in cell 1", "add adds."}},
		{"add", 1, []string{"return a + b"}},
		{"total", 0, []string{"var total int", "total is a sum."}},
		{"total", 1, []string{"add(1, 2)"}},
		{"v.Get", 0, []string{"func (t T) Get() int", "declared in cell 2", "Get gets."}},
		{"T", 0, []string{"type T struct", "T is one."}},
	} {
		in, err := s.Inspect(t.Context(), c.code, len(c.code), c.detail)
		text, _ := in.Data["text/plain"].(string)
		for _, want := range c.want {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", c.code, want, text)
			}
		}
	}
	c, err := s.Complete(t.Context(), "v.", 2)
	if err != nil || len(c.Items) != 2 || c.Items[0].Text != "A" || c.Items[1].Signature != "func() int" {
		t.Errorf("%+v %v", c, err)
	}
}
