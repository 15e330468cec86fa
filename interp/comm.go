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

// Comm delivers a comm event of the front end.
func (s *Session) Comm(ctx context.Context, e display.Event, sink Sink) error {
	s.run.Lock()
	defer s.run.Unlock()
	if err := s.unstick(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	var refused error
	r := s.execute(ctx, &plan{entry: func() { refused = display.Deliver(e) }}, sink)
	switch {
	case r.Err != nil:
		return r.Err
	case refused != nil:
		return &Error{Name: "CommError", Message: refused.Error()}
	}
	return nil
}

// unstick makes the session usable again after an interrupted cell that did
// not stop at once, if it has ended meanwhile. The caller holds run.
func (s *Session) unstick() *Error {
	if s.stuck == nil {
		return nil
	}
	select {
	case <-s.stuck:
		s.stuck = nil
		s.resume()
		return nil
	default:
		return &Error{Name: "Interrupted", Message: "a cell was interrupted; " + stillIn() + ": wait for it, or restart (%restart) to be rid of it"}
	}
}
