package progen

import (
	"fmt"
	"strconv"
	"strings"
)

// expr writes an expression of type t. It is not a constant unless it is a
// literal of literal.
func (g *gen) expr(t *typ, depth int) string {
	if depth <= 0 || g.chance(3) {
		return g.leaf(t)
	}
	for range 4 {
		if s := g.tryExpr(t, depth); s != "" {
			return s
		}
	}
	return g.leaf(t)
}

func (g *gen) tryExpr(t *typ, depth int) string {
	d := depth - 1
	switch g.n(16) {
	case 0:
		return fmt.Sprintf("pick(%s, %s, %s)", g.expr(g.get("bool"), d), g.typedExpr(t, d), g.typedExpr(t, d))
	case 1:
		return "func() " + t.name + " { return " + g.expr(t, d) + " }()"
	case 2:
		x := g.fresh("c")
		return fmt.Sprintf("func(%s %s) %s { %s }(%s)", x, t.name, t.name, g.closureBody(x, t, d), g.expr(t, d))
	case 3:
		if t.kind != ifaceKind {
			return fmt.Sprintf("any(%s).(%s)", g.typedExpr(t, d), t.name)
		}
	case 4:
		return fmt.Sprintf("at(%s{%s}, %s)", g.slice(t).name, g.list(t, 1+g.n(3), d), g.expr(g.get("int"), d))
	case 5:
		n := 1 + g.n(3)
		return fmt.Sprintf("[%d]%s{%s}[uint(%s)%%%d]", n, t.name, g.list(t, n, d), g.nonConst(g.integer(), d), n)
	case 6:
		k := g.keyType()
		return fmt.Sprintf("map[%s]%s{%s: %s}[%s]", k.name, t.name, g.expr(k, d), g.expr(t, d), g.expr(k, d))
	case 7:
		return fmt.Sprintf("from(%s)", g.pointerExpr(t, d))
	case 8:
		return fmt.Sprintf("struct{ A int; B %s }{%s, %s}.B", t.name, g.expr(g.get("int"), d), g.expr(t, d))
	case 9:
		if s := g.callOf(t, d); s != "" && !g.quiet {
			return s
		}
	case 10:
		if s := g.methodOf(t, d); s != "" && !g.quiet {
			return s
		}
	case 11:
		return "*" + "ptr(" + g.typedExpr(t, d) + ")"
	case 12:
		if t.kind == funcKind || len(g.named) == 0 {
			return ""
		}
	}
	return g.byKind(t, d)
}

// closureBody returns x, perhaps after it was changed and captured.
func (g *gen) closureBody(x string, t *typ, d int) string {
	if g.chance(2) {
		return fmt.Sprintf("f := func() { %s = %s }; f(); return %s", x, g.expr(t, d), x)
	}
	return "return " + x
}

// typedExpr is expr for places that infer a type from it.
func (g *gen) typedExpr(t *typ, d int) string {
	s := g.expr(t, d)
	if strings.HasPrefix(s, t.name+"(") || g.isVariable(s) {
		return s
	}
	return convert(t, s)
}

func convert(t *typ, s string) string {
	if strings.HasPrefix(t.name, "*") || strings.HasPrefix(t.name, "func") || strings.HasPrefix(t.name, "chan") {
		return "(" + t.name + ")(" + s + ")"
	}
	return t.name + "(" + s + ")"
}

func (g *gen) isVariable(s string) bool {
	for _, v := range g.scope {
		if v.name == s {
			return true
		}
	}
	return false
}

// nonConst is an expression that the compiler does not take for a constant.
func (g *gen) nonConst(t *typ, d int) string {
	if s := g.path(t); s != "" && g.chance(2) {
		return s
	}
	return "id(" + g.typedExpr(t, d) + ")"
}

func (g *gen) list(t *typ, n, d int) string {
	s := make([]string, n)
	for i := range s {
		s[i] = g.expr(t, d)
	}
	return strings.Join(s, ", ")
}

func (g *gen) leaf(t *typ) string {
	if g.n(4) > 0 {
		if s := g.path(t); s != "" {
			return s
		}
	}
	return g.literal(t, 2)
}

// path is a variable, or a part of one, of type t: "" if there is none.
func (g *gen) path(t *typ) string {
	var found []string
	for _, v := range g.scope {
		g.paths(v.name, v.t, t, 2, v.nonzero, &found)
	}
	if len(found) == 0 {
		return ""
	}
	return choose(g, found)
}

// paths collects the parts of a value that have type t and can be read
// without a fault.
func (g *gen) paths(s string, from, t *typ, depth int, nonzero bool, found *[]string) {
	if from == t {
		*found = append(*found, s)
	}
	if depth == 0 {
		return
	}
	switch from.kind {
	case structKind:
		for _, f := range from.fields {
			g.paths(s+"."+f.name, f.t, t, depth-1, false, found)
		}
	case arrayKind:
		g.paths(fmt.Sprintf("%s[%d]", s, g.n(from.n)), from.elem, t, depth-1, false, found)
	case sliceKind:
		if from.elem == t {
			*found = append(*found, fmt.Sprintf("at(%s, %d)", s, g.n(4)))
		}
	case mapKind:
		if from.elem == t {
			*found = append(*found, fmt.Sprintf("%s[%s]", s, g.literal(from.key, 1)))
		}
	case pointerKind:
		if nonzero {
			g.paths("(*"+s+")", from.elem, t, depth-1, false, found)
		} else if from.elem == t {
			*found = append(*found, fmt.Sprintf("from(%s)", s))
		}
	}
}

func (g *gen) callOf(t *typ, d int) string {
	var fits []function
	for _, f := range g.funcs {
		if len(f.results) == 1 && f.results[0] == t {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		return ""
	}
	f := choose(g, fits)
	return f.name + "(" + g.args(f.params, d) + ")"
}

func (g *gen) args(params []*typ, d int) string {
	s := make([]string, len(params))
	for i, p := range params {
		s[i] = g.expr(p, d)
	}
	return strings.Join(s, ", ")
}

// methodOf calls a method that gives t: on a value, as a value, as an
// expression, through an interface.
func (g *gen) methodOf(t *typ, d int) string {
	type fit struct {
		on *typ
		m  method
	}
	var fits []fit
	for _, ts := range [][]*typ{g.named, g.ifaces} {
		for _, on := range ts {
			for _, m := range on.methods {
				if len(m.results) == 1 && m.results[0] == t {
					fits = append(fits, fit{on, m})
				}
			}
		}
	}
	if len(fits) == 0 {
		return ""
	}
	f := choose(g, fits)
	args := g.args(f.m.params, d)
	if f.on.kind == ifaceKind {
		x := g.implementer(f.on, d)
		if x == "" {
			return ""
		}
		if g.chance(3) {
			return "(" + x + ")." + f.m.name + "(" + args + ")"
		}
		if g.chance(3) {
			return fmt.Sprintf("%s.%s(%s%s)", f.on.name, f.m.name, x, comma(args))
		}
		return fmt.Sprintf("%s(%s).%s(%s)", f.on.name, x, f.m.name, args)
	}
	if f.m.pointer {
		x := "ptr(" + g.typedExpr(f.on, d) + ")"
		switch g.n(3) {
		case 0:
			return fmt.Sprintf("(*%s).%s(%s%s)", f.on.name, f.m.name, x, comma(args))
		case 1:
			return fmt.Sprintf("id(%s.%s)(%s)", x, f.m.name, args)
		}
		return x + "." + f.m.name + "(" + args + ")"
	}
	x := "id(" + g.typedExpr(f.on, d) + ")"
	switch g.n(5) {
	case 0:
		return fmt.Sprintf("%s.%s(%s%s)", f.on.name, f.m.name, x, comma(args))
	case 1:
		return fmt.Sprintf("id(%s.%s)(%s)", x, f.m.name, args)
	case 2:
		return fmt.Sprintf("ptr(%s).%s(%s)", x, f.m.name, args)
	case 3:
		return fmt.Sprintf("(*%s).%s(ptr(%s)%s)", f.on.name, f.m.name, x, comma(args))
	}
	return x + "." + f.m.name + "(" + args + ")"
}

func comma(args string) string {
	if args == "" {
		return ""
	}
	return ", " + args
}

// implementer is a value of a declared type that implements an interface.
func (g *gen) implementer(i *typ, d int) string {
	type fit struct {
		t       *typ
		pointer bool
	}
	var fits []fit
next:
	for _, t := range g.named {
		f := fit{t, false}
		for _, m := range i.methods {
			ok := false
			for _, own := range t.methods {
				if own.name == m.name {
					ok = true
					f.pointer = f.pointer || own.pointer
				}
			}
			if !ok {
				continue next
			}
		}
		fits = append(fits, f)
	}
	if len(fits) == 0 {
		return ""
	}
	f := choose(g, fits)
	if f.pointer || g.chance(4) {
		return "ptr(" + g.typedExpr(f.t, d) + ")"
	}
	return g.typedExpr(f.t, d)
}

func (g *gen) pointerExpr(t *typ, d int) string {
	var found []string
	for _, v := range g.scope {
		if v.t == t && !v.fixed {
			found = append(found, "&"+v.name)
		}
		if v.t.kind == pointerKind && v.t.elem == t {
			found = append(found, v.name)
		}
	}
	if len(found) > 0 && g.chance(2) {
		return choose(g, found)
	}
	if t.kind == structKind && t.isNamed && g.chance(2) {
		return "&" + g.literal(t, 1)
	}
	return "ptr(" + g.typedExpr(t, d) + ")"
}

// byKind writes the operators of a kind of type.
func (g *gen) byKind(t *typ, d int) string {
	switch t.kind {
	case boolKind:
		return g.boolExpr(t, d)
	case intKind, uintKind:
		return g.intExpr(t, d)
	case floatKind:
		return g.floatExpr(t, d)
	case complexKind:
		return g.complexExpr(t, d)
	case stringKind:
		return g.stringExpr(t, d)
	case sliceKind:
		return g.sliceExpr(t, d)
	case pointerKind:
		return g.pointerExpr(t.elem, d)
	case ifaceKind:
		return g.literal(t, d)
	case funcKind:
		return g.funcLit(t, d)
	case arrayKind:
		return t.name + "{" + g.list(t.elem, t.n, d) + "}"
	case structKind, mapKind:
		return g.literal(t, d)
	}
	return ""
}

func (g *gen) boolExpr(t *typ, d int) string {
	b := func() string { return g.expr(t, d) }
	switch g.n(8) {
	case 0:
		return "(" + b() + " && " + b() + ")"
	case 1:
		return "(" + b() + " || " + b() + ")"
	case 2:
		return "!" + "id(" + g.typedExpr(t, d) + ")"
	case 3:
		x := g.comparableType()
		return convert(t, g.nonConst(x, d)+choose(g, []string{" == ", " != "})+g.typedExpr(x, d))
	case 4:
		return convert(t, fmt.Sprintf("any(%s) == any(%s)", g.typedExpr(g.comparableType(), d), g.typedExpr(g.comparableType(), d)))
	default:
		x := g.numeric()
		if g.chance(4) {
			x = g.get("string")
		}
		return convert(t, g.nonConst(x, d)+choose(g, []string{" < ", " <= ", " > ", " >= ", " == ", " != "})+g.typedExpr(x, d))
	}
}

func (g *gen) comparableType() *typ {
	for {
		if t := g.anyType(1); t.comparable && t.shows {
			return t
		}
	}
}

func (g *gen) intExpr(t *typ, d int) string {
	x, y := g.nonConst(t, d), g.expr(t, d)
	switch g.n(12) {
	case 0, 1, 2:
		return "(" + x + choose(g, []string{" + ", " - ", " * "}) + y + ")"
	case 3:
		return "(" + x + choose(g, []string{" & ", " | ", " ^ ", " &^ "}) + y + ")"
	case 4:
		return "(" + x + choose(g, []string{" / ", " % "}) + "(" + g.nonConst(t, 0) + " | 1))"
	case 5:
		return "(" + x + choose(g, []string{" / ", " % "}) + choose(g, g.divisors(t)) + ")"
	case 6:
		return "(" + x + choose(g, []string{" << ", " >> "}) + g.shiftCount(d) + ")"
	case 7:
		return choose(g, []string{"-", "^", "+"}) + x
	case 8:
		from := g.integer()
		return convert(t, g.nonConst(from, d))
	case 9:
		f := "whole(" + g.nonConst(g.get(choose(g, []string{"float64", "float32"})), d) + ")"
		if t.kind == uintKind {
			f = "max(0, " + f + ")"
		}
		if t.bits < 16 {
			f = "int16(" + f + ")"
		}
		return convert(t, f)
	case 10:
		return choose(g, []string{"min", "max"}) + "(" + x + ", " + y + ")"
	default:
		return convert(t, "len("+g.nonConst(g.lenType(), d)+")")
	}
}

func (g *gen) lenType() *typ {
	if g.chance(2) {
		return g.get("string")
	}
	return g.slice(g.anyType(0))
}

func (g *gen) divisors(t *typ) []string {
	if t.kind == uintKind {
		return []string{"1", "2", "3", "7", "10", "16", "127"}
	}
	return []string{"1", "-1", "2", "-2", "3", "7", "10", "-8", "16", "127"}
}

func (g *gen) shiftCount(d int) string {
	switch g.n(4) {
	case 0:
		return strconv.Itoa(g.n(80))
	case 1:
		return fmt.Sprintf("(uint8(%s) %% %d)", g.nonConst(g.integer(), d), 1+g.n(90))
	case 2:
		return "uint(" + g.nonConst(g.integer(), d) + ")"
	}
	return "(" + g.nonConst(g.get("int"), d) + " & 63)"
}

func (g *gen) floatExpr(t *typ, d int) string {
	x, y := g.nonConst(t, d), g.expr(t, d)
	switch g.n(9) {
	case 0, 1, 2:
		return "(" + x + choose(g, []string{" + ", " - ", " * "}) + y + ")"
	case 3:
		return "(" + x + " / " + g.nonConst(t, d) + ")"
	case 4:
		return "-" + x
	case 5:
		return convert(t, g.nonConst(g.numeric(), d))
	case 6:
		return choose(g, []string{"min", "max"}) + "(" + x + ", " + y + ")"
	case 7:
		f := choose(g, []string{"Sqrt(", "Abs(", "Floor(", "Trunc(", "Cbrt("})
		return convert(t, "math."+f+"float64("+x+"))")
	}
	return convert(t, choose(g, []string{"real", "imag"})+"("+g.nonConst(g.get("complex128"), d)+")")
}

func (g *gen) complexExpr(t *typ, d int) string {
	x, y := g.nonConst(t, d), g.expr(t, d)
	switch g.n(5) {
	case 0, 1:
		return "(" + x + choose(g, []string{" + ", " - ", " * "}) + y + ")"
	case 2:
		return "(" + x + " / " + g.nonConst(t, d) + ")"
	case 3:
		return "-" + x
	}
	f := g.get("float64")
	if t.bits == 64 {
		f = g.get("float32")
	}
	return convert(t, "complex("+g.nonConst(f, d)+", "+g.typedExpr(f, d)+")")
}

func (g *gen) stringExpr(t *typ, d int) string {
	x := g.nonConst(t, d)
	switch g.n(10) {
	case 0, 1:
		return "(" + x + " + " + g.expr(t, d) + ")"
	case 2:
		return fmt.Sprintf("%s[min(%d, len(%s)):]", x, g.n(4), x)
	case 3:
		return convert(t, "rune("+g.nonConst(g.get("int"), 0)+"&0xffff)")
	case 4:
		return convert(t, choose(g, []string{"[]byte", "[]rune"})+"("+x+")")
	case 5:
		return convert(t, "fmt.Sprint("+g.typedExpr(g.showType(1), d)+")")
	case 6:
		return convert(t, fmt.Sprintf("strings.Repeat(%q, %d)", choose(g, words), g.n(3)))
	case 7:
		return convert(t, "strings.ToUpper(string("+x+"))")
	case 8:
		// Not of the program's own types: their names hold that of the package,
		// which is another one where programs are compiled together.
		return convert(t, "fmt.Sprintf(\"%T\", "+g.typedExpr(choose(g, g.basic), d)+")")
	}
	return convert(t, "strconv.Itoa(int("+g.nonConst(g.integer(), d)+"))")
}

func (g *gen) sliceExpr(t *typ, d int) string {
	x := g.nonConst(t, d)
	switch g.n(7) {
	case 0:
		return fmt.Sprintf("append(slices.Clip(%s), %s)", g.typedExpr(t, d), g.expr(t.elem, d))
	case 1:
		return fmt.Sprintf("append(slices.Clip(%s), %s...)", g.typedExpr(t, d), g.typedExpr(t, d))
	case 2:
		return fmt.Sprintf("%s[:0]", x)
	case 3:
		return fmt.Sprintf("slices.Clone(%s)", x)
	case 4:
		return fmt.Sprintf("make(%s, %d, %d)", t.name, g.n(3), 3+g.n(3))
	case 5:
		if t.elem.name == "uint8" || t.elem.name == "int32" {
			return convert(t, g.nonConst(g.get("string"), d))
		}
		return convert(t, fmt.Sprintf("ptr([3]%s{%s})[:%d]", t.elem.name, g.list(t.elem, 3, d), g.n(4)))
	}
	return g.literal(t, d)
}

// funcLit is a function that changes nothing outside itself.
func (g *gen) funcLit(t *typ, d int) string {
	mark, result, loop := len(g.scope), g.result, g.loop
	defer func() { g.scope, g.result, g.loop = g.scope[:mark], result, loop }()
	ps := make([]string, len(t.params))
	for i, p := range t.params {
		ps[i] = g.fresh("p")
		g.scope = append(g.scope, variable{name: ps[i], t: p})
		ps[i] += " " + p.name
	}
	res := ""
	if len(t.results) > 0 {
		res = " (" + names(t.results) + ")"
	}
	return "func(" + strings.Join(ps, ", ") + ")" + res + " { return " + g.args(t.results, d) + " }"
}
