package session

import (
	"fmt"
	"go/token"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp"
	"trafficgpt/interp/lower"
	"trafficgpt/interp/rt"
)

// debugger stops the goroutines of a session. Lowered code calls enter, step
// and leave while it is attached.
type debugger struct {
	s      *Session
	code   *lower.Debug
	events func(interp.DebugEvent)
	emit   sync.Mutex // keeps events in order

	attached atomic.Bool
	pausing  atomic.Bool
	points   atomic.Pointer[[]*point]
	last     atomic.Pointer[debugged] // that began a call
	turn     chan struct{}            // holds one token: one goroutine is shown as stopped

	mu         sync.Mutex
	goroutines map[string]*debugged
	threads    int // the last number given
	breaks     map[string][]*breakpoint
	filters    map[string]bool
	stopped    *debugged
	refs       []node   // what Ref 1, 2, … stand for
	frames     []*frame // what Frame 1, 2, … stand for
	conditions map[conditionKey]*condition
	evals      int // guarded by Session.mu
}

// point is a statement that goroutines may stop at.
type point struct {
	lower.Point
	fn    *ssa.Function
	code  string // of its cell
	cell  int
	line  int
	col   int
	first bool // of the statements that its function has on the line
	stop  atomic.Pointer[breakpoint]
}

type breakpoint struct {
	interp.Breakpoint
	passed atomic.Int64
}

// frame is a call of a function of a cell.
type frame struct {
	g      *debugged
	caller *frame
	depth  int
	sp     uintptr // where its stack was
	fn     *ssa.Function
	at     *point
	vars   []any // the addresses of at.Vars
}

// debugged is a goroutine that runs code of cells. All but the fields that
// debugger.mu guards is its own.
type debugged struct {
	id     string // as goroutine names it
	thread int
	types  *rt.World
	quiet  bool // evaluates for the user: stops nowhere
	top    *frame
	deep   atomic.Uintptr // top's sp, if it is deep down in a recursion

	mode   interp.DebugAction // how it was told to go on
	origin *frame             // where it was told so
	from   *point

	resume chan interp.DebugAction // guarded by debugger.mu; set while it is stopped
}

func newDebugger(s *Session) *debugger {
	d := &debugger{s: s, turn: make(chan struct{}, 1)}
	d.forget()
	return d
}

// forget drops what belongs to code that is gone.
func (d *debugger) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.code = &lower.Debug{Enter: d.enter, Step: d.step, Leave: d.leave}
	d.points.Store(new([]*point))
	d.goroutines = map[string]*debugged{}
	d.conditions = map[conditionKey]*condition{}
	d.refs, d.frames, d.threads = nil, nil, 1
}

// current returns this goroutine.
func (d *debugger) current() *debugged {
	id := goroutine()
	d.mu.Lock()
	g := d.goroutines[id]
	if g == nil {
		d.threads++
		g = &debugged{id: id, thread: d.threads, types: d.s.world}
		d.goroutines[id] = g
	}
	d.mu.Unlock()
	return g
}

// begin makes this goroutine the cell's own or, if quiet, one that stops
// nowhere. The function it returns ends that.
func (d *debugger) begin(quiet bool) (end func()) {
	if !d.attached.Load() {
		return func() {}
	}
	g := &debugged{id: goroutine(), thread: 1, types: d.s.world, quiet: quiet}
	d.mu.Lock()
	d.goroutines[g.id] = g
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		delete(d.goroutines, g.id)
		d.mu.Unlock()
	}
}

// enter begins a call.
func (d *debugger) enter(function int) *frame {
	f := &frame{}
	if !d.attached.Load() {
		return f
	}
	var here byte
	f.sp = uintptr(unsafe.Pointer(&here))
	if g := d.last.Load(); g != nil && g.above(f.sp) {
		f.g = g
	} else {
		f.g = d.current()
		d.last.Store(f.g)
	}
	f.caller = f.g.top
	if f.caller != nil {
		f.depth = f.caller.depth + 1
	}
	f.g.setTop(f)
	return f
}

// The runtime names a goroutine only after it has walked all of its stack,
// which a deep recursion cannot pay for at each call. Such a goroutine is known
// by its stack, which goes on shortly below.
const (
	deepCalls = 64
	shortly   = 32 << 10
)

func (g *debugged) setTop(f *frame) {
	g.top = f
	if f == nil || f.depth < deepCalls {
		g.deep.Store(0)
		return
	}
	g.deep.Store(f.sp)
}

// above reports whether a place is on the stack of g, below its innermost call.
func (g *debugged) above(sp uintptr) bool {
	deep := g.deep.Load()
	return deep > sp && deep-sp < shortly
}

// leave ends a call.
func (d *debugger) leave(f *frame) {
	if f.g == nil {
		return
	}
	f.g.setTop(f.caller)
	if f.caller != nil {
		return
	}
	d.gone(f.g)
}

// gone forgets a goroutine; what begin made known is known until its end.
func (d *debugger) gone(g *debugged) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.thread != 1 && !g.quiet {
		delete(d.goroutines, g.id)
	}
}

// still makes sure that no cell changes variables while they are looked at: one
// is stopped, or none runs until the function that it returns is called.
func (d *debugger) still() (done func(), ok bool) {
	d.mu.Lock()
	stopped := d.stopped != nil
	d.mu.Unlock()
	if stopped {
		return func() {}, true
	}
	if !d.s.run.TryLock() {
		return nil, false
	}
	return d.s.run.Unlock, true
}

// step says that a statement is about to run.
func (d *debugger) step(f *frame, id int, vars ...any) {
	g := f.g
	if g == nil || g.quiet || !d.attached.Load() {
		return
	}
	p := (*d.points.Load())[id]
	again := p.Loop && f.at != nil && f.at.Stmt == p.Stmt
	f.at, f.fn, f.vars = p, p.fn, vars
	g.setTop(f) // what was above f has panicked
	if again {
		return
	}
	reason, b := "", p.stop.Load()
	switch {
	case g.arrived(f, p):
		reason = "step"
	case d.pausing.Load():
		reason = "pause"
	case b != nil && d.hits(f, b):
		reason = "breakpoint"
	}
	if reason != "" {
		d.pausing.Store(false)
		d.stop(g, interp.DebugEvent{Kind: interp.DebugStopped, Reason: reason, Line: p.line})
	}
}

// arrived reports whether a goroutine has come to where it was told to go.
func (g *debugged) arrived(f *frame, p *point) bool {
	switch g.mode {
	case interp.DebugNext:
		if f.depth > g.origin.depth {
			return false
		}
	case interp.DebugStepOut:
		return f.depth < g.origin.depth
	case interp.DebugStepIn:
	default:
		return false
	}
	// Other statements of the line belong to it.
	return f != g.origin || p.line != g.from.line || p.Stmt == g.from.Stmt
}

// hits reports whether a breakpoint stops the call that came to it.
func (d *debugger) hits(f *frame, b *breakpoint) bool {
	if b.Condition != "" {
		yes, err := d.holds(f, b.Condition)
		if err != nil {
			d.say(fmt.Sprintf("breakpoint in line %d: %v\n", f.at.line, err))
			return true
		}
		if !yes {
			return false
		}
	}
	if n := b.passed.Add(1); int(n) < b.Hits {
		return false
	}
	if b.Log != "" {
		d.say(d.logText(f, b.Log) + "\n")
		return false
	}
	return true
}

func (d *debugger) say(text string) {
	if sink := d.s.out.get(); sink != nil {
		sink.Stderr([]byte(text))
	}
}

// stop holds a goroutine until it is told to go on. It panics when the cell is
// interrupted meanwhile.
func (d *debugger) stop(g *debugged, e interp.DebugEvent) {
	done := d.s.world.Control.Done()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-done:
		panic(rt.ErrInterrupted)
	}
	if !d.attached.Load() {
		return
	}
	e.Thread = g.thread
	resume := make(chan interp.DebugAction, 1)
	d.mu.Lock()
	g.resume, d.stopped = resume, g
	d.refs, d.frames = nil, nil
	d.mu.Unlock()
	d.tell(e)
	var how interp.DebugAction
	interrupted := false
	select {
	case how = <-resume:
	case <-done:
		interrupted = true
	}
	d.mu.Lock()
	g.resume, d.stopped = nil, nil
	d.refs, d.frames = nil, nil
	d.mu.Unlock()
	d.tell(interp.DebugEvent{Kind: interp.DebugContinued, Thread: g.thread})
	if interrupted {
		panic(rt.ErrInterrupted)
	}
	g.mode, g.origin = how, g.top
	if g.top != nil {
		g.from = g.top.at
	}
}

func (d *debugger) tell(e interp.DebugEvent) {
	d.emit.Lock()
	defer d.emit.Unlock()
	if d.events != nil {
		d.events(e)
	}
}

// uncaught stops a goroutine that a panic is about to end; its calls are as
// they were left.
func (d *debugger) uncaught(v any) {
	if v == nil || !d.attached.Load() || v == error(rt.ErrInterrupted) {
		return
	}
	g := d.current()
	defer d.gone(g)
	filter := interp.DebugPanics
	v = rt.MapPanic(v)
	text := ""
	switch x := v.(type) {
	case goexit, rt.Exit, rt.Refusal:
		return
	case mustFailure:
		filter, text = interp.DebugErrors, x.err.Error()
	default:
		text = rt.PanicText(v)
	}
	d.mu.Lock()
	wanted := d.filters[filter]
	d.mu.Unlock()
	if !wanted || g.quiet || g.top == nil || g.top.at == nil {
		return
	}
	defer func() { _ = recover() }() // interrupted: the panic ends the cell all the same
	d.stop(g, interp.DebugEvent{Kind: interp.DebugStopped, Reason: "exception", Text: text, Line: g.top.at.line})
}

// sync takes over the points of code that has just been lowered.
func (d *debugger) sync() {
	old := *d.points.Load()
	if len(old) == len(d.code.Points) {
		return
	}
	all := old[:len(old):len(old)]
	for _, lp := range d.code.Points[len(old):] {
		p := &point{Point: lp, fn: d.code.Functions[lp.Function]}
		at := d.s.fset.Position(lp.Pos)
		p.line, p.col = at.Line, at.Column
		fmt.Sscanf(at.Filename, "cell %d", &p.cell)
		p.code = d.s.sources[d.s.fset.File(lp.Pos)]
		all = append(all, p)
	}
	d.mark(all[len(old):])
	d.mu.Lock()
	for _, p := range all[len(old):] {
		d.arm(p)
	}
	d.mu.Unlock()
	d.points.Store(&all)
}

// mark finds the first statement of each line.
func (d *debugger) mark(points []*point) {
	type place struct {
		fn   *ssa.Function
		line int
	}
	first := map[place]token.Pos{}
	for _, p := range points {
		k := place{p.fn, p.line}
		if at, ok := first[k]; !ok || p.Pos < at {
			first[k] = p.Pos
		}
	}
	for _, p := range points {
		p.first = first[place{p.fn, p.line}] == p.Pos
	}
}

// arm gives a point its breakpoint, if it has one.
func (d *debugger) arm(p *point) {
	p.stop.Store(nil)
	if !p.first {
		return
	}
	for _, b := range d.breaks[p.code] {
		if b.Line == p.line {
			p.stop.Store(b)
		}
	}
}
