// Package lower turns the SSA form of cells into the small Go that yaegi
// executes soundly: functions without methods, generics, interfaces with
// methods, defer, range or select; erased types; blocks joined by goto; faults
// checked before they can happen; everything else a call of a compiled helper.
//
// The SSA is the naive form, in which variables of the source are variables
// still, so the printed code is close to what was written and runs as fast.
//
// Words that the files of this package share (those of the representation are
// explained in package rt):
//
//   - chunk: what one Lower printed, with the compiled values it names under x.
//   - helper: a compiled function with the types that a piece of code needs, made by
//     reflect and named in x.
//   - place: what a pointer points at, as an expression that has an address.
//   - atom: a name or constant that can be written twice.
//   - hold: to evaluate an expression into a variable, where it cannot wait for its
//     use.
//   - framed: of a function, run by a compiled frame because it defers or recovers.
//   - follow: of function values, to go on with the function that a later cell
//     declares in place of theirs, which they reach through a variable.
//   - generation: all that is printed in one of two modes, with or without calls for
//     a debugger; functions of each kind are printed once.
//   - silent: of a package, without a record of positions: faults are its callers'.
package lower

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp/rt"
)

// Refusal says that code cannot be lowered, and where.
type Refusal struct {
	Pos token.Pos
	Msg string
}

func (r *Refusal) Error() string { return r.Msg }

// Hooks is what a Lowerer asks of its session.
type Hooks interface {
	// Native gives the compiled value of a function, and the address of a
	// variable, of an importable package; the zero Value if there is none.
	Native(obj types.Object) reflect.Value
	// Method gives what stands in for a compiled method, receiver first; the
	// zero Value where the method itself will do.
	Method(m *types.Func) reflect.Value
	// Refuse says why a call of a compiled function is not possible, "" if it is.
	Refuse(fn *ssa.Function, call ssa.Instruction) string
	// Followed reports whether a later cell may declare a function anew.
	Followed(fn *ssa.Function) bool
	// Silent reports whether the code of a package records no positions.
	Silent(pkg *ssa.Package) bool
}

// Lowerer lowers the functions of one session. Names once given stay.
type Lowerer struct {
	world *rt.World
	prog  *ssa.Program
	hooks Hooks

	next    int
	funcs   map[*ssa.Function]*function
	globals map[*ssa.Global]string
	syms    map[any]string
	tnames  map[reflect.Type]string
	methods map[*rt.Desc]bool
	names   map[string]*ssa.Function // lowered name -> function, for tracebacks
	vars    map[*ssa.Function]string // the variable through which closures reach a function
	framed  map[*ssa.Function]bool   // whose bodies run in a compiled frame

	successors [][2]*ssa.Function

	c     *Chunk
	queue []*ssa.Function
	inits []string
	undo  []func()

	debug    *Debug                 // set while code says where it is
	other    *generation            // what was lowered in the other mode
	moved    bool                   // the other mode was left after the last Lower
	replaced map[*ssa.Function]bool // by successors
	bound    map[*ssa.Global]reflect.Value
}

type function struct {
	name    string
	byAddr  []bool
	recover bool // has a hidden first parameter *x.Frame
	framed  bool // runs in a compiled frame
}

// Chunk is lowered source with the compiled symbols it needs under package x.
type Chunk struct {
	Source  string
	Symbols map[string]reflect.Value
	Entry   string
	Globals map[string]*ssa.Global
	out     strings.Builder
}

// New returns a Lowerer for prog.
func New(w *rt.World, prog *ssa.Program, hooks Hooks) *Lowerer {
	return &Lowerer{
		world: w, prog: prog, hooks: hooks,
		funcs: map[*ssa.Function]*function{}, globals: map[*ssa.Global]string{}, syms: map[any]string{},
		tnames: map[reflect.Type]string{}, methods: map[*rt.Desc]bool{}, names: map[string]*ssa.Function{},
		vars:   map[*ssa.Function]string{},
		framed: map[*ssa.Function]bool{},
		bound:  map[*ssa.Global]reflect.Value{}, replaced: map[*ssa.Function]bool{},
	}
}

// FuncOf returns the function that a lowered name stands for, nil if none.
func (l *Lowerer) FuncOf(name string) *ssa.Function { return l.names[name] }

// Framed reports whether the body of fn is a literal of its own in the lowered
// form, run by a compiled frame.
func (l *Lowerer) Framed(fn *ssa.Function) bool { return l.framed[fn] }

// Lower lowers fn and all that it reaches and that was not lowered before. If
// it refuses, the Lowerer is as before.
func (l *Lowerer) Lower(fn *ssa.Function) (c *Chunk, err error) {
	l.c = &Chunk{Symbols: map[string]reflect.Value{}, Globals: map[string]*ssa.Global{}}
	l.queue, l.inits, l.undo = nil, nil, nil
	var at token.Pos = fn.Pos()
	defer func() {
		if r := recover(); r != nil {
			for i := len(l.undo) - 1; i >= 0; i-- {
				l.undo[i]()
			}
			c = nil
			switch r := r.(type) {
			case *Refusal:
				err = r
			case rt.Unsupported:
				err = &Refusal{at, r.Msg}
			default:
				panic(r)
			}
		}
	}()
	entry := l.function(fn).name
	l.move()
	l.follow()
	for len(l.queue) > 0 {
		f := l.queue[0]
		l.queue = l.queue[1:]
		at = f.Pos()
		l.emit(f)
	}
	c = l.c
	c.Entry = entry
	var src strings.Builder
	src.WriteString("package main\n")
	src.WriteString(c.out.String())
	if len(l.inits) > 0 {
		src.WriteString("func init() {\n" + strings.Join(l.inits, "\n") + "\n}\n")
	}
	c.Source = src.String()
	return c, nil
}

func refuse(pos token.Pos, format string, args ...any) {
	panic(&Refusal{pos, fmt.Sprintf(format, args...)})
}

func (l *Lowerer) fresh(prefix string) string {
	l.next++
	return fmt.Sprintf("%s%d", prefix, l.next)
}

// sym names a compiled value in package x; equal keys share a name.
func (l *Lowerer) sym(prefix string, key any, value func() reflect.Value) string {
	if n, ok := l.syms[key]; ok {
		return "x." + n
	}
	v := value()
	n := l.fresh(prefix)
	l.syms[key] = n
	l.c.Symbols[n] = v
	l.undo = append(l.undo, func() { delete(l.syms, key) })
	return "x." + n
}

// function names the lowered form of fn and queues it for lowering.
func (l *Lowerer) function(fn *ssa.Function) *function {
	if f := l.funcs[fn]; f != nil {
		return f
	}
	f := &function{name: l.fresh("F"), recover: recovers(fn)}
	for _, p := range fn.Params {
		f.byAddr = append(f.byAddr, losesZero(l.world.Type(p.Type())))
	}
	l.funcs[fn] = f
	l.names[f.name] = fn
	l.undo = append(l.undo, func() { delete(l.funcs, fn); delete(l.names, f.name) })
	l.queue = append(l.queue, fn)
	return f
}

// wraps reports whether fn is a method value or the like, which stands for the
// method it calls: what is deferred is that method.
func wraps(fn *ssa.Function) bool {
	return strings.HasPrefix(fn.Synthetic, "bound method wrapper") || strings.HasPrefix(fn.Synthetic, "wrapper for") || strings.HasPrefix(fn.Synthetic, "thunk for")
}

// recovers reports whether fn calls recover itself.
func recovers(fn *ssa.Function) bool {
	if wraps(fn) {
		return wrapsRecovering(fn)
	}
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if c, ok := in.(ssa.CallInstruction); ok {
				if bi, ok := c.Common().Value.(*ssa.Builtin); ok && bi.Name() == "recover" {
					return true
				}
			}
		}
	}
	return false
}

// wrapsRecovering is recovers for what wraps a method; one of an interface may.
func wrapsRecovering(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if c, ok := in.(*ssa.Call); ok {
				if callee, ok := c.Call.Value.(*ssa.Function); ok && recovers(callee) || c.Call.IsInvoke() {
					return true
				}
			}
		}
	}
	return false
}

// losesZero reports whether yaegi may drop an argument of this type because
// its value is zero although a negative zero is not: such arguments go by
// address.
func losesZero(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	case reflect.Array:
		return losesZero(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if losesZero(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// typ is the source text of the representation of t.
func (l *Lowerer) typ(t types.Type) string { return l.text(l.world.Type(t)) }

func (l *Lowerer) text(t reflect.Type) string {
	if s, ok := l.tnames[t]; ok {
		return s
	}
	s := l.spell(t)
	l.tnames[t] = s
	l.undo = append(l.undo, func() { delete(l.tnames, t) })
	return s
}

func (l *Lowerer) spell(t reflect.Type) string {
	if t.PkgPath() == "" && t.Name() != "" && t.Kind() != reflect.Interface {
		return t.Name()
	}
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 && t.Name() == "" {
		return "interface{}"
	}
	if t.Name() != "" || l.world.Opaque(t) {
		return l.typeSym(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + l.text(t.Elem())
	case reflect.Slice:
		return "[]" + l.text(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), l.text(t.Elem()))
	case reflect.Map:
		return "map[" + l.text(t.Key()) + "]" + l.text(t.Elem())
	case reflect.Func:
		return "func" + l.signature(t)
	}
	return l.typeSym(t)
}

func (l *Lowerer) typeSym(t reflect.Type) string {
	return l.sym("T", t, func() reflect.Value { return reflect.Zero(reflect.PointerTo(t)) })
}

func (l *Lowerer) signature(t reflect.Type) string {
	in := make([]string, t.NumIn())
	for i := range in {
		if t.IsVariadic() && i == len(in)-1 {
			in[i] = "..." + l.text(t.In(i).Elem())
			continue
		}
		in[i] = l.text(t.In(i))
	}
	out := make([]string, t.NumOut())
	for i := range out {
		out[i] = l.text(t.Out(i))
	}
	s := "(" + strings.Join(in, ", ") + ")"
	if len(out) > 0 {
		s += " (" + strings.Join(out, ", ") + ")"
	}
	return s
}

// global names the storage of a variable.
func (l *Lowerer) global(g *ssa.Global) (place string) {
	if n, ok := l.globals[g]; ok {
		return n
	}
	v, ok := l.bound[g]
	if !ok {
		v = l.hooks.Native(g.Object())
	}
	if v.IsValid() {
		n := "(*" + l.sym("P", g, func() reflect.Value { return v }) + ")"
		l.globals[g] = n
		l.undo = append(l.undo, func() { delete(l.globals, g) })
		return n
	}
	n := l.fresh("G")
	fmt.Fprintf(&l.c.out, "var %s %s\n", n, l.typ(g.Type().(*types.Pointer).Elem()))
	l.globals[g] = n
	l.c.Globals[n] = g
	l.inits = append(l.inits, fmt.Sprintf("x.RegG(%q, &%s)", n, n))
	l.undo = append(l.undo, func() { delete(l.globals, g) })
	return n
}

// GlobalName is the lowered name of a variable, "" if it has none yet.
func (l *Lowerer) GlobalName(g *ssa.Global) string { return l.globals[g] }

// desc names the descriptor of a cell type and makes sure that its methods
// have code.
func (l *Lowerer) desc(t types.Type) string {
	d := l.world.Desc(t)
	n := l.sym("D", d, func() reflect.Value { return reflect.ValueOf(d) })
	l.load(d, n)
	return n
}

func (l *Lowerer) load(d *rt.Desc, name string) {
	if l.methods[d] {
		return
	}
	l.methods[d] = true
	l.undo = append(l.undo, func() { delete(l.methods, d) })
	// Printing and encoding reach the methods of what a value is made of.
	for _, part := range rt.Parts(d.Type) {
		if !l.world.IsNative(part) && !types.IsInterface(part) {
			l.desc(part)
		}
	}
	if ptr := types.NewPointer(d.Type); !isPointer(d.Type) && addressed(ptr) {
		l.desc(ptr)
	}
	set := l.prog.MethodSets.MethodSet(d.Type)
	for i := range set.Len() {
		sel := set.At(i)
		fn := l.prog.MethodValue(sel)
		if fn == nil {
			continue
		}
		l.inits = append(l.inits, fmt.Sprintf("x.RegM(%s, %q, %s)", name, sel.Obj().Name(), l.methodValue(fn)))
	}
}

// addressed reports whether encoders call methods through a value's address.
func addressed(ptr *types.Pointer) bool {
	if _, ok := types.Unalias(ptr.Elem()).(*types.Named); !ok {
		return false
	}
	set := types.NewMethodSet(ptr)
	for i := range set.Len() {
		if slices.Contains(rt.JSONMethods, set.At(i).Obj().Name()) {
			return true
		}
	}
	return false
}

// funcValue is an expression for fn as a function value.
func (l *Lowerer) funcValue(fn *ssa.Function) string {
	if fn.Blocks == nil {
		return l.nativeFunc(fn)
	}
	f := l.function(fn)
	in := make([]string, len(fn.Params))
	args := make([]string, 0, len(fn.Params)+1)
	if f.recover {
		args = append(args, "rf")
	}
	for i, p := range fn.Params {
		name := fmt.Sprintf("a%d", i)
		t := l.typ(p.Type())
		if fn.Signature.Variadic() && i == len(in)-1 {
			t = "..." + l.text(l.world.Type(p.Type()).Elem())
		}
		in[i] = name + " " + t
		if f.byAddr[i] {
			name = "&" + name
		}
		args = append(args, name)
	}
	results, ret := l.results(fn.Signature), ""
	if results != "" {
		ret = "return "
	}
	text := fmt.Sprintf("%s { %s%s(%s) }", results, ret, l.via(fn), strings.Join(args, ", "))
	if !f.recover {
		return "func(" + strings.Join(in, ", ") + ")" + text
	}
	return l.plainFunc(l.valueType(fn)) + "(func(" + strings.Join(append([]string{"rf *x.Frame"}, in...), ", ") + ")" + text + ")"
}

// valueType represents fn as a value, the receiver its first parameter.
func (l *Lowerer) valueType(fn *ssa.Function) reflect.Type {
	in := make([]reflect.Type, len(fn.Params))
	for i, p := range fn.Params {
		in[i] = l.world.Type(p.Type())
	}
	out := make([]reflect.Type, fn.Signature.Results().Len())
	for i := range out {
		out[i] = l.world.Type(fn.Signature.Results().At(i).Type())
	}
	return reflect.FuncOf(in, out, fn.Signature.Variadic())
}

// methodValue is funcValue for a descriptor, which takes the function itself
// if its lowered form has the same parameters.
func (l *Lowerer) methodValue(fn *ssa.Function) string {
	if fn.Blocks != nil && !fn.Signature.Variadic() {
		if f := l.function(fn); !f.recover && !slices.Contains(f.byAddr, true) {
			return f.name
		}
	}
	return l.funcValue(fn)
}

func (l *Lowerer) nilFrame() string { return "x.NoFrame" }

func (l *Lowerer) results(sig *types.Signature) string {
	if sig.Results().Len() == 0 {
		return ""
	}
	out := make([]string, sig.Results().Len())
	for i := range out {
		out[i] = l.typ(sig.Results().At(i).Type())
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// nativeFunc names a compiled function or method, receiver first.
func (l *Lowerer) nativeFunc(fn *ssa.Function) string {
	obj, _ := fn.Object().(*types.Func)
	if obj == nil {
		refuse(fn.Pos(), "%s has no body", fn)
	}
	if recv := fn.Signature.Recv(); recv != nil && rt.IsAtomicPointer(deref(recv.Type())) {
		return l.sym("M", fn, func() reflect.Value { return l.atomicPointer(fn) })
	}
	if recv := obj.Signature().Recv(); recv != nil {
		rep := l.world.Type(recv.Type())
		m, ok := rep.MethodByName(obj.Name())
		if !ok {
			refuse(fn.Pos(), "method %s cannot be called from a cell", fn)
		}
		if v := l.hooks.Method(obj); v.IsValid() {
			return l.sym("M", fn, func() reflect.Value { return v })
		}
		return l.sym("M", fn, func() reflect.Value { return m.Func })
	}
	if f := l.instance(fn, obj); f.IsValid() {
		return l.sym("N", fn, func() reflect.Value { return f })
	}
	v := l.hooks.Native(obj)
	if !v.IsValid() {
		refuse(fn.Pos(), "%s cannot be called from a cell", fn)
	}
	return l.sym("N", fn, func() reflect.Value { return v })
}

// Alias makes a variable another name for an older one.
func (l *Lowerer) Alias(alias, old *ssa.Global) {
	if n, ok := l.globals[old]; ok {
		l.globals[alias] = n
	}
}

// Discard undoes the last Lower after its chunk failed to load.
func (l *Lowerer) Discard() {
	for i := len(l.undo) - 1; i >= 0; i-- {
		l.undo[i]()
	}
	l.undo = nil
}
