package progen

import (
	"fmt"
	"strings"
)

// block writes n statements and forgets what they declare.
func (g *gen) block(n int) {
	g.depth++
	for range n {
		g.stmt()
	}
	g.depth--
}

// inner writes a block with braces.
func (g *gen) inner(n int, before string) {
	mark := len(g.scope)
	g.p("{\n%s", before)
	g.block(n)
	g.scope = g.scope[:mark]
	g.p("}\n")
}

func (g *gen) stmt() {
	k := g.n(26)
	if g.depth > 3 {
		k = g.n(9)
	}
	switch k {
	case 0, 1, 2:
		g.declare()
	case 3, 4:
		g.assign()
	case 5:
		g.opAssign()
	case 6:
		g.showAny()
	case 7:
		g.multiAssign()
	case 8:
		g.mutate()
	case 9, 10:
		g.ifStmt()
	case 11, 12:
		g.switchStmt()
	case 13:
		g.typeSwitch()
	case 14, 15, 16:
		g.forStmt()
	case 17:
		g.leave()
	case 18:
		g.inner(2, "")
	case 19:
		g.closureStmt()
	case 20:
		g.deferStmt()
	case 21:
		g.commaOk()
	case 22:
		g.fault()
	case 23:
		g.traced()
	case 24:
		g.callTuple()
	default:
		g.localConst()
	}
}

func (g *gen) add(name string, t *typ) {
	g.scope = append(g.scope, variable{name: name, t: t})
}

func (g *gen) declare() {
	t := g.anyType(2)
	n := g.fresh("v")
	switch g.n(4) {
	case 0:
		g.p("var %s %s = %s\n_ = %s\n", n, t.name, g.expr(t, 3), n)
	case 1:
		g.p("var %s %s\n_ = %s\n", n, t.name, n)
	case 2:
		if len(g.scope) > 0 && g.depth > 1 {
			v := choose(g, g.scope) // shadows
			if !v.fixed {
				g.inner(2, fmt.Sprintf("%s := %s\n_ = %s\n", v.name, g.typedExpr(v.t, 2), v.name))
				return
			}
		}
		fallthrough
	default:
		g.p("%s := %s\n_ = %s\n", n, g.typedExpr(t, 3), n)
	}
	g.add(n, t)
}

// target is something that can be assigned without a fault.
func (g *gen) target(t *typ) string {
	var found []string
	var walk func(s string, from *typ, depth int, addressable bool)
	walk = func(s string, from *typ, depth int, addressable bool) {
		if from == t && addressable {
			found = append(found, s)
		}
		if depth == 0 || !addressable {
			return
		}
		switch from.kind {
		case structKind:
			for _, f := range from.fields {
				walk(s+"."+f.name, f.t, depth-1, true)
			}
		case arrayKind:
			walk(fmt.Sprintf("%s[%d]", s, g.n(from.n)), from.elem, depth-1, true)
			walk(fmt.Sprintf("%s[uint(%s)%%%d]", s, g.simpleInt(), from.n), from.elem, depth-1, true)
		}
	}
	for _, v := range g.scope {
		if !v.fixed {
			walk(v.name, v.t, 2, true)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return choose(g, found)
}

// simpleInt is an integer that a statement reads before it writes anything.
func (g *gen) simpleInt() string {
	for _, v := range g.scope {
		if v.t.kind == intKind && v.t.name == "int" && g.chance(2) {
			return v.name
		}
	}
	return fmt.Sprintf("id(%d)", g.n(10))
}

func (g *gen) assignable() (string, *typ) {
	for range 8 {
		if len(g.scope) == 0 {
			break
		}
		v := choose(g, g.scope)
		t := v.t
		if g.chance(2) {
			switch t.kind {
			case structKind:
				if len(t.fields) > 0 {
					t = choose(g, t.fields).t
				}
			case arrayKind:
				t = t.elem
			}
		}
		if s := g.target(t); s != "" {
			return s, t
		}
	}
	return "", nil
}

func (g *gen) assign() {
	s, t := g.assignable()
	if s == "" {
		g.declare()
		return
	}
	g.p("%s = %s\n", s, g.expr(t, 3))
}

func (g *gen) opAssign() {
	t := g.numeric()
	if g.chance(4) {
		t = g.get("string")
	}
	s := g.target(t)
	if s == "" {
		g.declare()
		return
	}
	switch {
	case t.kind == stringKind:
		g.p("if len(%s) < 100 {\n%s += %s\n}\n", s, s, g.expr(t, 2))
	case g.chance(3):
		g.p("%s%s\n", s, choose(g, []string{"++", "--"}))
	case t.kind == floatKind:
		g.p("%s %s= %s\n", s, choose(g, []string{"+", "-", "*"}), g.expr(t, 2))
	case g.chance(3):
		g.p("%s %s= %s\n", s, choose(g, []string{"<<", ">>"}), g.shiftCount(2))
	default:
		g.p("%s %s= %s\n", s, choose(g, []string{"+", "-", "*", "&", "|", "^", "&^"}), g.expr(t, 2))
	}
}

// multiAssign swaps and shifts values; its operands call nothing.
func (g *gen) multiAssign() {
	a, t := g.assignable()
	if a == "" {
		return
	}
	b := g.target(t)
	if b == "" {
		return
	}
	if g.chance(2) {
		g.p("%s, %s = %s, %s\n", a, b, b, a)
		return
	}
	g.p("%s, %s = %s, %s\n", a, b, g.expr(t, 2), g.expr(t, 2))
}

// mutate writes through slices, maps and pointers. Functions that expressions
// call may not.
func (g *gen) mutate() {
	if g.pure || len(g.scope) == 0 {
		g.showAny()
		return
	}
	v := choose(g, g.scope)
	switch v.t.kind {
	case sliceKind:
		e := g.expr(v.t.elem, 2)
		x := g.fresh("s")
		switch g.n(4) {
		case 0:
			g.p("if i := %s; len(%s) > 0 {\n%s := %s\n%s[uint(i)%%uint(len(%s))] = %s\n}\n", g.simpleInt(), v.name, x, v.name, x, x, e)
		case 1:
			g.p("%s := append(%s[:min(%d, len(%s))], %s)\n_ = %s\n", x, v.name, g.n(3), v.name, g.leaf(v.t.elem), x)
			g.add(x, g.slice(v.t.elem))
			if v.t.isNamed {
				g.scope[len(g.scope)-1].t = v.t
			}
		case 2:
			g.p("fmt.Println(copy(%s, %s))\n", v.name, g.expr(v.t, 2))
		default:
			g.p("if %s := %s; len(%s) < 5 {\n%s = append(%s, %s)\n}\n", x, v.name, x, x, x, g.leaf(v.t.elem))
		}
	case mapKind:
		switch g.n(4) {
		case 0:
			g.p("delete(%s, %s)\n", v.name, g.expr(v.t.key, 2))
		case 1:
			g.p("clear(%s)\n", v.name)
		default:
			g.p("if %s != nil {\n%s[%s] = %s\n}\n", v.name, v.name, g.leaf(v.t.key), g.leaf(v.t.elem))
		}
	case pointerKind:
		g.p("if %s != nil {\n*%s = %s\n}\n", v.name, v.name, g.expr(v.t.elem, 2))
	default:
		for _, m := range v.t.changes {
			if !v.fixed {
				g.p("fmt.Println(%s.%s(%s))\n", v.name, m.name, g.expr(v.t, 2))
				return
			}
		}
		g.assign()
	}
}

func (g *gen) ifStmt() {
	switch g.n(3) {
	case 0:
		n, t := g.fresh("v"), g.anyType(1)
		mark := len(g.scope)
		g.p("if %s := (%s); (%s) ", n, g.typedExpr(t, 2), g.expr(g.get("bool"), 2))
		g.add(n, t)
		g.inner(2, "_ = "+n+"\n")
		g.scope = g.scope[:mark]
	case 1:
		s := g.capture(func() { g.inner(2, "") })
		g.p("if (%s) %selse ", g.expr(g.get("bool"), 3), strings.TrimSuffix(s, "\n"))
		g.inner(2, "")
	default:
		g.p("if (%s) ", g.expr(g.get("bool"), 3))
		g.inner(2, "")
	}
}

func (g *gen) switchStmt() {
	t := g.comparableType()
	if g.chance(3) {
		t = g.get("bool")
	}
	loop := g.loop
	defer func() { g.loop = loop }()
	g.loop = 0
	tag := "(" + g.nonConst(t, 2) + ")"
	if t.name == "bool" {
		tag = ""
	}
	g.p("switch %s {\n", tag)
	n := 2 + g.n(3)
	def := g.n(n + 2)
	for i := range n {
		if i == def {
			g.p("default:\n")
		} else {
			g.p("case %s, %s:\n", g.nonConst(t, 2), g.nonConst(t, 1))
		}
		mark := len(g.scope)
		g.block(1 + g.n(2))
		g.scope = g.scope[:mark]
		if i < n-1 && g.chance(4) {
			g.p("fallthrough\n")
		}
	}
	g.p("}\n")
}

func (g *gen) typeSwitch() {
	n := g.fresh("v")
	x := g.literal(g.get("any"), 2)
	if s := g.path(g.get("any")); s != "" && g.chance(2) {
		x = s
	}
	if len(g.ifaces) > 0 && g.chance(3) {
		x = g.literal(choose(g, g.ifaces), 2)
		x = "any(" + x + ")"
	}
	loop := g.loop
	defer func() { g.loop = loop }()
	g.loop = 0
	g.p("switch %s := (%s).(type) {\n", n, x)
	seen := map[string]bool{}
	for range 3 + g.n(3) {
		t := g.anyType(1)
		if seen[t.name] {
			continue
		}
		seen[t.name] = true
		mark := len(g.scope)
		other := g.anyType(1)
		if !seen[other.name] && g.chance(4) {
			seen[other.name] = true
			g.p("case %s, %s:\n_ = %s\n", t.name, other.name, n)
			g.p("fmt.Printf(\"%%T\\n\", %s)\n", n)
		} else {
			g.p("case %s:\n_ = %s\nfmt.Println(%q)\n", t.name, n, t.name)
			if t.name != "any" { // which may hold a pointer here, and would be shown wherever it goes
				g.add(n, t)
				g.show(n, t)
			}
			g.block(1)
		}
		g.scope = g.scope[:mark]
	}
	if g.chance(2) {
		g.p("case nil:\n_ = %s\nfmt.Println(\"nil\")\n", n)
	}
	g.p("default:\nfmt.Printf(\"other %%T\\n\", %s)\n}\n", n)
}

// leave leaves a loop or the function.
func (g *gen) leave() {
	if g.loop > 0 && g.chance(2) {
		g.p("if (%s) {\n%s\n}\n", g.expr(g.get("bool"), 2), choose(g, []string{"break", "continue"}))
		return
	}
	if g.result == nil {
		g.p("if (%s) {\nreturn\n}\n", g.expr(g.get("bool"), 2))
		return
	}
	g.p("if (%s) {\nreturn %s\n}\n", g.expr(g.get("bool"), 2), g.args(g.result, 2))
}

func (g *gen) commaOk() {
	n, ok := g.fresh("v"), g.fresh("ok")
	t := g.anyType(1)
	switch g.n(3) {
	case 0:
		x := g.literal(g.get("any"), 2)
		if s := g.path(g.get("any")); s != "" && g.chance(2) {
			x = s
		}
		g.p("%s, %s := (%s).(%s)\n", n, ok, x, t.name)
	case 1:
		m := g.mapOf(g.keyType(), t)
		g.p("%s, %s := %s[%s]\n", n, ok, g.nonConst(m, 2), g.expr(m.key, 2))
	default:
		c := g.fresh("c")
		g.p("%s := make(chan %s, 1)\n", c, t.name)
		if g.chance(2) {
			g.p("%s <- %s\n", c, g.expr(t, 2))
		}
		g.p("close(%s)\n%s, %s := <-%s\n", c, n, ok, c)
	}
	g.p("_ = %s\nfmt.Println(%s)\n", n, ok)
	g.add(n, t)
}

func (g *gen) localConst() {
	n := g.fresh("k")
	switch g.n(3) {
	case 0:
		t := g.integer()
		g.p("const (\n%sa %s = iota + %d\n%sb\n_\n%sc\n)\nfmt.Println(%sa, %sb, %sc)\n", n, t.name, g.n(5), n, n, n, n, n)
	case 1:
		g.p("const %s = 1 << (%d + iota) * 1.0\nfmt.Println(%s / 3, float32(%s) / 3)\n", n, g.n(20), n, n)
	default:
		t := g.anyType(1)
		g.p("type %s struct {\nX %s\nY int\n}\n", n, t.name)
		g.p("%sv := %s{Y: %d, X: %s}\nfmt.Printf(\"%%T %%d\\n\", %sv, %sv.Y)\n", n, n, g.n(9), g.expr(t, 2), n, n)
		g.show(n+"v.X", t)
	}
}

func (g *gen) globalVar() {
	t := g.anyType(2)
	n := g.fresh("global")
	// Functions that expressions call may read them, so nothing assigns them;
	// what prints before main is not part of the output.
	g.quiet = true
	defer func() { g.quiet = false }()
	g.p("\nvar %s %s = %s\n", n, t.name, g.expr(t, 2))
	g.scope = append(g.scope, variable{name: n, t: t, fixed: true})
}

func (g *gen) declareFunc() {
	f := function{name: g.fresh("f")}
	for range g.n(4) {
		f.params = append(f.params, g.anyType(1))
	}
	for range 1 + g.n(2) {
		f.results = append(f.results, g.anyType(1))
	}
	g.p("\nfunc %s", f.name)
	g.funcRest(f.params, f.results, 2+g.n(4))
	g.funcs = append(g.funcs, f)
}

// funcRest writes parameters, results and body of a function that changes
// nothing of its caller's.
func (g *gen) funcRest(params, results []*typ, n int) {
	mark, pure, depth, result, loop := len(g.scope), g.pure, g.depth, g.result, g.loop
	ps := make([]string, len(params))
	for i, p := range params {
		name := g.fresh("p")
		ps[i] = name + " " + p.name
		g.add(name, p)
	}
	g.pure, g.depth, g.result, g.loop = true, 1, results, 0
	g.p("(%s) ", strings.Join(ps, ", "))
	named := g.chance(3)
	if named {
		rs := make([]string, len(results))
		for i, r := range results {
			name := g.fresh("q")
			rs[i] = name + " " + r.name
			g.add(name, r)
		}
		g.p("(%s) {\nburn()\n", strings.Join(rs, ", "))
	} else {
		g.p("(%s) {\nburn()\n", names(results))
	}
	g.block(n)
	g.p("return %s\n}\n", g.args(results, 3))
	g.scope, g.pure, g.depth, g.result, g.loop = g.scope[:mark], pure, depth, result, loop
}

func (g *gen) callTuple() {
	var fits []function
	for _, f := range g.funcs {
		if len(f.results) == 2 {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		g.assign()
		return
	}
	f := choose(g, fits)
	a, b := g.fresh("v"), g.fresh("v")
	g.p("%s, %s := %s(%s)\n_, _ = %s, %s\n", a, b, f.name, g.args(f.params, 2), a, b)
	g.add(a, f.results[0])
	g.add(b, f.results[1])
}
