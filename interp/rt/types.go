// Package rt is what lowered cells stand on while they run: the
// representation of cell types in memory, the descriptors that keep their
// identity, and the compiled helpers that lowered code calls.
//
// A type is represented by a reflect.Type in which every name declared in a
// cell is erased to its underlying type and every interface with methods that
// is not a compiled type becomes the empty interface. Identity lives beside
// the value, in a Desc, and only where Go needs it: inside interfaces.
//
// Words of the engine that are at home here:
//
//   - world: the types and the control state of one session.
//   - representation: the reflect.Type that values of a type have in memory.
//   - native: of a type, compiled and known to compiled code; its own
//     representation. All other types are cell types.
//   - descriptor (Desc): the identity of a cell type, with the code of its methods.
//   - box: a value of a cell type inside an interface, with its descriptor. What it
//     looks like to compiled code depends on the methods of the type (adapters.go).
//   - border: between cells and compiled code; border.go takes boxes off there.
//   - knot: a type that contains itself. reflect cannot build one: a stand-in takes
//     the place until the circle can be closed (knot.go).
//   - frame: what runs the body of a function that defers or recovers.
//   - stale, earlier version: of a type, declared anew by a later cell.
package rt

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/tools/go/types/typeutil"
)

// World holds the types and the control state of one session.
type World struct {
	// Native gives the compiled type that a declared type stands for, nil for
	// a type of a cell.
	Native func(*types.TypeName) reflect.Type

	mu       sync.Mutex
	rtypes   typeutil.Map // types.Type -> reflect.Type
	natives  typeutil.Map // types.Type -> bool
	descs    typeutil.Map // types.Type -> *Desc
	canon    typeutil.Map // types.Type -> types.Type
	building map[*types.Named]bool
	patches  []func()
	depth    int
	fresh    int
	cut      map[reflect.Type]bool // types that contain themselves without a struct

	ifaceMu sync.Mutex
	ifaces  map[ifaceKey]*method
	Control Control

	raws          sync.Map               // address of a function value -> *rawFunc
	stale         sync.Map               // *types.TypeName -> bool: types that later cells have declared anew
	failedMarshal atomic.Pointer[string] // names the type whose MarshalJSON last gave an error to encoding/json, which knows only of a box
}

// NewWorld returns an empty world.
func NewWorld(native func(*types.TypeName) reflect.Type) *World {
	w := &World{Native: native, building: map[*types.Named]bool{}, cut: map[reflect.Type]bool{}, ifaces: map[ifaceKey]*method{}}
	w.Control.reset()
	return w
}

var (
	anyType   = reflect.TypeFor[any]()
	errorType = reflect.TypeFor[error]()
)

var basics = map[types.BasicKind]reflect.Type{
	types.Bool: reflect.TypeFor[bool](), types.Int: reflect.TypeFor[int](), types.Int8: reflect.TypeFor[int8](),
	types.Int16: reflect.TypeFor[int16](), types.Int32: reflect.TypeFor[int32](), types.Int64: reflect.TypeFor[int64](),
	types.Uint: reflect.TypeFor[uint](), types.Uint8: reflect.TypeFor[uint8](), types.Uint16: reflect.TypeFor[uint16](),
	types.Uint32: reflect.TypeFor[uint32](), types.Uint64: reflect.TypeFor[uint64](), types.Uintptr: reflect.TypeFor[uintptr](),
	types.Float32: reflect.TypeFor[float32](), types.Float64: reflect.TypeFor[float64](),
	types.Complex64: reflect.TypeFor[complex64](), types.Complex128: reflect.TypeFor[complex128](),
	types.String: reflect.TypeFor[string](), types.UntypedBool: reflect.TypeFor[bool](), types.UntypedInt: reflect.TypeFor[int](),
	types.UntypedRune: reflect.TypeFor[int32](), types.UntypedFloat: reflect.TypeFor[float64](),
	types.UntypedComplex: reflect.TypeFor[complex128](), types.UntypedString: reflect.TypeFor[string](), types.UntypedNil: anyType,
}

// Unsupported is the panic of a type that has no representation.
type Unsupported struct{ Msg string }

func (u Unsupported) Error() string { return u.Msg }

// Type returns the representation of t. It panics with Unsupported.
func (w *World) Type(t types.Type) reflect.Type {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.top(func() reflect.Type { return w.rtype(t) })
}

// top runs build and, at the outermost level, ties the knots that recursive
// types left open.
func (w *World) top(build func() reflect.Type) reflect.Type {
	w.depth++
	defer func() { w.depth-- }()
	t := build()
	if w.depth == 1 {
		for len(w.patches) > 0 {
			p := w.patches[0]
			w.patches = w.patches[1:]
			p()
		}
	}
	return t
}

func (w *World) rtype(t types.Type) reflect.Type {
	t = types.Unalias(t)
	if b, ok := t.(*types.Basic); ok {
		if rt := basics[b.Kind()]; rt != nil {
			return rt
		}
		panic(Unsupported{"unsafe.Pointer is not supported in cells"})
	}
	if rt, ok := w.rtypes.At(t).(reflect.Type); ok {
		return rt
	}
	rt := w.build(t)
	if old, ok := w.rtypes.At(t).(reflect.Type); ok {
		return old // registered while it was built: the head of a recursive type
	}
	w.rtypes.Set(t, rt)
	return rt
}

func (w *World) build(t types.Type) reflect.Type {
	switch t := t.(type) {
	case *types.Named:
		return w.named(t)
	case *types.Pointer:
		return reflect.PointerTo(w.rtype(t.Elem()))
	case *types.Slice:
		return reflect.SliceOf(w.rtype(t.Elem()))
	case *types.Array:
		if t.Len() > 1<<31 {
			panic(Unsupported{fmt.Sprintf("array of %d elements is too large", t.Len())})
		}
		return reflect.ArrayOf(int(t.Len()), w.rtype(t.Elem()))
	case *types.Map:
		return reflect.MapOf(w.rtype(t.Key()), w.rtype(t.Elem()))
	case *types.Chan:
		return reflect.ChanOf(chanDir(t), w.rtype(t.Elem()))
	case *types.Signature:
		return w.signature(t)
	case *types.Struct:
		return w.structure(nil, t)
	case *types.Interface:
		return anyType
	case *types.Tuple:
		panic(Unsupported{"tuple has no single representation"})
	}
	panic(Unsupported{fmt.Sprintf("type %s is not supported in cells", t)})
}

func chanDir(t *types.Chan) reflect.ChanDir {
	switch t.Dir() {
	case types.SendOnly:
		return reflect.SendDir
	case types.RecvOnly:
		return reflect.RecvDir
	}
	return reflect.BothDir
}

func (w *World) signature(t *types.Signature) reflect.Type {
	in := make([]reflect.Type, t.Params().Len())
	for i := range in {
		in[i] = w.rtype(t.Params().At(i).Type())
	}
	out := make([]reflect.Type, t.Results().Len())
	for i := range out {
		out[i] = w.rtype(t.Results().At(i).Type())
	}
	return reflect.FuncOf(in, out, t.Variadic())
}

func (w *World) named(t *types.Named) reflect.Type {
	if rt := w.nativeNamed(t); rt != nil {
		return rt
	}
	if IsAtomicPointer(t) {
		return reflect.TypeFor[AtomicPointer]()
	}
	if w.building[t] {
		panic(Unsupported{fmt.Sprintf("recursive type %s is not supported in cells", t)})
	}
	switch u := t.Underlying().(type) {
	case *types.Interface:
		return anyType
	case *types.Struct:
		if w.reaches(u, t) {
			w.building[t] = true
			defer delete(w.building, t)
			return w.structure(t, u)
		}
		return w.rtype(u)
	default:
		if w.reaches(u, t) {
			w.building[t] = true
			defer delete(w.building, t)
			return w.knot(t, u)
		}
		return w.rtype(u)
	}
}

// nativeNamed returns the compiled type that t names, nil for cell types.
func (w *World) nativeNamed(t *types.Named) reflect.Type {
	if b, ok := t.Underlying().(*types.Basic); ok && b.Kind() == types.UnsafePointer && t.Obj().Name() == "deferStack" {
		return reflect.TypeFor[*Frame]() // a type of go/ssa
	}
	if t.Obj().Pkg() == nil {
		if t.Obj().Name() == "error" {
			return errorType
		}
		return anyType // comparable
	}
	if t.TypeArgs().Len() > 0 || w.Native == nil {
		return nil
	}
	return w.Native(t.Obj())
}

// structure represents a struct. With name set, the struct contains itself
// through pointers: the fields that lead back get stand-ins of the same layout
// that are exchanged once the type exists.
func (w *World) structure(name *types.Named, t *types.Struct) reflect.Type {
	exact := w.nativeStruct(t)
	fields := make([]reflect.StructField, t.NumFields())
	taken := map[string]bool{}
	var late []int
	for i := range fields {
		f := t.Field(i)
		n := f.Name()
		if !token.IsExported(n) {
			n = "X" + strings.TrimLeft(n, "_")
			if f.Name() == "_" {
				n = fmt.Sprintf("Blank%d", i)
			}
		}
		for taken[n] {
			n += fmt.Sprint(i)
		}
		taken[n] = true
		fields[i] = reflect.StructField{Name: n}
		if exact {
			fields[i].Tag = reflect.StructTag(t.Tag(i))
			fields[i].Anonymous = f.Embedded()
		}
		if len(w.building) > 0 && w.open(f.Type()) {
			if s := w.standIn(f.Type()); s != nil {
				fields[i].Type = s
				late = append(late, i)
				continue
			}
		}
		fields[i].Type = w.rtype(f.Type())
	}
	rt := structOf(fields)
	if name != nil {
		w.rtypes.Set(name, rt)
		delete(w.building, name)
	}
	if len(late) > 0 {
		w.rtypes.Set(t, rt)
	}
	for _, i := range late {
		w.patches = append(w.patches, func() { setField(rt, i, w.rtype(t.Field(i).Type())) })
	}
	return rt
}

func structOf(fields []reflect.StructField) (rt reflect.Type) {
	defer func() {
		// reflect refuses some embedded types; embedding is erased anyway.
		if recover() != nil {
			for i := range fields {
				fields[i].Anonymous = false
			}
			rt = reflect.StructOf(fields)
		}
	}()
	return reflect.StructOf(fields)
}

// knot represents a type that contains itself without a struct between, such
// as type L []L.
func (w *World) knot(name *types.Named, u types.Type) reflect.Type {
	var parts []types.Type
	switch u := u.(type) {
	case *types.Slice:
		parts = []types.Type{u.Elem()}
	case *types.Pointer:
		parts = []types.Type{u.Elem()}
	case *types.Chan:
		parts = []types.Type{u.Elem()}
	case *types.Map:
		parts = []types.Type{u.Elem()}
	case *types.Signature:
		for v := range u.Params().Variables() {
			parts = append(parts, v.Type())
		}
		for v := range u.Results().Variables() {
			parts = append(parts, v.Type())
		}
	default:
		panic(Unsupported{fmt.Sprintf("recursive type %s is not supported in cells", name)})
	}
	reps := make([]reflect.Type, len(parts))
	var late []int
	for i, p := range parts {
		if w.open(p) {
			if s := w.standIn(p); s != nil {
				reps[i] = s
				late = append(late, i)
				continue
			}
		}
		reps[i] = w.rtype(p)
	}
	var rt reflect.Type
	switch u := u.(type) {
	case *types.Slice:
		rt = reflect.SliceOf(reps[0])
	case *types.Pointer:
		rt = reflect.PointerTo(reps[0])
	case *types.Chan:
		rt = reflect.ChanOf(chanDir(u), reps[0])
	case *types.Map:
		rt = reflect.MapOf(w.rtype(u.Key()), reps[0])
	case *types.Signature:
		n := u.Params().Len()
		rt = reflect.FuncOf(reps[:n:n], reps[n:], u.Variadic())
	}
	w.rtypes.Set(name, rt)
	w.rtypes.Set(u, rt)
	delete(w.building, name)
	w.cut[rt] = true
	for _, i := range late {
		w.patches = append(w.patches, func() { setPart(rt, i, w.rtype(parts[i])) })
	}
	return rt
}

// Opaque reports whether rt cannot be written out as source text because it
// contains itself.
func (w *World) Opaque(rt reflect.Type) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut[rt]
}

// standIn returns a type of the same layout and comparability as the
// representation of t, never seen before, or nil when t holds the recursion
// by value.
func (w *World) standIn(t types.Type) reflect.Type {
	w.fresh++
	mark := reflect.StructOf([]reflect.StructField{{Name: fmt.Sprintf("Mark%p_%d", w, w.fresh), Type: basics[types.Int]}})
	switch types.Unalias(t).Underlying().(type) {
	case *types.Pointer:
		return reflect.PointerTo(mark)
	case *types.Slice:
		return reflect.SliceOf(mark)
	case *types.Map:
		return reflect.MapOf(basics[types.Int], mark)
	case *types.Chan:
		return reflect.ChanOf(reflect.BothDir, mark)
	case *types.Signature:
		return reflect.FuncOf([]reflect.Type{mark}, nil, false)
	}
	return nil
}

// open reports whether t leads to a type whose representation has begun but
// does not exist yet.
func (w *World) open(t types.Type) bool {
	return reach(t, map[types.Type]bool{}, w.isNative, func(n *types.Named) bool { return w.building[n] })
}

func (w *World) reaches(t types.Type, goal *types.Named) bool {
	return reach(t, map[types.Type]bool{}, w.isNative, func(n *types.Named) bool { return types.Identical(n, goal) })
}

func (w *World) isNative(n *types.Named) bool { return w.nativeNamed(n) != nil }

func reach(t types.Type, seen map[types.Type]bool, native func(*types.Named) bool, goal func(*types.Named) bool) bool {
	t = types.Unalias(t)
	if seen[t] {
		return false
	}
	seen[t] = true
	sub := func(t types.Type) bool { return reach(t, seen, native, goal) }
	switch t := t.(type) {
	case *types.Named:
		if native(t) {
			return false
		}
		return goal(t) || sub(t.Underlying())
	case *types.Pointer:
		return sub(t.Elem())
	case *types.Slice:
		return sub(t.Elem())
	case *types.Array:
		return sub(t.Elem())
	case *types.Chan:
		return sub(t.Elem())
	case *types.Map:
		return sub(t.Key()) || sub(t.Elem())
	case *types.Struct:
		for i := range t.NumFields() {
			if sub(t.Field(i).Type()) {
				return true
			}
		}
	case *types.Signature:
		for _, tup := range []*types.Tuple{t.Params(), t.Results()} {
			for v := range tup.Variables() {
				if sub(v.Type()) {
					return true
				}
			}
		}
	}
	return false
}

// IsNative reports whether the representation of t is t itself, so that
// compiled code may see its values as they are.
func (w *World) IsNative(t types.Type) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b, ok := w.natives.At(t).(bool); ok {
		return b
	}
	b := !reach(t, map[types.Type]bool{}, w.isNative, func(*types.Named) bool { return true }) && w.exact(t)
	w.natives.Set(t, b)
	return b
}

// exact reports whether no unnamed struct or interface inside t, which holds
// no cell type, is changed by its representation.
func (w *World) exact(t types.Type) bool {
	switch t := types.Unalias(t).(type) {
	case *types.Pointer:
		return w.exact(t.Elem())
	case *types.Slice:
		return w.exact(t.Elem())
	case *types.Array:
		return w.exact(t.Elem())
	case *types.Chan:
		return w.exact(t.Elem())
	case *types.Map:
		return w.exact(t.Key()) && w.exact(t.Elem())
	case *types.Struct:
		return w.nativeStruct(t)
	case *types.Interface:
		return t.NumMethods() == 0
	case *types.Signature:
		for _, tup := range []*types.Tuple{t.Params(), t.Results()} {
			for v := range tup.Variables() {
				if !w.exact(v.Type()) {
					return false
				}
			}
		}
	case *types.Named:
		return t.TypeArgs().Len() == 0
	}
	return true
}

func (w *World) nativeStruct(t *types.Struct) bool {
	for i := range t.NumFields() {
		f := t.Field(i)
		if !f.Exported() || f.Embedded() {
			return false
		}
		if reach(f.Type(), map[types.Type]bool{}, w.isNative, func(*types.Named) bool { return true }) || !w.exact(f.Type()) {
			return false
		}
	}
	return true
}

// FieldName is the name of field i in the representation of a struct.
func (w *World) FieldName(t types.Type, i int) string {
	return w.Type(t).Field(i).Name
}

// Canon returns one representative of all types identical to t.
func (w *World) Canon(t types.Type) types.Type {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.canon.At(t).(types.Type); ok {
		return c
	}
	w.canon.Set(t, t)
	return t
}
