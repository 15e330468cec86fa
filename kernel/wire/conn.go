package wire

import (
	"fmt"
	"net"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// handshakeDeadline is how long a peer may take to greet.
const handshakeDeadline = 5 * time.Second

// SocketType is a ZeroMQ socket type.
type SocketType = zmq4.SocketType

// The socket types of the Jupyter protocol: the kernel binds the first two,
// front ends connect the others.
const (
	Router = zmq4.Router
	XPub   = zmq4.XPub
	Dealer = zmq4.Dealer
	Sub    = zmq4.Sub
	Req    = zmq4.Req
)

// Conn is one established ZeroMQ connection. Recv belongs to one goroutine;
// Send may be called from any.
type Conn struct {
	z   *zmq4.Conn
	g   *guard
	out *outbox
	// Identity is what the peer calls itself; on a router, if it sent none,
	// one of our own making.
	Identity string
}

// Handshake establishes a ZeroMQ connection over nc.
func Handshake(nc net.Conn, typ SocketType, identity []byte, server bool) (c *Conn, err error) {
	g := newGuard(nc)
	defer func() {
		// zmq4 panics on malformed metadata and on unknown socket types.
		if r := recover(); r != nil {
			c, err = nil, fmt.Errorf("handshake failed: %v", r)
		}
		if err != nil {
			nc.Close()
		}
	}()
	if err := nc.SetDeadline(time.Now().Add(handshakeDeadline)); err != nil {
		return nil, fmt.Errorf("handshake failed: %w", err)
	}
	z, err := zmq4.Open(g, null.Security(), typ, zmq4.SocketIdentity(identity), server, nil)
	if err != nil {
		return nil, fmt.Errorf("handshake failed: %w", err)
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("handshake failed: %w", err)
	}
	g.established()
	c = &Conn{z: z, g: g, Identity: z.Peer.Meta["Identity"]}
	c.out = newOutbox(g.writeMessages, func() { nc.Close() })
	return c, nil
}

// Recv returns the frames of the next user message; ZeroMQ's own commands
// (PING and the like) are answered or dropped on the way.
func (c *Conn) Recv() (frames [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			frames, err = nil, fmt.Errorf("failed to receive: %v", r)
		}
	}()
	for {
		m, err := c.z.RecvMsg()
		if err != nil {
			return nil, err
		}
		if m.Type == zmq4.UsrMsg {
			return m.Frames, nil
		}
	}
}

// Send queues a message. It never blocks: a peer that does not read until
// the queue is full is disconnected.
func (c *Conn) Send(frames [][]byte) error {
	return c.out.put(appendFrames(nil, frames), false)
}

// Drain waits until everything queued is written or the time is over.
func (c *Conn) Drain(limit time.Duration) { c.out.drain(limit) }

// Close ends the connection at once.
func (c *Conn) Close() { c.out.close(nil) }
