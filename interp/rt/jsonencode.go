package rt

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// jsonError is an error of encoding a cell type, in the words of encoding/json.
type jsonError struct {
	text string
	err  error
}

func (e *jsonError) Error() string { return e.text }
func (e *jsonError) Unwrap() error { return e.err }

func (e *jsonEncoder) unsupported(t types.Type) error {
	return &jsonError{text: "json: unsupported type: " + e.w.TypeString(t)}
}

// MarshalJSON makes encoding/json see the value in the box instead of the box.
// A type's own method gives what it gives: cells may call it this way too.
func (b Box) MarshalJSON() ([]byte, error) {
	if v := b.value(); b.D.shape("MarshalJSON", marshalShape) && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		out, err := callMarshal(b.D, "MarshalJSON", v)
		if err != nil || !json.Valid(out) {
			name := b.D.Name()
			b.D.W.failedMarshal.Store(&name)
		}
		return out, err
	}
	e := jsonEncoder{w: b.D.W}
	if err := e.value(b.D.Type, b.value(), false); err != nil {
		b.D.W.failedMarshal.Store(nil)
		return nil, err
	}
	return e.out.Bytes(), nil
}

// JSON is json.Marshal.
func (w *World) JSON(v any) ([]byte, error) {
	out, err := json.Marshal(v)
	return out, w.JSONError(err)
}

// JSONIndent is json.MarshalIndent.
func (w *World) JSONIndent(v any, prefix, indent string) ([]byte, error) {
	out, err := json.MarshalIndent(v, prefix, indent)
	return out, w.JSONError(err)
}

// JSONError takes from an error what tells of boxes.
func (w *World) JSONError(err error) error {
	for {
		m, ok := err.(*json.MarshalerError)
		if !ok || !m.Type.Implements(reflect.TypeFor[Boxed]()) {
			return err
		}
		err = m.Err
		if name := w.failedMarshal.Swap(nil); name != nil {
			return &jsonError{"json: error calling MarshalJSON for type " + *name + ": " + err.Error(), err}
		}
	}
}

// jsonEncoder writes values of cell types, which it walks beside their
// descriptors, as encoding/json would write the Go values they stand for.
// Compiled values go to encoding/json.
type jsonEncoder struct {
	w     *World
	out   bytes.Buffer
	depth int
}

// native encodes a compiled value without escaping: whoever asked for the
// outermost value does that.
func (e *jsonEncoder) native(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return e.w.JSONError(err)
	}
	e.out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

func (e *jsonEncoder) value(t types.Type, v reflect.Value, quoted bool) error {
	if e.depth++; e.depth > 1000 {
		return &jsonError{text: "json: unsupported value: encountered a cycle via " + e.w.TypeString(t)}
	}
	defer func() { e.depth-- }()
	if types.IsInterface(t) {
		return e.dynamic(v)
	}
	if done, err := e.methods(t, v); done {
		return err
	}
	if e.w.IsNative(t) && !quoted {
		if v.CanAddr() && v.Kind() != reflect.Pointer {
			// methods on the pointer count for what can be addressed
			return e.native(v.Addr().Interface())
		}
		return e.native(v.Interface())
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return e.basic(t, v, quoted)
	case *types.Pointer:
		if v.IsNil() {
			e.out.WriteString("null")
			return nil
		}
		return e.value(u.Elem(), v.Elem(), quoted)
	case *types.Struct:
		return e.structure(t, v)
	case *types.Map:
		return e.mapping(t, u, v)
	case *types.Slice:
		if v.IsNil() {
			e.out.WriteString("null")
			return nil
		}
		if e.plainBytes(u) {
			return e.native(v.Bytes())
		}
		return e.list(u.Elem(), v)
	case *types.Array:
		return e.list(u.Elem(), v)
	}
	return e.unsupported(t)
}

// plainBytes reports whether a slice is written in base64.
func (e *jsonEncoder) plainBytes(s *types.Slice) bool {
	b, ok := s.Elem().Underlying().(*types.Basic)
	if !ok || b.Kind() != types.Uint8 {
		return false
	}
	d := e.w.Desc(types.NewPointer(s.Elem()))
	return !d.shape("MarshalJSON", marshalShape) && !d.shape("MarshalText", marshalShape)
}

func (e *jsonEncoder) dynamic(v reflect.Value) error {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		e.out.WriteString("null")
		return nil
	}
	if d, raw := unbox(v.Interface()); d != nil {
		return e.value(d.Type, Box{d, raw}.value(), false)
	}
	return e.native(v.Interface())
}

var (
	marshalShape   = reflect.TypeFor[func() ([]byte, error)]()
	unmarshalShape = reflect.TypeFor[func([]byte) error]()
)

// methods encodes a value by its own methods, those of its pointer included if
// it can be addressed.
func (e *jsonEncoder) methods(t types.Type, v reflect.Value) (done bool, err error) {
	for _, name := range []string{"MarshalJSON", "MarshalText"} {
		recv, rt := v, t
		d := e.w.descOf(t)
		if d == nil || !d.shape(name, marshalShape) {
			if !v.CanAddr() || v.Kind() == reflect.Pointer {
				continue
			}
			rt, recv = types.NewPointer(t), v.Addr()
			if d = e.w.descOf(rt); d == nil || !d.shape(name, marshalShape) {
				continue
			}
		}
		if recv.Kind() == reflect.Pointer && recv.IsNil() {
			e.out.WriteString("null")
			return true, nil
		}
		text, err := callMarshal(d, name, recv)
		if err == nil && name == "MarshalText" {
			return true, e.native(string(text))
		}
		var b bytes.Buffer
		if err == nil {
			err = json.Compact(&b, text)
		}
		if err != nil {
			return true, &jsonError{"json: error calling " + name + " for type " + e.w.TypeString(rt) + ": " + err.Error(), err}
		}
		e.out.Write(b.Bytes())
		return true, nil
	}
	return false, nil
}

// descOf is the descriptor of a cell type, nil for compiled types.
func (w *World) descOf(t types.Type) *Desc {
	if types.IsInterface(t) || w.IsNative(t) {
		return nil
	}
	return w.Desc(t)
}

func callMarshal(d *Desc, name string, recv reflect.Value) ([]byte, error) {
	out := d.Func(name).Call([]reflect.Value{recv})
	err, _ := out[1].Interface().(error)
	return out[0].Bytes(), err
}

func (e *jsonEncoder) basic(t types.Type, v reflect.Value, quoted bool) error {
	var plain any
	switch {
	case v.Kind() == reflect.Bool:
		plain = v.Bool()
	case v.CanInt():
		plain = v.Int()
	case v.CanUint():
		plain = v.Uint()
	case v.Kind() == reflect.Float32:
		plain = float32(v.Float())
	case v.Kind() == reflect.Float64:
		plain = v.Float()
	case v.Kind() == reflect.String:
		plain = v.String()
		if n, ok := v.Interface().(json.Number); ok && !quoted {
			plain = n
		}
	default:
		return e.unsupported(t)
	}
	if !quoted {
		return e.native(plain)
	}
	if v.Kind() != reflect.String {
		e.out.WriteByte('"')
		defer e.out.WriteByte('"')
		return e.native(plain)
	}
	in := jsonEncoder{w: e.w}
	if err := in.native(plain); err != nil {
		return err
	}
	return e.native(in.out.String())
}

func (e *jsonEncoder) structure(t types.Type, v reflect.Value) error {
	e.out.WriteByte('{')
	first := true
fields:
	for _, f := range jsonFields(t) {
		fv := v
		for _, i := range f.index {
			if fv.Kind() == reflect.Pointer {
				if fv.IsNil() {
					continue fields
				}
				fv = fv.Elem()
			}
			fv = fv.Field(i)
		}
		if f.omitEmpty && isEmptyJSON(fv) || f.omitZero && e.isZero(f.typ, fv) {
			continue
		}
		if !first {
			e.out.WriteByte(',')
		}
		first = false
		if err := e.native(f.name); err != nil {
			return err
		}
		e.out.WriteByte(':')
		if err := e.value(f.typ, fv, f.quoted); err != nil {
			return err
		}
	}
	e.out.WriteByte('}')
	return nil
}

func isEmptyJSON(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct, reflect.Func, reflect.Chan:
		return false
	}
	return v.IsZero()
}

// isZero is the test of omitzero: the IsZero method if there is one.
func (e *jsonEncoder) isZero(t types.Type, v reflect.Value) bool {
	if !types.IsInterface(t) && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		shape := reflect.TypeFor[func() bool]()
		if d := e.w.descOf(t); d != nil && d.shape("IsZero", shape) {
			return d.Func("IsZero").Call([]reflect.Value{v})[0].Bool()
		}
		if v.CanAddr() {
			if d := e.w.descOf(types.NewPointer(t)); d != nil && d.shape("IsZero", shape) {
				return d.Func("IsZero").Call([]reflect.Value{v.Addr()})[0].Bool()
			}
		}
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok && e.w.IsNative(t) {
			return z.IsZero()
		}
	}
	return v.IsZero()
}

func (e *jsonEncoder) list(elem types.Type, v reflect.Value) error {
	e.out.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			e.out.WriteByte(',')
		}
		if err := e.value(elem, v.Index(i), false); err != nil {
			return err
		}
	}
	e.out.WriteByte(']')
	return nil
}

func (e *jsonEncoder) mapping(t types.Type, m *types.Map, v reflect.Value) error {
	if v.IsNil() {
		e.out.WriteString("null")
		return nil
	}
	type entry struct {
		key string
		val reflect.Value
	}
	var list []entry
	for it := v.MapRange(); it.Next(); {
		k, err := e.key(t, m.Key(), it.Key())
		if err != nil {
			return err
		}
		list = append(list, entry{k, it.Value()})
	}
	if len(list) == 0 {
		if _, err := e.key(t, m.Key(), reflect.Zero(v.Type().Key())); err != nil && !errors.As(err, new(*keyMethodError)) {
			return err
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	e.out.WriteByte('{')
	for i, x := range list {
		if i > 0 {
			e.out.WriteByte(',')
		}
		if err := e.native(x.key); err != nil {
			return err
		}
		e.out.WriteByte(':')
		if err := e.value(m.Elem(), x.val, false); err != nil {
			return err
		}
	}
	e.out.WriteByte('}')
	return nil
}

// keyMethodError is an error of a key's own MarshalText.
type keyMethodError struct{ err error }

func (k *keyMethodError) Error() string { return k.err.Error() }
func (k *keyMethodError) Unwrap() error { return k.err }

func (e *jsonEncoder) key(mapType, t types.Type, v reflect.Value) (string, error) {
	if v.Kind() == reflect.String {
		return v.String(), nil
	}
	if d := e.w.descOf(t); d != nil && d.shape("MarshalText", marshalShape) {
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return "", nil
		}
		text, err := callMarshal(d, "MarshalText", v)
		if err != nil {
			err = &keyMethodError{fmt.Errorf("json: encoding error for type %q: %q", e.w.TypeString(t), err.Error())}
		}
		return string(text), err
	}
	if tm, ok := v.Interface().(encoding.TextMarshaler); ok && e.w.IsNative(t) {
		text, err := tm.MarshalText()
		return string(text), err
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	}
	return "", e.unsupported(mapType)
}
