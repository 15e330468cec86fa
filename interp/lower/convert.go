package lower

import (
	"fmt"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

func (g *gen) changeType(in *ssa.ChangeType) {
	if g.rep(in.X.Type()) == g.rep(in.Type()) {
		if _, ok := in.X.(*ssa.Const); ok {
			g.define(in, g.v(in.X), readSet{})
			return
		}
		if _, isPlace := g.place[in.X]; isPlace {
			g.hold(in, g.v(in.X))
			return
		}
		g.define(in, g.v(in.X), readSet{})
		return
	}
	if _, ok := in.X.Type().Underlying().(*types.Basic); ok {
		x := g.v(in.X)
		if _, ok := in.X.(*ssa.Const); ok {
			x = g.atomVar(in.X)
		}
		g.define(in, g.l.typ(in.Type())+"("+unparen(x)+")", readSet{})
		return
	}
	g.hold(in, fmt.Sprintf("%s(%s)", g.l.convert(g.rep(in.X.Type()), g.rep(in.Type())), g.v(in.X)))
}

func (g *gen) conversion(in *ssa.Convert) {
	from, to := in.X.Type().Underlying(), in.Type().Underlying()
	fb, _ := from.(*types.Basic)
	tb, _ := to.(*types.Basic)
	if fb != nil && fb.Kind() == types.UnsafePointer || tb != nil && tb.Kind() == types.UnsafePointer {
		refuse(in.Pos(), "unsafe.Pointer is not supported in cells")
	}
	x := g.v(in.X)
	if _, ok := in.X.(*ssa.Const); ok {
		x = g.atomVar(in.X)
	}
	if fb != nil && tb != nil && fb.Info()&types.IsNumeric != 0 && tb.Info()&types.IsNumeric != 0 {
		if tb.Info()&types.IsUnsigned != 0 && fb.Info()&types.IsFloat != 0 || fb.Info()&types.IsComplex != 0 {
			g.hold(in, fmt.Sprintf("%s(%s)", g.l.numeric(g.rep(in.X.Type()), g.rep(in.Type())), x))
			return
		}
		g.define(in, g.l.typ(in.Type())+"("+unparen(x)+")", readSet{})
		return
	}
	// strings, bytes and runes: a copy must not be delayed
	g.hold(in, fmt.Sprintf("%s(%s)", g.l.convert(g.rep(in.X.Type()), g.rep(in.Type())), x))
}

func (g *gen) changeInterface(in *ssa.ChangeInterface) {
	from, to := g.rep(in.X.Type()), g.rep(in.Type())
	switch {
	case from == to:
		g.define(in, g.v(in.X), readSet{})
	case to == anyRep || from.Kind() == reflect.Interface && from != anyRep && from.Implements(to):
		g.hold(in, g.atom(in.X))
	default:
		t := g.temp(g.l.typ(in.Type()))
		h, _ := g.l.assertOrNil(in.X.Type(), in.Type())
		g.emit("%s = %s(%s)", t, h, g.v(in.X))
		g.set(in, t)
	}
}

func (g *gen) makeInterface(in *ssa.MakeInterface) {
	t := in.X.Type()
	to := g.rep(in.Type())
	if g.l.world.IsNative(t) {
		if c, ok := in.X.(*ssa.Const); ok && c.Value != nil {
			g.define(in, g.l.constant(c, g.rep(t)), readSet{})
			return
		}
		if _, ok := in.X.(*ssa.Function); ok {
			x := g.hold(in.X, g.v(in.X))
			g.define(in, x, readSet{})
			return
		}
		g.hold(in, g.variable(in.X))
		return
	}
	d := g.l.desc(t)
	x := g.variable(in.X)
	if to == anyRep {
		g.hold(in, fmt.Sprintf("x.Box(%s, %s)", d, x))
		return
	}
	g.hold(in, fmt.Sprintf("%s(%s)", g.l.toInterface(t, in.Type(), x), x))
}

// variadicArg is an argument that waits for the call it belongs to.
func (g *gen) variadicArg(x ssa.Value) string {
	if _, ok := x.(*ssa.Const); ok {
		return g.v(x)
	}
	if s := g.v(x); g.simple[x] && len(g.readsOf(x).locals) == 0 || strings.HasPrefix(s, "x.C") {
		return s
	}
	return g.hold(x, g.v(x))
}
