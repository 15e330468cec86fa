package session

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// must(...) is predeclared in cells: it drops a nil error and fails the cell on
// one that is not. Which of its forms a call takes hangs on its operand's type.

func (c *checker) usesMust() bool {
	found := false
	ast.Inspect(c.pc.stmts, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "must" {
			found = true
		}
		return !found
	})
	ast.Inspect(c.pc.decls, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "must" {
			found = true
		}
		return !found
	})
	return found && c.s.live["must"] == nil && !c.declared()["must"]
}

// resolveMust picks for every must(...) the form for as many results as its
// operand has.
func (c *checker) resolveMust() {
	files := []*ast.File{c.pc.decls, c.pc.stmts}
	if c.bodiless {
		files = files[1:]
	}
	// The type of one operand may hang on another must.
	for c.nameMust(files, false) {
	}
	if !c.bodiless {
		c.nameMust(files, true)
	}
}

// nameMust names the calls whose operands have known types, or all. It reports
// whether it named any.
func (c *checker) nameMust(files []*ast.File, all bool) (named bool) {
	p, _ := c.pass(nil)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			id, ok := call.Fun.(*ast.Ident)
			if !ok || id.Name != "must" {
				return true
			}
			n2 := 0
			switch t := p.info.Types[call.Args[0]].Type.(type) {
			case nil:
				n2 = -1
			case *types.Basic:
				if t.Kind() == types.Invalid {
					n2 = -1
				}
			case *types.Tuple:
				n2 = t.Len() - 1
			}
			if n2 < 0 && all {
				n2 = 0
			}
			if n2 >= 0 && n2 <= 4 {
				id.Name, named = fmt.Sprintf("must·%d", n2), true
			}
			return true
		})
	}
	return named
}

// loadPrelude compiles what every session knows without an import.
func (s *Session) loadPrelude() error {
	pkg := types.NewPackage(sessionPath, "session")
	anySlice := types.NewSlice(types.Universe.Lookup("any").Type())
	fn := func(name string, variadic bool, params ...*types.Var) {
		sig := types.NewSignatureType(nil, nil, nil, types.NewTuple(params...), nil, variadic)
		pkg.Scope().Insert(types.NewFunc(token.NoPos, pkg, name, sig))
	}
	fn("Show", true, types.NewParam(token.NoPos, pkg, "v", anySlice))
	fn("Fail", false, types.NewParam(token.NoPos, pkg, "err", types.Universe.Lookup("error").Type()))
	pkg.MarkComplete()
	s.importer.source[sessionPath] = pkg
	f, err := parseSource(s.fset, "prelude", preludeSource)
	if err != nil {
		return err
	}
	info := newInfo()
	conf := types.Config{Importer: s.importer, GoVersion: goVersion}
	pre, err := conf.Check("main", s.fset, []*ast.File{renameMust(f)}, info)
	if err != nil {
		return err
	}
	s.addPackage(pkg)
	sp := s.prog.CreatePackage(pre, []*ast.File{f}, info, false)
	sp.Build()
	s.silent = sp
	s.prelude = map[string]types.Object{}
	for _, n := range pre.Scope().Names() {
		s.prelude[n] = pre.Scope().Lookup(n)
	}
	return nil
}

const preludeSource = `package main

import session "session·"

func must_0(err error) {
	if err != nil {
		session.Fail(err)
	}
}

func must_1[A any](a A, err error) A {
	if err != nil {
		session.Fail(err)
	}
	return a
}

func must_2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		session.Fail(err)
	}
	return a, b
}

func must_3[A, B, C any](a A, b B, c C, err error) (A, B, C) {
	if err != nil {
		session.Fail(err)
	}
	return a, b, c
}

func must_4[A, B, C, D any](a A, b B, c C, d D, err error) (A, B, C, D) {
	if err != nil {
		session.Fail(err)
	}
	return a, b, c, d
}
`

// renameMust gives the functions of the prelude names that cells cannot clash
// with; "must" itself stands for the common form in messages.
func renameMust(f *ast.File) *ast.File {
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.FuncDecl); ok {
			fd.Name.Name = strings.Replace(fd.Name.Name, "_", "·", 1)
		}
	}
	return f
}
