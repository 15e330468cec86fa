package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// comms are the open comms, by id.
type comms struct {
	mu   sync.Mutex
	open map[string]*comm
}

// comm is a channel between a widget's two halves.
type comm struct {
	target string
	// origin is the cell that made it, or the front end's comm_open: what the
	// receiver prints and shows goes there.
	origin *request
	// engine is the process that holds the other half. With another one the
	// half is gone, which whoever still uses the control is told.
	engine int
}

func (c *comms) add(id string, made *comm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[string]*comm)
	}
	c.open[id] = made
}

// get is the comm of an id, nil when it is not open.
func (c *comms) get(id string) *comm {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[id]
}

// close forgets a comm; false says that there was none.
func (c *comms) close(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.open[id]
	delete(c.open, id)
	return ok
}

// list gives the comms of a target, of all with an empty one, whose other half
// is in that engine process.
func (c *comms) list(target string, engine int) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make(map[string]any)
	for id, o := range c.open {
		if (target == "" || o.target == target) && o.engine == engine {
			found[id] = map[string]string{"target_name": o.target}
		}
	}
	return found
}

// enginePid is the engine's process, 0 when it is this one.
func (s *server) enginePid() int {
	if e, ok := s.engine.(interface{ Pid() int }); ok {
		return e.Pid()
	}
	return 0
}

// emitComm publishes what a cell does with a comm. Parent is the request that
// is being answered; origin owns what a new comm's receiver will show.
func (s *server) emitComm(parent, origin *request, e display.Event) error {
	data := e.Data[display.JSON]
	if data == nil {
		data = map[string]any{}
	}
	// An output widget that captures must know whose outputs to take.
	if state, ok := data.(map[string]any); ok {
		if state, ok := state["state"].(map[string]any); ok && state["msg_id"] == display.RequestID {
			state["msg_id"] = origin.msg.Header.MsgID
		}
	}
	content := map[string]any{"comm_id": e.ID, "data": data}
	more := extras{metadata: e.Metadata, buffers: e.Buffers}
	switch e.Kind {
	case display.CommOpen:
		content["target_name"] = e.Target
		s.comms.add(e.ID, &comm{target: e.Target, origin: origin, engine: s.enginePid()})
		s.publish(parent, "comm_open", content, more)
	case display.CommMsg:
		if s.comms.get(e.ID) == nil {
			return fmt.Errorf("comm %s is not open", e.ID)
		}
		s.publish(parent, "comm_msg", content, more)
	case display.CommClose:
		if s.comms.close(e.ID) {
			s.publish(parent, "comm_close", content, more)
		}
	}
	return nil
}

type commContent struct {
	ID     string          `json:"comm_id"`
	Target string          `json:"target_name"`
	Data   json.RawMessage `json:"data"`
}

// commOpen takes a comm that a front end opens. One that nobody receives is
// closed again, as the specification says.
func (s *server) commOpen(r *request) any {
	var content commContent
	if err := r.msg.Decode(&content); err != nil || content.ID == "" {
		s.log.Warn("comm_open dropped", "error", err)
		return nil
	}
	opened := &comm{target: content.Target, origin: r, engine: s.enginePid()}
	s.comms.add(content.ID, opened)
	if err := s.deliver(r, display.CommOpen, content, opened); err != nil {
		s.log.Info("comm refused", "target", content.Target, "error", err)
		s.comms.close(content.ID)
		s.publish(r, "comm_close", map[string]any{"comm_id": content.ID, "data": map[string]any{}})
	}
	return nil
}

func (s *server) commMsg(r *request) any {
	var content commContent
	if err := r.msg.Decode(&content); err != nil {
		s.log.Warn("comm_msg dropped", "error", err)
		return nil
	}
	to := s.comms.get(content.ID)
	if to == nil {
		s.log.Info("comm_msg for a comm that is not open", "comm", content.ID)
		return nil
	}
	if err := s.deliver(r, display.CommMsg, content, to); err != nil {
		// Nobody waits for a reply: the user sees it where the control is.
		s.publish(to.origin, "error", errorContent(asError(err)))
	}
	return nil
}

func (s *server) commClose(r *request) any {
	var content commContent
	if err := r.msg.Decode(&content); err != nil {
		s.log.Warn("comm_close dropped", "error", err)
		return nil
	}
	closed := s.comms.get(content.ID)
	if closed != nil && s.comms.close(content.ID) {
		if err := s.deliver(r, display.CommClose, content, closed); err != nil {
			s.log.Info("comm_close not delivered", "error", err)
		}
	}
	return nil
}

func (s *server) commInfo(r *request) any {
	var content struct {
		Target string `json:"target_name"`
	}
	if err := r.msg.Decode(&content); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	return map[string]any{"status": "ok", "comms": s.comms.list(content.Target, s.enginePid())}
}

func asError(err error) *interp.Error {
	var failed *interp.Error
	if errors.As(err, &failed) {
		return failed
	}
	return &interp.Error{Name: "CommError", Message: err.Error()}
}

// deliver hands a front end's comm message to the engine.
func (s *server) deliver(r *request, kind display.Kind, content commContent, to *comm) error {
	engine, ok := s.engine.(interp.CommEngine)
	if !ok {
		return fmt.Errorf("nobody receives comms of target %q", to.target)
	}
	var metadata map[string]any
	// Metadata of another shape is no metadata.
	_ = json.Unmarshal(r.msg.Metadata, &metadata)
	// What the receiver does is a cell like others: it waits for its turn and
	// can be interrupted.
	select {
	case s.engineTurn <- struct{}{}:
		defer func() { <-s.engineTurn }()
	case <-s.ctx.Done():
		return errShutdown
	}
	ctx, cancel := s.begin(r)
	defer cancel()
	out := newCellSink(s, to.origin, false, false)
	// Front ends take comm messages for answers to theirs, but text and
	// displays for the cell's.
	out.comm = r
	defer out.endCell()
	return engine.Comm(ctx, display.Event{Kind: kind, ID: content.ID, Target: to.target,
		Data: display.Bundle{display.JSON: content.Data}, Metadata: metadata, Buffers: r.msg.Buffers}, out)
}
