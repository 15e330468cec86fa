package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// stopper interrupts one cell, tells the user when it does not stop, and kills
// the child in the end.
type stopper struct {
	worker  *Worker
	process *process
	cell    uint64
	what    string // in messages: "cell 3"
	sink    interp.Sink

	mu     sync.Mutex
	over   bool
	asked  bool // the child has been told
	warned bool // the user has been told
	timers []*time.Timer
}

// interrupt asks the cell to stop. After the grace the user is told what keeps
// it; from then on another interrupt kills the child. With patience, the child
// is killed after that time in any case.
func (s *stopper) interrupt(patience time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warned {
		s.process.kill(s.reason())
		return
	}
	_ = s.process.send.send(&request{Op: opInterrupt, ID: s.cell})
	if patience > 0 {
		s.timers = append(s.timers, time.AfterFunc(patience, s.kill))
	}
	if !s.asked {
		s.asked = true
		s.timers = append(s.timers, time.AfterFunc(s.worker.opts.Grace, s.warn))
	}
}

func (s *stopper) reason() string {
	return s.what + " did not stop when interrupted"
}

func (s *stopper) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.process.kill(s.reason())
	}
}

// warn tells what the cell waits for.
func (s *stopper) warn() {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	where := "compiled code that cannot be stopped"
	if m, err := s.process.call(ctx, &request{Op: opWhere}); err == nil && m.Text != "" {
		where = m.Text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.warned = true
	s.sink.Stderr(fmt.Appendf(nil, "%s does not stop: it is in %s. Interrupt again to restart the engine; all variables will be gone.\n",
		s.what, where))
}

func (s *stopper) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, t := range s.timers {
		t.Stop()
	}
}

// quiet drops what a cell prints and shows.
type quiet struct{ interp.Sink }

func (quiet) Stdout([]byte)            {}
func (quiet) Stderr([]byte)            {}
func (quiet) Emit(display.Event) error { return nil }
