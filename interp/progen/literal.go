package progen

import (
	"fmt"
	"strings"
)

var words = []string{"", "a", "xyz", "Go", "héllo", "日本", "\x00\n", "q\"uote", "\xff\xfe", "12"}

// edges are the numbers at which arithmetic goes wrong.
var edges = map[int][]string{
	8:  {"0", "1", "-1", "127", "-128", "100", "-7", "5"},
	16: {"0", "1", "-1", "32767", "-32768", "300", "-7"},
	32: {"0", "1", "-1", "2147483647", "-2147483648", "65", "-7", "100000"},
	64: {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "42", "-7", "1 << 40", "1000000007"},
}

var unsignedEdges = map[int][]string{
	8:  {"0", "1", "255", "128", "127", "10"},
	16: {"0", "1", "65535", "32768", "10"},
	32: {"0", "1", "4294967295", "2147483648", "10"},
	64: {"0", "1", "18446744073709551615", "9223372036854775808", "10", "3"},
}

var floatEdges = []string{
	"0", "1", "-1", "0.1", "-2.5", "1e10", "3", "1e-300*1e-10", "math.Pi",
	"math.Inf(1)", "math.Inf(-1)", "math.NaN()", "math.Copysign(0, -1)", "math.MaxFloat64", "math.SmallestNonzeroFloat64", "1 << 53",
}

// literal is a value of t written down.
func (g *gen) literal(t *typ, d int) string {
	g.nest++
	defer func() { g.nest-- }()
	if g.nest > 4 && t.kind > stringKind {
		return "*new(" + t.name + ")"
	}
	switch t.kind {
	case boolKind:
		return choose(g, []string{"true", "false"})
	case intKind:
		return g.spelled(t, choose(g, edges[t.bits]))
	case uintKind:
		return g.spelled(t, choose(g, unsignedEdges[t.bits]))
	case floatKind:
		e := choose(g, floatEdges)
		if strings.Contains(e, "math.") && !strings.Contains(e, "Pi") {
			return convert(t, "id(float64("+e+"))")
		}
		if t.bits == 32 && strings.Contains(e, "300") {
			e = "1e-40"
		}
		return convert(t, e)
	case complexKind:
		return convert(t, fmt.Sprintf("complex(%s, %s)", choose(g, floatEdges[:7]), choose(g, floatEdges[:7])))
	case stringKind:
		return g.spelled(t, fmt.Sprintf("%q", choose(g, words)))
	case arrayKind:
		if g.chance(5) {
			return t.name + "{}"
		}
		if g.chance(4) {
			return fmt.Sprintf("%s{%d: %s}", t.name, t.n-1, g.expr(t.elem, d-1))
		}
		return t.name + "{" + g.list(t.elem, t.n, d-1) + "}"
	case sliceKind:
		if g.chance(5) {
			return convert(t, "nil")
		}
		return t.name + "{" + g.list(t.elem, g.n(4), d-1) + "}"
	case mapKind:
		return g.mapLiteral(t, d)
	case structKind:
		return g.structLiteral(t, d)
	case pointerKind:
		if g.chance(4) || d <= 0 {
			return convert(t, "nil")
		}
		return g.pointerExpr(t.elem, d-1)
	case funcKind:
		return g.funcLit(t, d-1)
	case chanKind:
		return fmt.Sprintf("make(%s, %d)", t.name, 1+g.n(3))
	}
	return g.ifaceLiteral(t, d)
}

// spelled is a constant with its type.
func (g *gen) spelled(t *typ, s string) string {
	if g.chance(4) && (t.name == "int" || t.name == "string") {
		return s
	}
	return convert(t, s)
}

func (g *gen) mapLiteral(t *typ, d int) string {
	if g.chance(6) {
		return convert(t, "nil")
	}
	var b strings.Builder
	b.WriteString(t.name + "{")
	for i := range g.n(4) {
		if i > 0 {
			b.WriteString(", ")
		}
		// Constant keys must differ, others may be the same.
		b.WriteString("id(" + convert(t.key, g.literal(t.key, d-1)) + "): " + g.expr(t.elem, d-1))
	}
	b.WriteString("}")
	return b.String()
}

func (g *gen) structLiteral(t *typ, d int) string {
	var parts []string
	keyed := g.chance(2)
	for _, f := range t.fields {
		if keyed && g.chance(4) {
			continue
		}
		x := g.expr(f.t, d-1)
		if keyed {
			x = f.name + ": " + x
		}
		parts = append(parts, x)
	}
	return t.name + "{" + strings.Join(parts, ", ") + "}"
}

func (g *gen) ifaceLiteral(t *typ, d int) string {
	switch {
	case t.name == "error":
		switch g.n(3) {
		case 0:
			return "error(nil)"
		case 1:
			return fmt.Sprintf("error(fmt.Errorf(\"e%%d: %%w\", %d, io.EOF))", g.n(9))
		}
		return fmt.Sprintf("errors.New(%q)", choose(g, words))
	case t.name == "any":
		if g.chance(6) {
			return "any(nil)"
		}
		return "any(" + g.typedExpr(g.showType(1), d-1) + ")"
	}
	if x := g.implementer(t, d-1); x != "" && !g.chance(6) {
		return t.name + "(" + x + ")"
	}
	return t.name + "(nil)"
}
