package rt

import (
	"fmt"
	"go/types"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// StringIter walks the runes of a string.
type StringIter struct {
	s string
	i int
}

// NewStringIter starts a range over s.
func NewStringIter(s string) *StringIter { return &StringIter{s: s} }

// Next returns the next rune and where it starts.
func (it *StringIter) Next() (ok bool, i int, r rune) {
	if it.i >= len(it.s) {
		return false, 0, 0
	}
	i = it.i
	r, n := utf8.DecodeRuneInString(it.s[i:])
	it.i += n
	return true, i, r
}

// MapIter walks a map.
type MapIter struct{ it *reflect.MapIter }

// NewMapIter starts a range over the map m.
func NewMapIter(m any) *MapIter { return &MapIter{reflect.ValueOf(m).MapRange()} }

// Next advances.
func (m *MapIter) Next() (k, v reflect.Value, ok bool) {
	if !m.it.Next() {
		return
	}
	return m.it.Key(), m.it.Value(), true
}

// Extreme is the builtin min or max for two operands.
func Extreme(max bool, a, b reflect.Value) reflect.Value {
	less := func(a, b reflect.Value) bool { return false }
	switch {
	case a.CanInt():
		less = func(a, b reflect.Value) bool { return a.Int() < b.Int() }
	case a.CanUint():
		less = func(a, b reflect.Value) bool { return a.Uint() < b.Uint() }
	case a.Kind() == reflect.String:
		less = func(a, b reflect.Value) bool { return a.String() < b.String() }
	case a.CanFloat():
		x, y := a.Float(), b.Float()
		switch {
		case math.IsNaN(x):
			return a
		case math.IsNaN(y):
			return b
		case x == 0 && y == 0:
			if math.Signbit(x) == max {
				return b
			}
			return a
		}
		less = func(a, b reflect.Value) bool { return a.Float() < b.Float() }
	}
	if max {
		if less(a, b) {
			return b
		}
		return a
	}
	if less(b, a) {
		return b
	}
	return a
}

// ToArray converts a slice to a pointer to an array.
func ToArray(s reflect.Value, p reflect.Type) reflect.Value {
	n := p.Elem().Len()
	if s.Len() < n {
		panic(plainError(fmt.Sprintf("runtime error: cannot convert slice with length %d to array or pointer to array with length %d", s.Len(), n)))
	}
	return s.Convert(p)
}

// Recv receives from ch until an interrupt.
func Recv(c *Control, ch reflect.Value) (reflect.Value, bool) {
	if v, ok := ch.TryRecv(); v.IsValid() {
		return v, ok
	}
	i, v, ok := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: ch},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c.Done())},
	})
	if i == 1 {
		panic(ErrInterrupted)
	}
	return v, ok
}

// Send sends until an interrupt.
func (w *World) Send(ch, v any) {
	c := reflect.ValueOf(ch)
	x := element(c, v)
	if c.TrySend(x) {
		return
	}
	i, _, _ := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectSend, Chan: c, Send: x},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(w.Control.Done())},
	})
	if i == 1 {
		panic(ErrInterrupted)
	}
}

func element(c reflect.Value, v any) reflect.Value {
	if v == nil {
		return reflect.Zero(c.Type().Elem())
	}
	return reflect.ValueOf(v)
}

// SelectSend is a send case of Select.
type SelectSend struct{ Ch, V any }

// Select runs a select statement: a case is a channel to receive from or a
// SelectSend. Without blocking it returns -1 when no case is ready.
func (w *World) Select(blocking bool, cases ...any) (index int, recvOK bool, recv any) {
	sc := make([]reflect.SelectCase, 0, len(cases)+1)
	for _, c := range cases {
		if s, ok := c.(SelectSend); ok {
			ch := reflect.ValueOf(s.Ch)
			sc = append(sc, reflect.SelectCase{Dir: reflect.SelectSend, Chan: ch, Send: element(ch, s.V)})
			continue
		}
		sc = append(sc, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
	}
	if blocking {
		sc = append(sc, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(w.Control.Done())})
	} else {
		sc = append(sc, reflect.SelectCase{Dir: reflect.SelectDefault})
	}
	i, v, ok := reflect.Select(sc)
	if i == len(cases) {
		if blocking {
			panic(ErrInterrupted)
		}
		return -1, false, nil
	}
	if v.IsValid() {
		recv = v.Interface()
	}
	return i, ok, recv
}

// Equal is == on interfaces and on structs and arrays.
func Equal(a, b any) bool {
	if da, _ := unbox(a); da != nil {
		if db, _ := unbox(b); da == db && !types.Comparable(da.Type) {
			panic(plainError("runtime error: comparing uncomparable type " + da.Name()))
		}
	}
	return a == b
}

// Clear is the builtin clear.
func Clear(v any) { reflect.ValueOf(v).Clear() }

// Print is the builtin print or println.
func Print(w io.Writer, ln bool, args ...any) {
	var out []byte
	for i, a := range args {
		if ln && i > 0 {
			out = append(out, ' ')
		}
		out = appendPrint(out, a)
	}
	if ln {
		out = append(out, '\n')
	}
	_, _ = w.Write(out)
}

func appendPrint(out []byte, a any) []byte {
	if w, ok := a.(interfaceWords); ok {
		p := (*[2]uintptr)(unsafe.Pointer(&w.v))
		return fmt.Appendf(out, "(0x%x,0x%x)", p[0], p[1])
	}
	_, v := Dynamic(a)
	switch {
	case !v.IsValid():
		return append(out, "nil"...)
	case v.CanInt():
		return strconv.AppendInt(out, v.Int(), 10)
	case v.CanUint():
		return strconv.AppendUint(out, v.Uint(), 10)
	case v.CanFloat():
		return strconv.AppendFloat(out, v.Float(), 'g', -1, v.Type().Bits())
	case v.CanComplex():
		return append(out, strconv.FormatComplex(v.Complex(), 'g', -1, v.Type().Bits())...)
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool(out, v.Bool())
	case v.Kind() == reflect.String:
		return append(out, v.String()...)
	case v.Kind() == reflect.Slice:
		return fmt.Appendf(out, "[%d/%d]0x%x", v.Len(), v.Cap(), v.Pointer())
	case v.Kind() == reflect.Pointer || v.Kind() == reflect.Map || v.Kind() == reflect.Chan || v.Kind() == reflect.Func:
		return fmt.Appendf(out, "0x%x", v.Pointer())
	}
	return append(out, '?')
}

// WrapNil panics as a value method called through a nil pointer does.
func WrapNil(typ, method string) {
	panic(plainError("value method " + typ + "." + method + " called using nil *" + shortName(typ) + " pointer"))
}

func shortName(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return s[i+1:]
		}
	}
	return s
}

// SliceFault panics as a slice expression with an operand x out of range of y
// does. What follows "out of range" is worded for an x that is not negative.
func SliceFault(format string, x, y any) {
	xv, yv := reflect.ValueOf(x), reflect.ValueOf(y)
	if xv.CanInt() && xv.Int() < 0 {
		format, _, _ = strings.Cut(format, " ")
		format = strings.Replace(format, "%y", "", 1)
	}
	format = strings.Replace(strings.Replace(format, "%x", fmt.Sprint(xv), 1), "%y", fmt.Sprint(yv), 1)
	panic(plainError("runtime error: slice bounds out of range " + format))
}

// SameChan compares channels of types that differ in direction.
func SameChan(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// interfaceWords is an interface as the builtin println shows it.
type interfaceWords struct{ v any }

// Words marks an operand of println as an interface.
func Words(v any) any { return interfaceWords{v} }

// Hashable panics if a key that is or holds an interface cannot be hashed, in
// the words of Go, which differ for a map without elements.
func Hashable(m, key any, assigns bool) {
	switch key.(type) {
	case nil, string, int, bool, float64:
		return
	}
	name := unhashable(reflect.ValueOf(key))
	if name == "" {
		return
	}
	mv := reflect.ValueOf(m)
	switch {
	case assigns && mv.IsNil():
		return // the assignment fails
	case !assigns && mv.Len() == 0:
		panic(plainError("hash of unhashable type: " + name))
	}
	panic(plainError("runtime error: hash of unhashable type " + name))
}

// unhashable names the type of the first part of a value that has no hash, ""
// if all have.
func unhashable(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Func, reflect.Map, reflect.Slice:
		return v.Type().String()
	case reflect.Interface:
		if !v.IsNil() {
			return unhashable(v.Elem())
		}
	case reflect.Array:
		if !v.Type().Comparable() {
			return v.Type().String()
		}
		for i := range v.Len() {
			if s := unhashable(v.Index(i)); s != "" {
				return s
			}
		}
	case reflect.Struct:
		if v.CanInterface() {
			if d, x := unbox(v.Interface()); d != nil {
				if !types.Comparable(d.Type) {
					return d.Name()
				}
				return unhashable(reflect.ValueOf(x))
			}
		}
		if !v.Type().Comparable() {
			return v.Type().String()
		}
		for i := range v.NumField() {
			if s := unhashable(v.Field(i)); s != "" {
				return s
			}
		}
	}
	return ""
}

// MakeChan is make(chan T, n).
func MakeChan(t reflect.Type, n int) reflect.Value {
	if n < 0 {
		panic(plainError("makechan: size out of range"))
	}
	both := reflect.ChanOf(reflect.BothDir, t.Elem())
	return reflect.MakeChan(both, n).Convert(t)
}

// Numeric converts between numeric types as compiled code does.
func Numeric(v reflect.Value, to reflect.Type) reflect.Value {
	out := reflect.New(to).Elem()
	switch {
	case v.CanComplex():
		out.SetComplex(v.Complex())
	case to.Kind() == reflect.Uint64 || to.Kind() == reflect.Uint || to.Kind() == reflect.Uintptr:
		out.SetUint(uint64(v.Float()))
	case to.Kind() == reflect.Uint32:
		out.SetUint(uint64(uint32(v.Float())))
	case to.Kind() == reflect.Uint16:
		out.SetUint(uint64(uint16(v.Float())))
	case to.Kind() == reflect.Uint8:
		out.SetUint(uint64(uint8(v.Float())))
	default:
		return v.Convert(to)
	}
	return out
}
