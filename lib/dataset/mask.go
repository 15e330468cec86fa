package dataset

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

// Mask returns a copy of the set in which what lets a model recognise hosts and
// sessions instead of behaviour is hidden, in four levels:
//
//	0  nothing
//	1  hardware and IP addresses, ports, checksums
//	2  also IP identification and flow label, TCP sequence and acknowledgement
//	   numbers, window and options
//	3  also the server name in TLS client hellos
//
// The levels are M0 to M3 of the studies that found how much of published scores
// rests on these fields. Addresses and ports become constants that tell only who
// began the flow (10.0.0.1 port 1 is the initiator's, 10.0.0.2 port 2 the
// responder's; fd00::1, fd00::2; hardware addresses likewise); the rest becomes
// zero. Lengths stay, so tokens stand where they stood. Other levels panic.
//
// Names in cleartext payload (DNS questions, HTTP hosts) and in QUIC's initial
// packets stay: they are content there.
func (s *Set) Mask(level int) *Set {
	if level < 0 || level > 3 {
		panic(fmt.Sprintf("dataset: mask level %d, want 0 to 3", level))
	}
	out := &Set{Name: s.Name, Flows: make([]*pcap.Flow, len(s.Flows)), Warnings: slices.Clone(s.Warnings)}
	if level > 0 {
		out.Name = fmt.Sprintf("%s M%d", s.Name, level)
	}
	for i, f := range s.Flows {
		out.Flows[i] = MaskFlow(f, level)
	}
	return out
}

// MaskFlow is Mask for one flow.
func MaskFlow(f *pcap.Flow, level int) *pcap.Flow {
	g := *f
	g.Packets = slices.Clone(f.Packets)
	if level <= 0 {
		for i := range g.Packets {
			g.Packets[i].Data = slices.Clone(g.Packets[i].Data)
		}
		return &g
	}
	var names []span
	if level >= 3 {
		names = serverNames(f)
	}
	for i := range g.Packets {
		p := &g.Packets[i]
		p.Data = slices.Clone(p.Data)
		for _, s := range names {
			if s.packet == i {
				clear(p.Data[s.from:s.to])
			}
		}
		maskPacket(p.LinkType, p.Data, f.Outgoing(i), level)
	}
	if g.Key.Src.IsValid() {
		g.Key.Src, g.Key.Dst = roleAddr(g.Key.Src, 0), roleAddr(g.Key.Dst, 1)
	}
	if g.Key.SrcPort != 0 || g.Key.DstPort != 0 {
		g.Key.SrcPort, g.Key.DstPort = 1, 2
	}
	return &g
}

// roleAddr is the address that stands for the initiator (0) or responder (1).
func roleAddr(like netip.Addr, role byte) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{10, 0, 0, 1 + role})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 15: 1 + role})
}

// maskPacket hides fields in place. outgoing says that the initiator sent it.
func maskPacket(link pcap.LinkType, b []byte, outgoing bool, level int) {
	from := byte(1)
	if outgoing {
		from = 0
	}
	maskLink(link, b, from)
	l := dissect(link, b)
	if l.network < 0 {
		return
	}
	if l.etherType == pcap.TypeARP {
		maskARP(b[l.network:], from)
		return
	}
	maskIP(b, l, from, level, 3)
}

// maskLink hides the hardware addresses of the link types that have such.
func maskLink(link pcap.LinkType, b []byte, from byte) {
	mac := func(at int, role byte) {
		if len(b) >= at+6 {
			copy(b[at:], []byte{2, 0, 0, 0, 0, 1 + role})
		}
	}
	switch link {
	case pcap.LinkEthernet:
		if len(b) > 0 && b[0]&1 == 0 { // group addresses belong to nobody
			mac(0, 1-from)
		}
		mac(6, from)
	case pcap.LinkSLL:
		mac(6, from)
	case pcap.LinkSLL2:
		mac(12, from)
	case 105: // IEEE 802.11: receiver, transmitter, and one more
		mac(4, 1-from)
		mac(10, from)
		mac(16, 1-from)
	}
}

func maskARP(b []byte, from byte) {
	if len(b) < 28 || b[4] != 6 || b[5] != 4 {
		return
	}
	for i, role := range []byte{from, 1 - from} {
		copy(b[8+10*i:], []byte{2, 0, 0, 0, 0, 1 + role, 10, 0, 0, 1 + role})
	}
}

// maskIP hides fields of an IP packet and what it carries; depth bounds how
// many packets inside packets are followed.
func maskIP(b []byte, l layers, from byte, level, depth int) {
	n := l.network
	switch {
	case l.etherType == pcap.TypeIPv4 && len(b) >= n+20:
		copy(b[n+12:], []byte{10, 0, 0, 1 + from, 10, 0, 0, 2 - from})
		clear(b[n+10 : n+12])
		if level >= 2 {
			clear(b[n+4 : n+6])
		}
	case l.v6:
		src, dst := roleAddr(netip.IPv6Unspecified(), from).As16(), roleAddr(netip.IPv6Unspecified(), 1-from).As16()
		copy(b[n+8:], src[:])
		copy(b[n+24:], dst[:])
		if level >= 2 {
			b[n+1] &= 0xf0
			clear(b[n+2 : n+4])
		}
	default:
		return
	}
	t := l.transport
	if t < 0 {
		return
	}
	ports := func() {
		binary.BigEndian.PutUint16(b[t:], uint16(1+from))
		binary.BigEndian.PutUint16(b[t+2:], uint16(2-from))
	}
	switch {
	case l.protocol == 6 && len(b) >= t+20:
		ports()
		clear(b[t+16 : t+18])
		if level >= 2 {
			clear(b[t+4 : t+12])
			clear(b[t+14 : t+16])
			clear(b[t+20 : max(t+20, min(l.payload, len(b)))])
		}
	case l.protocol == 17 && len(b) >= t+8:
		ports()
		clear(b[t+6 : t+8])
	case l.protocol == 132 && len(b) >= t+12: // SCTP
		ports()
		clear(b[t+8 : t+12])
	case (l.protocol == 1 || l.protocol == 58) && len(b) >= t+8:
		clear(b[t+2 : t+4])
		quotes := b[t] == 3 || b[t] == 4 || b[t] == 5 || b[t] == 11 || b[t] == 12
		if l.v6 {
			quotes = b[t] >= 1 && b[t] <= 4
		}
		if quotes && depth > 0 {
			// An error quotes the packet it is about, which went the other way.
			maskInner(b, t+8, 1-from, level, depth-1)
		}
	case (l.protocol == 4 || l.protocol == 41) && depth > 0:
		maskInner(b, t, from, level, depth-1)
	}
}

// maskInner hides fields of an IP packet inside another, cut or not.
func maskInner(b []byte, at int, from byte, level, depth int) {
	if len(b) <= at {
		return
	}
	l := layers{network: at, transport: -1, payload: len(b), end: len(b), etherType: pcap.TypeIPv4}
	if b[at]>>4 == 6 {
		l.etherType = pcap.TypeIPv6
	}
	l.ip(b, at)
	if t := l.headerEnd(b); t > 0 && l.transport < 0 && len(b) >= t+4 && (b[at+9] == 6 || b[at+9] == 17) && !l.v6 {
		// Only the first eight bytes of the transport header are quoted.
		binary.BigEndian.PutUint16(b[t:], uint16(1+from))
		binary.BigEndian.PutUint16(b[t+2:], uint16(2-from))
		if level >= 2 && b[at+9] == 6 {
			clear(b[t+4 : min(t+8, len(b))])
		}
	}
	maskIP(b, l, from, level, depth)
}

// headerEnd is where an IPv4 header ends, or 0.
func (l *layers) headerEnd(b []byte) int {
	if l.etherType != pcap.TypeIPv4 || len(b) < l.network+20 {
		return 0
	}
	return l.network + int(b[l.network]&15)*4
}
