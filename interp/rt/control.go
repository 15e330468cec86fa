package rt

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Control is how the session stops what runs.
type Control struct {
	stopped atomic.Bool
	// Exiting is set while a cell ends itself with os.Exit, which runs no
	// deferred calls.
	Exiting atomic.Bool
	mu      sync.Mutex
	done    chan struct{}
	// Crash receives the panic of a goroutine that a cell started.
	Crash func(v any, fn string)
	// Trace is told of panics in deferred calls and of those recovered.
	Trace Tracer
	// Late collects deferred calls of interrupted functions.
	late []func()
}

// Tracer follows the panics of goroutines through their frames.
type Tracer interface {
	// Mark lays the panic of this goroutine aside while a deferred call runs.
	Mark() any
	// Back takes it up again; a nil mark's goroutine has none.
	Back(mark any)
	// Left adds a lowered function that a panic has left.
	Left(name string)
}

func (c *Control) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped.Store(false)
	c.done = make(chan struct{})
}

// Stop makes every wait return.
func (c *Control) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.Swap(true) {
		close(c.done)
	}
}

// Resume allows waits again and returns the deferred calls that interrupted
// functions left, to be run in this order.
func (c *Control) Resume() []func() {
	c.mu.Lock()
	late := c.late
	c.late = nil
	c.mu.Unlock()
	c.reset()
	return late
}

// Stopped reports whether an interrupt is in progress.
func (c *Control) Stopped() bool { return c.stopped.Load() }

// Done is closed by Stop.
func (c *Control) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// Check unwinds the goroutine if an interrupt is in progress.
func (c *Control) Check() {
	if c.stopped.Load() {
		panic(ErrInterrupted)
	}
}

// Acquire waits until try succeeds or an interrupt comes.
func (c *Control) Acquire(try func() bool) {
	if try() {
		return
	}
	for wait := time.Microsecond; ; wait = min(2*wait, time.Millisecond) {
		runtime.Gosched()
		if try() {
			return
		}
		c.Check()
		time.Sleep(wait)
	}
}

// Await waits for a blocking call or for an interrupt, which leaves the call
// behind.
func (c *Control) Await(call func()) {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		call()
	}()
	select {
	case v := <-done:
		if v != nil {
			panic(v)
		}
	case <-c.Done():
		panic(ErrInterrupted)
	}
}
