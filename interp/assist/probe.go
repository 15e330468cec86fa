package assist

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"trafficgpt/interp/symbols"
)

// Names is what completion and inspection know of a session: a snapshot, so
// that they answer while a cell runs.
type Names struct {
	Objects map[string]types.Object // declared by cells, the latest of each name
	Imports map[string]string       // name in cells to import path
	// Source returns the text of the cell or file that declared the object and
	// what it is called; nil if there is no such record.
	Source func(obj types.Object) (text, place string)
	// Own is the type of a package of the user's, imported by a relative path.
	Own func(path string) *types.Package
	// Stale reports whether a later cell has declared anew a type that t is made
	// of; nil if none can have been.
	Stale func(t types.Type) bool
	// Dir is where relative imports look.
	Dir string
}

// probe is the code before the cursor, made whole and checked as far as it
// goes, with the identifier that ends at the cursor.
type probe struct {
	pkg   *types.Package
	info  types.Info
	file  *ast.File
	ident *ast.Ident
	path  []ast.Node // from the file to the identifier
	fset  *token.FileSet
}

// cursorMark is a letter that ends the identifier at the cursor while code is
// completed, so that it is found again and never complete.
const cursorMark = "ʘ"

// predeclared is what cells have beside Go's own.
const predeclared = "func must[T any](value T, err error) T { panic(err) }\n"

// newProbe checks code, which ends with the identifier of interest. It is nil
// if there is no code but comments.
func newProbe(code string, known Names) *probe {
	list := chunks(code)
	if len(list) == 0 {
		return nil
	}
	text, at := assemble(list, code, known)
	p := &probe{fset: token.NewFileSet(), info: types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, Implicits: map[ast.Node]types.Object{}, Scopes: map[ast.Node]*types.Scope{},
	}}
	// Errors are expected: the code is unfinished.
	p.file, _ = parser.ParseFile(p.fset, "cell", text, parser.AllErrors|parser.SkipObjectResolution)
	if p.file == nil {
		return nil
	}
	p.find(token.Pos(p.fset.File(p.file.FileStart).Base() + at))
	p.check(known)
	return p
}

// find looks for the identifier that ends at end, and what it lies in.
func (p *probe) find(end token.Pos) {
	var path []ast.Node
	ast.Inspect(p.file, func(n ast.Node) bool {
		if n == nil {
			path = path[:len(path)-1]
			return false
		}
		path = append(path, n)
		if id, ok := n.(*ast.Ident); ok && id.End() == end && p.ident == nil {
			p.ident, p.path = id, slices.Clone(path)
		}
		return true
	})
}

// check type-checks the file among the session's objects.
func (p *probe) check(known Names) {
	p.pkg = types.NewPackage("main", "main")
	for name, obj := range known.Objects {
		if !declares(p.file, name) {
			p.pkg.Scope().Insert(obj)
		}
	}
	conf := types.Config{
		GoVersion: "go1.26", Error: func(error) {}, Importer: probeImporter(known), DisableUnusedImportCheck: true,
	}
	defer func() { _ = recover() }() // half a program may be more than go/types expects
	_ = types.NewChecker(&conf, p.fset, p.pkg, &p.info).Files([]*ast.File{p.file})
}

func declares(f *ast.File, name string) bool {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.Name == name {
						return true
					}
				case *ast.ValueSpec:
					if slices.ContainsFunc(s.Names, func(id *ast.Ident) bool { return id.Name == name }) {
						return true
					}
				}
			}
		}
	}
	return false
}

type probeImporter Names

func (i probeImporter) Import(path string) (*types.Package, error) {
	if i.Own != nil {
		if p := i.Own(path); p != nil {
			return p, nil
		}
	}
	return symbols.Types(path)
}

// chunk is a top-level construct of a cell.
type chunk struct {
	tokens []token.Token
	text   string
}

// chunks cuts a cell at its top-level semicolons.
func chunks(src string) []chunk {
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, []byte(src), func(token.Position, string) {}, 0)
	var list []chunk
	var c chunk
	depth, start := 0, 0
	for {
		pos, tok, _ := s.Scan()
		at := file.Offset(pos)
		if tok == token.EOF || tok == token.SEMICOLON && depth == 0 {
			if len(c.tokens) > 0 {
				end := at
				if tok == token.EOF {
					end = len(src)
				}
				c.text = src[start:end]
				list = append(list, c)
				c = chunk{}
			}
			if tok == token.EOF {
				return list
			}
			continue
		}
		switch tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			depth++
		case token.RPAREN, token.RBRACK, token.RBRACE:
			depth = max(0, depth-1)
		}
		if len(c.tokens) == 0 {
			start = at
		}
		c.tokens = append(c.tokens, tok)
	}
}

// defines returns the names on the left of a, b := … and the offset of the
// operator; none for any other chunk.
func (c chunk) defines() (left []string, at int) {
	for i, t := range c.tokens {
		if t == token.DEFINE {
			at = strings.Index(c.text, ":=")
			for name := range strings.SplitSeq(c.text[:at], ",") {
				left = append(left, strings.TrimSpace(name))
			}
			return left, at
		}
		if t != [2]token.Token{token.IDENT, token.COMMA}[i%2] {
			return nil, 0
		}
	}
	return nil, 0
}

// outside reports whether the chunk stands outside of functions in a file.
func (c chunk) outside() bool {
	switch c.tokens[0] {
	case token.TYPE, token.CONST, token.VAR:
		return true
	case token.FUNC:
		if len(c.tokens) > 1 && c.tokens[1] == token.IDENT {
			return true
		}
		depth := 0
		for i, t := range c.tokens {
			if t == token.LPAREN {
				depth++
			}
			if t == token.RPAREN {
				if depth--; depth == 0 {
					return i+1 < len(c.tokens) && c.tokens[i+1] == token.IDENT // a method, no literal
				}
			}
		}
	}
	return false
}

// method rewrites a method of a type that an earlier cell declared: go/types
// takes none for a type of another package. It becomes a function with the
// receiver around a function with the parameters. after ends like the chunk.
func (c chunk) method(list []chunk) (before, after, closer string) {
	if c.tokens[0] != token.FUNC || c.tokens[1] != token.LPAREN {
		return "", c.text, ""
	}
	end := strings.IndexByte(c.text, ')')
	open := strings.IndexByte(c.text[end:], '(')
	if open < 0 {
		return "", c.text, ""
	}
	receiver := c.text[:end+1]
	base := strings.TrimLeft(receiver[strings.LastIndexAny(receiver, " *(")+1:], " ")
	base, _, _ = strings.Cut(strings.TrimRight(base, ")"), "[")
	for _, other := range list {
		if other.tokens[0] == token.TYPE && strings.Contains(other.text, base) {
			return "", c.text, ""
		}
	}
	return "func _" + strings.TrimPrefix(receiver, "func") + "{ _ = func", c.text[end+open:], "}"
}

// assemble makes a file of a cell whose last chunk is unfinished: imports,
// declarations, and a function of the statements, in which each a := … opens a
// block, since a cell may define a name twice. It returns the file and where
// the end of code lies in it.
func assemble(list []chunk, code string, known Names) (text string, at int) {
	var head, decls, body, tail strings.Builder
	head.WriteString("package main\n")
	imported := map[string]bool{}
	last := len(list) - 1
	lastDefinition := map[string]int{}
	for i, c := range list {
		left, _ := c.defines()
		for _, name := range left {
			lastDefinition[name] = i
		}
	}
	where := &body
	for i, c := range list {
		text := c.text
		if i == last {
			text += closers(text)
		}
		switch left, op := c.defines(); {
		case c.tokens[0] == token.IMPORT:
			head.WriteString(text + "\n")
			for _, name := range importNames(c.text) {
				imported[name] = true
			}
		case c.outside():
			before, after, closer := c.method(list)
			if i == last {
				where, at = &decls, decls.Len()+len(before)+len(after)
			}
			decls.WriteString(before + after + strings.TrimPrefix(text, c.text) + closer + "\n")
		default:
			if left != nil && i != last && !strings.Contains(c.text[op:], left[0]) && lastDefinition[left[0]] == i {
				// For functions of the cell, which see it as a variable of the package.
				decls.WriteString("var " + c.text[:op] + " = " + c.text[op+2:] + "\n")
			}
			if left != nil {
				body.WriteString("{\n")
				tail.WriteString("}\n")
			}
			if i == last {
				at = body.Len() + len(c.text)
			}
			body.WriteString(text + "\n")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known.Imports)) {
		if !imported[name] && strings.Contains(code, name) {
			fmt.Fprintf(&head, "import %s %q\n", name, known.Imports[name])
			imported[name] = true
		}
	}
	if known.Objects["must"] == nil {
		head.WriteString("\n")
		decls.WriteString(predeclared)
	}
	begin := head.Len() + decls.Len() + len("func _() {\n")
	if where == &decls {
		at += head.Len()
	} else {
		at += begin
	}
	return head.String() + decls.String() + "func _() {\n" + body.String() + tail.String() + "}\n", at
}

// importNames are the names that an import declaration gives to the file.
func importNames(text string) []string {
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.ImportsOnly)
	if f == nil {
		return nil
	}
	var list []string
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, "\"`")
		switch {
		case spec.Name != nil:
			list = append(list, spec.Name.Name)
		case symbols.Name(path) != "":
			list = append(list, symbols.Name(path))
		}
	}
	return list
}

// closers is what ends the statements and brackets that text leaves open.
func closers(text string) string {
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, 0)
	type open struct{ bracket, statement token.Token }
	stack := []open{{}}
	top := func() *open { return &stack[len(stack)-1] }
	fresh := true // a statement begins
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF || tok == token.SEMICOLON && lit == "\n" && file.Offset(pos) >= len(text) {
			break // the scanner ends a last line itself
		}
		if tok == token.SEMICOLON {
			if lit == "\n" {
				top().statement = token.ILLEGAL
			}
			fresh = true
			continue
		}
		switch tok {
		case token.IF, token.FOR, token.SWITCH, token.SELECT, token.CASE, token.GO, token.DEFER:
			if fresh || tok != token.CASE {
				top().statement = tok
			}
		case token.LBRACE:
			switch top().statement {
			case token.IF, token.FOR, token.SWITCH, token.SELECT:
				top().statement = token.ILLEGAL
			}
			stack = append(stack, open{bracket: token.RBRACE})
		case token.LPAREN:
			stack = append(stack, open{bracket: token.RPAREN})
		case token.LBRACK:
			stack = append(stack, open{bracket: token.RBRACK})
		case token.RBRACE, token.RPAREN, token.RBRACK:
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case token.COLON:
			if top().statement == token.CASE {
				top().statement = token.ILLEGAL
			}
		}
		fresh = tok == token.LBRACE || tok == token.COLON
	}
	var b strings.Builder
	for _, o := range slices.Backward(stack) {
		switch o.statement {
		case token.IF, token.FOR, token.SWITCH, token.SELECT:
			b.WriteString(" {}")
		case token.CASE:
			b.WriteString(":")
		case token.GO, token.DEFER:
			b.WriteString("()")
		}
		switch o.bracket {
		case token.RBRACE:
			b.WriteString("}")
		case token.RPAREN:
			b.WriteString(")")
		case token.RBRACK:
			b.WriteString("]")
		}
	}
	return b.String()
}
