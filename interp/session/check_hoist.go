package session

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// A function that a cell declares may use the variables that the statements of
// the same cell declare, as it may use those of earlier cells. Their types are
// found with the bodies of the functions left out; then the variables stand
// beside the functions as declarations of the package, and the statements set
// them.

// hoist adds to the declarations of the cell the variables of its statements
// that they mention.
func (c *checker) hoist() {
	wanted := c.wanted()
	if len(wanted) == 0 {
		return
	}
	c.bodiless = true
	if c.usesMust() {
		c.resolveMust()
	}
	p, _ := c.pass(nil)
	c.bodiless = false
	s := speller{own: p.pkg, hidden: map[string]types.Type{}}
	for _, v := range c.newVars(p) {
		if !wanted[v.Name()] {
			continue
		}
		delete(wanted, v.Name())
		if e := c.s.live[v.Name()]; e != nil {
			if old, ok := e.obj.(*types.Var); ok && types.Identical(old.Type(), v.Type()) {
				continue // the functions see the session's variable
			}
		}
		typ := s.spell(v.Type(), v.Pos())
		if typ == nil {
			c.unknown[v.Name()] = true
			continue
		}
		name := &ast.Ident{Name: v.Name(), NamePos: v.Pos()}
		c.hoisted = append(c.hoisted, &ast.GenDecl{Tok: token.VAR, TokPos: v.Pos(), Specs: []ast.Spec{&ast.ValueSpec{Names: []*ast.Ident{name}, Type: typ}}})
	}
	for name := range wanted {
		c.unknown[name] = true
	}
	c.hidden = s.hidden
}

// wanted lists the names that the cell's statements declare and its functions
// mention.
func (c *checker) wanted() map[string]bool {
	declared := map[string]bool{}
	for _, st := range c.pc.body.List {
		for l, ok := st.(*ast.LabeledStmt); ok; l, ok = st.(*ast.LabeledStmt) {
			st = l.Stmt
		}
		switch st := st.(type) {
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE {
				for _, l := range st.Lhs {
					if id, ok := l.(*ast.Ident); ok && id.Name != "_" {
						declared[id.Name] = true
					}
				}
			}
		case *ast.DeclStmt:
			for _, sp := range st.Decl.(*ast.GenDecl).Specs {
				if v, ok := sp.(*ast.ValueSpec); ok {
					for _, n := range v.Names {
						declared[n.Name] = n.Name != "_"
					}
				}
			}
		}
	}
	wanted := map[string]bool{}
	for _, d := range c.pc.decls.Decls {
		ast.Inspect(d, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && declared[id.Name] {
				wanted[id.Name] = true
			}
			return true
		})
	}
	for name := range c.declared() { // a declaration of the cell's own
		delete(wanted, name)
	}
	return wanted
}

// withoutBodies is a file whose functions have none.
func withoutBodies(f *ast.File) *ast.File {
	g := *f
	g.Decls = nil
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.FuncDecl); ok {
			bare := *fd
			bare.Body = nil
			d = &bare
		}
		g.Decls = append(g.Decls, d)
	}
	return &g
}

// checkBoth checks the cell once. With hoisted variables the declarations are
// a package of their own, in which no statement can hide them.
func (c *checker) checkBoth() (*plan, []types.Error) {
	if len(c.hoisted) == 0 {
		p, errs := c.pass(nil)
		return p, c.known(errs)
	}
	errs := c.declareFirst()
	if len(errs) == 0 {
		return c.pass(nil)
	}
	c.first = nil
	p, more := c.pass(nil)
	for _, e := range more {
		if c.pc.stmts.FileStart <= e.Pos && e.Pos <= c.pc.stmts.FileEnd {
			errs = append(errs, e)
		}
	}
	return p, c.known(errs)
}

// known drops complaints about variables whose own statement is at fault.
func (c *checker) known(errs []types.Error) []types.Error {
	var out []types.Error
	for _, e := range errs {
		if name, ok := strings.CutPrefix(e.Msg, "undefined: "); !ok || !c.unknown[name] {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return errs
	}
	return out
}

// speller writes types as syntax. What does not hang on the cell's own
// declarations gets a name that no cell can have.
type speller struct {
	own    *types.Package
	hidden map[string]types.Type
}

// spell returns the syntax of t, nil if it has none.
func (s *speller) spell(t types.Type, pos token.Pos) ast.Expr {
	if !types.IsInterface(t) && !valid(t) {
		return nil
	}
	if !mentions(t, s.own, map[types.Type]bool{}) {
		name := fmt.Sprintf("type·%d", len(s.hidden))
		s.hidden[name] = t
		return &ast.Ident{Name: name, NamePos: pos}
	}
	switch t := t.(type) {
	case *types.Alias:
		return s.spell(types.Unalias(t), pos)
	case *types.Named:
		id := &ast.Ident{Name: t.Obj().Name(), NamePos: pos}
		if t.TypeArgs().Len() == 0 {
			if t.Obj().Parent() != s.own.Scope() {
				return nil
			}
			return id
		}
		var base ast.Expr = id
		if t.Obj().Pkg() != s.own {
			name := fmt.Sprintf("type·%d", len(s.hidden))
			s.hidden[name] = t.Origin()
			base = &ast.Ident{Name: name, NamePos: pos}
		}
		x := &ast.IndexListExpr{X: base, Lbrack: pos, Rbrack: pos}
		for a := range t.TypeArgs().Types() {
			e := s.spell(a, pos)
			if e == nil {
				return nil
			}
			x.Indices = append(x.Indices, e)
		}
		return x
	case *types.Pointer:
		if e := s.spell(t.Elem(), pos); e != nil {
			return &ast.StarExpr{Star: pos, X: e}
		}
	case *types.Slice:
		if e := s.spell(t.Elem(), pos); e != nil {
			return &ast.ArrayType{Lbrack: pos, Elt: e}
		}
	case *types.Array:
		if e := s.spell(t.Elem(), pos); e != nil {
			return &ast.ArrayType{Lbrack: pos, Len: &ast.BasicLit{Kind: token.INT, ValuePos: pos, Value: fmt.Sprint(t.Len())}, Elt: e}
		}
	case *types.Map:
		k, e := s.spell(t.Key(), pos), s.spell(t.Elem(), pos)
		if k != nil && e != nil {
			return &ast.MapType{Map: pos, Key: k, Value: e}
		}
	case *types.Chan:
		if e := s.spell(t.Elem(), pos); e != nil {
			dir := map[types.ChanDir]ast.ChanDir{types.SendRecv: ast.SEND | ast.RECV, types.SendOnly: ast.SEND, types.RecvOnly: ast.RECV}[t.Dir()]
			return &ast.ChanType{Begin: pos, Arrow: pos, Dir: dir, Value: e}
		}
	case *types.Signature:
		return s.signature(t, pos)
	case *types.Struct:
		return s.structure(t, pos)
	}
	return nil
}

func (s *speller) signature(t *types.Signature, pos token.Pos) ast.Expr {
	f := &ast.FuncType{Func: pos, Params: &ast.FieldList{}, Results: &ast.FieldList{}}
	for i, tup := range []*types.Tuple{t.Params(), t.Results()} {
		for j := range tup.Len() {
			typ := tup.At(j).Type()
			last := i == 0 && t.Variadic() && j == tup.Len()-1
			if last {
				typ = typ.(*types.Slice).Elem()
			}
			e := s.spell(typ, pos)
			if e == nil {
				return nil
			}
			if last {
				e = &ast.Ellipsis{Ellipsis: pos, Elt: e}
			}
			list := []*ast.FieldList{f.Params, f.Results}[i]
			list.List = append(list.List, &ast.Field{Type: e})
		}
	}
	return f
}

func (s *speller) structure(t *types.Struct, pos token.Pos) ast.Expr {
	x := &ast.StructType{Struct: pos, Fields: &ast.FieldList{Opening: pos, Closing: pos}}
	for i := range t.NumFields() {
		f := t.Field(i)
		e := s.spell(f.Type(), pos)
		if e == nil || f.Embedded() || !f.Exported() && f.Pkg() != s.own {
			return nil
		}
		field := &ast.Field{Names: []*ast.Ident{{Name: f.Name(), NamePos: pos}}, Type: e}
		if tag := t.Tag(i); tag != "" {
			field.Tag = &ast.BasicLit{Kind: token.STRING, ValuePos: pos, Value: fmt.Sprintf("%q", tag)}
		}
		x.Fields.List = append(x.Fields.List, field)
	}
	return x
}

func valid(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return !ok || b.Kind() != types.Invalid && b.Info()&types.IsUntyped == 0
}

// mentions reports whether t is made of types that pkg declares.
func mentions(t types.Type, pkg *types.Package, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	in := func(t types.Type) bool { return mentions(t, pkg, seen) }
	switch t := t.(type) {
	case *types.Alias:
		return in(types.Unalias(t))
	case *types.Named:
		if t.Obj().Pkg() == pkg {
			return true
		}
		for a := range t.TypeArgs().Types() {
			if in(a) {
				return true
			}
		}
	case *types.Pointer:
		return in(t.Elem())
	case *types.Slice:
		return in(t.Elem())
	case *types.Array:
		return in(t.Elem())
	case *types.Chan:
		return in(t.Elem())
	case *types.Map:
		return in(t.Key()) || in(t.Elem())
	case *types.Signature:
		return in(t.Params()) || in(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			if in(v.Type()) {
				return true
			}
		}
	case *types.Struct:
		for f := range t.Fields() {
			if in(f.Type()) || !f.Exported() && f.Pkg() == pkg {
				return true
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if in(m.Type()) {
				return true
			}
		}
	}
	return false
}
