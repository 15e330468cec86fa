package session

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// parsedCell is a cell taken apart: declarations that Go wants at package
// level, and the statements between them in their order.
type parsedCell struct {
	name  string // "cell 3"
	code  string
	decls *ast.File
	stmts *ast.File
	body  *ast.BlockStmt
	funcN string
}

type span struct{ start, end int }

// split parses a cell into two files over the same text: each sees the other's
// part as blanks, so positions are exact in both.
func split(fset *token.FileSet, name, code, funcName string) (*parsedCell, error) {
	decls := declSpans(code)
	onlyDecls, onlyStmts := []byte(code), []byte(code) // blanked byte by byte: offsets stay
	for i, b := range onlyDecls {
		onlyDecls[i] = blank(b)
	}
	for _, d := range decls {
		copy(onlyDecls[d.start:d.end], code[d.start:d.end])
		for i := d.start; i < d.end; i++ {
			onlyStmts[i] = blank(code[i])
		}
	}
	p := &parsedCell{name: name, code: code, funcN: funcName}
	var err1, err2 error
	p.decls, err1 = parse(fset, name, "package main\n", string(onlyDecls), "\n")
	p.stmts, err2 = parse(fset, name, "package main\nfunc cell() {\n", string(onlyStmts), "\n}\n")
	if err := joinErrors(err1, err2); err != nil {
		return nil, err
	}
	for _, d := range p.stmts.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "cell" {
			f.Name.Name = funcName // a name that no cell can have
			p.body = f.Body
		}
	}
	if p.body == nil || len(p.stmts.Decls) != 1 {
		return nil, scanner.ErrorList{{Pos: token.Position{Filename: name, Line: 1, Column: 1}, Msg: "unexpected }"}}
	}
	return p, nil
}

func blank(b byte) byte {
	if b == '\n' || b == '\r' {
		return b
	}
	return ' '
}

func joinErrors(a, b error) error {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	la, ok1 := a.(scanner.ErrorList)
	lb, ok2 := b.(scanner.ErrorList)
	if ok1 && ok2 {
		l := append(la, lb...)
		l.Sort()
		return l
	}
	return a
}

func parse(fset *token.FileSet, name, before, code, after string) (*ast.File, error) {
	base := fset.Base()
	f, err := parser.ParseFile(fset, name, before+code+after, parser.SkipObjectResolution|parser.ParseComments)
	tf := fset.File(token.Pos(base))
	// The line table is rebased so that the cell's own text starts at 1:1.
	if tf != nil {
		tf.AddLineColumnInfo(len(before), name, 1, 1)
	}
	lines := strings.Count(before, "\n")
	if list, ok := err.(scanner.ErrorList); ok {
		last := strings.Count(code, "\n") + 1
		for _, e := range list {
			if e.Pos.Line > lines {
				e.Pos.Line -= lines
			}
			if e.Pos.Line > last {
				// after the end: the cell stops too early
				e.Pos.Line = last
				e.Pos.Column = len(code) - strings.LastIndex(code, "\n")
			}
		}
		return f, list
	}
	return f, err
}

// declSpans finds imports, types, constants, functions and methods at the top
// level of a cell.
func declSpans(code string) []span {
	var s scanner.Scanner
	fset := token.NewFileSet()
	f := fset.AddFile("", -1, len(code))
	s.Init(f, []byte(code), nil, 0)
	type tok struct {
		t   token.Token
		off int
	}
	var toks []tok
	for {
		pos, t, _ := s.Scan()
		toks = append(toks, tok{t, f.Offset(pos)})
		if t == token.EOF {
			break
		}
	}
	var out []span
	depth, start := 0, true
	declStart := -1
	for i := 0; i < len(toks); i++ {
		t := toks[i].t
		if depth == 0 && start && declStart < 0 {
			switch t {
			case token.IMPORT, token.TYPE, token.CONST:
				declStart = toks[i].off
			case token.FUNC:
				if isFuncDecl(func(k int) token.Token {
					if i+k < len(toks) {
						return toks[i+k].t
					}
					return token.EOF
				}) {
					declStart = toks[i].off
				}
			}
		}
		start = false
		switch t {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		case token.SEMICOLON, token.EOF:
			if depth <= 0 || t == token.EOF {
				if declStart >= 0 {
					end := min(toks[i].off, len(code))
					if end < len(code) && code[end] == ';' {
						end++ // one that is written separates declarations in a line
					}
					out = append(out, span{declStart, end})
					declStart = -1
				}
				depth, start = 0, true
			}
		}
	}
	return out
}

// isFuncDecl tells a function or method declaration from a literal.
func isFuncDecl(at func(int) token.Token) bool {
	if at(1) == token.IDENT {
		return true
	}
	if at(1) != token.LPAREN {
		return false
	}
	depth := 0
	for k := 1; ; k++ {
		switch at(k) {
		case token.LPAREN:
			depth++
		case token.RPAREN:
			depth--
			if depth == 0 {
				return at(k+1) == token.IDENT && (at(k+2) == token.LPAREN || at(k+2) == token.LBRACK)
			}
		case token.EOF:
			return false
		}
	}
}

// cellName is how positions call a cell.
func cellName(number int) string { return fmt.Sprintf("cell %d", number) }
