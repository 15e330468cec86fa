package session

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

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
	for _, d := range append(c.pc.decls.Decls[:len(c.pc.decls.Decls):len(c.pc.decls.Decls)], c.hoisted...) {
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
