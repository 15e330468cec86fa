package lower

import (
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// oneDefer is a function's only defer, of a call that cannot recover: it needs
// no compiled frame. The function makes the call itself where it returns, and
// yaegi's own defer, which passes what it is given by reference and cannot hide
// the type of a panic then, makes it when the function does not come so far.
//
// yaegi holds the lock of a frame while it runs its defers, and closures take
// the lock of the frame they were made in. Such a function makes none therefore
// but the deferred one, which is printed as a function of its own.
type oneDefer struct {
	in    *ssa.Defer
	armed string   // the variable that is 1 while the call is due
	call  string   // the call as a function makes it
	body  string   // the function that has the deferred closure's body, "" for other calls
	args  []string // the variables that hold what it refers to
	types []reflect.Type
}

// findOneDefer returns the defer of fn if it can do without a frame.
func findOneDefer(fn *ssa.Function, loop map[*ssa.BasicBlock]bool) *ssa.Defer {
	var found *ssa.Defer
	var made []*ssa.MakeClosure
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if holdsFunction(in) {
				return nil
			}
			switch in := in.(type) {
			case *ssa.MakeClosure:
				made = append(made, in)
			case *ssa.Defer:
				if found != nil || loop[b] {
					return nil
				}
				found = in
			}
		}
	}
	if found == nil || recovers(fn) || !ownStack(found) {
		return nil
	}
	c := found.Common()
	if c.IsInvoke() {
		return nil
	}
	switch v := c.Value.(type) {
	case *ssa.Function:
		if len(made) > 0 || v.Blocks != nil && recovers(v) {
			return nil
		}
	case *ssa.MakeClosure:
		if len(made) != 1 || made[0] != v || len(uses(v)) != 1 || len(c.Args) > 0 || recovers(v.Fn.(*ssa.Function)) {
			return nil
		}
		for _, b := range v.Bindings {
			if !isPointer(b.Type()) || isDeferStack(b.Type()) {
				return nil
			}
			switch b.(type) {
			case *ssa.Alloc, *ssa.FreeVar:
			default:
				return nil
			}
		}
	default:
		return nil
	}
	return found
}

// holdsFunction reports whether an instruction has a function of a cell as a
// value, which is printed as a closure.
func holdsFunction(in ssa.Instruction) bool {
	var called ssa.Value
	if c, ok := in.(ssa.CallInstruction); ok {
		called = c.Common().Value
	}
	if mc, ok := in.(*ssa.MakeClosure); ok {
		called = mc.Fn
	}
	for _, op := range in.Operands(nil) {
		if f, ok := (*op).(*ssa.Function); ok && f.Blocks != nil && (*op != called || operandCount(in, f) > 1) {
			return true
		}
	}
	return false
}

// ownStack reports whether nothing but this defer uses its function's list of
// deferred calls.
func ownStack(d *ssa.Defer) bool {
	ld, ok := d.DeferStack.(*ssa.UnOp)
	if !ok || len(uses(ld)) != 1 {
		return d.DeferStack == nil
	}
	a, ok := ld.X.(*ssa.Alloc)
	if !ok {
		return false
	}
	for _, r := range uses(a) {
		if st, ok := r.(*ssa.Store); r != ssa.Instruction(ld) && (!ok || st.Addr != ssa.Value(a)) {
			return false
		}
	}
	return true
}

// prepareDefer names what the call of a function's only defer needs.
func (g *gen) prepareDefer(in *ssa.Defer) {
	d := &oneDefer{in: in, armed: g.name("v")}
	g.declare("int", d.armed)
	if ld, ok := in.DeferStack.(*ssa.UnOp); ok {
		g.skip[ld] = true
	}
	g.one = d
	if mc, ok := in.Common().Value.(*ssa.MakeClosure); ok {
		d.body = g.l.fresh("F")
		for _, b := range mc.Bindings {
			t := g.rep(b.Type())
			d.types = append(d.types, t)
			d.args = append(d.args, g.temp(g.l.text(t)))
		}
		d.call = d.body + "(" + strings.Join(d.args, ", ") + ")"
		g.skip[mc] = true
		return
	}
	d.args = []string{g.temp("func()")}
	d.call = d.args[0] + "()"
}

// deferOne prints the only defer of a function.
func (g *gen) deferOne() {
	d := g.one
	var unwind string
	if d.body == "" {
		g.emit("%s = %s", d.args[0], g.frozen(d.in.Common(), "", d.in))
		unwind = g.l.unwinder([]reflect.Type{reflect.TypeFor[func()]()}, "", g.owner())
	} else {
		mc := d.in.Common().Value.(*ssa.MakeClosure)
		for i, b := range mc.Bindings {
			g.emit("%s = %s", d.args[i], g.v(b))
		}
		g.deferredBody(mc, d.body)
		unwind = g.l.unwinder(d.types, d.body, g.owner())
	}
	g.emit("%s = 1", d.armed)
	g.emit("defer %s(&%s%s)", unwind, d.armed, strings.Join(append([]string{""}, d.args...), ", "))
}

// runOne prints the deferred call where the function returns.
func (g *gen) runOne(b *ssa.BasicBlock) {
	d := g.one
	if d.in.Block().Dominates(b) {
		g.emit("%s = 0", d.armed)
		g.emit("%s", d.call)
		return
	}
	g.emit("if %s == 1 {", d.armed)
	g.emit("%s = 0", d.armed)
	g.emit("%s\n}", d.call)
}

// deferredBody prints the body of a closure as a function of what it captures.
func (g *gen) deferredBody(mc *ssa.MakeClosure, name string) {
	fn := mc.Fn.(*ssa.Function)
	c := newGen(g.l, fn, nil)
	c.called = name
	var params []string
	for i, fv := range fn.FreeVars {
		n := c.name("c")
		params = append(params, n+" "+g.l.typ(mc.Bindings[i].Type()))
		if _, ok := g.place[mc.Bindings[i]]; ok {
			c.place[fv] = "(*" + n + ")"
		} else {
			c.set(fv, n)
		}
	}
	text := c.function("")
	fmt.Fprintf(&g.l.c.out, "func %s(%s)%s {\n%s}\n", name, strings.Join(params, ", "), g.l.results(fn.Signature), text)
	g.l.names[name] = fn
	g.l.undo = append(g.l.undo, func() { delete(g.l.names, name) })
}

// owner is what yaegi calls the function that is being printed.
func (g *gen) owner() string {
	if g.parent != nil {
		if g.parent.frame != "" { // its body is a literal too
			return g.parent.owner() + ".func.func"
		}
		return g.parent.owner() + ".func"
	}
	return g.called
}

// unwinder names the compiled function that calls body, a lowered function of
// these parameters or, for "", its one argument, while owner unwinds.
func (l *Lowerer) unwinder(params []reflect.Type, body, owner string) string {
	var fn reflect.Value
	in := append([]reflect.Type{reflect.TypeFor[*int]()}, params...)
	w := l.world
	name := l.sym("U", [3]string{"unwind", body, owner}, func() reflect.Value {
		return reflect.MakeFunc(reflect.FuncOf(in, nil, false), func(in []reflect.Value) []reflect.Value {
			w.Unwind(in[0].Interface().(*int), owner, func() {
				if body == "" {
					in[1].Call(nil)
					return
				}
				fn.Call(in[1:])
			})
			return nil
		})
	})
	if body == "" {
		return name
	}
	set := l.sym("U", [2]string{"set", body}, func() reflect.Value {
		return reflect.ValueOf(func(f any) { fn = reflect.ValueOf(f) })
	})
	l.inits = append(l.inits, fmt.Sprintf("%s(%s)", set, body))
	return name
}
