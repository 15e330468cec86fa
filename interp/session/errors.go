package session

import (
	"fmt"
	"go/token"
	"sort"
	"strings"

	"trafficgpt/interp"
	"trafficgpt/interp/lower"
	"trafficgpt/interp/rt"
)

const maxErrors = 10

const inAGoroutine = " (in a goroutine)"

// compileError makes the error of a cell that failed its check.
func (s *Session) compileError(cell interp.Cell, err error) *interp.Error {
	e := &interp.Error{Name: "CompileError"}
	add := func(p token.Position, msg string) {
		d := interp.Diagnostic{Cell: cell.Number, Line: p.Line, Column: p.Column, Message: msg}
		src := cell.Code
		if n, ok := cellNumber(p.Filename); ok {
			d.Cell, src = n, s.cells[p.Filename]
		} else if text, ok := s.cells[p.Filename]; ok {
			d.Cell, d.File, src = 0, p.Filename, text
		}
		if lines := strings.Split(src, "\n"); p.Line >= 1 && p.Line <= len(lines) {
			d.Source = lines[p.Line-1]
		}
		if len(e.Diagnostics) < maxErrors {
			e.Diagnostics = append(e.Diagnostics, d)
		}
	}
	switch x := err.(type) {
	case typeErrors:
		list := append(typeErrors(nil), x...)
		sort.SliceStable(list, func(i, j int) bool { return list[i].Pos < list[j].Pos })
		for _, t := range list {
			if strings.HasPrefix(t.Msg, "\t") {
				continue // a continuation of the error before
			}
			add(s.fset.Position(t.Pos), t.Msg)
		}
	case *lower.Refusal:
		add(s.fset.Position(x.Pos), x.Msg)
	default:
		if list, ok := syntaxErrors(err); ok {
			for _, t := range list {
				add(t.Pos, t.Msg)
			}
		} else {
			e.Message = err.Error()
			e.Traceback = []string{red("CompileError") + ": " + e.Message}
			return e
		}
	}
	e.Message = e.Diagnostics[0].Message
	for _, d := range e.Diagnostics {
		e.Traceback = append(e.Traceback, fmt.Sprintf("%s %s: %s", red("error"), d.Place(), d.Message))
		e.Traceback = append(e.Traceback, caret(d)...)
	}
	return e
}

// cellNumber takes "cell 3" apart.
func cellNumber(file string) (n int, ok bool) {
	_, err := fmt.Sscanf(file, "cell %d", &n)
	return n, err == nil
}

func red(s string) string { return "\x1b[31;1m" + s + "\x1b[0m" }

// caret shows the line of a diagnostic and points at its column.
func caret(d interp.Diagnostic) []string {
	if d.Source == "" {
		return nil
	}
	var pad strings.Builder
	for i, r := range d.Source {
		if i >= d.Column-1 {
			break
		}
		if r == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	return []string{"    " + d.Source, "    " + pad.String() + red("^")}
}

// panicError makes the error of a cell that panicked.
func (s *Session) panicError(f fault, goroutine bool) *interp.Error {
	e := &interp.Error{Name: "Panic"}
	v := f.value
	switch x := v.(type) {
	case mustFailure:
		e.Name, e.Message = "Error", x.err.Error()
	case rt.Exit:
		e.Name, e.Message = "Exit", fmt.Sprintf("os.Exit(%d)", int(x))
		s.exitCode = int(x)
	case rt.Refusal:
		e.Name, e.Message = "Refused", x.Text
	case goexit:
		e.Message = "the cell ended by runtime.Goexit"
	case interface{ RuntimeError() }:
		e.Name = "RuntimeError"
		e.Message = rt.PanicText(v)
	default:
		e.Message = rt.PanicText(v)
	}
	if goroutine {
		e.Message += inAGoroutine
	}
	s.place(e, f.way)
	e.Traceback = append([]string{red(e.Name) + ": " + e.Message}, e.Traceback...)
	return e
}

// place adds the position of the fault and the stack of cell functions.
func (s *Session) place(e *interp.Error, way passage) {
	frames, at := s.stack(way)
	if pos := s.startOf(at); pos.IsValid() {
		p := s.fset.Position(pos)
		d := interp.Diagnostic{Line: p.Line, Column: p.Column, Message: e.Message}
		n, isCell := cellNumber(p.Filename)
		if text, ok := s.cells[p.Filename]; ok {
			if d.Cell = n; !isCell {
				d.File = p.Filename
			}
			if lines := strings.Split(text, "\n"); p.Line >= 1 && p.Line <= len(lines) {
				d.Source = lines[p.Line-1]
			}
			e.Diagnostics = append(e.Diagnostics, d)
			e.Traceback = append(e.Traceback, d.Place())
			e.Traceback = append(e.Traceback, caret(d)...)
		}
	}
	e.Stack = frames
	for _, f := range e.Stack {
		e.Traceback = append(e.Traceback, "  in "+f.String())
	}
}

// startOf is where the call with this parenthesis starts.
func (s *Session) startOf(pos token.Pos) token.Pos {
	if start, ok := s.starts[pos]; ok {
		return start
	}
	return pos
}

// fault is a panic and its way.
type fault struct {
	value any // as Go has it
	way   passage
}

// goroutinePanic ends the running cell with the panic of a goroutine.
func (s *Session) goroutinePanic(v any, _ string) {
	s.debug.uncaught(v)
	select {
	case s.crashes <- fault{v, s.exec.passed()}:
	default:
	}
}

// watchCrash returns the channel of the panics of goroutines, without those
// that came when no cell ran.
func (s *Session) watchCrash() <-chan fault {
	select {
	case <-s.crashes:
	default:
	}
	return s.crashes
}
