package session

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"reflect"
	"slices"
	"strings"

	"trafficgpt/interp"
	"trafficgpt/interp/lower"
	"trafficgpt/interp/rt"
)

// OnDebug sets who hears of stops.
func (s *Session) OnDebug(f func(interp.DebugEvent)) {
	s.debug.emit.Lock()
	defer s.debug.emit.Unlock()
	s.debug.events = f
}

// Debug answers a request of a debugger; it may be called while a cell runs.
func (s *Session) Debug(ctx context.Context, r interp.DebugRequest) (interp.DebugReply, error) {
	d := s.debug
	if r.Do != interp.DebugAttach && !d.attached.Load() {
		return interp.DebugReply{}, interp.ErrNotAttached
	}
	switch r.Do {
	case interp.DebugAttach:
		d.attach()
	case interp.DebugDetach:
		d.detach()
	case interp.DebugBreakpoints:
		return interp.DebugReply{Breakpoints: d.setBreakpoints(r.Code, r.Breakpoints)}, nil
	case interp.DebugExceptions:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.filters = map[string]bool{}
		for _, f := range r.Filters {
			d.filters[f] = true
		}
	case interp.DebugThreads:
		return interp.DebugReply{Threads: d.list()}, nil
	case interp.DebugFrames:
		return d.calls(r.Thread)
	case interp.DebugLocals:
		return d.locals(r.Frame)
	case interp.DebugGlobals:
		return d.globals()
	case interp.DebugChildren:
		return d.children(r)
	case interp.DebugEvaluate:
		return d.evaluate(ctx, r.Frame, r.Code)
	case interp.DebugCopy:
		return interp.DebugReply{}, d.copy(r.Frame, r.Name, r.Target)
	case interp.DebugContinue, interp.DebugNext, interp.DebugStepIn, interp.DebugStepOut:
		return d.goOn(r)
	case interp.DebugPause:
		d.pausing.Store(true)
	default:
		return interp.DebugReply{}, fmt.Errorf("unknown request %q", r.Do)
	}
	return interp.DebugReply{}, nil
}

func (d *debugger) attach() {
	if d.attached.Swap(true) {
		return
	}
	d.mu.Lock()
	d.breaks, d.filters = map[string][]*breakpoint{}, map[string]bool{}
	d.mu.Unlock()
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.s.lowerer.SetDebug(d.code)
}

func (d *debugger) detach() {
	d.attached.Store(false)
	d.pausing.Store(false)
	d.mu.Lock()
	d.breaks, d.filters = nil, nil
	for _, p := range *d.points.Load() {
		p.stop.Store(nil)
	}
	if d.stopped != nil {
		d.stopped.wake(interp.DebugContinue)
	}
	d.goroutines = map[string]*debugged{}
	d.mu.Unlock()
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.s.lowerer.SetDebug(nil)
}

// reset follows a session that starts anew; breakpoints stay.
func (d *debugger) reset() {
	d.forget()
	if d.attached.Load() {
		d.s.lowerer.SetDebug(d.code)
	}
}

// setBreakpoints replaces the breakpoints of a text.
func (d *debugger) setBreakpoints(code string, wanted []interp.Breakpoint) []interp.Breakpoint {
	lines, err := statementLines(code)
	out := make([]interp.Breakpoint, len(wanted))
	var set []*breakpoint
	for i, b := range wanted {
		switch line := lines.near(b.Line); {
		case err != nil:
			b.Why = err.Error()
		case line == 0:
			b.Why = "there is no statement in or below this line"
		default:
			b.Line = line
			set = append(set, &breakpoint{Breakpoint: b})
		}
		out[i] = b
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.breaks == nil {
		return out
	}
	if d.breaks[code] = set; len(set) == 0 {
		delete(d.breaks, code)
	}
	for _, p := range *d.points.Load() {
		if p.code == code {
			d.arm(p)
		}
	}
	return out
}

// lineSpans are the first and last lines of statements.
type lineSpans map[int]int

// near is the line where a breakpoint asked for in a line comes to lie: that of
// the statement that begins there or goes on there, or of the next one; 0 if
// there is none.
func (l lineSpans) near(line int) int {
	next, within := 0, 0
	for first, last := range l {
		if first == line {
			return line
		}
		if first < line && line <= last && first > within {
			within = first
		}
		if first > line && (next == 0 || first < next) {
			next = first
		}
	}
	if within != 0 {
		return within
	}
	return next
}

// list gives the goroutines that are known.
func (d *debugger) list() []interp.DebugThread {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []interp.DebugThread{{ID: 1, Name: "cell"}}
	for _, g := range d.goroutines {
		switch {
		case g.quiet:
		case g.thread == 1:
			out[0].Stopped = g == d.stopped
		default:
			out = append(out, interp.DebugThread{ID: g.thread, Name: fmt.Sprintf("goroutine %d", g.thread), Stopped: g == d.stopped})
		}
	}
	slices.SortFunc(out, func(a, b interp.DebugThread) int { return a.ID - b.ID })
	return out
}

// wake lets a goroutine go on. The caller holds debugger.mu.
func (g *debugged) wake(how interp.DebugAction) {
	select {
	case g.resume <- how:
	default: // it was told already
	}
}

func (d *debugger) goOn(r interp.DebugRequest) (interp.DebugReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped == nil {
		return interp.DebugReply{}, errNothingStopped
	}
	// Front ends that know one thread only mean whatever has stopped.
	d.stopped.wake(r.Do)
	return interp.DebugReply{Thread: d.stopped.thread}, nil
}

var (
	errNothingStopped = errors.New("nothing is stopped")
	errRuns           = errors.New("a cell runs and is not stopped")
)

// calls lists the calls of the stopped goroutine.
func (d *debugger) calls(thread int) (interp.DebugReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.stopped
	if g == nil {
		return interp.DebugReply{}, errNothingStopped
	}
	if thread > 1 && thread != g.thread {
		return interp.DebugReply{}, fmt.Errorf("thread %d is not stopped", thread)
	}
	if len(d.frames) == 0 {
		for f := g.top; f != nil; f = f.caller {
			if f.at != nil {
				d.frames = append(d.frames, f)
			}
		}
	}
	var r interp.DebugReply
	for i, f := range d.frames {
		r.Frames = append(r.Frames, interp.DebugFrame{ID: i + 1, Name: f.name(d.s.world), Cell: f.at.cell, Code: f.at.code, Line: f.at.line, Column: f.at.col})
	}
	return r, nil
}

func (f *frame) name(w *rt.World) string {
	if _, _, ok := strings.Cut(f.fn.Name(), "·"); ok && f.fn.Parent() == nil {
		return fmt.Sprintf("cell %d", f.at.cell)
	}
	name := w.FuncName(f.fn.Name(), f.fn.Signature)
	if p := f.fn.Parent(); p != nil {
		outer := &frame{fn: p, at: f.at}
		_, part, _ := strings.Cut(f.fn.Name(), "$")
		name = outer.name(w) + ".func" + part
	}
	return name
}

// frame returns a call by its number. The caller holds debugger.mu.
func (d *debugger) frame(id int) (*frame, error) {
	if d.stopped == nil {
		return nil, errNothingStopped
	}
	if id < 1 || id > len(d.frames) {
		return nil, fmt.Errorf("there is no frame %d", id)
	}
	return d.frames[id-1], nil
}

// variables are the nodes of what is in scope in a call.
func (f *frame) variables() []node {
	out := make([]node, 0, len(f.vars))
	for i, a := range f.vars {
		v := f.at.Vars[i]
		p := reflect.ValueOf(a)
		if v.Copied {
			kept := reflect.New(f.g.types.Type(v.Type)).Elem()
			if p.IsValid() && p.Type() == kept.Type() {
				kept.Set(p)
			}
			out = append(out, node{f.g.types, v.Name, v.Type, kept})
		} else if p.Kind() == reflect.Pointer && !p.IsNil() {
			out = append(out, node{f.g.types, v.Name, v.Type, p.Elem()})
		}
	}
	return out
}

func (d *debugger) locals(id int) (interp.DebugReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.frame(id)
	if err != nil {
		return interp.DebugReply{}, err
	}
	return d.show(f.variables()), nil
}

// globals lists the variables of the session. Between cells, what was listed
// before is forgotten.
func (d *debugger) globals() (interp.DebugReply, error) {
	nodes := d.s.variables()
	done, ok := d.still()
	if !ok {
		var r interp.DebugReply
		for _, n := range nodes {
			r.Variables = append(r.Variables, interp.DebugVariable{Name: n.name, Type: d.s.world.TypeString(n.t), Value: "(a cell runs)"})
		}
		return r, nil
	}
	defer done()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped == nil {
		d.refs = nil
	}
	return d.show(nodes), nil
}

// variables are the nodes of the session's variables.
func (s *Session) variables() []node {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []node
	for _, name := range slices.Sorted(maps.Keys(s.live)) {
		v, ok := s.live[name].obj.(*types.Var)
		if !ok {
			continue
		}
		g := s.globalOf(v)
		if g == nil {
			continue
		}
		if p := s.exec.global(s.lowerer.GlobalName(g)); p.IsValid() {
			out = append(out, node{s.world, name, v.Type(), p.Elem()})
		}
	}
	return out
}

func (d *debugger) children(r interp.DebugRequest) (interp.DebugReply, error) {
	done, ok := d.still()
	if !ok {
		return interp.DebugReply{}, errRuns
	}
	defer done()
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Ref < 1 || r.Ref > len(d.refs) {
		return interp.DebugReply{}, fmt.Errorf("there is no variable %d", r.Ref)
	}
	n := d.refs[r.Ref-1]
	reply := d.show(n.children(r.Start, r.Count))
	named, indexed := n.parts()
	if rest := named + indexed - len(reply.Variables); r.Count <= 0 && rest > 0 {
		reply.Variables = append(reply.Variables, interp.DebugVariable{Name: "…", Value: fmt.Sprintf("%d more", rest)})
	}
	return reply, nil
}

// show describes nodes. The caller holds debugger.mu.
func (d *debugger) show(nodes []node) interp.DebugReply {
	r := interp.DebugReply{Variables: make([]interp.DebugVariable, len(nodes))}
	for i, n := range nodes {
		v := interp.DebugVariable{Name: n.name, Value: n.text(), Type: n.typeName()}
		if v.Named, v.Indexed = n.parts(); v.Named+v.Indexed > 0 {
			d.refs = append(d.refs, n)
			v.Ref = len(d.refs)
		}
		r.Variables[i] = v
	}
	return r
}

// statementLines finds where a cell can stop.
func statementLines(code string) (lineSpans, error) {
	fset := token.NewFileSet()
	pc, err := split(fset, "cell", code, "cell·")
	if err != nil {
		return nil, err
	}
	lines := lineSpans{}
	add := func(s ast.Stmt, part bool) {
		first, last := fset.Position(s.Pos()).Line, fset.Position(s.End()).Line
		switch s.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
			last = first
		}
		if !part {
			lines[first] = max(last, lines[first])
		}
	}
	for _, f := range []*ast.File{pc.decls, pc.stmts} {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.FuncDecl, *ast.FuncLit:
				lower.Statements(n, add)
			}
			return true
		})
	}
	return lines, nil
}
