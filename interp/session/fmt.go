package session

import (
	"fmt"
	"io"
	"time"

	"trafficgpt/interp/rt"
)

func fprintf(w io.Writer, f string, a ...any) (int, error) {
	f, a = rt.PrepareFormat(f, a)
	return fmt.Fprintf(w, f, a...)
}

func sprintf(f string, a ...any) string {
	f, a = rt.PrepareFormat(f, a)
	return fmt.Sprintf(f, a...)
}

func errorf(f string, a ...any) error {
	f, a = rt.PrepareFormat(f, a)
	return fmt.Errorf(f, a...)
}

// sleep is time.Sleep that an interrupt ends.
func (s *Session) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.world.Control.Done():
		panic(rt.ErrInterrupted)
	}
}
