package display

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Interval is the shortest time between two updates of one display: front ends
// that get more than ten a second fall behind.
const Interval = 100 * time.Millisecond

// Handle is a display that can be updated in place.
type Handle struct {
	mu      sync.Mutex
	id      string
	sink    Sink // where it was first shown
	target  Sink // where the update held back belongs
	last    time.Time
	pending Bundle
	timer   *time.Timer
}

var (
	// session keeps the ids of one process apart from those that an earlier
	// one left in the same notebook. Ids are never part of a saved output.
	session = rand.Text()[:8]
	serial  atomic.Uint64
)

// HandleOptions say more of a display that can be updated.
type HandleOptions struct {
	ID string // the caller's own, unique in the session; default one that was not used yet
}

// New displays v and returns the handle that updates it. The options may be left
// out.
func New(v any, options ...HandleOptions) *Handle {
	id := append(options, HandleOptions{})[0].ID
	if id == "" {
		id = fmt.Sprintf("d-%s-%d", session, serial.Add(1))
	}
	h := &Handle{id: id, sink: current(), last: time.Now()}
	emit(h.sink, Event{Kind: Display, ID: id, Data: Of(v)})
	return h
}

// ID is the display id that front ends know it by.
func (h *Handle) ID() string { return h.id }

// Update replaces what is shown by v. At most one update in 100 ms goes out;
// of those between, the last is kept and always delivered, at the end of the
// cell at the latest.
func (h *Handle) Update(v any) {
	b := Of(v)
	h.mu.Lock()
	defer h.mu.Unlock()
	// A cell that is over may have left a goroutine behind: its updates go
	// where the display is.
	if h.target = current(); h.target == nil {
		h.target = h.sink
	}
	h.pending = b
	if wait := Interval - time.Since(h.last); wait > 0 {
		h.hold(wait)
		return
	}
	h.send()
}

// Ready reports whether an update now would go out at once. What is costly to
// draw need not be drawn when it would only be thrown away.
func (h *Handle) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.last) >= Interval
}

// Flush delivers the update held back, if there is one. Outside a cell it
// prints the display, whose last state this is then.
func (h *Handle) Flush() {
	h.flush()
	if h.sink == nil {
		Flush()
	}
}

func (h *Handle) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send()
}

func (h *Handle) hold(wait time.Duration) {
	if h.timer != nil {
		return
	}
	h.timer = time.AfterFunc(wait, h.flush)
	holdBack(h)
}

// holdBack has f flushed at the end of the cell at the latest; letGo takes
// that back.
func holdBack(f flusher) {
	cell.Lock()
	defer cell.Unlock()
	if cell.waiting == nil {
		cell.waiting = map[flusher]bool{}
	}
	cell.waiting[f] = true
}

func letGo(f flusher) {
	cell.Lock()
	defer cell.Unlock()
	delete(cell.waiting, f)
}

func (h *Handle) send() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
		letGo(h)
	}
	if h.pending == nil {
		return
	}
	emit(h.target, Event{Kind: Update, ID: h.id, Data: h.pending})
	h.pending, h.last = nil, time.Now()
}

func flushAll() {
	cell.Lock()
	waiting := slices.Collect(maps.Keys(cell.waiting))
	cell.Unlock()
	for _, f := range waiting {
		f.flush()
	}
}
