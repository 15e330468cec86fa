package f32

import (
	"sync/atomic"
	"testing"
)

// TestCrew wants every piece of every phase once, no phase before the one before it is done, and worker
// numbers that are not shared.
func TestCrew(t *testing.T) {
	defer SetThreads(SetThreads(4))
	for _, threads := range []int{1, 3, 9} {
		var c Crew
		const phases, most = 200, 9
		var done [phases][most]atomic.Int32
		var busy [256]atomic.Int32
		c.Work(threads, func() {
			for p := range phases {
				n := p % (most + 1)
				c.Do(n, func(piece, worker int) {
					if busy[worker].Add(1) != 1 {
						t.Errorf("phase %d: two pieces at once under worker %d", p, worker)
					}
					done[p][piece].Add(1)
					if p > 0 && (p-1)%(most+1) > 0 && done[p-1][0].Load() != 1 {
						t.Errorf("phase %d began before the one before it was done", p)
					}
					busy[worker].Add(-1)
				})
				for i := range most {
					if got := done[p][i].Load(); i < n && got != 1 || i >= n && got != 0 {
						t.Fatalf("phase %d of %d pieces: piece %d was done %d times", p, n, i, got)
					}
				}
			}
		})
	}
}

// TestCrewPanics wants a panic of the leader or in a piece back in the caller, and the crew usable after.
func TestCrewPanics(t *testing.T) {
	defer SetThreads(SetThreads(3))
	var c Crew
	catch := func(f func()) (got any) {
		defer func() { got = recover() }()
		f()
		return nil
	}
	for range 50 {
		if got := catch(func() { c.Work(9, func() { panic("lead") }) }); got != "lead" {
			t.Fatalf("caught %v of the leader", got)
		}
		if got := catch(func() {
			c.Work(9, func() {
				for range 20 {
					c.Do(8, func(piece, _ int) {
						if piece == 3 {
							panic("piece")
						}
					})
				}
			})
		}); got != "piece" {
			t.Fatalf("caught %v of a piece", got)
		}
		sum := atomic.Int64{}
		c.Work(9, func() { c.Do(10, func(piece, _ int) { sum.Add(int64(piece)) }) })
		if sum.Load() != 45 {
			t.Fatalf("the pieces after a panic add up to %d", sum.Load())
		}
	}
}

func TestCrewAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	defer SetThreads(SetThreads(2))
	var c Crew
	body := func(int, int) {}
	lead := func() {
		for range 5 {
			c.Do(4, body)
		}
	}
	run := func() { c.Work(9, lead) }
	for range 10 {
		run()
	}
	got := 1.0
	for range 10 {
		if got = testing.AllocsPerRun(50, run); got == 0 {
			return
		}
	}
	t.Errorf("a crew's work makes %v allocations", got)
}

func BenchmarkCrew(b *testing.B) {
	var c Crew
	body := func(int, int) {}
	c.Work(9, func() {
		for b.Loop() {
			c.Do(4, body)
		}
	})
}
