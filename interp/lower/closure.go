package lower

import (
	"fmt"
	"strings"

	"go/types"

	"golang.org/x/tools/go/ssa"
)

// makeClosure prints a function literal. Outside loops it shares the variables
// of its function; in a loop each literal is made by a call of its own, since
// yaegi keeps one slot for all that a literal evaluates to.
func (g *gen) makeClosure(b *ssa.BasicBlock, in *ssa.MakeClosure) {
	fn := in.Fn.(*ssa.Function)
	hidden := recovers(fn)
	var lit string
	if g.loop[b] {
		lit = g.maker(in, fn, hidden)
	} else {
		lit = g.literal(fn, hidden, func(c *gen) {
			for i, fv := range fn.FreeVars {
				g.capture(c, fv, in.Bindings[i])
			}
		})
	}
	if !hidden {
		g.holdFunc(in, lit)
		return
	}
	raw := g.temp(g.rawType(fn))
	g.emit("%s = %s", raw, lit)
	g.rawClosure[in] = raw
	if onlyCalled(in) {
		return
	}
	g.holdFunc(in, fmt.Sprintf("%s(%s)", g.l.plainFunc(g.rep(in.Type())), raw))
}

func (g *gen) holdFunc(in *ssa.MakeClosure, text string) {
	t := g.temp(g.l.typ(in.Type()))
	g.emit("%s = %s", t, text)
	g.set(in, t)
}

func onlyCalled(in *ssa.MakeClosure) bool {
	for _, u := range uses(in) {
		c, ok := u.(ssa.CallInstruction)
		if !ok || c.Common().Value != ssa.Value(in) || operandCount(u, in) != 1 {
			return false
		}
	}
	return true
}

// rawType is the type of a literal that takes the hidden frame first.
func (g *gen) rawType(fn *ssa.Function) string {
	t := g.l.signature(g.rep(fn.Signature))
	if strings.HasPrefix(t, "()") {
		return "func(*x.Frame)" + t[2:]
	}
	return "func(*x.Frame, " + t[1:]
}

// capture makes a variable of g known to the closure c printed inside it.
func (g *gen) capture(c *gen, fv *ssa.FreeVar, binding ssa.Value) {
	if p, ok := g.place[binding]; ok {
		c.place[fv] = p
		return
	}
	if gl, ok := binding.(*ssa.Global); ok {
		c.place[fv] = g.l.global(gl)
		return
	}
	c.set(fv, g.variable(binding))
}

// literal is the text of a function literal for fn.
func (g *gen) literal(fn *ssa.Function, hidden bool, bind func(*gen)) string {
	c := newGen(g.l, fn, g)
	bind(c)
	return c.funcLit(hidden)
}

func (c *gen) funcLit(hidden bool) string {
	fn := c.fn
	var params []string
	if hidden {
		c.hidden = c.name("rf")
		params = append(params, c.hidden+" *x.Frame")
	}
	rep := c.rep(fn.Signature)
	for i, p := range fn.Params {
		n := c.name("p")
		t := c.l.typ(p.Type())
		if rep.IsVariadic() && i == len(fn.Params)-1 {
			t = "..." + c.l.text(c.rep(p.Type()).Elem())
		}
		params = append(params, n+" "+t)
		c.set(p, n)
	}
	text := c.function("")
	return fmt.Sprintf("func(%s)%s {\n%s}", strings.Join(params, ", "), c.l.results(fn.Signature), text)
}

// maker prints a top-level function that makes the closure and returns a call
// of it.
func (g *gen) maker(in *ssa.MakeClosure, fn *ssa.Function, hidden bool) string {
	c := newGen(g.l, fn, nil)
	name := g.l.fresh("K")
	c.called = name + ".func"
	g.l.names[name] = fn
	g.l.undo = append(g.l.undo, func() { delete(g.l.names, name) })
	var params, args []string
	for i, fv := range fn.FreeVars {
		b := in.Bindings[i]
		n := c.name("c")
		if isDeferStack(b.Type()) {
			params = append(params, n+" *x.Frame")
			args = append(args, g.place[b])
			c.place[fv] = n
			continue
		}
		params = append(params, n+" "+g.l.typ(b.Type()))
		if _, ok := g.place[b]; ok || isPointer(b.Type()) {
			args = append(args, g.v(b))
			if ok {
				c.place[fv] = "(*" + n + ")"
			} else {
				c.set(fv, n)
			}
			continue
		}
		v := g.variable(b)
		if losesZero(g.rep(b.Type())) {
			params[len(params)-1] = n + "a *" + g.l.typ(b.Type())
			args = append(args, "&"+v)
			c.entry += fmt.Sprintf("%s := *%sa\n", n, n)
		} else {
			args = append(args, v)
		}
		c.set(fv, n)
	}
	typ := g.l.typ(in.Type())
	if hidden {
		typ = g.rawType(fn)
	}
	lit := c.funcLit(hidden)
	fmt.Fprintf(&g.l.c.out, "func %s(%s) %s {\n%sreturn %s\n}\n", name, strings.Join(params, ", "), typ, c.entry, lit)
	return fmt.Sprintf("%s(%s)", name, strings.Join(args, ", "))
}

// isDeferStack reports whether t is (a pointer to) the type of a frame.
func isDeferStack(t types.Type) bool {
	return strings.Contains(t.String(), "deferStack")
}

// deferCall adds a call to a frame.
func (g *gen) deferCall(in *ssa.Defer) {
	if g.one != nil {
		g.deferOne()
		return
	}
	frame := g.frame
	if in.DeferStack != nil {
		frame = g.v(in.DeferStack)
	}
	if frame == "" {
		refuse(in.Pos(), "internal: defer without a frame")
	}
	g.line(in.Pos())
	g.emit("%s.Defer(%s)", frame, g.frozen(in.Common(), frame, in))
}

// frozen is a func() that makes a call with its operands evaluated now.
func (g *gen) frozen(c *ssa.CallCommon, frame string, in ssa.Instruction) string {
	mc, isClosure := c.Value.(*ssa.MakeClosure)
	if isClosure && len(c.Args) == 0 && c.Signature().Results().Len() == 0 && g.rawClosure[mc] == "" {
		return g.atom(mc)
	}
	if _, ok := c.Value.(*ssa.Builtin); ok {
		return g.frozenBuiltin(c, frame, in)
	}
	// The maker has the operands as parameters and the call as its body.
	m := newGen(g.l, g.fn, nil)
	m.rawClosure = map[*ssa.MakeClosure]string{}
	var params, args []string
	add := func(x ssa.Value) {
		switch x.(type) {
		case *ssa.Const, *ssa.Function, *ssa.Global:
			return
		}
		if _, ok := m.val[x]; ok {
			return
		}
		n := m.name("a")
		if mc, ok := x.(*ssa.MakeClosure); ok && g.rawClosure[mc] != "" {
			params = append(params, n+" "+g.rawType(mc.Fn.(*ssa.Function)))
			args = append(args, g.rawClosure[mc])
			m.rawClosure[mc] = n
			m.val[x] = n
			return
		}
		if losesZero(g.rep(x.Type())) {
			params = append(params, n+"a *"+g.l.typ(x.Type()))
			args = append(args, "&"+g.argVar(x))
			m.entry += fmt.Sprintf("%s := *%sa\n", n, n)
		} else {
			params = append(params, n+" "+g.l.typ(x.Type()))
			args = append(args, g.atom(x))
		}
		m.set(x, n)
	}
	if frame != "" {
		params = append(params, "fr *x.Frame")
		args = append(args, frame)
	}
	add(c.Value)
	for _, a := range c.Args {
		add(a)
	}
	fr := ""
	if frame != "" {
		fr = "fr"
	}
	if c.IsInvoke() {
		// the method is looked up, and a nil receiver noticed, at the defer
		recv := g.atom(c.Value)
		g.emit("if %s == nil { %sx.Nil() }", recv, ln(in.Pos()))
	}
	text := m.callText(c, in, fr)
	body := m.body.String()
	decl := m.declText()
	name := g.l.fresh("K")
	fmt.Fprintf(&g.l.c.out, "func %s(%s) func() {\n%sreturn func() {\n%s%s%s\n}\n}\n", name, strings.Join(params, ", "), m.entry, decl, body, text)
	return fmt.Sprintf("%s(%s)", name, strings.Join(args, ", "))
}

// frozenBuiltin freezes a call of a builtin function.
func (g *gen) frozenBuiltin(c *ssa.CallCommon, frame string, in ssa.Instruction) string {
	b := c.Value.(*ssa.Builtin)
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		if k, ok := a.(*ssa.Const); ok && k.Value != nil {
			args[i] = g.l.constant(k, g.rep(a.Type()))
			continue
		}
		args[i] = g.atom(a)
		if (b.Name() == "print" || b.Name() == "println") && types.IsInterface(a.Type()) {
			args[i] = "x.Words(" + args[i] + ")"
		}
	}
	list := strings.Join(args, ", ")
	switch b.Name() {
	case "recover":
		return fmt.Sprintf("x.RecoverCall(%s, %s)", g.hiddenFrame(g.hidden), g.hiddenFrame(frame))
	case "print", "println":
		if list != "" {
			list = ", " + list
		}
		return fmt.Sprintf("x.PrintCall(%t%s)", b.Name() == "println", list)
	case "close":
		return "x.CloseCall(" + list + ")"
	case "delete":
		return "x.DeleteCall(" + list + ")"
	case "clear":
		return "x.ClearCall(" + list + ")"
	case "panic":
		return "x.PanicCall(" + list + ")"
	case "copy":
		return "x.CopyCall(" + list + ")"
	}
	refuse(in.Pos(), "defer or go of %s is not supported in cells", b.Name())
	return ""
}

func (g *gen) hiddenFrame(frame string) string {
	if frame == "" {
		return g.l.nilFrame()
	}
	return frame
}
