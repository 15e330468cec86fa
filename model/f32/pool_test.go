package f32

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// withThreads runs f with n threads and puts the old number back.
func withThreads(n int, f func()) {
	old := SetThreads(n)
	defer SetThreads(old)
	f()
}

func TestParallelCallsEveryChunkOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		withThreads(threads, func() {
			for _, n := range []int{0, 1, 2, 63, 64, 65, 1000} {
				for _, grain := range []int{0, 1, 7, 64, 5000} {
					seen := make([]atomic.Int32, n)
					busy := make([]atomic.Int32, threads)
					Parallel(n, grain, func(lo, hi, worker int) {
						if busy[worker].Add(1) != 1 {
							t.Errorf("worker %d runs two chunks at once", worker)
						}
						if grain > 0 && (lo%grain != 0 || hi != min(lo+grain, n)) {
							t.Errorf("n %d grain %d: chunk [%d,%d)", n, grain, lo, hi)
						}
						for i := lo; i < hi; i++ {
							seen[i].Add(1)
						}
						busy[worker].Add(-1)
					})
					for i := range seen {
						if got := seen[i].Load(); got != 1 {
							t.Fatalf("threads %d, n %d, grain %d: element %d seen %d times", threads, n, grain, i, got)
						}
					}
				}
			}
		})
	}
}

func TestParallelNestedAndConcurrent(t *testing.T) {
	withThreads(4, func() {
		var total atomic.Int64
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 20 {
					Parallel(8, 1, func(_, _, _ int) {
						Parallel(10, 3, func(lo, hi, _ int) { total.Add(int64(hi - lo)) })
					})
				}
			})
		}
		wg.Wait()
		if got, want := total.Load(), int64(32*20*8*10); got != want {
			t.Fatalf("counted %d elements, want %d", got, want)
		}
	})
}

func TestParallelPanicReachesTheCaller(t *testing.T) {
	withThreads(4, func() {
		for round := range 50 {
			want := fmt.Sprintf("chunk %d", round)
			func() {
				defer func() {
					if got := recover(); got != want {
						t.Fatalf("recovered %v, want %v", got, want)
					}
				}()
				Parallel(100, 1, func(lo, _, _ int) {
					if lo == round {
						panic(want)
					}
				})
			}()
		}
	})
}

func TestSetThreadsClamps(t *testing.T) {
	old := SetThreads(-3)
	defer SetThreads(old)
	if Threads() != 1 {
		t.Errorf("Threads() = %d after SetThreads(-3), want 1", Threads())
	}
	if SetThreads(100000); Threads() != maxThreads {
		t.Errorf("Threads() = %d, want %d", Threads(), maxThreads)
	}
}

// TestTrace wants every chunk of the outer calls, in order, and the work to be done as without it.
func TestTrace(t *testing.T) {
	withThreads(1, func() {
		var got []int
		stop := Trace(func(chunks []time.Duration) { got = append(got, len(chunks)) })
		sum := 0
		work := func(lo, hi, _ int) { sum += hi - lo }
		Parallel(10, 3, work)
		Parallel(2, 1, func(lo, hi, _ int) { Parallel(5, 1, work) })
		stop()
		Parallel(10, 3, work)
		if sum != 30 || !slices.Equal(got, []int{4, 2}) {
			t.Errorf("the sum is %d, the calls had %v chunks", sum, got)
		}
	})
}
