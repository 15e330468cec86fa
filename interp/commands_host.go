package interp

import (
	"context"
	"errors"
	"go/types"
	"slices"
	"strings"
	"unicode/utf8"

	"trafficgpt/display"
)

func init() {
	commandHook = func(s *Session, ctx context.Context, cell Cell, sink Sink) (bool, Result) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		r, isCommand := runCommands(ctx, sessionHost{s, cancel}, cell, sink)
		if !isCommand {
			r = s.eval(ctx, cell, sink)
		}
		if r.Err == nil {
			s.mu.Lock()
			s.history = append(s.history, cell)
			s.mu.Unlock()
		}
		return true, r
	}
}

// sessionHost is a session as commands see it.
type sessionHost struct {
	*Session
	stop context.CancelFunc // of the cell with the commands
}

func (h sessionHost) evalGo(ctx context.Context, cell Cell, sink Sink) Result {
	defer h.interruptible()
	return h.eval(ctx, cell, sink)
}

// interruptible makes Interrupt stop the commands, as it stops Go.
func (h sessionHost) interruptible() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel = h.stop
}

// begin is called before the commands of a cell run.
func (h sessionHost) begin() { h.interruptible() }

func (h sessionHost) ran() []Cell {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.history)
}

func (h sessionHost) reset() error { return h.Restart(context.Background()) }

// widest is how much of a value %vars shows.
const widest = 60

func (h sessionHost) variables() []Variable {
	known := h.known()
	var list []Variable
	for name, obj := range known.objects {
		v := Variable{Name: name, Kind: objectKind(obj), Type: signature(obj)}
		switch obj := obj.(type) {
		case *types.Var:
			v.Value = h.valueText(name)
		case *types.Const:
			v.Type, v.Value = types.TypeString(obj.Type(), shortNames), obj.Val().String()
		}
		list = append(list, v)
	}
	for name, path := range known.imports {
		list = append(list, Variable{Name: name, Kind: "package", Type: path})
	}
	slices.SortFunc(list, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// valueText is a variable's value in one short line, as a cell that ends with
// its name shows it.
func (h sessionHost) valueText(name string) string {
	h.mu.Lock()
	number := h.count
	was := h.cells[cellName(number)]
	h.mu.Unlock()
	r := h.evalGo(context.Background(), Cell{Number: number, Code: name}, silent{nobody{}})
	h.mu.Lock()
	h.cells[cellName(number)] = was
	h.mu.Unlock()
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

// nobody is a sink that cannot be asked.
type nobody struct{ Sink }

func (nobody) Input(context.Context, string, bool) (string, error) {
	return "", errors.New("failed to read input: nobody can be asked here")
}
