package export

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"trafficgpt/interp/symbols"
)

// write puts the program together.
func (p *program) write(cells []Cell) ([]byte, error) {
	for _, obj := range p.info.Uses {
		if pn, ok := obj.(*types.PkgName); ok {
			p.used[pn.Imported().Path()] = true
		}
	}
	var body bytes.Buffer
	var ran []string
	n := 0
	for _, c := range cells {
		if c.Comment {
			body.WriteString(commented(c.Code))
			continue
		}
		n++
		function, err := p.cell(&body, p.cells[n-1])
		if err != nil {
			return nil, err
		}
		if function != "" {
			name := fmt.Sprintf("cell%d", n)
			ran = append(ran, name)
			fmt.Fprintf(&body, "func %s() {\n%s}\n\n", name, function)
		}
	}
	names := make([]string, 0, len(p.swaps))
	for name := range p.swaps {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&body, "// %s is the version of the latest cell that defined it.\nvar %s %s\n\n", name, name, p.swaps[name].signature)
	}
	for _, d := range p.dispatched {
		body.WriteString(d.text)
	}
	for _, l := range p.left {
		body.WriteString("// Left out, since it is a command of the notebook: " + l + "\n")
	}
	var out bytes.Buffer
	out.WriteString("// Exported from a notebook: each cell is a function, main runs them in order.\npackage main\n\nimport (\n")
	out.WriteString(p.importList())
	last := ""
	if p.displays() {
		last = "_display.Flush()\n"
	}
	fmt.Fprintf(&out, ")\n\nfunc main() {\n%s%s}\n\n", strings.Join(append(ran, ""), "()\n"), last)
	out.Write(body.Bytes())
	out.WriteString(p.helpers())
	text, err := format.Source(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("failed to format the program: %w", err)
	}
	return text, nil
}

// displays reports whether the program may show something: what is updated in
// place is then printed at the end at the latest.
func (p *program) displays() bool {
	for path := range p.used {
		if strings.HasPrefix(path, "trafficgpt/") { // whichever it is may use display
			return true
		}
	}
	return p.needs["show"]
}

func (p *program) importList() string {
	var lines []string
	for path := range p.used {
		name := p.imports[path]
		if p.own[path] != nil {
			path = modulePath(path)
		}
		lines = append(lines, importSpec(path, name))
	}
	if p.displays() {
		lines = append(lines, `_display "trafficgpt/display"`)
	}
	if p.needs["must0"] {
		lines = append(lines, `_fmt "fmt"`, `_os "os"`)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func commented(text string) string {
	var sb strings.Builder
	sb.WriteString("\n")
	for line := range strings.Lines(text) {
		sb.WriteString(strings.TrimRight("// "+strings.TrimRight(line, "\r\n"), " ") + "\n")
	}
	return sb.String() + "\n"
}

// cell writes the declarations of a cell and returns what it does.
func (p *program) cell(decls *bytes.Buffer, pieces []*renamed) (string, error) {
	var first, body strings.Builder // what a cell defines is there before its statements run
	for i, pc := range pieces {
		text := p.final(pc)
		switch pc.kind {
		case isFunc:
			decls.WriteString(text + "\n\n")
			if pc.swapped != "" {
				fmt.Fprintf(&first, "%s = %s\n", pc.swaps, pc.swapped)
			}
		case isType:
			decls.WriteString(text + "\n\n")
		case isDefine:
			body.WriteString(strings.Replace(text, ":=", "=", 1) + "\n")
		case isVar:
			body.WriteString(p.assignments(pc))
		case isStmt:
			if i == len(pieces)-1 && p.hasValue(pc) {
				p.needs["show"] = true
				text = "show(" + text + ")"
			}
			body.WriteString(text + "\n")
		}
		if pc.kind == isVar || pc.kind == isDefine {
			if err := p.variables(decls, pc); err != nil {
				return "", err
			}
		}
	}
	return first.String() + body.String(), nil
}

// final is a piece's text with its calls of must named.
func (p *program) final(pc *renamed) string { return p.part(pc, 0, len(pc.text)) }

func (p *program) part(pc *renamed, from, to int) string {
	base := p.bases[pc]
	var edits []edit
	for _, e := range p.musts {
		if base+from <= e.at && e.end <= base+to {
			edits = append(edits, edit{e.at - base - from, e.end - base - from, e.with})
		}
	}
	return p.rename(apply(pc.text[from:to], edits))
}

// merge finds the variables that are declared again with the same type: as in
// the notebook, they are the one that functions of earlier cells know.
func (p *program) merge() {
	p.merged = map[string]string{}
	variable := func(name string) *types.Var {
		v, _ := p.pkg.Scope().Lookup(name).(*types.Var)
		return v
	}
	for name := range p.before {
		first := name
		for {
			v, old := variable(first), variable(p.before[first])
			if v == nil || old == nil || p.swaps[p.before[first]] != nil || !types.Identical(v.Type(), old.Type()) {
				break
			}
			first = p.before[first]
		}
		if first != name {
			p.merged[name] = first
		}
	}
}

// rename gives merged variables their one name.
func (p *program) rename(text string) string {
	if len(p.merged) == 0 {
		return text
	}
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, scanner.ScanComments)
	var edits []edit
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return apply(text, edits)
		}
		if to := p.merged[lit]; tok == token.IDENT && to != "" {
			edits = append(edits, edit{file.Offset(pos), file.Offset(pos) + len(lit), to})
		}
	}
}

// variables declares what a piece defines, with its type.
func (p *program) variables(decls *bytes.Buffer, pc *renamed) error {
	for _, name := range pc.defined {
		v, ok := p.pkg.Scope().Lookup(name).(*types.Var)
		if !ok || name == "_" || pc.repeats[name] || p.merged[name] != "" {
			continue
		}
		text, err := p.typeText(v.Type())
		if err != nil {
			return pc.errorf("%s cannot be declared in a program: %v", name, err)
		}
		fmt.Fprintf(decls, "var %s %s\n\n", name, text)
	}
	return nil
}

// typeText writes a type in the program's own names.
func (p *program) typeText(t types.Type) (string, error) {
	var bad error
	text := types.TypeString(t, func(pkg *types.Package) string {
		if pkg == p.pkg {
			return ""
		}
		path := pkg.Path()
		if !symbols.Has(path) && p.own[path] == nil {
			bad = fmt.Errorf("its type %s is of a package that programs cannot import", t)
			return pkg.Name()
		}
		if p.imports[path] == "" {
			p.imports[path] = p.fresh(pkg.Name())
		}
		p.used[path] = true
		return p.imports[path]
	})
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil && named.Obj().Pkg() != p.pkg && !named.Obj().Exported() {
		bad = fmt.Errorf("its type %s is private to its package", t)
	}
	return text, bad
}

// assignments is what remains of a var declaration when its cell runs.
func (p *program) assignments(pc *renamed) string {
	var sb strings.Builder
	base := p.bases[pc]
	offset := func(pos token.Pos) int { return p.fset.Position(pos).Offset - base }
	for _, d := range p.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR || offset(g.Pos()) != 0 {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			var names []string
			for _, id := range v.Names {
				names = append(names, p.rename(id.Name))
				if len(v.Values) == 0 && p.merged[id.Name] != "" {
					fmt.Fprintf(&sb, "%s = *new(%s)\n", p.rename(id.Name), p.part(pc, offset(v.Type.Pos()), offset(v.Type.End())))
				}
			}
			if len(v.Values) == 0 {
				continue
			}
			from, to := offset(v.Values[0].Pos()), offset(v.Values[len(v.Values)-1].End())
			fmt.Fprintf(&sb, "%s = %s\n", strings.Join(names, ", "), p.part(pc, from, to))
		}
	}
	return sb.String()
}

// hasValue reports whether a statement is an expression that has one.
func (p *program) hasValue(pc *renamed) bool {
	for _, d := range p.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || len(f.Body.List) != 1 || p.fset.Position(f.Body.List[0].Pos()).Offset != p.bases[pc] {
			continue
		}
		e, ok := f.Body.List[0].(*ast.ExprStmt)
		if !ok {
			return false
		}
		if p.prints(e.X) {
			return false
		}
		tv := p.info.Types[e.X]
		tuple, isTuple := tv.Type.(*types.Tuple)
		return !tv.IsVoid() && !(isTuple && tuple.Len() == 0)
	}
	return false
}

// prints reports whether e is a call of fmt's printing functions, whose
// results nobody wants to see.
func (p *program) prints(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := p.info.Uses[sel.Sel].(*types.Func)
	return ok && f.Pkg() != nil && f.Pkg().Path() == "fmt" && strings.Contains(f.Name(), "rint")
}

// helpers writes the functions that stand for what the notebook does itself.
func (p *program) helpers() string {
	text := map[string]string{
		"show":  "// show prints what the notebook shows of a cell's last expression.\nfunc show(values ...any) {\n\tfor _, v := range values {\n\t\t_display.Show(v)\n\t}\n}\n\n",
		"must0": "// must0 ends the program on an error, as must ends a cell.\nfunc must0(err error) {\n\tif err != nil {\n\t\t_fmt.Fprintln(_os.Stderr, \"Error:\", err)\n\t\t_os.Exit(1)\n\t}\n}\n\n",
		"must1": "func must1[A any](a A, err error) A {\n\tmust0(err)\n\treturn a\n}\n\n",
		"must2": "func must2[A, B any](a A, b B, err error) (A, B) {\n\tmust0(err)\n\treturn a, b\n}\n\n",
		"must3": "func must3[A, B, C any](a A, b B, c C, err error) (A, B, C) {\n\tmust0(err)\n\treturn a, b, c\n}\n\n",
	}
	var sb strings.Builder
	for _, name := range []string{"show", "must0", "must1", "must2", "must3"} {
		if p.needs[name] {
			sb.WriteString(text[name])
		}
	}
	return sb.String()
}
