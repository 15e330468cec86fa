package main

import (
	"io"
	mathrand "math/rand/v2"
	"runtime"
	"time"
	"unsafe"

	"gvisor.dev/gvisor/pkg/sync"
)

// The lab runs in virtual time: inside a testing/synctest bubble the clock
// stands still while any goroutine works and jumps to the next timer when all
// of them wait. A session that idles for ten minutes costs nothing, and no
// timestamp depends on how busy the machine is.
//
// gVisor's TCP parks its workers with runtime.gopark directly, under the wait
// reason "select", which the runtime does not count as waiting in a bubble.
// idleInBubble is the runtime's table of reasons that do; adding that one is
// all it takes. This needs the linker flag -checklinkname=0 (see the
// go:generate line in main.go), and only the generator ever does it.
//
//go:linkname idleInBubble runtime.isIdleInSynctest
var idleInBubble [1]bool

// setTestingReader replaces the random source of crypto/..., so that keys,
// nonces and session ids are the same in every run.
//
//go:linkname setTestingReader crypto/internal/rand.SetTestingReader
func setTestingReader(r io.Reader)

// runBubble is what testing/synctest.Test calls to open a bubble.
//
//go:linkname runBubble internal/synctest.Run
func runBubble(f func())

// inVirtualTime calls f in a bubble whose clock starts at start.
func inVirtualTime(start time.Time, seed uint64, f func()) {
	*(*bool)(unsafe.Add(unsafe.Pointer(&idleInBubble), uintptr(sync.WaitReasonSelect))) = true
	// One thread keeps the order of events, and so the random draws, the same.
	runtime.GOMAXPROCS(1)
	setTestingReader(newSource(seed, "crypto"))

	runBubble(func() {
		time.Sleep(time.Until(start))
		f()
	})
}

// source is a seeded random stream, safe for several goroutines, in the forms
// that the libraries want: io.Reader and math/rand.Source.
type source struct {
	mu sync.Mutex
	r  *mathrand.ChaCha8
}

func newSource(seed uint64, name string) *source {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	copy(key[8:], name)
	return &source{r: mathrand.NewChaCha8(key)}
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

func (s *source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Uint64()
}

func (s *source) Int63() int64 { return int64(s.Uint64() >> 1) }
func (s *source) Seed(int64)   {}
