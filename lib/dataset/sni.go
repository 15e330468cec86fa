package dataset

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

// span is a range of bytes in one packet of a flow.
type span struct{ packet, from, to int }

// helloLimit is how much of the initiator's stream is searched for a hello.
const helloLimit = 16 << 10

// serverNames finds the bytes of the server name in a TLS client hello, which
// may lie in several TCP segments, and again in their retransmissions.
func serverNames(f *pcap.Flow) []span {
	type segment struct {
		packet, at, n int // where its payload is
		offset        int // in the stream
	}
	var segments []segment
	var stream, have [helloLimit]byte
	begun := false
	var origin uint32
	for i := range f.Packets {
		p := &f.Packets[i]
		if !f.Outgoing(i) {
			continue
		}
		l := dissect(p.LinkType, p.Data)
		if l.protocol != 6 || l.transport < 0 {
			continue
		}
		seq := binary.BigEndian.Uint32(p.Data[l.transport+4:])
		if p.Data[l.transport+13]&2 != 0 {
			seq++
		}
		if !begun {
			begun, origin = true, seq
		}
		at := int(int32(seq - origin))
		if l.payload >= l.end || at < 0 || at >= helloLimit {
			continue
		}
		n := copy(stream[at:], p.Data[l.payload:l.end])
		for k := range n {
			have[at+k] = 1
		}
		segments = append(segments, segment{i, l.payload, n, at})
	}
	known := 0
	for known < helloLimit && have[known] == 1 {
		known++
	}
	from, to := serverName(stream[:known])
	var out []span
	for _, s := range segments {
		a, b := max(from-s.offset, 0), min(to-s.offset, s.n)
		if a < b {
			out = append(out, span{s.packet, s.at + a, s.at + b})
		}
	}
	return out
}

// serverName returns the range of the host name in a stream that begins with a
// TLS client hello (RFC 8446, RFC 6066); from == to when there is none. The
// hello is looked for also after a plaintext prologue such as STARTTLS.
func serverName(b []byte) (from, to int) {
	for i := 0; i+9 <= len(b); i++ {
		if b[i] == 22 && b[i+1] == 3 && b[i+2] <= 4 && b[i+5] == 1 && b[i+9-3] == 0 {
			if from, to = nameInHello(b, i+9); from < to {
				return from, to
			}
		}
	}
	return 0, 0
}

// nameInHello reads a client hello's body at offset at. The record layer is
// ignored: hellos beyond one record's 16 kB do not exist in practice.
func nameInHello(b []byte, at int) (from, to int) {
	skip := func(width int) bool { // a field with its length before it
		if len(b) < at+width {
			return false
		}
		n := 0
		for _, c := range b[at : at+width] {
			n = n<<8 | int(c)
		}
		at += width + n
		return at <= len(b)
	}
	at += 2 + 32 // version, random
	if !skip(1) || !skip(2) || !skip(1) || len(b) < at+2 {
		return 0, 0
	}
	end := min(len(b), at+2+int(binary.BigEndian.Uint16(b[at:])))
	at += 2
	for at+4 <= end {
		kind, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		at += 4
		if kind == 0 && at+5 <= end {
			name := int(binary.BigEndian.Uint16(b[at+3:]))
			return at + 5, min(at+5+name, end)
		}
		at += n
	}
	return 0, 0
}
