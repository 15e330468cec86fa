package session

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"trafficgpt/interp"
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

func parseLocalFile(fset *token.FileSet, name string, src any) (*ast.File, error) {
	return parser.ParseFile(fset, name, src, parser.SkipObjectResolution|parser.ParseComments|parser.AllErrors)
}

func parseSource(fset *token.FileSet, name string, src any) (*ast.File, error) {
	return parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
}

// typeErrors are the errors of one check.
type typeErrors []types.Error

func (e typeErrors) Error() string { return e[0].Msg }

// check parses and type-checks a cell against the live names. It returns nil
// for a cell without code. Nothing of the session changes.
func (s *Session) check(cell interp.Cell) (p *plan, err error) {
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
	for _, f := range []*ast.File{pc.decls, pc.stmts} {
		s.sources[s.fset.File(f.Package)] = cell.Code
	}
	c := &checker{
		s: s, cell: cell, pc: pc, dropped: map[*decl]bool{},
		unknown: map[string]bool{}, reread: map[string]bool{}, changed: map[string]bool{},
	}
	return c.plan()
}

// checker checks one cell. Each of its steps is a pass of go/types over the
// syntax, which steps rewrite between passes.
type checker struct {
	s         *Session
	cell      interp.Cell
	pc        *parsedCell
	imports   map[string]string // of this cell
	wrapped   bool
	reissued  []*decl        // earlier declarations that are checked again
	dropped   map[*decl]bool // those that do not check with what this cell declares
	declsOnly bool
	first     *plan                 // the declarations, when they are checked on their own
	bodiless  bool                  // leave out the bodies of the declared functions
	hoisted   []ast.Decl            // variables of the statements that the declarations use
	hidden    map[string]types.Type // what their types are made of
	unknown   map[string]bool       // such variables whose types are not known
	reread    map[string]bool       // paths of packages that have changed on disk
	changed   map[string]bool       // their names in cells
	replaced  []replacedType        // their types
}

// plan takes a cell through its steps: what syntax alone tells, the types of
// its variables, the cell with these variables as the session's.
func (c *checker) plan() (*plan, error) {
	if err := c.takeImports(); err != nil {
		return nil, err
	}
	if len(c.pc.decls.Decls) == 0 && len(c.pc.body.List) == 0 && len(c.imports) == 0 {
		return nil, nil
	}
	c.prepare()
	p, errs := c.findTypes()
	if len(errs) > 0 {
		return nil, typeErrors(errs)
	}
	again := c.wrapCall(p.info)
	vars := c.newVars(p)
	if c.first == nil && len(vars) > 0 && len(c.pc.decls.Decls) > 0 {
		if p, errs = c.divide(); len(errs) > 0 {
			return nil, typeErrors(errs)
		}
		vars = c.newVars(p)
	}
	if len(vars) > 0 || again {
		if p, errs = c.adopt(p, vars); len(errs) > 0 {
			return nil, typeErrors(errs)
		}
	}
	p.before = c.first
	if c.first != nil {
		p.objects = append(p.objects, c.first.objects...)
	}
	p.imports, p.replaced, p.parsed = c.imports, c.replaced, c.pc
	p.objects = append(p.objects, packageObjects(p.pkg, c.pc.funcN)...)
	return p, nil
}

// prepare rewrites the cell as far as its syntax tells.
func (c *checker) prepare() {
	c.reissue()
	c.wrapNonCall()
	c.hoist()
	if c.usesMust() {
		c.resolveMust()
	}
}

// findTypes checks the cell, and again after each change that its errors call
// for.
func (c *checker) findTypes() (*plan, []types.Error) {
	p, errs := c.checkBoth()
	if c.keyLiterals(p, errs) {
		p, errs = c.checkBoth()
	}
	for len(errs) > 0 && c.retract(errs) {
		p, errs = c.checkBoth()
	}
	if len(errs) > 0 && c.wrapUnused(errs) {
		p, errs = c.checkBoth()
	}
	return p, errs
}

// divide checks the declarations as a package of their own, then the rest: the
// types that the cell declares must exist before the variables of these types.
func (c *checker) divide() (*plan, []types.Error) {
	if errs := c.declareFirst(); len(errs) > 0 {
		return nil, errs
	}
	p, errs := c.pass(nil)
	if c.keyLiterals(p, errs) {
		p, errs = c.pass(nil)
	}
	return p, errs
}

// adopt checks the cell again with vars, which its statements declare, as
// variables of the session.
func (c *checker) adopt(p *plan, vars []*types.Var) (*plan, []types.Error) {
	fresh, aliases := c.rewrite(p, vars)
	p, errs := c.pass(&second{fresh, aliases})
	if len(errs) > 0 {
		return nil, errs
	}
	p.aliases = map[*types.Var]*types.Var{}
	for _, a := range aliases {
		p.aliases[a.alias] = a.old
		p.vars = a.alias.Pkg()
	}
	p.newVars = map[string]*types.Var{}
	for _, v := range fresh {
		p.newVars[v.Name()] = v
		if c.s.prog.Package(v.Pkg()) == nil && !c.isHoisted(v) {
			p.vars = v.Pkg()
		}
	}
	return p, nil
}

// declareFirst checks the declarations of the cell without its statements.
func (c *checker) declareFirst() []types.Error {
	c.first, c.declsOnly = nil, true
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
			pkg, err := c.importPath(is.Path, path)
			if err != nil {
				return err
			}
			path = pkg.Path()
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
			if c.reread[path] {
				c.changed[name] = true
			}
		}
	}
	c.pc.decls.Decls = rest
	c.pc.decls.Imports = nil
	return nil
}

// importPath finds the package of a path.
func (c *checker) importPath(at *ast.BasicLit, path string) (*types.Package, error) {
	im := c.s.importer
	if dir, ok := im.folder(path, ""); ok && !symbols.Has(path) {
		was := im.local[dir]
		p, err := im.readLocal(dir)
		if f, ok := err.(*localFailure); ok {
			return nil, f.err
		} else if err != nil {
			return nil, c.errorAt(at.Pos(), "failed to import "+path+": "+err.Error())
		}
		if was != nil && was != p {
			c.reread[p.path] = true
			c.retypeLocal(was.pkg, p.pkg)
		}
		return p.pkg, nil
	}
	if !symbols.Has(path) {
		return nil, c.errorAt(at.Pos(), unknownImport(path))
	}
	pkg, err := im.Import(path)
	if err != nil {
		return nil, c.errorAt(at.Pos(), "failed to import "+path+": "+err.Error())
	}
	return pkg, nil
}

func (c *checker) errorAt(pos token.Pos, msg string) error {
	return typeErrors{{Fset: c.s.fset, Pos: pos, Msg: msg}}
}

// second is what the second pass adds to the scope.
type second struct {
	fresh   []*types.Var
	aliases []alias
}

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
			// a statement declares a hoisted variable anew, after it may have
			// used an older one of this name
			if !declared[o.Name()] && !c.isHoisted(o) {
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
		p.files = append(p.files, c.declarations(declared))
		for name, t := range c.hidden {
			scope.Insert(types.NewTypeName(token.NoPos, nil, name, t))
		}
	}
	if !c.declsOnly {
		p.files = append(p.files, c.withImports(c.pc.stmts, declared))
	}
	var errs []types.Error
	conf := types.Config{
		Importer: c.s.importer, GoVersion: goVersion, DisableUnusedImportCheck: true,
		Error: func(err error) {
			if e, ok := err.(types.Error); ok {
				errs = append(errs, e)
			}
		},
	}
	_ = types.NewChecker(&conf, c.s.fset, p.pkg, p.info).Files(p.files)
	return p, c.nameStale(p.info, c.keep(errs))
}

// nameStale says of the values in an error which have a type that was declared
// anew: to go/types both are of the same name.
func (c *checker) nameStale(info *types.Info, errs []types.Error) []types.Error {
	for i, e := range errs {
		for x, tv := range info.Types {
			// the value itself, or what stands before .Name
			if x.Pos() != e.Pos && x.End()+1 != e.Pos {
				continue
			}
			if tv.IsValue() && tv.Type != nil && c.s.world.Stale(tv.Type) && !strings.Contains(e.Msg, "earlier version") {
				errs[i].Msg += fmt.Sprintf("; %s is of %s", types.ExprString(x), c.s.world.TypeString(tv.Type))
				break
			}
		}
	}
	return errs
}

// declarations is the file of what the cell declares at package level.
func (c *checker) declarations(declared map[string]bool) *ast.File {
	f := c.withImports(c.pc.decls, declared)
	if c.bodiless {
		return withoutBodies(f)
	}
	f.Decls = append(f.Decls[:len(f.Decls):len(f.Decls)], c.hoisted...)
	return f
}

// isHoisted reports whether o is a variable that a statement sets.
func (c *checker) isHoisted(o types.Object) bool {
	_, ok := o.(*types.Var)
	return ok && slices.ContainsFunc(c.hoisted, func(d ast.Decl) bool {
		return d.(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Names[0].Name == o.Name()
	})
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

// syntaxErrors turns a parse failure into type errors with token positions.
func syntaxErrors(err error) (scanner.ErrorList, bool) {
	var list scanner.ErrorList
	ok := errors.As(err, &list)
	return list, ok
}
