package session

import (
	"go/ast"
	"go/types"
	"strings"
)

// lastExpr returns the expression that a cell ends with.
func (c *checker) lastExpr() (*ast.ExprStmt, bool) {
	if n := len(c.pc.body.List); n > 0 {
		e, ok := c.pc.body.List[n-1].(*ast.ExprStmt)
		return e, ok
	}
	return nil, false
}

func show(e ast.Expr) ast.Expr {
	return &ast.CallExpr{
		Fun:  &ast.SelectorExpr{X: &ast.Ident{Name: "show·", NamePos: e.Pos()}, Sel: &ast.Ident{Name: "Show", NamePos: e.Pos()}},
		Args: []ast.Expr{e}, Lparen: e.Pos(), Rparen: e.End(),
	}
}

// wrapNonCall makes a cell show its last expression, unless that is a call,
// which may have no value.
func (c *checker) wrapNonCall() {
	e, ok := c.lastExpr()
	if !ok {
		return
	}
	x := ast.Unparen(e.X)
	if _, ok := x.(*ast.CallExpr); ok {
		return
	}
	e.X = show(x)
	c.wrapped = true
}

// wrapUnused wraps a last call whose value must be used: a conversion or a
// builtin.
func (c *checker) wrapUnused(errs []types.Error) bool {
	e, ok := c.lastExpr()
	if !ok || c.wrapped {
		return false
	}
	for _, er := range errs {
		if strings.Contains(er.Msg, "is not used") && er.Pos >= e.Pos() && er.Pos <= e.End() {
			e.X = show(e.X)
			c.wrapped = true
			return true
		}
	}
	return false
}

// wrapCall wraps a last call that has a value.
func (c *checker) wrapCall(info *types.Info) bool {
	e, ok := c.lastExpr()
	if !ok || c.wrapped {
		return false
	}
	tv, ok := info.Types[e.X]
	if !ok || tv.IsVoid() || tv.IsType() || tv.Type == nil {
		return false
	}
	if tup, ok := tv.Type.(*types.Tuple); ok && tup.Len() == 0 {
		return false
	}
	if quiet(info, e.X) {
		return false
	}
	e.X = show(e.X)
	c.wrapped = true
	return true
}

// quiet reports whether nobody wants to see the results of a call: the byte
// counts of fmt's printing functions.
func quiet(info *types.Info, e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := info.Uses[sel.Sel].(*types.Func)
	if !ok || f.Pkg() == nil {
		return false
	}
	return f.Pkg().Path() == "fmt" && (strings.HasPrefix(f.Name(), "Print") || strings.HasPrefix(f.Name(), "Fprint"))
}
