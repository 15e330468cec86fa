// Package client is the front end's side of the Jupyter protocol: enough of it
// to start a cell and see what comes of it. The doctor asks the kernel through
// it, and so do the kernel's tests.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"trafficgpt/kernel/wire"
)

// ErrTimeout says that nothing came in time.
var ErrTimeout = errors.New("timed out")

// Client is connected to all sockets of one kernel.
type Client struct {
	Session string

	codec                          *wire.Codec
	shell, control, stdin, sub, hb *wire.Conn

	// What arrived and nobody has taken yet.
	Shell, Control, Stdin, IOPub *Inbox
	beats                        chan struct{}
}

// Dial connects to the kernel of a connection file and waits until it answers
// to the subscription, so that no later output is missed.
func Dial(f *wire.ConnectionFile, limit time.Duration) (*Client, error) {
	c, err := DialQuiet(f, limit)
	if err != nil {
		return nil, err
	}
	welcome, err := c.IOPub.Take(limit)
	if err == nil && welcome.Header.MsgType != "iopub_welcome" {
		err = fmt.Errorf("the first message on IOPub is %s, not iopub_welcome", welcome.Header.MsgType)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("failed to subscribe: %w", err)
	}
	return c, nil
}

// DialQuiet is Dial without waiting for the welcome.
func DialQuiet(f *wire.ConnectionFile, limit time.Duration) (*Client, error) {
	codec, err := wire.NewCodec(f.SignatureScheme, f.Key)
	if err != nil {
		return nil, err
	}
	c := &Client{Session: wire.NewID(), codec: codec, beats: make(chan struct{}, 1),
		Shell: newInbox(), Control: newInbox(), Stdin: newInbox(), IOPub: newInbox()}
	deadline := time.Now().Add(limit)
	for _, s := range []struct {
		conn **wire.Conn
		typ  wire.SocketType
		port int
	}{
		{&c.shell, wire.Dealer, f.ShellPort},
		{&c.control, wire.Dealer, f.ControlPort},
		{&c.stdin, wire.Dealer, f.StdinPort},
		{&c.sub, wire.Sub, f.IOPubPort},
		{&c.hb, wire.Req, f.HBPort},
	} {
		if *s.conn, err = DialSocket(f, s.typ, s.port, c.Session, deadline); err != nil {
			c.Close()
			return nil, err
		}
	}
	go c.receive(c.shell, c.Shell)
	go c.receive(c.control, c.Control)
	go c.receive(c.stdin, c.Stdin)
	go c.receive(c.sub, c.IOPub)
	go c.receiveBeats()
	if err := c.sub.Send([][]byte{{1}}); err != nil {
		c.Close()
		return nil, fmt.Errorf("failed to subscribe: %w", err)
	}
	return c, nil
}

// DialSocket connects one socket, trying again until the deadline as the
// kernel may not be bound yet.
func DialSocket(f *wire.ConnectionFile, typ wire.SocketType, port int, identity string, deadline time.Time) (*wire.Conn, error) {
	for {
		nc, err := DialRaw(f, port)
		if err == nil {
			var conn *wire.Conn
			if conn, err = wire.Handshake(nc, typ, []byte(identity), false); err == nil {
				return conn, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("failed to connect to the kernel: %w", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// DialRaw opens the bare connection beneath a socket.
func DialRaw(f *wire.ConnectionFile, port int) (net.Conn, error) {
	if f.Transport == "ipc" {
		return net.Dial("unix", f.IP+"-"+strconv.Itoa(port))
	}
	return net.Dial("tcp", net.JoinHostPort(f.IP, strconv.Itoa(port)))
}

func (c *Client) receive(conn *wire.Conn, box *Inbox) {
	for {
		frames, err := conn.Recv()
		if err != nil {
			box.close(err)
			return
		}
		m, err := c.codec.Decode(frames)
		if err != nil {
			continue // it was not meant for this client
		}
		box.put(m)
	}
}

func (c *Client) receiveBeats() {
	for {
		if _, err := c.hb.Recv(); err != nil {
			return
		}
		select {
		case c.beats <- struct{}{}:
		default: // nobody asked
		}
	}
}

// Ping sends a heartbeat and waits for its echo.
func (c *Client) Ping(limit time.Duration) error {
	if err := c.hb.Send([][]byte{{}, []byte("ping")}); err != nil {
		return fmt.Errorf("failed to send a heartbeat: %w", err)
	}
	select {
	case <-c.beats:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("heartbeat: %w", ErrTimeout)
	}
}

// Request sends a request on the shell channel and returns its id.
func (c *Client) Request(msgType string, content any) (string, error) {
	return c.send(c.shell, msgType, "", content, nil)
}

// RequestSubshell is Request for a subshell.
func (c *Client) RequestSubshell(subshell, msgType string, content any) (string, error) {
	return c.send(c.shell, msgType, subshell, content, nil)
}

// RequestControl sends a request on the control channel.
func (c *Client) RequestControl(msgType string, content any) (string, error) {
	return c.send(c.control, msgType, "", content, nil)
}

// AnswerInput answers an input_request.
func (c *Client) AnswerInput(request *wire.Message, value string) error {
	_, err := c.send(c.stdin, "input_reply", "", map[string]any{"status": "ok", "value": value}, request.RawHeader)
	return err
}

func (c *Client) send(conn *wire.Conn, msgType, subshell string, content any, parent json.RawMessage) (string, error) {
	m, err := c.Message(msgType, subshell, content, parent)
	if err != nil {
		return "", err
	}
	if err := conn.Send(c.codec.Encode(m)); err != nil {
		return "", fmt.Errorf("failed to send %s: %w", msgType, err)
	}
	return m.Header.MsgID, nil
}

// Message builds a message of this client, signed with nothing yet.
func (c *Client) Message(msgType, subshell string, content any, parent json.RawMessage) (*wire.Message, error) {
	m, err := wire.NewMessage(c.Session, msgType, parent, content)
	if err != nil {
		return nil, err
	}
	m.Header.SubshellID = subshell
	if m.RawHeader, err = wire.EncodeJSON(m.Header); err != nil {
		return nil, err
	}
	return m, nil
}

// SendShell sends frames as they are on the shell socket.
func (c *Client) SendShell(frames [][]byte) error { return c.shell.Send(frames) }

// Encode signs a message.
func (c *Client) Encode(m *wire.Message) [][]byte { return c.codec.Encode(m) }

// Close hangs up.
func (c *Client) Close() {
	for _, conn := range []*wire.Conn{c.shell, c.control, c.stdin, c.sub, c.hb} {
		if conn != nil {
			conn.Drain(time.Second)
			conn.Close()
		}
	}
}

// Inbox keeps what arrived on a channel until it is taken.
type Inbox struct {
	mu       sync.Mutex
	messages []*wire.Message
	err      error
	more     chan struct{}
}

func newInbox() *Inbox { return &Inbox{more: make(chan struct{})} }

func (b *Inbox) put(m *wire.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
	b.wake()
}

func (b *Inbox) close(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.wake()
}

func (b *Inbox) wake() {
	close(b.more)
	b.more = make(chan struct{})
}

// Take returns the next message.
func (b *Inbox) Take(limit time.Duration) (*wire.Message, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		b.mu.Lock()
		if len(b.messages) > 0 {
			m := b.messages[0]
			b.messages[0] = nil
			b.messages = b.messages[1:]
			b.mu.Unlock()
			return m, nil
		}
		err, more := b.err, b.more
		b.mu.Unlock()
		if err != nil {
			return nil, fmt.Errorf("connection to the kernel lost: %w", err)
		}
		select {
		case <-more:
		case <-timer.C:
			return nil, ErrTimeout
		}
	}
}
