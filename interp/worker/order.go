package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// What a cell prints and what it shows come through different pipes. To put
// them back into the order in which they happened, the child writes a mark
// into stdout and stderr before each message: a nonce that no other writer
// knows, and the message's number. A stream that meets a mark waits for the
// message, a message waits for its marks in both streams.

const (
	nonceLen = 16
	markLen  = nonceLen + 8

	// coalesce is the shortest time between two deliveries of a stream while
	// it flows; the first bytes after a pause are delivered at once.
	coalesce = 4 * time.Millisecond
	// enough bytes are delivered without regard to the time.
	enough = 32 << 10
	// drain is how long a stream of a dead child is waited for.
	drain = 20 * time.Millisecond
)

func mark(nonce []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, markLen), nonce...), seq)
}

// order joins the streams with the messages.
type order struct {
	mu        sync.Mutex
	cond      sync.Cond
	reached   [2]uint64 // the mark at which each stream stands
	delivered uint64    // the last message delivered
}

func newOrder() *order {
	o := new(order)
	o.cond.L = &o.mu
	return o
}

// reach says that all that stream has before mark seq is delivered, and waits
// until the message of that mark is delivered too.
func (o *order) reach(stream int, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reached[stream] = seq
	o.cond.Broadcast()
	for o.delivered < seq && seq != math.MaxUint64 {
		o.cond.Wait()
	}
}

// await waits until both streams stand at mark seq.
func (o *order) await(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.reached[0] < seq || o.reached[1] < seq {
		o.cond.Wait()
	}
}

// passed says that the message of mark seq is delivered.
func (o *order) passed(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delivered = seq
	o.cond.Broadcast()
}

// stream reads what the child prints to one descriptor.
type stream struct {
	r       *os.File
	index   int // in order.reached
	order   *order
	nonce   []byte
	deliver func([]byte)
	ended   atomic.Bool

	pending []byte
	last    time.Time // of the last delivery
	waits   int       // slices in which half a letter has been all there was
}

// run delivers until the pipe ends.
func (s *stream) run() {
	buf := make([]byte, 64<<10)
	for {
		ended := s.ended.Load()
		var deadline time.Time
		switch {
		case ended:
			deadline = time.Now().Add(drain)
		case len(s.pending) > 0:
			deadline = s.last.Add(coalesce)
		}
		_ = s.r.SetReadDeadline(deadline)
		if ended != s.ended.Load() {
			continue // finish came before the deadline and was overwritten
		}
		n, err := s.r.Read(buf)
		s.pending = append(s.pending, buf[:n]...)
		s.takeMarks()
		switch {
		case err == nil:
			s.flush(false)
		case errors.Is(err, os.ErrDeadlineExceeded) && !ended:
			s.slice()
		default:
			s.flush(true)
			s.order.reach(s.index, math.MaxUint64)
			return
		}
	}
}

// finish makes run return once what has been written is read. The pipe itself
// may stay open longer: in a process that the cell started.
func (s *stream) finish() {
	s.ended.Store(true)
	_ = s.r.SetReadDeadline(time.Now())
}

// takeMarks delivers what lies before each mark.
func (s *stream) takeMarks() {
	for {
		i := bytes.Index(s.pending, s.nonce)
		if i < 0 || len(s.pending) < i+markLen {
			return
		}
		seq := binary.BigEndian.Uint64(s.pending[i+nonceLen:])
		s.emit(i)
		s.pending = s.pending[markLen:]
		s.order.reach(s.index, seq)
	}
}

// flush delivers what can be: not the beginning of a mark or of a letter whose
// rest has not been read, and not yet what follows shortly upon the last
// delivery. With all set, everything: no rest came.
func (s *stream) flush(all bool) {
	n := len(s.pending)
	if !all {
		if n < enough && time.Since(s.last) < coalesce {
			return
		}
		n -= max(s.markTail(), letterTail(s.pending))
		if n == 0 && len(s.pending) > 0 {
			s.last = time.Now() // gives the rest time to come
		}
	}
	s.emit(n)
}

// maxWaits is how many slices the rest of a letter may take on a busy machine.
const maxWaits = 50

// slice delivers when nothing came for a while: all but half a letter, and that
// too when its rest does not come.
func (s *stream) slice() {
	tail := letterTail(s.pending)
	if tail == 0 || s.waits >= maxWaits {
		s.waits = 0
		s.flush(true)
		return
	}
	s.waits++
	s.emit(len(s.pending) - tail)
	s.last = time.Now()
}

// markTail is how many bytes at the end may begin a mark.
func (s *stream) markTail() int {
	if i := bytes.Index(s.pending, s.nonce); i >= 0 {
		return len(s.pending) - i
	}
	for n := min(nonceLen-1, len(s.pending)); n > 0; n-- {
		if bytes.HasSuffix(s.pending, s.nonce[:n]) {
			return n
		}
	}
	return 0
}

// letterTail is how many bytes at the end begin a letter and do not end it.
func letterTail(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if b := p[len(p)-n]; utf8.RuneStart(b) {
			if !utf8.FullRune(p[len(p)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

func (s *stream) emit(n int) {
	if n > 0 {
		s.deliver(bytes.Clone(s.pending[:n]))
		s.last = time.Now()
	}
	s.pending = s.pending[n:]
}
