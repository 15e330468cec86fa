package rt

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"go/types"
	"reflect"
	"strconv"
	"strings"
)

// UnmarshalJSON is json.Unmarshal.
func UnmarshalJSON(data []byte, target any) error {
	b, ok := target.(Boxed)
	if !ok {
		return json.Unmarshal(data, target)
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	return decodeJSON(raw, b.Unbox(), false, false)
}

// UnmarshalJSON makes a box with a pointer a target of encoding/json.
func (b Box) UnmarshalJSON(data []byte) error {
	if b.D.shape("UnmarshalJSON", unmarshalShape) {
		err, _ := b.call("UnmarshalJSON", data)[0].Interface().(error)
		return err
	}
	return decodeJSON(data, b, false, false)
}

// DecodeJSON is the method Decode of a json.Decoder.
func DecodeJSON(dec *json.Decoder, target any) error {
	b, ok := target.(Boxed)
	if !ok {
		return dec.Decode(target)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	// The decoder keeps what UseNumber and DisallowUnknownFields set to itself.
	option := func(name string) bool {
		d := reflect.ValueOf(dec).Elem().FieldByName("d")
		if !d.IsValid() || d.Kind() != reflect.Struct {
			return false
		}
		f := d.FieldByName(name)
		return f.IsValid() && f.Kind() == reflect.Bool && f.Bool()
	}
	return decodeJSON(raw, b.Unbox(), option("useNumber"), option("disallowUnknownFields"))
}

func decodeJSON(raw []byte, b Box, useNumber, strict bool) error {
	p, ok := b.D.Type.Underlying().(*types.Pointer)
	v := b.value()
	if !ok {
		return &jsonError{text: "json: Unmarshal(non-pointer " + b.D.Name() + ")"}
	}
	if v.IsNil() {
		return &jsonError{text: "json: Unmarshal(nil " + b.D.Name() + ")"}
	}
	d := jsonDecoder{w: b.D.W, useNumber: useNumber, strict: strict}
	if err := d.value(raw, p.Elem(), v.Elem()); err != nil {
		return err
	}
	return d.saved
}

// jsonDecoder stores JSON, known to be well formed, into variables of cell
// types. An error of type is kept and the rest decoded, as encoding/json does.
type jsonDecoder struct {
	w                 *World
	useNumber, strict bool
	saved             error
	in                string   // the innermost struct
	path              []string // of fields
}

func (d *jsonDecoder) save(err error) {
	if d.saved == nil {
		d.saved = err
	}
}

// mismatch notes that a JSON value does not fit its variable.
func (d *jsonDecoder) mismatch(raw []byte, t types.Type) {
	d.save(&jsonError{text: d.mismatchText(jsonKind(raw), d.w.TypeString(t))})
}

func (d *jsonDecoder) mismatchText(what, typ string) string {
	if len(d.path) == 0 {
		return "json: cannot unmarshal " + what + " into Go value of type " + typ
	}
	return "json: cannot unmarshal " + what + " into Go struct field " + d.in + "." + strings.Join(d.path, ".") + " of type " + typ
}

func jsonKind(raw []byte) string {
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}

// native decodes into a compiled variable.
func (d *jsonDecoder) native(raw []byte, t types.Type, p any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if d.useNumber {
		dec.UseNumber()
	}
	if d.strict {
		dec.DisallowUnknownFields()
	}
	err := dec.Decode(p)
	e, ok := err.(*json.UnmarshalTypeError)
	if !ok {
		return err
	}
	in, path := d.in, d.path
	defer func() { d.in, d.path = in, path }()
	if e.Field != "" {
		d.in, d.path = e.Struct, append(path[:len(path):len(path)], e.Field)
	}
	name := e.Type.String()
	if e.Field == "" && !d.w.IsNative(t) {
		name = d.w.TypeString(t)
	}
	d.save(&jsonError{d.mismatchText(e.Value, name), e})
	return nil
}

func (d *jsonDecoder) value(raw []byte, t types.Type, v reflect.Value) error {
	raw = bytes.TrimSpace(raw)
	null := raw[0] == 'n'
	if u, ok := t.Underlying().(*types.Pointer); ok && !d.w.IsNative(t) {
		if null {
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.value(raw, u.Elem(), v.Elem())
	}
	if types.IsInterface(t) {
		return d.dynamic(raw, t, v)
	}
	if d.w.IsNative(t) {
		return d.native(raw, t, v.Addr().Interface())
	}
	if done, err := d.methods(raw, t, v); done {
		return err
	}
	switch u := t.Underlying().(type) {
	case *types.Struct:
		return d.structure(raw, t, v)
	case *types.Map:
		return d.mapping(raw, t, u, v)
	case *types.Slice:
		return d.slice(raw, t, u, v)
	case *types.Array:
		return d.array(raw, t, u, v)
	case *types.Basic:
		return d.native(raw, t, v.Addr().Interface())
	}
	if !null {
		d.mismatch(raw, t)
	}
	return nil
}

func (d *jsonDecoder) dynamic(raw []byte, t types.Type, v reflect.Value) error {
	if raw[0] == 'n' {
		v.SetZero()
		return nil
	}
	if !v.IsNil() {
		// a pointer in the interface is decoded through
		if b, ok := v.Elem().Interface().(Boxed); ok {
			x := b.Unbox()
			if p, ok := x.D.Type.Underlying().(*types.Pointer); ok && !x.value().IsNil() {
				return d.value(raw, p.Elem(), x.value().Elem())
			}
		} else if v.Elem().Kind() == reflect.Pointer && !v.Elem().IsNil() {
			return d.native(raw, t, v.Elem().Interface())
		}
	}
	if t.Underlying().(*types.Interface).NumMethods() > 0 {
		d.mismatch(raw, t)
		return nil
	}
	var x any
	if err := d.native(raw, t, &x); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(&x).Elem())
	return nil
}

// methods decodes by the methods that a variable's address has.
func (d *jsonDecoder) methods(raw []byte, t types.Type, v reflect.Value) (done bool, err error) {
	desc := d.w.Desc(types.NewPointer(t))
	if desc.shape("UnmarshalJSON", unmarshalShape) {
		return true, callUnmarshal(desc, "UnmarshalJSON", v, raw)
	}
	if !desc.shape("UnmarshalText", unmarshalShape) || raw[0] == 'n' {
		return false, nil
	}
	if raw[0] != '"' {
		d.mismatch(raw, t)
		return true, nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return true, err
	}
	return true, callUnmarshal(desc, "UnmarshalText", v, []byte(s))
}

func callUnmarshal(d *Desc, name string, v reflect.Value, data []byte) error {
	out := d.Func(name).Call([]reflect.Value{v.Addr(), reflect.ValueOf(bytes.Clone(data))})
	err, _ := out[0].Interface().(error)
	return err
}

// members calls f for each member of an object, in order.
func members(raw []byte, f func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := f(k.(string), value); err != nil {
			return err
		}
	}
	return nil
}

func elements(raw []byte) (out []json.RawMessage, err error) {
	err = json.Unmarshal(raw, &out)
	return out, err
}

func (d *jsonDecoder) structure(raw []byte, t types.Type, v reflect.Value) error {
	if raw[0] != '{' {
		if raw[0] != 'n' {
			d.mismatch(raw, t)
		}
		return nil
	}
	fields := jsonFields(t)
	in, path := d.in, d.path
	defer func() { d.in, d.path = in, path }()
	return members(raw, func(key string, value json.RawMessage) error {
		f := findJSONField(fields, key)
		if f == nil {
			if d.strict {
				d.save(&jsonError{text: "json: unknown field " + strconv.Quote(key)})
			}
			return nil
		}
		fv, err := d.reach(t, v, f.index)
		if err != nil {
			d.save(err)
			return nil
		}
		d.in, d.path = typeName(t), append(path[:len(path):len(path)], f.name)
		defer func() { d.in, d.path = in, path }()
		if f.quoted {
			return d.unquoted(value, f.typ, fv)
		}
		return d.value(value, f.typ, fv)
	})
}

func typeName(t types.Type) string {
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

func findJSONField(fields []jsonField, key string) *jsonField {
	for i := range fields {
		if fields[i].name == key {
			return &fields[i]
		}
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, key) {
			return &fields[i]
		}
	}
	return nil
}

// reach selects a field, making the embedded structs on the way.
func (d *jsonDecoder) reach(t types.Type, v reflect.Value, index []int) (reflect.Value, error) {
	for _, i := range index {
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
			if v.IsNil() {
				if n := typeName(t); n != "" && (n[0] < 'A' || n[0] > 'Z') {
					return v, &jsonError{text: "json: cannot set embedded pointer to unexported struct: " + d.w.TypeString(t)}
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		t = t.Underlying().(*types.Struct).Field(i).Type()
		v = v.Field(i)
	}
	return v, nil
}

// unquoted decodes a value of the option "string".
func (d *jsonDecoder) unquoted(raw []byte, t types.Type, v reflect.Value) error {
	if raw[0] == 'n' {
		return d.value(raw, t, v)
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil || !json.Valid([]byte(s)) {
		return &jsonError{text: "json: invalid use of ,string struct tag, trying to unmarshal " + quotedOrUnquoted(raw) + " into " + d.w.TypeString(t)}
	}
	return d.value([]byte(s), t, v)
}

func quotedOrUnquoted(raw []byte) string {
	if raw[0] == '"' {
		return string(raw)
	}
	return "unquoted value"
}

func (d *jsonDecoder) mapping(raw []byte, t types.Type, m *types.Map, v reflect.Value) error {
	if raw[0] == 'n' {
		v.SetZero()
		return nil
	}
	if raw[0] != '{' {
		d.mismatch(raw, t)
		return nil
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return members(raw, func(key string, value json.RawMessage) error {
		path := d.path
		d.path = append(path[:len(path):len(path)], key)
		defer func() { d.path = path }()
		k := reflect.New(v.Type().Key()).Elem()
		ok, err := d.key(key, t, m.Key(), k)
		if !ok || err != nil {
			return err
		}
		x := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(value, m.Elem(), x); err != nil {
			return err
		}
		v.SetMapIndex(k, x)
		return nil
	})
}

// key decodes a key of a map.
func (d *jsonDecoder) key(key string, mapType, t types.Type, k reflect.Value) (bool, error) {
	if k.Kind() != reflect.String || !d.w.IsNative(t) {
		if desc := d.w.descOf(types.NewPointer(t)); desc != nil && desc.shape("UnmarshalText", unmarshalShape) {
			return true, callUnmarshal(desc, "UnmarshalText", k, []byte(key))
		}
		if u, ok := k.Addr().Interface().(encoding.TextUnmarshaler); ok && d.w.IsNative(t) {
			return true, u.UnmarshalText([]byte(key))
		}
	}
	bad := func() (bool, error) {
		d.save(&jsonError{text: d.mismatchText("number "+key, d.w.TypeString(t))})
		return false, nil
	}
	switch {
	case k.Kind() == reflect.String:
		k.SetString(key)
	case k.CanInt():
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil || k.OverflowInt(n) {
			return bad()
		}
		k.SetInt(n)
	case k.CanUint():
		n, err := strconv.ParseUint(key, 10, 64)
		if err != nil || k.OverflowUint(n) {
			return bad()
		}
		k.SetUint(n)
	default:
		d.save(&jsonError{text: d.mismatchText("object", d.w.TypeString(mapType))})
		return false, nil
	}
	return true, nil
}

func (d *jsonDecoder) slice(raw []byte, t types.Type, s *types.Slice, v reflect.Value) error {
	if raw[0] == 'n' {
		v.SetZero()
		return nil
	}
	if b, ok := s.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Uint8 && raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			d.save(err)
			return nil
		}
		v.SetBytes(data)
		return nil
	}
	if raw[0] != '[' {
		d.mismatch(raw, t)
		return nil
	}
	list, err := elements(raw)
	if err != nil {
		return err
	}
	if v.Cap() < len(list) || v.IsNil() {
		more := reflect.MakeSlice(v.Type(), len(list), len(list))
		reflect.Copy(more, v)
		v.Set(more)
	} else {
		old := v.Len()
		v.SetLen(len(list))
		for i := old; i < len(list); i++ {
			v.Index(i).SetZero()
		}
	}
	for i, x := range list {
		if err := d.value(x, s.Elem(), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *jsonDecoder) array(raw []byte, t types.Type, a *types.Array, v reflect.Value) error {
	if raw[0] == 'n' {
		return nil
	}
	if raw[0] != '[' {
		d.mismatch(raw, t)
		return nil
	}
	list, err := elements(raw)
	if err != nil {
		return err
	}
	for i := range v.Len() {
		if i >= len(list) {
			v.Index(i).SetZero()
		} else if err := d.value(list[i], a.Elem(), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}
