// Package kerneltest runs a kernel in the test's own process: with a scripted
// engine that does exactly what a cell says, and clients to talk to it.
package kerneltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// Engine obeys cells of one command a line:
//
//	print TEXT         to stdout, with a newline; \r and \x escapes as in Go
//	warn TEXT          to stderr
//	lines N            prints N numbered lines
//	show N             displays N numbered texts
//	storm N            prints N numbered lines to stdout and stderr in turn, each a stream message
//	value TEXT         the cell's value
//	display ID TEXT    shows text under an id
//	update ID TEXT     replaces it
//	clear              clears the output when the next comes
//	sleep DURATION     or until interrupted
//	fail MESSAGE       ends the cell with an error
//	panic MESSAGE      the engine itself panics
//	ask PROMPT         asks for a line and prints it
//	password PROMPT    the same, hidden
//	late DURATION TEXT prints after the cell has ended
//	set NAME           keeps a name, which get NAME requires
//	get NAME
//	page TEXT          a pager payload
//	next TEXT          a payload that sets the next input
//	comm ID TARGET     opens a comm; what is sent to it is echoed
type Engine struct {
	mu     sync.Mutex
	stop   chan struct{}
	names  map[string]bool
	closed bool
	owner  map[string]interp.Sink
}

// NewEngine makes an engine with no names.
func NewEngine() *Engine {
	return &Engine{names: make(map[string]bool), owner: make(map[string]interp.Sink)}
}

// Closed tells whether the kernel has closed the engine.
func (e *Engine) Closed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

var errStopped = errors.New("interrupted")

// Eval runs the commands of a cell.
func (e *Engine) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	stop := make(chan struct{})
	e.mu.Lock()
	e.stop = stop
	e.mu.Unlock()
	var res interp.Result
	for line := range strings.Lines(cell.Code) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := e.command(ctx, stop, sink, &res, verb, rest); err != nil {
			name := "Error"
			if errors.Is(err, errStopped) {
				name = "Interrupted"
			}
			res.Err = &interp.Error{Name: name, Message: err.Error(), Traceback: []string{"cell " + strconv.Itoa(cell.Number), err.Error()}}
			return res
		}
	}
	return res
}

func (e *Engine) command(ctx context.Context, stop chan struct{}, sink interp.Sink, res *interp.Result, verb, rest string) error {
	id, after, _ := strings.Cut(rest, " ")
	switch verb {
	case "":
	case "print":
		sink.Stdout([]byte(unescape(rest) + "\n"))
	case "warn":
		sink.Stderr([]byte(rest + "\n"))
	case "lines", "show", "storm":
		return repeat(sink, verb, rest)
	case "value":
		res.Value = display.Bundle{display.Text: rest}
	case "display":
		return sink.Emit(display.Event{Kind: display.Display, ID: id, Data: display.Bundle{display.Text: after}})
	case "update":
		return sink.Emit(display.Event{Kind: display.Update, ID: id, Data: display.Bundle{display.Text: after}})
	case "clear":
		return sink.Emit(display.Event{Kind: display.Clear, Wait: true})
	case "sleep":
		return pause(ctx, stop, rest)
	case "fail":
		return errors.New(rest)
	case "panic":
		panic(rest)
	case "ask", "password":
		line, err := sink.Input(ctx, rest, verb == "password")
		if err != nil {
			return err
		}
		sink.Stdout([]byte(line + "\n"))
	case "late":
		d, err := time.ParseDuration(id)
		if err != nil {
			return err
		}
		time.AfterFunc(d, func() { sink.Stdout([]byte(after + "\n")) })
	case "set", "get":
		return e.name(verb, rest)
	case "page":
		res.Payloads = append(res.Payloads, interp.Payload{Kind: interp.PayloadPage, Page: display.Bundle{display.Text: rest}})
	case "next":
		res.Payloads = append(res.Payloads, interp.Payload{Kind: interp.PayloadNextInput, Text: rest})
	case "comm":
		e.mu.Lock()
		e.owner[id] = sink
		e.mu.Unlock()
		return sink.Emit(display.Event{Kind: display.CommOpen, ID: id, Target: after, Data: display.Bundle{display.JSON: map[string]any{"state": 1}}})
	default:
		return fmt.Errorf("undefined: %s", verb)
	}
	return nil
}

func unescape(s string) string {
	if u, err := strconv.Unquote(`"` + s + `"`); err == nil {
		return u
	}
	return s
}

func repeat(sink interp.Sink, verb, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	for i := range n {
		text := "line " + strconv.Itoa(i)
		if verb == "lines" || verb == "storm" && i%2 == 0 {
			sink.Stdout([]byte(text + "\n"))
		} else if verb == "storm" {
			sink.Stderr([]byte(text + "\n"))
		} else if err := sink.Emit(display.Event{Kind: display.Display, Data: display.Bundle{display.Text: text}}); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, stop chan struct{}, length string) error {
	d, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-stop:
		return errStopped
	case <-ctx.Done():
		return errStopped
	}
}

func (e *Engine) name(verb, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if verb == "set" {
		e.names[name] = true
	} else if !e.names[name] {
		return fmt.Errorf("undefined: %s", name)
	}
	return nil
}

// Complete offers the commands that begin like the word before pos.
func (e *Engine) Complete(_ context.Context, code string, pos int) (interp.Completion, error) {
	start := strings.LastIndexAny(code[:pos], " \n") + 1
	c := interp.Completion{Start: start, End: pos}
	for _, word := range []string{"print", "panic", "page", "password"} {
		if strings.HasPrefix(word, code[start:pos]) && start < pos {
			c.Items = append(c.Items, interp.CompletionItem{Text: word, Kind: "keyword"})
		}
	}
	return c, nil
}

// Inspect knows the word print.
func (e *Engine) Inspect(_ context.Context, code string, pos int, detail int) (interp.Inspection, error) {
	if !strings.Contains(code, "print") {
		return interp.Inspection{}, nil
	}
	return interp.Inspection{Found: true, Data: display.Bundle{display.Text: fmt.Sprintf("print at %d, detail %d", pos, detail)}}, nil
}

// IsComplete finds a cell that ends in a backslash incomplete.
func (e *Engine) IsComplete(_ context.Context, code string) (interp.Completeness, error) {
	if strings.HasSuffix(code, `\`) {
		return interp.Completeness{Status: interp.Incomplete, Indent: "  "}, nil
	}
	return interp.Completeness{Status: interp.Complete}, nil
}

// Interrupt ends a sleep.
func (e *Engine) Interrupt() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop != nil {
		close(e.stop)
		e.stop = nil
	}
	return nil
}

// Restart forgets the names.
func (e *Engine) Restart(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.names)
	return nil
}

// Close is remembered.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// Comm echoes messages, refuses the target "refuse", and is busy for a minute
// with a message that says hang.
func (e *Engine) Comm(ctx context.Context, ev display.Event, sink interp.Sink) error {
	if ev.Target == "refuse" {
		return errors.New("no receiver for refuse")
	}
	if ev.Kind != display.CommMsg {
		return nil
	}
	if data, ok := ev.Data[display.JSON].(json.RawMessage); ok && strings.Contains(string(data), "hang") {
		stop := make(chan struct{})
		e.mu.Lock()
		e.stop = stop
		e.mu.Unlock()
		return pause(ctx, stop, "1m")
	}
	return sink.Emit(display.Event{Kind: display.CommMsg, ID: ev.ID, Data: ev.Data, Buffers: ev.Buffers})
}
