package session

import (
	"go/ast"
	"go/token"
	"go/types"
)

// rangeOverNothing rewrites range statements over *p for a pointer to an array
// that use no element: Go does not evaluate *p then, and p may be nil, where
// go/ssa loads the array. The range over p itself means the same.
func rangeOverNothing(files []*ast.File, info *types.Info) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok || r.Value != nil && !isBlank(r.Value) {
				return true
			}
			star, ok := ast.Unparen(r.X).(*ast.StarExpr)
			if !ok || hasCall(star.X, info) {
				return true
			}
			if t := info.TypeOf(star); t != nil {
				if _, ok := t.Underlying().(*types.Array); ok {
					r.X = star.X
				}
			}
			return true
		})
	}
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// hasCall reports whether an expression calls a function or receives.
func hasCall(e ast.Expr, info *types.Info) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			found = found || !info.Types[n.Fun].IsType()
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		}
		return !found
	})
	return found
}
