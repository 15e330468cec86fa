package session

import (
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"trafficgpt/interp/rt"
)

// node is a value that the debugger shows: v represents a value of type t. Of
// values inside compiled interfaces only the compiled type is known; t is nil
// then.
type node struct {
	world *rt.World
	name  string
	t     types.Type
	v     reflect.Value
}

const (
	textLimit  = 160  // bytes of a value on one line
	childLimit = 1000 // parts listed at once
	depthLimit = 3    // of what is inside a value on one line
)

// typeName is the type as Go prints it; of an interface also what it holds.
func (n node) typeName() string {
	if n.t == nil {
		if !n.v.IsValid() {
			return "nil"
		}
		return n.v.Type().String()
	}
	name := n.world.TypeString(n.t)
	if d := n.dynamic(); types.IsInterface(n.t) && d.v.IsValid() {
		name += "(" + d.typeName() + ")"
	}
	return name
}

// dynamic is the value inside an interface, and n itself if it is none.
func (n node) dynamic() node {
	for n.v.Kind() == reflect.Interface {
		if n.v.IsNil() || !n.v.CanInterface() {
			return node{world: n.world, name: n.name, v: n.v.Elem()}
		}
		d, v := rt.Dynamic(n.v.Interface())
		if d == nil {
			return node{world: n.world, name: n.name, v: v}
		}
		n = node{world: n.world, name: n.name, t: d.Type, v: v}
	}
	return n
}

// elem is the node of a part whose static type is that of the elements.
func (n node) elem(name string, v reflect.Value) node {
	if n.t == nil {
		return node{world: n.world, name: name, v: v}
	}
	switch u := n.t.Underlying().(type) {
	case interface{ Elem() types.Type }:
		return node{n.world, name, u.Elem(), v}
	}
	return node{world: n.world, name: name, v: v}
}

// target is what the node's parts belong to: the value inside an interface,
// the struct or array that a pointer points at.
func (n node) target() node {
	n = n.dynamic()
	if n.v.Kind() == reflect.Pointer && !n.v.IsNil() {
		switch n.v.Elem().Kind() {
		case reflect.Struct, reflect.Array:
			return n.elem(n.name, n.v.Elem())
		}
	}
	return n
}

// parts is how many named and indexed parts the value has.
func (n node) parts() (named, indexed int) {
	n = n.target()
	switch n.v.Kind() {
	case reflect.Struct:
		return n.v.NumField(), 0
	case reflect.Slice, reflect.Array:
		return 0, n.v.Len()
	case reflect.Map:
		return n.v.Len(), 0
	case reflect.Pointer:
		if !n.v.IsNil() {
			return 1, 0
		}
	}
	return 0, 0
}

// children lists parts: count of them from start on, all with a count of 0.
func (n node) children(start, count int) []node {
	n = n.target()
	named, indexed := n.parts()
	total := named + indexed
	start = min(max(start, 0), total)
	if count <= 0 {
		count = childLimit
	}
	end := min(start+count, start+childLimit, total)
	var out []node
	switch n.v.Kind() {
	case reflect.Struct:
		for i := start; i < end; i++ {
			out = append(out, n.field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := start; i < end; i++ {
			out = append(out, n.elem("["+strconv.Itoa(i)+"]", n.v.Index(i)))
		}
	case reflect.Map:
		keys := n.v.MapKeys()
		slices.SortStableFunc(keys, rt.CompareKeys)
		for _, k := range keys[start:min(end, len(keys))] {
			kn := node{world: n.world, v: k}
			if m := n.mapType(); m != nil {
				kn.t = m.Key()
			}
			out = append(out, n.elem(kn.text(), n.v.MapIndex(k)))
		}
	case reflect.Pointer:
		if !n.v.IsNil() {
			out = append(out, n.elem("*"+n.name, n.v.Elem()))
		}
	}
	return out
}

func (n node) mapType() *types.Map {
	if n.t == nil {
		return nil
	}
	m, _ := n.t.Underlying().(*types.Map)
	return m
}

func (n node) field(i int) node {
	if n.t != nil {
		if st, ok := n.t.Underlying().(*types.Struct); ok && i < st.NumFields() {
			return node{n.world, st.Field(i).Name(), st.Field(i).Type(), n.v.Field(i)}
		}
	}
	return node{world: n.world, name: n.v.Type().Field(i).Name, v: n.v.Field(i)}
}

// text is the value on one line, as Go prints it with %+v, strings quoted and
// what is long cut short. It calls no code of cells.
func (n node) text() string {
	w := &line{}
	n.write(w, 0)
	return w.b.String()
}

// line is a text that takes no more once it is long.
type line struct {
	b    strings.Builder
	full bool
}

func (l *line) add(s string) {
	if l.full {
		return
	}
	if l.b.Len()+len(s) > textLimit {
		l.full = true
		s = strings.ToValidUTF8(s[:max(0, textLimit-l.b.Len())], "") + "…"
	}
	l.b.WriteString(s)
}

func (n node) write(w *line, depth int) {
	n = n.dynamic()
	v := n.v
	if w.full {
		return
	}
	if n.speaks() {
		w.add(fmt.Sprint(v.Interface()))
		return
	}
	switch k := v.Kind(); {
	case k == reflect.Invalid:
		w.add("nil")
	case k == reflect.String:
		s := v.String()
		if len(s) > textLimit {
			s = strings.ToValidUTF8(s[:textLimit], "")
			w.add(strconv.Quote(s) + "…")
			return
		}
		w.add(strconv.Quote(s))
	case k == reflect.Struct || k == reflect.Slice || k == reflect.Array || k == reflect.Map:
		n.list(w, depth)
	case k == reflect.Pointer:
		if t := n.target(); depth == 0 && t.v.Kind() != reflect.Pointer {
			w.add("&")
			t.list(w, depth)
			return
		}
		fallthrough
	case k == reflect.Func || k == reflect.Chan || k == reflect.UnsafePointer:
		n.address(w)
	default:
		w.add(fmt.Sprint(v))
	}
}

func (n node) address(w *line) {
	if n.v.Kind() == reflect.Pointer && n.v.IsNil() || n.v.Kind() != reflect.Pointer && n.v.IsNil() {
		w.add("nil")
		return
	}
	switch n.v.Kind() {
	case reflect.Chan:
		w.add(fmt.Sprintf("%s (%d of %d)", n.typeName(), n.v.Len(), n.v.Cap()))
	case reflect.Func:
		w.add(n.typeName())
	default:
		w.add(fmt.Sprintf("%#x", n.v.Pointer()))
	}
}

// speaks reports whether a compiled type says itself what its values mean, as
// time.Duration does.
func (n node) speaks() bool {
	if !n.v.IsValid() || !n.v.CanInterface() || n.v.Type().PkgPath() == "" && n.v.Kind() != reflect.Pointer {
		return false
	}
	if n.v.Kind() == reflect.Pointer && n.v.IsNil() {
		return false
	}
	if _, boxed := n.v.Interface().(rt.Boxed); boxed {
		return false
	}
	switch n.v.Interface().(type) {
	case fmt.Stringer, error:
		return true
	}
	return false
}

func (n node) list(w *line, depth int) {
	opening, closing := "[", "]"
	switch n.v.Kind() {
	case reflect.Struct:
		opening, closing = "{", "}"
	case reflect.Map:
		opening = "map["
	}
	if (n.v.Kind() == reflect.Map || n.v.Kind() == reflect.Slice) && n.v.IsNil() {
		w.add("nil")
		return
	}
	w.add(opening)
	if depth >= depthLimit {
		w.add("…" + closing)
		return
	}
	for i, c := range n.children(0, textLimit/2+1) {
		if w.full {
			return
		}
		if i > 0 {
			w.add(" ")
		}
		switch n.v.Kind() {
		case reflect.Struct, reflect.Map:
			w.add(c.name + ":")
		}
		c.write(w, depth+1)
	}
	w.add(closing)
}
