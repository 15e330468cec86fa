package rt

import (
	"reflect"
	"unsafe"
)

// reflect cannot build a type that contains itself. These functions close the
// circle by exchanging one component of a type that reflect has just built and
// nothing has used yet. The layouts are those of internal/abi, checked by a
// test; stand-ins have the size, alignment, pointers and comparability of what
// replaces them, so nothing else in the type changes.

type abiType struct {
	size, ptrBytes      uintptr
	hash                uint32
	tflag               uint8
	align, falign, kind uint8
	equal               func(unsafe.Pointer, unsafe.Pointer) bool
	gcdata              *byte
	str, ptrToThis      int32
}

type abiField struct {
	_   unsafe.Pointer // name
	typ unsafe.Pointer
	_   uintptr // offset
}

type abiStruct struct {
	abiType
	pkgPath unsafe.Pointer
	fields  []abiField
}

type abiElem struct { // pointer, slice, chan
	abiType
	elem unsafe.Pointer
}

type abiMap struct {
	abiType
	key, elem unsafe.Pointer
}

type abiFunc struct {
	abiType
	in, out uint16
}

const tflagUncommon = 1

// word is the pointer inside a reflect.Type.
func word(t reflect.Type) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&t))[1]
}

func setField(st reflect.Type, i int, to reflect.Type) {
	(*abiStruct)(word(st)).fields[i].typ = word(to)
}

func setPart(t reflect.Type, i int, to reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Chan:
		(*abiElem)(word(t)).elem = word(to)
	case reflect.Map:
		(*abiMap)(word(t)).elem = word(to)
	case reflect.Func:
		f := (*abiFunc)(word(t))
		off := unsafe.Sizeof(*f)
		if f.tflag&tflagUncommon != 0 {
			off += 16
		}
		n := int(f.in) + int(f.out&0x7fff)
		unsafe.Slice((*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(f), off)), n)[i] = word(to)
	}
}
