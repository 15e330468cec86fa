package worker

import (
	"context"
	"errors"

	"trafficgpt/interp"
)

var _ interp.Debugger = (*Worker)(nil)

// OnDebug sets who hears of stops, and that the debugger is gone when the child
// dies.
func (w *Worker) OnDebug(f func(interp.DebugEvent)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onDebug = f
}

// Debug asks the child; it answers while a cell runs.
func (w *Worker) Debug(ctx context.Context, r interp.DebugRequest) (interp.DebugReply, error) {
	p, err := w.process(ctx)
	if err != nil {
		return interp.DebugReply{}, err
	}
	switch r.Do {
	case interp.DebugAttach:
		w.mu.Lock()
		f := w.onDebug
		w.mu.Unlock()
		p.mu.Lock()
		p.onDebug = f
		p.mu.Unlock()
	case interp.DebugDetach:
		defer func() {
			p.mu.Lock()
			p.onDebug = nil
			p.mu.Unlock()
		}()
	}
	m, err := p.call(ctx, &request{Op: opDebug, Debug: r})
	switch {
	case err != nil:
		return interp.DebugReply{}, err
	case m.Err == interp.ErrNotAttached.Error():
		return interp.DebugReply{}, interp.ErrNotAttached
	case m.Err != "":
		return interp.DebugReply{}, errors.New(m.Err)
	}
	return m.Debug, nil
}

// debugEvent passes on what the child's debugger says.
func (p *process) debugEvent(e interp.DebugEvent) {
	p.mu.Lock()
	f := p.onDebug
	p.mu.Unlock()
	if f != nil {
		f(e)
	}
}

// debugEvents sends what the session's debugger says in its place between what
// is printed.
func (c *child) debugEvents() {
	if d, ok := c.engine.(interp.Debugger); ok {
		d.OnDebug(func(e interp.DebugEvent) { c.out.send(&message{Kind: msgDebug, Stop: e}) })
	}
}

func (c *child) debug(r *request) (interp.DebugReply, error) {
	d, ok := c.engine.(interp.Debugger)
	if !ok {
		return interp.DebugReply{}, errors.New("the engine has no debugger")
	}
	return d.Debug(context.Background(), r.Debug)
}
