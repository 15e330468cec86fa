package progen

import (
	"fmt"
	"strings"
)

// feature writes a function around one thing that Go does, with random types
// and values in it.
func (g *gen) feature(name string) {
	mark := len(g.scope)
	g.result = nil
	all := []func() string{
		g.goroutines, g.selects, g.recovers, g.deferOrder, g.rangeFunc, g.generics, g.jsonTrip, g.sorting, g.wrapped,
		g.embedding, g.methodValues, g.copies, g.nanKeys, g.ifaceKeys, g.aliasing, g.swaps, g.unwinding, g.recursion, g.overflow,
		g.arrays, g.constants, g.converts, g.stringers, g.pipelines, g.labels, g.state, g.pull, g.builder,
	}
	body := choose(g, all)()
	g.p("%s", strings.ReplaceAll(body, "NAME", name))
	g.scope = g.scope[:mark]
}

// fill puts random parts in a text: $V a variable's value of type $T, and so on.
func (g *gen) fill(text string, t *typ) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		switch rest[0] {
		case 'T':
			b.WriteString(t.name)
		case 'V':
			b.WriteString(g.typedExpr(t, 2))
		case 'L':
			b.WriteString(g.expr(t, 1))
		case 'N':
			fmt.Fprint(&b, g.n(6))
		case 'I':
			b.WriteString(g.typedExpr(g.get("int"), 2))
		case 'B':
			b.WriteString(g.expr(g.get("bool"), 2))
		case 'S':
			b.WriteString(g.typedExpr(g.get("string"), 2))
		case 'A':
			b.WriteString(g.typedExpr(g.showType(1), 2))
		case '%':
			if holdsIface(t) {
				b.WriteString(choose(g, showVerbs[ifaceKind]))
			} else {
				b.WriteString(choose(g, showVerbs[t.kind]))
			}
		}
		text = rest[1:]
	}
}
