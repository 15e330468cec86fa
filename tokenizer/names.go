package tokenizer

import (
	"encoding/binary"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

// run is a range of bytes in one packet of a flow.
type run struct{ packet, from, to int }

const (
	helloLimit = 16 << 10 // bytes behind the beginning of a stream or hello that are searched
	mostHellos = 64       // in a stream; more are not meant as such
)

// segment is the payload of a TCP segment: n bytes from `at` on in its packet.
type segment struct {
	packet, at, n int
	seq           uint32 // of the first of them
}

// stream is what one sender says in a flow.
type stream struct {
	origin   uint32 // the least sequence number
	segments []segment
}

// serverNames finds the server name extension of the TLS client hellos in a
// flow, which may lie in several TCP segments, and again in retransmissions.
// Each sender's stream is searched from its beginning, and from where a segment
// has the beginning of a hello: by sequence numbers, and where that does not
// lead to the end of the name, in the order of capture, because a mask may have
// hidden the numbers.
func serverNames(packets []pcap.Packet) []run {
	var out []run
	for _, s := range streams(packets) {
		out, _ = namesIn(out, packets, s.bySequence(s.origin))
		hellos := 0
		for k, g := range s.segments {
			b := packets[g.packet].Data[g.at : g.at+g.n]
			for i := range b {
				if hellos < mostHellos && beginsHello(b[i:]) {
					hellos++
					var whole bool
					if out, whole = namesIn(out, packets, s.bySequence(g.seq+uint32(i))); !whole {
						out, _ = namesIn(out, packets, s.inOrder(k, i))
					}
				}
			}
		}
	}
	return out
}

// piece is a segment and where in a stream it belongs.
type piece struct {
	segment
	offset int
}

// bySequence places the segments behind a sequence number.
func (s *stream) bySequence(origin uint32) []piece {
	var out []piece
	for _, g := range s.segments {
		if at := int(int32(g.seq - origin)); at < helloLimit && at+g.n > 0 {
			out = append(out, piece{g, at})
		}
	}
	return out
}

// inOrder places the segments one behind the other, from byte i of segment k on.
func (s *stream) inOrder(k, i int) []piece {
	var out []piece
	at := -i
	for _, g := range s.segments[k:] {
		if at >= helloLimit {
			break
		}
		out = append(out, piece{g, at})
		at += g.n
	}
	return out
}

// streams sorts the TCP segments of a flow by their senders.
func streams(packets []pcap.Packet) []*stream {
	type sender struct {
		address [16]byte
		port    uint16
	}
	var out []*stream
	of := map[sender]*stream{}
	for i := range packets {
		b, h := packets[i].Data, packets[i].Headers()
		if h.Protocol != 6 || h.Transport < 0 {
			continue
		}
		who := sender{port: binary.BigEndian.Uint16(b[h.Transport:])}
		if h.Version == 4 {
			copy(who.address[:], b[h.Network+12:h.Network+16])
		} else {
			copy(who.address[:], b[h.Network+8:h.Network+24])
		}
		seq := binary.BigEndian.Uint32(b[h.Transport+4:])
		if b[h.Transport+13]&2 != 0 { // SYN
			seq++
		}
		s := of[who]
		if s == nil {
			s = &stream{origin: seq}
			of[who] = s
			out = append(out, s)
		}
		if before := int32(s.origin - seq); before > 0 && before < helloLimit {
			s.origin = seq
		}
		if h.Payload < h.End {
			s.segments = append(s.segments, segment{i, h.Payload, h.End - h.Payload, seq})
		}
	}
	return out
}

// namesIn appends where the first server name in a stream is. It is whole when
// all bytes up to its end are there.
func namesIn(out []run, packets []pcap.Packet, pieces []piece) (runs []run, whole bool) {
	known := beginning(packets, pieces)
	from, to := serverName(known)
	for _, g := range pieces {
		if lo, hi := max(from-g.offset, 0), min(to-g.offset, g.n); lo < hi {
			out = append(out, run{g.packet, g.at + lo, g.at + hi})
		}
	}
	return out, from < to && to <= len(known)
}

// beginning is the bytes of a stream from its beginning to the first that is not there.
func beginning(packets []pcap.Packet, pieces []piece) []byte {
	var b, have [helloLimit]byte
	for _, g := range pieces {
		skip := max(-g.offset, 0)
		at := g.offset + skip
		for i := range copy(b[at:], packets[g.packet].Data[g.at+skip:g.at+g.n]) {
			have[at+i] = 1
		}
	}
	known := 0
	for known < helloLimit && have[known] == 1 {
		known++
	}
	return b[:known]
}

// ServerNames are the names that the TLS client hellos of a flow ask for, in
// readable form, each once; a hello that lies in several segments is read whole
// where all of them are there. A flow without such names gives none.
func ServerNames(f *pcap.Flow) []string {
	var out []string
	for _, s := range streams(f.Packets) {
		b := beginning(f.Packets, s.bySequence(s.origin))
		from, to := serverName(b)
		// The extension (RFC 6066): two bytes of length, then entries of type, length, name.
		if from+5 > to || to > len(b) || b[from+2] != 0 {
			continue
		}
		n := int(binary.BigEndian.Uint16(b[from+3:]))
		if n == 0 || from+5+n > to {
			continue
		}
		if name := string(b[from+5 : from+5+n]); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// serverName returns the range of the server name extension in a stream that
// has a TLS client hello (RFC 8446, RFC 6066); from == to when there is none.
// The hello may come behind a plaintext prologue such as STARTTLS.
func serverName(b []byte) (from, to int) {
	for i := range b {
		if beginsHello(b[i:]) {
			if from, to = nameInHello(b, i+9); from < to {
				return from, to
			}
		}
	}
	return 0, 0
}

// beginsHello reports a TLS record that begins with a client hello.
func beginsHello(b []byte) bool {
	return len(b) >= 9 && b[0] == 22 && b[1] == 3 && b[2] <= 4 && b[5] == 1 && b[6] == 0
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
		if kind == 0 {
			return at, at + n // also what is not there yet
		}
		at += n
	}
	return 0, 0
}
