package session

import (
	"fmt"
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp"
)

// plan is a checked cell.
type plan struct {
	cell    interp.Cell
	pkg     *types.Package
	vars    *types.Package
	info    *types.Info
	files   []*ast.File
	fn      string
	newVars map[string]*types.Var
	aliases map[*types.Var]*types.Var // another name for an older variable
	imports map[string]string
	objects []types.Object // declared at package level
	before  *plan          // the declarations of the cell, when they are a package of their own
	entry   func()
	parsed  *parsedCell
	program bool // an ordinary package main

	replaced []replacedType // of packages that were read again
}

// compile lowers a checked cell and hands it to the executor; only then do its
// names become those of the session.
func (s *Session) compile(p *plan) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = internalError(r)
		}
	}()
	if b := p.before; b != nil {
		mend(b.files, b.info)
		s.addImports(b.pkg)
		s.prog.CreatePackage(b.pkg, b.files, b.info, false).Build()
	}
	mend(p.files, p.info)
	s.addImports(p.pkg)
	if p.vars != nil {
		s.prog.CreatePackage(p.vars, nil, nil, false)
	}
	sp := s.prog.CreatePackage(p.pkg, p.files, p.info, false)
	sp.Build()
	for alias, old := range p.aliases {
		s.lowerer.Alias(s.globalOf(alias), s.globalOf(old))
	}
	s.noteCalls(p)
	s.follow(p)
	if p.entry, err = s.entryOf(p, sp.Func(p.fn)); err != nil {
		return err
	}
	for name, path := range p.imports {
		s.imports[name] = path
		delete(s.live, name)
	}
	old := map[string]types.Object{}
	for _, o := range p.objects {
		if e := s.live[o.Name()]; e != nil {
			old[o.Name()] = e.obj
		}
		s.live[o.Name()] = &entity{o, p.cell.Number}
		delete(s.imports, o.Name())
	}
	for name, v := range p.newVars {
		s.live[name] = &entity{v, p.cell.Number}
		delete(s.imports, name)
	}
	s.remember(p)
	for name, o := range old {
		if was, ok := o.(*types.TypeName); ok && s.live[name] != nil && s.live[name].obj != o {
			s.world.Replace(was)
		}
	}
	for _, r := range p.replaced {
		s.world.Replace(r.was)
	}
	s.retype(old, p.replaced)
	return nil
}

// entryOf loads the cell's function and what must run before it: the
// initialisation of packages that it imports.
func (s *Session) entryOf(p *plan, fn *ssa.Function) (func(), error) {
	packages := p.pkg.Imports()
	if p.before != nil {
		packages = append(packages, p.before.pkg.Imports()...)
	}
	for _, path := range p.imports { // one that no code mentions is run too
		if pkg, err := s.importer.Import(path); err == nil {
			packages = append(packages, pkg)
		}
	}
	var steps []func()
	for _, pkg := range packages {
		first, err := s.initLocal(pkg)
		if err != nil {
			return nil, err
		}
		if first != nil {
			steps = append(steps, first)
		}
	}
	entry, err := s.load(fn)
	if err != nil || len(steps) == 0 {
		return entry, err
	}
	return func() {
		for _, step := range steps {
			step()
		}
		entry()
	}, nil
}

func (s *Session) addImports(pkg *types.Package) {
	for _, imp := range pkg.Imports() {
		s.addPackage(imp)
	}
}

// noteCalls remembers where calls start: go/ssa knows only their parentheses.
func (s *Session) noteCalls(p *plan) {
	for _, f := range []*ast.File{p.parsed.decls, p.parsed.stmts} {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				s.starts[c.Lparen] = c.Pos()
			}
			return true
		})
	}
}

func (s *Session) globalOf(v *types.Var) *ssa.Global {
	p := s.prog.Package(v.Pkg())
	if p == nil {
		return nil
	}
	g, _ := p.Members[v.Name()].(*ssa.Global)
	return g
}

func internalError(r any) error {
	if e, ok := r.(error); ok {
		return fmt.Errorf("internal: %w", e)
	}
	return fmt.Errorf("internal: %v", r)
}
