package session

import (
	"context"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// Comm delivers a comm event of the front end.
func (s *Session) Comm(ctx context.Context, e display.Event, sink interp.Sink) error {
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
		return &interp.Error{Name: "CommError", Message: refused.Error()}
	}
	return nil
}

// unstick makes the session usable again after an interrupted cell that did
// not stop at once, if it has ended meanwhile. The caller holds run.
func (s *Session) unstick() *interp.Error {
	if s.stuck == nil {
		return nil
	}
	select {
	case <-s.stuck:
		s.stuck = nil
		s.resume()
		return nil
	default:
		return &interp.Error{Name: "Interrupted", Message: "a cell was interrupted; " + stillIn() + ": wait for it, or restart (%restart) to be rid of it"}
	}
}
