package rt

import (
	"errors"
	"fmt"
	"go/types"
	"reflect"
	"runtime"
	"strings"
)

// The functions here raise the very errors that the Go runtime raises, by
// committing the fault in compiled code.

//go:noinline
func fault(f func()) (err any) {
	defer func() { err = recover() }()
	f()
	return nil
}

func nilDeref() any {
	return fault(func() {
		var p *int
		*p = 1
	})
}

// Index panics with the error of s[i] for a length n.
func Index(i, n int) {
	s := make([]struct{}, n)
	_ = s[i]
}

// IndexU is Index for an index of an unsigned type.
func IndexU(i uint64, n int) {
	s := make([]struct{}, n)
	_ = s[i]
}

// Nil panics with the error of a nil dereference.
func Nil() { panic(nilDeref()) }

// Zero panics with the error of a division by zero.
func Zero() {
	panic(fault(func() {
		z := 0
		_ = 1 / z
	}))
}

// NegShift panics with the error of a negative shift.
func NegShift() {
	panic(fault(func() {
		n := -1
		_ = 1 << n
	}))
}

// MakeLen panics with the error of a slice length out of range.
func MakeLen() {
	panic(fault(func() {
		m := -1
		_ = make([]struct{}, m)
	}))
}

// MakeCap panics with the error of a slice capacity out of range.
func MakeCap() {
	panic(fault(func() {
		m := 0
		_ = make([]struct{}, 1, m)
	}))
}

// plainError is a runtime.Error with a fixed text.
type plainError string

func (e plainError) Error() string { return string(e) }
func (plainError) RuntimeError()   {}

// MapPanic turns what the executor panics with into what Go panics with.
func MapPanic(v any) any {
	switch e := v.(type) {
	case *reflect.ValueError:
		return nilDeref()
	case string:
		switch {
		case strings.Contains(e, "created by MakeFunc"): // by reflect.MakeFunc in a cell
		case strings.HasPrefix(e, "reflect: call of reflect.Value."), strings.HasPrefix(e, "reflect: call of nil function"),
			strings.HasPrefix(e, "reflect: function"), strings.HasPrefix(e, "reflect.Value.Call: call of nil function"):
			return nilDeref()
		case strings.HasPrefix(e, "reflect: slice index out of range"), strings.HasPrefix(e, "reflect: array index out of range"),
			strings.HasPrefix(e, "reflect: string index out of range"):
			return fault(func() { Index(-1, 0) })
		}
	case reflect.Value:
		if e.IsValid() && e.CanInterface() {
			return MapPanic(e.Interface())
		}
	case runtime.Error:
		return v
	}
	return v
}

// Refusal is the panic of code that asks for what cells cannot do, where that
// shows only while it runs. Cells cannot recover from it: they would go on with
// something else than what Go does.
type Refusal struct{ Text string }

func (r Refusal) Error() string { return r.Text }

// Exit is the panic of os.Exit in a cell. Nothing recovers from it and no
// deferred call sees it.
type Exit int

// ErrInterrupted is what interrupted code unwinds with.
var ErrInterrupted = errors.New("interrupted")

// PanicText prints a panic value as the Go runtime does.
func PanicText(v any) string {
	d, rv := Dynamic(v)
	switch e := v.(type) {
	case error:
		s := e.Error()
		return s
	case interface{ String() string }:
		return e.String()
	}
	if d == nil {
		switch rv.Kind() {
		case reflect.String:
			if rv.Type().PkgPath() == "" {
				return rv.String()
			}
		case reflect.Invalid:
			return "nil"
		}
		if rv.Kind() <= reflect.Complex128 && rv.Type().PkgPath() == "" {
			var b strings.Builder
			Print(&b, false, v)
			return b.String()
		}
		return fmt.Sprintf("(%v) %v", rv.Type(), v)
	}
	switch {
	case rv.Kind() == reflect.String:
		return fmt.Sprintf("%s(%q)", d.Name(), rv.String())
	case rv.Kind() <= reflect.Complex128:
		return fmt.Sprintf("%s(%v)", d.Name(), rv.Interface())
	}
	return fmt.Sprintf("(%s) %+v", d.Name(), v)
}

// FuncName is the name of a function for a stack trace.
func (w *World) FuncName(name string, sig *types.Signature) string {
	if r := sig.Recv(); r != nil {
		return "(" + w.TypeString(r.Type()) + ")." + name
	}
	return name
}
