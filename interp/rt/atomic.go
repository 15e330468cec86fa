package rt

import (
	"go/types"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// AtomicPointer represents atomic.Pointer of any type.
type AtomicPointer struct{ p unsafe.Pointer }

// IsAtomicPointer reports whether t is an instance of atomic.Pointer.
func IsAtomicPointer(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.TypeArgs().Len() == 1 && n.Obj().Name() == "Pointer" && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "sync/atomic"
}

// AtomicPointerMethod makes a method, receiver first, of this type.
func AtomicPointerMethod(name string, t reflect.Type) reflect.Value {
	arg := func(v reflect.Value) unsafe.Pointer { return v.UnsafePointer() }
	result := func(p unsafe.Pointer) []reflect.Value { return []reflect.Value{reflect.NewAt(t.Out(0).Elem(), p)} }
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		if in[0].IsNil() {
			panic(nilDeref())
		}
		a := &in[0].Interface().(*AtomicPointer).p
		switch name {
		case "Load":
			return result(atomic.LoadPointer(a))
		case "Store":
			atomic.StorePointer(a, arg(in[1]))
			return nil
		case "Swap":
			return result(atomic.SwapPointer(a, arg(in[1])))
		}
		return []reflect.Value{reflect.ValueOf(atomic.CompareAndSwapPointer(a, arg(in[1]), arg(in[2])))}
	})
}
