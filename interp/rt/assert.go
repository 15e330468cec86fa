package rt

import (
	"fmt"
	"go/types"
	"reflect"
)

// methodRep is the represented signature of a selected method, without the
// receiver. The caller holds w.mu.
func (w *World) methodRep(sel *types.Selection) reflect.Type {
	sig := sel.Obj().(*types.Func).Signature()
	if t, ok := sel.Type().(*types.Signature); ok {
		sig = t
	}
	return w.top(func() reflect.Type { return w.signature(sig) })
}

type ifaceKey struct {
	dyn  any // *Desc or reflect.Type
	name string
	sig  reflect.Type
}

type method struct {
	name string
	fn   reflect.Value // func(receiver, ...)
}

// TypeAssertionError is what a failed assertion to or of a cell type panics
// with; it is a runtime.Error and reads as Go's.
type TypeAssertionError struct{ Text string }

func (e *TypeAssertionError) Error() string { return e.Text }

// RuntimeError marks it as a runtime.Error.
func (*TypeAssertionError) RuntimeError() {}

// Asserter decides assertions to one type.
type Asserter struct {
	w     *World
	to    types.Type
	rep   reflect.Type
	iface *types.Interface // nil for a concrete type
	nat   bool             // the target is a compiled type
	desc  *Desc
}

// Asserter returns the assertion to t.
func (w *World) Asserter(t types.Type) *Asserter {
	a := &Asserter{w: w, to: t, rep: w.Type(t)}
	if i, ok := t.Underlying().(*types.Interface); ok {
		a.iface = i
		a.nat = a.rep != anyType
		return a
	}
	if a.nat = w.IsNative(t); !a.nat {
		a.desc = w.Desc(t)
	}
	return a
}

// Assert returns v as the target's representation.
func (a *Asserter) Assert(v any) (reflect.Value, bool) {
	if v == nil {
		return reflect.Value{}, false
	}
	d, raw := unbox(v)
	if a.iface != nil {
		return a.toInterface(v, d, raw)
	}
	if a.nat {
		if d != nil || reflect.TypeOf(raw) != a.rep {
			return reflect.Value{}, false
		}
		return reflect.ValueOf(raw), true
	}
	if d != a.desc {
		return reflect.Value{}, false
	}
	return Box{d, raw}.value(), true
}

func (a *Asserter) toInterface(v any, d *Desc, raw any) (reflect.Value, bool) {
	if d != nil {
		if !types.Implements(d.Type, a.iface) {
			return reflect.Value{}, false
		}
		rv := reflect.ValueOf(v)
		if a.nat && !rv.Type().Implements(a.rep) {
			panic(Refusal{fmt.Sprintf("a value of cell type %s cannot be used as %s by compiled code", d.Name(), a.w.TypeString(a.to))})
		}
		return rv, true
	}
	rv := reflect.ValueOf(v)
	if a.nat {
		return rv, rv.Type().Implements(a.rep)
	}
	return rv, a.w.nativeMissing(rv.Type(), a.iface) == ""
}

// nativeMissing names the first method of the interface that a compiled type
// lacks.
func (w *World) nativeMissing(t reflect.Type, i *types.Interface) string {
	for j := range i.NumMethods() {
		m := i.Method(j)
		if !m.Exported() {
			return m.Name()
		}
		rm, ok := t.MethodByName(m.Name())
		if !ok {
			return m.Name()
		}
		if !sameMethod(rm.Type, w.Type(m.Signature()), true) {
			return m.Name()
		}
	}
	return ""
}

func sameMethod(m, sig reflect.Type, recv bool) bool {
	off := 0
	if recv {
		off = 1
	}
	if m.NumIn() != sig.NumIn()+off || m.NumOut() != sig.NumOut() || m.IsVariadic() != sig.IsVariadic() {
		return false
	}
	for k := range sig.NumIn() {
		if m.In(k+off) != sig.In(k) {
			return false
		}
	}
	for k := range sig.NumOut() {
		if m.Out(k) != sig.Out(k) {
			return false
		}
	}
	return true
}

// Error explains why v is not of the target type.
func (a *Asserter) Error(v any, static types.Type) error {
	from := a.w.TypeString(static)
	to := a.w.TypeString(a.to)
	if v == nil {
		if a.iface != nil {
			return &TypeAssertionError{"interface conversion: interface is nil, not " + to}
		}
		return &TypeAssertionError{fmt.Sprintf("interface conversion: %s is nil, not %s", from, to)}
	}
	d, raw := unbox(v)
	dyn := DynamicName(v)
	if a.iface != nil {
		missing := ""
		if d != nil {
			if m, _ := types.MissingMethod(d.Type, a.iface, true); m != nil {
				missing = m.Name()
			}
		} else if missing = a.w.nativeMissing(reflect.TypeOf(raw), a.iface); missing == "" {
			missing = a.iface.Method(0).Name()
		}
		return &TypeAssertionError{fmt.Sprintf("interface conversion: %s is not %s: missing method %s", dyn, to, missing)}
	}
	if dyn == to {
		return &TypeAssertionError{fmt.Sprintf("interface conversion: %s is %s, not %s (types from different scopes)", from, dyn, to)}
	}
	return &TypeAssertionError{fmt.Sprintf("interface conversion: %s is %s, not %s", from, dyn, to)}
}

// Invoke finds the code of a method of the dynamic value in v: a function
// whose first argument is the returned receiver.
func (w *World) Invoke(v any, name string, sig reflect.Type) (recv, fn reflect.Value) {
	d, raw := unbox(v)
	if d != nil {
		return Box{d, raw}.value(), d.Func(name)
	}
	if raw == nil {
		panic(nilDeref())
	}
	rv := reflect.ValueOf(raw)
	key := ifaceKey{rv.Type(), name, sig}
	w.ifaceMu.Lock()
	defer w.ifaceMu.Unlock()
	m := w.ifaces[key]
	if m == nil {
		rm, ok := rv.Type().MethodByName(name)
		if !ok {
			panic(fmt.Sprintf("type %s has no method %s", rv.Type(), name))
		}
		m = &method{name, rm.Func}
		w.ifaces[key] = m
	}
	return rv, m.fn
}
