package export

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// A method that cells define several times with one signature becomes a method
// that calls a variable; each version is a function, and its cell puts it into
// the variable.

// dispatch is the text of such a method and its variable.
type dispatch struct{ text string }

// takeMethod notes a method definition; from the second on it is a version.
// The first, already resolved, is made one too.
func (r *resolver) takeMethod(p *renamed, seen func(string) string) error {
	name, method, _ := strings.Cut(p.method, ".")
	if s := seen(name); s != "" {
		name = s
	}
	key := name + "." + method
	file, fset, _, err := parsePiece(&piece{kind: isFunc, text: p.text, cell: p.cell, line: p.line, column: p.column})
	if err != nil {
		return err
	}
	f := file.Decls[0].(*ast.FuncDecl)
	recv := f.Recv.List[0].Type
	signature := typeText(fset, recv) + " " + signatureText(fset, f.Type)
	s := r.methods[key]
	if s == nil {
		r.methods[key] = &swap{signature: signature, versions: 1, first: p}
		return nil
	}
	switch {
	case s.signature != signature:
		return p.errorf("method %s is defined a second time with another signature, which a program cannot do", p.method)
	case isGenericReceiver(recv):
		return p.errorf("method %s of a generic type is defined a second time, which a program cannot do", p.method)
	}
	if s.versions == 1 {
		variable := r.fresh(name + "_" + method)
		s.variable = variable
		text, err := r.dispatcher(s.first, variable)
		if err != nil {
			return err
		}
		r.dispatched = append(r.dispatched, &dispatch{text})
		if err := r.version(s.first, variable, 1); err != nil {
			return err
		}
	}
	s.versions++
	return r.version(p, s.variable, s.versions)
}

func isGenericReceiver(t ast.Expr) bool {
	if star, ok := ast.Unparen(t).(*ast.StarExpr); ok {
		t = star.X
	}
	_, isIdent := ast.Unparen(t).(*ast.Ident)
	return !isIdent
}

// version makes a function out of a method: the receiver is its first
// parameter.
func (r *resolver) version(p *renamed, variable string, n int) error {
	file, fset, before, err := parsePiece(&piece{kind: isFunc, text: p.text, cell: p.cell, line: p.line, column: p.column})
	if err != nil {
		return err
	}
	f := file.Decls[0].(*ast.FuncDecl)
	offset := func(pos token.Pos) int { return fset.Position(pos).Offset - before }
	recv := p.text[offset(f.Recv.Opening)+1 : offset(f.Recv.Closing)]
	if len(f.Recv.List[0].Names) == 0 {
		recv = "_ " + recv
	}
	params := p.text[offset(f.Type.Params.Opening)+1 : offset(f.Type.Params.Closing)]
	if len(f.Type.Params.List) > 0 {
		if len(f.Type.Params.List[0].Names) == 0 {
			params = unnamed(fset, f.Type.Params)
		}
		params = ", " + params
	}
	p.swapped, p.swaps = r.fresh(variable+"_"+strconv.Itoa(n)), variable
	p.text = "func " + p.swapped + "(" + recv + params + p.text[offset(f.Type.Params.Closing):]
	return nil
}

// unnamed gives parameters without names the blank one.
func unnamed(fset *token.FileSet, list *ast.FieldList) string {
	var out []string
	for _, f := range list.List {
		out = append(out, "_ "+typeText(fset, f.Type))
	}
	return strings.Join(out, ", ")
}

// dispatcher writes the method that calls the variable.
func (r *resolver) dispatcher(p *renamed, variable string) (string, error) {
	file, fset, _, err := parsePiece(&piece{kind: isFunc, text: p.text, cell: p.cell, line: p.line, column: p.column})
	if err != nil {
		return "", err
	}
	f := file.Decls[0].(*ast.FuncDecl)
	recv := typeText(fset, f.Recv.List[0].Type)
	params, args, kinds := []string{}, []string{"r"}, []string{recv}
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			name := fmt.Sprintf("p%d", len(params))
			text := typeText(fset, field.Type)
			params, kinds = append(params, name+" "+text), append(kinds, text)
			if strings.HasPrefix(text, "...") {
				name += "..."
			}
			args = append(args, name)
		}
	}
	results, ret := "", ""
	if f.Type.Results != nil {
		_, results, _ = strings.Cut(signatureText(fset, &ast.FuncType{Params: &ast.FieldList{}, Results: f.Type.Results}), " ")
		ret = "return "
	}
	return fmt.Sprintf("// %s is the version of the latest cell that defined the method.\nvar %s func(%s) %s\n\nfunc (r %s) %s(%s) %s { %s%s(%s) }\n\n",
		variable, variable, strings.Join(kinds, ", "), results, recv, f.Name.Name, strings.Join(params, ", "), results, ret, variable, strings.Join(args, ", ")), nil
}
