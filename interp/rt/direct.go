package rt

import (
	"reflect"
	"runtime"
	"weak"
)

// A function that recovers has a hidden first parameter, the frame whose panic
// it may stop. As a value it has not: Plain hides the parameter. A defer of
// such a value must still hand over its frame, so the form with the parameter
// is found again by the identity of the value, in World.raws.

type rawFunc struct {
	value weak.Pointer[byte] // tells the value from a later one at its address
	raw   reflect.Value
}

// closureOf is the object that a function value points at.
func closureOf(f reflect.Value) *byte {
	p := reflect.New(f.Type())
	p.Elem().Set(f)
	return *(**byte)(p.UnsafePointer())
}

// Plain returns a function of type t that calls raw without a frame: recover
// in it finds nothing unless the function itself is deferred.
func (w *World) Plain(raw reflect.Value, t reflect.Type) reflect.Value {
	f := withFrame(raw, t, nil)
	p := closureOf(f)
	key := reflect.ValueOf(p).Pointer()
	r := &rawFunc{weak.Make(p), raw}
	w.raws.Store(key, r)
	runtime.AddCleanup(p, func(k uintptr) { w.raws.CompareAndDelete(k, r) }, key)
	return f
}

// Direct returns the function that a defer of f in frame calls.
func (w *World) Direct(frame *Frame, f reflect.Value) reflect.Value {
	if f.IsNil() {
		return f
	}
	p := closureOf(f)
	if r, ok := w.raws.Load(reflect.ValueOf(p).Pointer()); ok && r.(*rawFunc).value == weak.Make(p) {
		return withFrame(r.(*rawFunc).raw, f.Type(), frame)
	}
	return f
}

func withFrame(raw reflect.Value, t reflect.Type, frame *Frame) reflect.Value {
	first := reflect.ValueOf(frame)
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		in = append([]reflect.Value{first}, in...)
		if t.IsVariadic() {
			return raw.CallSlice(in)
		}
		return raw.Call(in)
	})
}
