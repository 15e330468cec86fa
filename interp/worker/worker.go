// Package worker runs the engine in a child process and keeps it alive.
//
// The child is this program, executed again. What kills a Go process (a panic
// in a goroutine, concurrent map writes, a stack overflow, too much memory,
// os.Exit, a signal) kills the child: the cell ends with the reason, a new
// child takes over, and the front end never notices. Requests and answers have
// pipes of their own; whatever is printed by any means reaches the sink of the
// cell, in order with what is displayed (see order).
package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"trafficgpt/interp"
	"trafficgpt/interp/assist"
	"trafficgpt/interp/session"
)

// ChildCommand is the first argument of a child process; the program that has
// it calls Main and nothing else.
const ChildCommand = "worker-child"

// Options says how to run the child.
type Options struct {
	// Command is the child's program and arguments; by default this program
	// with ChildCommand.
	Command []string
	// Env is added to the environment.
	Env []string
	// Dir is where the child starts; by default this process's directory.
	Dir string
	// MemoryLimit is the most memory in bytes the child may use: a cell that
	// needs more ends with an error. 0 means nine tenths of the machine's,
	// less than 0 no limit.
	MemoryLimit int64
	// Grace is how long a cell may go on after an interrupt before the user is
	// told what keeps it. 0 means 1 s.
	Grace time.Duration
	// Patience is how long a cell whose context is done may go on before the
	// child is killed: nobody is left who could say so. 0 means 10 s.
	Patience time.Duration
	// Session is how the child's session is set up.
	Session session.Options
}

func (o *Options) command() (string, []string) {
	if len(o.Command) > 0 {
		return o.Command[0], o.Command[1:]
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return self, []string{ChildCommand}
}

func (o *Options) memoryLimit() int64 {
	switch {
	case o.MemoryLimit < 0:
		return 0
	case o.MemoryLimit == 0:
		return totalMemory() / 10 * 9
	}
	return o.MemoryLimit
}

// Worker is an engine in a child process.
type Worker struct {
	opts Options
	turn chan struct{} // holds one token: who has it may run a cell or restart

	mu        sync.Mutex
	proc      *process
	starting  chan struct{} // closed when proc or startErr is set
	startErr  error
	closed    bool
	interrupt chan struct{} // of the running cell, nil when there is none
	history   []interp.Cell // that ran without error since the last restart
	lost      []interp.Cell // the history of the child that died last
	onDebug   func(interp.DebugEvent)
}

var _ interp.Engine = (*Worker)(nil)

// Start runs a child and returns when it is ready for cells. Close ends it; it
// also ends when this process does, however that happens.
func Start(opts Options) (*Worker, error) {
	w := Launch(opts)
	if _, err := w.process(context.Background()); err != nil {
		return nil, err
	}
	return w, nil
}

// Launch is Start that does not wait: who uses the worker does, and is told
// then if the child does not start.
func Launch(opts Options) *Worker {
	if opts.Grace == 0 {
		opts.Grace = time.Second
	}
	if opts.Patience == 0 {
		opts.Patience = 10 * time.Second
	}
	w := &Worker{opts: opts, turn: make(chan struct{}, 1)}
	w.launch()
	return w
}

// launch starts a child in the background, unless one is starting already.
func (w *Worker) launch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.starting != nil || w.closed {
		return
	}
	starting := make(chan struct{})
	w.starting, w.proc, w.startErr = starting, nil, nil
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		p, err := spawn(ctx, &w.opts)
		w.mu.Lock()
		w.proc, w.startErr, w.starting = p, err, nil
		closed := w.closed
		w.mu.Unlock()
		close(starting)
		if p != nil && closed {
			p.close("closed")
		}
	}()
}

var errClosed = errors.New("the engine is closed")

// process returns a living child, waiting for one that is starting; it starts
// one if the last is dead.
func (w *Worker) process(ctx context.Context) (*process, error) {
	for tried := false; ; {
		w.mu.Lock()
		p, starting, err, closed := w.proc, w.starting, w.startErr, w.closed
		w.mu.Unlock()
		switch {
		case closed:
			return nil, errClosed
		case starting != nil:
			select {
			case <-starting:
				tried = true
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case err != nil && tried:
			return nil, err
		case p != nil:
			select {
			case <-p.done:
			default:
				return p, nil
			}
		}
		w.noteDeath(p)
		w.launch()
	}
}

// noteDeath keeps the history of a child that died for %replay.
func (w *Worker) noteDeath(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p == nil || w.proc != p {
		return
	}
	w.proc = nil
	if len(w.history) > 0 {
		w.lost, w.history = w.history, nil
	}
}

// Eval runs a cell in the child. A second Eval waits for the first. When ctx
// is done the cell is interrupted.
func (w *Worker) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	start := time.Now()
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return interp.Result{Err: &interp.Error{Name: "Interrupted", Message: "interrupted before it began"}}
	}
	r := w.eval(ctx, cell, sink)
	if r.Duration == 0 {
		r.Duration = time.Since(start)
	}
	return r
}

func (w *Worker) eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	switch strings.TrimSpace(cell.Code) {
	case "%restart":
		if err := w.restart(ctx); err != nil {
			return failed(err)
		}
		sink.Stdout([]byte("restarted\n"))
		return interp.Result{}
	case "%replay":
		return w.replay(ctx, sink)
	}
	r := w.run(ctx, cell, sink)
	if r.Err == nil {
		w.mu.Lock()
		w.history = append(w.history, cell)
		w.mu.Unlock()
	}
	return r
}

func failed(err error) interp.Result {
	return interp.Result{Err: &interp.Error{Name: "EngineDied", Message: err.Error(), SessionLost: true,
		Traceback: []string{red + "EngineDied" + reset + ": " + err.Error()}}}
}

// run runs one cell in the child.
func (w *Worker) run(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	return w.perform(ctx, &request{Op: opEval, Cell: cell}, fmt.Sprintf("cell %d", cell.Number), sink)
}

// perform has the child do what prints and shows to sink, and waits for its
// end or the child's. What is its name in messages to the user.
func (w *Worker) perform(ctx context.Context, req *request, what string, sink interp.Sink) interp.Result {
	p, err := w.process(ctx)
	if err != nil {
		return failed(err)
	}
	interrupt := make(chan struct{}, 4)
	w.mu.Lock()
	w.interrupt = interrupt
	w.mu.Unlock()
	inputs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		w.mu.Lock()
		w.interrupt = nil
		w.mu.Unlock()
	}()
	result := p.expect(req)
	p.begin(inputs, req.ID, sink)
	defer p.end(req.ID)
	defer p.forget(req.ID)
	_ = p.send.send(req) // a child that died meanwhile is noticed below

	stop := stopper{worker: w, process: p, cell: req.ID, what: what, sink: sink}
	defer stop.end()
	done := ctx.Done()
	for {
		select {
		case m := <-result:
			return m.Result.unpack()
		case <-done:
			done = nil
			stop.interrupt(w.opts.Patience)
			cancel() // later, so that the cell does not take it for an end of input
		case <-interrupt:
			stop.interrupt(0)
			cancel()
		case <-p.done:
			select {
			case m := <-result: // it said how the cell ended before it died
				return m.Result.unpack()
			default:
			}
			return interp.Result{Err: w.died(p)}
		}
	}
}

// died says why the child died and starts the next one.
func (w *Worker) died(p *process) *interp.Error {
	w.noteDeath(p)
	w.launch()
	w.mu.Lock()
	lost := len(w.lost)
	w.mu.Unlock()
	return diedError(p.reason, p.last, lost)
}

// Interrupt stops the running cell; variables stay. If the cell does not stop,
// the sink is told what keeps it, and a second Interrupt kills the child.
func (w *Worker) Interrupt() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupt != nil {
		select {
		case w.interrupt <- struct{}{}:
		default: // interrupted often enough
		}
	}
	return nil
}

// Restart kills the child, whatever it does, and starts a new one.
func (w *Worker) Restart(ctx context.Context) error {
	w.mu.Lock()
	p := w.proc
	w.mu.Unlock()
	if p != nil {
		p.kill("the engine was restarted")
	}
	select {
	case w.turn <- struct{}{}: // the running cell has noticed
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.restart(ctx)
}

func (w *Worker) restart(ctx context.Context) error {
	w.mu.Lock()
	p := w.proc
	w.mu.Unlock()
	if p != nil {
		p.kill("the engine was restarted")
		<-p.done
		w.noteDeath(p)
	}
	w.mu.Lock()
	w.history, w.lost = nil, nil // dropped by wish
	w.mu.Unlock()
	_, err := w.process(ctx)
	return err
}

// replay runs the cells again whose variables were lost with the last child.
// What they print and show is not repeated.
func (w *Worker) replay(ctx context.Context, sink interp.Sink) interp.Result {
	w.mu.Lock()
	cells := slices.Clone(w.lost)
	w.mu.Unlock()
	if len(cells) == 0 {
		sink.Stdout([]byte("nothing to replay: no variables were lost\n"))
		return interp.Result{}
	}
	for i, c := range cells {
		r := w.run(ctx, c, quiet{sink})
		if r.Err != nil {
			r.Err.Message = fmt.Sprintf("replay stopped at cell %d, %d of %d: %s", c.Number, i+1, len(cells), r.Err.Message)
			return r
		}
		w.mu.Lock()
		w.history = append(w.history, c)
		w.mu.Unlock()
	}
	w.mu.Lock()
	w.lost = nil
	w.mu.Unlock()
	fmt.Fprintf(writer(sink.Stdout), "replayed %d cells\n", len(cells))
	return interp.Result{}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// Complete asks the child; it answers while a cell runs.
func (w *Worker) Complete(ctx context.Context, code string, pos int) (interp.Completion, error) {
	m, err := w.ask(ctx, &request{Op: opComplete, Code: code, Pos: pos})
	if err != nil {
		return interp.Completion{Start: pos, End: pos}, err
	}
	return m.Completion, nil
}

// Inspect asks the child; it answers while a cell runs.
func (w *Worker) Inspect(ctx context.Context, code string, pos, detail int) (interp.Inspection, error) {
	m, err := w.ask(ctx, &request{Op: opInspect, Code: code, Pos: pos, Detail: detail})
	if err != nil {
		return interp.Inspection{}, err
	}
	return interp.Inspection{Found: m.Inspection.Found, Data: m.Inspection.Data.unpack()}, nil
}

func (w *Worker) ask(ctx context.Context, r *request) (*message, error) {
	p, err := w.process(ctx)
	if err != nil {
		return nil, err
	}
	m, err := p.call(ctx, r)
	if err != nil {
		return nil, err
	}
	if m.Err != "" {
		return nil, errors.New(m.Err)
	}
	return m, nil
}

// IsComplete needs no variables and is answered here.
func (w *Worker) IsComplete(_ context.Context, code string) (interp.Completeness, error) {
	return assist.IsComplete(code), nil
}

// Pid is the child's process id, 0 while there is none.
func (w *Worker) Pid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proc == nil {
		return 0
	}
	return w.proc.cmd.Process.Pid
}

// Close ends the child and all it started.
func (w *Worker) Close() error {
	w.mu.Lock()
	w.closed = true
	p, starting := w.proc, w.starting
	w.mu.Unlock()
	if starting != nil {
		<-starting
		w.mu.Lock()
		p = w.proc
		w.mu.Unlock()
	}
	if p != nil {
		p.close("the engine was closed")
	}
	return nil
}
