package session

import (
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/traefik/yaegi/interp"

	"trafficgpt/interp/lower"
	"trafficgpt/interp/rt"
)

// executor runs lowered code. yaegi is the one executor; the seam is kept
// narrow so that another may be put beside it.
type executor interface {
	// load makes the functions and variables of a chunk known and returns its
	// entry.
	load(c *lower.Chunk) (entry func(), err error)
	// global returns the address of a variable of a loaded chunk.
	global(name string) reflect.Value
	// halt makes all running code return at its next step, until release.
	halt()
	release()
	// passed tells of the panic that has passed through the frames of this
	// goroutine: where it began, the functions it left, innermost first, and
	// the call that the cell itself was at. It forgets them.
	passed() passage
	// forget drops what is known of the panics of all goroutines.
	forget()
}

// yaegi executes chunks with one interpreter for the whole session.
type yaegi struct {
	i       *interp.Interpreter
	globals map[string]reflect.Value
	entry   func()
	trace   trace
	halted  bool
	mu      sync.Mutex
}

// passage is the way of a panic through lowered functions.
type passage struct {
	cell  int // the call that the cell was at
	steps []left
}

// left is one function that a panic has left; innermost ones come first.
type left struct {
	name string // lowered
	pos  int    // recorded last by then
}

// pos is where the panic began.
func (p passage) pos() int {
	if len(p.steps) == 0 {
		return 0
	}
	return p.steps[0].pos
}

// trace collects what yaegi prints while a panic passes through its frames, by
// goroutine.
type trace struct {
	mu   sync.Mutex
	line func() (pos, cell int)
	// setLine records a position.
	setLine func(pos int)
	by      map[uintptr]*passage
}

// deepest is how many functions of a panic are kept.
const deepest = 1000

func (t *trace) Write(p []byte) (int, error) {
	if _, rest, ok := strings.Cut(string(p), "panic: "); ok {
		name, _, _ := strings.Cut(rest, "(")
		t.Left(strings.TrimPrefix(name, "main."))
	}
	return len(p), nil
}

// Left adds a lowered function that a panic has left.
func (t *trace) Left(name string) {
	id := rt.Goroutine()
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.by[id]
	if g == nil {
		g = &passage{}
		t.by[id] = g
	}
	if len(g.steps) < deepest {
		pos, cell := t.line()
		g.steps, g.cell = append(g.steps, left{name, pos}), cell
	}
}

// aside is a panic while a deferred call runs, and the position recorded last.
type aside struct {
	*passage
	pos int
}

// Mark begins a new panic on this goroutine, one in a deferred call, while the
// old one is kept aside.
func (t *trace) Mark() any {
	id := rt.Goroutine()
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.by[id]
	delete(t.by, id)
	pos, _ := t.line()
	return aside{old, pos}
}

// Back takes up the panic that Mark laid aside.
func (t *trace) Back(mark any) {
	id := rt.Goroutine()
	t.mu.Lock()
	defer t.mu.Unlock()
	old := mark.(aside)
	t.setLine(old.pos)
	if old.passage != nil {
		t.by[id] = old.passage
	} else {
		delete(t.by, id)
	}
}

func (t *trace) take() passage {
	id := rt.Goroutine()
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.by[id]
	delete(t.by, id)
	if g == nil {
		return passage{}
	}
	return *g
}

// goroutine is the number of the running goroutine, which costs a walk over its
// stack.
func goroutine() string {
	var buf [40]byte
	text := string(buf[:runtime.Stack(buf[:], false)])
	id, _, _ := strings.Cut(strings.TrimPrefix(text, "goroutine "), " ")
	return id
}

func newYaegi(w *rt.World, out io.Writer) (*yaegi, error) {
	y := &yaegi{globals: map[string]reflect.Value{}}
	y.trace = trace{by: map[uintptr]*passage{}, line: func() (int, int) {
		return int(y.globals["LN"].Elem().Int()), int(y.globals["LC"].Elem().Int())
	}, setLine: func(pos int) { y.globals["LN"].Elem().SetInt(int64(pos)) }}
	w.Control.Trace = &y.trace
	y.i = interp.New(interp.Options{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &y.trace, Args: []string{"cell"}})
	if err := y.i.Use(interp.Exports{"x/x": y.builtins(w, out)}); err != nil {
		return nil, err
	}
	y.i.ImportUsed()
	_, err := y.i.Eval("package main\nvar LN, LC int\nfunc init() { x.RegG(\"LN\", &LN); x.RegG(\"LC\", &LC) }\n")
	return y, err
}

func (y *yaegi) builtins(w *rt.World, out io.Writer) map[string]reflect.Value {
	v := reflect.ValueOf
	return map[string]reflect.Value{
		"Frame": v((*rt.Frame)(nil)), "MapIter": v((*rt.MapIter)(nil)), "StringIter": v((*rt.StringIter)(nil)),
		"NoFrame": v(new(rt.Frame)),
		"RegG":    v(func(name string, p any) { y.globals[name] = v(p) }),
		"RegM":    v(func(d *rt.Desc, name string, fn any) { d.SetMethod(name, v(fn)) }),
		"Entry":   v(func(f func()) { y.entry = f }),
		"Run":     v(w.Run), "Go": v(w.Go), "Send": v(w.Send), "Select": v(w.Select),
		"MakeSend": v(func(ch, x any) any { return rt.SelectSend{Ch: ch, V: x} }),
		"Box":      v(func(d *rt.Desc, x any) any { return d.Box(x) }),
		"Index":    v(rt.Index), "IndexU": v(rt.IndexU), "Nil": v(rt.Nil), "Zero": v(rt.Zero), "NegShift": v(rt.NegShift),
		"MakeLen": v(rt.MakeLen), "MakeCap": v(rt.MakeCap), "SliceFault": v(rt.SliceFault), "WrapNil": v(rt.WrapNil),
		"SameChan": v(rt.SameChan), "Words": v(rt.Words), "Hashable": v(rt.Hashable),
		"Panic":         v(func(x any) { panic(x) }),
		"NewMapIter":    v(rt.NewMapIter),
		"NewStringIter": v(rt.NewStringIter),
		"Equal":         v(rt.Equal), "Clear": v(rt.Clear),
		"Print":       v(func(ln bool, args ...any) { rt.Print(out, ln, args...) }),
		"Close":       v(func(ch any) { v(ch).Close() }),
		"RecoverCall": v(rt.RecoverCall),
		"PrintCall":   v(func(ln bool, args ...any) func() { return func() { rt.Print(out, ln, args...) } }),
		"CloseCall":   v(func(ch any) func() { return func() { v(ch).Close() } }),
		"DeleteCall":  v(func(m, k any) func() { return func() { v(m).SetMapIndex(v(k), reflect.Value{}) } }),
		"ClearCall":   v(func(m any) func() { return func() { rt.Clear(m) } }),
		"PanicCall":   v(func(x any) func() { return func() { panic(x) } }),
		"CopyCall":    v(func(a, b any) func() { return func() { reflect.Copy(v(a), v(b)) } }),
	}
}

func (y *yaegi) load(c *lower.Chunk) (entry func(), err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal: the executor failed to compile the cell: %v", r)
		}
	}()
	if err := y.i.Use(interp.Exports{"x/x": c.Symbols}); err != nil {
		return nil, err
	}
	y.entry = nil
	if _, err := y.i.Eval(c.Source + "\nfunc init() { x.Entry(" + c.Entry + ") }\n"); err != nil {
		return nil, fmt.Errorf("internal: the executor failed to compile the cell: %w", err)
	}
	return y.entry, nil
}

func (y *yaegi) global(name string) reflect.Value { return y.globals[name] }

func (y *yaegi) passed() passage { return y.trace.take() }

func (y *yaegi) forget() {
	y.trace.mu.Lock()
	defer y.trace.mu.Unlock()
	clear(y.trace.by)
}

// runID is yaegi's counter of runs, the first field of an Interpreter: code
// runs only while it equals the number its frame was made with. Raising it
// stops all code; lowering it again lets closures made before run on, which
// yaegi's own cancellation would leave dead.
func (y *yaegi) runID() *uint64 { return (*uint64)(unsafe.Pointer(y.i)) }

func (y *yaegi) halt() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.halted {
		y.halted = true
		atomic.AddUint64(y.runID(), 1)
	}
}

func (y *yaegi) release() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.halted {
		y.halted = false
		atomic.AddUint64(y.runID(), ^uint64(0))
	}
}
