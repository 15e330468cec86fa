package rt

// Frame runs the body of a function that defers: yaegi neither freezes the
// arguments of a defer nor keeps the type of a panic, so both are done here.
type Frame struct {
	c         *Control
	calls     []func()
	complete  bool // the body reached its end, deferred calls included
	panicking bool
	value     any
	recovered bool
}

// Run calls body and then the functions it deferred. It returns when the
// function returns, normally or because a panic was recovered. A body that
// comes back without having reached its end was interrupted.
func (w *World) Run(body func(*Frame) bool) {
	f := &Frame{c: &w.Control}
	defer f.unwind()
	if !body(f) {
		f.abandon()
	}
	f.runDefers()
}

// abandon keeps the deferred calls of an interrupted function for later.
func (f *Frame) abandon() {
	f.c.mu.Lock()
	for i := len(f.calls) - 1; i >= 0; i-- {
		f.c.late = append(f.c.late, f.calls[i])
	}
	f.calls = nil
	f.c.mu.Unlock()
	f.complete = true
	panic(ErrInterrupted)
}

// Defer adds a call.
func (f *Frame) Defer(call func()) {
	if call == nil {
		f.calls = append(f.calls, func() { Nil() })
		return
	}
	f.calls = append(f.calls, call)
}

// runDefers runs the deferred calls of a function that returns normally.
func (f *Frame) runDefers() {
	for len(f.calls) > 0 {
		n := len(f.calls) - 1
		call := f.calls[n]
		f.calls = f.calls[:n]
		call()
	}
	f.complete = true
}

func (f *Frame) unwind() {
	v := recover()
	if v == nil && f.complete {
		return
	}
	if v == error(ErrInterrupted) {
		if len(f.calls) > 0 {
			func() {
				defer func() { _ = recover() }()
				f.abandon()
			}()
		}
		panic(v)
	}
	if _, ends := v.(Exit); ends {
		panic(v) // os.Exit runs no deferred calls
	}
	if v != nil {
		f.panicking, f.value = true, MapPanic(v)
	}
	for len(f.calls) > 0 {
		n := len(f.calls) - 1
		call := f.calls[n]
		f.calls = f.calls[:n]
		f.guard(call)
		if f.recovered {
			f.panicking, f.recovered = false, false
			_ = f.mark()
		}
	}
	if f.panicking {
		panic(f.value)
	}
}

// guard runs a deferred call while the function unwinds; a panic of its own
// replaces the one in progress.
func (f *Frame) guard(call func()) {
	mark := f.mark()
	defer func() {
		v := recover()
		if _, ends := v.(Exit); ends {
			panic(v)
		}
		if v != nil {
			f.panicking, f.recovered, f.value = true, false, MapPanic(v)
		} else if f.c.Trace != nil {
			f.c.Trace.Back(mark)
		}
	}()
	call()
}

// mark lays aside what is known of the panic that unwinds this function.
func (f *Frame) mark() any {
	if f.c.Trace == nil {
		return nil
	}
	return f.c.Trace.Mark()
}

// Unwind makes the deferred call of a function that did not come to its return,
// where it would have made the call itself: it panicked, left by
// runtime.Goexit, or was interrupted, in which case the call is kept for later.
func (w *World) Unwind(armed *int, name string, call func()) {
	if *armed == 0 {
		return
	}
	*armed = 0
	c := &w.Control
	if c.Exiting.Load() {
		return
	}
	if c.Stopped() {
		c.mu.Lock()
		c.late = append(c.late, call)
		c.mu.Unlock()
		return
	}
	if c.Trace == nil {
		call()
		return
	}
	mark := c.Trace.Mark()
	defer func() {
		v := recover()
		if v == nil {
			c.Trace.Back(mark)
			return
		}
		c.Trace.Left(name) // the executor leaves the frame without a word
		panic(v)
	}()
	call()
}

// Recover is the builtin recover called by a function that this frame
// deferred; a nil frame stands for any other caller.
func (f *Frame) Recover() any {
	if f == nil || !f.panicking || f.recovered {
		return nil
	}
	if _, refused := f.value.(Refusal); refused {
		return nil
	}
	f.recovered = true
	return f.value
}

// RecoverCall is the recover that a function defers whose caller's frame is
// outer and whose own is inner: it acts for outer unless inner panics itself.
func RecoverCall(outer, inner *Frame) func() {
	return func() {
		if !inner.panicking {
			outer.Recover()
		}
	}
}

// Go starts a goroutine whose panic ends the cell instead of the process.
func (w *World) Go(call func()) {
	go func() {
		if call == nil {
			call = func() { panic("go of nil func value") }
		}
		w.Guard(call)
	}()
}

// Guard runs a call on a goroutine that is no one's: its panic ends the cell.
func (w *World) Guard(call func()) {
	if t := w.Control.Trace; t != nil {
		t.Mark() // another goroutine of this name may have died of a panic
	}
	defer func() {
		if v := recover(); v != nil && v != error(ErrInterrupted) {
			if w.Control.Crash != nil {
				w.Control.Crash(MapPanic(v), "")
			}
		}
	}()
	call()
}
