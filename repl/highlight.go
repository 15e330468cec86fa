package repl

import (
	"go/scanner"
	"go/token"
	"go/types"
	"strings"
)

// highlight colours a cell. It changes colours only, never a character. The
// colours are the terminal's own sixteen, so that they suit its background.
func highlight(code string) string {
	var b strings.Builder
	words := lex(code)
	for i, w := range words {
		rest := len(strings.TrimRight(w.text, " \t\r\n"))
		call := i+1 < len(words) && words[i+1].tok == token.LPAREN && rest == len(w.text)
		if s := style(w.tok, w.text[:rest], call); s != "" {
			b.WriteString("\x1b[" + s + "m" + w.text[:rest] + "\x1b[0m" + w.text[rest:])
		} else {
			b.WriteString(w.text)
		}
	}
	return b.String()
}

// word is a token with the space behind it.
type word struct {
	tok  token.Token
	text string
}

// lex cuts a cell into words that together are the cell, also where it is no
// Go or not yet.
func lex(code string) []word {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, scanner.ScanComments)
	var words []word
	at, last := 0, token.ILLEGAL // where the word being read starts, and what it is
	for {
		pos, tok, lit := s.Scan()
		if tok == token.SEMICOLON && lit == "\n" {
			continue // nobody wrote it
		}
		next := file.Offset(pos)
		if next > at {
			words = append(words, word{last, code[at:next]})
		}
		if tok == token.EOF {
			if next < len(code) {
				words = append(words, word{token.ILLEGAL, code[next:]})
			}
			return words
		}
		at, last = next, tok
	}
}

func style(tok token.Token, text string, call bool) string {
	switch {
	case tok == token.COMMENT:
		return "90"
	case tok.IsKeyword():
		return "34;1"
	case tok == token.STRING, tok == token.CHAR:
		return "32"
	case tok == token.INT, tok == token.FLOAT, tok == token.IMAG:
		return "35"
	case tok == token.IDENT:
		switch types.Universe.Lookup(text).(type) {
		case *types.TypeName, *types.Builtin:
			return "36"
		case *types.Const, *types.Nil:
			return "35"
		}
		if call {
			return "33"
		}
	}
	return ""
}
