package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// memory is a sink that keeps what a cell printed.
type memory struct {
	mu       sync.Mutex
	out, err strings.Builder
	events   []display.Event
}

func (m *memory) Emit(e display.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
	return nil
}

func (m *memory) Stdout(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out.Write(p)
}

func (m *memory) Stderr(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err.Write(p)
}

func (m *memory) Input(context.Context, string, bool) (string, error) {
	return "", errors.New("no input")
}

func newTestSession(t testing.TB) *Session {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cellOut runs a cell and returns all it wrote, its value and its error.
func cellOut(s *Session, code string) (out string, r interp.Result) {
	var m memory
	r = s.Eval(context.Background(), interp.Cell{Code: code}, &m)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.String() + m.err.String(), r
}

// holdSession runs cells in a session of their own; the last must show want.
func holdSession(t *testing.T, name, want string, cells []string) {
	t.Helper()
	s := newTestSession(t)
	var r interp.Result
	for _, code := range cells {
		if _, r = cellOut(s, code); r.Err != nil {
			t.Errorf("%s: %s\n%s", name, code, strings.Join(r.Err.Traceback, "\n"))
		}
	}
	if r.Value[display.Text] != want {
		t.Errorf("%s: got %v, want %s", name, r.Value[display.Text], want)
	}
}

func TestCells(t *testing.T) {
	s := newTestSession(t)
	for _, c := range cellsBasic {
		out, r := cellOut(s, c.code)
		if r.Err != nil {
			t.Errorf("%s\nfailed: %v\n%s", c.code, r.Err, strings.Join(r.Err.Traceback, "\n"))
			continue
		}
		v := ""
		if r.Value != nil {
			v, _ = r.Value[display.Text].(string)
		}
		if out != c.out || v != c.value {
			t.Errorf("%s\nprinted %q, want %q; value %q, want %q", c.code, out, c.out, v, c.value)
		}
	}
}

var cellsBasic = []struct{ code, out, value string }{
	{"1+2", "", "3"},
	{"x := 1", "", ""},
	{"x", "", "1"},
	{"x := \"a\"; x", "", "a"},
	{"import \"fmt\"\nfmt.Println(x)", "a\n", ""},
	{"func f(n int) int { if n < 2 { return n }; return f(n-1)+f(n-2) }", "", ""},
	{"f(15)", "", "610"},
	{"type T struct { A int; b string }\nfunc (t T) Sum() int { return t.A + len(t.b) }\nfunc (t *T) Inc() { t.A++ }", "", ""},
	{"t := T{3, \"xy\"}\nt.Inc()\nt.Sum()", "", "6"},
	{"import \"strings\"\nstrings.ToUpper(\"abc\")", "", "ABC"},
	{"s := 0\nfor i := range 10 { s += i }\ns", "", "45"},
	{"var fs []func() int\nfor i := 0; i < 3; i++ { fs = append(fs, func() int { return i*i }) }\nfmt.Println(fs[0](), fs[1](), fs[2]())", "0 1 4\n", ""},
	{"m := map[string]int{\"a\": 1, \"b\": 2}\nm[\"c\"] += 5\nlen(m)", "", "3"},
	{"import \"sort\"\nxs := []int{3,1,2}\nsort.Slice(xs, func(i, j int) bool { return xs[i] < xs[j] })\nxs", "", "[1 2 3]"},
	{"import \"slices\"\nslices.Sort(xs)\nslices.Index(xs, 2)", "", "1"},
	{"func g() (n int) { defer func() { if r := recover(); r != nil { n = 42 } }(); var p *T; p.Inc(); return 1 }\ng()", "", "42"},
	{"func Map[A, B any](xs []A, f func(A) B) []B { var out []B; for _, x := range xs { out = append(out, f(x)) }; return out }\nMap(xs, func(i int) string { return fmt.Sprint(i, \"!\") })", "", "[1! 2! 3!]"},
	{"type Shape interface { Area() float64 }\ntype Sq struct{ S float64 }\nfunc (s Sq) Area() float64 { return s.S*s.S }\nvar sh Shape = Sq{3}\nsh.Area()", "", "9"},
	{"switch v := any(sh).(type) { case Sq: fmt.Println(\"sq\", v.S); default: fmt.Println(\"?\") }", "sq 3\n", ""},
	{"ch := make(chan int)\ngo func() { for i := range 3 { ch <- i }; close(ch) }()\nn := 0\nfor v := range ch { n += v }\nn", "", "3"},
	{"import \"errors\"\ntype E struct{ Code int }\nfunc (e *E) Error() string { return fmt.Sprint(\"code \", e.Code) }\nvar err error = fmt.Errorf(\"w: %w\", &E{7})\nerr", "", "w: code 7"},
	{"import \"os\"\nb := must(os.ReadFile(\"/dev/null\"))\nlen(b)", "", "0"},
	{"// größe ½\nfunc grüß(名 string) string { return \"é\" + 名 }\nfmt.Println(grüß(\"世界\")); π := \"²\"\nlen(π)", "é世界\n", "2"},
	{"type Node struct { V int; L, R *Node }\nroot := &Node{V: 1, L: &Node{V: 2}}\nroot.L.V + root.V", "", "3"},
	{"import \"time\"\nd := 2*time.Second + 500*time.Millisecond\nd", "", "2.5s"},
	{"a, b := 1, 2\na, b = b, a\nfmt.Println(a, b)", "2 1\n", ""},
	{"strings.Split(\"a,b\", \",\")", "", "[a b]"},
	{"type Hidden struct { X int; tags []string }\nh := &Hidden{1, nil}\nh.X", "", "1"}, // without field names, in the cell of the type
}

func TestPrinting(t *testing.T) {
	s := newTestSession(t)
	out, r := cellOut(s, `import "fmt"
type Color int
func (c Color) String() string { return [...]string{"red", "green"}[c] }
type P struct { X, Y int; c Color; C Color; N *P; E error; A any }
type L []Color
p := P{X: 1, Y: -2, C: 1}
fmt.Println(p, &p)
fmt.Printf("%v|%+v|%T|%d|%5d|%x\n", p, p, p, Color(1), Color(1), Color(10))
fmt.Printf("%#v %#v\n", Color(1), L{0, 1})
fmt.Println(L{0, 1}, map[string]Color{"b": 1, "a": 0}, []any{Color(1), p.C, 3})
fmt.Printf("%[1]T %[1]v %s\n", Color(1), Color(0))
fmt.Printf("%6.2v|%-8v|%T\n", Color(1), Color(0), []P{})
`)
	want := `{1 -2 0 green <nil> <nil> <nil>} &{1 -2 0 green <nil> <nil> <nil>}
{1 -2 0 green <nil> <nil> <nil>}|{X:1 Y:-2 c:0 C:green N:<nil> E:<nil> A:<nil>}|main.P|1|    1|%!x(PANIC=String method: runtime error: index out of range [10] with length 2)
1 main.L{0, 1}
[red green] map[a:red b:green] [green green 3]
main.Color green red
    gr|red     |[]main.P
`
	if r.Err != nil {
		t.Fatal(strings.Join(r.Err.Traceback, "\n"))
	}
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestInterrupt(t *testing.T) {
	s := newTestSession(t)
	cellOut(s, "import (\"time\"; \"sync\")\nvar n int\nf := func() int { return n }")
	for _, code := range []string{
		"for { n++ }", "select {}", "time.Sleep(time.Hour)", "<-make(chan int)", "var mu sync.Mutex; mu.Lock(); mu.Lock()",
		"var wg sync.WaitGroup; wg.Add(1); wg.Wait()", "var rw sync.RWMutex; rw.RLock(); rw.Lock()",
		"var mu2 sync.Mutex; c := sync.NewCond(&mu2); mu2.Lock(); c.Wait()", "for range time.Tick(time.Hour) {}",
		"import \"sort\"\nsort.Slice(make([]int, 9), func(i, j int) bool { for {} })",
		"func() { defer func() { n = 7 }(); for {} }()",
	} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		r := s.Eval(ctx, interp.Cell{Code: code}, &memory{})
		if r.Err == nil || r.Err.Name != "Interrupted" {
			t.Errorf("%s: %v", code, r.Err)
		}
		if d := time.Since(start) - 100*time.Millisecond; d > 300*time.Millisecond {
			t.Errorf("%s: returned after %v", code, d)
		}
	}
	if _, r := cellOut(s, "f()"); r.Err != nil || r.Value[display.Text] != "7" {
		t.Errorf("after interrupts: %v %v", r.Value, r.Err)
	}
}

// Training and sampling come back from an interrupt in time with what they have,
// and the cell keeps it; a step of this model takes about as long as that time.
func TestInterruptedLibrary(t *testing.T) {
	s := newTestSession(t)
	if _, r := cellOut(s, "import (\"trafficgpt/lib/dataset\"; \"trafficgpt/lib/sample\"; \"trafficgpt/lib/train\"; \"trafficgpt/model\")\n"+
		"flows := dataset.Lab().Flows[:200]\nm := must(model.New(model.Small(), 1))"); r.Err != nil {
		t.Fatal(r.Err)
	}
	for _, c := range []struct{ code, kept string }{
		{"report := must(train.Run(m, flows, nil, train.Options{Steps: 1 << 20, Quiet: true}))", "report != nil && report.Stopped == train.Interrupted"},
		{"some := must(sample.Flows(m, sample.Options{Flows: 1 << 20, Seed: 1}))", "some != nil"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(1200*time.Millisecond, cancel)
		if r := s.Eval(ctx, interp.Cell{Code: c.code}, &memory{}); r.Err == nil || r.Err.Message != "interrupted" {
			t.Errorf("%s: %v", c.code, r.Err)
		}
		if _, r := cellOut(s, c.kept); r.Err != nil || r.Value[display.Text] != "true" {
			t.Errorf("%s: %v %v", c.kept, r.Value, r.Err)
		}
	}
}

// TestInterruptNames: what cannot be stopped is named, and the next cell is
// told too; the front end is free in time.
func TestInterruptNames(t *testing.T) {
	for _, c := range []struct{ code, name string }{
		{"import \"os/exec\"\nexec.Command(\"sleep\", \"1\").Run()", "exec.(*Cmd).Run"},
		{"import \"net\"\nl := must(net.Listen(\"tcp\", \"127.0.0.1:0\"))\nc := must(net.Dial(\"tcp\", l.Addr().String()))\nc.Read(make([]byte, 1))", "net.(*conn).Read"},
	} {
		s := newTestSession(t)
		ctx, cancel := context.WithCancel(context.Background())
		var at time.Time
		time.AfterFunc(200*time.Millisecond, func() { at = time.Now(); cancel() })
		r := s.Eval(ctx, interp.Cell{Code: c.code}, &memory{})
		if d := time.Since(at); d > 400*time.Millisecond {
			t.Errorf("%s: returned after %v", c.code, d)
		}
		for _, e := range []*interp.Error{r.Err, s.Eval(context.Background(), interp.Cell{Code: "1"}, &memory{}).Err} {
			if e == nil || e.Name != "Interrupted" || !strings.Contains(e.Message, c.name+", which cannot be stopped") || !strings.Contains(e.Message, "%restart") {
				t.Errorf("%s: %v", c.code, e)
			}
		}
		time.Sleep(time.Second) // until the command is over: the names are of the process
	}
}

func TestErrors(t *testing.T) {
	s := newTestSession(t)
	for _, c := range []struct {
		code, name, message string
		line, column        int
	}{
		{"x := 1\ny := undefined1\nz := undefined2", "CompileError", "undefined: undefined1", 2, 6},
		{"func f() {\n\tq := 1\n}", "CompileError", "declared and not used: q", 2, 2},
		{"if {", "CompileError", "missing condition in if statement", 1, 4},
		{"xs := []int{1}\ni := 5\nxs[i]", "RuntimeError", "runtime error: index out of range [5] with length 1", 3, 3},
		{"import \"strings\"\na := 1\n_ = strings.Repeat(\"x\", -a)", "Panic", "strings: negative Repeat count", 3, 5},
		{"panic(\"boom\")", "Panic", "boom", 1, 1},
		{"import \"nosuch\"", "CompileError", "package nosuch cannot be imported: cells import the standard library, gonum and this project's packages", 1, 8},
		{"import \"os\"\nmust(os.Open(\"/no/such\"))", "Error", "open /no/such: no such file or directory", 2, 1},
	} {
		_, r := cellOut(s, c.code)
		if r.Err == nil || r.Err.Name != c.name || r.Err.Message != c.message {
			t.Errorf("%s\ngot %v", c.code, r.Err)
			continue
		}
		if len(r.Err.Diagnostics) == 0 || r.Err.Diagnostics[0].Line != c.line || r.Err.Diagnostics[0].Column != c.column {
			t.Errorf("%s\nat %+v, want %d:%d", c.code, r.Err.Diagnostics, c.line, c.column)
		}
	}
	if _, r := cellOut(s, "x"); r.Err == nil {
		t.Error("a failed cell left a variable")
	}
}
