package session

import (
	"go/ast"
	"go/types"
	"strings"
)

// keyLiterals adds the field names to struct literals without them: go/types
// compares packages by pointer there and takes the type of an earlier cell for
// that of another package. It reports whether it changed anything.
func (c *checker) keyLiterals(p *plan, errs []types.Error) bool {
	need := false
	for _, e := range errs {
		need = need || strings.HasPrefix(e.Msg, "implicit assignment to unexported field")
	}
	if !need {
		return false
	}
	changed := false
	for _, f := range []*ast.File{c.pc.decls, c.pc.stmts} {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			if _, keyed := lit.Elts[0].(*ast.KeyValueExpr); keyed {
				return true
			}
			t := p.info.Types[lit].Type
			if t == nil {
				return true
			}
			if ptr, ok := t.Underlying().(*types.Pointer); ok {
				t = ptr.Elem()
			}
			st, ok := t.Underlying().(*types.Struct)
			if !ok || st.NumFields() != len(lit.Elts) {
				return true
			}
			for i := range lit.Elts {
				fl := st.Field(i)
				if fl.Name() == "_" || !fl.Exported() && fl.Pkg() != nil && fl.Pkg().Path() != "main" {
					return true
				}
			}
			for i, e := range lit.Elts {
				lit.Elts[i] = &ast.KeyValueExpr{Key: &ast.Ident{Name: st.Field(i).Name(), NamePos: e.Pos()}, Colon: e.Pos(), Value: e}
			}
			changed = true
			return true
		})
	}
	return changed
}
