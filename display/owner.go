package display

import (
	"context"
	"runtime/pprof"
	"sync"
	"unsafe"
)

// A goroutine belongs to the cell that started it, also when that cell is long
// over and another runs: what it shows goes to its own. Goroutines inherit the
// labels of the profiler from the one that starts them, also within compiled
// code, so the labels' address says whose a goroutine is.

// running is a cell that has been entered.
type running struct {
	ctx    context.Context
	sink   Sink
	labels context.Context // keeps the labels' address from being used again
	over   bool
}

// maxOwners is how many cells back a goroutine still finds its own.
const maxOwners = 1024

var owners struct {
	sync.Mutex
	by    map[unsafe.Pointer]*running
	order []unsafe.Pointer
}

//go:linkname goroutineLabels runtime/pprof.runtime_getProfLabel
func goroutineLabels() unsafe.Pointer

// Own makes the calling goroutine, and all that it will start, those of the
// cell entered last. Only the engine calls it.
func Own() {
	cell.Lock()
	r := cell.now
	cell.Unlock()
	if r == nil {
		return
	}
	r.labels = pprof.WithLabels(context.Background(), pprof.Labels("cell", "running"))
	pprof.SetGoroutineLabels(r.labels)
	owners.Lock()
	defer owners.Unlock()
	if owners.by == nil {
		owners.by = map[unsafe.Pointer]*running{}
	}
	at := goroutineLabels()
	owners.by[at] = r
	if owners.order = append(owners.order, at); len(owners.order) > maxOwners {
		delete(owners.by, owners.order[0])
		owners.order = owners.order[1:]
	}
}

// owner is the cell that the calling goroutine belongs to, nil if that is not
// known.
func owner() *running {
	at := goroutineLabels()
	if at == nil {
		return nil
	}
	owners.Lock()
	defer owners.Unlock()
	return owners.by[at]
}

// Owner is the sink of the cell that started the calling goroutine, nil if
// that is not known.
func Owner() Sink {
	if r := owner(); r != nil {
		return r.sink
	}
	return nil
}

// Late is Owner when that cell is not the one that runs now, else nil.
func Late() Sink {
	r := owner()
	if r == nil {
		return nil
	}
	cell.Lock()
	defer cell.Unlock()
	if r == cell.now {
		return nil
	}
	return r.sink
}

// Bind returns f as a function whose goroutine belongs to the caller's cell,
// whoever starts it: a timer, for one.
func Bind(f func()) func() {
	r := owner()
	if r == nil {
		return f
	}
	return func() {
		pprof.SetGoroutineLabels(r.labels)
		f()
	}
}
