package lower

import (
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

func (g *gen) equality(in *ssa.BinOp) {
	op := in.Op.String()
	if isNilConst(in.Y) {
		g.define(in, g.nilOperand(in.X)+" "+op+" nil", readSet{})
		return
	}
	if isNilConst(in.X) {
		g.define(in, g.nilOperand(in.Y)+" "+op+" nil", readSet{})
		return
	}
	switch in.X.Type().Underlying().(type) {
	case *types.Interface, *types.Struct, *types.Array:
		g.compare(in)
		return
	case *types.Chan:
		if g.rep(in.X.Type()) == g.rep(in.Y.Type()) || types.IsInterface(in.Y.Type()) {
			break
		}
		t := g.temp("bool")
		g.emit("%s = x.SameChan(%s, %s)", t, g.atomVar(in.X), g.atomVar(in.Y))
		g.define(in, map[token.Token]string{token.NEQ: "!"}[in.Op]+t, readSet{})
		return
	}
	if types.IsInterface(in.Y.Type()) {
		g.compare(in)
		return
	}
	if isPointer(in.X.Type()) || isChan(in.X.Type()) {
		g.define(in, g.atom(in.X)+" "+op+" "+g.atom(in.Y), readSet{})
		return
	}
	g.define(in, g.operand(in.X, in.Op.Precedence()+1)+" "+op+" "+g.operand(in.Y, in.Op.Precedence()+1), readSet{})
}

// nilOperand is the operand of a comparison with nil: yaegi can compare
// variables with it, not compiled constants.
func (g *gen) nilOperand(x ssa.Value) string {
	s := g.atomVar(x)
	if !strings.Contains(s, ".") {
		return s
	}
	t := g.temp(g.l.typ(x.Type()))
	g.emit("%s = %s", t, s)
	return t
}

func isChan(t types.Type) bool { _, ok := t.Underlying().(*types.Chan); return ok }

func isNilConst(x ssa.Value) bool {
	c, ok := x.(*ssa.Const)
	if !ok || c.Value != nil {
		return false
	}
	switch c.Type().Underlying().(type) {
	case *types.Struct, *types.Array:
		return false
	}
	return true
}

// compare calls the compiled comparison.
func (g *gen) compare(in *ssa.BinOp) {
	g.line(in.Pos())
	t := g.temp("bool")
	x, y := g.atom(in.X), g.atom(in.Y)
	g.emit("%s = x.Equal(%s, %s)", t, x, y)
	if in.Op == token.NEQ {
		g.define(in, "!"+t, readSet{})
		return
	}
	g.set(in, t)
}
