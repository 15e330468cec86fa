package progen

import (
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"sort"
	"strings"
)

// Reduce makes a program smaller while it still differs: differ says of each
// of several programs at once whether it does. It stops when nothing can be
// left out, or when again says so.
func Reduce(program string, differ func([]string) []bool, again func() bool) string {
	const batch = 16
	if p := prune(program); differ([]string{p})[0] {
		program = p
	}
	for size := 64; size >= 1; {
		shorter := false
		for at := 0; again(); {
			pieces := cuts(program, size)
			var tries []string
			i := at
			for ; i < len(pieces) && len(tries) < batch; i++ {
				if t, ok := repair(program, pieces[i]); ok && len(t) < len(program) {
					tries = append(tries, t)
				}
			}
			if len(tries) == 0 && i >= len(pieces) {
				break
			}
			best := ""
			for j, d := range differ(tries) {
				if d && (best == "" || len(tries[j]) < len(best)) {
					best = tries[j]
				}
			}
			if best != "" {
				program, shorter = prune(best), true
				continue
			}
			if at = i; at >= len(pieces) {
				break
			}
		}
		if !again() {
			break
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	return program
}

// prune leaves out the declarations that nothing uses.
func prune(program string) string {
	for {
		fset := token.NewFileSet()
		f, info := check(fset, program)
		if f == nil {
			return program
		}
		used := map[types.Object]bool{}
		for id, o := range info.Uses {
			// A function's use of itself does not count.
			if d := declOf(f, id.Pos()); d == nil || info.Defs[d] != o {
				used[o] = true
			}
			if fn, ok := o.(*types.Func); ok {
				used[fn.Origin()] = true
			}
		}
		shorter := program
		for i := len(f.Decls) - 1; i >= 0; i-- {
			var o types.Object
			switch d := f.Decls[i].(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name != "main" {
					o = info.Defs[d.Name]
				}
			case *ast.GenDecl:
				if s, ok := d.Specs[0].(*ast.TypeSpec); ok && len(d.Specs) == 1 {
					o = info.Defs[s.Name]
				}
			}
			if o != nil && !used[o] {
				from, to := fset.Position(f.Decls[i].Pos()).Offset-len(header), fset.Position(f.Decls[i].End()).Offset-len(header)
				shorter = shorter[:from] + shorter[to:]
			}
		}
		if shorter == program || Check(shorter) != nil {
			return tidy(program)
		}
		program = shorter
	}
}

// declOf is the name of the function declared around a position.
func declOf(f *ast.File, at token.Pos) *ast.Ident {
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.FuncDecl); ok && fd.Pos() <= at && at < fd.End() {
			return fd.Name
		}
	}
	return nil
}

// tidy formats a program without its empty lines.
func tidy(program string) string {
	var b strings.Builder
	for line := range strings.Lines(program) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(line)
		}
	}
	if s, err := format.Source([]byte(b.String())); err == nil {
		return string(s)
	}
	return program
}

// edit replaces a piece of a program.
type edit struct {
	from, to int
	with     string
}

// cuts lists what could be left out: about 1/size of a program at a time from
// top-level declarations and statements, and at the finest also expressions
// for their operands.
func cuts(program string, size int) []edit {
	fset := token.NewFileSet()
	f, info := check(fset, program)
	if f == nil {
		return nil
	}
	base := len(header)
	off := func(p token.Pos) int { return fset.Position(p).Offset - base }
	var out []edit
	cut := func(n ast.Node) { out = append(out, edit{off(n.Pos()), off(n.End()), ""}) }
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.FuncDecl); !ok || fd.Name.Name != "main" {
			cut(d)
		}
	}
	list := func(s []ast.Stmt) {
		for _, x := range s {
			cut(x)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			list(n.List)
		case *ast.CaseClause:
			list(n.Body)
		case *ast.CommClause:
			list(n.Body)
		}
		return true
	})
	if size > 1 {
		// the larger first
		sort.SliceStable(out, func(i, j int) bool { return out[i].to-out[i].from > out[j].to-out[j].from })
		var large []edit
		for _, e := range out {
			if (e.to-e.from)*size >= len(program) {
				large = append(large, e)
			}
		}
		return large
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			out = append(out, edit{off(n.Pos()), off(n.Body.Pos()), ""})
		case *ast.ForStmt:
			out = append(out, edit{off(n.Pos()), off(n.Body.Pos()), ""})
		case *ast.CallExpr, *ast.BinaryExpr, *ast.IndexExpr, *ast.CompositeLit, *ast.UnaryExpr, *ast.StarExpr, *ast.SelectorExpr, *ast.TypeAssertExpr, *ast.SliceExpr, *ast.FuncLit, *ast.ParenExpr:
			e := n.(ast.Expr)
			t := info.TypeOf(e)
			if t == nil || info.Types[e].IsType() {
				return true
			}
			if b, ok := t.(*types.Basic); ok && off(e.End())-off(e.Pos()) > 8 {
				if z := zero(b); z != "" {
					out = append(out, edit{off(e.Pos()), off(e.End()), z})
				}
			}
			ast.Inspect(e, func(c ast.Node) bool {
				ce, ok := c.(ast.Expr)
				if !ok || ce == e || info.Types[ce].IsType() {
					return true
				}
				if ct := info.TypeOf(ce); ct != nil && types.Identical(ct, t) {
					out = append(out, edit{off(e.Pos()), off(e.End()), program[off(ce.Pos()):off(ce.End())]})
				}
				return true
			})
			if lit, ok := e.(*ast.CompositeLit); ok {
				for _, el := range lit.Elts {
					end := off(el.End())
					if rest := program[end:]; strings.HasPrefix(rest, ", ") {
						end += 2
					}
					out = append(out, edit{off(el.Pos()), end, ""})
				}
			}
		}
		return true
	})
	return out
}

func zero(b *types.Basic) string {
	switch {
	case b.Info()&types.IsUntyped != 0:
		return ""
	case b.Info()&types.IsNumeric != 0:
		return b.Name() + "(1)"
	case b.Info()&types.IsString != 0:
		return `"s"`
	case b.Info()&types.IsBoolean != 0:
		return "true"
	}
	return ""
}

const header = "package main\n\n"

// repair makes an edit and takes out the statements that no longer check.
func repair(program string, e edit) (string, bool) {
	program = program[:e.from] + e.with + program[e.to:]
	for range 40 {
		err := Check(program)
		if err == nil {
			return program, true
		}
		var te types.Error
		if !errors.As(err, &te) {
			return "", false
		}
		pos := te.Fset.Position(te.Pos).Offset - (len(File(program, "main")) - len(program))
		fset := token.NewFileSet()
		f, perr := parser.ParseFile(fset, "p.go", header+program, parser.SkipObjectResolution)
		if perr != nil {
			return "", false
		}
		from, to := enclosing(fset, f, pos+len(header))
		if from < 0 {
			return "", false
		}
		from, to = from-len(header), to-len(header)
		program = program[:from] + program[to:]
	}
	return "", false
}

// enclosing is the innermost statement of a list, or the declaration, at a
// byte of a file.
func enclosing(fset *token.FileSet, f *ast.File, at int) (from, to int) {
	from = -1
	set := func(n ast.Node) {
		a, b := fset.Position(n.Pos()).Offset, fset.Position(n.End()).Offset
		if a <= at && at < b {
			from, to = a, b
		}
	}
	for _, d := range f.Decls {
		set(d)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			for _, s := range n.List {
				set(s)
			}
		case *ast.CaseClause:
			for _, s := range n.Body {
				set(s)
			}
		}
		return true
	})
	return from, to
}

// check parses and checks a program without its imports' being known to the
// file: positions are those of the header and the program.
func check(fset *token.FileSet, program string) (*ast.File, *types.Info) {
	f, err := parser.ParseFile(fset, "p.go", header+program, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	whole, err := parser.ParseFile(fset, "i.go", File(program, "main"), parser.ImportsOnly)
	if err != nil {
		return nil, nil
	}
	// The file's imports stand before the program, where positions do not count.
	f.Imports = whole.Imports
	var specs []ast.Spec
	for _, is := range whole.Imports {
		specs = append(specs, is)
	}
	decls := f.Decls
	if len(specs) > 0 {
		f.Decls = append([]ast.Decl{&ast.GenDecl{Tok: token.IMPORT, Specs: specs}}, f.Decls...)
	}
	conf := types.Config{Importer: library{}, GoVersion: "go1.26", Error: func(error) {}}
	_, _ = conf.Check("main", fset, []*ast.File{f}, info)
	f.Decls = decls
	return f, info
}
