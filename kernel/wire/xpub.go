package wire

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// XPubSocket is a bound XPUB: everyone subscribed to a topic gets its
// messages, in one order for all. It tells about subscriptions, which is what
// iopub_welcome needs.
type XPubSocket struct {
	l       *listener
	welcome func(topic string) [][]byte

	mu   sync.Mutex // guards subs, and keeps publications in one order
	subs map[*Conn]map[string]int
}

// NewXPub serves ln. Welcome gives the message that greets a new
// subscription; it reaches the subscriber before anything published later.
func NewXPub(ln net.Listener, log *slog.Logger, welcome func(topic string) [][]byte) *XPubSocket {
	x := &XPubSocket{welcome: welcome, subs: make(map[*Conn]map[string]int)}
	x.l = listen(ln, XPub, log, x.serve)
	return x
}

func (x *XPubSocket) serve(c *Conn) {
	x.mu.Lock()
	x.subs[c] = make(map[string]int)
	x.mu.Unlock()
	defer x.drop(c)
	for {
		frames, err := c.Recv()
		if err != nil {
			return
		}
		if len(frames) == 1 && len(frames[0]) > 0 {
			x.subscription(c, frames[0][0], string(frames[0][1:]))
		}
	}
}

func (x *XPubSocket) subscription(c *Conn, verb byte, topic string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	topics := x.subs[c]
	switch {
	case topics == nil:
	case verb == 1:
		topics[topic]++
		if x.welcome != nil {
			// A failed send ends the connection by itself.
			_ = c.Send(x.welcome(topic))
		}
	case verb == 0 && topics[topic] > 1:
		topics[topic]--
	case verb == 0:
		delete(topics, topic)
	}
}

func (x *XPubSocket) drop(c *Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.subs, c)
}

// Publish sends frames, of which the first is the topic. It waits for slow
// subscribers that are alive; one that is not is disconnected.
func (x *XPubSocket) Publish(frames [][]byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var encoded []byte
	topic := string(frames[0])
	for c, topics := range x.subs {
		if !wants(topics, topic) {
			continue
		}
		if encoded == nil {
			encoded = appendFrames(nil, frames)
		}
		if err := c.out.put(encoded, true); errors.Is(err, ErrStalled) {
			delete(x.subs, c)
			x.l.log.Warn("subscriber disconnected", "error", err)
		}
	}
}

func wants(topics map[string]int, topic string) bool {
	for t := range topics {
		if strings.HasPrefix(topic, t) {
			return true
		}
	}
	return false
}

// Subscribers is the number of connections with at least one subscription.
func (x *XPubSocket) Subscribers() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, topics := range x.subs {
		if len(topics) > 0 {
			n++
		}
	}
	return n
}

// Addr is where the socket is bound.
func (x *XPubSocket) Addr() net.Addr { return x.l.ln.Addr() }

// Close lets queued messages out for at most limit and ends.
func (x *XPubSocket) Close(limit time.Duration) { x.l.close(limit) }
