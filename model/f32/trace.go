package f32

import (
	"sync/atomic"
	"time"
)

// Trace has every call of [Parallel] from one goroutine report how long each of its chunks took, until stop is called, so that
// it can be told what more threads would gain: the calls follow one another, and each lasts as long as its chunks
// do when threads draw them in turn. It is for measurements with SetThreads(1); what runs on more threads, and
// calls within a chunk, are not reported. The slice is used again.
func Trace(report func(chunks []time.Duration)) (stop func()) {
	tracing.Store(&tracer{report: report})
	return func() { tracing.Store(nil) }
}

var tracing atomic.Pointer[tracer]

type tracer struct {
	report func(chunks []time.Duration)
	within atomic.Bool
	chunks []time.Duration
}

// run is a call of Parallel on one thread, unless it is within another.
func (t *tracer) run(n, grain int, f func(lo, hi, worker int)) bool {
	if !t.within.CompareAndSwap(false, true) {
		return false
	}
	defer t.within.Store(false)
	t.chunks = t.chunks[:0]
	for lo := 0; lo < n; lo += grain {
		start := time.Now()
		f(lo, min(lo+grain, n), 0)
		t.chunks = append(t.chunks, time.Since(start))
	}
	t.report(t.chunks)
	return true
}
