// Package assist answers questions about Go that is being typed: what may follow
// (Complete), what a name means (Inspect), and whether more lines must come
// (IsComplete). It knows Go and a snapshot of a session's names, not the session,
// so that it answers while a cell runs; of commands it knows only how they look.
//
//   - probe: the code before the cursor, made whole and checked as far as it goes.
//   - chunk: a top-level statement or declaration of a cell.
package assist

import (
	"cmp"
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"trafficgpt/interp"
	"trafficgpt/interp/symbols"
)

// Complete lists what the identifier or path may be that ends at pos, between
// before, the Go up to there, and after.
func Complete(before, after string, pos int, known Names) interp.Completion {
	none := interp.Completion{Start: pos, End: pos}
	if text, imports, ok := openString(before); ok {
		if imports {
			return completeImport(text, pos, known.Dir)
		}
		return CompletePath(text, pos, "")
	}
	prefix := identifierBefore(before)
	if r, _ := utf8.DecodeRuneInString(prefix); prefix != "" && unicode.IsDigit(r) {
		return none
	}
	p := newProbe(before+cursorMark, known)
	if p == nil || p.ident == nil {
		return none // in a comment or a string
	}
	c := candidates{known: known, prefix: prefix, end: pos + len(identifierAfter(after)), start: pos - len(prefix), seen: map[string]bool{}}
	p.collect(&c)
	return c.result()
}

// IdentifierRune reports whether r can stand in an identifier.
func IdentifierRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func identifierBefore(s string) string {
	return s[len(strings.TrimRightFunc(s, IdentifierRune)):]
}

func identifierAfter(s string) string {
	return s[:len(s)-len(strings.TrimLeftFunc(s, IdentifierRune))]
}

// candidates collects items that begin with prefix, by letters of either case.
type candidates struct {
	known      Names
	prefix     string
	start, end int
	items      []rankedItem
	seen       map[string]bool
}

type rankedItem struct {
	interp.CompletionItem
	rank int // smaller comes first
}

func (c *candidates) add(rank int, name, kind string, signature func() string) {
	if name == "_" || name == "" || strings.HasSuffix(name, cursorMark) || c.seen[name] || len(name) < len(c.prefix) ||
		!strings.EqualFold(name[:len(c.prefix)], c.prefix) {
		return
	}
	if !strings.HasPrefix(name, c.prefix) {
		rank += 100
	}
	c.seen[name] = true
	item := interp.CompletionItem{Text: name, Kind: kind}
	if signature != nil {
		item.Signature = signature()
	}
	c.items = append(c.items, rankedItem{item, rank})
}

func (c *candidates) object(rank int, obj types.Object) {
	c.add(rank, obj.Name(), objectKind(obj), func() string { return c.known.signature(obj) })
}

func (c *candidates) result() interp.Completion {
	slices.SortStableFunc(c.items, func(a, b rankedItem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.Text, b.Text))
	})
	out := interp.Completion{Start: c.start, End: c.end}
	for _, it := range c.items {
		out.Items = append(out.Items, it.CompletionItem)
	}
	return out
}

func objectKind(obj types.Object) string {
	switch obj := obj.(type) {
	case *types.Func:
		if obj.Signature().Recv() != nil {
			return "method"
		}
		return "function"
	case *types.Builtin:
		return "function"
	case *types.TypeName:
		return "type"
	case *types.Const, *types.Nil:
		return "constant"
	case *types.PkgName:
		return "package"
	case *types.Var:
		if obj.IsField() {
			return "field"
		}
	}
	return "variable"
}

// shortNames prints packages by their names, and none for what cells declare.
func shortNames(p *types.Package) string {
	if isCellPackage(p) {
		return ""
	}
	return p.Name()
}

// isCellPackage reports whether p holds what cells declare: no path that can
// be imported is like its.
func isCellPackage(p *types.Package) bool {
	return p == nil || !symbols.Has(p.Path()) && !strings.ContainsAny(p.Path(), "./")
}

// signature is what is worth knowing of an object beside its name.
func (n Names) signature(obj types.Object) string {
	switch obj := obj.(type) {
	case *types.Func:
		return types.TypeString(obj.Signature(), shortNames)
	case *types.Builtin:
		if _, sig, ok := strings.Cut(symbols.Declaration("builtin", obj.Name()), obj.Name()); ok {
			return "func" + sig
		}
		return ""
	case *types.PkgName:
		return obj.Imported().Path()
	case *types.Const:
		v := obj.Val().String()
		return types.TypeString(obj.Type(), shortNames) + " = " + v
	case *types.TypeName:
		if obj.Pkg() == nil {
			return ""
		}
		text := types.TypeString(obj.Type().Underlying(), shortNames)
		if len(text) > 60 || strings.Contains(text, "\n") {
			text, _, _ = strings.Cut(text, "{")
		}
		return text
	case *types.Nil:
		return ""
	}
	return n.typeText(obj.Type())
}

// typeText is a type as cells write it; one that a later cell has declared
// anew is named as such.
func (n Names) typeText(t types.Type) string {
	text := types.TypeString(t, shortNames)
	if n.Stale != nil && n.Stale(t) {
		text += ", earlier version"
	}
	return text
}

// collect fills in what may stand at the identifier.
func (p *probe) collect(c *candidates) {
	parent := p.path[max(0, len(p.path)-2)]
	switch n := parent.(type) {
	case *ast.SelectorExpr:
		if n.Sel == p.ident {
			p.members(c, n.X)
			return
		}
	case *ast.LabeledStmt, *ast.ImportSpec:
		return
	case *ast.FuncDecl:
		if n.Name == p.ident {
			return // a name to invent
		}
	case *ast.Field:
		if slices.Contains(n.Names, p.ident) && n.Type != nil {
			return
		}
	}
	p.fieldsOfLiteral(c)
	p.scope(c)
}

// members adds the members of a package, a value or a type.
func (p *probe) members(c *candidates, x ast.Expr) {
	if id, ok := x.(*ast.Ident); ok {
		switch obj := p.info.Uses[id].(type) {
		case *types.PkgName:
			packageMembers(c, obj.Imported())
			return
		case nil:
			// Not imported yet: its members tell whether it should be.
			if path := packageNamed(id.Name); path != "" {
				if pkg, err := symbols.Types(path); err == nil {
					packageMembers(c, pkg)
				}
				return
			}
		}
	}
	tv, ok := p.info.Types[x]
	if !ok || tv.Type == nil {
		return
	}
	typ := tv.Type
	if t, ok := typ.(*types.Tuple); ok && t.Len() == 1 {
		typ = t.At(0).Type()
	}
	if tv.IsType() {
		methods(c, typ, p.pkg) // method expressions
		return
	}
	fields(c, typ, p.pkg)
	methods(c, typ, p.pkg)
}

func packageMembers(c *candidates, pkg *types.Package) {
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		if obj := scope.Lookup(name); obj.Exported() {
			c.object(0, obj)
		}
	}
}

// packageNamed is the path of the importable package with a name, the
// standard library's first.
func packageNamed(name string) string {
	best := ""
	for _, path := range symbols.Paths() {
		if (path == name || strings.HasSuffix(path, "/"+name)) && symbols.Name(path) == name && (best == "" || rankPath(path) < rankPath(best)) {
			best = path
		}
	}
	return best
}

func rankPath(path string) int {
	switch {
	case strings.HasPrefix(path, "trafficgpt/"):
		return 0
	case strings.Contains(path, "."):
		return 1000
	}
	return 1 + strings.Count(path, "/")
}

func visible(obj types.Object, from *types.Package) bool {
	return obj.Exported() || obj.Pkg() == from || isCellPackage(obj.Pkg())
}

// fields adds the fields of a struct and, through embedding, those beneath.
func fields(c *candidates, typ types.Type, from *types.Package) {
	seen := map[types.Type]bool{}
	level := []types.Type{typ}
	for rank := 0; len(level) > 0 && rank < 8; rank++ {
		var next []types.Type
		for _, t := range level {
			if ptr, ok := t.Underlying().(*types.Pointer); ok {
				t = ptr.Elem()
			}
			st, ok := t.Underlying().(*types.Struct)
			if !ok || seen[t] {
				continue
			}
			seen[t] = true
			for f := range st.Fields() {
				if visible(f, from) {
					c.object(2*rank, f)
				}
				if f.Embedded() {
					next = append(next, f.Type())
				}
			}
		}
		level = next
	}
}

// methods adds the methods of a type and of pointers to it.
func methods(c *candidates, typ types.Type, from *types.Package) {
	if _, isPtr := typ.(*types.Pointer); !isPtr && !types.IsInterface(typ) {
		typ = types.NewPointer(typ)
	}
	if tp, ok := typ.(*types.TypeParam); ok {
		typ = tp.Constraint()
	}
	set := types.NewMethodSet(typ)
	for m := range set.Methods() {
		if visible(m.Obj(), from) {
			c.object(2*len(m.Index())-1, m.Obj())
		}
	}
}

// fieldsOfLiteral adds the fields of T for a name that begins in T{…}.
func (p *probe) fieldsOfLiteral(c *candidates) {
	for i := len(p.path) - 2; i >= 0 && i >= len(p.path)-3; i-- {
		lit, ok := p.path[i].(*ast.CompositeLit)
		if !ok {
			if kv, ok := p.path[i].(*ast.KeyValueExpr); ok && kv.Key == p.ident {
				continue
			}
			return
		}
		tv, ok := p.info.Types[lit]
		if !ok || tv.Type == nil {
			return
		}
		typ := tv.Type
		if ptr, ok := typ.Underlying().(*types.Pointer); ok {
			typ = ptr.Elem()
		}
		st, ok := typ.Underlying().(*types.Struct)
		if !ok {
			return
		}
		for f := range st.Fields() {
			if visible(f, p.pkg) {
				c.object(-1, f)
			}
		}
		return
	}
}

// scope adds the names that can be seen from the identifier: innermost first,
// then the session's, imports, Go's own and its keywords.
func (p *probe) scope(c *candidates) {
	rank := 0
	for s := p.innermost(); s != nil; s = s.Parent() {
		if s == types.Universe {
			rank = 20 // behind what is imported
		}
		for _, name := range s.Names() {
			obj := s.Lookup(name)
			if s != p.pkg.Scope() && s != types.Universe && obj.Pos().IsValid() && obj.Pos() > p.ident.Pos() && s.Parent() != p.pkg.Scope() {
				continue // declared further down
			}
			c.object(rank, obj)
		}
		rank++
	}
	for name, path := range c.known.Imports {
		c.add(10, name, "package", func() string { return path })
	}
	if len(p.path) >= 2 {
		if _, ok := p.path[len(p.path)-2].(*ast.ExprStmt); !ok && c.prefix == "" {
			return
		}
	}
	for t := token.BREAK; t <= token.VAR; t++ {
		c.add(30, t.String(), "keyword", nil)
	}
}

// innermost is the scope that the identifier stands in.
func (p *probe) innermost() *types.Scope {
	for _, n := range slices.Backward(p.path) {
		if f, ok := n.(*ast.FuncDecl); ok {
			n = f.Type // holds the scope of its body
		}
		if f, ok := n.(*ast.FuncLit); ok {
			n = f.Type
		}
		if s := p.info.Scopes[n]; s != nil {
			return s
		}
	}
	return p.pkg.Scope()
}

// openString tells whether s ends inside a string, and whether that is the
// path of an import.
func openString(s string) (text string, imports, ok bool) {
	file := token.NewFileSet().AddFile("", -1, len(s))
	var sc scanner.Scanner
	open := false
	sc.Init(file, []byte(s), func(_ token.Position, msg string) {
		open = open || strings.HasPrefix(msg, "string literal not terminated") || strings.HasPrefix(msg, "raw string literal not")
	}, 0)
	var last []token.Token
	inImports := false
	for {
		_, tok, lit := sc.Scan()
		if tok == token.EOF {
			return "", false, false
		}
		if open && tok == token.STRING {
			n := len(last)
			direct := n > 0 && (last[n-1] == token.IMPORT || n > 1 && last[n-2] == token.IMPORT && (last[n-1] == token.IDENT || last[n-1] == token.PERIOD))
			return lit[1:], direct || inImports, true
		}
		switch {
		case tok == token.LPAREN && len(last) > 0 && last[len(last)-1] == token.IMPORT:
			inImports = true
		case tok == token.RPAREN:
			inImports = false
		}
		last = append(last, tok)
	}
}
