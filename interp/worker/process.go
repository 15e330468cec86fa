package worker

import (
	"context"
	"crypto/rand"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"trafficgpt/interp"
)

// The descriptors of a child beside 0, 1 and 2.
const (
	fdRequests = 3 // the parent's requests
	fdMessages = 4 // the child's messages
	fdStderr   = 5 // what the cell prints to os.Stderr; 2 is the runtime's own
)

// errDied is the error of a request whose child died.
var errDied = errors.New("the engine died")

// process is one child.
type process struct {
	cmd      *exec.Cmd
	requests *os.File
	send     *sender
	order    *order
	streams  [2]*stream
	raw      *rawStderr
	limit    int64

	mu      sync.Mutex
	nextID  uint64
	replies map[uint64]chan *message
	sinks   map[uint64]interp.Sink // of the cells so far that may still show something
	current interp.Sink            // where what is printed goes
	asking  map[uint64]context.Context
	killed  string                  // why the parent itself ended the child
	onDebug func(interp.DebugEvent) // set while the debugger is attached

	ordered chan *message
	done    chan struct{} // closed when the child is dead and all it said delivered
	reason  string        // why it died, once done is closed
	last    string        // the runtime's last words
}

// spawn starts a child and returns when it is ready for cells.
func spawn(ctx context.Context, opts *Options) (*process, error) {
	p := &process{
		order: newOrder(), limit: opts.memoryLimit(),
		replies: make(map[uint64]chan *message), sinks: make(map[uint64]interp.Sink), asking: make(map[uint64]context.Context),
		ordered: make(chan *message, 256), done: make(chan struct{}),
	}
	nonce := make([]byte, nonceLen)
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("failed to start the engine: %w", err)
	}
	messages, err := p.start(opts, nonce)
	if err != nil {
		return nil, fmt.Errorf("failed to start the engine: %w", err)
	}
	go p.supervise(messages)
	options, err := json.Marshal(opts.Session)
	if err != nil {
		return nil, fmt.Errorf("failed to start the engine: %w", err)
	}
	m, err := p.call(ctx, &request{Op: opHello, Hello: hello{Nonce: nonce, MemoryLimit: p.limit, Options: options}})
	if err != nil {
		p.kill("it did not start")
		<-p.done
		if errors.Is(err, errDied) {
			err = errors.New(p.reason)
		}
		return nil, fmt.Errorf("failed to start the engine: %w", err)
	}
	if m.Err != "" {
		p.kill("it did not start")
		return nil, fmt.Errorf("failed to start the engine: %s", m.Err)
	}
	return p, nil
}

// start runs the child with its pipes.
func (p *process) start(opts *Options, nonce []byte) (messages *os.File, err error) {
	var open []*os.File // closed here if anything fails
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		if r, w, err = os.Pipe(); err == nil {
			open = append(open, r, w)
		}
		return r, w
	}
	reqR, reqW := pipe()
	msgR, msgW := pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	rawR, rawW := pipe()
	defer func() {
		if err != nil {
			for _, f := range open {
				f.Close()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	name, args := opts.command()
	p.cmd = exec.Command(name, args...)
	p.cmd.Env = append(os.Environ(), opts.Env...)
	p.cmd.Dir = opts.Dir
	p.cmd.Stdout, p.cmd.Stderr = outW, rawW
	p.cmd.ExtraFiles = []*os.File{reqR, msgW, errW}
	// Its own group: Ctrl-C on the terminal is the parent's to hear, and what
	// the cell started can be ended with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err = p.cmd.Start(); err != nil {
		return nil, err
	}
	for _, f := range []*os.File{reqR, msgW, outW, errW, rawW} {
		f.Close()
	}
	p.requests, p.send = reqW, newSender(reqW)
	p.streams = [2]*stream{
		{r: outR, index: 0, order: p.order, nonce: nonce, deliver: func(b []byte) { p.print(false, b) }},
		{r: errR, index: 1, order: p.order, nonce: nonce, deliver: func(b []byte) { p.print(true, b) }},
	}
	p.raw = &rawStderr{r: rawR, deliver: func(b []byte) { p.print(true, b) }}
	return msgR, nil
}

// supervise serves the child until its death and says why it died.
func (p *process) supervise(messages *os.File) {
	var readers, deliverer sync.WaitGroup
	readers.Go(p.streams[0].run)
	readers.Go(p.streams[1].run)
	readers.Go(p.raw.run)
	received := make(chan struct{})
	go func() {
		defer close(received)
		p.receive(messages)
	}()
	deliverer.Go(p.deliverOrdered)

	err := p.cmd.Wait()
	// What the cell started ends with it.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.raw.finish()
	p.streams[0].finish()
	p.streams[1].finish()
	// Nothing but the child had the other end of this pipe.
	<-received
	close(p.ordered)
	deliverer.Wait()
	p.order.passed(math.MaxUint64) // a mark without a message: it died between them
	readers.Wait()
	for _, f := range []*os.File{messages, p.requests, p.streams[0].r, p.streams[1].r, p.raw.r} {
		f.Close()
	}
	before, last := p.raw.words()
	if before != "" {
		p.print(true, []byte(before))
	}
	p.mu.Lock()
	p.last = last
	if p.reason = p.killed; p.reason == "" {
		p.reason = explain(err, last, p.limit)
	}
	p.mu.Unlock()
	p.debugEvent(interp.DebugEvent{Kind: interp.DebugTerminated})
	close(p.done)
}

// receive takes the child's messages: replies at once, what has an order
// through a queue, so that a slow front end does not delay a completion.
func (p *process) receive(r *os.File) {
	dec := gob.NewDecoder(r)
	for {
		m := new(message)
		if err := dec.Decode(m); err != nil {
			return // the child is dead, or dying in the middle of a message
		}
		if m.Seq == 0 {
			p.reply(m)
			continue
		}
		p.ordered <- m
	}
}

func (p *process) reply(m *message) {
	p.mu.Lock()
	ch := p.replies[m.ID]
	delete(p.replies, m.ID)
	p.mu.Unlock()
	if ch != nil {
		ch <- m
	}
}

func (p *process) deliverOrdered() {
	for m := range p.ordered {
		p.order.await(m.Seq)
		p.deliver(m)
		p.order.passed(m.Seq)
	}
}

func (p *process) deliver(m *message) {
	switch m.Kind {
	case msgEvent:
		if sink := p.sink(m.ID); sink != nil {
			// A front end that has gone away is no concern of the cell.
			_ = sink.Emit(m.Event.unpack())
		}
	case msgDebug:
		p.debugEvent(m.Stop)
	case msgInput:
		go p.ask(m.ID, m.Input)
	case msgBegin:
		p.mu.Lock()
		p.current = p.sinks[m.ID]
		p.mu.Unlock()
	case msgPrint:
		sink := p.sink(m.ID)
		if m.Stderr {
			sink.Stderr([]byte(m.Text))
		} else {
			sink.Stdout([]byte(m.Text))
		}
	default:
		p.reply(m)
	}
}

func (p *process) sink(id uint64) interp.Sink {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sinks[id]; s != nil {
		return s
	}
	return p.current
}

func (p *process) print(stderr bool, b []byte) {
	p.mu.Lock()
	sink := p.current
	p.mu.Unlock()
	switch {
	case sink == nil:
	case stderr:
		sink.Stderr(b)
	default:
		sink.Stdout(b)
	}
}

// ask passes a question of the cell to the front end.
func (p *process) ask(cell uint64, in wireInput) {
	p.mu.Lock()
	sink, ctx := p.sinks[cell], p.asking[cell]
	p.mu.Unlock()
	answer := &request{ID: in.ID, Op: opInput}
	if sink == nil || ctx == nil {
		answer.Err = "failed to read input: the cell is over"
	} else if text, err := sink.Input(ctx, in.Prompt, in.Password); err != nil {
		answer.Err = err.Error()
	} else {
		answer.Text = text
	}
	_ = p.send.send(answer) // a dead child needs no answer
}

// expect numbers a request and returns the channel of its reply.
func (p *process) expect(r *request) <-chan *message {
	ch := make(chan *message, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextID++
	r.ID = p.nextID
	p.replies[r.ID] = ch
	return ch
}

func (p *process) forget(id uint64) {
	p.mu.Lock()
	delete(p.replies, id)
	p.mu.Unlock()
}

// call sends a request and waits for its reply.
func (p *process) call(ctx context.Context, r *request) (*message, error) {
	ch := p.expect(r)
	defer p.forget(r.ID)
	if err := p.send.send(r); err != nil {
		return nil, errDied
	}
	select {
	case m := <-ch:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		select {
		case m := <-ch:
			return m, nil
		default:
		}
		return nil, errDied
	}
}

// maxSinks is how many cells and calls of controls back a late update still
// finds its front end.
const maxSinks = 1024

// begin makes sink that of the cell of request id.
func (p *process) begin(ctx context.Context, id uint64, sink interp.Sink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		p.current = sink // until the child begins
	}
	p.sinks[id] = sink
	p.asking[id] = ctx
	if len(p.sinks) > maxSinks {
		oldest := id
		for other := range p.sinks {
			oldest = min(oldest, other)
		}
		delete(p.sinks, oldest)
	}
}

func (p *process) end(id uint64) {
	p.mu.Lock()
	delete(p.asking, id)
	p.mu.Unlock()
}

// kill ends the child and all that it started.
func (p *process) kill(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	select {
	case <-p.done: // its number may be another's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = p.cmd.Process.Kill()
	}
}

// close lets the child end by itself, for a short time.
func (p *process) close(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	if p.send.send(&request{Op: opFinish}) == nil {
		select {
		case <-p.done:
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
	p.kill(why)
	<-p.done
}
