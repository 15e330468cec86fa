package tokenizer

import (
	"fmt"
	"math"

	"trafficgpt/tokenizer/pcap"
)

// PositionError says which token of a list cannot be read, and why.
type PositionError struct {
	Position int
	Problem  string
}

func (e *PositionError) Error() string { return fmt.Sprintf("token %d: %s", e.Position, e.Problem) }

// Decode returns the packets of a list of tokens. The first packet's time is
// its interval after Options.Start. When the list is no flow, Decode returns a
// *PositionError and the packets before that position; a list that merely lacks
// the end token gives all its packets and an error at its length. Pad tokens may
// follow the end token.
func Decode(tokens []uint16, o ...Options) ([]pcap.Packet, error) {
	return newReader(tokens, o).all()
}

// reader reads packets off a list of tokens.
type reader struct {
	tokens []uint16
	at     int
	c      clock
	code   TimeCode
}

func newReader(tokens []uint16, o []Options) *reader {
	given := options(o)
	return &reader{tokens: tokens, c: clockOf(given.Start), code: given.Time}
}

func (r *reader) fail(format string, args ...any) error {
	return &PositionError{r.at, fmt.Sprintf(format, args...)}
}

// all reads a whole flow.
func (r *reader) all() ([]pcap.Packet, error) {
	var packets []pcap.Packet
	for {
		p, more, err := r.packet()
		if err != nil {
			return packets, err
		}
		if !more {
			return packets, r.rest()
		}
		packets = append(packets, p)
		if r.at == len(r.tokens) {
			return packets, r.fail("the list ends without an end token")
		}
	}
}

// packet reads one packet; more is false at the end token, which it takes.
func (r *reader) packet() (p pcap.Packet, more bool, err error) {
	if r.at == len(r.tokens) {
		return p, false, r.fail("the list ends without an end token")
	}
	switch t := r.tokens[r.at]; t {
	case End:
		r.at++
		return p, false, nil
	case Start:
		r.at++
	default:
		return p, false, r.fail("%s where a packet should start", name(t))
	}
	if p.LinkType, err = r.link(); err != nil {
		return p, false, err
	}
	v, err := r.interval()
	if err != nil {
		return p, false, err
	}
	r.c = r.c.add(v)
	p.Time = r.c.time()
	end := r.at
	for end < len(r.tokens) && r.tokens[end] < 256 {
		end++
	}
	p.Data = make([]byte, end-r.at)
	for i, t := range r.tokens[r.at:end] {
		p.Data[i] = byte(t)
	}
	p.Length = len(p.Data)
	r.at = end
	return p, true, nil
}

func (r *reader) link() (pcap.LinkType, error) {
	if r.at == len(r.tokens) {
		return 0, r.fail("the list ends where a link type should be")
	}
	t := r.tokens[r.at]
	if t == otherLink {
		if r.at++; r.at+4 > len(r.tokens) {
			r.at = len(r.tokens)
			return 0, r.fail("the list ends within a link type")
		}
		link := pcap.LinkType(0)
		for range 4 {
			b := r.tokens[r.at]
			if b > 255 {
				return 0, r.fail("%s within a link type", name(b))
			}
			link = link<<8 | pcap.LinkType(b)
			r.at++
		}
		return link, nil
	}
	link, ok := LinkOf(t)
	if !ok {
		return 0, r.fail("%s is no link type", name(t))
	}
	r.at++
	return link, nil
}

// longest is the longest interval that is read, over a million years.
const longest = 1 << 45

func (r *reader) interval() (float64, error) {
	first := r.at
	var b uint64
	for range r.code.Tokens() {
		if r.at == len(r.tokens) {
			return 0, r.fail("the list ends within a time interval")
		}
		t := r.tokens[r.at]
		if t > 255 {
			return 0, r.fail("%s within a time interval", name(t))
		}
		b = b<<8 | uint64(t)
		r.at++
	}
	switch r.code {
	case TimeLog:
		return logInterval(uint16(b)), nil
	case TimeNone:
		return 0, nil
	}
	v := math.Float64frombits(b)
	if !(math.Abs(v) < longest) {
		r.at = first
		return 0, r.fail("a time interval of %v seconds", v)
	}
	return v, nil
}

// rest checks that only padding follows the end of the flow.
func (r *reader) rest() error {
	for ; r.at < len(r.tokens); r.at++ {
		if t := r.tokens[r.at]; t != Pad {
			return r.fail("%s after the end of the flow", name(t))
		}
	}
	return nil
}

// name says what a token is.
func name(t uint16) string {
	switch {
	case t < 256:
		return fmt.Sprintf("byte %02x", t)
	case t == Start:
		return "a packet start"
	case t == End:
		return "the end token"
	case t == Pad:
		return "padding"
	case t == Cls:
		return "[cls]"
	}
	return fmt.Sprintf("%d, which is outside the vocabulary,", t)
}
