package assist

import (
	"go/scanner"
	"go/token"
	"strings"

	"trafficgpt/interp"
)

// IsComplete says whether code can run as it stands or wants more lines, and
// how far the next one is indented. It looks at brackets and at the last word
// only, as an editor must while a line is typed; what is wrong otherwise is
// "complete", since running it shows the error.
func IsComplete(code string) interp.Completeness {
	rest := code
	for {
		line, after, more := strings.Cut(rest, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, "%%"):
			// The rest is the command's text: an empty line ends it.
			if strings.HasSuffix(rest, "\n\n") || len(trimmed) > 2 && strings.HasSuffix(after, "\n") && strings.TrimSpace(after) == "" {
				return interp.Completeness{Status: interp.Complete}
			}
			return interp.Completeness{Status: interp.Incomplete}
		case trimmed == "" || trimmed[0] == '%' || trimmed[0] == '!':
			if !more {
				return interp.Completeness{Status: interp.Complete}
			}
			rest = after
			continue
		}
		break
	}
	b := scanBrackets(rest)
	switch {
	case b.invalid:
		return interp.Completeness{Status: interp.Invalid}
	case b.open == 0 && !b.unfinished && !b.continues:
		return interp.Completeness{Status: interp.Complete}
	case b.unfinished:
		return interp.Completeness{Status: interp.Incomplete} // inside a raw string or a comment
	}
	return interp.Completeness{Status: interp.Incomplete, Indent: strings.Repeat(indentUnit(rest), b.indent)}
}

// Ended reports whether text ends where a statement may begin: no bracket, string
// or comment is open and the last word wants no other.
func Ended(text string) bool {
	if strings.TrimSpace(text) == "" {
		return true
	}
	b := scanBrackets(text)
	return b.open == 0 && !b.unfinished && !b.continues
}

// brackets is what the brackets and the end of a piece of code say about it.
type brackets struct {
	open       int  // brackets not closed
	indent     int  // levels of the next line
	continues  bool // the last word wants another
	unfinished bool // a raw string or a comment is open
	invalid    bool
}

func scanBrackets(code string) brackets {
	type opener struct {
		tok    token.Token
		line   int
		branch bool
	}
	var (
		b       brackets
		stack   []opener
		last    token.Token
		branch  bool // the statement is a switch or a select
		src     = []byte(code)
		fset    = token.NewFileSet()
		file    = fset.AddFile("", -1, len(src))
		s       scanner.Scanner
		closing = map[token.Token]token.Token{token.RPAREN: token.LPAREN, token.RBRACK: token.LBRACK, token.RBRACE: token.LBRACE}
	)
	s.Init(file, src, func(_ token.Position, msg string) {
		switch msg {
		case "raw string literal not terminated", "comment not terminated":
			b.unfinished = true
		default:
			b.invalid = true
		}
	}, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && lit == "\n" {
			// Put in by the scanner; the statement may be over, the last
			// word is the one before it.
			branch = false
			continue
		}
		switch tok {
		case token.SWITCH, token.SELECT:
			branch = true
		case token.LPAREN, token.LBRACK, token.LBRACE:
			stack = append(stack, opener{tok, file.Line(pos), tok == token.LBRACE && branch})
			if tok == token.LBRACE {
				branch = false
			}
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if len(stack) == 0 || stack[len(stack)-1].tok != closing[tok] {
				b.invalid = true
				return b
			}
			stack = stack[:len(stack)-1]
		}
		last = tok
	}
	if b.unfinished {
		b.invalid = false
	}
	b.open = len(stack)
	line := 0
	for _, o := range stack {
		if o.line != line {
			b.indent++ // two on one line indent once, as gofmt has it
			line = o.line
		}
	}
	if len(stack) > 0 && stack[len(stack)-1].branch && last == token.LBRACE {
		b.indent-- // a case stands below its switch
	}
	if b.continues = wantsMore(last); b.continues && (len(stack) == 0 || last != token.COMMA && last != token.LBRACE && last != token.LPAREN && last != token.COLON) {
		b.indent++
	}
	return b
}

// wantsMore reports whether no statement ends with the token.
func wantsMore(t token.Token) bool {
	switch t {
	case token.INC, token.DEC, token.RPAREN, token.RBRACK, token.RBRACE, token.SEMICOLON, token.COLON, token.ELLIPSIS,
		token.ILLEGAL, token.COMMENT:
		return false
	case token.LPAREN, token.LBRACK, token.LBRACE:
		return false // counted as open
	case token.FUNC, token.VAR, token.CONST, token.TYPE, token.IMPORT, token.PACKAGE, token.IF, token.ELSE, token.FOR,
		token.RANGE, token.SWITCH, token.SELECT, token.CASE, token.GO, token.DEFER, token.STRUCT, token.INTERFACE,
		token.MAP, token.CHAN, token.GOTO:
		return true
	}
	return t.IsOperator()
}

// indentUnit is what one level of indentation is in code.
func indentUnit(code string) string {
	for line := range strings.SplitSeq(code, "\n") {
		if n := len(line) - len(strings.TrimLeft(line, " ")); n > 0 && n < len(line) {
			return strings.Repeat(" ", min(n, 8))
		}
	}
	return "\t"
}
