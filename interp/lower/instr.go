package lower

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

func (g *gen) instr(b *ssa.BasicBlock, i int, in ssa.Instruction) {
	switch in := in.(type) {
	case *ssa.DebugRef:
	case *ssa.Phi:
		g.phi(in)
	case *ssa.Alloc:
		g.alloc(b, i, in)
	case *ssa.Store:
		g.store(in)
	case *ssa.UnOp:
		g.unop(in)
	case *ssa.BinOp:
		g.binop(in)
	case *ssa.FieldAddr:
		g.fieldAddr(in)
	case *ssa.Field:
		g.define(in, g.atom(in.X)+"."+g.field(in.X.Type(), in.Field), readSet{})
	case *ssa.IndexAddr:
		g.indexAddr(in)
	case *ssa.Index:
		g.indexValue(in)
	case *ssa.Lookup:
		g.lookup(in)
	case *ssa.Call:
		g.call(in)
	case *ssa.Extract:
		g.extract(in)
	case *ssa.ChangeType:
		g.changeType(in)
	case *ssa.Convert:
		g.conversion(in)
	case *ssa.MultiConvert:
		refuse(in.Pos(), "conversion of a type parameter is not supported in cells")
	case *ssa.ChangeInterface:
		g.changeInterface(in)
	case *ssa.MakeInterface:
		g.makeInterface(in)
	case *ssa.MakeClosure:
		g.makeClosure(b, in)
	case *ssa.MakeMap:
		// Not in place: as one of several results yaegi puts it where the first goes.
		g.hold(in, "make("+g.l.typ(in.Type())+")")
	case *ssa.MakeChan:
		g.makeChan(in)
	case *ssa.MakeSlice:
		g.makeSlice(in)
	case *ssa.Slice:
		g.slice(in)
	case *ssa.SliceToArrayPointer:
		g.hold(in, fmt.Sprintf("%s(%s)", g.l.sliceToArray(g.rep(in.X.Type()), g.rep(in.Type())), g.v(in.X)))
	case *ssa.TypeAssert:
		g.typeAssert(in)
	case *ssa.MapUpdate:
		g.mapUpdate(in)
	case *ssa.Range:
		g.rangeOver(in)
	case *ssa.Next:
		g.next(in)
	case *ssa.Return:
		g.ret(in)
	case *ssa.RunDefers:
		// x.Run runs them; what follows in this block reads the results, which
		// is done once for all returns after the frame.
		if g.one != nil {
			g.runOne(b)
		}
		if g.frame != "" && !g.recoverBlock {
			for _, rest := range b.Instrs[i+1:] {
				if ld, ok := rest.(*ssa.UnOp); ok {
					g.skip[ld] = true
				}
			}
		}
	case *ssa.Panic:
		g.line(in.Pos())
		g.emit("x.Panic(%s)", g.v(in.X))
		g.emit("return %s", g.zeroResults())
	case *ssa.Go:
		g.line(in.Pos())
		g.emit("x.Go(%s)", g.frozen(in.Common(), "", in))
	case *ssa.Defer:
		g.deferCall(in)
	case *ssa.Send:
		g.line(in.Pos())
		g.emit("x.Send(%s, %s)", g.v(in.Chan), g.v(in.X))
	case *ssa.Select:
		g.selectStmt(in)
	default:
		refuse(in.Pos(), "%T is not supported in cells", in)
	}
}

// line records where the program is, for faults in compiled code.
func (g *gen) line(pos token.Pos) {
	if pos.IsValid() && !g.silent() {
		g.emit("LN = %d", int(pos))
	}
}

// ln is the statement that records a position where a check fails.
func ln(pos token.Pos) string {
	if !pos.IsValid() {
		return ""
	}
	return fmt.Sprintf("LN = %d; ", int(pos))
}

func (g *gen) field(t types.Type, i int) string {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	return g.l.world.FieldName(t, i)
}

// alloc declares a variable. One that is created again and again gets new
// storage each time if anything may still refer to the old.
func (g *gen) alloc(b *ssa.BasicBlock, i int, in *ssa.Alloc) {
	t := g.l.typ(elem(in.Type()))
	n := g.name("v")
	if p, ok := g.place[in]; ok {
		n = p
	}
	g.place[in] = n
	g.forgetName(n)
	g.private[n] = localRoot(in) != nil
	if !g.loop[b] {
		// The variable is new in this call, and zero.
		g.declare(t, n)
		if i+1 < len(b.Instrs) {
			if st, ok := b.Instrs[i+1].(*ssa.Store); ok && st.Addr == ssa.Value(in) && g.varStore[st] == nil && isZeroConst(st.Val) {
				g.skip[st] = true
			}
		}
		return
	}
	if g.private[n] {
		g.declare(t, n)
		if !assignedNext(b, i, in) {
			g.emit("%s = %s", n, g.zero(t))
		}
		return
	}
	g.emit("var %s %s", n, t)
}

// isZeroConst reports whether v is a constant, the zero value of its type.
func isZeroConst(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	if !ok || types.IsInterface(c.Type()) {
		return false
	}
	if c.Value == nil {
		return true
	}
	switch c.Value.Kind() {
	case constant.Bool:
		return !constant.BoolVal(c.Value)
	case constant.String:
		return constant.StringVal(c.Value) == ""
	case constant.Int:
		return constant.Sign(c.Value) == 0
	}
	return false
}

// assignedNext reports whether a new variable is assigned before it is read.
func assignedNext(b *ssa.BasicBlock, i int, a *ssa.Alloc) bool {
	for _, in := range b.Instrs[i+1:] {
		if st, ok := in.(*ssa.Store); ok && st.Addr == a {
			return true
		}
		for _, op := range in.Operands(nil) {
			if *op == a {
				return false
			}
		}
	}
	return false
}

// placeOf is the addressable expression for what a pointer points at; it
// checks the pointer.
func (g *gen) placeOf(p ssa.Value, pos token.Pos) string {
	if s, ok := g.place[p]; ok {
		return s
	}
	if gl, ok := p.(*ssa.Global); ok {
		return g.l.global(gl)
	}
	s := g.pointer(p, pos)
	return "(*" + s + ")"
}

// pointer is an atom for a pointer that is known not to be nil.
func (g *gen) pointer(p ssa.Value, pos token.Pos) string {
	s := g.atom(p)
	g.checkNil(p, s, pos)
	return s
}

func (g *gen) checkNil(p ssa.Value, s string, pos token.Pos) {
	switch p.(type) {
	case *ssa.Alloc, *ssa.FieldAddr, *ssa.IndexAddr, *ssa.FreeVar, *ssa.Global:
		return
	}
	if g.checked[s] || notNil(p) {
		return
	}
	if g.steady(s) {
		g.checked[s] = true
	}
	g.emit("if %s == nil { %sx.Nil() }", s, ln(pos))
}

// base is the base of a field or element selection from a pointer.
func (g *gen) base(p ssa.Value, pos token.Pos) string {
	if s, ok := g.place[p]; ok {
		return s
	}
	if gl, ok := p.(*ssa.Global); ok {
		return g.l.global(gl)
	}
	return g.pointer(p, pos)
}

func (g *gen) fieldAddr(in *ssa.FieldAddr) {
	s := g.base(in.X, in.Pos()) + "." + g.field(in.X.Type(), in.Field)
	g.address(in, s)
}

// address lets a place stand for a pointer while the names in it keep their
// meaning, else it takes the address now.
func (g *gen) address(v ssa.Value, s string) {
	in := v.(ssa.Instruction)
	var rs readSet
	for _, op := range in.Operands(nil) {
		if *op != nil {
			rs.add(g.readsOf(*op))
		}
	}
	last := 0
	for _, u := range uses(v) {
		if u.Block() != in.Block() {
			last = -1
			break
		}
		switch u := u.(type) {
		case *ssa.UnOp, *ssa.FieldAddr, *ssa.IndexAddr:
		case *ssa.Store:
			if u.Val == v {
				last = -1
			}
		default:
			last = -1
		}
		if last < 0 {
			break
		}
		last = max(last, g.index[u])
	}
	if last > 0 && g.undisturbed(in, in.Block().Instrs[last], rs) {
		g.place[v] = s
		g.reads[v] = rs
		return
	}
	if len(uses(v)) == 0 {
		return
	}
	if !rs.mem && rs.locals == nil && stablePlace(v) {
		g.place[v] = s
		return
	}
	t := g.temp(g.l.typ(v.Type()))
	g.emit("%s = &%s", t, s)
	g.set(v, t)
}

// stablePlace reports whether a pointer leads by constant steps into a
// variable, so that the place may be written again anywhere.
func stablePlace(v ssa.Value) bool {
	for {
		switch x := v.(type) {
		case *ssa.FieldAddr:
			v = x.X
		case *ssa.Alloc:
			return !x.Heap
		default:
			return false
		}
	}
}

func (g *gen) store(in *ssa.Store) {
	if ia := g.varStore[in]; ia != nil {
		g.vararg[ia] = g.variadicArg(in.Val)
		return
	}
	rhs := g.v(in.Val)
	lhs := g.placeOf(in.Addr, in.Pos())
	if s, ok := strings.CutPrefix(lhs, "(*"); ok && strings.HasSuffix(s, ")") && isName(s[:len(s)-1]) {
		lhs = "*" + s[:len(s)-1]
	}
	if !g.update(lhs, rhs, in.Val) {
		g.emit("%s = %s", lhs, unparen(rhs))
	}
	if a, ok := in.Addr.(*ssa.Alloc); ok {
		g.forgetAlloc(a)
	}
}

func unparen(s string) string {
	if len(s) > 2 && s[0] == '(' && s[len(s)-1] == ')' && s[1] != '*' && s[1] != '-' && balanced(s[1:len(s)-1]) {
		return s[1 : len(s)-1]
	}
	return s
}

func (g *gen) unop(in *ssa.UnOp) {
	switch in.Op {
	case token.MUL:
		g.load(in)
	case token.ARROW:
		g.receive(in)
	case token.SUB:
		if isFloat(in.Type()) {
			// yaegi's negation of a constant zero is exact only through this form
			g.hold(in, "-"+g.atomVar(in.X))
			return
		}
		g.define(in, "-"+g.atomVar(in.X), readSet{})
	case token.NOT:
		g.define(in, "!"+g.v(in.X), readSet{})
	case token.XOR:
		g.define(in, "^"+g.atomVar(in.X), readSet{})
	default:
		refuse(in.Pos(), "operator %s", in.Op)
	}
}

// atomVar is an atom that is not a constant.
func (g *gen) atomVar(x ssa.Value) string {
	if _, ok := x.(*ssa.Const); ok {
		t := g.temp(g.l.typ(x.Type()))
		g.emit("%s = %s", t, g.v(x))
		return t
	}
	return g.atom(x)
}

func (g *gen) load(in *ssa.UnOp) {
	if isDeferStack(in.Type()) {
		g.set(in, g.place[in.X])
		return
	}
	var rs readSet
	if a := localRoot(in.X); a != nil {
		rs.local(a)
	} else {
		rs.mem = true
	}
	place := g.placeOf(in.X, in.Pos())
	if s, ok := strings.CutPrefix(place, "(*"); ok && strings.HasSuffix(s, ")") && isName(s[:len(s)-1]) {
		place = "*" + s[:len(s)-1]
	}
	g.define(in, place, rs)
	if s := g.val[in]; isName(s) {
		if _, ok := in.X.(*ssa.Alloc); ok && rs.locals != nil {
			g.simple[in] = true // the name of a variable that only stores change
		}
	}
}

func (g *gen) receive(in *ssa.UnOp) {
	g.line(in.Pos())
	h := g.l.recv(g.rep(in.X.Type()))
	if in.CommaOk {
		g.tuple(in, fmt.Sprintf("%s(%s)", h, g.v(in.X)))
		return
	}
	t := g.temp(g.l.typ(in.Type()))
	g.emit("%s, _ = %s(%s)", t, h, g.v(in.X))
	g.set(in, t)
}

// tuple assigns the results of a call to the variables of their extracts.
func (g *gen) tuple(v ssa.Value, call string) {
	tup := v.Type().(*types.Tuple)
	names := make([]string, tup.Len())
	used := false
	for i := range names {
		names[i] = "_"
	}
	for _, u := range uses(v) {
		e, ok := u.(*ssa.Extract)
		if !ok || len(uses(e)) == 0 {
			continue
		}
		if names[e.Index] == "_" {
			names[e.Index] = g.temp(g.l.typ(tup.At(e.Index).Type()))
		}
		g.set(e, names[e.Index])
		used = true
	}
	if !used {
		g.emit("%s", call)
		return
	}
	g.emit("%s = %s", strings.Join(names, ", "), call)
}

func (g *gen) extract(in *ssa.Extract) {
	if g.val[in] == "" && len(uses(in)) > 0 {
		refuse(in.Pos(), "internal: extract before its tuple")
	}
}

func (g *gen) binop(in *ssa.BinOp) {
	t := in.X.Type().Underlying()
	switch in.Op {
	case token.EQL, token.NEQ:
		g.equality(in)
		return
	case token.QUO, token.REM:
		if bt, ok := t.(*types.Basic); ok && bt.Info()&types.IsInteger != 0 {
			y := g.v(in.Y)
			if c, ok := in.Y.(*ssa.Const); !ok || constant.Sign(c.Value) == 0 {
				y = g.atomVar(in.Y)
				g.emit("if %s == 0 { %sx.Zero() }", y, ln(in.Pos()))
			}
			g.define(in, g.leftOperand(in)+" "+in.Op.String()+" "+y, readSet{})
			return
		} else if bt != nil && bt.Info()&types.IsComplex != 0 {
			g.hold(in, fmt.Sprintf("%s(%s, %s)", g.l.complexQuo(g.rep(in.Type())), g.v(in.X), g.v(in.Y)))
			return
		}
	case token.SHL, token.SHR:
		g.shift(in)
		return
	}
	left, right := g.leftOperand(in), g.operand(in.Y, in.Op.Precedence()+1)
	g.operators[in] = [2]string{left, right}
	if g.becomes(in, left, right) {
		return
	}
	g.define(in, left+" "+in.Op.String()+" "+right, readSet{})
}

// operand is an operand of an operator. It needs no parentheses, each of which
// costs yaegi a step, if its own operator binds at least so strongly.
func (g *gen) operand(x ssa.Value, strength int) string {
	s := g.v(x)
	if bin, ok := x.(*ssa.BinOp); ok && bin.Op.Precedence() >= strength {
		return unparen(s)
	}
	return s
}

// hasVariable reports whether an expression is more than constants.
func hasVariable(text string) bool {
	for _, w := range words.FindAllString(text, -1) {
		if c := w[0]; (c < '0' || c > '9') && !strings.HasPrefix(w, "x.C") {
			return true
		}
	}
	return false
}

// leftOperand is the left operand. Two constants in one expression would be
// folded by yaegi, as constants of Go that may not overflow: variables of the
// source that turned out to hold constants are written as variables.
func (g *gen) leftOperand(in *ssa.BinOp) string {
	if _, ok := in.Y.(*ssa.Const); ok {
		if s := g.v(in.X); isName(s) || !hasVariable(s) {
			return g.atomVar(in.X)
		}
	}
	return g.operand(in.X, in.Op.Precedence())
}

func (g *gen) shift(in *ssa.BinOp) {
	var y string
	yt := in.Y.Type().Underlying().(*types.Basic)
	if c, ok := in.Y.(*ssa.Const); ok {
		y = fmt.Sprint(c.Uint64())
		y = g.l.sym("C", [3]any{"const", "uint", y}, func() reflect.Value { return reflect.ValueOf(uint(c.Uint64())) })
	} else {
		y = g.atom(in.Y)
		if yt.Info()&types.IsUnsigned == 0 {
			g.emit("if %s < 0 { %sx.NegShift() }", y, ln(in.Pos()))
		}
		if yt.Kind() != types.Uint || g.rep(in.Y.Type()).PkgPath() != "" {
			t := g.temp("uint")
			g.emit("%s = uint(%s)", t, y)
			y = t
		}
	}
	x := g.v(in.X)
	if _, ok := in.X.(*ssa.Const); ok {
		x = g.atomVar(in.X)
	}
	g.define(in, x+" "+in.Op.String()+" "+y, readSet{})
}

func (g *gen) silent() bool {
	if o := g.fn.Origin(); o != nil {
		return g.l.hooks.Silent(o.Pkg)
	}
	return g.l.hooks.Silent(g.fn.Pkg)
}
