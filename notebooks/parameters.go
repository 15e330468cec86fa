package notebooks

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// Parameter is one -p name=value.
type Parameter struct{ Name, Value string }

// ParseParameter splits name=value.
func ParseParameter(s string) (Parameter, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || !token.IsIdentifier(name) {
		return Parameter{}, fmt.Errorf("%q is not of the form name=value", s)
	}
	return Parameter{name, value}, nil
}

// inject places a cell that sets the parameters after the cell tagged
// "parameters", as papermill does: the original cell stays, the new one is
// tagged "injected-parameters" and replaces the one of an earlier run.
//
// A value is a Go expression; where the cell declares the name with a string
// literal, the quotes may be left out.
func (nb *Notebook) inject(params []Parameter) error {
	if len(params) == 0 {
		return nil
	}
	at := slices.IndexFunc(nb.Cells, func(c *Cell) bool { return c.Type == "code" && c.Tagged("parameters") })
	if at < 0 {
		return fmt.Errorf("the notebook has no cell tagged \"parameters\", so -p has nothing to set")
	}
	declared, err := declarations(nb.Cells[at].Source)
	if err != nil {
		return fmt.Errorf("the parameters cell does not parse: %w", err)
	}
	var sb strings.Builder
	sb.WriteString("// Parameters")
	for _, p := range params {
		init, ok := declared[p.Name]
		if !ok {
			return fmt.Errorf("the parameters cell declares no %q (it has %s)", p.Name, nameList(declared))
		}
		value, err := literal(p.Value, init)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		fmt.Fprintf(&sb, "\n%s = %s", p.Name, value)
	}
	injected := &Cell{Type: "code", ID: "injected-parameters", Source: sb.String(),
		Metadata: map[string]any{"tags": []any{"injected-parameters"}}}
	nb.Cells = slices.DeleteFunc(nb.Cells, func(c *Cell) bool { return c.Tagged("injected-parameters") })
	at = slices.IndexFunc(nb.Cells, func(c *Cell) bool { return c.Type == "code" && c.Tagged("parameters") })
	nb.Cells = slices.Insert(nb.Cells, at+1, injected)
	return nil
}

// declarations lists the variables that a cell declares, with the expression
// each starts from (nil for var x T).
func declarations(source string) (map[string]ast.Expr, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "parameters", "package p; func _() {\n"+source+"\n}", 0)
	if err != nil {
		return nil, err
	}
	found := map[string]ast.Expr{}
	note := func(names []*ast.Ident, values []ast.Expr) {
		for i, n := range names {
			found[n.Name] = nil
			if len(values) == len(names) {
				found[n.Name] = values[i]
			}
		}
	}
	for _, stmt := range file.Decls[0].(*ast.FuncDecl).Body.List {
		switch s := stmt.(type) {
		case *ast.AssignStmt:
			var names []*ast.Ident
			for _, l := range s.Lhs {
				if id, ok := l.(*ast.Ident); ok && s.Tok == token.DEFINE {
					names = append(names, id)
				}
			}
			note(names, s.Rhs)
		case *ast.DeclStmt:
			if g, ok := s.Decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					note(v.Names, v.Values)
				}
			}
		}
	}
	return found, nil
}

func literal(value string, init ast.Expr) (string, error) {
	if lit, ok := init.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if _, err := strconv.Unquote(value); err == nil {
			return value, nil
		}
		return strconv.Quote(value), nil
	}
	if _, err := parser.ParseExpr(value); err != nil {
		return "", fmt.Errorf("%q is not a Go expression", value)
	}
	return value, nil
}

func nameList(m map[string]ast.Expr) string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
