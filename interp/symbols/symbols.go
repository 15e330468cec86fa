// Package symbols holds what cells may import: for each package a table of
// its symbols, its types, its documentation, and the sources of the standard
// library's generic packages, from which those are lowered. All of it is
// generated (see gen) and embedded, so no toolchain is needed at run time, and
// nothing is decoded before it is asked for.
package symbols

import (
	"fmt"
	"go/constant"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"sync"
)

//go:generate go -C ../.. run ./interp/symbols/gen

// pkg is one importable package.
type pkg struct {
	path, name, synopsis string
	table                []entry
}

// entry is one symbol: a function, the address of a variable, a nil pointer
// to a type, the value of a typed constant, or an untyped constant. A name
// that starts with an underscore is the wrapper of an interface: a struct of
// functions that implements it.
type entry struct {
	name  string
	value any
}

// untyped is the exact value of an untyped constant.
type untyped struct {
	kind token.Token // IDENT stands for a boolean
	text string
}

func find(path string) *pkg {
	i, ok := slices.BinarySearchFunc(packages[:], path, func(p pkg, path string) int {
		return strings.Compare(p.path, path)
	})
	if !ok {
		return nil
	}
	return &packages[i]
}

var paths = sync.OnceValue(func() []string {
	list := make([]string, len(packages))
	for i := range packages {
		list[i] = packages[i].path
	}
	return list
})

// Paths lists the packages that cells may import, sorted.
func Paths() []string { return slices.Clone(paths()) }

// Has reports whether cells may import a package.
func Has(path string) bool { return find(path) != nil }

// Name is the name of an importable package, "" for any other path.
func Name(path string) string {
	if p := find(path); p != nil {
		return p.name
	}
	return ""
}

// Synopsis is the first sentence of a package's documentation.
func Synopsis(path string) string {
	if p := find(path); p != nil {
		return p.synopsis
	}
	return ""
}

var tables sync.Map // import path to map[string]reflect.Value

// Table gives the symbols of a package as yaegi takes them: functions,
// addressable variables, nil pointers for types, constants, and under "_Name"
// the wrapper of interface Name. Generic symbols are left out, since they are
// lowered from Sources. It is nil for a package that cells cannot import. The
// map is shared and must not be changed.
func Table(path string) map[string]reflect.Value {
	if t, ok := tables.Load(path); ok {
		return t.(map[string]reflect.Value)
	}
	p := find(path)
	if p == nil {
		return nil
	}
	table := make(map[string]reflect.Value, len(p.table))
	for _, e := range p.table {
		table[e.name] = e.reflect()
	}
	t, _ := tables.LoadOrStore(path, table)
	return t.(map[string]reflect.Value)
}

func (e entry) reflect() reflect.Value {
	if u, ok := e.value.(untyped); ok {
		return reflect.ValueOf(u.constant())
	}
	v := reflect.ValueOf(e.value)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return v.Elem()
	}
	return v
}

func (u untyped) constant() constant.Value {
	switch u.kind {
	case token.IDENT:
		return constant.MakeBool(u.text == "true")
	case token.CHAR:
		return constant.MakeFromLiteral(u.text, token.INT, 0)
	case token.FLOAT:
		if num, den, ok := strings.Cut(u.text, "/"); ok {
			return constant.BinaryOp(constant.MakeFromLiteral(num, token.INT, 0), token.QUO,
				constant.MakeFromLiteral(den, token.INT, 0))
		}
		return constant.ToFloat(constant.MakeFromLiteral(u.text, token.FLOAT, 0))
	}
	v := constant.MakeFromLiteral(u.text, u.kind, 0)
	if v.Kind() == constant.Unknown {
		panic(fmt.Sprintf("symbols: constant %q of kind %v", u.text, u.kind))
	}
	return v
}
