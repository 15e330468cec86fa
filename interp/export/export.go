// Package export turns the cells of a notebook into a Go program: what was
// interpreted runs compiled, and prints what the notebook printed.
//
// Each cell becomes a function that main calls in order. What a cell defines
// at its top level becomes a package-level name; a name defined again gets a
// number behind it, and code of earlier cells keeps the earlier one, except
// that a function or method defined again with the same signature replaces the
// first for its callers too, as in the notebook.
package export

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"trafficgpt/interp/session"
	"trafficgpt/interp/symbols"
)

// Cell is one input: code, or a comment that goes before the next cell.
type Cell struct {
	Code    string
	Comment bool
}

// Error is why a cell cannot become part of a program.
type Error struct {
	Cell, Line, Column int // from 1; Cell counts code cells
	Message            string
}

func (e *Error) Error() string {
	return fmt.Sprintf("cell %d, line %d:%d: %s", e.Cell, e.Line, e.Column, e.Message)
}

// Output is an exported program.
type Output struct {
	Main  []byte            // main.go
	Files map[string][]byte // the user's own packages, by path in the program's folder
	// Left are the commands of the notebook that the program does not have, as
	// "cell 3: !ls".
	Left []string
}

// Module is the name of exported programs in their go.mod.
const Module = "notebook"

// Export translates the cells of a notebook in folder dir, where it looks for
// packages that they import by a relative path. Errors about a cell are of type
// *Error.
func Export(cells []Cell, dir string) (*Output, error) {
	packages, err := session.NewUserPackages(dir)
	if err != nil {
		return nil, err
	}
	out := &Output{Files: map[string][]byte{}}
	var parts [][]*piece
	before := "" // the code so far
	for _, c := range cells {
		if c.Comment {
			continue
		}
		code, left, err := withoutCommands(len(parts)+1, c.Code, before)
		if err != nil {
			return nil, err
		}
		before += code + "\n"
		for _, l := range left {
			out.Left = append(out.Left, fmt.Sprintf("cell %d: %s", len(parts)+1, l))
		}
		pieces, err := split(len(parts)+1, code)
		if err != nil {
			return nil, err
		}
		parts = append(parts, pieces)
	}
	r, err := newResolver(parts, packages)
	if err != nil {
		return nil, err
	}
	p := &program{resolver: r, used: map[string]bool{}, needs: map[string]bool{}, left: out.Left}
	for _, pieces := range parts {
		resolved, err := r.cell(pieces)
		if err != nil {
			return nil, err
		}
		p.cells = append(p.cells, resolved)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.merge()
	if out.Main, err = p.write(cells); err != nil {
		return nil, err
	}
	return out, p.packageFiles(out)
}

func newResolver(parts [][]*piece, packages *session.UserPackages) (*resolver, error) {
	swaps, err := findSwaps(parts)
	if err != nil {
		return nil, err
	}
	r := &resolver{taken: map[string]bool{"main": true, "init": true, "show": true}, current: map[string]string{},
		imports: map[string]string{}, aliases: map[string]string{}, swaps: swaps, methods: map[string]*swap{}, packages: packages,
		own: map[string]*types.Package{}, before: map[string]string{}}
	for n := range 4 {
		r.taken["must"+strconv.Itoa(n)] = true
	}
	for n := range parts {
		r.taken["cell"+strconv.Itoa(n+1)] = true
	}
	return r, nil
}

// packageFiles adds the user's packages to the program.
func (p *program) packageFiles(out *Output) error {
	list, err := p.packages.All()
	if err != nil {
		return err
	}
	for _, u := range list {
		for name := range u.Files {
			text, err := u.Rewritten(name, modulePath)
			if err != nil {
				return err
			}
			out.Files[strings.TrimPrefix(modulePath(u.Path), Module+"/")+"/"+name] = text
		}
	}
	return nil
}

// modulePath is the import path in the program of a package of the user's.
func modulePath(path string) string {
	path = strings.ReplaceAll(strings.TrimPrefix(path, "./"), "..", "above")
	if path == "." {
		path = "here"
	}
	return Module + "/" + path
}

// program is all cells resolved, in one synthetic file that can be checked.
type program struct {
	*resolver
	cells  [][]*renamed
	source string
	bases  map[*renamed]int // where a piece's text begins in source
	fset   *token.FileSet
	file   *ast.File
	info   *types.Info
	pkg    *types.Package
	musts  []edit            // in source
	used   map[string]bool   // import paths that code refers to
	needs  map[string]bool   // helpers that the program calls
	left   []string          // commands that it lacks
	merged map[string]string // variables that are an earlier one
}

// synthesize writes the file that is checked: a definition stands as a
// package-level var and a statement in a function of its own.
func (p *program) synthesize() error {
	var sb strings.Builder
	sb.WriteString("package main\nimport (\n")
	paths := make([]string, 0, len(p.imports))
	for path := range p.imports {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		sb.WriteString(importSpec(path, p.imports[path]) + "\n")
	}
	sb.WriteString(")\n")
	for name, s := range p.swaps {
		fmt.Fprintf(&sb, "var %s %s\n", name, s.signature)
	}
	for _, s := range p.dispatched {
		sb.WriteString(s.text)
	}
	sb.WriteString("func must0(error) {}\nfunc must1[A any](a A, err error) A { return a }\n" +
		"func must2[A, B any](a A, b B, err error) (A, B) { return a, b }\n" +
		"func must3[A, B, C any](a A, b B, c C, err error) (A, B, C) { return a, b, c }\n")
	p.bases = map[*renamed]int{}
	for _, cell := range p.cells {
		for _, pc := range cell {
			text, before, after := pc.text, "", "\n"
			switch pc.kind {
			case isImport:
				continue
			case isDefine:
				before, text = "var ", asVar(pc)
			case isStmt:
				before, after = "func _() { ", "\n}\n"
			}
			sb.WriteString(before)
			p.bases[pc] = sb.Len()
			sb.WriteString(text + after)
		}
	}
	p.source, p.fset = sb.String(), token.NewFileSet()
	var err error
	p.file, err = parser.ParseFile(p.fset, "", p.source, 0)
	return err
}

// asVar makes the right side of a var out of a definition, byte for byte as
// long: ":=" becomes " =", and what the cell has defined before becomes blank.
func asVar(pc *renamed) string {
	at := strings.Index(pc.text, ":=")
	names := []byte(pc.text[:at])
	for name, repeated := range pc.repeats {
		if repeated {
			blank := "_" + strings.Repeat(" ", len(name)-1)
			names = []byte(replaceWord(string(names), name, blank))
		}
	}
	return string(names) + " =" + pc.text[at+2:]
}

func replaceWord(text, old, with string) string {
	isWord := func(c byte) bool {
		return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
	}
	var sb strings.Builder
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && isWord(text[j]) {
			j++
		}
		switch {
		case j == i:
			sb.WriteByte(text[i])
			j++
		case text[i:j] == old:
			sb.WriteString(with)
		default:
			sb.WriteString(text[i:j])
		}
		i = j
	}
	return sb.String()
}

// pieceAt finds the piece that an offset of source lies in.
func (p *program) pieceAt(offset int) (*renamed, int) {
	for pc, base := range p.bases {
		if base <= offset && offset <= base+len(pc.text) {
			return pc, offset - base
		}
	}
	return nil, 0
}

type importer struct{ own map[string]*types.Package }

func (i importer) Import(path string) (*types.Package, error) {
	if p := i.own[path]; p != nil {
		return p, nil
	}
	return symbols.Types(path)
}

// check types the program and finds which helper each call of must needs.
// An argument's type may hang on another must, so it looks until nothing moves.
func (p *program) check() error {
	if err := p.synthesize(); err != nil {
		return err
	}
	var calls []*ast.CallExpr
	if p.current["must"] == "" {
		ast.Inspect(p.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "must" {
					calls = append(calls, call)
				}
			}
			return true
		})
	}
	arity := slices.Repeat([]int{1}, len(calls))
	for range len(calls) + 1 {
		for i, call := range calls {
			call.Fun.(*ast.Ident).Name = "must" + strconv.Itoa(arity[i])
		}
		err := p.types()
		moved := false
		for i, call := range calls {
			if n := p.arity(call); n >= 0 && n < 4 && n != arity[i] {
				arity[i], moved = n, true
			}
		}
		if moved {
			continue
		}
		for i, call := range calls {
			at := p.fset.Position(call.Fun.Pos()).Offset
			name := "must" + strconv.Itoa(arity[i])
			p.musts = append(p.musts, edit{at, at + len("must"), name})
			p.needs["must0"], p.needs[name] = true, true
		}
		return err
	}
	return fmt.Errorf("the calls of must cannot be typed")
}

// arity is the number of values before the error that must is given.
func (p *program) arity(call *ast.CallExpr) int {
	if len(call.Args) != 1 {
		return len(call.Args) - 1
	}
	switch t := p.info.Types[call.Args[0]].Type.(type) {
	case nil:
		return -1
	case *types.Tuple:
		return t.Len() - 1
	}
	return 0
}

func (p *program) types() error {
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	var first error
	conf := types.Config{Importer: importer{p.own}, GoVersion: "go1.26", DisableUnusedImportCheck: true, Error: func(err error) {
		e := err.(types.Error)
		pc, at := p.pieceAt(p.fset.Position(e.Pos).Offset)
		// A cell may end in a bare value, and its variables are set when it
		// runs, so two complaints of the checker do not hold.
		if first != nil || strings.HasPrefix(e.Msg, "initialization cycle") ||
			strings.HasSuffix(e.Msg, "is not used") && pc != nil && p.last(pc) || strings.HasPrefix(e.Msg, "\t") {
			return
		}
		first = e
		if pc != nil {
			first = pc.at(at, e.Msg)
		}
	}}
	p.pkg, _ = conf.Check("main", p.fset, []*ast.File{p.file}, p.info) // errors reach first
	return first
}

func (p *program) last(pc *renamed) bool {
	cell := p.cells[pc.cell-1]
	return cell[len(cell)-1] == pc
}
