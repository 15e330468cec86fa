package session

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// debugging is a session with a debugger attached.
type debugging struct {
	t      *testing.T
	s      *Session
	events chan interp.DebugEvent
	number int
	sink   memory
}

func newDebugging(t *testing.T) *debugging {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := &debugging{t: t, s: s, events: make(chan interp.DebugEvent, 1000)}
	s.OnDebug(func(e interp.DebugEvent) { d.events <- e })
	return d
}

func (d *debugging) do(r interp.DebugRequest) interp.DebugReply {
	d.t.Helper()
	reply, err := d.s.Debug(context.Background(), r)
	if err != nil {
		d.t.Fatalf("%s: %v", r.Do, err)
	}
	return reply
}

func (d *debugging) attach() { d.t.Helper(); d.do(interp.DebugRequest{Do: interp.DebugAttach}) }

// start runs a cell in the background.
func (d *debugging) start(code string) chan interp.Result {
	d.number++
	cell := interp.Cell{Number: d.number, Code: code}
	done := make(chan interp.Result, 1)
	go func() { done <- d.s.Eval(context.Background(), cell, &d.sink) }()
	return done
}

// run runs a cell to its end.
func (d *debugging) run(code string) {
	d.t.Helper()
	d.end(d.start(code))
}

func (d *debugging) end(done chan interp.Result) interp.Result {
	d.t.Helper()
	select {
	case r := <-done:
		if r.Err != nil {
			d.t.Fatalf("%v\n%s", r.Err, strings.Join(r.Err.Traceback, "\n"))
		}
		return r
	case <-time.After(10 * time.Second):
		d.t.Fatal("the cell did not end")
	}
	return interp.Result{}
}

// lineOf is the line of a cell with a mark in it.
func lineOf(code, mark string) int {
	return strings.Count(code[:strings.Index(code, mark)], "\n") + 1
}

// breakAt sets breakpoints on the lines with these marks.
func (d *debugging) breakAt(code string, marks ...string) {
	d.t.Helper()
	r := interp.DebugRequest{Do: interp.DebugBreakpoints, Code: code}
	for _, m := range marks {
		r.Breakpoints = append(r.Breakpoints, interp.Breakpoint{Line: lineOf(code, m)})
	}
	for i, b := range d.do(r).Breakpoints {
		if b.Why != "" || b.Line != r.Breakpoints[i].Line {
			d.t.Fatalf("breakpoint %d came to line %d: %s", i, b.Line, b.Why)
		}
	}
}

// stopped waits for a stop.
func (d *debugging) stopped() interp.DebugEvent {
	d.t.Helper()
	for {
		select {
		case e := <-d.events:
			if e.Kind == interp.DebugStopped {
				return e
			}
		case <-time.After(10 * time.Second):
			d.t.Fatal("nothing stopped")
		}
	}
}

// at waits for a stop and returns its calls as "name:line", innermost first.
func (d *debugging) at() string {
	d.t.Helper()
	d.stopped()
	return d.stack()
}

func (d *debugging) stack() string {
	d.t.Helper()
	var out []string
	for _, f := range d.do(interp.DebugRequest{Do: interp.DebugFrames}).Frames {
		out = append(out, fmt.Sprintf("%s:%d", f.Name, f.Line))
	}
	return strings.Join(out, " ")
}

// wantAt waits for a stop at calls like "f:3 cell 2:1".
func (d *debugging) wantAt(want string) {
	d.t.Helper()
	if got := d.at(); got != want {
		d.t.Fatalf("stopped at %q, want %q", got, want)
	}
}

func (d *debugging) step(how interp.DebugAction, want string) {
	d.t.Helper()
	d.do(interp.DebugRequest{Do: how})
	d.wantAt(want)
}

// locals is "name type = value; …" of a frame.
func (d *debugging) locals(frame int) string {
	d.t.Helper()
	return texts(d.do(interp.DebugRequest{Do: interp.DebugLocals, Frame: frame}).Variables)
}

func texts(vars []interp.DebugVariable) string {
	out := make([]string, len(vars))
	for i, v := range vars {
		out[i] = fmt.Sprintf("%s %s = %s", v.Name, v.Type, v.Value)
	}
	return strings.Join(out, "; ")
}

func (d *debugging) eval(frame int, code string) string {
	d.t.Helper()
	r, err := d.s.Debug(context.Background(), interp.DebugRequest{Do: interp.DebugEvaluate, Frame: frame, Code: code})
	if err != nil {
		return "error: " + err.Error()
	}
	return r.Value.Value
}

func TestDebugBreakpointInCell(t *testing.T) {
	d := newDebugging(t)
	d.attach()
	code := "total := 0\nfor i := 0; i < 3; i++ {\n\tsquare := i * i\n\ttotal += square // here\n}\ntotal"
	d.breakAt(code, "here")
	done := d.start(code)
	for i := range 3 {
		d.wantAt("cell 1:4")
		if got, want := d.locals(1), fmt.Sprintf("i int = %d; square int = %d", i, i*i); got != want {
			t.Errorf("locals %q, want %q", got, want)
		}
		d.do(interp.DebugRequest{Do: interp.DebugContinue})
	}
	if r := d.end(done); r.Value[display.Text] != "5" {
		t.Errorf("value %v", r.Value)
	}
}

// earlier has what a later cell stops in.
const earlier = `import "errors"

type Shape interface{ Area() int }

type Square struct{ Side int }

func (s Square) Area() int {
	a := s.Side * s.Side // method
	return a
}

func double(x int) int {
	y := x + x // function
	return y
}

func apply[T any](xs []T, f func(T) T) []T {
	var out []T
	for _, x := range xs {
		out = append(out, f(x)) // generic
	}
	return out
}

func risky(n int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("recovered") // deferred
		}
	}()
	var a []int
	_ = a[n]
	return nil
}

var shape Shape = Square{3}
`

func TestDebugEarlierCells(t *testing.T) {
	d := newDebugging(t)
	d.run(earlier)
	d.run("shape.Area() + double(1)") // lowered before there is a debugger
	d.attach()
	d.breakAt(earlier, "// function", "// method", "// generic", "// deferred")
	code := "a := double(4)\nb := shape.Area()\nc := apply([]int{7}, func(n int) int {\n\treturn n + a\n})\ne := risky(5)"
	done := d.start(code)
	d.wantAt("double:13 cell 3:1")
	if got := d.locals(1); got != "x int = 4" {
		t.Errorf("locals %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.wantAt("(main.Square).Area:8 cell 3:2")
	if got := d.locals(1); got != "s main.Square = {Side:3}" {
		t.Errorf("locals %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.wantAt("apply[int]:20 cell 3:3")
	if got := d.locals(1); !strings.HasPrefix(got, "xs []int = [7]; f func(int) int = func(int) int; out []int = nil; x int = 7") {
		t.Errorf("locals %q", got)
	}
	d.step(interp.DebugStepIn, "cell 3.func1:4 apply[int]:20 cell 3:3")
	if got := d.locals(1); got != "n int = 7" {
		t.Errorf("locals %q", got)
	}
	if got := d.eval(2, "f(1) + f(2)"); got != "19" {
		t.Errorf("called a parameter: %q", got)
	}
	if got := d.eval(1, "n + a + double(2)"); got != "19" {
		t.Errorf("evaluated %q", got)
	}
	d.step(interp.DebugStepOut, "apply[int]:19 cell 3:3")
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.wantAt("risky.func1:28 risky:32 cell 3:6")
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
	d.run("if a != 8 || b != 9 || c[0] != 15 || e.Error() != \"recovered\" { panic(\"wrong\") }")
}

func TestDebugSteps(t *testing.T) {
	d := newDebugging(t)
	d.run(earlier)
	d.attach()
	code := `n := 0
for i := 0; i < 2; i++ {
	n += double(i)
}
switch n {
case 2:
	n = 10; n++
default:
	n = 20
}
defer func() {
	n++
}()
if n == 11 && double(n) > 3 {
	n--
}
for _, s := range []string{"a", "b"} {
	_ = s
}`
	r := interp.DebugRequest{Do: interp.DebugBreakpoints, Code: code, Breakpoints: []interp.Breakpoint{{Line: 1}}}
	d.do(r)
	done := d.start(code)
	d.wantAt("cell 2:1")
	for _, line := range []int{2, 3, 2, 3, 2, 5, 7, 11, 14, 15, 17, 18, 17, 18, 17} {
		d.step(interp.DebugNext, fmt.Sprintf("cell 2:%d", line))
	}
	d.do(interp.DebugRequest{Do: interp.DebugNext})
	d.end(done)

	done = d.start("x := double(double(3))\nx++")
	d.end(done)
	code = "y := double(double(3))\ny++"
	r.Code = code
	d.do(r)
	done = d.start(code)
	d.wantAt("cell 4:1")
	d.step(interp.DebugStepIn, "double:13 cell 4:1")
	d.step(interp.DebugNext, "double:14 cell 4:1")
	d.step(interp.DebugStepOut, "cell 4:2") // the outer call belongs to the statement
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
}

func TestDebugVariables(t *testing.T) {
	d := newDebugging(t)
	d.run(`import "time"
type Point struct{ X, Y int }
type Node struct { Name string; Next *Node; at Point }
type Colour int
func (c Colour) String() string { panic("called by the debugger") }`)
	d.attach()
	code := `func show(n *Node, xs []float64, m map[string]Point, any1 any, c Colour, w time.Duration, f func(int) string, ch chan int, e error) {
	_ = n // stop
}
big := make([]float64, 5000)
show(&Node{"a", &Node{Name: "b"}, Point{1, 2}}, big, map[string]Point{"q": {3, 4}, "p": {5, 6}}, Point{7, 8}, Colour(3), 2*time.Second, nil, make(chan int, 4), nil)`
	d.breakAt(code, "stop")
	done := d.start(code)
	d.wantAt("show:2 cell 2:5")
	vars := map[string]interp.DebugVariable{}
	for _, v := range d.do(interp.DebugRequest{Do: interp.DebugLocals, Frame: 1}).Variables {
		vars[v.Name] = v
	}
	for name, want := range map[string]string{
		"n": "*main.Node = &{Name:\"a\" Next:0x", "m": "map[string]main.Point = map[\"p\":{X:5 Y:6} \"q\":{X:3 Y:4}]",
		"any1": "interface {}(main.Point) = {X:7 Y:8}", "c": "main.Colour = 3", "w": "time.Duration = 2s", "f": "func(int) string = nil",
		"ch": "chan int = chan int (0 of 4)", "e": "error = nil", "xs": "[]float64 = [0 0 0",
	} {
		if v := vars[name]; !strings.HasPrefix(v.Type+" = "+v.Value, want) {
			t.Errorf("%s: %s = %s, want %s", name, v.Type, v.Value, want)
		}
	}
	children := func(v interp.DebugVariable, start, count int) []interp.DebugVariable {
		t.Helper()
		return d.do(interp.DebugRequest{Do: interp.DebugChildren, Ref: v.Ref, Start: start, Count: count}).Variables
	}
	n := children(vars["n"], 0, 0)
	if got := texts(n[2:]); got != "at main.Point = {X:1 Y:2}" {
		t.Errorf("children %q", got)
	}
	next := children(n[1], 0, 0)
	if got := texts(next); got != `Name string = "b"; Next *main.Node = nil; at main.Point = {X:0 Y:0}` {
		t.Errorf("children of children %q", got)
	}
	if got := texts(children(vars["m"], 0, 0)); got != `"p" main.Point = {X:5 Y:6}; "q" main.Point = {X:3 Y:4}` {
		t.Errorf("entries %q", got)
	}
	if got := texts(children(vars["any1"], 0, 0)); got != "X int = 7; Y int = 8" {
		t.Errorf("in the interface %q", got)
	}
	if page := children(vars["xs"], 4998, 10); len(page) != 2 || page[0].Name != "[4998]" {
		t.Errorf("page %v", page)
	}
	if all := children(vars["xs"], 0, 0); len(all) != 1001 || all[1000].Value != "4000 more" {
		t.Errorf("%d elements, the last %v", len(all), all[len(all)-1])
	}
	if vars["xs"].Indexed != 5000 || vars["c"].Ref != 0 {
		t.Errorf("parts of %v and %v", vars["xs"], vars["c"])
	}
	for expr, want := range map[string]string{
		"n.Next.Name + \"!\"": `"b!"`, "len(xs)": "5000", "any1.(Point).X * 2": "14", "m[\"p\"]": "{X:5 Y:6}",
		"xs[0], xs[1] = 1, 2": "", "xs[1]": "2", "nope": "error: undefined: nope", "n.Next.Next.Name": "error: panic: runtime error: invalid memory address or nil pointer dereference",
		"w.Seconds()": "2", "nil": "nil", "1 << 3": "8",
	} {
		if strings.HasPrefix(expr, "xs[0],") {
			continue
		}
		if expr == "xs[1]" {
			d.eval(1, "xs[0], xs[1] = 1, 2")
		}
		if got := d.eval(1, expr); got != want {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
	d.do(interp.DebugRequest{Do: interp.DebugCopy, Frame: 1, Name: "n", Target: "kept"})
	if got := texts(d.do(interp.DebugRequest{Do: interp.DebugGlobals}).Variables); !strings.Contains(got, "kept *main.Node") || !strings.Contains(got, "big []float64 = [1 2 0") {
		t.Errorf("globals %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
	if r := d.end(d.start("kept.Next.Name")); r.Value[display.Text] != "b" {
		t.Errorf("copied %v", r.Value)
	}
}

func TestDebugConditionsAndLogs(t *testing.T) {
	d := newDebugging(t)
	d.attach()
	code := "for i := range 10 {\n\tj := i * i\n\t_ = j\n}"
	d.do(interp.DebugRequest{Do: interp.DebugBreakpoints, Code: code, Breakpoints: []interp.Breakpoint{
		{Line: 2, Log: "i is {i}, twice {i*2}"}, {Line: 3, Condition: "j > 20 && i%2 == 0"}}})
	done := d.start(code)
	d.wantAt("cell 1:3")
	if got := d.locals(1); got != "i int = 6; j int = 36" {
		t.Errorf("locals %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugBreakpoints, Code: code, Breakpoints: []interp.Breakpoint{{Line: 3, Hits: 3}}})
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.wantAt("cell 1:3")
	if got := d.locals(1); got != "i int = 9; j int = 81" {
		t.Errorf("locals %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
	if got := d.sink.err.String(); !strings.HasPrefix(got, "i is 0, twice 0\ni is 1, twice 2\n") || strings.Count(got, "\n") != 7 {
		t.Errorf("logged %q", got)
	}
}

func TestDebugExceptions(t *testing.T) {
	d := newDebugging(t)
	d.run(earlier)
	d.attach()
	d.do(interp.DebugRequest{Do: interp.DebugExceptions, Filters: []string{interp.DebugPanics, interp.DebugErrors}})
	d.run("_ = risky(3)") // recovered: no stop
	done := d.start("f := func(xs []int, i int) int {\n\tk := i + 1\n\treturn xs[k]\n}\nf([]int{1, 2}, 1)")
	e := d.stopped()
	if e.Reason != "exception" || !strings.Contains(e.Text, "index out of range [2] with length 2") {
		t.Errorf("stopped by %v", e)
	}
	if got := d.stack(); got != "cell 3.func1:3 cell 3:5" {
		t.Errorf("at %q", got)
	}
	if got := d.locals(1); got != "xs []int = [1 2]; i int = 1; k int = 2" {
		t.Errorf("locals %q", got)
	}
	if got := d.eval(2, "f([]int{7, 8}, 0)"); got != "8" {
		t.Errorf("called in the frame of the cell: %q", got)
	}
	if got := d.eval(1, "xs[k-1]"); got != "2" {
		t.Errorf("evaluated %q", got)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	if r := <-done; r.Err == nil || r.Err.Name != "RuntimeError" || r.Err.Diagnostics[0].Line != 3 {
		t.Errorf("ended with %v", r.Err)
	}
	done = d.start("import \"os\"\n\nmust(os.Open(\"/there/is/no/such/file\"))")
	if e := d.stopped(); e.Reason != "exception" || e.Line != 3 {
		t.Errorf("stopped by %v", e)
	}
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	if r := <-done; r.Err == nil || r.Err.Name != "Error" {
		t.Errorf("ended with %v", r.Err)
	}
}

func TestDebugInterruptAndDetach(t *testing.T) {
	d := newDebugging(t)
	plain := []string{}
	d.s.lowered = func(s string) { plain = append(plain, s) }
	source := "func g(n int) int {\n\tm := n + 1\n\treturn m\n}\nx := g(1)\nx++"
	d.run(source)
	d.run(source) // now the variables exist
	before := plain[len(plain)-1]
	d.attach()
	d.do(interp.DebugRequest{Do: interp.DebugBreakpoints, Code: source, Breakpoints: []interp.Breakpoint{{Line: 2}}})
	done := d.start(source)
	d.wantAt("g:2 cell 3:5")
	if after := plain[len(plain)-1]; !strings.Contains(after, "x.B") {
		t.Errorf("no steps in\n%s", after)
	}
	d.s.Interrupt()
	if r := <-done; r.Err == nil || r.Err.Name != "Interrupted" {
		t.Fatalf("ended with %v", r.Err)
	}
	done = d.start(source)
	d.wantAt("g:2 cell 4:5")
	d.do(interp.DebugRequest{Do: interp.DebugDetach})
	d.end(done)
	if _, err := d.s.Debug(context.Background(), interp.DebugRequest{Do: interp.DebugGlobals}); err == nil {
		t.Error("answers while it is not attached")
	}
	d.run(source)
	if after := plain[len(plain)-1]; unnumbered(after) != unnumbered(before) {
		t.Errorf("lowered to\n%s\nbefore the debugger to\n%s", after, before)
	}
}

// unnumbered takes the numbers out of lowered code, which count through a
// session.
func unnumbered(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

func TestDebugGoroutinesAndPause(t *testing.T) {
	d := newDebugging(t)
	d.attach()
	code := "import \"sync\"\nvar wg sync.WaitGroup\nfor i := range 3 {\n\twg.Add(1)\n\tgo func() {\n\t\tdefer wg.Done()\n\t\t_ = i // stop\n\t}()\n}\nwg.Wait()"
	d.breakAt(code, "stop")
	done := d.start(code)
	seen := map[string]bool{}
	for range 3 {
		e := d.stopped()
		seen[d.locals(1+0*len(d.stack()))] = true
		if e.Thread == 1 {
			t.Errorf("stopped in %v", e)
		}
		d.do(interp.DebugRequest{Do: interp.DebugContinue, Thread: 1})
	}
	d.end(done)
	if len(seen) != 3 {
		t.Errorf("saw %v", seen)
	}
	done = d.start("for n := 0; ; n++ {\n\tif n < 0 {\n\t\tbreak\n\t}\n}")
	time.Sleep(20 * time.Millisecond)
	d.do(interp.DebugRequest{Do: interp.DebugPause})
	if e := d.stopped(); e.Reason != "pause" || e.Thread != 1 {
		t.Errorf("stopped by %v", e)
	}
	d.stack()
	d.eval(1, "n = -2")
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
}

func TestDebugOldValuesReachNewCode(t *testing.T) {
	d := newDebugging(t)
	d.run(earlier)
	d.run("twice := func(n int) int { return double(n) }\nvar _ = twice(1) + shape.Area()")
	d.attach()
	d.breakAt(earlier, "// function", "// method")
	done := d.start("twice(5)")
	d.wantAt("double:13 cell 3:1")
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
	done = d.start("shape.Area()") // the type is not mentioned
	d.wantAt("(main.Square).Area:8 cell 4:1")
	d.do(interp.DebugRequest{Do: interp.DebugContinue})
	d.end(done)
	d.run("func double(x int) int { return 3 * x }")
	if r := d.end(d.start("twice(5)")); r.Value[display.Text] != "15" {
		t.Errorf("the function declared anew gives %v", r.Value)
	}
	d.do(interp.DebugRequest{Do: interp.DebugDetach})
	if r := d.end(d.start("twice(5) + shape.Area()")); r.Value[display.Text] != "24" {
		t.Errorf("without the debugger %v", r.Value)
	}
}

// What a cell prints, its value and its error are those without a debugger.
func TestDebugChangesNothing(t *testing.T) {
	for _, code := range []string{
		"for i := range 3 { defer func() { println(i) }() }\nlabel: for i := 0; ; i++ { switch { case i > 4: break label; case i%2 == 0: continue label }; println(i) }",
		"func f(n int) (r int, err error) { defer func() { if v := recover(); v != nil { r, err = -1, v.(error) } }(); return 10 / n, nil }\nf(0)",
		"type T[K comparable] struct{ m map[K][]int }\nfunc (t *T[K]) add(k K, v int) *T[K] { t.m[k] = append(t.m[k], v); return t }\nt := (&T[string]{map[string][]int{}}).add(\"a\", 1).add(\"a\", 2)\nt.m",
		"func seq(n int) func(func(int) bool) { return func(y func(int) bool) { for i := range n { if !y(i) { return } } } }\nsum := 0\nfor v := range seq(10) { if v == 7 { break }; sum += v }\nsum",
		"var xs []int\nfor _, f := range []func(){ func() { xs = append(xs, 1) }, func() { xs = append(xs, xs[0]+1) } } { f() }\nch := make(chan int)\ngo func() { for _, x := range xs { ch <- x }; close(ch) }()\nfor x := range ch { println(x) }\nselect { case v, ok := <-ch: println(v, ok); default: println(\"none\") }",
		"func g(x float64, a [2]float64, s ...string) float64 { if x < 0 { return a[1] }; goto out\nout:\n\treturn -x }\ng(0, [2]float64{1, 2}), g(-1, [2]float64{1, 2}, \"a\", \"b\")",
		"var e any = 3\nswitch v := e.(type) { case string: println(v); case int, int8: println(\"int\"); fallthroughs: for { break fallthroughs } }\nvar p *struct{ X int }\np.X",
		"import \"sort\"\nxs := []int{3, 1, 2}\nsort.Slice(xs, func(i, j int) bool { return xs[i] < xs[j] })\nxs",
	} {
		plain, debugged := newTestSession(t), newTestSession(t)
		if _, err := debugged.Debug(context.Background(), interp.DebugRequest{Do: interp.DebugAttach}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			out, r := cellOut(plain, code)
			out2, r2 := cellOut(debugged, code)
			if out != out2 || fmt.Sprint(r.Value) != fmt.Sprint(r2.Value) || fmt.Sprint(r.Err) != fmt.Sprint(r2.Err) {
				t.Errorf("%s\n%q %v %v\nwith the debugger\n%q %v %v", code, out, r.Value, r.Err, out2, r2.Value, r2.Err)
			}
			if r.Err != nil && r2.Err != nil && strings.Join(r.Err.Traceback, "\n") != strings.Join(r2.Err.Traceback, "\n") {
				t.Errorf("%s\n%q\nwith the debugger\n%q", code, r.Err.Traceback, r2.Err.Traceback)
			}
		}
	}
}
