package export

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/scanner"
	"go/token"
	"go/types"
	"path"
	"sort"
	"strconv"
	"strings"

	"trafficgpt/interp/assist"
	"trafficgpt/interp/session"
	"trafficgpt/interp/symbols"
)

// edit replaces text[at:end].
type edit struct {
	at, end int
	with    string
}

func apply(text string, edits []edit) string {
	sort.Slice(edits, func(i, j int) bool { return edits[i].at < edits[j].at })
	var sb strings.Builder
	last := 0
	for _, e := range edits {
		sb.WriteString(text[last:e.at])
		sb.WriteString(e.with)
		last = e.end
	}
	sb.WriteString(text[last:])
	return sb.String()
}

// resolver gives every top-level name of every cell its name in the program.
type resolver struct {
	taken   map[string]bool
	current map[string]string // what a name means to the next piece
	imports map[string]string // path to name in the program
	aliases map[string]string // name in the program to path
	swaps   map[string]*swap  // functions that a later cell defines again
	methods map[string]*swap  // T.M defined so far, by the program's name of T

	before map[string]string // variable in the program to what its name meant until then

	packages   *session.UserPackages
	own        map[string]*types.Package // of the user's, by path
	dispatched []*dispatch               // methods that are defined several times
}

// swap is a function that is defined several times with one signature: a
// variable holds the version of the moment, so earlier callers follow.
type swap struct {
	signature string
	versions  int

	first    *renamed // of a method
	variable string
}

// parsePiece parses one piece alone; before is what the wrapping put ahead of
// the piece's own text, whose positions the returned file set counts.
func parsePiece(p *piece) (file *ast.File, fset *token.FileSet, before int, err error) {
	head, tail := "package p;", ""
	if p.kind == isDefine || p.kind == isStmt {
		head, tail = "package p; func _() {", "\n}"
	}
	fset = token.NewFileSet()
	file, err = parser.ParseFile(fset, "", head+p.text+tail, 0)
	if list, ok := err.(scanner.ErrorList); ok && len(list) > 0 {
		err = p.at(list[0].Pos.Offset-len(head), list[0].Msg)
	}
	return file, fset, len(head), err
}

// definition is a name that a piece defines at top level.
type definition struct {
	name string
	id   *ast.Ident
}

// defines lists the names that a piece brings into the session, and the
// method it defines as "T.M".
func defines(p *piece, file *ast.File) (names []definition, method string) {
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.Name != "_" {
				names = append(names, definition{id.Name, id})
			}
		}
	}
	if p.kind == isDefine {
		body := file.Decls[0].(*ast.FuncDecl).Body.List
		for _, l := range body[0].(*ast.AssignStmt).Lhs {
			add(l.(*ast.Ident))
		}
		return names, ""
	}
	if p.kind == isStmt || p.kind == isImport {
		return nil, ""
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			} else if base := assist.Receiver(d); base != nil {
				method = base.Name + "." + d.Name.Name
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					add(s.Names...)
				case *ast.TypeSpec:
					add(s.Name)
				}
			}
		}
	}
	return names, method
}

// fresh gives a package-level name that nothing else has.
func (r *resolver) fresh(name string) string {
	unique := name
	for i := 2; r.taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	r.taken[unique] = true
	return unique
}

// importPiece takes the imports of a piece into the session.
func (r *resolver) importPiece(p *piece, file *ast.File, before int, fset *token.FileSet) error {
	for _, s := range file.Imports {
		at := fset.Position(s.Pos()).Offset - before
		importPath, _ := strconv.Unquote(s.Path.Value)
		name := symbols.Name(importPath)
		if user, err := r.packages.Load(importPath); err != nil {
			return p.at(at, err.Error())
		} else if user != nil {
			importPath, name = user.Path, user.Types.Name()
			r.own[importPath] = user.Types
		} else if name == "" {
			return p.at(at, fmt.Sprintf("package %q cannot be imported from cells", importPath))
		}
		named := name
		if s.Name != nil {
			name = s.Name.Name
		}
		switch name {
		case "_":
			continue
		}
		if r.imports[importPath] == "" {
			r.imports[importPath] = r.fresh(named)
			r.aliases[r.imports[importPath]] = importPath
		}
		if name == "." {
			if err := r.dotImport(importPath); err != nil {
				return p.at(at, err.Error())
			}
			continue
		}
		r.current[name] = r.imports[importPath]
	}
	return nil
}

// dotImport makes the names of a package mean what it declares.
func (r *resolver) dotImport(importPath string) error {
	pkg, err := importer{r.own}.Import(importPath)
	if err != nil {
		return err
	}
	for _, n := range pkg.Scope().Names() {
		if token.IsExported(n) {
			r.current[n] = r.imports[importPath] + "." + n
		}
	}
	return nil
}

// renamed is a piece in the program's names.
type renamed struct {
	*piece
	text    string   // what the piece says now
	defined []string // its top-level names, in the program
	repeats map[string]bool
	swapped string // the function it defines is swapped in under this name
	swaps   string // for this variable
	method  string // T.M that it defines
}

// cell resolves the pieces of one cell. What a cell declares as functions,
// types and constants is known in all of it; variables from where they stand.
func (r *resolver) cell(pieces []*piece) ([]*renamed, error) {
	own := map[string]bool{} // variables this cell has defined so far
	type parsed struct {
		file   *ast.File
		before int
		fset   *token.FileSet
		names  []definition
	}
	all := make([]parsed, len(pieces))
	out := make([]*renamed, len(pieces))
	late := map[string]string{} // what functions see: the cell's own variables too
	for i, p := range pieces {
		file, fset, before, err := parsePiece(p)
		if err != nil {
			return nil, err
		}
		out[i] = &renamed{piece: p, repeats: map[string]bool{}}
		if p.kind == isImport {
			if err := r.importPiece(p, file, before, fset); err != nil {
				return nil, err
			}
		}
		names, method := defines(p, file)
		all[i] = parsed{file, before, fset, names}
		out[i].method = method
		for _, d := range names {
			switch p.kind {
			case isFunc:
				r.current[d.name] = r.function(out[i], d)
			case isType:
				r.current[d.name] = r.fresh(d.name)
			default:
				if late[d.name] == "" {
					late[d.name] = r.fresh(d.name)
					r.before[late[d.name]] = r.current[d.name]
				} else if p.kind == isVar {
					return nil, p.errorf("%s is defined twice in one cell", d.name)
				}
			}
		}
	}
	for i, p := range pieces {
		seen := func(name string) string {
			if p.kind == isFunc && late[name] != "" {
				return late[name]
			}
			return r.current[name]
		}
		fresh := map[*ast.Ident]bool{}
		for _, d := range all[i].names {
			fresh[d.id] = true
		}
		edits, err := renames(p, all[i].file, all[i].before, all[i].fset, fresh, seen)
		if err != nil {
			return nil, err
		}
		for _, d := range all[i].names {
			name := r.current[d.name]
			switch {
			case p.kind == isVar || p.kind == isDefine:
				name = late[d.name]
				out[i].repeats[name] = own[d.name]
				own[d.name], r.current[d.name] = true, name
			case out[i].swapped != "":
				name = out[i].swapped
			}
			out[i].defined = append(out[i].defined, name)
			at := all[i].fset.Position(d.id.Pos()).Offset - all[i].before
			edits = append(edits, edit{at, at + len(d.name), name})
		}
		out[i].text = apply(p.text, edits)
		if out[i].method != "" {
			if err := r.takeMethod(out[i], seen); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// function names a function. One that cells define several times with the
// same signature is reached through a variable.
func (r *resolver) function(p *renamed, d definition) string {
	if s := r.swaps[d.name]; s != nil {
		s.versions++
		r.taken[d.name] = true
		p.swapped, p.swaps = r.fresh(d.name+"_"+strconv.Itoa(s.versions)), d.name
		return d.name
	}
	return r.fresh(d.name)
}

// findSwaps looks ahead for the functions that cells define more than once
// with one signature.
func findSwaps(cells [][]*piece) (map[string]*swap, error) {
	swaps := map[string]*swap{}
	mixed := map[string]bool{}
	for _, pieces := range cells {
		for _, p := range pieces {
			file, fset, _, err := parsePiece(p)
			if err != nil {
				return nil, err
			}
			names, _ := defines(p, file)
			for _, d := range names {
				signature := ""
				if p.kind == isFunc {
					if f := file.Decls[0].(*ast.FuncDecl); f.Type.TypeParams == nil {
						signature = signatureText(fset, f.Type)
					}
				}
				s := swaps[d.name]
				if s == nil {
					swaps[d.name] = &swap{signature: signature}
				}
				mixed[d.name] = mixed[d.name] || signature == "" || s != nil && s.signature != signature
				if s != nil {
					s.versions++
				}
			}
		}
	}
	for name, s := range swaps {
		if mixed[name] || s.versions == 0 {
			delete(swaps, name)
		}
		s.versions = 0
	}
	return swaps, nil
}

// signatureText writes a function type without parameter names.
func signatureText(fset *token.FileSet, t *ast.FuncType) string {
	list := func(fields *ast.FieldList) string {
		var out []string
		if fields != nil {
			for _, f := range fields.List {
				for range max(1, len(f.Names)) {
					out = append(out, typeText(fset, f.Type))
				}
			}
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	return "func" + list(t.Params) + " " + list(t.Results)
}

func typeText(fset *token.FileSet, t ast.Expr) string {
	var sb strings.Builder
	_ = printer.Fprint(&sb, fset, t) // a strings.Builder takes everything
	return sb.String()
}

// renames edits the free identifiers of a piece.
func renames(p *piece, file *ast.File, before int, fset *token.FileSet, skip map[*ast.Ident]bool, seen func(string) string) ([]edit, error) {
	var edits []edit
	free := map[*ast.Ident]bool{}
	for _, id := range file.Unresolved {
		free[id] = true
	}
	for id := range free {
		if name := seen(id.Name); name != "" && name != id.Name && !skip[id] {
			at := fset.Position(id.Pos()).Offset - before
			edits = append(edits, edit{at, at + len(id.Name), name})
		}
	}
	var bad error
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv != nil {
			if base := assist.Receiver(f); base != nil && !free[base] {
				if name := seen(base.Name); name != "" && name != base.Name {
					at := fset.Position(base.Pos()).Offset - before
					edits = append(edits, edit{at, at + len(base.Name), name})
				}
			}
		}
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, e := range lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			id, ok := kv.Key.(*ast.Ident)
			if !ok || id.Obj != nil || free[id] {
				continue
			}
			if name := seen(id.Name); name != "" && name != id.Name {
				bad = p.at(fset.Position(id.Pos()).Offset-before,
					fmt.Sprintf("%s is defined more than once in the notebook and stands as a key here: write (%s)", id.Name, id.Name))
			}
		}
		return true
	})
	return edits, bad
}

// importSpec writes the import of a path under the program's name for it.
func importSpec(importPath, name string) string {
	if path.Base(importPath) == name {
		return strconv.Quote(importPath)
	}
	return name + " " + strconv.Quote(importPath)
}
