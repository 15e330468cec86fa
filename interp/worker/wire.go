package worker

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// op names what a request asks of the child.
type op uint8

const (
	opHello op = iota // the first request: how to set up
	opEval
	opInterrupt
	opComplete
	opInspect
	opInput  // the answer to an msgInput
	opWhere  // which compiled call the running cell is in
	opFinish // close the session and exit
	opComm   // deliver a comm event of the front end
	opDebug  // a request of a debugger
)

// request travels from the parent to the child.
type request struct {
	ID     uint64
	Op     op
	Hello  hello
	Cell   interp.Cell
	Event  wireEvent // of an opComm
	Code   string
	Pos    int
	Detail int
	Text   string // of an opInput
	Err    string // of an opInput that nobody could answer
	Debug  interp.DebugRequest
}

type hello struct {
	Nonce       []byte
	MemoryLimit int64
	Options     []byte // session.Options as JSON
}

// kind names what a message of the child is.
type kind uint8

const (
	msgReady  kind = iota // the answer to opHello
	msgReply              // to opComplete, opInspect, opWhere; in no order with the rest
	msgResult             // a cell has ended
	msgEvent              // of display
	msgInput              // the cell asks for a line
	msgBegin              // from here on, what is printed is the cell's
	msgPrint              // a goroutine of an earlier cell prints Text
	msgDebug              // the debugger has something to say
)

// message travels from the child to the parent. Those with a Seq have their
// place between the bytes that were printed; a mark with the same number lies
// in both streams.
type message struct {
	ID         uint64 // of the request that it belongs to
	Kind       kind
	Seq        uint64
	Err        string
	Completion interp.Completion
	Inspection wireInspection
	Text       string
	Event      wireEvent
	Result     wireResult
	Input      wireInput
	Stderr     bool              // of a msgPrint
	Debug      interp.DebugReply // to opDebug
	Stop       interp.DebugEvent // of msgDebug
}

type wireInput struct {
	ID       uint64
	Prompt   string
	Password bool
}

type wireInspection struct {
	Found bool
	Data  wireBundle
}

type wireResult struct {
	HasValue bool
	Value    wireBundle
	Err      *interp.Error
	Duration time.Duration
	Payloads []wirePayload
}

type wirePayload struct {
	Kind    interp.PayloadKind
	Page    wireBundle
	Text    string
	Replace bool
}

type wireEvent struct {
	Kind     display.Kind
	ID       string
	Data     wireBundle
	Metadata []byte // JSON
	Wait     bool
	Target   string
	Buffers  [][]byte
}

// wireBundle keeps text and bytes as they are and all else as JSON, which is
// what a front end makes of it anyway.
type wireBundle map[string]wireData

type wireData struct {
	Kind byte // 's', 'b' or 'j'
	Data []byte
}

func packBundle(b display.Bundle) wireBundle {
	w := make(wireBundle, len(b))
	for mime, v := range b {
		switch v := v.(type) {
		case string:
			w[mime] = wireData{'s', []byte(v)}
		case []byte:
			w[mime] = wireData{'b', v}
		default:
			data, err := json.Marshal(v)
			if err != nil {
				// Seen by whoever looks at the output rather than lost.
				w[display.Text] = wireData{'s', fmt.Appendf(nil, "failed to encode %s: %v", mime, err)}
				continue
			}
			w[mime] = wireData{'j', data}
		}
	}
	return w
}

func (w wireBundle) unpack() display.Bundle {
	b := make(display.Bundle, len(w))
	for mime, d := range w {
		switch d.Kind {
		case 's':
			b[mime] = string(d.Data)
		case 'b':
			b[mime] = d.Data
		default:
			b[mime] = unpackJSON[any](d.Data)
		}
	}
	return b
}

// unpackJSON keeps numbers as they were written.
func unpackJSON[T any](data []byte) T {
	var v T
	if len(data) > 0 {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		_ = dec.Decode(&v) // packJSON wrote it
	}
	return v
}

func packJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

func packEvent(e display.Event) wireEvent {
	w := wireEvent{Kind: e.Kind, ID: e.ID, Data: packBundle(e.Data), Wait: e.Wait, Target: e.Target, Buffers: e.Buffers}
	if len(e.Metadata) > 0 {
		w.Metadata = packJSON(e.Metadata)
	}
	return w
}

func (w wireEvent) unpack() display.Event {
	return display.Event{
		Kind: w.Kind, ID: w.ID, Data: w.Data.unpack(), Wait: w.Wait, Target: w.Target, Buffers: w.Buffers,
		Metadata: unpackJSON[map[string]any](w.Metadata),
	}
}

func packResult(r interp.Result) wireResult {
	w := wireResult{HasValue: r.Value != nil, Value: packBundle(r.Value), Err: r.Err, Duration: r.Duration}
	for _, p := range r.Payloads {
		w.Payloads = append(w.Payloads, wirePayload{p.Kind, packBundle(p.Page), p.Text, p.Replace})
	}
	return w
}

func (w wireResult) unpack() interp.Result {
	r := interp.Result{Err: w.Err, Duration: w.Duration}
	for _, p := range w.Payloads {
		r.Payloads = append(r.Payloads, interp.Payload{Kind: p.Kind, Page: p.Page.unpack(), Text: p.Text, Replace: p.Replace})
	}
	if w.HasValue {
		r.Value = w.Value.unpack()
	}
	return r
}

// sender writes values to a pipe, each at once and whole.
type sender struct {
	mu  sync.Mutex
	enc *gob.Encoder
	buf bytes.Buffer
	w   io.Writer
}

func newSender(w io.Writer) *sender {
	s := &sender{w: w}
	s.enc = gob.NewEncoder(&s.buf)
	return s
}

func (s *sender) send(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	if err := s.enc.Encode(v); err != nil {
		return err
	}
	_, err := s.w.Write(s.buf.Bytes())
	return err
}
