package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// frame is how the packets of a capture file are framed. From it, the time and
// the lengths, the bytes around an ordinary packet follow; only what is not
// ordinary needs to be kept.
type frame struct {
	ng, big, nano bool
	iface         uint32 // number in the section
	units         uint64 // pcapng: ticks a second
	offset        int64  // pcapng: seconds
}

// Operations of the side-car, in the low three bits of a varint; n is the rest.
const (
	opPlain   = iota // n packets framed as expected
	opLiteral        // n bytes between packets follow
	opWire           // a packet whose length on the wire is n more than captured
	opFramed         // a packet with n bytes before it, then a varint and as many behind it
	opFormat         // the format: n is 1 big-endian + 2 nanoseconds + 4 pcapng
	opIface          // interface n of the section; varints: ticks a second, offset in seconds
)

func (m *frame) format() uint64 {
	var n uint64
	for i, b := range []bool{m.big, m.nano, m.ng} {
		if b {
			n |= 1 << i
		}
	}
	return n
}

func (m *frame) setFormat(n uint64) {
	m.big, m.nano, m.ng = n&1 != 0, n&2 != 0, n&4 != 0
}

// maxFrame is the most bytes of a head or a tail.
const maxFrame = 28

// head puts the bytes before an ordinary packet into b. It returns nil when
// the time does not fit.
func (m *frame) head(b *[maxFrame]byte, c clock, n, wire uint32) []byte {
	le := binary.LittleEndian
	if !m.ng {
		if c.sec < 0 || c.sec > 1<<32-1 {
			return nil
		}
		sec, frac := uint32(c.sec), uint32(c.nsec)
		if !m.nano {
			frac /= 1000
		}
		if m.big {
			sec, frac, n, wire = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac), bits.ReverseBytes32(n), bits.ReverseBytes32(wire)
		}
		le.PutUint32(b[0:], sec)
		le.PutUint32(b[4:], frac)
		le.PutUint32(b[8:], n)
		le.PutUint32(b[12:], wire)
		return b[:16]
	}
	ticks, ok := m.ticks(c)
	if !ok {
		return nil
	}
	for i, v := range [7]uint32{6, total(n), m.iface, uint32(ticks >> 32), uint32(ticks), n, wire} {
		if m.big {
			v = bits.ReverseBytes32(v)
		}
		le.PutUint32(b[4*i:], v)
	}
	return b[:28]
}

// total is the length of an Enhanced Packet Block without options.
func total(n uint32) uint32 { return 32 + (n+3)&^3 }

// tail puts the bytes behind an ordinary packet into b.
func (m *frame) tail(b *[maxFrame]byte, n uint32) []byte {
	if !m.ng {
		return nil
	}
	pad := -n & 3
	b[0], b[1], b[2] = 0, 0, 0
	v := total(n)
	if m.big {
		v = bits.ReverseBytes32(v)
	}
	binary.LittleEndian.PutUint32(b[pad:], v)
	return b[:pad+4]
}

// ticks is a time on the clock of the interface, rounded up because reading
// it rounded down.
func (m *frame) ticks(c clock) (uint64, bool) {
	sec := c.sec - m.offset
	if sec < 0 || m.units == 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(c.nsec), m.units)
	lo, carry := bits.Add64(lo, 1e9-1, 0)
	if hi += carry; hi >= 1e9 {
		return 0, false
	}
	part, _ := bits.Div64(hi, lo, 1e9)
	hi, whole := bits.Mul64(uint64(sec), m.units)
	if hi != 0 || whole+part < whole {
		return 0, false
	}
	return whole + part, true
}
