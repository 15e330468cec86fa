// Package interp is the contract between those who run cells of Go and those
// who show what comes of them: Engine, Debugger and CommEngine, and what is said
// over them. Kernel, terminal and notebooks know this package alone; session is
// the engine in this process, worker the same in a child process.
package interp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"trafficgpt/display"
)

// Engine is what kernel, repl and notebooks talk to. session.Session implements
// it in this process, worker.Worker over a supervised child process. Eval runs one
// cell at a time; Complete, Inspect, IsComplete and Interrupt may be called
// while it runs. All positions are byte offsets into UTF-8 text.
type Engine interface {
	Eval(ctx context.Context, cell Cell, sink Sink) Result
	Complete(ctx context.Context, code string, pos int) (Completion, error)
	Inspect(ctx context.Context, code string, pos int, detail int) (Inspection, error)
	IsComplete(ctx context.Context, code string) (Completeness, error)
	Interrupt() error
	// Restart drops every variable and starts anew.
	Restart(ctx context.Context) error
	Close() error
}

// Cell is one piece of input.
type Cell struct {
	ID     string // front end's name for it (Jupyter cell id), may be empty
	Number int    // the execution count shown as In[n] and in error positions "cell n"
	Code   string
}

// Sink receives what a cell prints, shows and asks, in the order it happened.
// Implementations must be safe for concurrent use.
type Sink interface {
	display.Sink
	Stdout(p []byte)
	Stderr(p []byte)
	// Input asks the user for a line; without a front end that can ask it
	// returns an error.
	Input(ctx context.Context, prompt string, password bool) (string, error)
}

// Result is how a cell ended. Err is nil on success.
type Result struct {
	Value    display.Bundle // of the last expression, nil when there is none
	Err      *Error
	Duration time.Duration
	Payloads []Payload // what commands ask of the front end
}

// Payload is what a command asks of the front end beside its outputs.
type Payload struct {
	Kind    PayloadKind
	Page    display.Bundle // of a PayloadPage
	Text    string         // of a PayloadNextInput
	Replace bool           // of a PayloadNextInput: in place of the cell, else after it
}

// PayloadKind says what a Payload asks for. Its values are Jupyter's words.
type PayloadKind string

const (
	PayloadPage      PayloadKind = "page"           // show Page beside the cells
	PayloadNextInput PayloadKind = "set_next_input" // offer Text as a cell
)

// Error is why a cell failed.
type Error struct {
	Name        string       // "CompileError", "Panic", "RuntimeError", "Interrupted", "EngineDied", "CommandError", "Error" (must)
	Message     string       // one line
	Traceback   []string     // lines for people, with ANSI colours
	Diagnostics []Diagnostic // positions, for type errors all of them (up to 10)
	Stack       []StackFrame // of a panic: the functions of cells, innermost first
	SessionLost bool         // the child died: variables are gone
}

func (e *Error) Error() string { return e.Name + ": " + e.Message }

// Diagnostic is one message at a position of a cell. Line and Column start at 1.
type Diagnostic struct {
	Cell, Line, Column int
	Message            string
	Source             string // the text of the line
	File               string // of a package of the user's, "" for a cell
}

// Place names the position: cell 3:4:1, or the file of a package.
func (d Diagnostic) Place() string {
	if d.File != "" {
		return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
	}
	return fmt.Sprintf("cell %d:%d:%d", d.Cell, d.Line, d.Column)
}

// StackFrame is a function that a panic has left. Lines are those at which it
// can have called the function before it in the stack: one, unless it calls
// that function on several lines.
type StackFrame struct {
	Func, File string // File is "cell 3", or the file of a package of the user's
	Lines      []int
}

// String is the frame as tracebacks show it: f (cell 3:4).
func (f StackFrame) String() string {
	lines := make([]string, len(f.Lines))
	for i, n := range f.Lines {
		lines[i] = strconv.Itoa(n)
	}
	return f.Func + " (" + f.File + ":" + strings.Join(lines, " or ") + ")"
}

// Completion lists what may replace code[Start:End].
type Completion struct {
	Start, End int
	Items      []CompletionItem
}

// CompletionItem is one candidate: Kind is "function", "type", "variable",
// "constant", "package", "field", "method", "keyword", "path" or "command".
type CompletionItem struct {
	Text, Kind, Signature string
}

// Inspection describes the name at a position.
type Inspection struct {
	Found bool
	Data  display.Bundle
}

// Completeness says whether code can run as it stands. Indent is for the next
// line of what is Incomplete.
type Completeness struct {
	Status Status
	Indent string
}

// Status is the verdict of a Completeness. Its values are Jupyter's words.
type Status string

const (
	Complete   Status = "complete"   // it can run
	Incomplete Status = "incomplete" // it wants more lines
	Invalid    Status = "invalid"    // more lines will not help
	Unknown    Status = "unknown"    // the engine cannot tell
)

// Language describes the language of cells: what the kernel announces and
// notebooks store as language_info.
func Language() map[string]any {
	return map[string]any{
		"name":               "go",
		"version":            "1.26",
		"mimetype":           "text/x-go",
		"file_extension":     ".go",
		"pygments_lexer":     "go",
		"codemirror_mode":    "go",
		"nbconvert_exporter": "script",
	}
}

// KernelName is the name under which the kernel is installed and which
// notebooks name in their kernelspec; KernelTitle is what people read.
const (
	KernelName  = "trafficgpt"
	KernelTitle = "TrafficGPT (Go)"
)
