package rt

import (
	"reflect"
)

// Raw takes the outermost box off.
func Raw(x any) any {
	if b, ok := x.(Boxed); ok {
		return b.Unbox().V
	}
	return x
}

// RawPointers takes the boxes off pointers to basic types, for functions that
// scan into them.
func RawPointers(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
		b, ok := a.(Boxed)
		if !ok {
			continue
		}
		x := b.Unbox()
		if t := reflect.TypeOf(x.V); t.Kind() == reflect.Pointer && t.Elem().Kind() <= reflect.Complex128 || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.String {
			out[i] = x.V
		}
	}
	return out
}

// FindBox returns the descriptor of a box inside a compiled value, nil if it
// holds none within reach.
func FindBox(v reflect.Value) *Desc {
	return findBox(v, 0, new(int))
}

func findBox(v reflect.Value, depth int, steps *int) *Desc {
	if *steps++; depth > 8 || *steps > 10000 || !v.IsValid() {
		return nil
	}
	if v.CanInterface() && v.Kind() == reflect.Struct {
		if b, ok := v.Interface().(Boxed); ok {
			return b.Unbox().D
		}
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return findBox(v.Elem(), depth+1, steps)
		}
	case reflect.Slice, reflect.Array:
		if !mayHold(v.Type().Elem()) {
			return nil
		}
		for i := range v.Len() {
			if d := findBox(v.Index(i), depth+1, steps); d != nil {
				return d
			}
		}
	case reflect.Map:
		if !mayHold(v.Type().Elem()) && !mayHold(v.Type().Key()) {
			return nil
		}
		for it := v.MapRange(); it.Next(); {
			if d := findBox(it.Key(), depth+1, steps); d != nil {
				return d
			}
			if d := findBox(it.Value(), depth+1, steps); d != nil {
				return d
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if d := findBox(v.Field(i), depth+1, steps); d != nil {
				return d
			}
		}
	}
	return nil
}

func mayHold(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Struct, reflect.Map:
		return true
	case reflect.Slice, reflect.Array:
		return mayHold(t.Elem())
	}
	return false
}

// DeepEqual is reflect.DeepEqual on values that may be boxed.
func DeepEqual(x, y any) bool {
	dx, vx := unbox(x)
	dy, vy := unbox(y)
	if dx != dy {
		return false
	}
	return reflect.DeepEqual(vx, vy)
}
