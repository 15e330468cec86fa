package progen

import (
	"fmt"
	"strings"
)

type kind int

const (
	boolKind kind = iota
	intKind
	uintKind
	floatKind
	complexKind
	stringKind
	structKind
	arrayKind
	sliceKind
	mapKind
	pointerKind
	funcKind
	chanKind
	ifaceKind
)

// typ is a type of the program. Types of one spelling are one typ.
type typ struct {
	name      string // as written
	kind      kind
	bits      int
	isNamed   bool
	key, elem *typ
	fields    []field
	n         int
	params    []*typ
	results   []*typ
	methods   []method // callable on a value of it, or demanded by it
	changes   []method // methods by pointer that change their receiver
	comparable,
	shows bool // printing it shows no addresses
}

type field struct {
	name     string
	t        *typ
	embedded bool
}

type method struct {
	name    string
	params  []*typ
	results []*typ
	pointer bool
}

func (g *gen) intern(t *typ) *typ {
	if old := g.types[t.name]; old != nil {
		return old
	}
	g.types[t.name] = t
	return t
}

func (g *gen) get(name string) *typ { return g.types[name] }

func (g *gen) basics() {
	add := func(k kind, bits int, names ...string) {
		for _, n := range names {
			g.basic = append(g.basic, g.intern(&typ{name: n, kind: k, bits: bits, comparable: true, shows: true}))
		}
	}
	add(boolKind, 0, "bool")
	add(intKind, 64, "int", "int64")
	add(intKind, 8, "int8")
	add(intKind, 16, "int16")
	add(intKind, 32, "int32")
	add(uintKind, 64, "uint", "uint64", "uintptr")
	add(uintKind, 8, "uint8")
	add(uintKind, 16, "uint16")
	add(uintKind, 32, "uint32")
	add(floatKind, 64, "float64")
	add(floatKind, 32, "float32")
	add(complexKind, 128, "complex128")
	add(complexKind, 64, "complex64")
	add(stringKind, 0, "string")
	g.intern(&typ{name: "any", kind: ifaceKind, shows: true, comparable: false})
	g.intern(&typ{name: "error", kind: ifaceKind, shows: true})
}

func (g *gen) slice(e *typ) *typ {
	return g.intern(&typ{name: "[]" + e.name, kind: sliceKind, elem: e, shows: e.shows})
}

func (g *gen) array(n int, e *typ) *typ {
	return g.intern(&typ{name: fmt.Sprintf("[%d]%s", n, e.name), kind: arrayKind, n: n, elem: e, shows: e.shows, comparable: e.comparable})
}

func (g *gen) mapOf(k, e *typ) *typ {
	return g.intern(&typ{name: "map[" + k.name + "]" + e.name, kind: mapKind, key: k, elem: e, shows: e.shows && k.shows})
}

func (g *gen) pointer(e *typ) *typ {
	return g.intern(&typ{name: "*" + e.name, kind: pointerKind, elem: e, comparable: true})
}

func (g *gen) chanOf(e *typ) *typ {
	return g.intern(&typ{name: "chan " + e.name, kind: chanKind, elem: e, comparable: true})
}

func (g *gen) funcType(params, results []*typ) *typ {
	return g.intern(&typ{name: "func" + signature(params, results), kind: funcKind, params: params, results: results})
}

func names(ts []*typ) string {
	s := make([]string, len(ts))
	for i, t := range ts {
		s[i] = t.name
	}
	return strings.Join(s, ", ")
}

func signature(params, results []*typ) string {
	s := "(" + names(params) + ")"
	switch len(results) {
	case 0:
	case 1:
		s += " " + results[0].name
	default:
		s += " (" + names(results) + ")"
	}
	return s
}

func (g *gen) structType(fields []field) *typ {
	var b strings.Builder
	b.WriteString("struct{")
	t := &typ{kind: structKind, fields: fields, comparable: true, shows: true}
	for i, f := range fields {
		if i > 0 {
			b.WriteString("; ")
		}
		if f.embedded {
			b.WriteString(f.t.name)
		} else {
			b.WriteString(f.name + " " + f.t.name)
		}
		t.comparable = t.comparable && f.t.comparable
		t.shows = t.shows && f.t.shows
	}
	b.WriteString("}")
	t.name = b.String()
	return g.intern(t)
}

// anyType chooses a type, composite to the given depth.
func (g *gen) anyType(depth int) *typ {
	if depth <= 0 || g.chance(3) {
		if len(g.named) > 0 && g.chance(2) {
			return choose(g, g.named)
		}
		return choose(g, g.basic)
	}
	switch g.n(13) {
	case 12:
		return g.chanOf(g.anyType(0))
	case 0, 1:
		return g.slice(g.anyType(depth - 1))
	case 2:
		return g.array(1+g.n(4), g.anyType(depth-1))
	case 3:
		return g.mapOf(g.keyType(), g.anyType(depth-1))
	case 4:
		return g.pointer(g.anyType(depth - 1))
	case 5:
		var ps []*typ
		for range g.n(3) {
			ps = append(ps, g.anyType(0))
		}
		return g.funcType(ps, []*typ{g.anyType(0)})
	case 6:
		return g.structType([]field{{name: "A", t: g.anyType(depth - 1)}, {name: "B", t: g.anyType(0)}})
	case 7:
		return g.get("any")
	case 8:
		if len(g.ifaces) > 0 {
			return choose(g, g.ifaces)
		}
		return g.get("error")
	default:
		return choose(g, g.basic)
	}
}

// showType chooses a type whose values print the same at every run.
func (g *gen) showType(depth int) *typ {
	for {
		if t := g.anyType(depth); t.shows {
			return t
		}
	}
}

func (g *gen) keyType() *typ {
	for {
		t := g.anyType(0)
		if g.chance(4) {
			t = g.anyType(1)
		}
		// Keys that are not equal to themselves print in any order.
		if t.comparable && t.shows && !g.floats(t) {
			return t
		}
	}
}

func (g *gen) floats(t *typ) bool {
	switch t.kind {
	case floatKind, complexKind, ifaceKind:
		return true
	case arrayKind:
		return g.floats(t.elem)
	case structKind:
		for _, f := range t.fields {
			if g.floats(f.t) {
				return true
			}
		}
	}
	return false
}

func (g *gen) numeric() *typ {
	for {
		t := choose(g, g.basic)
		if len(g.named) > 0 && g.chance(3) {
			t = choose(g, g.named)
		}
		if t.kind >= intKind && t.kind <= floatKind {
			return t
		}
	}
}

func (g *gen) integer() *typ {
	for {
		if t := g.numeric(); t.kind != floatKind {
			return t
		}
	}
}

// declareTypes writes the named types, their methods, and interfaces.
func (g *gen) declareTypes() {
	for i := range 3 {
		m := method{name: fmt.Sprintf("M%d", i)}
		for range g.n(3) {
			m.params = append(m.params, g.anyType(0))
		}
		m.results = []*typ{g.showType(1)}
		g.pool = append(g.pool, m)
	}
	for range 2 {
		g.declareInterface()
	}
	for range 3 + g.n(4) {
		g.declareNamed()
	}
	g.declareInterface()
	g.declareGeneric()
	g.declareGeneric()
}

func (g *gen) declareInterface() {
	t := &typ{name: g.fresh("I"), kind: ifaceKind, isNamed: true}
	var b strings.Builder
	for i, m := range g.pool {
		if i == len(g.ifaces)%len(g.pool) || g.chance(3) {
			t.methods = append(t.methods, m)
		}
	}
	if len(g.ifaces) > 0 && g.chance(2) {
		in := choose(g, g.ifaces)
		fmt.Fprintf(&b, "\t%s\n", in.name)
		for _, m := range in.methods {
			if !hasMethod(t.methods, m.name) {
				t.methods = append(t.methods, m)
			}
		}
	}
	for _, m := range t.methods {
		fmt.Fprintf(&b, "\t%s%s\n", m.name, signature(m.params, m.results))
	}
	g.p("\ntype %s interface {\n%s}\n", t.name, b.String())
	g.ifaces = append(g.ifaces, g.intern(t))
}

func hasMethod(ms []method, name string) bool {
	for _, m := range ms {
		if m.name == name {
			return true
		}
	}
	return false
}

func (g *gen) declareNamed() {
	var u *typ
	switch g.n(10) {
	case 0, 1, 2:
		u = choose(g, g.basic)
	case 3:
		u = g.slice(g.anyType(1))
	case 4:
		u = g.mapOf(g.keyType(), g.anyType(1))
	case 5:
		u = g.array(1+g.n(3), g.anyType(1))
	case 6:
		u = g.funcType([]*typ{g.anyType(0)}, []*typ{g.anyType(0)})
	default:
		g.declareStruct()
		return
	}
	t := *u
	t.name, t.isNamed = g.fresh("T"), true
	t.methods, t.changes = nil, nil
	g.p("\ntype %s %s\n", t.name, u.name)
	g.intern(&t)
	g.declareMethods(&t)
	g.named = append(g.named, &t)
}

func (g *gen) declareStruct() {
	t := &typ{name: g.fresh("T"), kind: structKind, isNamed: true, comparable: true, shows: true}
	var b strings.Builder
	embedded := false
	for range 1 + g.n(4) {
		f := field{name: g.fresh("F"), t: g.anyType(2)}
		if !embedded && len(g.named) > 0 && g.chance(3) {
			e := choose(g, g.named)
			f = field{name: e.name, t: e, embedded: true}
			if g.chance(3) {
				f.t = g.pointer(e)
			}
			embedded = true
			fmt.Fprintf(&b, "\t%s\n", f.t.name)
		} else {
			tag := ""
			if g.chance(3) {
				tag = fmt.Sprintf(" `json:\"%s,omitempty\"`", strings.ToLower(f.name))
			}
			if g.chance(5) {
				f.name = strings.ToLower(f.name)
			}
			fmt.Fprintf(&b, "\t%s %s%s\n", f.name, f.t.name, tag)
		}
		t.fields = append(t.fields, f)
		t.comparable = t.comparable && f.t.comparable
		t.shows = t.shows && f.t.shows
	}
	if g.chance(4) {
		t.shows = false
		t.fields = append(t.fields, field{name: "next", t: &typ{name: "*" + t.name}})
		fmt.Fprintf(&b, "\tnext *%s\n", t.name)
	}
	g.p("\ntype %s struct {\n%s}\n", t.name, b.String())
	g.intern(t)
	for i, f := range t.fields {
		if f.name == "next" {
			t.fields[i].t = g.pointer(t)
		}
		if f.embedded && f.t.kind != pointerKind {
			t.methods = append(t.methods, f.t.methods...)
		}
	}
	g.declareMethods(t)
	g.named = append(g.named, t)
}

// declareMethods writes methods of the pool, those that fmt looks for, and one
// that changes its receiver.
func (g *gen) declareMethods(t *typ) {
	own := map[string]bool{}
	add := func(m method) {
		if own[m.name] {
			return
		}
		own[m.name] = true
		recv := t
		if m.pointer {
			recv = g.pointer(t)
		}
		mark := len(g.scope)
		name := g.fresh("r")
		g.scope = append(g.scope, variable{name: name, t: recv, nonzero: false})
		g.p("\nfunc (%s %s) %s", name, recv.name, m.name)
		g.funcRest(m.params, m.results, 1+g.n(2))
		g.scope = g.scope[:mark]
		for i, old := range t.methods {
			if old.name == m.name {
				t.methods = append(t.methods[:i:i], t.methods[i+1:]...)
				break
			}
		}
		t.methods = append(t.methods, m)
	}
	for _, m := range g.pool {
		if g.chance(2) {
			m.pointer = g.chance(4)
			add(m)
		}
	}
	if g.chance(4) && t.shows {
		name := choose(g, []string{"String", "Error", "GoString"})
		g.p("\nfunc (r %s) %s() string { return %q }\n", t.name, name, "<"+t.name+">")
	}
	if g.chance(2) {
		m := method{name: "Set" + t.name, params: []*typ{t}, results: []*typ{g.get("int")}, pointer: true}
		g.p("\nfunc (r *%s) %s(x %s) int { *r = x; return %d }\n", t.name, m.name, t.name, g.n(100))
		t.changes = append(t.changes, m)
	}
}

// declareGeneric writes a generic type and instantiates it.
func (g *gen) declareGeneric() {
	name := g.fresh("G")
	e := g.showType(1)
	switch g.n(3) {
	case 0:
		g.p(`
type %[1]s[T any] struct {
	v    T
	Rest []T
}

func (x *%[1]s[T]) Push(v T) int { x.Rest = append(x.Rest, x.v); x.v = v; return len(x.Rest) }
func (x %[1]s[T]) M0x() (T, int)  { return x.v, cap(x.Rest[:0:0]) }
`, name)
		g.generic(name+"["+e.name+"]", structKind, []field{{name: "v", t: e}, {name: "Rest", t: g.slice(e)}}, nil, nil, e.shows)
	case 1:
		k := g.keyType()
		g.p("\ntype %[1]s[K comparable, V any] map[K]V\n\nfunc (m %[1]s[K, V]) Put(k K, v V) (old V, had bool) { old, had = m[k]; m[k] = v; return }\n", name)
		g.generic(name+"["+k.name+", "+e.name+"]", mapKind, nil, k, e, e.shows && k.shows)
	default:
		g.p("\ntype %[1]s[T any] []T\n\nfunc (s %[1]s[T]) Map(f func(T) T) %[1]s[T] {\n\tvar out %[1]s[T]\n\tfor _, v := range s {\n\t\tout = append(out, f(v))\n\t}\n\treturn out\n}\n", name)
		g.generic(name+"["+e.name+"]", sliceKind, nil, nil, e, e.shows)
	}
}

func (g *gen) generic(name string, k kind, fields []field, key, elem *typ, shows bool) {
	t := g.intern(&typ{name: name, kind: k, isNamed: true, fields: fields, key: key, elem: elem, shows: shows})
	g.named = append(g.named, t)
}
