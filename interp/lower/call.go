package lower

import (
	"fmt"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

const bothDir = reflect.BothDir

func (g *gen) call(in *ssa.Call) {
	c := &in.Call
	if b, ok := c.Value.(*ssa.Builtin); ok {
		g.builtin(in, b.Name())
		return
	}
	if fn, ok := c.Value.(*ssa.Function); ok && fn.Blocks == nil && fn.Synthetic == "package initializer" {
		return // compiled packages are initialised already
	}
	text := g.callText(c, in, "")
	g.callResult(in, text)
}

// callResult emits a call and names its results.
func (g *gen) callResult(in *ssa.Call, text string) {
	if _, ok := in.Type().(*types.Tuple); ok {
		g.tuple(in, text)
		return
	}
	refs := uses(in)
	if len(refs) == 0 {
		g.emit("%s", text)
		return
	}
	if len(refs) == 1 && g.follows(in, refs[0]) {
		g.val[in] = text
		return
	}
	if len(refs) == 1 && g.mayWait(in, refs[0]) {
		g.wait(in, text)
		return
	}
	t := g.temp(g.l.typ(in.Type()))
	g.emit("%s = %s", t, text)
	g.set(in, t)
}

// follows reports whether the use of a call's result is the next instruction
// and stores or returns it, so that the call may stand in it.
func (g *gen) follows(in *ssa.Call, use ssa.Instruction) bool {
	if use.Block() != in.Block() || g.index[use] != g.index[in]+1 {
		return false
	}
	switch u := use.(type) {
	case *ssa.Store:
		if u.Val != ssa.Value(in) || g.varStore[u] != nil {
			return false
		}
		switch a := u.Addr.(type) {
		case *ssa.Alloc:
			// What yaegi stores of a call of a compiled function that returns a
			// function has no address.
			_, isFunc := in.Type().Underlying().(*types.Signature)
			return !isFunc || !a.Heap
		case *ssa.Global:
			return g.l.hooks.Native(a.Object()).Kind() == reflect.Invalid
		}
	case *ssa.Return:
		return len(u.Results) == 1 && g.frame == ""
	}
	return false
}

// mayWait reports whether the text of a call may stand where its result is
// used: it is a call of a cell's function with a plain result.
func (g *gen) mayWait(in *ssa.Call, use ssa.Instruction) bool {
	if use.Block() != in.Block() || operandCount(use, in) != 1 || in.Call.IsInvoke() {
		return false
	}
	switch fn := in.Call.Value.(type) {
	case *ssa.Function:
		if fn.Blocks == nil || g.l.function(fn).framed {
			return false
		}
	case *ssa.Builtin:
		return false
	}
	switch use.(type) {
	case *ssa.BinOp, *ssa.Call, *ssa.Return, *ssa.If, *ssa.Store:
	default:
		return false
	}
	rep := g.rep(in.Type())
	return rep.PkgPath() == "" && (rep.Kind() >= reflect.Bool && rep.Kind() <= reflect.Float64 || rep.Kind() == reflect.String)
}

// callText is the text of a call. With frame set, it is the call that a defer
// of that frame makes.
func (g *gen) callText(c *ssa.CallCommon, in ssa.Instruction, frame string) string {
	if frame == "" && wraps(g.fn) {
		frame = g.hidden
	}
	pos := in.Pos()
	if g.inCell() && pos.IsValid() {
		g.emit("LC = %d", int(pos))
	}
	if c.IsInvoke() {
		return g.invokeText(c, in, frame)
	}
	switch fn := c.Value.(type) {
	case *ssa.Function:
		if fn.Blocks == nil {
			g.special(fn, in)
			args := g.args(c, fn.Signature, true)
			g.line(pos)
			return g.l.nativeFunc(fn) + "(" + args + ")"
		}
		f := g.l.function(fn)
		if pkg := fn.Package(); pkg != nil && g.l.hooks.Silent(pkg) || fn.Origin() != nil && g.l.hooks.Silent(fn.Origin().Pkg) {
			g.line(pos)
		}
		var args []string
		if f.recover {
			if frame == "" {
				frame = g.l.nilFrame()
			}
			args = append(args, frame)
		}
		for i, a := range c.Args {
			if f.byAddr[i] {
				args = append(args, "&"+g.argVar(a))
				continue
			}
			args = append(args, unparen(g.v(a)))
		}
		name := f.name
		if g.fn.Parent() != nil {
			name = g.l.via(fn)
		}
		return name + "(" + strings.Join(args, ", ") + ")"
	}
	args := g.args(c, c.Signature(), true)
	if mc, ok := c.Value.(*ssa.MakeClosure); ok {
		if raw := g.rawClosure[mc]; raw != "" {
			if frame == "" {
				frame = g.l.nilFrame()
			}
			if args != "" {
				args = ", " + args
			}
			return raw + "(" + frame + args + ")"
		}
	}
	f := g.atom(c.Value)
	if !notNil(c.Value) {
		g.emit("if %s == nil { %sx.Nil() }", f, ln(pos))
	}
	if _, ok := c.Value.(*ssa.MakeClosure); !ok && frame != "" {
		t := g.temp(g.l.typ(c.Value.Type()))
		g.emit("%s = %s(%s, %s)", t, g.l.direct(g.rep(c.Value.Type())), frame, f)
		f = t
	}
	return f + "(" + args + ")"
}

// inCell reports whether this is the function of a cell itself, or main, which
// runs once and says what it calls, and whether it calls on several lines.
func (g *gen) inCell() bool {
	main := g.fn.Name() == "main" && g.fn.Signature.Recv() == nil && g.fn.Pkg != nil && g.fn.Pkg.Pkg.Path() == "main"
	if g.parent != nil || g.fn.Parent() != nil || !main && !strings.HasPrefix(g.fn.Name(), "cell·") {
		return false
	}
	lines := map[int]bool{}
	for _, b := range g.fn.Blocks {
		for _, in := range b.Instrs {
			if c, ok := in.(*ssa.Call); ok && c.Pos().IsValid() {
				lines[g.l.prog.Fset.Position(c.Pos()).Line] = true
			}
		}
	}
	return len(lines) > 1
}

// argVar is an argument as a fresh variable whose address is passed.
func (g *gen) argVar(a ssa.Value) string {
	t := g.temp(g.l.typ(a.Type()))
	g.emit("%s = %s", t, unparen(g.v(a)))
	return t
}

func (g *gen) args(c *ssa.CallCommon, sig *types.Signature, spread bool) string {
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = unparen(g.v(a))
		if _, ok := a.(*ssa.Const); ok && types.IsInterface(a.Type()) {
			args[i] = g.v(a)
		}
	}
	s := strings.Join(args, ", ")
	if spread && sig.Variadic() {
		s += "..."
	}
	return s
}

func (g *gen) invokeText(c *ssa.CallCommon, in ssa.Instruction, frame string) string {
	recv := g.atom(c.Value)
	args := g.args(c, c.Signature(), false)
	if g.rep(c.Value.Type()) != anyRep {
		if c.Signature().Variadic() {
			args += "..."
		}
		g.emit("if %s == nil { %sx.Nil() }", recv, ln(in.Pos()))
		g.line(in.Pos())
		return recv + "." + c.Method.Name() + "(" + args + ")"
	}
	h := g.l.invoke(c.Method, frame != "")
	g.line(in.Pos())
	if args != "" {
		args = ", " + args
	}
	if frame != "" {
		recv = frame + ", " + recv
	}
	return h + "(" + recv + args + ")"
}

// special refuses compiled functions that would look inside cell types.
func (g *gen) special(fn *ssa.Function, in ssa.Instruction) {
	if why := g.l.hooks.Refuse(fn, in); why != "" {
		refuse(in.Pos(), "%s", why)
	}
}

func (g *gen) builtin(in *ssa.Call, name string) {
	c := &in.Call
	a := c.Args
	switch name {
	case "len", "cap":
		if r := g.rangeOf[in]; r != nil {
			r.slice = g.atomVar(a[0])
			return
		}
		if arr, ok := deref(a[0].Type()).Underlying().(*types.Array); ok {
			g.define(in, fmt.Sprint(arr.Len()), readSet{})
			return
		}
		g.define(in, name+"("+g.atomVar(a[0])+")", readSet{mem: isMutableLen(a[0].Type())})
	case "append":
		g.appendCall(in)
	case "copy":
		text := fmt.Sprintf("copy(%s, %s)", g.atom(a[0]), g.atomVar(a[1]))
		t := g.temp("int")
		g.emit("%s = %s", t, text)
		g.set(in, t)
	case "delete":
		m := g.atom(a[0])
		k := g.mapKey(m, a[0].Type(), a[1], false, in.Pos())
		g.emit("delete(%s, %s)", m, k)
	case "print", "println":
		args := []string{fmt.Sprint(name == "println")}
		for _, x := range a {
			args = append(args, g.printArg(x))
		}
		g.emit("x.Print(%s)", strings.Join(args, ", "))
	case "recover":
		f := g.hidden
		if f == "" {
			f = g.l.nilFrame()
		}
		g.hold(in, f+".Recover()")
	case "close":
		g.line(in.Pos())
		g.emit("x.Close(%s)", g.v(a[0]))
	case "complex":
		g.hold(in, fmt.Sprintf("%s(%s, %s)", g.l.complexOf(g.rep(in.Type())), g.v(a[0]), g.v(a[1])))
	case "real", "imag":
		g.hold(in, fmt.Sprintf("%s(%s)", g.l.part(name, g.rep(a[0].Type()), g.rep(in.Type())), g.v(a[0])))
	case "min", "max":
		cur := g.v(a[0])
		for i := 1; i < len(a); i++ {
			t := g.temp(g.l.typ(in.Type()))
			g.emit("%s = %s(%s, %s)", t, g.l.extreme(name, g.rep(in.Type())), cur, g.v(a[i]))
			cur = t
		}
		g.hold(in, cur)
	case "clear":
		g.emit("x.Clear(%s)", g.v(a[0]))
	case "ssa:wrapnilchk":
		p := g.atom(a[0])
		g.emit("if %s == nil { %sx.WrapNil(%s, %s) }", p, ln(in.Pos()), g.v(a[1]), g.v(a[2]))
		g.define(in, p, readSet{})
	case "ssa:deferstack":
		g.define(in, g.frame, readSet{})
	default:
		refuse(in.Pos(), "%s is not supported in cells", name)
	}
}

func isMutableLen(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Map, *types.Chan:
		return true
	}
	return false
}

func deref(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

func (g *gen) printArg(x ssa.Value) string {
	if c, ok := x.(*ssa.Const); ok && c.Value != nil {
		return g.l.constant(c, g.rep(x.Type()))
	}
	if types.IsInterface(x.Type()) {
		return "x.Words(" + g.v(x) + ")"
	}
	return g.v(x)
}

func (g *gen) appendCall(in *ssa.Call) {
	a := in.Call.Args
	s := g.atomVar(a[0])
	if b, ok := a[1].Type().Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
		g.hold(in, fmt.Sprintf("%s(%s, %s)", g.l.appendString(g.rep(in.Type())), s, g.v(a[1])))
		return
	}
	if g.rep(in.Type()).Elem() == g.rep(in.Type()) {
		g.hold(in, fmt.Sprintf("%s(%s, %s)", g.l.appendSlice(g.rep(in.Type())), s, g.atomVar(a[1])))
		return
	}
	if lit, ok := g.varLits[a[1]]; ok && len(uses(a[1])) == 1 {
		g.hold(in, fmt.Sprintf("append(%s, %s)", s, lit))
		return
	}
	g.hold(in, fmt.Sprintf("append(%s, %s...)", s, g.atomVar(a[1])))
}

func (g *gen) typeAssert(in *ssa.TypeAssert) {
	h := g.l.assert(in.X.Type(), in.AssertedType, in.CommaOk)
	if in.CommaOk {
		g.tuple(in, fmt.Sprintf("%s(%s)", h, g.v(in.X)))
		return
	}
	g.line(in.Pos())
	g.hold(in, fmt.Sprintf("%s(%s)", h, g.v(in.X)))
}

func (g *gen) rangeOver(in *ssa.Range) {
	n := g.name("it")
	if _, ok := in.X.Type().Underlying().(*types.Map); ok {
		g.declare("*x.MapIter", n)
		g.emit("%s = x.NewMapIter(%s)", n, g.v(in.X))
	} else {
		g.declare("*x.StringIter", n)
		g.emit("%s = x.NewStringIter(%s)", n, g.v(in.X))
	}
	g.set(in, n)
}

func (g *gen) next(in *ssa.Next) {
	it := g.v(in.Iter)
	r := in.Iter.(*ssa.Range)
	if in.IsString {
		g.tupleOf(in, it+".Next()", []string{"bool", "int", "int32"})
		return
	}
	m := g.rep(r.X.Type())
	h := g.l.mapNext(m)
	g.tupleOf(in, h+"("+it+")", []string{"bool", g.l.text(m.Key()), g.l.text(m.Elem())})
}

// tupleOf is tuple for results whose static types are not those of the values.
func (g *gen) tupleOf(v ssa.Value, call string, typ []string) {
	names := make([]string, len(typ))
	for i := range names {
		names[i] = "_"
	}
	for _, u := range uses(v) {
		if e, ok := u.(*ssa.Extract); ok && len(uses(e)) > 0 {
			if names[e.Index] == "_" {
				names[e.Index] = g.temp(typ[e.Index])
			}
			g.set(e, names[e.Index])
		}
	}
	g.emit("%s = %s", strings.Join(names, ", "), call)
}

func (g *gen) ret(in *ssa.Return) {
	if g.frame != "" && !g.recoverBlock {
		g.emit("return true")
		return
	}
	vals := make([]string, len(in.Results))
	for i, r := range in.Results {
		vals[i] = g.v(r)
		if len(vals) == 1 {
			vals[i] = unparen(vals[i])
		} else if strings.Contains(vals[i], "(") {
			// Among several results yaegi takes a function literal for one of
			// another type, and puts what a builtin gives where the first goes.
			vals[i] = g.hold(r, vals[i])
		}
	}
	g.debugReturn(in, vals)
	g.emit("return %s", strings.Join(vals, ", "))
}

// zeroResults is what a return needs behind a call that always panics: no caller
// sees it.
func (g *gen) zeroResults() string {
	if g.frame != "" && !g.recoverBlock {
		return "false"
	}
	res := g.fn.Signature.Results()
	out := make([]string, res.Len())
	for i := range out {
		out[i] = g.zero(g.l.typ(res.At(i).Type()))
	}
	return strings.Join(out, ", ")
}

func (g *gen) selectStmt(in *ssa.Select) {
	args := []string{fmt.Sprint(in.Blocking)}
	for _, s := range in.States {
		ch := g.v(s.Chan)
		if s.Dir == types.SendOnly {
			args = append(args, fmt.Sprintf("x.MakeSend(%s, %s)", ch, g.v(s.Send)))
			continue
		}
		args = append(args, ch)
	}
	idx, ok, recv := g.temp("int"), g.temp("bool"), g.temp("interface{}")
	g.line(in.Pos())
	g.emit("%s, %s, %s = x.Select(%s)", idx, ok, recv, strings.Join(args, ", "))
	var recvs []*ssa.SelectState
	for _, s := range in.States {
		if s.Dir == types.RecvOnly {
			recvs = append(recvs, s)
		}
	}
	for _, u := range uses(in) {
		e, isExtract := u.(*ssa.Extract)
		if !isExtract || len(uses(e)) == 0 {
			continue
		}
		switch e.Index {
		case 0:
			g.set(e, idx)
		case 1:
			g.set(e, ok)
		default:
			ct := g.rep(recvs[e.Index-2].Chan.Type()).Elem()
			t := g.temp(g.l.text(ct))
			pos := g.stateIndex(in, recvs[e.Index-2])
			g.emit("if %s == %d { %s = %s(%s) }", idx, pos, t, g.l.asType(ct), recv)
			g.set(e, t)
		}
	}
}

func (g *gen) stateIndex(in *ssa.Select, s *ssa.SelectState) int {
	for i, t := range in.States {
		if t == s {
			return i
		}
	}
	return -1
}
