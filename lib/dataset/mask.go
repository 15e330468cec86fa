package dataset

import (
	"fmt"
	"net/netip"
	"slices"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Mask returns a copy of the set in which what lets a model recognise hosts and
// sessions instead of behaviour is hidden, in four levels:
//
//	0  nothing
//	1  hardware and IP addresses, ports, checksums, the packets that ICMP quotes, and
//	   what should be IP and cannot be read
//	2  also IP identification and flow label, TCP sequence and acknowledgement
//	   numbers, window and options, SCTP's numbers
//	3  also the server name in TLS client hellos
//
// The levels are M0 to M3 of the studies that found how much of published scores
// rests on these fields, and hide the same bytes as tokenizer.Masked, behind
// tags and inside tunnels too. Addresses and ports become constants that tell
// only who began the flow (10.0.0.1 port 1 is the initiator's, 10.0.0.2 port 2
// the responder's; fd00::1, fd00::2; hardware addresses likewise); the rest
// becomes zero. Lengths stay, so tokens stand where they stood. Other levels panic.
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
	for i := range g.Packets {
		g.Packets[i].Data = slices.Clone(g.Packets[i].Data)
	}
	if level <= 0 {
		return &g
	}
	packet, sender := -1, byte(0)
	for h := range tokenizer.HiddenIn(f.Packets, tokenizer.Mask(level)) {
		if h.Packet != packet {
			if packet, sender = h.Packet, 1; f.Outgoing(packet) {
				sender = 0
			}
		}
		disguise(g.Packets[packet].Data[h.Offset:h.Offset+h.Length], h.Field, sender)
	}
	if g.Key.Src.IsValid() {
		g.Key.Src, g.Key.Dst = roleAddr(g.Key.Src, 0), roleAddr(g.Key.Dst, 1)
	}
	if g.Key.SrcPort != 0 || g.Key.DstPort != 0 {
		g.Key.SrcPort, g.Key.DstPort = 1, 2
	}
	return &g
}

// disguise puts what stands for a field into its bytes b: sender is the role of
// the packet's, 0 for the initiator.
func disguise(b []byte, f tokenizer.Field, sender byte) {
	clear(b)
	role := sender
	switch f.Name {
	case "destination", "destination address", "destination port", "target hardware address", "target protocol address":
		role = 1 - sender
	}
	switch f.Name {
	case "source port", "destination port":
		b[len(b)-1] = 1 + role
	case "source", "destination", "sender hardware address", "target hardware address":
		copy(b, []byte{2, 0, 0, 0, 0, 1 + role})
	case "address":
		if f.Layer == "Linux cooked" {
			copy(b, []byte{2, 0, 0, 0, 0, 1 + role})
		}
	case "source address", "destination address", "sender protocol address", "target protocol address":
		like := netip.IPv6Unspecified()
		if len(b) < 16 {
			like = netip.IPv4Unspecified()
		}
		copy(b, roleAddr(like, role).AsSlice())
	}
}

// roleAddr is the address that stands for the initiator (0) or responder (1).
func roleAddr(like netip.Addr, role byte) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{10, 0, 0, 1 + role})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 15: 1 + role})
}
