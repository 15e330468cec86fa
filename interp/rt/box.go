package rt

import (
	"fmt"
	"go/types"
	"maps"
	"reflect"
	"sync"
)

// Desc is the identity of a cell type: there is one for each type.
type Desc struct {
	W    *World
	Type types.Type
	Rep  reflect.Type

	mu      sync.Mutex
	methods map[string]reflect.Value // func(receiver, arguments...)
	set     *types.MethodSet
	wrap    func(Box) any
	// Lower makes the code of all methods available.
	Load func(d *Desc) error
}

// Box is a value of a cell type inside an interface. It is comparable exactly
// when the value is, so == and map keys hold.
type Box struct {
	D *Desc
	V any
}

// Boxed is what every form of box implements.
type Boxed interface{ Unbox() Box }

// Unbox returns the box itself.
func (b Box) Unbox() Box { return b }

// Desc returns the descriptor of t.
func (w *World) Desc(t types.Type) *Desc {
	rep := w.Type(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, ok := w.descs.At(t).(*Desc); ok {
		return d
	}
	d := &Desc{W: w, Type: t, Rep: rep, methods: map[string]reflect.Value{}, set: types.NewMethodSet(t)}
	d.wrap = wrapperFor(d)
	w.descs.Set(t, d)
	return d
}

// Name is the type as Go prints it.
func (d *Desc) Name() string { return d.W.TypeString(d.Type) }

// Replace makes a type one of an earlier version.
func (w *World) Replace(t *types.TypeName) { w.stale.Store(t, true) }

// Stale reports whether t is, or is made of, a type that was declared anew.
func (w *World) Stale(t types.Type) bool {
	return reach(t, map[types.Type]bool{}, func(*types.Named) bool { return false }, func(n *types.Named) bool { return w.isStale(n.Obj()) })
}

func (w *World) isStale(t *types.TypeName) bool {
	_, old := w.stale.Load(t)
	return old
}

// Has reports whether the method set holds a method of this name.
func (d *Desc) Has(name string) bool {
	return d.method(name) != nil
}

func (d *Desc) method(name string) *types.Selection {
	for i := range d.set.Len() {
		if s := d.set.At(i); s.Obj().Name() == name {
			return s
		}
	}
	return nil
}

// SetMethod installs the code of a method; a later call replaces it.
func (d *Desc) SetMethod(name string, fn reflect.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.methods[name] = fn
}

// Methods returns the code of all methods by name.
func (d *Desc) Methods() map[string]reflect.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.methods)
}

// Func returns the code of a method.
func (d *Desc) Func(name string) reflect.Value {
	d.mu.Lock()
	fn, ok := d.methods[name]
	d.mu.Unlock()
	if !ok {
		panic(fmt.Sprintf("method %s.%s has no code", d.Name(), name))
	}
	return fn
}

// call invokes a method of the boxed value.
func (b Box) call(name string, args ...any) []reflect.Value {
	fn := b.D.Func(name)
	in := make([]reflect.Value, 1, len(args)+1)
	in[0] = b.value()
	t := fn.Type()
	for i, a := range args {
		v := reflect.ValueOf(a)
		if !v.IsValid() {
			v = reflect.Zero(t.In(i + 1))
		}
		in = append(in, v)
	}
	return fn.Call(in)
}

func (b Box) value() reflect.Value {
	v := reflect.ValueOf(b.V)
	if !v.IsValid() {
		return reflect.Zero(b.D.Rep)
	}
	return v
}

// ToAny puts v, a value of type t, into an interface.
func (w *World) ToAny(t types.Type, v reflect.Value) any {
	if types.IsInterface(t) || w.IsNative(t) {
		return v.Interface()
	}
	return w.Desc(t).Box(v.Interface())
}

// Box puts a represented value into an interface.
func (d *Desc) Box(v any) any { return d.wrap(Box{d, v}) }

// unbox splits the dynamic value of an interface: d is nil for compiled types.
func unbox(v any) (d *Desc, raw any) {
	if b, ok := v.(Boxed); ok {
		x := b.Unbox()
		return x.D, x.V
	}
	return nil, v
}

// Dynamic returns the descriptor (nil for compiled types) and the represented
// value inside an interface.
func Dynamic(v any) (*Desc, reflect.Value) {
	d, raw := unbox(v)
	if d == nil {
		return nil, reflect.ValueOf(raw)
	}
	return d, Box{d, raw}.value()
}

// DynamicName is the type of the value in an interface as Go prints it.
func DynamicName(v any) string {
	d, raw := unbox(v)
	switch {
	case d != nil:
		return d.Name()
	case raw == nil:
		return "<nil>"
	}
	return reflect.TypeOf(raw).String()
}
