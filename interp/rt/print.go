package rt

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// Format prints a boxed value as fmt prints the Go value it stands for. It
// walks the static type beside the represented value; leaves go to fmt.
func (b Box) Format(s fmt.State, verb rune) {
	p := printer{s: s, verb: verb, w: b.D.W, spec: fmt.FormatString(s, verb), sharp: s.Flag('#'), plus: s.Flag('+')}
	p.typed(b.D.Type, b.value(), 0, true)
}

type printer struct {
	s           fmt.State
	verb        rune
	w           *World
	spec        string // the directive to print a leaf with
	sharp, plus bool
}

func (p *printer) sharpV() bool { return p.sharp && p.verb == 'v' }

func (p *printer) write(s string) { _, _ = p.s.Write([]byte(s)) }

func (p *printer) leaf(v any) { fmt.Fprintf(p.s, p.spec, v) }

// typed prints v, a represented value of type t.
func (p *printer) typed(t types.Type, v reflect.Value, depth int, exported bool) {
	if exported && v.IsValid() && !types.IsInterface(t) && p.methods(t, v) {
		return
	}
	p.value(t, v, depth, exported)
}

// methods prints a value by its own methods, if it has any that fmt calls.
func (p *printer) methods(t types.Type, v reflect.Value) (handled bool) {
	if p.w.IsNative(t) {
		return p.nativeMethods(v)
	}
	d := p.w.Desc(t)
	name := ""
	switch {
	case d.shape("Format", reflect.TypeFor[func(fmt.State, rune)]()):
		name = "Format"
	case p.sharpV():
		if !d.shape("GoString", reflect.TypeFor[func() string]()) {
			return false
		}
		name = "GoString"
	case strings.ContainsRune("vsxXq", p.verb):
		switch {
		case d.shape("Error", reflect.TypeFor[func() string]()):
			name = "Error"
		case d.shape("String", reflect.TypeFor[func() string]()):
			name = "String"
		default:
			return false
		}
	default:
		return false
	}
	fn, ok := d.code(name)
	if !ok {
		return false
	}
	handled = true
	defer p.caught(v, name)
	if name == "Format" {
		fn.Call([]reflect.Value{v, reflect.ValueOf(p.s), reflect.ValueOf(p.verb)})
		return true
	}
	text := fn.Call([]reflect.Value{v})[0].String()
	if name == "GoString" {
		p.write(text)
	} else {
		p.leaf(text)
	}
	return true
}

// caught prints the panic of a String or Error method as fmt does.
func (p *printer) caught(v reflect.Value, name string) {
	r := recover()
	if r == nil {
		return
	}
	if r == error(ErrInterrupted) {
		panic(r)
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		p.write("<nil>")
		return
	}
	p.write(fmt.Sprintf("%%!%c(PANIC=%s method: ", p.verb, name))
	fmt.Fprintf(p.s, "%v", MapPanic(r))
	p.write(")")
}

func (p *printer) nativeMethods(v reflect.Value) bool {
	if !v.CanInterface() {
		return false
	}
	if v.Kind() == reflect.Interface && v.IsNil() {
		return false
	}
	x := v.Interface()
	_, formats := x.(fmt.Formatter)
	_, goStrings := x.(fmt.GoStringer)
	_, fails := x.(error)
	_, speaks := x.(fmt.Stringer)
	switch {
	case formats:
	case p.sharpV():
		if !goStrings {
			return false
		}
	case !fails && !speaks, !strings.ContainsRune("vsxXq", p.verb):
		return false
	}
	p.leaf(v.Interface())
	return true
}

// shape reports whether a method has this represented signature.
func (d *Desc) shape(name string, sig reflect.Type) bool {
	sel := d.method(name)
	if sel == nil {
		return false
	}
	d.W.mu.Lock()
	defer d.W.mu.Unlock()
	return d.W.methodRep(sel) == sig
}

func (d *Desc) code(name string) (reflect.Value, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn, ok := d.methods[name]
	return fn, ok
}

const (
	intVerbs    = "vbdoOxXcqU"
	floatVerbs  = "vbgGxXfFeE"
	stringVerbs = "vsxXq"
)

// value prints by kind. It follows printValue of package fmt.
func (p *printer) value(t types.Type, v reflect.Value, depth int, exported bool) {
	switch k := v.Kind(); {
	case k == reflect.Invalid:
		p.write("<nil>")
	case k == reflect.Bool:
		p.basic(t, v, "tv", v.Bool())
	case v.CanInt():
		p.basic(t, v, intVerbs, reflect.ValueOf(v.Int()).Convert(plainOf(k)).Interface())
	case v.CanUint():
		p.basic(t, v, intVerbs, reflect.ValueOf(v.Uint()).Convert(plainOf(k)).Interface())
	case v.CanFloat():
		p.basic(t, v, floatVerbs, reflect.ValueOf(v.Float()).Convert(plainOf(k)).Interface())
	case v.CanComplex():
		p.basic(t, v, floatVerbs, reflect.ValueOf(v.Complex()).Convert(plainOf(k)).Interface())
	case k == reflect.String:
		p.basic(t, v, stringVerbs, v.String())
	case k == reflect.Map:
		p.mapping(t, v, depth, exported)
	case k == reflect.Struct:
		p.structure(t, v, depth, exported)
	case k == reflect.Interface:
		p.iface(t, v, depth, exported)
	case k == reflect.Slice || k == reflect.Array:
		p.list(t, v, depth, exported)
	case k == reflect.Pointer:
		if depth == 0 && !v.IsNil() {
			switch v.Elem().Kind() {
			case reflect.Array, reflect.Slice, reflect.Struct, reflect.Map:
				p.write("&")
				p.typed(elemType(t), v.Elem(), depth+1, exported)
				return
			}
		}
		p.pointer(t, v)
	default:
		p.pointer(t, v)
	}
}

func plainOf(k reflect.Kind) reflect.Type {
	for _, t := range basics {
		if t.Kind() == k {
			return t
		}
	}
	return anyType
}

// basic prints a leaf, or a complaint when the verb does not suit it.
func (p *printer) basic(t types.Type, v reflect.Value, verbs string, plain any) {
	if strings.ContainsRune(verbs, p.verb) {
		p.leaf(plain)
		return
	}
	p.badVerb(t, v)
}

func (p *printer) badVerb(t types.Type, v reflect.Value) {
	p.write("%!" + string(p.verb) + "(" + p.w.TypeString(t) + "=")
	q := printer{s: p.s, verb: 'v', w: p.w, spec: "%v"}
	q.value(t, v, 0, true)
	p.write(")")
}

// elemType is the element type of any composite type.
func elemType(t types.Type) types.Type {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return u.Elem()
	case *types.Slice:
		return u.Elem()
	case *types.Array:
		return u.Elem()
	case *types.Map:
		return u.Elem()
	case *types.Chan:
		return u.Elem()
	}
	return types.Typ[types.Invalid]
}

func (p *printer) mapping(t types.Type, v reflect.Value, depth int, exported bool) {
	if p.sharpV() {
		p.write(p.w.TypeString(t))
		if v.IsNil() {
			p.write("(nil)")
			return
		}
		p.write("{")
	} else {
		p.write("map[")
	}
	kt := t.Underlying().(*types.Map).Key()
	keys := v.MapKeys()
	slices.SortStableFunc(keys, CompareKeys)
	for i, k := range keys {
		p.between(i)
		p.typed(kt, k, depth+1, exported)
		p.write(":")
		p.typed(elemType(t), v.MapIndex(k), depth+1, exported)
	}
	p.close("]")
}

func (p *printer) between(i int) {
	if i == 0 {
		return
	}
	if p.sharpV() {
		p.write(", ")
	} else {
		p.write(" ")
	}
}

func (p *printer) close(s string) {
	if p.sharpV() {
		s = "}"
	}
	p.write(s)
}

func (p *printer) structure(t types.Type, v reflect.Value, depth int, exported bool) {
	if p.sharpV() {
		p.write(p.w.TypeString(t))
	}
	p.write("{")
	st := t.Underlying().(*types.Struct)
	for i := range st.NumFields() {
		f := st.Field(i)
		p.between(i)
		if (p.plus || p.sharp) && p.verb == 'v' {
			p.write(f.Name() + ":")
		}
		p.field(f.Type(), v.Field(i), depth+1, exported && token.IsExported(f.Name()))
	}
	p.write("}")
}

// field prints a field; one of interface type shows what it holds.
func (p *printer) field(t types.Type, v reflect.Value, depth int, exported bool) {
	if v.Kind() == reflect.Interface && !v.IsNil() && v.CanInterface() {
		p.dynamic(v.Interface(), depth, exported)
		return
	}
	p.typed(t, v, depth, exported)
}

func (p *printer) iface(t types.Type, v reflect.Value, depth int, exported bool) {
	if v.IsNil() {
		if p.sharpV() {
			p.write(p.w.TypeString(t) + "(nil)")
		} else {
			p.write("<nil>")
		}
		return
	}
	if !v.CanInterface() {
		p.leaf(v) // inside a compiled type: fmt looks into a reflect.Value
		return
	}
	p.dynamic(v.Interface(), depth+1, exported)
}

// dynamic prints the value inside an interface.
func (p *printer) dynamic(x any, depth int, exported bool) {
	d, v := Dynamic(x)
	if d != nil {
		p.typed(d.Type, v, depth, exported)
		return
	}
	if exported && p.nativeMethods(v) {
		return
	}
	if v.Kind() == reflect.Pointer && depth > 0 {
		p.pointerNamed(v.Type().String(), v)
		return
	}
	p.leaf(x)
}

func (p *printer) list(t types.Type, v reflect.Value, depth int, exported bool) {
	if strings.ContainsRune("sqxX", p.verb) && v.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v.Convert(v.Type()))
		if v.Kind() == reflect.Slice || v.Len() >= 0 {
			p.leaf(b)
			return
		}
	}
	if p.sharpV() {
		p.write(p.w.TypeString(t))
		if v.Kind() == reflect.Slice && v.IsNil() {
			p.write("(nil)")
			return
		}
		p.write("{")
	} else {
		p.write("[")
	}
	for i := range v.Len() {
		p.between(i)
		p.typed(elemType(t), v.Index(i), depth+1, exported)
	}
	p.close("]")
}

func (p *printer) pointer(t types.Type, v reflect.Value) { p.pointerNamed(p.w.TypeString(t), v) }

func (p *printer) pointerNamed(name string, v reflect.Value) {
	u := uintptr(v.UnsafePointer())
	switch p.verb {
	case 'v':
		if p.sharp {
			p.write("(" + name + ")(")
			if u == 0 {
				p.write("nil")
			} else {
				p.write(fmt.Sprintf("%#x", u))
			}
			p.write(")")
			return
		}
		if u == 0 {
			fmt.Fprintf(p.s, p.spec[:len(p.spec)-1]+"s", "<nil>")
			return
		}
		fmt.Fprintf(p.s, strings.ReplaceAll(p.spec[:len(p.spec)-1], "+", "")+"p", v.UnsafePointer())
	case 'p':
		p.leaf(v.UnsafePointer())
	case 'b', 'o', 'd', 'x', 'X':
		p.leaf(u)
	default:
		shown := "<nil>"
		if u != 0 {
			shown = fmt.Sprintf("%#x", u)
		}
		p.write(fmt.Sprintf("%%!%c(%s=%s)", p.verb, name, shown))
	}
}

// CompareKeys orders map keys as fmt prints them.
func CompareKeys(a, b reflect.Value) int {
	switch k := a.Kind(); {
	case k == reflect.Interface:
		switch {
		case a.IsNil() && b.IsNil():
			return 0
		case a.IsNil():
			return -1
		case b.IsNil():
			return 1
		}
		da, va := Dynamic(a.Interface())
		db, vb := Dynamic(b.Interface())
		if da != db || va.Type() != vb.Type() {
			return strings.Compare(DynamicName(a.Interface()), DynamicName(b.Interface()))
		}
		return CompareKeys(va, vb)
	case a.CanInt():
		return order(a.Int(), b.Int())
	case a.CanUint():
		return order(a.Uint(), b.Uint())
	case a.CanFloat():
		return orderFloat(a.Float(), b.Float())
	case a.CanComplex():
		if c := orderFloat(real(a.Complex()), real(b.Complex())); c != 0 {
			return c
		}
		return orderFloat(imag(a.Complex()), imag(b.Complex()))
	case k == reflect.String:
		return strings.Compare(a.String(), b.String())
	case k == reflect.Bool:
		switch {
		case a.Bool() == b.Bool():
			return 0
		case b.Bool():
			return -1
		}
		return 1
	case k == reflect.Pointer || k == reflect.Chan || k == reflect.UnsafePointer:
		return order(a.Pointer(), b.Pointer())
	case k == reflect.Struct:
		for i := range a.NumField() {
			if c := CompareKeys(a.Field(i), b.Field(i)); c != 0 {
				return c
			}
		}
	case k == reflect.Array:
		for i := range a.Len() {
			if c := CompareKeys(a.Index(i), b.Index(i)); c != 0 {
				return c
			}
		}
	}
	return 0
}

func order[T int64 | uint64 | uintptr](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func orderFloat(a, b float64) int {
	switch {
	case a != a && b == b:
		return -1
	case b != b && a == a:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
