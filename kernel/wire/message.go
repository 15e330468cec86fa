// Package wire carries Jupyter messages: their framing and signatures, the
// sockets they travel on, and the connection file that says where those are.
//
// ZeroMQ's wire protocol (greeting, handshake, frames) is zmq4's; the sockets
// on top are our own, because a kernel must survive what zmq4's sockets do
// not: a client that connects and says nothing, a subscriber that stops
// reading, a frame that claims to be a gigabyte. One such client never
// disturbs the others.
//
// The words of this package, from the wire up:
//
//   - guard: stands between a socket and zmq4, ends a connection whose frames
//     claim more than the limits, and keeps what is written in whole messages;
//   - outbox: the bounded queue of one connection, and the goroutine that
//     writes it; who stops reading until it is full is disconnected;
//   - Conn: one connection after its handshake;
//   - RouterSocket, XPubSocket: a bound socket with all its connections;
//   - Codec: signs messages and checks signatures, each of which counts once;
//   - ahead: the package that binds the sockets before nearly all else is
//     initialised (see there); Bind takes them over.
package wire

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ProtocolVersion is the version of the messaging specification spoken here.
const ProtocolVersion = "5.5"

// Header identifies a message. SubshellID names the subshell a shell request
// is meant for; empty is the main shell.
type Header struct {
	MsgID      string `json:"msg_id"`
	Session    string `json:"session"`
	Username   string `json:"username"`
	Date       string `json:"date"`
	MsgType    string `json:"msg_type"`
	Version    string `json:"version"`
	SubshellID string `json:"subshell_id,omitempty"`
}

// Message is one Jupyter message. Received messages keep their parts as the
// sender wrote them, so that RawHeader can come back as a parent header byte
// for byte. For a message to send, RawHeader is filled by NewMessage.
type Message struct {
	Identities [][]byte // routing prefix; on IOPub the topic
	Header     Header
	RawHeader  json.RawMessage
	Parent     json.RawMessage
	Metadata   json.RawMessage
	Content    json.RawMessage
	Buffers    [][]byte
	Signature  string // as received
}

// ParentHeader decodes the header of the message this one answers.
func (m *Message) ParentHeader() Header {
	var h Header
	// A parent that is no header leaves h empty, which matches no request.
	_ = json.Unmarshal(m.Parent, &h)
	return h
}

// Decode reads the content into v.
func (m *Message) Decode(v any) error {
	if err := json.Unmarshal(m.Content, v); err != nil {
		return fmt.Errorf("failed to read the content of %s: %w", m.Header.MsgType, err)
	}
	return nil
}

var emptyObject = json.RawMessage("{}")

// NewMessage builds a message of a type with JSON content. The parent is the
// raw header of the request it belongs to, nil for none.
func NewMessage(session, msgType string, parent json.RawMessage, content any) (*Message, error) {
	m := &Message{
		Header: Header{
			MsgID:    NewID(),
			Session:  session,
			Username: "kernel",
			Date:     time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
			MsgType:  msgType,
			Version:  ProtocolVersion,
		},
		Parent:   parent,
		Metadata: emptyObject,
	}
	if len(m.Parent) == 0 {
		m.Parent = emptyObject
	}
	var err error
	if m.Content, err = EncodeJSON(content); err != nil {
		return nil, fmt.Errorf("failed to encode the content of %s: %w", msgType, err)
	}
	if m.RawHeader, err = EncodeJSON(m.Header); err != nil {
		return nil, fmt.Errorf("failed to encode the header of %s: %w", msgType, err)
	}
	return m, nil
}

// EncodeJSON is json.Marshal without the escaping of <, > and &, which would
// swell every HTML and SVG output.
func EncodeJSON(v any) (json.RawMessage, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// NewID returns a random identifier in the form of a UUID.
func NewID() string {
	var b [16]byte
	// crypto/rand.Read never fails on the systems Go supports.
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// delimiter separates the routing identities from the signed message.
var delimiter = []byte("<IDS|MSG>")

// What can be wrong with a received message. None of it is fatal: the
// message is dropped and the reason logged.
var (
	ErrNoDelimiter = errors.New("no <IDS|MSG> delimiter")
	ErrTruncated   = errors.New("fewer than five frames after the delimiter")
	ErrSignature   = errors.New("wrong signature")
	ErrReplay      = errors.New("signature seen before (replayed message)")
	ErrHeader      = errors.New("header is not a Jupyter header")
)

// Encode returns the frames of m, signed.
func (c *Codec) Encode(m *Message) [][]byte {
	frames := make([][]byte, 0, len(m.Identities)+6+len(m.Buffers))
	frames = append(frames, m.Identities...)
	frames = append(frames, delimiter, c.sign(m.RawHeader, m.Parent, m.Metadata, m.Content),
		m.RawHeader, m.Parent, m.Metadata, m.Content)
	return append(frames, m.Buffers...)
}

// Decode checks the signature of frames and parses them.
func (c *Codec) Decode(frames [][]byte) (*Message, error) {
	at := -1
	for i, f := range frames {
		if bytes.Equal(f, delimiter) {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, ErrNoDelimiter
	}
	rest := frames[at+1:]
	if len(rest) < 5 {
		return nil, ErrTruncated
	}
	if err := c.verify(rest[0], rest[1], rest[2], rest[3], rest[4]); err != nil {
		return nil, err
	}
	m := &Message{
		Identities: frames[:at:at],
		Signature:  string(rest[0]),
		RawHeader:  rest[1],
		Parent:     rest[2],
		Metadata:   rest[3],
		Content:    rest[4],
		Buffers:    rest[5:],
	}
	if err := json.Unmarshal(m.RawHeader, &m.Header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if m.Header.MsgID == "" || m.Header.MsgType == "" {
		return nil, ErrHeader
	}
	for _, part := range []json.RawMessage{m.Parent, m.Metadata, m.Content} {
		if !isObject(part) {
			return nil, fmt.Errorf("a part of %s is not a JSON object", m.Header.MsgType)
		}
	}
	return m, nil
}

func isObject(raw []byte) bool {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed)
}
