package interp

import (
	"context"

	"trafficgpt/display"
)

// CommEngine is an engine whose cells can own comms (the controls of
// lib/widgets). Comm hands over what a front end sent: an event of kind
// CommOpen, CommMsg or CommClose. What it sets off runs like a cell: it waits
// for its turn, can be interrupted, and prints and shows to sink. The error is
// an *Error: CommError when nobody receives the event, else how the receiver
// failed.
type CommEngine interface {
	Comm(ctx context.Context, e display.Event, sink Sink) error
}
