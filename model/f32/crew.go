package f32

import (
	"sync/atomic"
	"time"
)

// Crew runs many short phases one after another on the same threads. A call of [Parallel] wakes its helpers each
// time; a crew wakes them once for all phases, and between phases they watch for the next. One that is given
// few microseconds of work a phase, as in generating a token, is done before a woken helper would have
// begun. The zero value is ready; a crew serves one goroutine at a time.
type Crew struct {
	run   func(lo, hi, worker int) // what Parallel gets, made once
	lead  func()
	body  func(piece, worker int)
	alone bool
	self  int // the leader's worker number
	phase uint64
	n     int // pieces of the phase

	_       [64]byte      // the words below are written by all
	left    atomic.Uint64 // the phase, and in 16 bits each how many of its lower and upper pieces nobody has taken
	_       [56]byte
	pending atomic.Int64 // pieces of the phase that are not done
	_       [56]byte
	closed  atomic.Bool
	broken  atomic.Pointer[failure]
}

// A crew's members watch for so many beats of some 25 ns. What takes longer has lost its processor to another program, perhaps
// because the one who waits has it: they sleep.
const (
	crewSpin  = 2000
	crewSleep = 20 * time.Microsecond
)

// Work calls lead, which may call [Crew.Do] any number of times, with so many threads at hand, at most all there are. A
// panic in a piece is raised again in the caller.
func (c *Crew) Work(threads int, lead func()) {
	threads = min(threads, Threads())
	c.alone = threads <= 1
	if c.alone {
		c.self = 0
		lead()
		return
	}
	if c.run == nil {
		c.run = c.member
	}
	c.lead = lead
	c.left.Store(0)
	c.phase = 0
	c.closed.Store(false)
	c.broken.Store(nil)
	Parallel(threads, 1, c.run)
	c.lead, c.body = nil, nil
}

// member is the leader, or follows it.
func (c *Crew) member(lo, _, worker int) {
	if lo == 0 {
		defer c.closed.Store(true)
		c.self = worker
		c.lead()
		return
	}
	defer func() {
		if r := recover(); r != nil {
			c.broken.CompareAndSwap(nil, &failure{r})
			panic(r)
		}
	}()
	for idle := 0; !c.closed.Load(); idle++ {
		if c.draw(worker) {
			idle = 0
		} else {
			rest(idle)
		}
	}
}

func rest(idle int) {
	if idle < crewSpin {
		spin()
	} else {
		time.Sleep(crewSleep)
	}
}

// draw does one piece of the phase, if one is left: the leader begins with the upper half, the others with the lower one, so
// that each goes through neighbouring pieces. Whoever takes a piece sees its phase's body, and the leader goes on
// only when the piece is done.
func (c *Crew) draw(worker int) bool {
	at := c.left.Load()
	lower, upper := int(at>>16&0xffff), int(at&0xffff)
	if lower+upper == 0 {
		return false
	}
	fromUpper := upper > 0 && (lower == 0 || worker == c.self)
	taken := at - 1<<16
	if fromUpper {
		taken = at - 1
	}
	if c.left.CompareAndSwap(at, taken) {
		piece := c.n/2 - lower
		if fromUpper {
			piece = c.n - upper
		}
		c.body(piece, worker)
		c.pending.Add(-1)
	}
	return true
}

// maxPieces bounds a phase's pieces.
const maxPieces = 1 << 15

// Do calls body(piece, worker) for the pieces 0 … n-1, each exactly once, in any order, and returns when all are done. Only
// the function lead of [Crew.Work] may call it. worker is as in [Parallel].
func (c *Crew) Do(n int, body func(piece, worker int)) {
	if c.alone || n == 1 {
		if t := tracing.Load(); t != nil && t.run(n, 1, func(i, _, _ int) { body(i, c.self) }) {
			return
		}
		for i := range n {
			body(i, c.self)
		}
		return
	}
	if n <= 0 {
		return
	}
	if n > maxPieces {
		badLength("Crew.Do", maxPieces, n)
	}
	c.body, c.n = body, n
	c.pending.Store(int64(n))
	c.phase++
	c.left.Store(c.phase<<32 | uint64(n/2)<<16 | uint64(n-n/2))
	for c.draw(c.self) {
	}
	for idle := 0; c.pending.Load() != 0; idle++ {
		if f := c.broken.Load(); f != nil {
			panic(f.value)
		}
		rest(idle)
	}
}
