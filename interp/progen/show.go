package progen

import "fmt"

var intVerbs = []string{"%v", "%d", "%x", "%+d", "%08b", "%#v", "%T", "%c", "%q", "%o", "%s", "%5d|"}

var showVerbs = map[kind][]string{
	boolKind:    {"%v", "%t", "%#v", "%T", "%d"},
	intKind:     intVerbs,
	uintKind:    intVerbs,
	floatKind:   {"%v", "%g", "%.3f", "%e", "%#v", "%T", "%08.2f|", "%d", "%x"},
	complexKind: {"%v", "%.2f", "%#v", "%T", "%g"},
	stringKind:  {"%v", "%q", "%x", "%#v", "%T", "%5s|", "%d", "% x"},
	structKind:  {"%v", "%+v", "%#v", "%T", "%d", "%s"},
	arrayKind:   {"%v", "%+v", "%#v", "%T", "%d", "%x"},
	sliceKind:   {"%v", "%+v", "%#v", "%T", "%d", "%x"},
	mapKind:     {"%v", "%+v", "%#v", "%T", "%d"},
	ifaceKind:   {"%v", "%+v", "%T", "%s"},
}

// show prints an operand without addresses.
func (g *gen) show(s string, t *typ) {
	if t.shows {
		verbs := showVerbs[t.kind]
		if holdsIface(t) {
			verbs = showVerbs[ifaceKind]
		}
		g.p("fmt.Printf(\"%s %s %s\\n\", %s, %s)\n", s, choose(g, verbs), choose(g, verbs), s, s)
		return
	}
	switch t.kind {
	case pointerKind:
		g.p("fmt.Println(%q, %s == nil)\n", s, s)
		if t.elem.shows {
			g.show("from("+s+")", t.elem)
		}
	case structKind:
		for _, f := range t.fields {
			if f.t.shows {
				g.show(s+"."+f.name, f.t)
			}
		}
	case chanKind, sliceKind:
		g.p("fmt.Println(%q, len(%s), cap(%s) > 0)\n", s, s, s)
	case arrayKind, mapKind:
		g.p("fmt.Println(%q, len(%s))\n", s, s)
	case ifaceKind:
		g.p("if %s != nil {\n", s)
		for _, m := range t.methods {
			x := g.fresh("x")
			g.p("%s := %s.%s(%s)\n", x, s, m.name, g.args(m.params, 1))
			g.show(x, m.results[0])
		}
		g.p("}\n")
	case funcKind:
		if len(t.results) == 1 && t.results[0].shows {
			x := g.fresh("x")
			g.p("if %s != nil {\n%s := %s(%s)\n", s, x, s, g.args(t.params, 1))
			g.show(x, t.results[0])
			g.p("}\n")
			return
		}
		g.p("fmt.Println(%q, %s == nil)\n", s, s)
	}
}

// holdsIface reports whether a type holds interfaces, whose pointers some
// verbs print as addresses.
func holdsIface(t *typ) bool {
	switch t.kind {
	case ifaceKind:
		return true
	case arrayKind, sliceKind:
		return holdsIface(t.elem)
	case mapKind:
		return holdsIface(t.key) || holdsIface(t.elem)
	case structKind:
		for _, f := range t.fields {
			if holdsIface(f.t) {
				return true
			}
		}
	}
	return false
}

func (g *gen) showAny() {
	if len(g.scope) > 0 && g.chance(2) {
		v := choose(g, g.scope)
		g.show(v.name, v.t)
		return
	}
	t := g.showType(2)
	x := g.fresh("x")
	g.p("%s := %s\n", x, g.typedExpr(t, 3))
	g.show(x, t)
	g.add(x, t)
}

// showScope prints the variables since mark.
func (g *gen) showScope(mark int) {
	for _, v := range g.scope[mark:] {
		g.show(v.name, v.t)
	}
}

// traced writes calls whose order Go fixes.
func (g *gen) traced() {
	k := 0
	tr := func(t *typ) string {
		k++
		return fmt.Sprintf("tr(%d, %s)", k, g.typedExpr(t, 1))
	}
	t := g.showType(1)
	x := g.fresh("x")
	i := g.get("int")
	b := g.get("bool")
	switch g.n(9) {
	case 0:
		g.p("%s := []%s{%s, %s, %s}\n", x, t.name, tr(t), tr(t), tr(t))
		g.show(x, g.slice(t))
	case 1:
		g.p("fmt.Println(%s + %s * %s - %s)\n", tr(i), tr(i), tr(i), tr(i))
	case 2:
		g.p("fmt.Println(%s && %s || %s && !%s)\n", tr(b), tr(b), tr(b), tr(b))
	case 3:
		k, v := choose(g, []string{"int", "string"}), t
		g.p("%s := map[%s]%s{%s: %s, %s: %s}\n", x, k, v.name, tr(g.get(k)), tr(v), tr(g.get(k)), tr(v))
		g.show(x, g.mapOf(g.get(k), v))
	case 4:
		g.p("%s := [3]%s{}\ntr(90, &%s)[uint(%s)%%3], tr(91, %s[:])[1] = %s, %s\n", x, t.name, x, tr(i), x, tr(t), tr(t))
		g.show(x, g.array(3, t))
	case 5:
		g.p("%s := struct{ A, B %s }{B: %s, A: %s}\nfmt.Println(%s.A, %s.B)\n", x, t.name, tr(t), tr(t), x, x)
	case 6:
		g.p("%s := append(%s, %s, %s)\n", x, tr(g.slice(t)), tr(t), tr(t))
		g.show(x, g.slice(t))
	case 7:
		g.p("switch %s {\ncase %s:\nfmt.Println(1)\ncase %s, %s:\nfmt.Println(2)\n}\n", tr(i), tr(i), tr(i), tr(i))
	default:
		g.p("%s := map[int]%s{}\n%s[%s], %s[%s] = %s, %s\nfmt.Println(len(%s))\n", x, t.name, x, tr(i), x, tr(i), tr(t), tr(t), x)
	}
}

// fault does one thing that may fail, and nothing beside it.
func (g *gen) fault() {
	if g.pure {
		g.assign()
		return
	}
	t := g.showType(1)
	x := g.fresh("x")
	it := g.integer()
	in := g.capture(func() {
		switch g.n(12) {
		case 0:
			g.p("fmt.Println(%s / id(%s))\n", g.nonConst(it, 1), convert(it, "0"))
		case 1:
			g.p("%s := %s\nfmt.Println(%s[%s:%s])\n", x, g.typedExpr(g.slice(t), 1), x, g.simpleInt(), g.simpleInt())
		case 2:
			g.p("%s := %s\nfmt.Println(%s[%s])\n", x, g.typedExpr(g.slice(t), 1), x, g.simpleInt())
		case 3:
			g.p("var %s *%s\nfmt.Println(*%s)\n", x, t.name, x)
		case 4:
			g.p("var %s any = %s\nfmt.Println(%s.(%s))\n", x, g.typedExpr(g.showType(1), 1), x, g.showType(1).name)
		case 5:
			g.p("var %s map[string]%s\n%s[\"k\"] = %s\n", x, t.name, x, g.expr(t, 1))
		case 6:
			g.p("panic(%s)\n", g.typedExpr(t, 2))
		case 7:
			g.p("fmt.Println(%s %s %s)\n", g.nonConst(it, 1), choose(g, []string{"<<", ">>"}), g.nonConst(g.get("int8"), 1))
		case 8:
			g.p("%s := %s\nfmt.Println([2]%s(%s))\n", x, g.typedExpr(g.slice(t), 1), t.name, x)
		case 9:
			g.p("fmt.Println(len(make([]int8, id(%s)&1023 - 2)))\n", g.expr(g.get("int"), 1))
		case 10:
			g.p("var %s, %sy any = %s, %s\nfmt.Println(%s == %sy)\n", x, x, g.typedExpr(g.anyType(1), 1), g.typedExpr(g.anyType(1), 1), x, x)
		default:
			g.p("%s := map[any]int{}\n%s[%s] = 1\nfmt.Println(len(%s))\n", x, x, g.typedExpr(g.anyType(1), 1), x)
		}
	})
	g.p("try(%q, func() {\n%s})\n", x, in)
}
