package lower

import (
	"fmt"
	"go/constant"
	"go/types"
	"math"

	"golang.org/x/tools/go/ssa"
)

func (g *gen) makeSlice(in *ssa.MakeSlice) {
	n := g.intAtom(in.Len)
	c := n
	if in.Cap != in.Len {
		c = g.intAtom(in.Cap)
	}
	most := maxElems(g.rep(in.Type()).Elem().Size())
	g.line(in.Pos())
	if k, ok := in.Len.(*ssa.Const); !ok || k.Int64() < 0 || k.Int64() > most {
		g.emit("if %s < 0 { %sx.MakeLen() }", n, ln(in.Pos()))
		g.emit("if %s > %d { %sx.MakeLen() }", n, most, ln(in.Pos()))
	}
	if c != n {
		g.emit("if %s < %s { %sx.MakeCap() }", c, n, ln(in.Pos()))
		g.emit("if %s > %d { %sx.MakeCap() }", c, most, ln(in.Pos()))
		g.hold(in, fmt.Sprintf("make(%s, %s, %s)", g.l.typ(in.Type()), n, c))
		return
	}
	g.hold(in, fmt.Sprintf("make(%s, %s)", g.l.typ(in.Type()), n))
}

// maxElems is the greatest number of elements of this size that Go's runtime
// lets one allocation have.
func maxElems(size uintptr) int64 {
	const maxAlloc = 1 << 48
	if size == 0 {
		return math.MaxInt64
	}
	return maxAlloc / int64(size)
}

// intAtom is an integer of any type as a variable of type int.
func (g *gen) intAtom(x ssa.Value) string {
	if c, ok := x.(*ssa.Const); ok {
		n := c.Int64()
		if u := constant.ToInt(c.Value); constant.Sign(u) > 0 && n < 0 {
			n = -1
		}
		t := g.temp("int")
		if n > 1<<62 || n < 0 {
			g.emit("%s = %s", t, g.l.constantInt(n))
		} else {
			g.emit("%s = %d", t, n)
		}
		return t
	}
	s := g.atom(x)
	if g.rep(x.Type()) == intRep {
		return s
	}
	t := g.temp("int")
	g.emit("%s = int(%s)", t, s)
	b, _ := x.Type().Underlying().(*types.Basic)
	if b.Info()&types.IsUnsigned != 0 && (b.Kind() == types.Uint64 || b.Kind() == types.Uint || b.Kind() == types.Uintptr) {
		g.emit("if %s < 0 { %s = -1 }", t, t)
	}
	return t
}

func (g *gen) slice(in *ssa.Slice) {
	kind := sliceOfSlice
	var x, length, capacity string
	if p, ok := in.X.Type().Underlying().(*types.Pointer); ok {
		n := p.Elem().Underlying().(*types.Array).Len()
		if g.varargs(in) {
			return
		}
		kind = sliceOfArray
		if a, ok := in.X.(*ssa.Alloc); ok && a.Comment == "makeslice" && in.High != nil {
			hi := g.intAtom(in.High)
			g.emit("if %s < 0 { %sx.MakeLen() }", hi, ln(in.Pos()))
			g.emit("if %s > %d { %sx.MakeCap() }", hi, n, ln(in.Pos()))
		}
		if pl, ok := g.place[in.X]; ok {
			x = pl
		} else if gl, ok := in.X.(*ssa.Global); ok {
			x = g.l.global(gl)
		} else {
			x = g.pointer(in.X, in.Pos())
		}
		length = fmt.Sprint(n)
		capacity = length
	} else {
		x = g.atomVar(in.X)
		length = "len(" + x + ")"
		capacity = "cap(" + x + ")"
		if b, ok := in.X.Type().Underlying().(*types.Basic); ok && b.Info()&types.IsString != 0 {
			kind = sliceOfString
			capacity = length
		}
	}
	g.hold(in, g.sliceText(in, x, length, capacity, kind))
}

// What is sliced; Go words its faults accordingly.
const (
	sliceOfSlice  = 'c'
	sliceOfArray  = 'a'
	sliceOfString = 's'
)

func (g *gen) sliceText(in *ssa.Slice, x, length, capacity string, kind rune) string {
	if in.Low == nil && in.High == nil && in.Max == nil {
		return x + "[:]"
	}
	lo := "0"
	if in.Low != nil {
		lo = g.intAtom(in.Low)
	}
	bad := func(cond, fault, a, b string) {
		g.emit("if %s { %sx.SliceFault(%q, %s, %s) }", cond, ln(in.Pos()), fault, a, b)
	}
	// The operands as written, for the message: an unsigned one may be beyond int.
	low, high, max := "0", "", ""
	if in.Low != nil {
		low = g.faultOperand(in.Low, lo)
	}
	word := "length"
	if kind == sliceOfSlice {
		word = "capacity"
	}
	check := func(operand ssa.Value, n, shown, limit, shownLimit, above, beyond string) {
		if operand == nil {
			return
		}
		if !known(operand) {
			bad(n+" < 0", above, shown, shownLimit)
		}
		bad(n+" > "+limit, beyond, shown, shownLimit)
	}
	if in.Max != nil {
		hi, mx := g.intAtom(in.High), g.intAtom(in.Max)
		high, max = g.faultOperand(in.High, hi), g.faultOperand(in.Max, mx)
		check(in.Max, mx, max, capacity, capacity, "[::%x] with "+word+" %y", "[::%x] with "+word+" %y")
		check(in.High, hi, high, mx, max, "[:%x:%y]", "[:%x:%y]")
		check(in.Low, lo, low, hi, high, "[%x:%y:]", "[%x:%y:]")
		return fmt.Sprintf("%s[%s:%s:%s]", x, lo, hi, mx)
	}
	hi := length
	high = hi
	if in.High != nil {
		hi = g.intAtom(in.High)
		high = g.faultOperand(in.High, hi)
		check(in.High, hi, high, capacity, capacity, "[:%x] with "+word+" %y", "[:%x] with "+word+" %y")
	}
	check(in.Low, lo, low, hi, high, "[%x:%y]", "[%x:%y]")
	if in.High == nil {
		return fmt.Sprintf("%s[%s:]", x, lo)
	}
	return fmt.Sprintf("%s[%s:%s]", x, lo, hi)
}

// faultOperand is an index as a fault shows it: as written if it may be too
// large for an int, in which case n, its value as one, is -1.
func (g *gen) faultOperand(x ssa.Value, n string) string {
	if c, ok := x.(*ssa.Const); ok {
		if constant.Sign(constant.ToInt(c.Value)) > 0 && c.Int64() < 0 {
			return g.l.constant(c, g.rep(x.Type()))
		}
		return n
	}
	b, _ := x.Type().Underlying().(*types.Basic)
	if b != nil && b.Info()&types.IsUnsigned != 0 {
		return g.atom(x)
	}
	return n
}

func known(x ssa.Value) bool {
	c, ok := x.(*ssa.Const)
	return ok && c.Int64() >= 0
}
