package lower

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"
)

func (g *gen) indexAddr(in *ssa.IndexAddr) {
	if arr, ok := in.X.Type().Underlying().(*types.Pointer); ok {
		n := arr.Elem().Underlying().(*types.Array).Len()
		i := g.checkedIndex(in, in.Index, fmt.Sprint(n), n, in.Pos())
		if _, ok := g.place[in.X]; !ok {
			if _, ok := in.X.(*ssa.Global); !ok {
				p := g.pointer(in.X, in.Pos())
				g.addressOfElem(in, p, i)
				return
			}
		}
		g.address(in, g.base(in.X, in.Pos())+"["+i+"]")
		return
	}
	s := g.atom(in.X)
	i := g.indexOf(in, s)
	g.address(in, s+"["+i+"]")
}

// addressOfElem selects an element through a pointer to an array, which yaegi
// can read and write but not take the address of.
func (g *gen) addressOfElem(in *ssa.IndexAddr, p, i string) {
	for _, u := range uses(in) {
		ld, ok := u.(*ssa.UnOp)
		if ok && ld.Op == token.MUL && u.Block() == in.Block() {
			continue
		}
		h := g.l.elemAddr(g.rep(in.X.Type()))
		g.hold(in, fmt.Sprintf("%s(%s, %s)", h, p, i))
		return
	}
	g.address(in, p+"["+i+"]")
}

// indexOf checks an index into the slice or string s and returns its text.
func (g *gen) indexOf(in *ssa.IndexAddr, s string) string {
	if g.proven(in) {
		return g.atom(in.Index)
	}
	return g.checkedIndex(in, in.Index, "len("+s+")", -1, in.Pos())
}

// checkedIndex checks an index against a length.
func (g *gen) checkedIndex(in ssa.Instruction, index ssa.Value, length string, n int64, pos token.Pos) string {
	if c, ok := index.(*ssa.Const); ok {
		k, _ := constant.Int64Val(c.Value)
		if k < n {
			return fmt.Sprint(k)
		}
		g.emit("if %s <= %d { %sx.Index(%d, %s) }", length, k, ln(pos), k, length)
		return fmt.Sprint(k)
	}
	i := g.atom(index)
	b, _ := index.Type().Underlying().(*types.Basic)
	if rep := g.rep(index.Type()); rep != intRep {
		t := g.temp("int")
		g.emit("%s = int(%s)", t, i)
		if b.Kind() == types.Uint64 || b.Kind() == types.Uint || b.Kind() == types.Uintptr {
			g.emit("if %s < 0 { %sx.IndexU(uint64(%s), %s) }", t, ln(pos), i, length)
			g.emit("if %s >= %s { %sx.Index(%s, %s) }", t, length, ln(pos), t, length)
			return t
		}
		i = t
	}
	fact := i + "<" + length
	if g.checked[fact] {
		return i
	}
	if b.Info()&types.IsUnsigned == 0 && !natural(index) {
		g.emit("if %s < 0 { %sx.Index(%s, %s) }", i, ln(pos), i, length)
	}
	g.emit("if %s >= %s { %sx.Index(%s, %s) }", i, length, ln(pos), i, length)
	if g.steady(i) && g.steadyLen(length) {
		g.checked[fact] = true
	}
	return i
}

// natural reports whether an integer cannot be negative: a variable that
// starts at a constant and only ever grows by small constants.
func natural(v ssa.Value) bool {
	if c, ok := v.(*ssa.Const); ok && c.Value != nil && c.Value.Kind() == constant.Int {
		return constant.Sign(c.Value) >= 0
	}
	if add, ok := v.(*ssa.BinOp); ok && add.Op == token.ADD {
		return rangeIndex(v) != nil || smallConst(add.Y) && natural(add.X)
	}
	ld, ok := v.(*ssa.UnOp)
	if !ok || ld.Op != token.MUL {
		return false
	}
	a := localRoot(ld.X)
	if a == nil || ld.X != ssa.Value(a) {
		return false
	}
	if a.Comment == "rangeindex" {
		return true // read outside its increment only in the body
	}
	for _, r := range *a.Referrers() {
		st, ok := r.(*ssa.Store)
		if !ok {
			continue
		}
		if !grows(st.Val, a) {
			return false
		}
	}
	return true
}

// steady reports whether a name changes only by a store that this gen prints:
// it is a temporary or a variable that nothing else can reach.
func (g *gen) steady(name string) bool { return name[0] == 't' || g.private[name] }

func (g *gen) steadyLen(s string) bool {
	if len(s) > 5 && s[:4] == "len(" {
		return g.steady(s[4 : len(s)-1])
	}
	return true
}

func smallConst(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	if !ok || c.Value == nil {
		return false
	}
	k, exact := constant.Int64Val(constant.ToInt(c.Value))
	return exact && k >= 0 && k < 1<<31
}

func grows(v ssa.Value, a *ssa.Alloc) bool {
	switch v := v.(type) {
	case *ssa.Const:
		k, ok := constant.Int64Val(v.Value)
		return ok && k >= 0 && k < 1<<31
	case *ssa.BinOp:
		c, ok := v.Y.(*ssa.Const)
		if !ok || v.Op != token.ADD {
			return false
		}
		k, ok := constant.Int64Val(c.Value)
		ld, isLoad := v.X.(*ssa.UnOp)
		return ok && k >= 0 && k <= 1024 && isLoad && ld.Op == token.MUL && ld.X == ssa.Value(a)
	}
	return rangeIndex(v) != nil
}

// rangeIndex recognises the index of a range loop over an integer, a slice or
// an array and returns the comparison that bounds it.
func rangeIndex(v ssa.Value) *ssa.BinOp {
	add, ok := v.(*ssa.BinOp)
	if !ok || add.Op != token.ADD {
		return nil
	}
	ld, ok := add.X.(*ssa.UnOp)
	if !ok || ld.Op != token.MUL {
		return nil
	}
	a, ok := ld.X.(*ssa.Alloc)
	if !ok || a.Comment != "rangeindex" && a.Comment != "rangeint.iter" {
		return nil
	}
	for _, r := range *add.Referrers() {
		if c, ok := r.(*ssa.BinOp); ok && c.Op == token.LSS && c.X == v {
			return c
		}
	}
	return nil
}

// proven reports whether a test that dominates an index expression already
// bounds it by the length of the same slice.
func (g *gen) proven(in *ssa.IndexAddr) bool {
	if c := rangeIndex(in.Index); c != nil {
		l, ok := c.Y.(*ssa.Call)
		return ok && isBuiltin(&l.Call, "len") && l.Call.Args[0] == in.X && dominatedBy(in.Block(), c)
	}
	idx := plainLoad(in.Index)
	s := plainLoad(in.X)
	if idx != nil && idx.Comment == "rangeindex" {
		return g.provenRange(in, idx, s)
	}
	if idx == nil || !natural(in.Index) {
		return false
	}
	for b := in.Block(); b != nil; b = b.Idom() {
		d := b.Idom()
		if d == nil || len(d.Instrs) == 0 || len(b.Preds) != 1 || b.Preds[0] != d {
			continue
		}
		br, ok := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !ok || d.Succs[0] != b {
			continue
		}
		c, ok := br.Cond.(*ssa.BinOp)
		if !ok || c.Op != token.LSS || plainLoad(c.X) != idx {
			continue
		}
		l, ok := c.Y.(*ssa.Call)
		if !ok || !isBuiltin(&l.Call, "len") {
			continue
		}
		same := l.Call.Args[0] == in.X || s != nil && plainLoad(l.Call.Args[0]) == s
		if same && g.unchanged(b, in, idx) && (s == nil || g.unchanged(b, in, s)) {
			return true
		}
	}
	return false
}

// provenRange is proven for the hidden index of a range loop.
func (g *gen) provenRange(in *ssa.IndexAddr, idx, s *ssa.Alloc) bool {
	for _, r := range *idx.Referrers() {
		st, ok := r.(*ssa.Store)
		if !ok {
			continue
		}
		c := rangeIndex(st.Val)
		if c == nil {
			continue
		}
		l, ok := c.Y.(*ssa.Call)
		if !ok || !isBuiltin(&l.Call, "len") || !dominatedBy(in.Block(), c) {
			return false
		}
		return l.Call.Args[0] == in.X || s != nil && plainLoad(l.Call.Args[0]) == s && !storedAfter(s, l)
	}
	return false
}

// storedAfter reports whether a variable may be assigned once an instruction
// has run.
func storedAfter(a *ssa.Alloc, in ssa.Instruction) bool {
	seen := map[*ssa.BasicBlock]bool{}
	var visit func(b *ssa.BasicBlock) bool
	visit = func(b *ssa.BasicBlock) bool {
		for _, s := range b.Succs {
			if seen[s] {
				continue
			}
			seen[s] = true
			if stores(s.Instrs, a) || visit(s) {
				return true
			}
		}
		return false
	}
	b := in.Block()
	for i, x := range b.Instrs {
		if x == in {
			return stores(b.Instrs[i:], a) || visit(b)
		}
	}
	return true
}

func stores(ins []ssa.Instruction, a *ssa.Alloc) bool {
	for _, in := range ins {
		if st, ok := in.(*ssa.Store); ok && st.Addr == ssa.Value(a) || in == ssa.Instruction(a) {
			return true
		}
	}
	return false
}

func dominatedBy(b *ssa.BasicBlock, c *ssa.BinOp) bool {
	br, ok := c.Block().Instrs[len(c.Block().Instrs)-1].(*ssa.If)
	return ok && br.Cond == ssa.Value(c) && c.Block().Succs[0].Dominates(b) && len(c.Block().Succs[0].Preds) == 1
}

// plainLoad returns the private variable that v is a load of.
func plainLoad(v ssa.Value) *ssa.Alloc {
	ld, ok := v.(*ssa.UnOp)
	if !ok || ld.Op != token.MUL {
		return nil
	}
	a, ok := ld.X.(*ssa.Alloc)
	if !ok || localRoot(a) == nil {
		return nil
	}
	return a
}

// unchanged reports whether no path from the start of block from to the
// instruction at stores to a.
func (g *gen) unchanged(from *ssa.BasicBlock, at ssa.Instruction, a *ssa.Alloc) bool {
	seen := map[*ssa.BasicBlock]bool{}
	var clean func(b *ssa.BasicBlock, end int) bool
	clean = func(b *ssa.BasicBlock, end int) bool {
		for _, in := range b.Instrs[:end] {
			if st, ok := in.(*ssa.Store); ok && st.Addr == ssa.Value(a) || in == ssa.Instruction(a) {
				return false
			}
		}
		if b == from {
			return true
		}
		for _, p := range b.Preds {
			if seen[p] {
				continue
			}
			seen[p] = true
			if !clean(p, len(p.Instrs)) {
				return false
			}
		}
		return true
	}
	return clean(at.Block(), g.index[at])
}

func (g *gen) indexValue(in *ssa.Index) {
	switch u := in.X.Type().Underlying().(type) {
	case *types.Array:
		x := g.variable(in.X)
		i := g.checkedIndex(in, in.Index, fmt.Sprint(u.Len()), u.Len(), in.Pos())
		g.hold(in, x+"["+i+"]")
	default:
		x := g.atomVar(in.X)
		i := g.checkedIndex(in, in.Index, "len("+x+")", -1, in.Pos())
		g.define(in, x+"["+i+"]", readSet{})
	}
}

func (g *gen) lookup(in *ssa.Lookup) {
	if _, ok := in.X.Type().Underlying().(*types.Map); !ok {
		x := g.atomVar(in.X)
		i := g.checkedIndex(in, in.Index, "len("+x+")", -1, in.Pos())
		g.define(in, x+"["+i+"]", readSet{})
		return
	}
	m := g.atom(in.X)
	k := g.mapKey(m, in.X.Type(), in.Index, updated(in), in.Pos())
	if in.CommaOk {
		tup := uses(in)
		val, ok := "", ""
		for _, u := range tup {
			if e, is := u.(*ssa.Extract); is && len(uses(e)) > 0 {
				t := g.temp(g.l.typ(e.Type()))
				g.set(e, t)
				if e.Index == 0 {
					val = t
				} else {
					ok = t
				}
			}
		}
		if val == "" {
			val = g.temp(g.l.typ(in.Type().(*types.Tuple).At(0).Type()))
		}
		if ok == "" {
			ok = g.temp("bool")
		}
		g.emit("%s, %s = %s[%s]", val, ok, m, k)
		return
	}
	g.define(in, m+"["+k+"]", readSet{mem: true})
}

// mapKey is the text of a key of map m; one that may be unhashable is checked.
func (g *gen) mapKey(m string, t types.Type, key ssa.Value, assigns bool, pos token.Pos) string {
	kt := t.Underlying().(*types.Map).Key()
	switch kt.Underlying().(type) {
	case *types.Interface, *types.Struct, *types.Array:
		g.line(pos)
		k := g.atomVar(key)
		if holdsInterface(kt) {
			g.emit("x.Hashable(%s, %s, %t)", m, k, assigns)
		}
		return k
	}
	if isFloat(kt) {
		return g.atomVar(key)
	}
	if _, ok := key.(*ssa.Const); ok && isNilConst(key) {
		return g.atomVar(key)
	}
	return unparen(g.v(key))
}

// updated reports whether an element is read to be changed, as by m[k]++.
func updated(in *ssa.Lookup) bool {
	refs := in.Index.Referrers()
	if refs == nil {
		return false
	}
	for _, u := range *refs {
		if u, ok := u.(*ssa.MapUpdate); ok && u.Map == in.X && u.Key == in.Index {
			return true
		}
	}
	return false
}

// holdsInterface reports whether values of a comparable type may hold ones
// that are not.
func holdsInterface(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Interface:
		return true
	case *types.Array:
		return holdsInterface(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if holdsInterface(f.Type()) {
				return true
			}
		}
	}
	return false
}

func (g *gen) mapUpdate(in *ssa.MapUpdate) {
	m := g.atom(in.Map)
	k := g.mapKey(m, in.Map.Type(), in.Key, true, in.Pos())
	v := g.v(in.Value)
	if !notNil(in.Map) {
		g.line(in.Pos())
	}
	entry := m + "[" + k + "]"
	if _, ok := in.Key.Type().Underlying().(*types.Basic); ok && !isFloat(in.Key.Type()) && g.update(entry, v, in.Value) {
		return
	}
	g.emit("%s = %s", entry, unparen(v))
}

func (g *gen) makeChan(in *ssa.MakeChan) {
	rep := g.rep(in.Type())
	if c, ok := in.Size.(*ssa.Const); ok && rep.ChanDir() == bothDir {
		if n := c.Int64(); n >= 0 && n < 1<<20 {
			g.hold(in, fmt.Sprintf("make(%s, %d)", g.l.text(rep), n))
			return
		}
	}
	g.line(in.Pos())
	g.hold(in, fmt.Sprintf("%s(int(%s))", g.l.makeChanOf(rep), g.atomVar(in.Size)))
}

// varargs recognises the slice that holds the variadic arguments of a call and
// prints it as a literal.
func (g *gen) varargs(in *ssa.Slice) bool {
	a, ok := in.X.(*ssa.Alloc)
	if !ok || a.Comment != "varargs" || a.Block() != in.Block() || in.Low != nil || in.High != nil {
		return false
	}
	arr := elem(a.Type()).Underlying().(*types.Array)
	vals := make([]string, arr.Len())
	for _, r := range *a.Referrers() {
		if r == ssa.Instruction(in) {
			continue
		}
		ia, ok := r.(*ssa.IndexAddr)
		if !ok || g.vararg[ia] == "" {
			return false
		}
		vals[ia.Index.(*ssa.Const).Int64()] = g.vararg[ia]
	}
	text := ""
	for i, v := range vals {
		if i > 0 {
			text += ", "
		}
		text += v
	}
	g.varLits[in] = text
	if len(uses(in)) == 1 && g.rep(in.Type()).Elem() != g.rep(in.Type()) {
		if c, ok := uses(in)[0].(*ssa.Call); ok && isBuiltin(&c.Call, "append") && c.Call.Args[0] != ssa.Value(in) {
			return true
		}
	}
	if g.rep(in.Type()).Elem() == g.rep(in.Type()) {
		// yaegi takes such an element for the slice itself
		g.hold(in, fmt.Sprintf("%s(%s)", g.l.sliceOf(g.rep(in.Type()), len(vals)), text))
		return true
	}
	g.hold(in, fmt.Sprintf("%s{%s}", g.l.typ(in.Type()), text))
	return true
}

// prepareVarargs marks the arrays of variadic arguments that varargs will
// print, so that their stores only remember the values.
func (g *gen) prepareVarargs(b *ssa.BasicBlock) {
	for _, in := range b.Instrs {
		a, ok := in.(*ssa.Alloc)
		if !ok || a.Comment != "varargs" {
			continue
		}
		var stores []*ssa.Store
		good := true
		for _, r := range *a.Referrers() {
			switch r := r.(type) {
			case *ssa.Slice:
				good = good && r.Block() == b && r.Low == nil && r.High == nil
			case *ssa.IndexAddr:
				c, isConst := r.Index.(*ssa.Const)
				refs := *r.Referrers()
				good = good && isConst && c != nil && len(refs) == 1 && r.Block() == b
				if good {
					st, isStore := refs[0].(*ssa.Store)
					good = isStore && st.Addr == ssa.Value(r) && st.Block() == b
					stores = append(stores, st)
				}
			default:
				good = false
			}
		}
		if !good || int64(len(stores)) != elem(a.Type()).Underlying().(*types.Array).Len() {
			continue
		}
		g.skip[a] = true
		for _, st := range stores {
			g.skip[st.Addr.(*ssa.IndexAddr)] = true
			g.varStore[st] = st.Addr.(*ssa.IndexAddr)
		}
	}
}
