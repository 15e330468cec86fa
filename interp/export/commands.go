package export

import (
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
)

// timed are the commands that run Go: what they measure is left out, the Go
// stays.
var timed = map[string]bool{"%time": true, "%timeit": true, "%%time": true, "%%timeit": true}

// withoutCommands takes the commands of the notebook out of a cell, byte by
// byte, so that all positions stay, and lists those whose effect the program
// lacks. What %cd and %env change would change what the program does: these
// are errors.
func withoutCommands(cell int, src, before string) (code string, left []string, err error) {
	first := strings.TrimSpace(src)
	if name, _, _ := strings.Cut(strings.ReplaceAll(first, "\n", " "), " "); strings.HasPrefix(name, "%%") {
		line, _, _ := strings.Cut(first, "\n")
		if timed[name] {
			return strings.Replace(src, line, blanked(line), 1), nil, nil
		}
		return "", []string{line}, nil
	}
	for {
		at, line := findCommand(src, before+src)
		if at < 0 {
			return src, left, nil
		}
		name, args, _ := strings.Cut(line, " ")
		keep := ""
		switch {
		case timed[name] && !strings.HasPrefix(strings.TrimSpace(args), "-"):
			keep = args
		case name == "%cd" || name == "%env" && strings.Contains(args, "=") || name == "%run" || name == "%load":
			n := strings.Count(src[:at], "\n") + 1
			return "", nil, &Error{cell, n, at - strings.LastIndexByte(src[:at], '\n'),
				fmt.Sprintf("%q is a command of the notebook on which later cells hang: write it in Go", line)}
		default:
			left = append(left, line)
		}
		src = src[:at] + blanked(line[:len(line)-len(keep)]) + keep + src[at+len(line):]
	}
}

func blanked(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, strings.Repeat(" ", len(s)))
}

// findCommand finds the first line that is a command: it stands where a
// statement may begin, and starts as no statement does.
func findCommand(src, all string) (at int, line string) {
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, []byte(src), func(token.Position, string) {}, 0)
	depth, start := 0, true
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return -1, ""
		}
		if at := file.Offset(pos); depth == 0 && start && lit != "\n" {
			line, _, _ := strings.Cut(src[at:], "\n")
			line = strings.TrimRight(line, " \t\r")
			if isCommand(tok, line, all) {
				return at, line
			}
		}
		switch tok {
		case token.LPAREN, token.LBRACE, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACE, token.RBRACK:
			depth--
		}
		start = tok == token.SEMICOLON
	}
}

func isCommand(tok token.Token, line, all string) bool {
	switch tok {
	case token.REM:
		return true
	case token.NOT: // a shell command, unless it reads as Go and its name is one
		if _, err := parser.ParseExpr(line); err != nil {
			return true
		}
		name := regexp.MustCompile(`^[!( \t]*([\pL_][\pL\pN_]*)`).FindStringSubmatch(line)
		return name == nil || !regexp.MustCompile(`(?m)^\s*(var\s+|func\s+|import\s+)?`+name[1]+`\b\s*(,|:=|=|\(|[\w\[*])`).MatchString(all)
	}
	word := strings.TrimLeft(strings.TrimRight(line, "?"), "?")
	return len(word) < len(line) && word != "" && !strings.ContainsAny(word, " \"'`(")
}
