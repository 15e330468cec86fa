package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"trafficgpt/interp"
	"trafficgpt/lib/display"
)

// commEngine is an engine whose cells can own comms. Comm delivers what a
// front end sent: an event of kind CommOpen, CommMsg or CommClose. What the
// receiver prints and shows goes to sink.
type commEngine interface {
	Comm(ctx context.Context, e display.Event, sink interp.Sink) error
}

// comms are the open comms, by id, with their target names.
type comms struct {
	mu      sync.Mutex
	targets map[string]string
}

func (c *comms) open(id, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.targets == nil {
		c.targets = make(map[string]string)
	}
	c.targets[id] = target
}

// target is a comm's target name, empty when it is not open.
func (c *comms) target(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.targets[id]
}

// close forgets a comm; false says that there was none.
func (c *comms) close(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.targets[id]
	delete(c.targets, id)
	return ok
}

// list gives the open comms of a target, of all with an empty one.
func (c *comms) list(target string) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make(map[string]any)
	for id, t := range c.targets {
		if target == "" || t == target {
			found[id] = map[string]string{"target_name": t}
		}
	}
	return found
}

// emitComm publishes what a cell does with a comm.
func (s *server) emitComm(r *request, e display.Event) error {
	data := e.Data[display.JSON]
	if data == nil {
		data = map[string]any{}
	}
	content := map[string]any{"comm_id": e.ID, "data": data}
	more := extras{metadata: e.Metadata, buffers: e.Buffers}
	switch e.Kind {
	case display.CommOpen:
		content["target_name"] = e.Target
		s.comms.open(e.ID, e.Target)
		s.publish(r, "comm_open", content, more)
	case display.CommMsg:
		if s.comms.target(e.ID) == "" {
			return fmt.Errorf("comm %s is not open", e.ID)
		}
		s.publish(r, "comm_msg", content, more)
	case display.CommClose:
		if s.comms.close(e.ID) {
			s.publish(r, "comm_close", content, more)
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
	s.comms.open(content.ID, content.Target)
	if err := s.deliver(r, display.CommOpen, content); err != nil {
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
	if content.Target = s.comms.target(content.ID); content.Target == "" {
		s.log.Info("comm_msg for a comm that is not open", "comm", content.ID)
		return nil
	}
	if err := s.deliver(r, display.CommMsg, content); err != nil {
		// Nobody waits for a reply, so this is where the user can see it.
		s.publish(r, "stream", map[string]any{"name": "stderr", "text": failureText(err) + "\n"})
	}
	return nil
}

func (s *server) commClose(r *request) any {
	var content commContent
	if err := r.msg.Decode(&content); err != nil {
		s.log.Warn("comm_close dropped", "error", err)
		return nil
	}
	content.Target = s.comms.target(content.ID)
	if s.comms.close(content.ID) {
		if err := s.deliver(r, display.CommClose, content); err != nil {
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
	return map[string]any{"status": "ok", "comms": s.comms.list(content.Target)}
}

// failureText is all that is known of an error.
func failureText(err error) string {
	var failed *interp.Error
	if errors.As(err, &failed) && len(failed.Traceback) > 0 {
		return strings.Join(failed.Traceback, "\n")
	}
	return err.Error()
}

// deliver hands a front end's comm message to the engine.
func (s *server) deliver(r *request, kind display.Kind, content commContent) error {
	engine, ok := s.engine.(commEngine)
	if !ok {
		return fmt.Errorf("nobody receives comms of target %q", content.Target)
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
	out := newCellSink(s, r, false, false)
	defer out.endCell()
	return engine.Comm(ctx, display.Event{Kind: kind, ID: content.ID, Target: content.Target,
		Data: display.Bundle{display.JSON: content.Data}, Metadata: metadata, Buffers: r.msg.Buffers}, out)
}
