package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"strings"
)

// entry is what the documentation has of one symbol; the empty name is the
// package, "T.M" a method, a field or a method of an interface.
type entry struct {
	Decl string `json:"decl,omitempty"`
	Doc  string `json:"doc,omitempty"`
}

// documentation reads the comments of the packages and gives one JSON object
// a package, and the first sentence of each.
func documentation(pkgs []*pkg) (files map[string][]byte, synopses map[string]string, err error) {
	files, synopses = make(map[string][]byte), make(map[string]string)
	for _, p := range pkgs {
		fset := token.NewFileSet()
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, nil, fmt.Errorf("failed to read the comments of %s: %w", p.ImportPath, err)
			}
			parsed = append(parsed, f)
		}
		var mode doc.Mode
		if p.ImportPath == "builtin" {
			mode = doc.AllDecls // its names are those of the language
		}
		d, err := doc.NewFromFiles(fset, parsed, p.ImportPath, mode)
		if err != nil {
			return nil, nil, fmt.Errorf("failed to read the documentation of %s: %w", p.ImportPath, err)
		}
		c := &collector{fset: fset, all: mode&doc.AllDecls != 0, entries: map[string]entry{"": {Doc: strings.TrimSpace(d.Doc)}}}
		c.collect(d)
		if files[p.ImportPath], err = json.Marshal(c.entries); err != nil {
			return nil, nil, err
		}
		synopses[p.ImportPath] = d.Synopsis(d.Doc)
	}
	return files, synopses, nil
}

type collector struct {
	fset    *token.FileSet
	all     bool // also names that are not exported
	entries map[string]entry
}

func (c *collector) collect(d *doc.Package) {
	c.values("const", d.Consts)
	c.values("var", d.Vars)
	c.funcs("", d.Funcs)
	for _, t := range d.Types {
		c.values("const", t.Consts)
		c.values("var", t.Vars)
		c.funcs("", t.Funcs)
		c.funcs(t.Name+".", t.Methods)
		c.typ(t)
	}
}

func (c *collector) add(name, decl, comment string) {
	c.entries[name] = entry{Decl: decl, Doc: strings.TrimSpace(comment)}
}

// values documents the names of const and var groups: by the comment of the
// name, else by that of the group and what stands at the end of the line.
func (c *collector) values(word string, groups []*doc.Value) {
	for _, g := range groups {
		for _, spec := range g.Decl.Specs {
			s, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			comment := s.Doc.Text()
			if comment == "" {
				comment = strings.TrimSpace(g.Doc + "\n" + s.Comment.Text())
			}
			for i, name := range s.Names {
				if !name.IsExported() && !c.all {
					continue
				}
				decl := word + " " + name.Name
				if s.Type != nil {
					decl += " " + c.print(s.Type)
				}
				if i < len(s.Values) && len(s.Values) == len(s.Names) {
					if text := c.print(s.Values[i]); len(text) <= 120 && !strings.Contains(text, "\n") {
						decl += " = " + text
					}
				}
				c.add(name.Name, decl, comment)
			}
		}
	}
}

func (c *collector) funcs(prefix string, funcs []*doc.Func) {
	for _, f := range funcs {
		decl := *f.Decl
		decl.Doc, decl.Body = nil, nil
		c.add(prefix+f.Name, c.print(&decl), f.Doc)
	}
}

func (c *collector) typ(t *doc.Type) {
	decl := *t.Decl
	decl.Doc = nil
	c.add(t.Name, c.print(&decl), t.Doc)
	for _, spec := range t.Decl.Specs {
		s, ok := spec.(*ast.TypeSpec)
		if !ok || s.Name.Name != t.Name {
			continue
		}
		switch typ := s.Type.(type) {
		case *ast.StructType:
			c.fields(t.Name, typ.Fields, "field ")
		case *ast.InterfaceType:
			c.fields(t.Name, typ.Methods, "method ")
		}
	}
}

func (c *collector) fields(owner string, list *ast.FieldList, word string) {
	for _, f := range list.List {
		comment := f.Doc.Text()
		if comment == "" {
			comment = f.Comment.Text()
		}
		for _, name := range f.Names {
			if !name.IsExported() {
				continue
			}
			text := c.print(f.Type)
			if _, isFunc := f.Type.(*ast.FuncType); isFunc && word == "method " {
				text = strings.TrimPrefix(text, "func")
			} else {
				text = " " + text
			}
			if strings.Count(text, "\n") > 8 {
				text = " struct { … }"
			}
			c.add(owner+"."+name.Name, word+name.Name+text, comment)
		}
	}
}

func (c *collector) print(node any) string {
	var b bytes.Buffer
	if err := (&printer.Config{Mode: printer.UseSpaces, Tabwidth: 4}).Fprint(&b, c.fset, node); err != nil {
		return ""
	}
	return b.String()
}
