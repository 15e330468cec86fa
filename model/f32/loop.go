package f32

import "sync"

// Loop is a body for [Parallel] that gets its arguments as a value. A function literal that is handed to Parallel
// lies on the heap with all it captures, one for every call; a Loop is made once, and its calls use the
// same memory again, so that a training step leaves nothing to the garbage collector.
type Loop[A any] struct {
	body func(args *A, lo, hi, worker int)
	free sync.Pool // of *call[A]
}

// call is one run's arguments and the function that Parallel gets for them.
type call[A any] struct {
	args A
	run  func(lo, hi, worker int)
}

// NewLoop makes a Loop of body, which must not keep args.
func NewLoop[A any](body func(args *A, lo, hi, worker int)) *Loop[A] {
	l := &Loop[A]{body: body}
	l.free.New = func() any {
		c := new(call[A])
		c.run = func(lo, hi, worker int) { body(&c.args, lo, hi, worker) }
		return c
	}
	return l
}

// Run is [Parallel] with the loop's body. It may be called from anywhere, the body of the same loop included.
func (l *Loop[A]) Run(n, grain int, args A) { l.run(n, grain, true, args) }

// run stays on the caller's goroutine, in one piece, unless threads is set.
func (l *Loop[A]) run(n, grain int, threads bool, args A) {
	if n <= 0 {
		return
	}
	c := l.free.Get().(*call[A])
	c.args = args
	if threads {
		Parallel(n, grain, c.run)
	} else {
		l.body(&c.args, 0, n, 0)
	}
	var none A
	c.args = none // keeps nothing alive
	l.free.Put(c)
}
