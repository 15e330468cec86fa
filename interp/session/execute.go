package session

import (
	"context"
	"strings"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/rt"
)

// execute runs the cell's function in a goroutine of its own and waits for its
// end or for an interrupt.
func (s *Session) execute(ctx context.Context, p *plan, sink interp.Sink) interp.Result {
	s.out.set(sink)
	leave := display.Enter(ctx, sink)
	defer leave()
	s.shown = nil
	s.exec.forget()
	s.world.Control.Exiting.Store(false)
	crashed := s.watchCrash() // before anything can panic
	done := s.start(p)
	var end any
	interrupted := false
	select {
	case end = <-done:
		if _, left := end.(goexit); left && p.program {
			// the other goroutines of a program go on
			select {
			case c := <-crashed:
				s.halt()
				return interp.Result{Err: s.panicError(c, true)}
			case <-ctx.Done():
			}
		}
	case c := <-crashed:
		s.halt()
		if !p.program { // which ends at once, without its deferred calls
			s.drain(done, drainLimit)
		}
		return interp.Result{Err: s.panicError(c, true)}
	case <-ctx.Done():
		interrupted = true
		if v, ok := s.settle(done); ok {
			end = v
		} else {
			return interp.Result{Err: &interp.Error{Name: "Interrupted", Message: "interrupted; " + stillIn() + ": wait for it, or restart (%restart) to be rid of it"}}
		}
	}
	f, failed := end.(fault)
	if unwound := f.value == any(rt.ErrInterrupted); unwound || interrupted && ctx.Err() != nil {
		return interp.Result{Err: &interp.Error{Name: "Interrupted", Message: "interrupted"}}
	}
	switch {
	case failed:
		return interp.Result{Err: s.panicError(f, false)}
	case end != fine:
		return interp.Result{Err: s.panicError(fault{value: end}, false)}
	}
	return interp.Result{Value: s.value()}
}

// start runs the cell's function in a goroutine and sends how that ended: fine,
// a fault, or goexit.
func (s *Session) start(p *plan) chan any {
	done := make(chan any, 1)
	go func() {
		var failed any = fine
		defer s.debug.begin(false)()
		defer func() {
			if v := recover(); v != nil {
				s.debug.uncaught(v)
				failed = fault{rt.MapPanic(v), s.exec.passed()}
			} else if failed == nil {
				failed = goexit{}
			}
			done <- failed
		}()
		display.Own()
		failed = nil
		p.entry()
		failed = fine
	}()
	return done
}

// goexit is the end of a cell that called runtime.Goexit.
type goexit struct{}

// fine marks a cell that came to its end.
var fine any = new(int)

func (s *Session) halt() {
	s.world.Control.Stop()
	s.exec.halt()
}

// drainLimit is how long an interrupted cell may take to end; libraryLimit, how
// much of it the library has to come back with what it has.
const (
	drainLimit   = 250 * time.Millisecond
	libraryLimit = 150 * time.Millisecond
)

// settle waits for an interrupted cell. One that is within this project's
// library, which sees the interrupt itself, first gets the time to take what
// the library returns.
func (s *Session) settle(done chan any) (any, bool) {
	limit := drainLimit
	if strings.HasPrefix(Where(), "trafficgpt/") {
		select {
		case v := <-done:
			return v, true
		case <-time.After(libraryLimit):
			limit -= libraryLimit
		}
	}
	s.halt()
	return s.drain(done, limit)
}

// drain waits for a halted cell.
func (s *Session) drain(done chan any, limit time.Duration) (any, bool) {
	select {
	case v := <-done:
		s.resume()
		return v, true
	case <-time.After(limit):
		stuck := make(chan struct{})
		s.stuck = stuck
		go func() {
			<-done
			close(stuck)
		}()
		return nil, false
	}
}

// resume lets code run again after a halt and runs the deferred calls that
// interrupted functions left.
func (s *Session) resume() {
	s.exec.release()
	late := s.world.Control.Resume()
	if len(late) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range late {
			func() {
				defer func() { _ = recover() }()
				f()
			}()
		}
	}()
	select {
	case <-done:
	case <-time.After(40 * time.Millisecond):
	}
}
