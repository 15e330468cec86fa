package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ErrNoPeer says that no connection carries the wanted identity.
var ErrNoPeer = errors.New("no such peer")

// RouterSocket is a bound ROUTER: it knows which connection each message came
// from and can write to a peer by its identity.
type RouterSocket struct {
	l      *listener
	handle func(c *Conn, frames [][]byte)

	mu    sync.Mutex
	peers map[string]*Conn
	next  uint32
}

// NewRouter serves ln. Handle is called for every message, one at a time per
// connection, concurrently for different ones.
func NewRouter(ln net.Listener, log *slog.Logger, handle func(c *Conn, frames [][]byte)) *RouterSocket {
	r := &RouterSocket{handle: handle, peers: make(map[string]*Conn)}
	r.l = listen(ln, Router, log, r.serve)
	return r
}

func (r *RouterSocket) serve(c *Conn) {
	r.join(c)
	defer r.leave(c)
	for {
		frames, err := c.Recv()
		if err != nil {
			if errors.Is(err, ErrOversized) {
				r.l.log.Warn("connection ended", "error", err)
			}
			return
		}
		r.handle(c, frames)
	}
}

// join enters c under its identity. The newest connection wins: a client that
// vanished without a word must not keep its successor out.
func (r *RouterSocket) join(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Identity == "" {
		r.next++
		// A leading zero byte is reserved for such names by ZeroMQ.
		c.Identity = fmt.Sprintf("\x00%08x", r.next)
	}
	r.peers[c.Identity] = c
}

func (r *RouterSocket) leave(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers[c.Identity] == c {
		delete(r.peers, c.Identity)
	}
}

// Has tells whether a peer of that identity is connected.
func (r *RouterSocket) Has(identity string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[identity] != nil
}

// SendTo writes frames to the peer of an identity.
func (r *RouterSocket) SendTo(identity string, frames [][]byte) error {
	r.mu.Lock()
	c := r.peers[identity]
	r.mu.Unlock()
	if c == nil {
		return ErrNoPeer
	}
	return c.Send(frames)
}

// Reply answers on the connection a request came in on, or, when that is
// gone, on a newer one of the same peer.
func (r *RouterSocket) Reply(c *Conn, frames [][]byte) error {
	if err := c.Send(frames); err == nil {
		return nil
	}
	return r.SendTo(c.Identity, frames)
}

// Addr is where the socket is bound.
func (r *RouterSocket) Addr() net.Addr { return r.l.ln.Addr() }

// Close lets queued messages out for at most limit and ends.
func (r *RouterSocket) Close(limit time.Duration) { r.l.close(limit) }

// NewHeartbeat serves ln by echoing every message.
func NewHeartbeat(ln net.Listener, log *slog.Logger) *RouterSocket {
	return NewRouter(ln, log, func(c *Conn, frames [][]byte) {
		// A peer that hung up needs no answer.
		_ = c.Send(frames)
	})
}
