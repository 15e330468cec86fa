package worker

import (
	"context"
	"errors"

	"trafficgpt/display"
	"trafficgpt/interp"
)

var _ interp.CommEngine = (*Worker)(nil)

// Comm has the child deliver a comm event of the front end. It takes its turn
// with cells.
func (w *Worker) Comm(ctx context.Context, e display.Event, sink interp.Sink) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return &interp.Error{Name: "Interrupted", Message: "interrupted before it began"}
	}
	r := w.perform(ctx, &request{Op: opComm, Event: packEvent(e)}, "what a control called", sink)
	if r.Err != nil {
		return r.Err
	}
	return nil
}

// comm is the child's side of Comm.
func (c *child) comm(ctx context.Context, r *request, sink interp.Sink) interp.Result {
	engine, ok := c.engine.(interp.CommEngine)
	if !ok {
		return interp.Result{Err: &interp.Error{Name: "CommError", Message: "this engine has no comms"}}
	}
	err := engine.Comm(ctx, r.Event.unpack(), sink)
	if err == nil {
		return interp.Result{}
	}
	if failed := (*interp.Error)(nil); errors.As(err, &failed) {
		return interp.Result{Err: failed}
	}
	return interp.Result{Err: &interp.Error{Name: "CommError", Message: err.Error()}}
}
