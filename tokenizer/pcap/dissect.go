package pcap

import (
	"bytes"
	"encoding/binary"
)

// Through says which tags and tunnels flow assembly looks through, to the
// addresses and ports inside.
type Through uint16

// Tags and tunnels. The zero value stands for Tags.
const (
	ThroughVLAN Through = 1 << iota
	ThroughMPLS
	ThroughPPPoE
	ThroughGRE // also NVGRE and ERSPAN
	ThroughVXLAN
	ThroughGeneve
	ThroughGTP
	ThroughIPIP    // IPv4 and IPv6 in either
	ThroughNothing // not even tags

	Tags    = ThroughVLAN | ThroughMPLS | ThroughPPPoE
	Tunnels = Tags | ThroughGRE | ThroughVXLAN | ThroughGeneve | ThroughGTP | ThroughIPIP
)

// What a flow key's addresses are.
const (
	overLink = 0 // none: all packets of a link type that is not looked into
	overMAC  = 1
	overIPv4 = 4
	overIPv6 = 6
)

// flowKey is a conversation, its two ends in a fixed order.
type flowKey struct {
	a, b   [16]byte
	ap, bp uint16
	proto  uint8
	over   uint8
	etype  uint16
	link   uint16
}

// info is what flow assembly needs to know of a packet.
type info struct {
	key   flowKey
	fromA bool  // sent by the end a
	flags uint8 // TCP flags, 0 when not seen
	seq   uint32
	frag  Fragment
	gram  fragment // the datagram that the fragment belongs to, the outermost if several
}

// fragment names a fragmented datagram.
type fragment struct {
	src, dst    [16]byte
	id          uint32
	over, proto uint8
}

// set orders the two ends.
func (i *info) set(over uint8, proto uint8, etype uint16, src, dst []byte, sport, dport uint16) {
	k := &i.key
	*k = flowKey{ap: sport, bp: dport, proto: proto, over: over, etype: etype}
	c := bytes.Compare(src, dst)
	if c < 0 || c == 0 && sport <= dport {
		copy(k.a[:], src)
		copy(k.b[:], dst)
		i.fromA = true
		return
	}
	k.ap, k.bp = dport, sport
	copy(k.a[:], dst)
	copy(k.b[:], src)
	i.fromA = false
}

// network is the innermost network layer that a walk has found.
type network struct {
	over, proto    uint8 // over is 0 when there is none
	etype          uint16
	sport, dport   uint16
	src, dst, size int // the addresses: offsets and length
}

// look fills i from a packet. It always finds some flow for it: that of the
// innermost addresses that can be read, else that of the link.
func (i *info) look(link LinkType, data []byte, through Through) {
	*i = info{}
	var w Walk
	w.begin(link, data, through)
	w.Next()
	etype, known := w.Carries, w.Whole
	var n network
	for w.Next() {
		b := data[w.From:w.End]
		switch w.Kind {
		case LayerIPv4:
			if w.Whole {
				n.set(overIPv4, b[9], TypeIPv4, w.From+12, w.From+16, 4)
				i.fragment(&w, &n)
			}
		case LayerIPv6:
			if w.Whole {
				n.set(overIPv6, b[6], TypeIPv6, w.From+8, w.From+24, 16)
			}
		case LayerARP:
			if w.Whole && b[5] == 4 && binary.BigEndian.Uint16(b[2:]) == TypeIPv4 {
				h := int(b[4])
				n.set(overIPv4, 0, TypeARP, w.From+8+h, w.From+12+2*h, 4)
			}
		case LayerExtension:
			if w.Whole {
				n.proto = uint8(w.Carries)
				i.fragment(&w, &n)
			}
		case LayerTransport:
			i.transport(w.Type, b, &n)
		}
	}
	if n.over != 0 {
		i.set(n.over, n.proto, n.etype, data[n.src:n.src+n.size], data[n.dst:n.dst+n.size], n.sport, n.dport)
		return
	}
	if src, dst := addresses(link, data); src != nil {
		proto := uint8(0)
		if !known && link == LinkEthernet && len(data) > 14 {
			proto = data[14] // LLC: the service access point tells protocols apart
		}
		i.set(overMAC, proto, etype, src, dst, 0, 0)
		return
	}
	i.key = flowKey{over: overLink, link: uint16(link), etype: etype}
	i.fromA = true
}

// transport takes the ports, and what assembly needs to know of TCP.
func (i *info) transport(proto uint16, b []byte, n *network) {
	switch proto {
	case protoTCP, protoUDP, 33, 132, 136: // DCCP, SCTP, UDP-Lite
		if len(b) >= 4 {
			n.sport, n.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		}
		if proto == protoTCP && len(b) >= 14 {
			i.flags, i.seq = b[13], binary.BigEndian.Uint32(b[4:])
		}
	}
}

// set begins another network layer.
func (n *network) set(over, proto uint8, etype uint16, src, dst, size int) {
	n.over, n.proto, n.etype, n.sport, n.dport, n.src, n.dst, n.size = over, proto, etype, 0, 0, src, dst, size
}

// fragment notes which datagram a fragment belongs to, the outermost if several.
func (i *info) fragment(w *Walk, n *network) {
	if w.Fragment != FragmentNone && i.frag == FragmentNone {
		i.frag, i.gram = w.Fragment, fragment{id: w.ID, over: n.over, proto: n.proto}
		copy(i.gram.src[:], w.data[n.src:n.src+n.size])
		copy(i.gram.dst[:], w.data[n.dst:n.dst+n.size])
	}
}
