package tokenizer

import (
	"math"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// TimeCode is how the time between packets becomes tokens.
type TimeCode int

const (
	// TimePaper is the paper's: a big-endian float64 in seconds, eight tokens, exact.
	TimePaper TimeCode = iota
	// TimeLog is one token: 0 for no time or less, else 1 + 16 log10(seconds/1 ns),
	// rounded, up to 255 (77 days). The time comes back within 7.5 %.
	TimeLog
	// TimeNone is no token: all packets come back at one time.
	TimeNone
)

func (t TimeCode) String() string {
	switch t {
	case TimePaper:
		return "paper"
	case TimeLog:
		return "log"
	case TimeNone:
		return "none"
	}
	return "?"
}

// Tokens is how many tokens the time of a packet takes.
func (t TimeCode) Tokens() int {
	switch t {
	case TimeLog:
		return 1
	case TimeNone:
		return 0
	}
	return 8
}

// logStep is the steps of TimeLog in a decade.
const logStep = 16

// logToken is the token of an interval in seconds.
func logToken(v float64) uint16 {
	if v < 1e-9/2 {
		return 0
	}
	return uint16(max(1, min(255, 1+math.Round(logStep*(math.Log10(v)+9)))))
}

// logInterval is the interval of a token.
func logInterval(t uint16) float64 {
	if t == 0 {
		return 0
	}
	return math.Pow(10, float64(t-1)/logStep-9)
}

// appendTime appends the tokens of interval v and returns the interval that
// comes back from them.
func (t TimeCode) appendTime(tokens []uint16, v float64) ([]uint16, float64) {
	switch t {
	case TimeLog:
		k := logToken(v)
		return append(tokens, k), logInterval(k)
	case TimeNone:
		return tokens, 0
	}
	b := math.Float64bits(v)
	for shift := 56; shift >= 0; shift -= 8 {
		tokens = append(tokens, uint16(b>>shift&255))
	}
	return tokens, v
}

// EncodeTime is Encode with another code for the time. The intervals of TimeLog
// count from the packet before, so that no packet is shifted by the rounding of another.
func EncodeTime(f *pcap.Flow, code TimeCode) []uint16 {
	tokens := make([]uint16, 0, Length(f))
	var c clock
	for i := range f.Packets {
		p := &f.Packets[i]
		if i == 0 {
			c = clockOf(p.Time)
		}
		tokens, c = appendPacket(tokens, p, c, code)
	}
	return append(tokens, End)
}

// appendPacket appends the tokens of a packet; c is the time before it.
func appendPacket(tokens []uint16, p *pcap.Packet, c clock, code TimeCode) ([]uint16, clock) {
	tokens = append(tokens, Start)
	tokens = appendLink(tokens, p.LinkType)
	now := clockOf(p.Time)
	v := c.to(now)
	tokens, _ = code.appendTime(tokens, v)
	for _, x := range p.Data {
		tokens = append(tokens, uint16(x))
	}
	if code == TimePaper {
		now = c.add(v) // as the reader has it
	}
	return tokens, now
}

// DecodeTime is Decode for tokens with another code for the time.
func DecodeTime(tokens []uint16, start time.Time, code TimeCode) ([]pcap.Packet, error) {
	r := reader{tokens: tokens, c: clockOf(start), code: code}
	return r.all()
}
