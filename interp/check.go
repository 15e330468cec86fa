package interp

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"trafficgpt/interp/symbols"
)

const goVersion = "go1.26"

func newInfo() *types.Info {
	return &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}, Scopes: map[ast.Node]*types.Scope{},
		Instances: map[*ast.Ident]types.Instance{}, FileVersions: map[*ast.File]string{},
	}
}

func parseSource(fset *token.FileSet, name string, src any) (*ast.File, error) {
	return parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
}

// typeErrors are the errors of one check.
type typeErrors []types.Error

func (e typeErrors) Error() string { return e[0].Msg }

// check parses and type-checks a cell against the live names. It returns nil
// for a cell without code. Nothing of the session changes.
func (s *Session) check(cell Cell) (p *plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, internalError(r)
		}
	}()
	name := cellName(cell.Number)
	fn := fmt.Sprintf("cell·%d", s.count)
	pc, err := split(s.fset, name, cell.Code, fn)
	if err != nil {
		return nil, err
	}
	c := &checker{s: s, cell: cell, pc: pc}
	return c.plan()
}

// checker checks one cell, in up to three passes over its syntax: one to find
// the types of new variables, one with these as variables of the session.
type checker struct {
	s         *Session
	cell      Cell
	pc        *parsedCell
	imports   map[string]string // of this cell
	wrapped   bool
	reissued  []*decl        // earlier declarations that are checked again
	dropped   map[*decl]bool // those that do not check with what this cell declares
	declsOnly bool
	first     *plan // the declarations, when they are checked on their own
}

func (c *checker) plan() (*plan, error) {
	if err := c.takeImports(); err != nil {
		return nil, err
	}
	if len(c.pc.decls.Decls) == 0 && len(c.pc.body.List) == 0 && len(c.imports) == 0 {
		return nil, nil
	}
	c.dropped = map[*decl]bool{}
	c.reissue()
	c.wrapNonCall()
	if c.usesMust() {
		c.resolveMust()
	}
	pass, errs := c.pass(nil)
	if c.keyLiterals(pass, errs) {
		pass, errs = c.pass(nil)
	}
	for len(errs) > 0 && c.retract(errs) {
		pass, errs = c.pass(nil)
	}
	if n := len(errs); n > 0 && c.wrapUnused(errs) {
		pass, errs = c.pass(nil)
	}
	if len(errs) > 0 {
		return nil, typeErrors(errs)
	}
	again := c.wrapCall(pass.info)
	vars := c.newVars(pass)
	if len(vars) > 0 && len(c.pc.decls.Decls) > 0 {
		// The types that the cell declares must exist before the variables of
		// these types do: declarations first, as a package of their own.
		if errs := c.declareFirst(); len(errs) > 0 {
			return nil, typeErrors(errs)
		}
		if pass, errs = c.pass(nil); len(errs) > 0 {
			return nil, typeErrors(errs)
		}
		vars = c.newVars(pass)
	}
	if len(vars) > 0 || again {
		fresh, aliases := c.rewrite(pass, vars)
		pass2, errs := c.pass(&second{fresh, aliases})
		if len(errs) > 0 {
			return nil, typeErrors(errs)
		}
		pass2.aliases = map[*types.Var]*types.Var{}
		for _, a := range aliases {
			pass2.aliases[a.alias] = a.old
			pass2.vars = a.alias.Pkg()
		}
		pass2.newVars = map[string]*types.Var{}
		for _, v := range fresh {
			pass2.newVars[v.Name()] = v
			if c.s.prog.Package(v.Pkg()) == nil {
				pass2.vars = v.Pkg()
			}
		}
		pass = pass2
	}
	pass.before = c.first
	if c.first != nil {
		pass.objects = append(pass.objects, c.first.objects...)
	}
	pass.imports = c.imports
	pass.parsed = c.pc
	pass.objects = append(pass.objects, packageObjects(pass.pkg, c.pc.funcN)...)
	return pass, nil
}

// declareFirst checks the declarations of the cell without its statements.
func (c *checker) declareFirst() []types.Error {
	c.declsOnly = true
	p, errs := c.pass(nil)
	c.declsOnly = false
	if len(errs) > 0 {
		return errs
	}
	p.objects = packageObjects(p.pkg, "")
	c.first = p
	return nil
}

func packageObjects(pkg *types.Package, but string) []types.Object {
	var out []types.Object
	for _, n := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(n); o.Pkg() == pkg && n != but {
			out = append(out, o)
		}
	}
	return out
}

// takeImports removes the imports from the cell's declarations.
func (c *checker) takeImports() error {
	c.imports = map[string]string{}
	var rest []ast.Decl
	for _, d := range c.pc.decls.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			rest = append(rest, d)
			continue
		}
		for _, sp := range g.Specs {
			is := sp.(*ast.ImportSpec)
			path, err := strconv.Unquote(is.Path.Value)
			if err != nil {
				return c.errorAt(is.Pos(), "invalid import path")
			}
			if !symbols.Has(path) {
				return c.errorAt(is.Path.Pos(), unknownImport(path))
			}
			pkg, err := c.s.importer.Import(path)
			if err != nil {
				return c.errorAt(is.Path.Pos(), "failed to import "+path+": "+err.Error())
			}
			name := pkg.Name()
			if is.Name != nil {
				name = is.Name.Name
			}
			if name == "_" {
				continue
			}
			if name == "." {
				name = "." + path
			}
			c.imports[name] = path
		}
	}
	c.pc.decls.Decls = rest
	c.pc.decls.Imports = nil
	return nil
}

func (c *checker) errorAt(pos token.Pos, msg string) error {
	return typeErrors{{Fset: c.s.fset, Pos: pos, Msg: msg}}
}

// second is what the second pass adds to the scope.
type second struct {
	fresh   []*types.Var
	aliases []alias
}

type alias struct{ alias, old *types.Var }

// pass type-checks the cell.
func (c *checker) pass(add *second) (*plan, []types.Error) {
	p := &plan{cell: c.cell, fn: c.pc.funcN, info: newInfo()}
	p.pkg = types.NewPackage("main", "main")
	declared := c.declared()
	scope := p.pkg.Scope()
	if add != nil {
		for _, v := range add.fresh {
			declared[v.Name()] = true
			scope.Insert(v)
		}
		for _, a := range add.aliases {
			scope.Insert(a.alias)
		}
	}
	if c.first != nil {
		for _, o := range c.first.objects {
			if !declared[o.Name()] {
				declared[o.Name()] = true
				scope.Insert(o)
			}
		}
	}
	for name, e := range c.s.live {
		if !declared[name] {
			scope.Insert(e.obj)
		}
	}
	for name, obj := range c.s.prelude {
		if !declared[name] && c.s.live[name] == nil {
			scope.Insert(obj)
		}
	}
	if c.first == nil {
		p.files = append(p.files, c.withImports(c.pc.decls, declared))
	}
	if !c.declsOnly {
		p.files = append(p.files, c.withImports(c.pc.stmts, declared))
	}
	var errs []types.Error
	conf := types.Config{
		Importer: c.s.importer, GoVersion: goVersion, DisableUnusedImportCheck: true,
		Error: func(err error) {
			if e, ok := err.(types.Error); ok && !c.tolerated(e, p) {
				errs = append(errs, e)
			}
		},
	}
	_ = types.NewChecker(&conf, c.s.fset, p.pkg, p.info).Files(p.files)
	return p, c.keep(errs)
}

// keep drops the complaints that Go makes of a cell but a notebook should not:
// variables at the top of a cell may stay unused.
func (c *checker) keep(errs []types.Error) []types.Error {
	var out []types.Error
	for _, e := range errs {
		if e.Soft && strings.HasPrefix(e.Msg, "declared and not used") && c.atTop(e.Pos) {
			continue
		}
		out = append(out, e)
	}
	return out
}

func (c *checker) tolerated(e types.Error, p *plan) bool {
	return e.Soft && strings.Contains(e.Msg, "imported and not used")
}

// atTop reports whether a variable is declared by a statement at the top level
// of the cell.
func (c *checker) atTop(pos token.Pos) bool {
	for _, st := range c.pc.body.List {
		for {
			l, ok := st.(*ast.LabeledStmt)
			if !ok {
				break
			}
			st = l.Stmt
		}
		switch st := st.(type) {
		case *ast.AssignStmt:
			for _, l := range st.Lhs {
				if l.Pos() == pos {
					return true
				}
			}
		case *ast.DeclStmt:
			for _, sp := range st.Decl.(*ast.GenDecl).Specs {
				if v, ok := sp.(*ast.ValueSpec); ok {
					for _, n := range v.Names {
						if n.Pos() == pos {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

// declared lists the names that the cell declares at package level.
func (c *checker) declared() map[string]bool {
	names := map[string]bool{}
	if c.first != nil {
		return names
	}
	for _, d := range c.pc.decls.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, sp := range d.Specs {
				switch sp := sp.(type) {
				case *ast.TypeSpec:
					names[sp.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range sp.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names
}

// withImports returns the file with the imports whose names it mentions.
func (c *checker) withImports(f *ast.File, declared map[string]bool) *ast.File {
	mentioned := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			mentioned[id.Name] = true
		}
		return true
	})
	g := *f
	g.Decls = nil
	g.Imports = nil
	decl := &ast.GenDecl{Tok: token.IMPORT, TokPos: f.Name.End()}
	add := func(name, path string) {
		if !mentioned[name] && !strings.HasPrefix(name, ".") || declared[name] {
			return
		}
		if strings.HasPrefix(name, ".") {
			name = "."
		}
		is := &ast.ImportSpec{Name: &ast.Ident{Name: name, NamePos: f.Name.End()}, Path: &ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(path), ValuePos: f.Name.End()}}
		decl.Specs = append(decl.Specs, is)
		g.Imports = append(g.Imports, is)
	}
	for name, path := range c.s.imports {
		if c.imports[name] == "" {
			add(name, path)
		}
	}
	for name, path := range c.imports {
		add(name, path)
	}
	if mentioned["show·"] {
		add("show·", sessionPath)
	}
	if len(decl.Specs) > 0 {
		g.Decls = append(g.Decls, decl)
	}
	g.Decls = append(g.Decls, f.Decls...)
	return &g
}

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
	switch u := x.(type) {
	case *ast.CallExpr:
		return
	case *ast.UnaryExpr:
		_ = u
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

// syntaxErrors turns a parse failure into type errors with token positions.
func syntaxErrors(err error) (scanner.ErrorList, bool) {
	var list scanner.ErrorList
	ok := errors.As(err, &list)
	return list, ok
}
