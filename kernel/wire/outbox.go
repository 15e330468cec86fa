package wire

import (
	"errors"
	"sync"
	"time"
)

// A peer that reads slowly makes the sender wait once softLimit bytes are
// queued for it; one that does not read at all is let be until it has stalled
// for stallTime or hardLimit is reached, and then disconnected. Messages to
// several subscribers share their bytes, so a queue costs memory only once.
const (
	softLimit = 64 << 20
	hardLimit = 256 << 20
	stallTime = 3 * time.Second
	aliveTime = 100 * time.Millisecond
	writeUnit = 64 << 10
)

// ErrStalled says that a peer was disconnected because it stopped reading.
var ErrStalled = errors.New("peer stopped reading")

var errClosed = errors.New("connection is closed")

// outbox is the bounded queue of one connection and the goroutine that
// empties it.
type outbox struct {
	write func(p []byte, progress func(n int)) error
	hangs func() // closes the connection

	mu       sync.Mutex
	queue    [][]byte
	bytes    int
	progress time.Time // of the last write, or of the first message in an empty queue
	writing  bool
	closed   bool
	err      error

	wake  chan struct{} // something to write
	moved chan struct{} // closed and replaced at each progress
}

func newOutbox(write func([]byte, func(int)) error, hangUp func()) *outbox {
	o := &outbox{write: write, hangs: hangUp, wake: make(chan struct{}, 1), moved: make(chan struct{})}
	go o.run()
	return o
}

// put queues p. With patient set it waits for a slow but living reader.
func (o *outbox) put(p []byte, patient bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for patient && !o.closed && o.bytes > softLimit && time.Since(o.progress) < aliveTime {
		moved := o.moved
		o.mu.Unlock()
		select {
		case <-moved:
		case <-time.After(aliveTime):
		}
		o.mu.Lock()
	}
	if o.closed {
		if o.err != nil {
			return o.err
		}
		return errClosed
	}
	if o.bytes > hardLimit || o.bytes > softLimit && time.Since(o.progress) > stallTime {
		o.shut(ErrStalled)
		return ErrStalled
	}
	if len(o.queue) == 0 && !o.writing {
		o.progress = time.Now()
	}
	o.queue = append(o.queue, p)
	o.bytes += len(p)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

// run writes what is queued, many small messages in one system call.
func (o *outbox) run() {
	buf := make([]byte, 0, writeUnit)
	for range o.wake {
		for {
			o.mu.Lock()
			if o.closed {
				o.mu.Unlock()
				return
			}
			buf = buf[:0]
			var big []byte
			n := 0
			for n < len(o.queue) && len(buf) < writeUnit {
				if len(o.queue[n]) > writeUnit {
					if n == 0 {
						big, n = o.queue[0], 1
					}
					break
				}
				buf = append(buf, o.queue[n]...)
				n++
			}
			clear(o.queue[:n])
			o.queue = o.queue[n:]
			if len(o.queue) == 0 {
				o.queue = nil // let go of the array the storm grew
			}
			o.writing = n > 0
			o.mu.Unlock()
			if n == 0 {
				o.advance(0)
				break
			}
			if big == nil {
				big = buf
			}
			if err := o.write(big, o.advance); err != nil {
				o.close(err)
				return
			}
		}
	}
}

func (o *outbox) advance(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= n
	o.progress = time.Now()
	close(o.moved)
	o.moved = make(chan struct{})
}

// drain waits until the queue is empty.
func (o *outbox) drain(limit time.Duration) {
	deadline := time.Now().Add(limit)
	for {
		o.mu.Lock()
		done := o.closed || len(o.queue) == 0 && !o.writing
		moved := o.moved
		o.mu.Unlock()
		left := time.Until(deadline)
		if done || left <= 0 {
			return
		}
		select {
		case <-moved:
		case <-time.After(min(left, 20*time.Millisecond)):
		}
	}
}

func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut(err)
}

// shut closes; the caller holds mu.
func (o *outbox) shut(err error) {
	if o.closed {
		return
	}
	o.closed, o.err = true, err
	o.queue, o.bytes = nil, 0
	close(o.moved)
	o.moved = make(chan struct{})
	o.hangs()
	close(o.wake)
}
