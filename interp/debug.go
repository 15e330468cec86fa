package interp

import (
	"context"
	"errors"
)

// Debugger is an engine whose cells can be stopped and looked into. While it is
// attached, cells run slower; when it is not, nothing of it runs.
type Debugger interface {
	// Debug answers one request. All but DebugAttach fail while the debugger is
	// not attached.
	Debug(ctx context.Context, r DebugRequest) (DebugReply, error)
	// OnDebug sets who hears of stops; calls come in order, from any goroutine.
	OnDebug(f func(DebugEvent))
}

// DebugAction is what a DebugRequest asks for.
type DebugAction string

const (
	// DebugAttach makes cells that run from now on stop where they are told
	// to, in their own code and in the functions of earlier cells.
	DebugAttach DebugAction = "attach"
	// DebugDetach forgets all breakpoints and lets what stands still go on.
	DebugDetach DebugAction = "detach"
	// DebugBreakpoints replaces the breakpoints in cells of the text Code and
	// replies with where they came to lie.
	DebugBreakpoints DebugAction = "breakpoints"
	// DebugExceptions replaces the Filters: DebugPanics, DebugErrors.
	DebugExceptions DebugAction = "exceptions"
	// DebugThreads lists the goroutines that run code of cells.
	DebugThreads DebugAction = "threads"
	// DebugFrames lists the calls of a stopped Thread, innermost first.
	DebugFrames DebugAction = "frames"
	// DebugLocals lists the variables of a Frame.
	DebugLocals DebugAction = "locals"
	// DebugGlobals lists the variables of the session, also between cells.
	DebugGlobals DebugAction = "globals"
	// DebugChildren lists what the variable of a Ref is made of, Count of it
	// from Start on if Count is not 0.
	DebugChildren DebugAction = "children"
	// DebugEvaluate runs Code, an expression or statements, in a Frame; 0 is
	// the session.
	DebugEvaluate DebugAction = "evaluate"
	// DebugCopy makes the variable Name of a Frame one of the session, called
	// Target.
	DebugCopy DebugAction = "copy"
	// DebugContinue, DebugNext, DebugStepIn and DebugStepOut let a stopped
	// Thread go on: to the next breakpoint, to the next line of the function,
	// to the next statement anywhere, to the caller.
	DebugContinue DebugAction = "continue"
	DebugNext     DebugAction = "next"
	DebugStepIn   DebugAction = "stepIn"
	DebugStepOut  DebugAction = "stepOut"
	// DebugPause stops whatever runs at its next statement.
	DebugPause DebugAction = "pause"
)

// The filters of DebugExceptions.
const (
	DebugPanics = "panic" // panics that nothing recovers from
	DebugErrors = "error" // errors that must was given
)

// ErrNotAttached is the error of requests that need DebugAttach first.
var ErrNotAttached = errors.New("the debugger is not attached")

// DebugRequest is a request to a Debugger; which fields count depends on Do.
type DebugRequest struct {
	Do           DebugAction
	Thread       int // 0 is any that is stopped
	Frame        int
	Ref          int
	Start, Count int
	Code         string
	Name, Target string
	Breakpoints  []Breakpoint
	Filters      []string
}

// DebugReply is the answer; which fields are set depends on the request.
type DebugReply struct {
	Breakpoints []Breakpoint
	Threads     []DebugThread
	Frames      []DebugFrame
	Variables   []DebugVariable
	Value       DebugVariable
	Thread      int // that goes on
}

// Breakpoint is a line of a cell, from 1, where cells stop.
type Breakpoint struct {
	Line int
	// Condition is a Go expression of type bool; the cell stops where it is true.
	Condition string
	// Hits is how often the line is passed before the cell stops there.
	Hits int
	// Log is printed instead of stopping, with the values of the Go
	// expressions in it that stand between braces.
	Log string
	// Why says, in replies, why there can be no breakpoint; empty if there is.
	Why string
}

// DebugThread is a goroutine. The cell's own has the number 1.
type DebugThread struct {
	ID      int
	Name    string
	Stopped bool
}

// DebugFrame is a call.
type DebugFrame struct {
	ID           int
	Name         string
	Cell         int    // its number
	Code         string // of the cell
	Line, Column int    // from 1
}

// DebugVariable is a variable or a part of one. Ref is 0 if it has no parts.
type DebugVariable struct {
	Name, Value, Type string
	Ref               int
	Named, Indexed    int // how many parts of each kind
}

// DebugEventKind says what a DebugEvent tells of.
type DebugEventKind string

const (
	DebugStopped    DebugEventKind = "stopped"    // a thread stands
	DebugContinued  DebugEventKind = "continued"  // a thread goes on
	DebugTerminated DebugEventKind = "terminated" // the engine is gone
)

// DebugEvent is told to the function given to OnDebug.
type DebugEvent struct {
	Kind   DebugEventKind
	Thread int
	Reason string // of a stop: "breakpoint", "step", "pause", "exception"
	Text   string // what was panicked with
	Line   int    // of the breakpoint
}
