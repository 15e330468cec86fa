// Package repl is the terminal: it reads cells, runs them in an engine and
// shows what they give. On a terminal it edits several lines, colours,
// completes and keeps a history; from a pipe it runs all its input. It is the
// only package that knows about terminals.
package repl

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"trafficgpt/interp"
)

// Options of a session.
type Options struct {
	Version string // for the banner
	// History is the file that keeps what was typed; empty means one in the
	// user's state folder, "-" none.
	History string
	// Images says how pictures are shown: kitty, iterm2, sixel or none; empty
	// means to find out, TRAFFICGPT_IMAGES overrides.
	Images string
	// Catch, where it is set, has f called for every interrupt of the process
	// until release: it interrupts the running cell.
	Catch func(f func()) (release func())
}

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInterrupted = 130
)

// Run reads from in until it ends and returns the exit code. When in and out
// are a terminal it is interactive; then an error in a cell is no reason to
// leave. Otherwise it stops at the first error with code 1, and with 130 when
// it is interrupted. The caller closes engine.
func Run(ctx context.Context, engine interp.Engine, in, out *os.File, errw io.Writer, opts Options) int {
	if term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb" {
		return interactive(ctx, engine, in, out, errw, opts)
	}
	return plain(ctx, engine, in, out, errw, opts)
}

// evaluate runs one cell; an interrupt of the process ends it.
func (o *Options) evaluate(ctx context.Context, engine interp.Engine, cell interp.Cell, sink interp.Sink) interp.Result {
	if o.Catch != nil {
		// An engine that cannot be interrupted says so by its result.
		defer o.Catch(func() { _ = engine.Interrupt() })()
	}
	return engine.Eval(ctx, cell, sink)
}

// report writes why a cell failed.
func report(w io.Writer, e *interp.Error, color bool) {
	lines := e.Traceback
	if len(lines) == 0 {
		lines = []string{"\x1b[31m" + e.Name + "\x1b[0m: " + e.Message}
	}
	text := strings.TrimRight(strings.Join(lines, "\n"), "\n")
	if !color {
		text = ansi.Strip(text)
	}
	fmt.Fprintln(w, text)
}

// slow is the run time of a cell that is worth a word.
const slow = 2 * time.Second
