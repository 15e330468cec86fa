package tokenizer

import (
	"encoding/binary"
	"math"
	"time"
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

// clock is a point in time, to the nanosecond and without an end.
type clock struct {
	sec  int64
	nsec int64 // 0 to 1e9-1
}

func clockOf(t time.Time) clock { return clock{t.Unix(), int64(t.Nanosecond())} }

func (c clock) time() time.Time { return time.Unix(c.sec, c.nsec).UTC() }

// to returns the seconds from c to d as the nearest float64 that can be read back.
func (c clock) to(d clock) float64 {
	sec, nsec := d.sec-c.sec, d.nsec-c.nsec
	sec = max(-longest+2, min(longest-2, sec))
	if sec > -1<<22 && sec < 1<<22 { // the nanoseconds are below 2^53: one rounding
		return float64(sec*1e9+nsec) / 1e9
	}
	return float64(sec) + float64(nsec)/1e9
}

// add moves c by v seconds, rounded to a nanosecond.
func (c clock) add(v float64) clock {
	whole, part := math.Modf(v)
	c.sec += int64(whole)
	c.nsec += int64(math.Round(part * 1e9))
	for c.nsec >= 1e9 {
		c.sec, c.nsec = c.sec+1, c.nsec-1e9
	}
	for c.nsec < 0 {
		c.sec, c.nsec = c.sec-1, c.nsec+1e9
	}
	return c
}

// Interval returns the time tokens hold, in seconds; the eight must be bytes.
func Interval(tokens []uint16) (seconds float64, ok bool) {
	if len(tokens) < 8 {
		return 0, false
	}
	var b [8]byte
	for i, t := range tokens[:8] {
		if t > 255 {
			return 0, false
		}
		b[i] = byte(t)
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b[:])), true
}
