package assist

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"html"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/symbols"
)

// Inspect describes the name between before, the Go up to the cursor, and
// after, or, between the brackets of a call, the function. detail 1 adds the
// source.
func Inspect(before, after string, detail int, known Names) interp.Inspection {
	if text, imports, ok := openString(before); ok {
		rest, _, _ := strings.Cut(after, `"`)
		if path := text + rest; imports && symbols.Has(path) {
			return About{Title: "package " + symbols.Name(path) + " // import \"" + path + "\"", Comment: symbols.Doc(path, "")}.Inspection()
		}
		return interp.Inspection{}
	}
	end := before + identifierAfter(after)
	if identifierBefore(end) == "" {
		if end = callee(before); end == "" {
			return interp.Inspection{}
		}
	}
	if word := identifierBefore(end); token.IsKeyword(word) {
		return About{Title: word, Comment: keywordHelp[word]}.Inspection()
	}
	p := newProbe(end, known)
	if p == nil || p.ident == nil {
		return interp.Inspection{}
	}
	if a, ok := p.describe(known, detail); ok {
		return a.Inspection()
	}
	return interp.Inspection{}
}

// callee is the code up to the name of the function whose brackets are open
// at the end of before.
func callee(before string) string {
	depth := 0
	for i := len(before) - 1; i >= 0; i-- {
		switch before[i] {
		case ')', ']', '}':
			depth++
		case '[', '{':
			depth--
		case '(':
			if depth--; depth < 0 {
				if end := strings.TrimRight(before[:i], " \t"); identifierBefore(end) != "" {
					return end
				}
				return ""
			}
		}
		if depth < 0 {
			return ""
		}
	}
	return ""
}

// About is what is known of a name.
type About struct {
	Title   string // Go
	Comment string // as go/doc has it
	Source  string // Go, with detail
	Origin  string // where it is declared
}

// Inspection shows it as text, Markdown and HTML.
func (a About) Inspection() interp.Inspection {
	var p comment.Parser
	doc := p.Parse(a.Comment)
	pr := &comment.Printer{HeadingLevel: 4}
	var text, md, ht strings.Builder
	text.WriteString(a.Title + "\n")
	fmt.Fprintf(&md, "```go\n%s\n```\n", a.Title)
	fmt.Fprintf(&ht, "<pre><code>%s</code></pre>\n", html.EscapeString(a.Title))
	if a.Origin != "" {
		text.WriteString(a.Origin + "\n")
		md.WriteString("\n*" + a.Origin + "*\n")
		ht.WriteString("<p><em>" + html.EscapeString(a.Origin) + "</em></p>\n")
	}
	if a.Comment != "" {
		text.WriteString("\n" + string(pr.Text(doc)))
		md.WriteString("\n" + string(pr.Markdown(doc)))
		ht.Write(pr.HTML(doc))
	}
	if a.Source != "" {
		text.WriteString("\n" + a.Source + "\n")
		fmt.Fprintf(&md, "\n```go\n%s\n```\n", a.Source)
		fmt.Fprintf(&ht, "<pre><code>%s</code></pre>\n", html.EscapeString(a.Source))
	}
	return interp.Inspection{Found: true, Data: display.Bundle{
		display.Text: strings.TrimRight(text.String(), "\n") + "\n", display.Markdown: md.String(), display.HTML: ht.String(),
	}}
}

// describe says what the identifier means.
func (p *probe) describe(known Names, detail int) (About, bool) {
	obj := p.object()
	if obj == nil {
		if path := packageNamed(p.ident.Name); path != "" {
			return About{Title: "package " + p.ident.Name + " // import \"" + path + "\"", Comment: symbols.Doc(path, ""),
				Origin: "not imported yet"}, true
		}
		return About{}, false
	}
	if pkg, ok := obj.(*types.PkgName); ok {
		path := pkg.Imported().Path()
		return About{Title: "package " + pkg.Imported().Name() + " // import \"" + path + "\"", Comment: symbols.Doc(path, "")}, true
	}
	a := About{Title: p.title(obj, known)}
	if obj.Pkg() == nil {
		if decl := symbols.Declaration("builtin", obj.Name()); decl != "" {
			a.Title = decl
		}
		a.Comment = symbols.Doc("builtin", obj.Name())
		return a, true
	}
	if symbols.Has(obj.Pkg().Path()) {
		p.describeCompiled(&a, obj, detail)
		return a, true
	}
	if obj.Name() == "must" && known.Objects["must"] == nil && isCellPackage(obj.Pkg()) {
		a.Comment = "must returns value if err is nil. Otherwise the cell fails with err.\n\nIt is predeclared in every cell: f := must(os.Open(name))."
		return a, true
	}
	p.describeOwn(&a, obj, known, detail)
	return a, true
}

// object is what the identifier denotes.
func (p *probe) object() types.Object {
	id := p.ident
	if obj := p.info.Uses[id]; obj != nil {
		return obj
	}
	if obj := p.info.Defs[id]; obj != nil {
		return obj
	}
	if sel, ok := p.path[max(0, len(p.path)-2)].(*ast.SelectorExpr); ok && sel.Sel == id {
		if s := p.info.Selections[sel]; s != nil {
			return s.Obj()
		}
		if x, ok := sel.X.(*ast.Ident); ok && p.info.Uses[x] == nil {
			if pkg, err := symbols.Types(packageNamed(x.Name)); err == nil {
				return pkg.Scope().Lookup(id.Name)
			}
		}
	}
	for s := p.innermost(); s != nil; s = s.Parent() {
		if obj := s.Lookup(id.Name); obj != nil {
			return obj
		}
	}
	return nil
}

// title is a declaration in one line.
func (p *probe) title(obj types.Object, known Names) string {
	switch obj := obj.(type) {
	case *types.Var:
		word := "var "
		if obj.IsField() {
			word = "field "
		}
		return word + obj.Name() + " " + known.typeText(obj.Type())
	case *types.Const:
		return "const " + obj.Name() + " " + known.signature(obj)
	case *types.Nil:
		return "nil"
	case *types.Builtin:
		return "func " + obj.Name()
	}
	return types.ObjectString(obj, shortNames)
}

// describeCompiled adds what the documentation of a package says.
func (p *probe) describeCompiled(a *About, obj types.Object, detail int) {
	path, name := obj.Pkg().Path(), obj.Name()
	a.Origin = path
	symbol := name
	switch obj := obj.(type) {
	case *types.Func:
		if recv := obj.Signature().Recv(); recv != nil {
			symbol = typeName(recv.Type()) + "." + name
			if strings.HasPrefix(symbol, ".") {
				symbol = p.ownerOf(name)
			}
		}
	case *types.Var:
		if obj.IsField() {
			symbol = p.ownerOf(name)
		}
	}
	if decl := symbols.Declaration(path, symbol); decl != "" && !strings.HasPrefix(decl, "field ") && !strings.HasPrefix(decl, "method ") {
		if strings.HasPrefix(decl, "var ") {
			decl = a.Title // with the type rather than the initial value
		}
		a.Title = decl
	}
	a.Comment = symbols.Doc(path, symbol)
	if detail == 0 {
		return
	}
	if tn, ok := obj.(*types.TypeName); ok {
		a.Source = methodList(tn.Type())
	}
	for _, src := range symbols.Sources(path) {
		if text := declaration(string(src), symbol); text != "" {
			a.Source = text
		}
	}
}

// ownerOf is T.name for a selection x.name, by the type T that declares it.
func (p *probe) ownerOf(name string) string {
	sel, ok := p.path[max(0, len(p.path)-2)].(*ast.SelectorExpr)
	if !ok {
		return name
	}
	s := p.info.Selections[sel]
	if s == nil {
		return name
	}
	t := s.Recv()
	for _, i := range s.Index()[:len(s.Index())-1] {
		if ptr, ok := t.Underlying().(*types.Pointer); ok {
			t = ptr.Elem()
		}
		st, ok := t.Underlying().(*types.Struct)
		if !ok {
			return name
		}
		t = st.Field(i).Type()
	}
	return typeName(t) + "." + name
}

func typeName(t types.Type) string {
	if ptr, ok := t.(*types.Pointer); ok {
		t = ptr.Elem()
	}
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return t.Obj().Name()
	}
	return ""
}

// methodList prints the exported methods of a type.
func methodList(t types.Type) string {
	if !types.IsInterface(t) {
		t = types.NewPointer(t)
	}
	var b strings.Builder
	set := types.NewMethodSet(t)
	for m := range set.Methods() {
		if m.Obj().Exported() {
			b.WriteString(types.ObjectString(m.Obj(), shortNames) + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// describeOwn adds what the cell or file that declared the object says.
func (p *probe) describeOwn(a *About, obj types.Object, known Names, detail int) {
	if known.Source == nil {
		return
	}
	text, place := known.Source(obj)
	if text == "" {
		return
	}
	a.Origin = "declared in " + place
	name := obj.Name()
	if f, ok := obj.(*types.Func); ok && f.Signature().Recv() != nil {
		name = typeName(f.Signature().Recv().Type()) + "." + name
	}
	_, node, doc := declared(text, name)
	a.Comment = doc.Text()
	if f, ok := node.(*ast.FuncDecl); ok {
		a.Title = printNode(token.NewFileSet(), &ast.FuncDecl{Recv: f.Recv, Name: f.Name, Type: f.Type})
	}
	if _, isType := obj.(*types.TypeName); isType || detail > 0 {
		// The type itself is what one asks for; functions may be long.
		source := declaration(text, name)
		if source == "" && detail > 0 {
			source = strings.TrimRight(text, "\n")
		}
		if isType && source != "" && detail == 0 {
			a.Title = source
		} else {
			a.Source = source
		}
	}
	if tn, ok := obj.(*types.TypeName); ok && detail > 0 {
		if list := methodList(tn.Type()); list != "" {
			a.Source += "\n\n" + list
		}
	}
}

// declared finds the declaration of a symbol, T or T.M or F, in Go text: a
// file, or the declaration alone.
func declared(text, symbol string) (fset *token.FileSet, node ast.Decl, doc *ast.CommentGroup) {
	fset = token.NewFileSet()
	if !strings.Contains("\n"+text, "\npackage ") {
		text = "package p\n" + onlyDeclarations(text)
	}
	f, _ := parser.ParseFile(fset, "", text, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return fset, nil, nil
	}
	owner, name, isMethod := strings.Cut(symbol, ".")
	if !isMethod {
		name = owner
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if base := Receiver(d); d.Name.Name == name && (d.Recv != nil) == isMethod && (!isMethod || base != nil && base.Name == owner) {
				return fset, d, d.Doc
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				doc := d.Doc
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Doc != nil {
						doc = s.Doc
					}
					if !isMethod && s.Name.Name == name {
						return fset, &ast.GenDecl{Tok: d.Tok, TokPos: d.TokPos, Specs: []ast.Spec{s}}, doc
					}
				case *ast.ValueSpec:
					if s.Doc != nil {
						doc = s.Doc
					}
					if !isMethod && slices.ContainsFunc(s.Names, func(id *ast.Ident) bool { return id.Name == name }) {
						return fset, &ast.GenDecl{Tok: d.Tok, TokPos: d.TokPos, Specs: []ast.Spec{s}}, doc
					}
				}
			}
		}
	}
	return fset, nil, nil
}

// onlyDeclarations is a cell without its statements, which a file cannot hold;
// a := … becomes a var.
func onlyDeclarations(cell string) string {
	var b strings.Builder
	from := 0
	for _, c := range chunks(cell) {
		at := from + strings.Index(cell[from:], c.text)
		if left, op := c.defines(); left != nil {
			b.WriteString(cell[from:at] + "var " + c.text[:op] + "=" + c.text[op+2:])
		} else if c.outside() {
			b.WriteString(cell[from:at] + c.text) // with the comment before it
		}
		b.WriteString("\n")
		from = at + len(c.text)
	}
	return b.String()
}

// Receiver is the name of the type that a method belongs to, nil for a function.
func Receiver(f *ast.FuncDecl) *ast.Ident {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return nil
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x
		default:
			return nil
		}
	}
}

func declaration(text, symbol string) string {
	fset, node, _ := declared(text, symbol)
	if node == nil {
		return ""
	}
	return printNode(fset, node)
}

func printNode(fset *token.FileSet, node any) string {
	var b strings.Builder
	if err := (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&b, fset, node); err != nil {
		return ""
	}
	return b.String()
}

// keywordHelp explains the words of Go.
var keywordHelp = map[string]string{
	"break":       "break ends the innermost for, switch or select, or the labelled one.",
	"case":        "case begins the statements for one value of a switch, one type, or one communication of a select.",
	"chan":        "chan T is the type of channels of T; <-chan T only receives, chan<- T only sends.",
	"const":       "const declares constants; iota counts the lines of a group.",
	"continue":    "continue begins the next round of the innermost for, or the labelled one.",
	"default":     "default begins the statements for when no case matches.",
	"defer":       "defer f(x) calls f when the function returns; x is evaluated now.",
	"else":        "else begins what runs if the condition of if is false.",
	"fallthrough": "fallthrough goes on with the statements of the next case.",
	"for":         "for repeats: for {}, for condition {}, for i := 0; i < n; i++ {}, for i, v := range x {}.",
	"func":        "func declares a function, or is one: func(a int) string { … }.",
	"go":          "go f(x) calls f in a goroutine of its own.",
	"goto":        "goto goes to a label of the function.",
	"if":          "if condition {} else {}; a statement may come first: if err := f(); err != nil {}.",
	"import":      "import \"path\" makes a package known by its name; %packages lists them.",
	"interface":   "interface { M() } is the type of all values that have these methods.",
	"map":         "map[K]V is the type of maps from K to V.",
	"package":     "package begins a file; a cell has none.",
	"range":       "range walks slices, strings, maps, channels, integers and functions.",
	"return":      "return ends the function with its results.",
	"select":      "select waits until one of its communications can go on.",
	"struct":      "struct { Name T } is the type of records of these fields.",
	"switch":      "switch chooses by value, or by type: switch x := v.(type) { case int: }.",
	"type":        "type T declares a new type; type T = U another name.",
	"var":         "var declares variables: var x int, var y = 1.",
}
