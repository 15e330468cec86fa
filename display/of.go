package display

import (
	"fmt"
	"image"
	"reflect"
	"strings"
	"sync"
	"time"
)

var converters struct {
	sync.RWMutex
	byType map[reflect.Type]func(any) Bundle
}

// Register makes convert the way values of example's type show themselves, for
// types that cannot have a MIME method. A later call replaces an earlier one.
func Register(example any, convert func(any) Bundle) {
	converters.Lock()
	defer converters.Unlock()
	if converters.byType == nil {
		converters.byType = map[reflect.Type]func(any) Bundle{}
	}
	converters.byType[reflect.TypeOf(example)] = convert
}

// longest is how much plain text of one value is shown.
const longest = 64 << 10

// Of turns any value into what a front end can show: a Rich value as it says,
// a registered type by its converter, an image as PNG, a table of strings as a
// table, errors and Stringers by their own words, and all others as fmt's %+v.
// The result always has text/plain and is the same for equal values.
func Of(v any) Bundle {
	if v == nil {
		return AsText("nil")
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
		return AsText(fmt.Sprintf("nil (%T)", v))
	}
	b := of(v)
	if _, ok := b[Text]; !ok {
		with := Bundle{Text: words(v, b)}
		for k, d := range b {
			with[k] = d
		}
		return with
	}
	return b
}

func of(v any) Bundle {
	if r, ok := v.(Rich); ok {
		return r.MIME()
	}
	converters.RLock()
	convert := converters.byType[reflect.TypeOf(v)]
	converters.RUnlock()
	if convert != nil {
		return convert(v)
	}
	if r, ok := pointerTo(v).(Rich); ok {
		return r.MIME()
	}
	switch x := v.(type) {
	case image.Image:
		return AsImage(x)
	case string:
		return AsText(cut(x))
	case error:
		return AsText(cut(x.Error()))
	case time.Time:
		return AsText(x.Format("2006-01-02 15:04:05.999999999 MST"))
	case fmt.Stringer:
		return AsText(cut(x.String()))
	case [][]string:
		t := &Table{}
		if len(x) > 0 {
			t.Header, t.Rows = x[0], x[1:]
		}
		return t.MIME()
	}
	return AsText(cut(fmt.Sprintf("%+v", v)))
}

// pointerTo is a pointer to a copy of v: a value whose MIME method has a
// pointer receiver shows itself all the same.
func pointerTo(v any) any {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		return nil
	}
	p := reflect.New(rv.Type())
	if _, ok := p.Interface().(Rich); !ok {
		return nil
	}
	p.Elem().Set(rv)
	return p.Interface()
}

// words describes a bundle that brought no plain text.
func words(v any, b Bundle) string {
	switch h := b[HTML].(type) {
	case string:
		return plain(h)
	}
	for _, k := range []string{Markdown, Latex} {
		if s, ok := b[k].(string); ok {
			return s
		}
	}
	return fmt.Sprintf("(%T)", v)
}

// cut keeps the head of a text that would choke a notebook, and says so.
func cut(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + fmt.Sprintf("… (%s bytes in all)", Count(len(s)))
}
