package kernel

import (
	"context"
	"errors"
	"sync"
	"time"

	"trafficgpt/kernel/wire"
)

// stdinGrace is how long the stdin connection of a client may be missing when
// a cell asks; it may still be on its way.
const stdinGrace = 2 * time.Second

var errInterrupted = errors.New("interrupted while waiting for input")

// inputs is the question that is open, if one is. There is one at a time.
type inputs struct {
	turn sync.Mutex

	mu       sync.Mutex
	identity string // who was asked
	answer   chan string
	stop     chan struct{}
}

// ask sends an input_request to the client that sent r and waits.
func (s *server) ask(ctx context.Context, r *request, prompt string, password bool) (string, error) {
	in := &s.inputs
	in.turn.Lock()
	defer in.turn.Unlock()
	identity := r.conn.Identity
	deadline := time.Now().Add(stdinGrace)
	for !s.stdin.Has(identity) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return "", errors.New("the front end that runs this cell has no stdin connection")
		}
		time.Sleep(10 * time.Millisecond)
	}
	answer, stop := make(chan string, 1), make(chan struct{})
	in.mu.Lock()
	in.identity, in.answer, in.stop = identity, answer, stop
	in.mu.Unlock()
	defer in.forget()

	m, err := wire.NewMessage(s.session, "input_request", r.msg.RawHeader,
		map[string]any{"prompt": prompt, "password": password})
	if err != nil {
		return "", err
	}
	m.Identities = r.msg.Identities
	if err := s.stdin.SendTo(identity, s.codec.Encode(m)); err != nil {
		return "", err
	}
	select {
	case value := <-answer:
		return value, nil
	case <-stop:
		return "", errInterrupted
	case <-ctx.Done():
		return "", ctx.Err()
	case <-s.ctx.Done():
		return "", errShutdown
	}
}

func (in *inputs) forget() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.identity, in.answer, in.stop = "", nil, nil
}

// cancel ends the open question, if there is one.
func (in *inputs) cancel() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stop != nil {
		close(in.stop)
		in.stop, in.answer = nil, nil
	}
}

// receiveStdin takes an input_reply. One that nobody waits for, or from
// somebody who was not asked, is dropped.
func (s *server) receiveStdin(c *wire.Conn, frames [][]byte) {
	msg, err := s.codec.Decode(frames)
	if err != nil {
		s.log.Warn("message on stdin dropped", "error", err)
		return
	}
	var reply struct {
		Value string `json:"value"`
	}
	if msg.Header.MsgType != "input_reply" || msg.Decode(&reply) != nil {
		return
	}
	in := &s.inputs
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.answer != nil && in.identity == c.Identity {
		in.answer <- reply.Value
		in.answer = nil
	}
}
