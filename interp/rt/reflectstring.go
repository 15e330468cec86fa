package rt

import (
	"fmt"
	"go/types"
	"strconv"
	"strings"
)

// TypeString prints t as reflect.Type.String does: names with their package
// name, type arguments with their full path, struct tags quoted.
// Types that were declared anew are named as such.
func (w *World) TypeString(t types.Type) string {
	b := typeWriter{w: w}
	b.typ(t, func(p *types.Package) string { return p.Name() })
	return b.String()
}

func byPath(p *types.Package) string { return p.Path() }

// typeWriter writes types; q names a package.
type typeWriter struct {
	strings.Builder
	w *World
}

func (b *typeWriter) typ(t types.Type, q func(*types.Package) string) {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		if t.Obj().Pkg() != nil {
			b.WriteString(q(t.Obj().Pkg()) + ".")
		}
		b.WriteString(t.Obj().Name())
		if n := t.TypeArgs().Len(); n > 0 {
			b.WriteByte('[')
			for i := range n {
				if i > 0 {
					b.WriteByte(',')
				}
				b.typ(t.TypeArgs().At(i), byPath)
			}
			b.WriteByte(']')
		}
		if b.w.isStale(t.Obj()) {
			b.WriteString(" (earlier version)")
		}
	case *types.Basic:
		b.WriteString(t.Name())
	case *types.Pointer:
		b.WriteByte('*')
		b.typ(t.Elem(), q)
	case *types.Slice:
		b.WriteString("[]")
		b.typ(t.Elem(), q)
	case *types.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		b.typ(t.Elem(), q)
	case *types.Map:
		b.WriteString("map[")
		b.typ(t.Key(), q)
		b.WriteByte(']')
		b.typ(t.Elem(), q)
	case *types.Chan:
		switch t.Dir() {
		case types.SendOnly:
			b.WriteString("chan<- ")
		case types.RecvOnly:
			b.WriteString("<-chan ")
		default:
			b.WriteString("chan ")
			if c, ok := types.Unalias(t.Elem()).(*types.Chan); ok && c.Dir() == types.RecvOnly {
				b.WriteByte('(')
				defer b.WriteByte(')')
			}
		}
		b.typ(t.Elem(), q)
	case *types.Signature:
		b.WriteString("func")
		b.signature(t, q)
	case *types.Struct:
		b.structure(t, q)
	case *types.Interface:
		b.iface(t, q)
	default:
		b.WriteString(t.String())
	}
}

func (b *typeWriter) structure(t *types.Struct, q func(*types.Package) string) {
	if t.NumFields() == 0 {
		b.WriteString("struct {}")
		return
	}
	b.WriteString("struct { ")
	for i := range t.NumFields() {
		if i > 0 {
			b.WriteString("; ")
		}
		f := t.Field(i)
		if !f.Embedded() {
			b.WriteString(f.Name() + " ")
		}
		b.typ(f.Type(), q)
		if tag := t.Tag(i); tag != "" {
			b.WriteString(" " + strconv.Quote(tag))
		}
	}
	b.WriteString(" }")
}

func (b *typeWriter) iface(t *types.Interface, q func(*types.Package) string) {
	if t.NumMethods() == 0 {
		b.WriteString("interface {}")
		return
	}
	b.WriteString("interface { ")
	for i := range t.NumMethods() {
		if i > 0 {
			b.WriteString("; ")
		}
		m := t.Method(i)
		if !m.Exported() && m.Pkg() != nil {
			b.WriteString(q(m.Pkg()) + ".")
		}
		b.WriteString(m.Name())
		b.signature(m.Signature(), q)
	}
	b.WriteString(" }")
}

func (b *typeWriter) signature(s *types.Signature, q func(*types.Package) string) {
	b.WriteByte('(')
	for i := range s.Params().Len() {
		if i > 0 {
			b.WriteString(", ")
		}
		t := s.Params().At(i).Type()
		if s.Variadic() && i == s.Params().Len()-1 {
			if sl, ok := t.(*types.Slice); ok {
				b.WriteString("...")
				t = sl.Elem()
			}
		}
		b.typ(t, q)
	}
	b.WriteByte(')')
	switch r := s.Results(); {
	case r.Len() == 1:
		b.WriteByte(' ')
		b.typ(r.At(0).Type(), q)
	case r.Len() > 1:
		b.WriteString(" (")
		for i := range r.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.typ(r.At(i).Type(), q)
		}
		b.WriteByte(')')
	}
}
