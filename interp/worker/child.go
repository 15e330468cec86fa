package worker

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/session"
)

// Main is the child process: it serves the parent's requests until it is told
// to finish or the parent is gone, and returns the exit code.
func Main() int {
	return serve(func(options []byte) (interp.Engine, error) {
		var opts session.Options
		if err := json.Unmarshal(options, &opts); err != nil {
			return nil, err
		}
		return session.New(opts)
	})
}

// child is the state of a child process.
type child struct {
	engine interp.Engine
	out    *output
	stdin  *stdin

	mu     sync.Mutex
	cell   uint64             // the running cell's request
	last   uint64             // of the cell that began last
	cancel context.CancelFunc // of the running cell
	inputs map[uint64]chan *request
	nextIn uint64
}

func serve(newEngine func(options []byte) (interp.Engine, error)) int {
	for fd := fdRequests; fd <= fdStderr; fd++ {
		syscall.CloseOnExec(fd) // what a cell starts has no business with them
	}
	// Once nothing refers to a file, the collector closes its descriptor; a cell
	// may give these variables other values.
	defer runtime.KeepAlive([3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	requests := os.NewFile(fdRequests, "requests")
	os.Stderr = os.NewFile(fdStderr, "/dev/stderr")
	log.SetOutput(os.Stderr) // it holds the descriptor it found at start
	dec := gob.NewDecoder(requests)
	first := new(request)
	if err := dec.Decode(first); err != nil || first.Op != opHello {
		fmt.Fprintln(os.Stderr, "this command is run by trafficgpt itself")
		return 2
	}
	limitMemory(first.Hello.MemoryLimit)
	c := &child{inputs: make(map[uint64]chan *request)}
	ready := &message{ID: first.ID, Kind: msgReady}
	var err error
	if c.out, err = newOutput(first.Hello.Nonce); err == nil {
		if c.stdin, err = newStdin(); err == nil {
			c.engine, err = newEngine(first.Hello.Options)
		}
	}
	if err != nil {
		ready.Err = err.Error()
	}
	if err == nil {
		c.debugEvents()
	}
	c.reply(ready)
	if err != nil {
		return 1
	}
	return c.loop(dec)
}

// loop serves requests. Each has its goroutine, so that names are completed
// while a cell runs; the engine itself runs one cell at a time.
func (c *child) loop(dec *gob.Decoder) int {
	for {
		r := new(request)
		if err := dec.Decode(r); err != nil {
			// The parent is gone, and with it everyone who could see or stop
			// what this process and its children do.
			if syscall.Getpgrp() == os.Getpid() {
				_ = syscall.Kill(0, syscall.SIGKILL)
			}
			return 1
		}
		switch r.Op {
		case opEval, opComm:
			ctx, cancel := context.WithCancel(context.Background())
			c.mu.Lock()
			c.cell, c.last, c.cancel = r.ID, r.ID, cancel
			c.mu.Unlock()
			go c.eval(ctx, r)
		case opInterrupt:
			c.interrupt(r.ID)
		case opInput:
			c.answer(r)
		case opFinish:
			_ = c.engine.Close() // the process ends, whatever it says
			return 0
		default:
			go c.query(r)
		}
	}
}

func (c *child) interrupt(cell uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cell == cell && c.cancel != nil {
		c.cancel()
	}
}

func (c *child) eval(ctx context.Context, r *request) {
	sink := &childSink{child: c, cell: r.ID}
	c.restoreOutput()
	c.out.send(&message{ID: r.ID, Kind: msgBegin})
	stop := c.stdin.serve(ctx, sink)
	var result interp.Result
	if r.Op == opComm {
		result = c.comm(ctx, r, sink)
	} else {
		result = c.engine.Eval(ctx, r.Cell, sink)
	}
	stop()
	c.mu.Lock()
	if c.cell == r.ID {
		c.cancel()
		c.cell, c.cancel = 0, nil
	}
	c.mu.Unlock()
	c.out.send(&message{ID: r.ID, Kind: msgResult, Result: packResult(result)})
}

// restoreOutput opens os.Stdout and os.Stderr again if a cell has closed them.
func (c *child) restoreOutput() {
	for i, f := range []**os.File{&os.Stdout, &os.Stderr} {
		if _, err := (*f).Stat(); errors.Is(err, os.ErrClosed) {
			fd := []int{1, fdStderr}[i]
			if err := duplicate(int(c.out.marks[i].Fd()), fd); err == nil {
				*f = os.NewFile(uintptr(fd), (*f).Name())
			}
		}
	}
}

func (c *child) query(r *request) {
	m := &message{ID: r.ID, Kind: msgReply}
	defer func() {
		if p := recover(); p != nil {
			m = &message{ID: r.ID, Kind: msgReply, Err: fmt.Sprint(p)}
		}
		c.reply(m)
	}()
	var err error
	switch r.Op {
	case opComplete:
		m.Completion, err = c.engine.Complete(context.Background(), r.Code, r.Pos)
	case opInspect:
		var in interp.Inspection
		in, err = c.engine.Inspect(context.Background(), r.Code, r.Pos, r.Detail)
		m.Inspection = wireInspection{in.Found, packBundle(in.Data)}
	case opDebug:
		m.Debug, err = c.debug(r)
	case opWhere:
		m.Text = session.Where()
	default:
		err = fmt.Errorf("unknown request %d", r.Op)
	}
	if err != nil {
		m.Err = err.Error()
	}
}

// reply sends what has no order with what is printed.
func (c *child) reply(m *message) {
	_ = c.out.messages.send(m) // without a parent loop ends the process
}

func (c *child) answer(r *request) {
	c.mu.Lock()
	ch := c.inputs[r.ID]
	delete(c.inputs, r.ID)
	c.mu.Unlock()
	if ch != nil {
		ch <- r
	}
}

// ask sends a question to the front end and waits for the answer.
func (c *child) ask(ctx context.Context, cell uint64, prompt string, password bool) (string, error) {
	ch := make(chan *request, 1)
	c.mu.Lock()
	c.nextIn++
	id := c.nextIn
	c.inputs[id] = ch
	c.mu.Unlock()
	c.out.send(&message{ID: cell, Kind: msgInput, Input: wireInput{ID: id, Prompt: prompt, Password: password}})
	select {
	case r := <-ch:
		if r.Err != "" {
			return "", errors.New(r.Err)
		}
		return r.Text, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.inputs, id)
		c.mu.Unlock()
		return "", ctx.Err()
	}
}

// output is the child's side of order.
type output struct {
	messages *sender
	nonce    []byte
	marks    [2]*os.File // stdout and stderr under numbers that no cell closes

	mu  sync.Mutex
	seq uint64
}

func newOutput(nonce []byte) (*output, error) {
	o := &output{messages: newSender(os.NewFile(fdMessages, "messages")), nonce: nonce}
	for i, fd := range []int{1, fdStderr} {
		dup, err := syscall.Dup(fd)
		if err != nil {
			return nil, err
		}
		syscall.CloseOnExec(dup)
		o.marks[i] = os.NewFile(uintptr(dup), "marks")
	}
	return o, nil
}

// send sends a message that has its place between what is printed. Errors mean
// that the parent is gone; loop ends the process then.
func (o *output) send(m *message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	m.Seq = o.seq
	for _, f := range o.marks {
		_, _ = f.Write(mark(o.nonce, o.seq))
	}
	_ = o.messages.send(m)
}

// childSink is what the session of the child writes to.
type childSink struct {
	child *child
	cell  uint64
}

func (s *childSink) Stdout(p []byte) { s.print(os.Stdout, p) }
func (s *childSink) Stderr(p []byte) { s.print(os.Stderr, p) }

// print writes to the stream, which is that of the cell that began last; what
// belongs to an earlier one goes as a message.
func (s *childSink) print(f *os.File, p []byte) {
	s.child.mu.Lock()
	late := s.child.last != s.cell
	s.child.mu.Unlock()
	if late {
		s.child.out.send(&message{ID: s.cell, Kind: msgPrint, Text: string(p), Stderr: f == os.Stderr})
		return
	}
	_, _ = f.Write(p)
}

func (s *childSink) Emit(e display.Event) error {
	s.child.out.send(&message{ID: s.cell, Kind: msgEvent, Event: packEvent(e)})
	return nil
}

func (s *childSink) Input(ctx context.Context, prompt string, password bool) (string, error) {
	return s.child.ask(ctx, s.cell, prompt, password)
}

// maxStack is Go's own limit of a goroutine's stack, in bytes.
const maxStack = 1_000_000_000

// limitMemory makes a request for more memory fail as out of memory. The
// collector is told a little less, so that it works harder before that.
func limitMemory(limit int64) {
	if limit <= 0 {
		return
	}
	debug.SetMemoryLimit(limit / 10 * 9)
	// A stack grows by doubling: endless recursion is to be named as such before
	// the copy of its stack needs more than there is.
	if limit/8 < maxStack {
		debug.SetMaxStack(int(limit / 8))
	}
	setDataLimit(uint64(limit))
}
