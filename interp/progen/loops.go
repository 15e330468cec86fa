package progen

import "fmt"

// forStmt writes a loop of one of Go's forms. Every loop ends.
func (g *gen) forStmt() {
	loop := g.loop
	mark := len(g.scope)
	defer func() { g.loop, g.scope = loop, g.scope[:mark] }()
	g.loop = 1
	i, v := g.fresh("i"), g.fresh("e")
	head := "burn()\n"
	fix := func(name string, t *typ) {
		g.scope = append(g.scope, variable{name: name, t: t, fixed: true})
	}
	switch g.n(12) {
	case 0:
		g.p("for %s := 0; %s < %d; %s++ ", i, i, 1+g.n(4), i)
		fix(i, g.get("int"))
	case 1:
		t := g.integer()
		if t.name == "uintptr" {
			t = g.get("int8")
		}
		g.p("for %s := range %s(%d) ", i, t.name, g.n(4))
		head += "_ = " + i + "\n"
		fix(i, t)
	case 2:
		g.p("%s := 0\nfor %s < %d ", i, i, 1+g.n(4))
		fix(i, g.get("int"))
		head += i + "++\n"
	case 3:
		t := g.slice(g.anyType(1))
		g.p("for %s, %s := range (%s) ", i, v, g.expr(t, 2))
		fix(i, g.get("int"))
		g.add(v, t.elem)
		head += fmt.Sprintf("_, _ = %s, %s\n", i, v)
	case 4:
		t := g.array(1+g.n(3), g.anyType(1))
		x := g.expr(t, 2)
		if g.chance(2) {
			x = g.pointerExpr(t, 2)
		}
		g.p("for %s, %s := range (%s) ", i, v, x)
		fix(i, g.get("int"))
		g.add(v, t.elem)
		head += fmt.Sprintf("_, _ = %s, %s\n", i, v)
	case 5:
		g.p("for %s, %s := range (%s) ", i, v, g.expr(g.get("string"), 2))
		fix(i, g.get("int"))
		g.add(v, g.get("int32"))
		head += fmt.Sprintf("_, _ = %s, %s\n", i, v)
	case 6:
		m, k := g.fresh("m"), choose(g, []string{"int", "string", "uint8", "int16"})
		t := g.mapOf(g.get(k), g.anyType(1))
		g.p("%s := %s\nfor _, %s := range keys(%s) ", m, g.typedExpr(t, 2), i, m)
		fix(i, t.key)
		fix(m, t)
		g.add(v, t.elem)
		head += fmt.Sprintf("%s := %s[%s]\n_ = %s\n", v, m, i, v)
	case 7:
		t := g.anyType(1)
		c := g.fresh("c")
		g.p("%s := make(chan %s, 3)\n%s <- %s\n%s <- %s\nclose(%s)\nfor %s := range %s ", c, t.name, c, g.expr(t, 2), c, g.expr(t, 1), c, v, c)
		g.add(v, t)
		head += "_ = " + v + "\n"
	case 8:
		t := g.anyType(1)
		g.p("for %s, %s := range slices.Backward(%s{%s}) ", i, v, g.slice(t).name, g.list(t, g.n(4), 2))
		fix(i, g.get("int"))
		g.add(v, t)
		head += fmt.Sprintf("_, _ = %s, %s\n", i, v)
	case 9:
		t := g.anyType(1)
		g.p("for %s := range func(yield func(%s) bool) { defer fmt.Println(\"iterated\"); _ = yield(%s) && yield(%s) } ", v, t.name, g.expr(t, 2), g.expr(t, 1))
		g.add(v, t)
		head += "_ = " + v + "\n"
	case 10:
		g.labelled(i)
		return
	default:
		g.p("for %s, %s := 0, %d; %s < %s; %s, %s = %s+1, %s-1 ", i, v, g.n(8), i, v, i, v, i, v)
		fix(i, g.get("int"))
		fix(v, g.get("int"))
	}
	g.inner(1+g.n(3), head)
}

// labelled writes nested loops that are left by their labels, or a loop made
// of goto.
func (g *gen) labelled(i string) {
	l, j := g.fresh("L"), g.fresh("j")
	if g.chance(3) {
		g.p("%s := 0\n%s:\nif %s < %d {\nburn()\n%s++\n", i, l, i, 1+g.n(4), i)
		loop := g.loop
		g.loop = 0
		g.scope = append(g.scope, variable{name: i, t: g.get("int"), fixed: true})
		g.inner(2, "")
		g.loop = loop
		g.p("goto %s\n}\n", l)
		return
	}
	g.p("%s:\nfor %s := range %d {\nburn()\n", l, i, 2+g.n(3))
	g.scope = append(g.scope, variable{name: i, t: g.get("int"), fixed: true})
	g.p("for %s := range %d {\n", j, 2+g.n(3))
	g.scope = append(g.scope, variable{name: j, t: g.get("int"), fixed: true})
	g.p("if (%s) {\n%s %s\n}\n", g.expr(g.get("bool"), 2), choose(g, []string{"break", "continue"}), l)
	g.p("fmt.Println(%s, %s)\n", i, j)
	g.block(2)
	g.p("}\n}\n")
}

// closureStmt makes closures that share and change variables, then calls them.
func (g *gen) closureStmt() {
	if g.pure {
		g.declare()
		return
	}
	t := g.showType(1)
	x, f := g.fresh("x"), g.fresh("g")
	mark, result, loop := len(g.scope), g.result, g.loop
	defer func() { g.scope, g.result, g.loop = g.scope[:mark], result, loop }()
	switch g.n(3) {
	case 0: // one closure, called twice
		g.p("%s := %s\n%s := func() ", x, g.typedExpr(t, 2), f)
		g.add(x, t)
		g.result, g.loop = nil, 0
		g.inner(3, "burn()\n")
		g.p("%s()\n%s()\n", f, f)
		g.show(x, t)
	case 1: // closures of a loop's variables
		i := g.fresh("i")
		g.p("var %s []func() %s\nfor %s := 0; %s < 3; %s++ {\n%s := %s\n", f, t.name, i, i, i, x, g.typedExpr(t, 2))
		g.p("%s = append(%s, func() %s {\n%s++\nfmt.Print(%s, \" \")\n", f, f, t.name, i, i)
		g.add(x, t)
		g.p("%s = %s\nreturn %s\n})\n}\n", x, g.expr(t, 2), x)
		y := g.fresh("y")
		g.p("for _, %s := range %s {\n%s()\n%s := %s()\n", y, f, y, x, y)
		g.show(x, t)
		g.p("}\n")
	default: // a closure that makes closures
		g.p("%s := func(n int) func() int {\nx := n\nreturn func() int { x += n; n *= 2; return x }\n}(%s)\n", f, g.simpleInt())
		g.p("fmt.Println(%s(), %s(), %s())\n", f, f, f)
	}
}

func (g *gen) deferStmt() {
	if g.pure {
		g.declare()
		return
	}
	t := g.showType(1)
	x := g.fresh("x")
	switch g.n(4) {
	case 0:
		g.p("%s := %s\ndefer fmt.Println(%s)\n%s = %s\n", x, g.typedExpr(t, 2), x, x, g.expr(t, 2))
		g.add(x, t)
	case 1:
		g.p("%s := %s\ndefer func() {\n", x, g.typedExpr(t, 2))
		g.show(x, t)
		g.p("}()\n%s = %s\n", x, g.expr(t, 2))
	case 2:
		g.p("for %s := range 3 {\ndefer fmt.Print(%s, \" \")\n}\n", x, x)
	default:
		g.p("defer func(a %s) {\n", t.name)
		g.show("a", t)
		g.p("}(%s)\n", g.expr(t, 2))
	}
}
