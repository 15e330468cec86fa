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
	overLink  = 0 // none: all packets of a link type that is not looked into
	overMAC   = 1
	overIPv4  = 4
	overIPv6  = 6
	maxLayers = 24
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

// Where a packet stands among the fragments of an IP datagram.
const (
	fragNone = iota
	fragFirst
	fragLater
)

// info is what flow assembly needs to know of a packet.
type info struct {
	key   flowKey
	fromA bool  // sent by the end a
	flags uint8 // TCP flags, 0 when not seen
	seq   uint32
	frag  uint8
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

// look fills i from a packet. It always finds some flow for it.
func (i *info) look(link LinkType, data []byte, through Through) {
	if through == 0 {
		through = Tags
	}
	*i = info{}
	etype, at, ok := Network(link, data)
	if ok && i.inside(data, etype, at, through, maxLayers) {
		return
	}
	if src, dst := addresses(link, data); src != nil {
		proto := uint8(0)
		if !ok && link == LinkEthernet && len(data) > 14 {
			proto = data[14] // LLC: the service access point tells protocols apart
		}
		i.set(overMAC, proto, etype, src, dst, 0, 0)
		return
	}
	i.key = flowKey{over: overLink, link: uint16(link), etype: etype}
	i.fromA = true
}

// inside follows tags and tunnels from data[at:] inwards. It reports whether i was set.
func (i *info) inside(data []byte, etype uint16, at int, through Through, depth int) bool {
	for ; depth > 0; depth-- {
		switch etype {
		case TypeIPv4:
			return i.ipv4(data, at, through, depth)
		case TypeIPv6:
			return i.ipv6(data, at, through, depth)
		case TypeARP:
			return i.arp(data, at)
		case TypeVLAN, TypeQinQ, 0x9100, 0x9200:
			if through&ThroughVLAN == 0 || len(data) < at+4 {
				return false
			}
			etype = binary.BigEndian.Uint16(data[at+2:])
			at += 4
			if etype <= 1500 {
				var ok bool
				if etype, at, ok = llc(data, at); !ok {
					return false
				}
			}
		case TypeMPLS, TypeMPLSMulti:
			if through&ThroughMPLS == 0 {
				return false
			}
			var ok bool
			if etype, at, ok = belowMPLS(data, at); !ok {
				return false
			}
		case TypePPPoE:
			if through&ThroughPPPoE == 0 || len(data) < at+8 {
				return false
			}
			var ok bool
			if etype, ok = pppType(binary.BigEndian.Uint16(data[at+6:])); !ok {
				return false
			}
			at += 8
		case TypeBridge:
			var ok bool
			if etype, at, ok = ethernet(data, at); !ok {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// belowMPLS takes a label stack off; what is below has to be guessed.
func belowMPLS(data []byte, at int) (etype uint16, offset int, ok bool) {
	for {
		if len(data) < at+5 {
			return 0, 0, false
		}
		bottom := data[at+2]&1 != 0
		at += 4
		if bottom {
			break
		}
	}
	switch data[at] >> 4 {
	case 4:
		return TypeIPv4, at, true
	case 6:
		return TypeIPv6, at, true
	case 0: // a pseudowire's control word before an Ethernet frame
		return TypeBridge, at + 4, true
	}
	return TypeBridge, at, true
}

func (i *info) arp(data []byte, at int) bool {
	if len(data) < at+8 {
		return false
	}
	h, n := int(data[at+4]), int(data[at+5])
	if n != 4 || binary.BigEndian.Uint16(data[at+2:]) != TypeIPv4 || len(data) < at+8+2*h+2*n {
		return false
	}
	src := at + 8 + h
	dst := src + n + h
	i.set(overIPv4, 0, TypeARP, data[src:src+4], data[dst:dst+4], 0, 0)
	return true
}

func (i *info) ipv4(data []byte, at int, through Through, depth int) bool {
	if len(data) < at+20 || data[at]>>4 != 4 {
		return false
	}
	ip := data[at:]
	header := int(ip[0]&15) * 4
	if header < 20 || header > len(ip) {
		return false
	}
	// A total length of 0 comes from segmentation offload.
	if total := int(binary.BigEndian.Uint16(ip[2:])); total >= header && total < len(ip) {
		ip = ip[:total]
	}
	frag := binary.BigEndian.Uint16(ip[6:])
	kind, id := uint8(fragNone), uint32(binary.BigEndian.Uint16(ip[4:]))
	if frag&0x1fff != 0 {
		kind = fragLater
	} else if frag&0x2000 != 0 {
		kind = fragFirst
	}
	i.transport(overIPv4, TypeIPv4, ip[9], ip[12:16], ip[16:20], ip[header:], kind, id, through, depth)
	return true
}

func (i *info) ipv6(data []byte, at int, through Through, depth int) bool {
	if len(data) < at+40 || data[at]>>4 != 6 {
		return false
	}
	ip := data[at:]
	if n := int(binary.BigEndian.Uint16(ip[4:])); n > 0 && n+40 < len(ip) {
		ip = ip[:n+40]
	}
	proto, rest := ip[6], ip[40:]
	kind, id := uint8(fragNone), uint32(0)
	for len(rest) >= 8 && kind != fragLater {
		size := 8 + int(rest[1])*8
		switch proto {
		case 0, 43, 60, 135, 139, 140:
		case 44:
			size = 8
			id = binary.BigEndian.Uint32(rest[4:])
			if f := binary.BigEndian.Uint16(rest[2:]); f&0xfff8 != 0 {
				kind = fragLater
			} else if f&1 != 0 {
				kind = fragFirst
			}
		default:
			size = 0
		}
		if size == 0 || size > len(rest) {
			break
		}
		proto, rest = rest[0], rest[size:]
	}
	i.transport(overIPv6, TypeIPv6, proto, ip[8:24], ip[24:40], rest, kind, id, through, depth)
	return true
}

// transport reads the ports, and goes on into a tunnel if asked to. The flow of
// the outer addresses stands when there is nothing readable inside.
func (i *info) transport(over uint8, etype uint16, proto uint8, src, dst, b []byte, frag uint8, id uint32, through Through, depth int) {
	if frag != fragNone && i.frag == fragNone {
		i.frag, i.gram = frag, fragment{id: id, over: over, proto: proto}
		copy(i.gram.src[:], src)
		copy(i.gram.dst[:], dst)
	}
	if frag == fragLater {
		i.set(over, proto, etype, src, dst, 0, 0)
		return
	}
	if proto == 51 && len(b) >= 12 { // authentication header
		if size := 8 + int(b[1])*4; size <= len(b) {
			proto, b = b[0], b[size:]
		}
	}
	var sport, dport uint16
	switch proto {
	case 6, 17, 33, 132, 136: // TCP, UDP, DCCP, SCTP, UDP-Lite
		if len(b) >= 4 {
			sport, dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		}
		if proto == 6 && len(b) >= 14 {
			i.flags, i.seq = b[13], binary.BigEndian.Uint32(b[4:])
		}
	}
	i.set(over, proto, etype, src, dst, sport, dport)
	if through&(Tunnels&^Tags) == 0 {
		return
	}
	if inner, at, ok := tunnel(proto, dport, b, through); ok {
		outer := *i
		if !i.inside(b, inner, at, through, depth-1) {
			*i = outer
		}
	}
}

// tunnel finds what is inside the payload b of IP protocol proto.
func tunnel(proto uint8, dport uint16, b []byte, through Through) (etype uint16, at int, ok bool) {
	switch {
	case proto == 4 && through&ThroughIPIP != 0:
		return TypeIPv4, 0, true
	case proto == 41 && through&ThroughIPIP != 0:
		return TypeIPv6, 0, true
	case proto == 47 && through&ThroughGRE != 0:
		return gre(b)
	case proto != 17 || len(b) < 16:
		return 0, 0, false
	case (dport == 4789 || dport == 8472) && through&ThroughVXLAN != 0:
		return TypeBridge, 16, b[8]&0x08 != 0
	case dport == 6081 && through&ThroughGeneve != 0:
		return binary.BigEndian.Uint16(b[10:]), 16 + int(b[8]&0x3f)*4, b[8]>>6 == 0
	case dport == 2152 && through&ThroughGTP != 0:
		return gtp(b)
	}
	return 0, 0, false
}

func gre(b []byte) (etype uint16, at int, ok bool) {
	if len(b) < 4 {
		return 0, 0, false
	}
	flags, etype := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	at = 4
	for _, bit := range []uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence number
		if flags&bit != 0 {
			at += 4
		}
	}
	if flags&7 == 1 && flags&0x80 != 0 { // PPTP's acknowledgment number
		at += 4
	}
	switch etype {
	case 0x880b: // PPP
		if t, off, ok := shifted(9, b, at); ok {
			return t, off, true
		}
		return 0, 0, false
	case typeERSPAN2:
		if flags&0x1000 != 0 { // type I has no header and no sequence number
			at += 8
		}
		return TypeBridge, at, true
	case typeERSPAN3:
		if len(b) > at+11 && b[at+11]&1 != 0 { // a platform-specific subheader
			at += 8
		}
		return TypeBridge, at + 12, true
	}
	return etype, at, true
}

func gtp(b []byte) (etype uint16, at int, ok bool) {
	if b[8]>>5 != 1 || b[9] != 0xff { // version 1, a user packet
		return 0, 0, false
	}
	at = 16
	if b[8]&7 != 0 {
		if len(b) < 20 {
			return 0, 0, false
		}
		next := b[19]
		at = 20
		for b[8]&4 != 0 && next != 0 { // extension headers
			if len(b) < at+4 || b[at] == 0 || len(b) < at+int(b[at])*4 {
				return 0, 0, false
			}
			at += int(b[at]) * 4
			next = b[at-1]
		}
	}
	return version(b, at)
}
