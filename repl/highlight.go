package repl

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// goLexer is chroma's for Go.
var goLexer = func() chroma.Lexer {
	l := lexers.Get("go")
	if l == nil {
		l = lexers.Fallback
	}
	return chroma.Coalesce(l)
}()

// highlight colours a cell. It changes colours only, never a character. The
// colours are the terminal's own sixteen, so that they suit its background.
func highlight(code string) string {
	it, err := goLexer.Tokenise(nil, code)
	if err != nil {
		return code
	}
	var b strings.Builder
	for _, t := range it.Tokens() {
		if s := style(t); s != "" {
			b.WriteString("\x1b[" + s + "m" + t.Value + "\x1b[0m")
		} else {
			b.WriteString(t.Value)
		}
	}
	out := b.String()
	// Lexers end a text with a newline, which is not the user's.
	if !strings.HasSuffix(code, "\n") {
		out = strings.TrimSuffix(out, "\n")
	}
	return out
}

func style(t chroma.Token) string {
	switch {
	case t.Type.InCategory(chroma.Comment):
		return "90"
	case t.Type == chroma.KeywordType, t.Type == chroma.NameBuiltin:
		return "36"
	case t.Type == chroma.KeywordConstant:
		return "35"
	case t.Type.InCategory(chroma.Keyword):
		return "34;1"
	case t.Type.InSubCategory(chroma.LiteralString):
		return "32"
	case t.Type.InSubCategory(chroma.LiteralNumber):
		return "35"
	case t.Type == chroma.NameFunction:
		return "33"
	}
	return ""
}
