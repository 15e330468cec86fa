package kernel

import (
	"sync"
	"time"
)

// besideDelay is how long a request that could be answered beside a running
// cell waits for its turn first. Most cells end sooner, and then a completion
// knows the names they defined.
const besideDelay = 250 * time.Millisecond

// lane answers requests one after the other, in the order they came.
type lane struct {
	s    *server
	mu   sync.Mutex
	more *sync.Cond
	todo []*request
	busy *request
	over bool
	done chan struct{}

	failures map[string]failure // of cells, by the client's session
}

func newLane(s *server) *lane {
	l := &lane{s: s, done: make(chan struct{})}
	l.more = sync.NewCond(&l.mu)
	go l.run()
	return l
}

// push queues r; false says that the lane is closed.
func (l *lane) push(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	r.lane = l
	l.todo = append(l.todo, r)
	l.more.Signal()
	if l == l.s.main && canRunBeside[r.msg.Header.MsgType] && (l.busy != nil || len(l.todo) > 1) {
		time.AfterFunc(besideDelay, func() { l.moveAside(r) })
	}
	return true
}

// moveAside takes r out of the queue and has it answered beside the cell that
// holds the lane up.
func (l *lane) moveAside(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, queued := range l.todo {
		if queued == r {
			l.todo = append(l.todo[:i:i], l.todo[i+1:]...)
			l.s.beside.push(r)
			return
		}
	}
}

func (l *lane) run() {
	defer close(l.done)
	for {
		l.mu.Lock()
		for len(l.todo) == 0 && !l.over {
			l.more.Wait()
		}
		if len(l.todo) == 0 {
			l.mu.Unlock()
			return
		}
		r := l.todo[0]
		l.todo[0] = nil
		l.todo = l.todo[1:]
		l.busy = r
		l.mu.Unlock()
		if l.tooLate(r) {
			l.s.turnDown(r)
		} else {
			l.s.handle(r)
		}
		l.mu.Lock()
		l.busy = nil
		l.mu.Unlock()
	}
}

// close drops what waits and ends the lane after the request it is at.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.todo = nil
	l.more.Signal()
}

// wait returns when the lane has ended, or after limit.
func (l *lane) wait(limit time.Duration) {
	select {
	case <-l.done:
	case <-time.After(limit):
	}
}
