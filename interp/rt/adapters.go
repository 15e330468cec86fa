package rt

import (
	"io"
	"reflect"
)

// Compiled code sees a boxed value through one of these forms, chosen by the
// method set of its type alone, so that the dynamic type of a value does not
// depend on the way it came into an interface.

type (
	boxError    struct{ Box }
	boxStringer struct{ Box }
	boxErrStr   struct{ Box }
	boxReader   struct{ Box }
	boxWriter   struct{ Box }
	boxRW       struct{ Box }
	boxSort     struct{ Box }
	boxHeap     struct{ Box }
	boxErrs     struct{ Box }
)

func (b Box) errorText() string { return b.call("Error")[0].String() }

func (b Box) unwrap() error {
	if !b.D.Has("Unwrap") {
		return nil
	}
	e, _ := b.call("Unwrap")[0].Interface().(error)
	return e
}

func (b Box) is(target error) bool {
	return b.D.Has("Is") && b.call("Is", target)[0].Bool()
}

func (b Box) as(target any) bool {
	return b.D.Has("As") && b.call("As", target)[0].Bool()
}

func (b boxError) Error() string     { return b.errorText() }
func (b boxError) Unwrap() error     { return b.unwrap() }
func (b boxError) Is(t error) bool   { return b.is(t) }
func (b boxError) As(t any) bool     { return b.as(t) }
func (b boxErrStr) Error() string    { return b.errorText() }
func (b boxErrStr) Unwrap() error    { return b.unwrap() }
func (b boxErrStr) Is(t error) bool  { return b.is(t) }
func (b boxErrStr) As(t any) bool    { return b.as(t) }
func (b boxErrStr) String() string   { return b.call("String")[0].String() }
func (b boxErrs) Error() string      { return b.errorText() }
func (b boxErrs) Is(t error) bool    { return b.is(t) }
func (b boxErrs) As(t any) bool      { return b.as(t) }
func (b boxErrs) Unwrap() []error    { e, _ := b.call("Unwrap")[0].Interface().([]error); return e }
func (b boxStringer) String() string { return b.call("String")[0].String() }

func (b Box) transfer(name string, p []byte) (int, error) {
	out := b.call(name, p)
	err, _ := out[1].Interface().(error)
	return int(out[0].Int()), err
}

func (b boxReader) Read(p []byte) (int, error)  { return b.transfer("Read", p) }
func (b boxWriter) Write(p []byte) (int, error) { return b.transfer("Write", p) }
func (b boxRW) Read(p []byte) (int, error)      { return b.transfer("Read", p) }
func (b boxRW) Write(p []byte) (int, error)     { return b.transfer("Write", p) }

func (b boxSort) Len() int           { return int(b.call("Len")[0].Int()) }
func (b boxSort) Less(i, j int) bool { return b.call("Less", i, j)[0].Bool() }
func (b boxSort) Swap(i, j int)      { b.call("Swap", i, j) }
func (b boxHeap) Len() int           { return int(b.call("Len")[0].Int()) }
func (b boxHeap) Less(i, j int) bool { return b.call("Less", i, j)[0].Bool() }
func (b boxHeap) Swap(i, j int)      { b.call("Swap", i, j) }
func (b boxHeap) Push(x any)         { b.call("Push", x) }
func (b boxHeap) Pop() any           { return b.call("Pop")[0].Interface() }

type wrapper struct {
	methods []string
	shape   reflect.Type // the compiled interface that the methods must match
	wrap    func(Box) any
}

type sortInterface interface {
	Len() int
	Less(i, j int) bool
	Swap(i, j int)
}

type heapInterface interface {
	sortInterface
	Push(x any)
	Pop() any
}

// wrappers are tried in order, the richest first.
var wrappers = []wrapper{
	{[]string{"Error", "String"}, reflect.TypeFor[interface {
		Error() string
		String() string
	}](), func(b Box) any { return boxErrStr{b} }},
	{[]string{"Error", "Unwrap"}, reflect.TypeFor[interface {
		Error() string
		Unwrap() []error
	}](), func(b Box) any { return boxErrs{b} }},
	{[]string{"Error"}, errorType, func(b Box) any { return boxError{b} }},
	{[]string{"Len", "Less", "Swap", "Push", "Pop"}, reflect.TypeFor[heapInterface](), func(b Box) any { return boxHeap{b} }},
	{[]string{"Len", "Less", "Swap"}, reflect.TypeFor[sortInterface](), func(b Box) any { return boxSort{b} }},
	{[]string{"Read", "Write"}, reflect.TypeFor[io.ReadWriter](), func(b Box) any { return boxRW{b} }},
	{[]string{"Read"}, reflect.TypeFor[io.Reader](), func(b Box) any { return boxReader{b} }},
	{[]string{"Write"}, reflect.TypeFor[io.Writer](), func(b Box) any { return boxWriter{b} }},
	{[]string{"String"}, reflect.TypeFor[interface{ String() string }](), func(b Box) any { return boxStringer{b} }},
}

// wrapperFor picks the form of a descriptor's boxes. The caller holds w.mu.
func wrapperFor(d *Desc) func(Box) any {
	for _, w := range wrappers {
		if d.fits(w) {
			return w.wrap
		}
	}
	return func(b Box) any { return b }
}

func (d *Desc) fits(w wrapper) bool {
	for _, name := range w.methods {
		sel := d.method(name)
		if sel == nil {
			return false
		}
		m, _ := w.shape.MethodByName(name)
		if d.W.methodRep(sel) != m.Type {
			return false
		}
	}
	return true
}
