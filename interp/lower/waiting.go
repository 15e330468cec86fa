package lower

import (
	"regexp"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// waitingCall is a call that has not been printed: it will stand in the
// statement that uses its result if nothing has to be printed before that.
type waitingCall struct {
	text string
	typ  string
	name string // the variable that holds the result, once it was printed
}

var waitMark = regexp.MustCompile("\x01w[0-9]+\x01")

// wait makes a mark stand for the result of a call.
func (g *gen) wait(in *ssa.Call, text string) {
	text = g.join(text)
	mark := "\x01" + g.name("w") + "\x01"
	g.waiting[mark] = &waitingCall{text: text, typ: g.l.typ(in.Type())}
	g.pending = append(g.pending, mark)
	g.val[in] = mark
}

// settle puts the calls that wait for a statement into it and prints the
// others before it.
func (g *gen) settle(text string) string {
	if len(g.waiting) == 0 {
		return text
	}
	text = g.join(text)
	for _, mark := range g.pending {
		g.print(mark)
	}
	g.pending = g.pending[:0]
	return text
}

// join puts into a text the calls it waits for, if they are the last ones and
// stand in it in their order with nothing before them that could have changed.
func (g *gen) join(text string) string {
	marks := waitMark.FindAllString(text, -1)
	if len(marks) == 0 {
		return text
	}
	var open []string
	for _, m := range marks {
		if g.waiting[m].name == "" {
			open = append(open, m)
		}
	}
	n := len(g.pending) - len(open)
	good := n >= 0 && len(open) > 0 && g.quiet(text[:strings.LastIndex(text, open[len(open)-1])])
	for i, m := range open {
		good = good && g.pending[n+i] == m
	}
	if good {
		// What waited longer comes first.
		for _, m := range g.pending[:n] {
			g.print(m)
		}
		g.pending = g.pending[:0]
	} else {
		for _, m := range g.pending {
			g.print(m)
		}
		g.pending = g.pending[:0]
	}
	return waitMark.ReplaceAllStringFunc(text, func(m string) string {
		if c := g.waiting[m]; c.name != "" {
			return c.name
		}
		return g.waiting[m].text
	})
}

// print evaluates a waiting call into a variable.
func (g *gen) print(mark string) {
	c := g.waiting[mark]
	c.name = g.temp(c.typ)
	g.body.WriteString(c.name + " = " + c.text + "\n")
}

var words = regexp.MustCompile(`x\.[A-Z][A-Za-z]*[0-9]*|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\x01w[0-9]+\x01`)

// quiet reports whether evaluating a text only reads what calls cannot change,
// so that it may as well be evaluated after them.
func (g *gen) quiet(text string) bool {
	if strings.ContainsAny(text, "[]\"{}&;\n") || strings.Contains(text, "(*") {
		return false
	}
	if i := strings.Index(text, " = "); i >= 0 {
		if !isName(text[:i]) || strings.Contains(text[:i], ".") {
			return false
		}
		text = text[i+3:]
	}
	for _, op := range []string{"+", "-", "*", "|", "^", "&^", "&"} {
		if lhs, rest, ok := strings.Cut(text, " "+op+"= "); ok {
			if !g.steady(lhs) {
				return false
			}
			text = rest
		}
	}
	for _, w := range words.FindAllString(text, -1) {
		switch c := w[0]; {
		case w == "if" || w == "return" || w == "true" || w == "false":
		case c == 1 || c >= '0' && c <= '9' || c == 'F':
		case c == 'x' && len(w) > 2 && w[1] == '.' && (w[2] == 'C' || w == "x.NoFrame"):
		case g.steady(w):
		default:
			return false
		}
	}
	return !strings.HasPrefix(strings.TrimLeft(text, " "), "*")
}
