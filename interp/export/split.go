package export

import (
	"fmt"
	"go/scanner"
	"go/token"
	"strings"
)

// kind says what a piece of a cell is.
type kind int

const (
	isImport kind = iota
	isFunc        // a function or method: lives outside functions
	isType        // type and const: likewise
	isVar         // var: declared outside, assigned when the cell runs
	isDefine      // a, b := …: likewise
	isStmt        // everything else: runs with the cell
)

// piece is one top-level construct of a cell: its text and where it begins.
type piece struct {
	kind         kind
	text         string
	cell         int // from 1
	line, column int // of its first byte, from 1
}

func (p *piece) errorf(format string, args ...any) error {
	return &Error{p.cell, p.line, p.column, fmt.Sprintf(format, args...)}
}

// at is the error for a byte offset within the piece.
func (p *piece) at(offset int, msg string) error {
	before := p.text[:min(max(offset, 0), len(p.text))]
	e := &Error{p.cell, p.line + strings.Count(before, "\n"), p.column + len(before), msg}
	if nl := strings.LastIndexByte(before, '\n'); nl >= 0 {
		e.Column = len(before) - nl
	}
	return e
}

// split cuts a cell at its top-level semicolons, written or implied, and
// tells the pieces apart by how they begin.
func split(cell int, src string) ([]*piece, error) {
	file := token.NewFileSet().AddFile("cell", -1, len(src))
	var s scanner.Scanner
	var broken error
	s.Init(file, []byte(src), func(pos token.Position, msg string) {
		if broken == nil {
			broken = &Error{cell, pos.Line, pos.Column, msg}
		}
	}, 0)
	var pieces []*piece
	var tokens []token.Token
	depth, start := 0, 0
	header := false // of a for, if, switch: its semicolons end nothing
	flush := func(end int) {
		if len(tokens) > 0 {
			pos := file.Position(file.Pos(start))
			pieces = append(pieces, &piece{classify(tokens), src[start:end], cell, pos.Line, pos.Column})
		}
		tokens = nil
	}
	for {
		pos, tok, _ := s.Scan()
		if tok == token.EOF {
			break
		}
		at := file.Offset(pos)
		switch tok {
		case token.FOR, token.IF, token.SWITCH:
			header = header || depth == 0
		case token.LPAREN, token.LBRACE, token.LBRACK:
			header = header && (depth > 0 || tok != token.LBRACE)
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		case token.SEMICOLON:
			if depth == 0 && !header {
				flush(at)
				continue
			}
		}
		if tokens == nil {
			start = at
		}
		tokens = append(tokens, tok)
	}
	flush(len(src))
	return pieces, broken
}

func classify(tokens []token.Token) kind {
	switch tokens[0] {
	case token.IMPORT:
		return isImport
	case token.TYPE, token.CONST:
		return isType
	case token.VAR:
		return isVar
	case token.FUNC:
		if len(tokens) > 1 && tokens[1] == token.IDENT || isMethod(tokens) {
			return isFunc
		}
	case token.IDENT:
		for i, t := range tokens {
			if t == token.DEFINE {
				return isDefine
			}
			if want := [2]token.Token{token.IDENT, token.COMMA}[i%2]; t != want {
				break
			}
		}
	}
	return isStmt
}

// isMethod tells func (r T) Name(…) from func(a int) {…}(1).
func isMethod(tokens []token.Token) bool {
	depth := 0
	for i, t := range tokens {
		switch t {
		case token.LPAREN:
			depth++
		case token.RPAREN:
			if depth--; depth == 0 {
				return i+2 < len(tokens) && tokens[i+1] == token.IDENT && tokens[i+2] == token.LPAREN
			}
		}
	}
	return false
}
