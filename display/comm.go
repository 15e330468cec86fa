package display

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Comm is a two-way channel to the front end, named by a target: what Jupyter
// widgets are made of. Without a front end what is sent is dropped.
type Comm struct {
	id      string
	target  string
	sink    Sink // of the cell that opened it
	receive func(data []byte, buffers [][]byte)

	mu      sync.Mutex
	pending map[string]any // values of an update held back
	to      Sink           // where that belongs
	last    time.Time
	timer   *time.Timer
}

var comms struct {
	sync.Mutex
	open    map[string]*Comm
	targets map[string]func(c *Comm, data []byte) (receive func(data []byte, buffers [][]byte))
}

// OpenComm opens a comm with data, any value encoding/json takes. Receive is
// called with the JSON of every message that the front end sends; nil ignores
// them.
func OpenComm(target string, data any, metadata map[string]any, receive func(data []byte, buffers [][]byte)) *Comm {
	c := &Comm{id: rand.Text(), target: target, sink: current(), receive: receive}
	c.register()
	emit(c.sink, Event{Kind: CommOpen, ID: c.id, Target: target, Data: Bundle{JSON: data}, Metadata: metadata})
	return c
}

// OnComm has comms of a target accepted that the front end opens: accept gets
// the data they open with and returns what receives later messages.
func OnComm(target string, accept func(c *Comm, data []byte) (receive func(data []byte, buffers [][]byte))) {
	comms.Lock()
	defer comms.Unlock()
	if comms.targets == nil {
		comms.targets = map[string]func(c *Comm, data []byte) func(data []byte, buffers [][]byte){}
	}
	comms.targets[target] = accept
}

func (c *Comm) register() {
	comms.Lock()
	defer comms.Unlock()
	if comms.open == nil {
		comms.open = map[string]*Comm{}
	}
	comms.open[c.id] = c
}

// ID names the comm; for a widget it is the model's.
func (c *Comm) ID() string { return c.id }

// Send sends data, any value encoding/json takes, and binary buffers.
func (c *Comm) Send(data any, buffers ...[]byte) {
	c.Flush()
	emit(c.where(), Event{Kind: CommMsg, ID: c.id, Data: Bundle{JSON: data}, Buffers: buffers})
}

// Update sends new values of a widget's state, in ipywidgets' protocol. At most
// one update in 100 ms goes out; those between are joined, and the last value
// of each name always arrives, at the end of the cell at the latest.
func (c *Comm) Update(state map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		c.pending = map[string]any{}
	}
	maps.Copy(c.pending, state)
	c.to = c.where()
	if wait := Interval - time.Since(c.last); wait <= 0 {
		c.send()
	} else if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.Flush)
		holdBack(c)
	}
}

// Flush delivers the update held back, if there is one.
func (c *Comm) Flush() {
	c.flush()
}

func (c *Comm) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send()
}

func (c *Comm) send() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
		letGo(c)
	}
	if len(c.pending) == 0 {
		return
	}
	state := c.pending
	c.pending, c.last = nil, time.Now()
	emit(c.to, Event{Kind: CommMsg, ID: c.id, Data: Bundle{JSON: map[string]any{
		"method": "update", "state": state, "buffer_paths": []any{}}}})
}

// Close ends the comm.
func (c *Comm) Close() {
	c.Flush()
	comms.Lock()
	_, open := comms.open[c.id]
	delete(comms.open, c.id)
	comms.Unlock()
	if open {
		emit(c.where(), Event{Kind: CommClose, ID: c.id})
	}
}

// where is the running cell, or the one that opened the comm when none runs.
func (c *Comm) where() Sink {
	if sink := current(); sink != nil {
		return sink
	}
	return c.sink
}

// RequestID in the data of a comm event stands for the id of the request whose
// outputs the running cell's are. Only the front end's side knows it.
const RequestID = "\x00request id\x00"

// Deliver hands a comm event of the front end to whom it is for. Data[JSON] is
// json.RawMessage, or anything encoding/json takes. The error says that nobody
// receives it. Only the engine calls it, with a cell entered.
func Deliver(e Event) error {
	data, err := json.Marshal(e.Data[JSON])
	if err != nil {
		return fmt.Errorf("failed to read a comm message: %w", err)
	}
	comms.Lock()
	c, accept := comms.open[e.ID], comms.targets[e.Target]
	comms.Unlock()
	switch {
	case e.Kind == CommOpen && accept != nil:
		c = &Comm{id: e.ID, target: e.Target, sink: current()}
		c.register()
		c.receive = accept(c, data)
		return nil
	case e.Kind == CommOpen:
		return fmt.Errorf("no cell accepts comms of target %q", e.Target)
	case c == nil:
		return errors.New("the variables behind this control are gone: run its cell again")
	case e.Kind == CommClose:
		comms.Lock()
		delete(comms.open, e.ID)
		comms.Unlock()
	case c.receive != nil:
		c.receive(data, e.Buffers)
	}
	return nil
}
