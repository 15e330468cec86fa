package dataset

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

// A snapshot does not store the headers of packets but how they differ from
// what the packets before them let one expect: addresses stay, sequence
// numbers go on by the bytes sent, checksums follow from the rest. Both sides
// build the same expectation, so any packet comes back bit by bit, and an
// ordinary one costs next to nothing.

// maxHeader is the longest header that is predicted; what comes after is payload.
const maxHeader = 128

// history is what the expectation is built from: the flow's packets so far.
type history struct {
	seen  [2]bool
	first []byte    // the flow's first header
	head  [2][]byte // last header in each direction
	next  [2]uint32 // next sequence number of each direction
	stamp [2]uint32 // last TCP timestamp of each direction
	time  [2]int64  // when that packet was sent, nanoseconds
}

// layout says where the fields of a header are; a zero offset means there is
// none. It is part of the file format, and reads expected headers, which are no
// packets yet: that is why it does not follow pcap.Walk, which learns new kinds.
type layout struct {
	ip, transport int // offsets of the IP and of the TCP or UDP header
	v6            bool
	protocol      byte
}

// layoutOf reads the layout of an Ethernet or raw-IP header.
func layoutOf(link pcap.LinkType, h []byte) (l layout) {
	ip := 0
	switch {
	case link == 1 && len(h) >= 34 && (h[12] == 0x08 && h[13] == 0 || h[12] == 0x86 && h[13] == 0xdd):
		ip = 14
	case link == 101 && len(h) >= 20:
		ip = 0
	default:
		return layout{ip: -1}
	}
	l.ip = ip
	switch h[ip] >> 4 {
	case 4:
		n := int(h[ip]&15) * 4
		if n < 20 || len(h) < ip+n {
			return layout{ip: -1}
		}
		l.protocol, l.transport = h[ip+9], ip+n
	case 6:
		if len(h) < ip+40 {
			return layout{ip: -1}
		}
		l.v6, l.protocol, l.transport = true, h[ip+6], ip+40
	default:
		return layout{ip: -1}
	}
	switch {
	case l.protocol == 6 && len(h) >= l.transport+20:
	case l.protocol == 17 && len(h) >= l.transport+8:
	default:
		l.transport = 0
	}
	return l
}

// headerLength says how many bytes of a packet are header: up to the payload of
// TCP or UDP, or all of a short packet. The answer is stored, so that any rule
// will do.
func headerLength(link pcap.LinkType, b []byte) int {
	l := layoutOf(link, b)
	n := min(len(b), 42)
	switch {
	case l.ip < 0:
	case l.transport == 0:
		n = min(len(b), l.ip+28)
	case l.protocol == 6:
		n = l.transport + max(20, int(b[l.transport+12]>>4)*4)
	default:
		n = l.transport + 8
	}
	return min(n, len(b), maxHeader)
}

// direction tells the two directions of a flow apart: 0 is that of its first
// packet, 1 when the link and network addresses are swapped.
func direction(first, h []byte) int {
	if len(first) < 14 || len(h) < 14 {
		return 0
	}
	if string(first[0:6]) != string(first[6:12]) {
		if string(first[0:6]) == string(h[6:12]) {
			return 1
		}
		return 0
	}
	n := min(len(first), len(h))
	if n >= 34 && string(first[26:30]) == string(h[30:34]) && string(first[26:30]) != string(first[30:34]) {
		return 1
	}
	return 0
}

// template is the header to start from: the last one of the same direction;
// else the last one of the other direction turned around; else the fallback.
func (s *history) template(dir, n int, fallback []byte) []byte {
	h := make([]byte, n)
	switch {
	case s.seen[dir]:
		copy(h, s.head[dir])
	case s.seen[1-dir]:
		o := s.head[1-dir]
		copy(h, o)
		if len(o) >= 38 && n >= 38 {
			copy(h[0:6], o[6:12])
			copy(h[6:12], o[0:6])
			at, size, ports := 26, 4, 34
			if o[12] == 0x86 {
				at, size, ports = 22, 16, 54
			}
			if n >= ports+4 && len(o) >= ports+4 {
				copy(h[at:at+size], o[at+size:at+2*size])
				copy(h[at+size:at+2*size], o[at:at+size])
				copy(h[ports:ports+2], o[ports+2:ports+4])
				copy(h[ports+2:ports+4], o[ports:ports+2])
			}
		}
	default:
		copy(h, fallback)
	}
	return h
}

// expect fills in what can be known before the header is: lengths, sequence
// numbers and timestamps. size is the packet's length, at its time.
func (s *history) expect(h []byte, link pcap.LinkType, dir, size int, at int64) {
	l := layoutOf(link, h)
	if l.ip < 0 {
		return
	}
	be := binary.BigEndian
	if l.v6 {
		be.PutUint16(h[l.ip+4:], uint16(size-l.ip-40))
	} else {
		be.PutUint16(h[l.ip+2:], uint16(size-l.ip))
		if s.seen[dir] {
			be.PutUint16(h[l.ip+4:], be.Uint16(h[l.ip+4:])+1)
		}
	}
	switch {
	case l.transport == 0:
	case l.protocol == 17:
		be.PutUint16(h[l.transport+4:], uint16(size-l.transport))
	case l.protocol == 6:
		t := h[l.transport:]
		if s.seen[dir] {
			be.PutUint32(t[4:], s.next[dir])
		}
		if s.seen[1-dir] {
			be.PutUint32(t[8:], s.next[1-dir])
		}
		t[12] = byte(len(t)/4) << 4
		if o := timestamps(t); o > 0 {
			if s.seen[dir] {
				be.PutUint32(t[o:], s.stamp[dir]+uint32((at-s.time[dir])/1e6))
			}
			if s.seen[1-dir] {
				be.PutUint32(t[o+4:], s.stamp[1-dir])
			}
		}
	}
}

// timestamps finds the values of the timestamps option in a TCP header, or 0.
func timestamps(t []byte) int {
	for i := 20; i < len(t); {
		switch t[i] {
		case 0:
			return 0
		case 1:
			i++
		case 8:
			if i+10 <= len(t) {
				return i + 2
			}
			return 0
		default:
			if i+1 >= len(t) || t[i+1] < 2 {
				return 0
			}
			i += int(t[i+1])
		}
	}
	return 0
}

// observe notes a whole packet.
func (s *history) observe(b []byte, n int, link pcap.LinkType, dir int, at int64) {
	h := append([]byte(nil), b[:n]...)
	s.head[dir], s.time[dir] = h, at
	begun := s.seen[dir]
	if s.first == nil {
		s.first = h
	}
	s.seen[dir] = true
	l := layoutOf(link, h)
	if l.ip < 0 || l.transport == 0 || l.protocol != 6 {
		return
	}
	be := binary.BigEndian
	t := h[l.transport:]
	end := len(b)
	if !l.v6 {
		end = min(end, l.ip+int(be.Uint16(h[l.ip+2:])))
	}
	seq := be.Uint32(t[4:]) + uint32(max(0, end-n))
	if t[13]&3 != 0 { // SYN and FIN count
		seq++
	}
	// A retransmission does not set the expectation back.
	if !begun || int32(seq-s.next[dir]) > 0 || t[13]&2 != 0 {
		s.next[dir] = seq
	}
	if o := timestamps(t); o > 0 {
		s.stamp[dir] = be.Uint32(t[o:])
	}
}

// field is a number in a header whose difference from the expectation is
// stored as one, so that small differences are small.
type field struct{ at, size int }

// fieldsOf lists the numbers of a header by its layout.
func fieldsOf(l layout, h []byte) (list []field) {
	if l.ip < 0 {
		return nil
	}
	list = append(list, field{l.ip + 4, 2})
	if !l.v6 {
		list = append(list, field{l.ip + 2, 2})
	}
	if l.transport > 0 && l.protocol == 6 {
		list = append(list, field{l.transport + 4, 4}, field{l.transport + 8, 4}, field{l.transport + 14, 2})
		if o := timestamps(h[l.transport:]); o > 0 && l.transport+o+8 <= len(h) {
			list = append(list, field{l.transport + o, 4}, field{l.transport + o + 4, 4})
		}
	}
	return list
}

// checks lists where a header has checksums: IPv4's, and TCP's or UDP's.
func checks(l layout) (ip, transport int) {
	if l.ip < 0 {
		return 0, 0
	}
	if !l.v6 {
		ip = l.ip + 10
	}
	switch {
	case l.transport == 0:
	case l.protocol == 6:
		transport = l.transport + 16
	case l.protocol == 17:
		transport = l.transport + 6
	}
	return ip, transport
}

// expectChecks returns the checksums that the packet b should have.
func expectChecks(b []byte, l layout) (ip, transport uint16) {
	ipAt, transportAt := checks(l)
	if ipAt > 0 {
		end := l.ip + int(b[l.ip]&15)*4
		ip = ^fold(sum(b[l.ip:ipAt], sum(b[ipAt+2:end], 0)))
	}
	if transportAt == 0 {
		return ip, 0
	}
	end := len(b)
	var pseudo uint32
	if l.v6 {
		end = min(end, l.ip+40+int(binary.BigEndian.Uint16(b[l.ip+4:])))
		pseudo = sum(b[l.ip+8:l.ip+40], 0)
	} else {
		end = min(end, l.ip+int(binary.BigEndian.Uint16(b[l.ip+2:])))
		pseudo = sum(b[l.ip+12:l.ip+20], 0)
	}
	if end < transportAt+2 {
		return ip, 0
	}
	pseudo += uint32(l.protocol) + uint32(end-l.transport)
	transport = ^fold(sum(b[l.transport:transportAt], sum(b[transportAt+2:end], pseudo)))
	if transport == 0 && l.protocol == 17 {
		transport = 0xffff
	}
	return ip, transport
}

func sum(b []byte, acc uint32) uint32 {
	for len(b) >= 2 {
		acc += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}
