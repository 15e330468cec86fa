package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/assist"
)

// host is a session as the commands of one cell see it.
type host struct {
	s    *Session
	stop context.CancelFunc // of the cell
}

// Begin makes Interrupt stop the commands, as it stops Go.
func (h host) Begin() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.cancel = h.stop
}

// Eval runs Go.
func (h host) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	defer h.Begin()
	return h.s.eval(ctx, cell, sink)
}

// Knows reports whether cells have declared or imported name.
func (h host) Knows(name string) bool {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return h.s.live[name] != nil || h.s.imports[name] != ""
}

// Inspect describes the name that code ends with.
func (h host) Inspect(code string, detail int) interp.Inspection {
	return inspect(code, len(code), detail, h.s.known())
}

// Ran lists the cells that ran without error.
func (h host) Ran() []interp.Cell {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return slices.Clone(h.s.history)
}

// Reset drops everything that cells have declared.
func (h host) Reset() error { return h.s.Restart(context.Background()) }

// Variables lists what cells have declared.
func (h host) Variables() []assist.Variable { return h.s.known().List(h.valueText) }

// widest is how much of a value %vars shows.
const widest = 60

// valueText is a variable's value in one short line, as a cell that ends with
// its name shows it.
func (h host) valueText(name string) string {
	h.s.mu.Lock()
	number := h.s.count
	was := h.s.cells[cellName(number)]
	h.s.mu.Unlock()
	r := h.Eval(context.Background(), interp.Cell{Number: number, Code: name}, nobody{})
	h.s.mu.Lock()
	h.s.cells[cellName(number)] = was
	h.s.mu.Unlock()
	text, _ := r.Value[display.Text].(string)
	text, _, cut := strings.Cut(strings.TrimSpace(text), "\n")
	if utf8.RuneCountInString(text) > widest {
		text, cut = string([]rune(text)[:widest]), true
	}
	if cut {
		text += "…"
	}
	return text
}

// nobody is a sink that drops what it is given and cannot be asked.
type nobody struct{}

func (nobody) Stdout([]byte)            {}
func (nobody) Stderr([]byte)            {}
func (nobody) Emit(display.Event) error { return nil }
func (nobody) Input(context.Context, string, bool) (string, error) {
	return "", errors.New("failed to read input: nobody can be asked here")
}
