package session

import (
	"errors"
	"fmt"
	"go/types"
	"reflect"
	"sort"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp/rt"
)

// The border between cells and compiled code. A value of a cell type crosses
// it inside a box; a compiled function that looks into what it is given must
// have been taught about boxes, else the call is refused: when the cell is
// checked if the type is known then, by a panic if it shows only while it runs.

// opaque are the packages that never look into the values of interface type
// that they are given, or have been taught to see through boxes.
var opaque = map[string]bool{
	"fmt": true, "log": true, "log/slog": true, "errors": true, "context": true, "container/list": true, "container/heap": true,
	"container/ring": true, "sync": true, "sync/atomic": true, "sort": true, "encoding/json": true, "testing": true, "io": true,
	"bufio": true, "strings": true, "bytes": true, "runtime": true, "os": true, "flag": true,
	sessionPath: true,
}

func isOpaque(path string) bool {
	return opaque[path] || strings.HasPrefix(path, "trafficgpt/")
}

// forbidden are functions that mean nothing, or something else, in a cell.
var forbidden = map[string]string{
	"runtime.SetFinalizer":     "finalizers do not work on values of cells",
	"runtime.AddCleanup":       "cleanups do not work on values of cells",
	"runtime.Caller":           "the Go stack does not show the functions of cells",
	"runtime.Callers":          "the Go stack does not show the functions of cells",
	"runtime.CallersFrames":    "the Go stack does not show the functions of cells",
	"runtime.FuncForPC":        "the Go stack does not show the functions of cells",
	"runtime.Stack":            "the Go stack does not show the functions of cells",
	"runtime/debug.Stack":      "the Go stack does not show the functions of cells",
	"runtime/debug.PrintStack": "the Go stack does not show the functions of cells",
	"runtime.ReadMemStats":     "memory statistics describe the engine, not the cell",
	"runtime.LockOSThread":     "cells do not own their thread",
	"testing.AllocsPerRun":     "allocations are those of the engine, not of the cell",
}

// refuse says why a compiled function cannot be called with these operands.
func (s *Session) refuse(fn *ssa.Function, call ssa.Instruction) string {
	obj, _ := fn.Object().(*types.Func)
	if obj == nil || obj.Pkg() == nil {
		return ""
	}
	path := obj.Pkg().Path()
	if why := forbidden[path+"."+obj.Name()]; why != "" && obj.Signature().Recv() == nil {
		return path + "." + obj.Name() + " is not available in cells: " + why
	}
	if isOpaque(path) || path+"."+obj.Name() == "reflect.DeepEqual" {
		return ""
	}
	c, ok := call.(ssa.CallInstruction)
	if !ok {
		return ""
	}
	for _, a := range c.Common().Args {
		if t := s.boxedIn(a); t != nil {
			return fmt.Sprintf("%s.%s cannot look into cell type %s", path, obj.Name(), s.world.TypeString(t))
		}
	}
	return ""
}

// boxedIn returns the cell type whose value an argument of interface type is
// known to hold.
func (s *Session) boxedIn(v ssa.Value) types.Type {
	switch v := v.(type) {
	case *ssa.MakeInterface:
		if _, ok := v.Type().Underlying().(*types.Interface); ok && !s.world.IsNative(v.X.Type()) && s.world.Type(v.Type()).NumMethod() == 0 {
			return v.X.Type()
		}
	case *ssa.Slice:
		a, ok := v.X.(*ssa.Alloc)
		if !ok || a.Comment != "varargs" {
			return nil
		}
		for _, r := range *a.Referrers() {
			ia, ok := r.(*ssa.IndexAddr)
			if !ok {
				continue
			}
			for _, u := range *ia.Referrers() {
				if st, ok := u.(*ssa.Store); ok {
					if t := s.boxedIn(st.Val); t != nil {
						return t
					}
				}
			}
		}
	}
	return nil
}

// guarded wraps a compiled function that would look into boxes without
// understanding them.
func guarded(path, name string, f reflect.Value) reflect.Value {
	if f.Kind() != reflect.Func || isOpaque(path) || path+"."+name == "reflect.DeepEqual" {
		return f
	}
	t := f.Type()
	open := false
	for i := range t.NumIn() {
		open = open || holdsAny(t.In(i), 0)
	}
	if !open {
		return f
	}
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		for _, v := range in {
			if d := rt.FindBox(v); d != nil {
				panic(rt.Refusal{Text: fmt.Sprintf("%s.%s cannot look into cell type %s", path, name, d.Name())})
			}
		}
		if t.IsVariadic() {
			return f.CallSlice(in)
		}
		return f.Call(in)
	})
}

// holdsAny reports whether a parameter type is made of empty interfaces.
func holdsAny(t reflect.Type, depth int) bool {
	if depth > 3 {
		return false
	}
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Slice, reflect.Pointer, reflect.Array, reflect.Map:
		return t.PkgPath() == "" && holdsAny(t.Elem(), depth+1)
	}
	return false
}

// borderFunctions are compiled functions that have been taught about boxes.
func (s *Session) borderFunctions() map[string]any {
	return map[string]any{
		"sort.Slice":                  func(x any, less func(i, j int) bool) { sort.Slice(rt.Raw(x), less) },
		"sort.SliceStable":            func(x any, less func(i, j int) bool) { sort.SliceStable(rt.Raw(x), less) },
		"sort.SliceIsSorted":          func(x any, less func(i, j int) bool) bool { return sort.SliceIsSorted(rt.Raw(x), less) },
		"errors.As":                   errorsAs,
		"encoding/json.Marshal":       s.world.JSON,
		"encoding/json.MarshalIndent": s.world.JSONIndent,
		"encoding/json.Unmarshal":     rt.UnmarshalJSON,
		"runtime.Breakpoint":          func() { panic(rt.Refusal{Text: "runtime.Breakpoint: set a breakpoint in the debugger instead"}) },
		"reflect.DeepEqual":           rt.DeepEqual,
		"fmt.Sscan":                   func(s string, a ...any) (int, error) { return fmt.Sscan(s, rt.RawPointers(a)...) },
		"fmt.Sscanf":                  func(s, f string, a ...any) (int, error) { return fmt.Sscanf(s, f, rt.RawPointers(a)...) },
		"fmt.Sscanln":                 func(s string, a ...any) (int, error) { return fmt.Sscanln(s, rt.RawPointers(a)...) },
	}
}

// errorsAs is errors.As for targets of cell types too.
func errorsAs(err error, target any) bool {
	b, ok := target.(rt.Boxed)
	if !ok {
		return errors.As(err, target)
	}
	if err == nil {
		return false
	}
	x := b.Unbox()
	ptr, ok := x.D.Type.Underlying().(*types.Pointer)
	v := reflect.ValueOf(x.V)
	if !ok || v.IsNil() {
		panic("errors: target must be a non-nil pointer")
	}
	a := x.D.W.Asserter(ptr.Elem())
	return asChain(err, a, v.Elem(), target)
}

func asChain(err error, a *rt.Asserter, dst reflect.Value, target any) bool {
	for err != nil {
		if got, ok := a.Assert(err); ok {
			dst.Set(got)
			return true
		}
		if x, ok := err.(interface{ As(any) bool }); ok && x.As(target) {
			return true
		}
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			err = x.Unwrap()
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				if e != nil && asChain(e, a, dst, target) {
					return true
				}
			}
			return false
		default:
			return false
		}
	}
	return false
}
