package lower

import (
	"go/types"
	"reflect"
	"sync"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp/rt"
)

// instance makes instances of generic functions that exist only compiled.
func (l *Lowerer) instance(fn *ssa.Function, obj *types.Func) reflect.Value {
	if obj.Pkg() == nil || len(fn.TypeArgs()) == 0 {
		return reflect.Value{}
	}
	switch obj.Pkg().Path() + "." + obj.Name() {
	case "sync.OnceValue", "sync.OnceValues":
		return once(l.world.Type(fn.Signature))
	}
	return reflect.Value{}
}

// once is sync.OnceValue for functions of this type.
func once(t reflect.Type) reflect.Value {
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		var (
			o        sync.Once
			out      []reflect.Value
			panicked bool
			value    any
		)
		call := func() {
			panicked = true
			defer func() {
				if panicked {
					value = recover()
				}
			}()
			out = in[0].Call(nil)
			panicked = false
		}
		return one(reflect.MakeFunc(t.Out(0), func([]reflect.Value) []reflect.Value {
			o.Do(call)
			if panicked {
				panic(value)
			}
			return out
		}))
	})
}

// atomicPointer makes a method of an instance of atomic.Pointer.
func (l *Lowerer) atomicPointer(fn *ssa.Function) reflect.Value {
	sig := l.world.Type(fn.Signature)
	in := []reflect.Type{l.world.Type(fn.Signature.Recv().Type())}
	for i := range sig.NumIn() {
		in = append(in, sig.In(i))
	}
	out := make([]reflect.Type, sig.NumOut())
	for i := range out {
		out[i] = sig.Out(i)
	}
	return rt.AtomicPointerMethod(fn.Name(), reflect.FuncOf(in, out, false))
}
