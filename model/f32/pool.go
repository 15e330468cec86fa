package f32

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// One job is one call of Parallel. Helpers join it while it is open, draw chunks from next until none
// is left, and leave; the caller draws chunks too, closes the job and waits for those who joined. A
// caller therefore never needs a helper to finish, which is what makes nested and concurrent calls safe.
type job struct {
	f      func(lo, hi, worker int)
	n      int
	grain  int
	next   atomic.Int64
	joined atomic.Int64  // helpers that ever joined: the source of worker numbers
	state  atomic.Int64  // helpers inside now, plus jobClosed once no more may join
	refs   atomic.Int64  // caller and invitations still holding the job
	done   chan struct{} // signalled by the last helper to leave a closed job
	failed atomic.Pointer[failure]
}

type failure struct{ value any }

const (
	jobClosed  = int64(1) << 40
	maxThreads = 256
	callerSpin = 8000 // beats of some 30 ns: a wait for a helper's last chunk is cheaper spun than slept
	helperSpin = 8000 // a helper looks for the next job for a quarter of a millisecond before it sleeps: so long may be between two loops of a step
)

var pool struct {
	threads atomic.Int64
	workers int // helpers started so far, under mu
	mu      sync.Mutex
	queue   chan *job
	free    sync.Pool
}

func init() {
	pool.queue = make(chan *job, 4*maxThreads)
	pool.free.New = func() any { return &job{done: make(chan struct{}, 1)} }
	pool.threads.Store(int64(min(runtime.GOMAXPROCS(0), maxThreads)))
}

// Threads returns how many goroutines one call of [Parallel] uses at most, the caller included. It is
// GOMAXPROCS at start unless [SetThreads] said otherwise.
func Threads() int { return int(pool.threads.Load()) }

// SetThreads sets the value of [Threads], clamped to 1..256, and returns the value before. Results do not
// depend on it. Calls of Parallel already running keep the number they started with.
func SetThreads(n int) int {
	return int(pool.threads.Swap(int64(max(1, min(n, maxThreads)))))
}

// Parallel calls f(lo, hi, worker) for the chunks [0,grain), [grain,2·grain), … of [0,n), each exactly
// once, and returns when all are done. Where a chunk ends depends on n and grain only, never on the
// number of threads, so per-chunk partial results indexed by lo/grain and added in order are the same for
// any number of threads. With grain ≤ 0 it is n/64, at least 1.
//
// Chunks are drawn from one counter by the caller and by idle persistent workers. worker is in
// [0, Threads()) and no two chunks run at once under one number within one call, so it may index scratch;
// which worker gets which chunk is not fixed. Calls may be nested and may come from any number of
// goroutines at once. A panic in f is raised again in the caller once all workers have left.
func Parallel(n, grain int, f func(lo, hi, worker int)) {
	if n <= 0 {
		return
	}
	if grain <= 0 {
		grain = max(1, n/64)
	}
	chunks := (n-1)/grain + 1
	helpers := min(Threads(), chunks) - 1
	if helpers < 1 {
		if t := tracing.Load(); t != nil && t.run(n, grain, f) {
			return
		}
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n), 0)
		}
		return
	}
	j := pool.free.Get().(*job)
	j.f, j.n, j.grain = f, n, grain
	j.next.Store(0)
	j.joined.Store(0)
	j.state.Store(0)
	j.failed.Store(nil)
	j.refs.Store(int64(helpers) + 1)
	startWorkers(helpers)
	for sent := range helpers {
		if !invite(j) {
			j.refs.Add(int64(sent - helpers)) // go on with those who got one
			break
		}
	}
	j.draw(0)
	j.wait()
	fail := j.failed.Load()
	j.release()
	takeBack()
	if fail != nil {
		panic(fail.value)
	}
}

// takeBack takes closed jobs out of the queue, so that they can be used again although no helper has had time to
// see that they are done.
func takeBack() {
	for range len(pool.queue) {
		select {
		case j := <-pool.queue:
			if j.state.Load() >= jobClosed || !invite(j) {
				j.release()
			}
		default:
			return
		}
	}
}

// invite offers the job to one worker; false when the queue is full of others' invitations.
func invite(j *job) bool {
	select {
	case pool.queue <- j:
		return true
	default:
		return false
	}
}

// draw runs chunks until none is left. A panic is kept for the caller and empties the counter.
func (j *job) draw(worker int) {
	defer func() {
		if r := recover(); r != nil {
			j.failed.CompareAndSwap(nil, &failure{r})
			j.next.Store(int64(j.n))
		}
	}()
	for {
		lo := int(j.next.Add(int64(j.grain))) - j.grain
		if lo >= j.n {
			return
		}
		j.f(lo, min(lo+j.grain, j.n), worker)
	}
}

// wait closes the job and returns when every helper that joined has left.
func (j *job) wait() {
	if j.state.Or(jobClosed) == 0 {
		return
	}
	for range callerSpin {
		if j.state.Load() == jobClosed {
			return
		}
		spin()
	}
	<-j.done
}

func (j *job) release() {
	if j.refs.Add(-1) != 0 {
		return
	}
	select {
	case <-j.done: // a signal nobody waited for
	default:
	}
	j.f = nil
	pool.free.Put(j)
}

// help joins a job that is still open, works and leaves.
func (j *job) help() {
	for {
		s := j.state.Load()
		if s >= jobClosed {
			return
		}
		if j.state.CompareAndSwap(s, s+1) {
			break
		}
	}
	j.draw(int(j.joined.Add(1)))
	if j.state.Add(-1) == jobClosed {
		j.done <- struct{}{}
	}
}

func startWorkers(n int) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for ; pool.workers < n; pool.workers++ {
		go work()
	}
}

func work() {
	for {
		j := nextJob()
		j.help()
		j.release()
	}
}

func nextJob() *job {
	for range helperSpin {
		if len(pool.queue) > 0 {
			select {
			case j := <-pool.queue:
				return j
			default:
			}
		}
		spin()
	}
	return <-pool.queue
}

func badLength(op string, want, got int) {
	panic(fmt.Sprintf("f32.%s: need %d elements, have %d", op, want, got))
}
