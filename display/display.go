// Package display is the only way out for rich output: MIME bundles, tables,
// display ids, progress and the context of the running cell.
//
// The last line of a cell shows itself; more is shown by a call:
//
//	t := display.NewTable("protocol", "flows")
//	t.Row("dns", 12032)
//	display.Show(t)
//
// A value shows itself by a method MIME() Bundle. The engine opens a cell with
// [Enter]; whatever the cell calls may emit events with [Show], [New] or
// [Progress] and learn through [Context] when the user interrupts. Outside a cell
// (a plain Go program, a test) what is displayed goes to standard output as text,
// in its last state if it is updated in place, and other events are dropped, so
// library code never asks where it runs.
//
// Words:
//
//   - bundle: one value in all its forms, by MIME type; the front end takes the
//     richest that it knows;
//   - event: one piece of output on its way to the front end; a sink takes those of
//     one cell;
//   - owner: the cell that started a goroutine, be it long over; what the goroutine
//     shows goes there;
//   - held back: an update that came too soon after the last and waits for its turn;
//     of several only the last goes out;
//   - comm: a two-way channel to the front end, what widgets are made of.
package display

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Bundle maps a MIME type to its data: string for textual types, []byte for
// binary ones (image/png), any JSON-encodable value for JSON types.
type Bundle map[string]any

// The MIME types that the three front ends know.
const (
	Text     = "text/plain"
	HTML     = "text/html"
	Markdown = "text/markdown"
	SVG      = "image/svg+xml"
	PNG      = "image/png"
	JSON     = "application/json"
	Latex    = "text/latex"

	// ANSI is text with terminal colours. The terminal prefers it to
	// text/plain; Jupyter and the runner leave it out.
	ANSI = "text/x-ansi"
)

// MIME makes a Bundle a Rich value, so that one may be the last line of a cell.
func (b Bundle) MIME() Bundle { return b }

// Rich is a value that shows itself. The bundle should hold text/plain too.
type Rich interface{ MIME() Bundle }

// Kind says what an Event asks of the front end.
type Kind int

const (
	Display   Kind = iota // show Data; ID, if set, may be updated later
	Update                // replace what was shown under ID
	Clear                 // clear the cell's output; Wait: only when the next output comes
	CommOpen              // open, message and close of a comm (Jupyter widgets);
	CommMsg               // ID is the comm id, Target its target name,
	CommClose             // Data[JSON] the payload
)

// Event is one piece of rich output. It is the only such type in the program.
type Event struct {
	Kind     Kind           `json:"kind"`
	ID       string         `json:"id,omitempty"`
	Data     Bundle         `json:"data,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
	Wait     bool           `json:"wait,omitempty"`
	Target   string         `json:"target,omitempty"`
	Buffers  [][]byte       `json:"buffers,omitempty"`
}

// Sink receives the events of a cell, in order. Emit may be called from
// several goroutines at once.
type Sink interface{ Emit(Event) error }

var cell struct {
	sync.Mutex
	now     *running
	waiting map[flusher]bool // what holds back an update
}

// flusher holds back an update that came too soon after the last.
type flusher interface{ flush() }

// Enter makes ctx and sink those of the running cell and returns the function
// that delivers updates still held back and restores what was there before.
// Only the engine calls it, and a command line that has none, with a nil sink:
// what is shown is then printed as text. A sink that also has the method
//
//	Input(ctx context.Context, prompt string, password bool) (string, error)
//
// answers Input and Password.
func Enter(ctx context.Context, sink Sink) (leave func()) {
	cell.Lock()
	defer cell.Unlock()
	old, entered := cell.now, &running{ctx: ctx, sink: sink}
	cell.now = entered
	return func() {
		flushAll()
		cell.Lock()
		defer cell.Unlock()
		cell.now, entered.over = old, true
	}
}

// Context is done when the running cell is interrupted. Library calls that
// take long stop at their next step boundary and return what they have. What a
// cell has left running in the background after its end goes on.
func Context() context.Context {
	r := owner()
	cell.Lock()
	defer cell.Unlock()
	if r == nil {
		r = cell.now
	}
	if r == nil || r.over {
		return context.Background()
	}
	return r.ctx
}

// current is where the calling goroutine shows things: at the cell that
// started it, or else the running one.
func current() Sink {
	if r := owner(); r != nil {
		return r.sink
	}
	cell.Lock()
	defer cell.Unlock()
	if cell.now == nil {
		return nil
	}
	return cell.now.sink
}

// emit hands e to sink; without one, what is displayed is printed as text. A
// front end that has gone away is no concern of the code that shows something,
// so its error ends here.
func emit(sink Sink, e Event) {
	if sink != nil {
		_ = sink.Emit(e)
		return
	}
	if e.Kind == Display {
		flushAll()
	}
	outside.emit(e)
}

// outside prints what is displayed outside a cell. Of what is updated in place
// a notebook keeps the last state, so it waits for that: until it is flushed or
// something else is displayed.
var outside printer

type printer struct {
	mu   sync.Mutex
	held []Event
}

func (p *printer) emit(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.Kind == Display && e.ID != "":
		p.held = append(p.held, e)
	case e.Kind == Display:
		p.release()
		p.print(e)
	case e.Kind == Update:
		for i := range p.held {
			if p.held[i].ID == e.ID {
				p.held[i].Data = e.Data
			}
		}
	}
}

// release prints what was held, in the order in which it was first shown.
func (p *printer) release() {
	for _, e := range p.held {
		p.print(e)
	}
	p.held = nil
}

func (p *printer) print(e Event) {
	if s, ok := e.Data[Text].(string); ok {
		fmt.Fprintln(os.Stdout, strings.TrimSuffix(s, "\n"))
	}
}

// Flush prints, outside a cell, what waits for its last state; a plain program
// calls it before it ends. Within a cell it does nothing.
func Flush() {
	flushAll()
	outside.mu.Lock()
	defer outside.mu.Unlock()
	outside.release()
}
