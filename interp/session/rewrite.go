package session

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/astutil"
)

// mend rewrites what go/ssa builds otherwise than Go means it.
func mend(files []*ast.File, info *types.Info) {
	rangeOverNothing(files, info)
	indexInOrder(files, info)
}

// indexInOrder rewrites a[i] where a is an array or a string, and both call
// something: go/ssa evaluates the index first then, and Go what stands first. What
// has an address is indexed through it, *&a[i]; the rest, which nothing else can
// change, goes with its index through func(a A, i I) E { return a[i] }(a, i).
func indexInOrder(files []*ast.File, info *types.Info) {
	for _, f := range files {
		lazy := addressed(f, info)
		astutil.Apply(f, nil, func(c *astutil.Cursor) bool {
			e, ok := c.Node().(*ast.IndexExpr)
			if !ok || lazy[e] || !info.Types[e].IsValue() || !hasCall(e.X, info) || !hasCall(e.Index, info) {
				return true
			}
			switch t := info.TypeOf(e.X).Underlying().(type) {
			case *types.Array:
				if info.Types[e.X].Addressable() {
					c.Replace(throughAddress(e, info))
				} else {
					c.Replace(throughCall(e, info))
				}
			case *types.Basic:
				if t.Info()&types.IsString != 0 {
					c.Replace(throughCall(e, info))
				}
			}
			return true
		})
	}
}

// addressed are the index expressions whose address is taken, or which are assigned
// to: those go/ssa builds in order, and checks their bounds when Go does.
func addressed(f *ast.File, info *types.Info) map[*ast.IndexExpr]bool {
	out := map[*ast.IndexExpr]bool{}
	var mark func(e ast.Expr)
	mark = func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.ParenExpr:
			mark(e.X)
		case *ast.SelectorExpr:
			mark(e.X)
		case *ast.IndexExpr:
			if t := info.TypeOf(e.X); t != nil {
				if _, ok := t.Underlying().(*types.Array); ok {
					out[e] = true
					mark(e.X)
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				mark(e)
			}
		case *ast.IncDecStmt:
			mark(n.X)
		case *ast.RangeStmt:
			mark(n.Key)
			mark(n.Value)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				mark(n.X)
			}
		case *ast.SliceExpr:
			mark(n.X)
		}
		return true
	})
	return out
}

// like is what the checker knows of an expression, for one of another type.
func like(tv types.TypeAndValue, t types.Type) types.TypeAndValue {
	tv.Type, tv.Value = t, nil
	return tv
}

// throughAddress is *&e.
func throughAddress(e *ast.IndexExpr, info *types.Info) ast.Expr {
	tv := info.Types[e]
	at := &ast.UnaryExpr{OpPos: e.Pos(), Op: token.AND, X: e}
	star := &ast.StarExpr{Star: e.Pos(), X: at}
	info.Types[at], info.Types[star] = types.TypeAndValue{Type: types.NewPointer(tv.Type)}, tv // an address has none itself
	return star
}

// throughCall is func(a A, i I) E { return a[i] }(e.X, e.Index).
func throughCall(e *ast.IndexExpr, info *types.Info) ast.Expr {
	tv := info.Types[e]
	var params []*types.Var
	var fields []*ast.Field
	var uses []ast.Expr
	for _, arg := range []struct {
		name string
		e    ast.Expr
	}{{"a", e.X}, {"i", e.Index}} {
		v := types.NewParam(arg.e.Pos(), nil, arg.name, types.Default(info.TypeOf(arg.e)))
		def, use := &ast.Ident{NamePos: arg.e.Pos(), Name: arg.name}, &ast.Ident{NamePos: arg.e.Pos(), Name: arg.name}
		info.Defs[def], info.Uses[use], info.Types[use] = v, v, like(tv, v.Type())
		params, uses = append(params, v), append(uses, use)
		fields = append(fields, &ast.Field{Names: []*ast.Ident{def}, Type: &ast.BadExpr{From: arg.e.Pos(), To: arg.e.End()}})
	}
	sig := types.NewSignatureType(nil, nil, nil, types.NewTuple(params...), types.NewTuple(types.NewParam(e.Pos(), nil, "", tv.Type)), false)
	index := &ast.IndexExpr{X: uses[0], Lbrack: e.Lbrack, Index: uses[1], Rbrack: e.Rbrack}
	lit := &ast.FuncLit{
		Type: &ast.FuncType{Func: e.Pos(), Params: &ast.FieldList{Opening: e.Pos(), List: fields, Closing: e.Pos()},
			Results: &ast.FieldList{List: []*ast.Field{{Type: &ast.BadExpr{From: e.Pos(), To: e.Pos()}}}}},
		Body: &ast.BlockStmt{Lbrace: e.Pos(), List: []ast.Stmt{&ast.ReturnStmt{Return: e.Pos(), Results: []ast.Expr{index}}}, Rbrace: e.End()},
	}
	call := &ast.CallExpr{Fun: lit, Lparen: e.Pos(), Args: []ast.Expr{e.X, e.Index}, Rparen: e.Rbrack}
	info.Types[index], info.Types[lit], info.Types[lit.Type], info.Types[call] = tv, like(tv, sig), like(tv, sig), tv
	return call
}

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
