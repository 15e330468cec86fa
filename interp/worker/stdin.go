package worker

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"trafficgpt/interp"
)

// stdin gives a cell that reads os.Stdin, by whatever function, the lines that
// the front end's user types. Descriptor 0 is a pipe. Nothing tells the writer
// of a pipe that somebody waits for it; but os.File holds a lock while it
// reads, and one word of memory says whether that is so.
type stdin struct {
	lock *uint64  // state of the read lock of os.Stdin; nil if Go has moved it
	w    *os.File // nil after an end of file
}

const (
	// readLocked is the bit of that word: mutexRLock of internal/poll.
	readLocked = 1 << 1
	// stdinEvery is how often it is looked at while a cell runs.
	stdinEvery = 5 * time.Millisecond
)

func newStdin() (*stdin, error) {
	s := &stdin{lock: readLock(os.Stdin)}
	return s, s.renew()
}

// readLock finds the state of the lock that f holds while it reads.
func readLock(f *os.File) *uint64 {
	v := reflect.ValueOf(f).Elem()
	for _, name := range []string{"file", "pfd", "fdmu", "state"} {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return nil
		}
		if v = v.FieldByName(name); !v.IsValid() {
			return nil
		}
	}
	if v.Kind() != reflect.Uint64 || !v.CanAddr() {
		return nil
	}
	return (*uint64)(unsafe.Pointer(v.UnsafeAddr()))
}

// renew makes descriptor 0 the end of a new, empty pipe.
func (s *stdin) renew() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("failed to open standard input: %w", err)
	}
	defer r.Close()
	if err := duplicate(int(r.Fd()), 0); err != nil {
		w.Close()
		return fmt.Errorf("failed to open standard input: %w", err)
	}
	if s.w != nil {
		s.w.Close()
	}
	s.w = w
	return nil
}

// unread is how many bytes lie in the pipe.
func unread() int {
	n, err := unix.IoctlGetInt(0, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// wanted reports whether somebody waits for a line.
func (s *stdin) wanted() bool {
	return s.lock != nil && s.w != nil && atomic.LoadUint64(s.lock)&readLocked != 0 && unread() == 0
}

// serve answers reads until the returned function is called.
func (s *stdin) serve(ctx context.Context, sink interp.Sink) (stop func()) {
	if s.w == nil || unread() > 0 {
		_ = s.renew() // what the last cell did not read is not for this one
	}
	quit, over := make(chan struct{}), make(chan struct{})
	asking, cancel := context.WithCancel(ctx)
	go func() {
		defer close(over)
		tick := time.NewTicker(stdinEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			if s.wanted() {
				s.answer(asking, sink, quit)
			}
		}
	}()
	return func() {
		close(quit)
		cancel()
		<-over
	}
}

// answer asks for a line and writes it into the pipe. Without one the reader
// gets the end of the file, also when the cell is interrupted: a reader left
// waiting would take the next cell's line. That comes a little later than the
// interrupt, which is what the cell should end with.
func (s *stdin) answer(ctx context.Context, sink interp.Sink, quit <-chan struct{}) {
	line, err := sink.Input(ctx, "", false)
	if err == nil {
		if _, err = io.WriteString(s.w, line+"\n"); err == nil {
			return
		}
	} else if ctx.Err() == nil {
		sink.Stderr([]byte(err.Error() + "\n"))
	}
	if ctx.Err() != nil {
		select {
		case <-quit:
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.w.Close()
	s.w = nil
}
