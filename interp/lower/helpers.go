package lower

import (
	"go/types"
	"reflect"

	"trafficgpt/interp/rt"
)

// helper names a compiled function made for particular types.
func (l *Lowerer) helper(kind string, in, out []reflect.Type, key any, f func([]reflect.Value) []reflect.Value) string {
	ft := reflect.FuncOf(in, out, false)
	return l.sym("H", [3]any{kind, ft, key}, func() reflect.Value { return reflect.MakeFunc(ft, f) })
}

var (
	anyRep    = reflect.TypeFor[any]()
	boolRep   = reflect.TypeFor[bool]()
	intRep    = reflect.TypeFor[int]()
	stringRep = reflect.TypeFor[string]()
)

func one(v reflect.Value) []reflect.Value { return []reflect.Value{v} }

// asType gives the helper that reads a value of static type t out of an empty
// interface that is known to hold one, or nothing for the zero value.
func (l *Lowerer) asType(rep reflect.Type) string {
	return l.helper("as", []reflect.Type{anyRep}, []reflect.Type{rep}, nil, func(in []reflect.Value) []reflect.Value {
		return one(conform(in[0], rep))
	})
}

// conform makes v, perhaps an interface, a value of type rep.
func conform(v reflect.Value, rep reflect.Type) reflect.Value {
	if v.Kind() == reflect.Interface && rep.Kind() != reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Interface && v.IsNil() {
		return reflect.Zero(rep)
	}
	if v.Type() != rep {
		if rep.Kind() == reflect.Interface {
			out := reflect.New(rep).Elem()
			out.Set(v)
			return out
		}
		return v.Convert(rep)
	}
	return v
}

// assert names the helper for x.(t): with ok it returns (T, bool).
func (l *Lowerer) assert(static, t types.Type, ok bool) string {
	a := l.world.Asserter(t)
	if !types.IsInterface(t) && !l.world.IsNative(t) {
		l.desc(t)
	}
	from, to := l.world.Type(static), l.world.Type(t)
	out := []reflect.Type{to}
	kind := "assert"
	key := any(t)
	if ok {
		out = append(out, boolRep)
		kind = "assertok"
	}
	return l.helper(kind, []reflect.Type{from}, out, typeKey{l.canon(t), l.canon(static)}, func(in []reflect.Value) []reflect.Value {
		_ = key
		var v any
		if !in[0].IsNil() {
			v = in[0].Interface()
		}
		got, yes := a.Assert(v)
		switch {
		case yes:
			got = conform(got, to)
		case ok:
			got = reflect.Zero(to)
		default:
			panic(a.Error(v, static))
		}
		if ok {
			return []reflect.Value{got, reflect.ValueOf(yes)}
		}
		return one(got)
	})
}

type typeKey struct{ to, from types.Type }

// canon returns one representative of all types identical to t.
func (l *Lowerer) canon(t types.Type) types.Type { return l.world.Canon(t) }

// toInterface names the helper that converts a value of cell type t to the
// compiled interface type i.
func (l *Lowerer) toInterface(t, i types.Type, boxed string) string {
	_ = boxed
	d := l.world.Desc(t)
	to := l.world.Type(i)
	sample := reflect.TypeOf(d.Box(reflect.Zero(d.Rep).Interface()))
	if !sample.Implements(to) {
		panic(rt.Unsupported{Msg: "a value of cell type " + d.Name() + " cannot be handed to compiled code as " + l.world.TypeString(i)})
	}
	return l.helper("box", []reflect.Type{d.Rep}, []reflect.Type{to}, [2]any{d, to}, func(in []reflect.Value) []reflect.Value {
		return one(conform(reflect.ValueOf(d.Box(in[0].Interface())), to))
	})
}

// invoke names the dispatcher of an interface method.
func (l *Lowerer) invoke(m *types.Func, deferred bool) string {
	sig := l.world.Type(m.Signature())
	in := []reflect.Type{anyRep}
	for i := range sig.NumIn() {
		in = append(in, sig.In(i))
	}
	out := make([]reflect.Type, sig.NumOut())
	for i := range out {
		out[i] = sig.Out(i)
	}
	name := m.Name()
	w := l.world
	variadic := sig.IsVariadic()
	kind := "invoke"
	if deferred {
		kind = "invokedefer"
		in = append([]reflect.Type{reflect.TypeFor[*rt.Frame]()}, in...)
	}
	return l.helper(kind, in, out, [2]any{name, sig}, func(in []reflect.Value) []reflect.Value {
		var frame *rt.Frame
		if deferred {
			frame = in[0].Interface().(*rt.Frame)
			in = in[1:]
		}
		var v any
		if !in[0].IsNil() {
			v = in[0].Interface()
		}
		recv, fn := w.Invoke(v, name, sig)
		if deferred {
			fn = w.Direct(frame, fn)
		}
		in[0] = recv
		if variadic {
			return fn.CallSlice(in)
		}
		return fn.Call(in)
	})
}

// recv names the helper for <-ch.
func (l *Lowerer) recv(ch reflect.Type) string {
	c := &l.world.Control
	return l.helper("recv", []reflect.Type{ch}, []reflect.Type{ch.Elem(), boolRep}, nil, func(in []reflect.Value) []reflect.Value {
		v, ok := rt.Recv(c, in[0])
		return []reflect.Value{conform(v, ch.Elem()), reflect.ValueOf(ok)}
	})
}

// mapNext names the helper that advances a map iterator.
func (l *Lowerer) mapNext(m reflect.Type) string {
	it := reflect.TypeFor[*rt.MapIter]()
	return l.helper("mapnext", []reflect.Type{it}, []reflect.Type{boolRep, m.Key(), m.Elem()}, m, func(in []reflect.Value) []reflect.Value {
		k, v, ok := in[0].Interface().(*rt.MapIter).Next()
		if !ok {
			return []reflect.Value{reflect.ValueOf(false), reflect.Zero(m.Key()), reflect.Zero(m.Elem())}
		}
		return []reflect.Value{reflect.ValueOf(true), conform(k, m.Key()), conform(v, m.Elem())}
	})
}

// extreme names min or max of two values.
func (l *Lowerer) extreme(name string, t reflect.Type) string {
	return l.helper(name, []reflect.Type{t, t}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(rt.Extreme(name == "max", in[0], in[1]))
	})
}

// sliceToArray names the conversion of a slice to an array pointer.
func (l *Lowerer) sliceToArray(s, p reflect.Type) string {
	return l.helper("toarray", []reflect.Type{s}, []reflect.Type{p}, nil, func(in []reflect.Value) []reflect.Value {
		return one(rt.ToArray(in[0], p))
	})
}

// convert names a conversion that source text cannot express soundly.
func (l *Lowerer) convert(from, to reflect.Type) string {
	return l.helper("convert", []reflect.Type{from}, []reflect.Type{to}, nil, func(in []reflect.Value) []reflect.Value {
		return one(in[0].Convert(to))
	})
}

// assertOrNil names the conversion of an interface value, perhaps nil, to
// another interface type that it is known to implement.
func (l *Lowerer) assertOrNil(static, t types.Type) (string, bool) {
	a := l.world.Asserter(t)
	from, to := l.world.Type(static), l.world.Type(t)
	return l.helper("change", []reflect.Type{from}, []reflect.Type{to}, typeKey{l.canon(t), l.canon(static)}, func(in []reflect.Value) []reflect.Value {
		if in[0].IsNil() {
			return one(reflect.Zero(to))
		}
		v := in[0].Interface()
		got, ok := a.Assert(v)
		if !ok {
			panic(a.Error(v, static))
		}
		return one(conform(got, to))
	}), true
}

// complexQuo names complex division, which yaegi's compiler cannot fold.
func (l *Lowerer) complexQuo(t reflect.Type) string {
	return l.helper("quo", []reflect.Type{t, t}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		v := reflect.New(t).Elem()
		if t.Kind() == reflect.Complex64 {
			v.SetComplex(complex128(complex64(in[0].Complex()) / complex64(in[1].Complex())))
		} else {
			v.SetComplex(in[0].Complex() / in[1].Complex())
		}
		return one(v)
	})
}

func (l *Lowerer) complexOf(t reflect.Type) string {
	f := reflect.TypeFor[float64]()
	if t.Kind() == reflect.Complex64 {
		f = reflect.TypeFor[float32]()
	}
	return l.helper("complex", []reflect.Type{f, f}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		v := reflect.New(t).Elem()
		v.SetComplex(complex(in[0].Float(), in[1].Float()))
		return one(v)
	})
}

func (l *Lowerer) part(name string, from, to reflect.Type) string {
	return l.helper(name, []reflect.Type{from}, []reflect.Type{to}, nil, func(in []reflect.Value) []reflect.Value {
		v := reflect.New(to).Elem()
		if name == "real" {
			v.SetFloat(real(in[0].Complex()))
		} else {
			v.SetFloat(imag(in[0].Complex()))
		}
		return one(v)
	})
}

// numeric names a conversion of floating-point or complex numbers.
func (l *Lowerer) numeric(from, to reflect.Type) string {
	return l.helper("numeric", []reflect.Type{from}, []reflect.Type{to}, nil, func(in []reflect.Value) []reflect.Value {
		return one(rt.Numeric(in[0], to))
	})
}

// appendString names append(bytes, s...).
func (l *Lowerer) appendString(t reflect.Type) string {
	return l.helper("appendstring", []reflect.Type{t, stringRep}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(reflect.AppendSlice(in[0], reflect.ValueOf([]byte(in[1].String())).Convert(t)))
	})
}

// appendSlice names append(s, more...).
func (l *Lowerer) appendSlice(t reflect.Type) string {
	return l.helper("appendslice", []reflect.Type{t, t}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(reflect.AppendSlice(in[0], in[1]))
	})
}

// sliceOf names the function that makes a slice of its n arguments.
func (l *Lowerer) sliceOf(t reflect.Type, n int) string {
	in := make([]reflect.Type, n)
	for i := range in {
		in[i] = t.Elem()
	}
	return l.helper("sliceof", in, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(reflect.Append(reflect.MakeSlice(t, 0, n), in...))
	})
}

// elemAddr names &p[i] for a pointer to an array.
func (l *Lowerer) elemAddr(p reflect.Type) string {
	return l.helper("elem", []reflect.Type{p, intRep}, []reflect.Type{reflect.PointerTo(p.Elem().Elem())}, nil, func(in []reflect.Value) []reflect.Value {
		return one(in[0].Elem().Index(int(in[1].Int())).Addr())
	})
}

// makeChanOf names make(chan) of a size known when it runs.
func (l *Lowerer) makeChanOf(t reflect.Type) string {
	return l.helper("makechan", []reflect.Type{intRep}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(rt.MakeChan(t, int(in[0].Int())))
	})
}

// direct names the function that gives a deferred function value its frame.
func (l *Lowerer) direct(t reflect.Type) string {
	frame := reflect.TypeFor[*rt.Frame]()
	return l.helper("direct", []reflect.Type{frame, t}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(l.world.Direct(in[0].Interface().(*rt.Frame), in[1]))
	})
}

// plainFunc names the function that hides the frame parameter of a closure
// that calls recover.
func (l *Lowerer) plainFunc(t reflect.Type) string {
	frame := reflect.TypeFor[*rt.Frame]()
	in := []reflect.Type{frame}
	for i := range t.NumIn() {
		in = append(in, t.In(i))
	}
	out := make([]reflect.Type, t.NumOut())
	for i := range out {
		out[i] = t.Out(i)
	}
	raw := reflect.FuncOf(in, out, t.IsVariadic())
	return l.helper("plain", []reflect.Type{raw}, []reflect.Type{t}, nil, func(in []reflect.Value) []reflect.Value {
		return one(l.world.Plain(in[0], t))
	})
}

func (l *Lowerer) constantInt(n int64) string {
	return l.sym("C", [3]any{"const", "int", n}, func() reflect.Value { return reflect.ValueOf(int(n)) })
}
