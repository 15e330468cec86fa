package session

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// router sends what a cell prints to the sink of the cell that runs.
type router struct {
	mu   sync.Mutex
	sink interp.Sink
}

func (r *router) set(s interp.Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink = s
}

// get is the sink of the cell that started the calling goroutine, or else of
// the cell that runs.
func (r *router) get() interp.Sink {
	if s, ok := display.Owner().(interp.Sink); ok {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sink
}

type stdoutOf struct{ r *router }

func (o stdoutOf) Write(p []byte) (int, error) {
	if s := o.r.get(); s != nil {
		s.Stdout(p)
	}
	return len(p), nil
}

type stderrOf struct{ r *router }

func (o stderrOf) Write(p []byte) (int, error) {
	if s := o.r.get(); s != nil {
		s.Stderr(p)
	}
	return len(p), nil
}

// value is the bundle of what the last expression showed.
func (s *Session) value() display.Bundle {
	defer s.debug.begin(true)()
	if len(s.shown) == 0 {
		return nil
	}
	if len(s.shown) == 1 {
		return bundleOf(s.shown[0])
	}
	parts := make([]string, len(s.shown))
	for i, v := range s.shown {
		parts[i] = plainText(v)
	}
	return display.Bundle{display.Text: strings.Join(parts, " ")}
}

func bundleOf(v any) display.Bundle {
	if r, ok := v.(display.Rich); ok && !isNilPointer(v) {
		return r.MIME()
	}
	return display.Bundle{display.Text: plainText(v)}
}

func isNilPointer(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

func plainText(v any) string {
	if e, ok := v.(error); ok && !isNilPointer(v) {
		return e.Error()
	}
	return fmt.Sprintf("%+v", v)
}
