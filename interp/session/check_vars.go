package session

import (
	"go/ast"
	"go/token"
	"go/types"
)

type alias struct{ alias, old *types.Var }

// newVars lists the variables that statements at the top level declare.
func (c *checker) newVars(p *plan) []*types.Var {
	var fd *ast.FuncDecl
	for _, d := range c.pc.stmts.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			fd = f
		}
	}
	scope := p.info.Scopes[fd.Type]
	var out []*types.Var
	if scope == nil {
		return nil
	}
	for _, n := range scope.Names() {
		if v, ok := scope.Lookup(n).(*types.Var); ok {
			out = append(out, v)
		}
	}
	return out
}

// rewrite turns the declarations of vars into assignments to variables of the
// session: the old one where name and type are the same.
func (c *checker) rewrite(p *plan, vars []*types.Var) (fresh []*types.Var, aliases []alias) {
	if len(vars) == 0 {
		return nil, nil
	}
	home := types.NewPackage("main", "vars")
	byName := map[string]*types.Var{}
	replaced := map[types.Object]bool{}
	for _, v := range vars {
		if mine := c.hoistedVar(v.Name()); mine != nil {
			if e := c.s.live[v.Name()]; e != nil {
				if old, ok := e.obj.(*types.Var); ok {
					replaced[old] = true
				}
			}
			byName[v.Name()] = mine
			fresh = append(fresh, mine)
			continue
		}
		if e := c.s.live[v.Name()]; e != nil {
			if old, ok := e.obj.(*types.Var); ok {
				if types.Identical(old.Type(), v.Type()) {
					byName[v.Name()] = old
					fresh = append(fresh, old)
					continue
				}
				replaced[old] = true
			}
		}
		n := types.NewVar(v.Pos(), home, v.Name(), v.Type())
		home.Scope().Insert(n)
		byName[v.Name()] = n
		fresh = append(fresh, n)
	}
	mine := map[types.Object]bool{}
	for _, v := range vars {
		mine[v] = true
	}
	// Uses of an older variable that a new one of another type hides.
	made := map[types.Object]*types.Var{}
	for id, obj := range p.info.Uses {
		if !replaced[obj] {
			continue
		}
		a := made[obj]
		if a == nil {
			a = types.NewVar(obj.Pos(), home, obj.Name()+"·old", obj.Type())
			home.Scope().Insert(a)
			made[obj] = a
			aliases = append(aliases, alias{a, obj.(*types.Var)})
		}
		id.Name = a.Name()
	}
	var list []ast.Stmt
	for _, st := range c.pc.body.List {
		list = append(list, assignments(st, mine, p.info)...)
	}
	c.pc.body.List = list
	return fresh, aliases
}

// hoistedVar is the variable that stands among the declarations for one of the
// statements, nil if there is none.
func (c *checker) hoistedVar(name string) *types.Var {
	if c.first != nil {
		for _, o := range c.first.objects {
			if o.Name() == name && c.isHoisted(o) {
				return o.(*types.Var)
			}
		}
	}
	return nil
}

// assignments rewrites one statement.
func assignments(st ast.Stmt, mine map[types.Object]bool, info *types.Info) []ast.Stmt {
	switch st := st.(type) {
	case *ast.LabeledStmt:
		in := assignments(st.Stmt, mine, info)
		st.Stmt = in[0]
		return append([]ast.Stmt{st}, in[1:]...)
	case *ast.AssignStmt:
		if st.Tok == token.DEFINE {
			st.Tok = token.ASSIGN
		}
	case *ast.DeclStmt:
		g := st.Decl.(*ast.GenDecl)
		if g.Tok != token.VAR {
			return []ast.Stmt{st}
		}
		var out []ast.Stmt
		for _, sp := range g.Specs {
			out = append(out, assignSpec(sp.(*ast.ValueSpec))...)
		}
		return out
	}
	return []ast.Stmt{st}
}

func assignSpec(v *ast.ValueSpec) []ast.Stmt {
	lhs := make([]ast.Expr, len(v.Names))
	for i, n := range v.Names {
		lhs[i] = n
	}
	if len(v.Values) > 0 {
		return []ast.Stmt{&ast.AssignStmt{Lhs: lhs, TokPos: v.Pos(), Tok: token.ASSIGN, Rhs: v.Values}}
	}
	var out []ast.Stmt
	for _, n := range lhs {
		if id, ok := n.(*ast.Ident); ok && id.Name == "_" {
			continue
		}
		zero := &ast.StarExpr{Star: n.Pos(), X: &ast.CallExpr{Fun: &ast.Ident{Name: "new", NamePos: n.Pos()}, Lparen: n.Pos(), Args: []ast.Expr{v.Type}, Rparen: n.End()}}
		out = append(out, &ast.AssignStmt{Lhs: []ast.Expr{n}, TokPos: n.Pos(), Tok: token.ASSIGN, Rhs: []ast.Expr{zero}})
	}
	if len(out) == 0 {
		out = append(out, &ast.EmptyStmt{Semicolon: v.Pos()})
	}
	return out
}
