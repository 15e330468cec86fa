package metrics

import (
	"encoding/binary"
	"net/netip"

	"trafficgpt/tokenizer/pcap"
)

// view is what the metrics need to know of a packet's IP and transport layer.
type view struct {
	version  int // 4, 6, or 0 when there is no whole IP header
	src, dst netip.Addr
	length   int // of the IP packet, as its header says
	ttl      int // or hop limit
	proto    int
	fragment bool // not the first of a packet, or not the whole
	network  []byte
	segment  []byte // from the transport header on, to the captured end of the IP packet
	whole    bool   // the IP packet was captured to its end
	ports    bool
	sport    int
	dport    int
}

func look(p *pcap.Packet) view {
	etherType, off, ok := pcap.Network(p.LinkType, p.Data)
	if !ok || off > len(p.Data) {
		return view{}
	}
	b := p.Data[off:]
	for range 8 { // tags
		switch {
		case (etherType == pcap.TypeVLAN || etherType == pcap.TypeQinQ || etherType == 0x9100) && len(b) >= 4:
			etherType, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		case (etherType == pcap.TypeMPLS || etherType == pcap.TypeMPLSMulti) && len(b) >= 5:
			bottom := b[2]&1 != 0
			if b = b[4:]; bottom {
				etherType = map[byte]uint16{4: pcap.TypeIPv4, 6: pcap.TypeIPv6}[b[0]>>4]
			}
		case etherType == pcap.TypePPPoE && len(b) >= 8:
			etherType = map[uint16]uint16{0x21: pcap.TypeIPv4, 0x57: pcap.TypeIPv6}[binary.BigEndian.Uint16(b[6:])]
			b = b[8:]
		case etherType == pcap.TypeIPv4:
			return lookIPv4(b)
		case etherType == pcap.TypeIPv6:
			return lookIPv6(b)
		default:
			return view{}
		}
	}
	return view{}
}

func lookIPv4(b []byte) view {
	if len(b) < 20 || b[0]>>4 != 4 {
		return view{}
	}
	v := view{version: 4, network: b, length: int(binary.BigEndian.Uint16(b[2:])), ttl: int(b[8]), proto: int(b[9])}
	v.src, v.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	v.fragment = binary.BigEndian.Uint16(b[6:])&0x3fff != 0
	header := int(b[0]&15) * 4
	v.take(header, binary.BigEndian.Uint16(b[6:])&0x1fff == 0)
	return v
}

func lookIPv6(b []byte) view {
	if len(b) < 40 || b[0]>>4 != 6 {
		return view{}
	}
	v := view{version: 6, network: b, length: 40 + int(binary.BigEndian.Uint16(b[4:])), ttl: int(b[7]), proto: int(b[6])}
	v.src, v.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	at, first := 40, true
	for len(b) >= at+8 {
		size := 8 + int(b[at+1])*8
		switch v.proto {
		case 0, 43, 60, 135:
		case 44:
			size = 8
			f := binary.BigEndian.Uint16(b[at+2:])
			v.fragment = f&0xfff9 != 0
			first = f&0xfff8 == 0
		default:
			v.take(at, first)
			return v
		}
		v.proto = int(b[at])
		at += size
	}
	v.take(at, first)
	return v
}

// take cuts out the transport layer behind n bytes of headers. A later
// fragment has none.
func (v *view) take(n int, first bool) {
	end := min(v.length, len(v.network))
	v.whole = v.length <= len(v.network)
	if !first || n < 20 || n > end {
		return
	}
	v.segment = v.network[n:end]
	switch v.proto {
	case 6, 17, 33, 132, 136:
		if len(v.segment) >= 4 {
			v.ports = true
			v.sport = int(binary.BigEndian.Uint16(v.segment))
			v.dport = int(binary.BigEndian.Uint16(v.segment[2:]))
		}
	}
}

// sum is the Internet checksum's sum of b, folded to 16 bits (RFC 1071).
func sum(b []byte, start uint32) uint16 {
	s := start
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
		if s >= 1<<31 {
			s = s>>16 + s&0xffff
		}
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// pseudo is the sum over the pseudo header of RFC 793 and RFC 8200.
func (v *view) pseudo() uint32 {
	s := uint32(v.proto) + uint32(len(v.segment))
	for _, a := range []netip.Addr{v.src, v.dst} {
		b := a.AsSlice()
		s += uint32(sum(b, 0))
	}
	return s
}
