package dataset

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

// layers says where the headers of a packet are, as offsets into it.
type layers struct {
	etherType uint16 // of the network layer; 0 when it is not known
	network   int    // offset of the network header, -1 when there is none
	v6        bool
	protocol  byte // of the transport layer; 0 when it is not known
	transport int  // offset of the transport header, -1 when there is none
	payload   int  // offset of what the transport layer carries
	end       int  // where the network layer says that the packet ends
}

// dissect finds the layers of a packet behind tags (VLAN, QinQ, MPLS, PPPoE).
func dissect(link pcap.LinkType, b []byte) layers {
	l := layers{network: -1, transport: -1, payload: len(b), end: len(b)}
	etherType, at, ok := pcap.Network(link, b)
	if !ok || at > len(b) {
		return l
	}
	for range 8 {
		switch etherType {
		case pcap.TypeVLAN, pcap.TypeQinQ:
			if len(b) < at+4 {
				return l
			}
			etherType, at = binary.BigEndian.Uint16(b[at+2:]), at+4
			continue
		case pcap.TypeMPLS, pcap.TypeMPLSMulti:
			for {
				if len(b) < at+4 {
					return l
				}
				at += 4
				if b[at-2]&1 != 0 {
					break
				}
			}
			if len(b) <= at {
				return l
			}
			etherType = map[byte]uint16{4: pcap.TypeIPv4, 6: pcap.TypeIPv6}[b[at]>>4]
			continue
		case pcap.TypePPPoE:
			if len(b) < at+8 {
				return l
			}
			etherType = map[uint16]uint16{0x21: pcap.TypeIPv4, 0x57: pcap.TypeIPv6}[binary.BigEndian.Uint16(b[at+6:])]
			at += 8
			continue
		}
		break
	}
	l.etherType, l.network = etherType, at
	l.ip(b, at)
	return l
}

// ip reads the network header at offset at, if it is one of IP.
func (l *layers) ip(b []byte, at int) {
	switch l.etherType {
	case pcap.TypeIPv4:
		if len(b) < at+20 || b[at]>>4 != 4 || b[at]&15 < 5 || len(b) < at+int(b[at]&15)*4 {
			return
		}
		l.protocol = b[at+9]
		l.transport = at + int(b[at]&15)*4
		if n := at + int(binary.BigEndian.Uint16(b[at+2:])); n >= l.transport && n < len(b) {
			l.end = n
		}
		if binary.BigEndian.Uint16(b[at+6:])&0x1fff != 0 {
			l.payload, l.transport, l.protocol = l.transport, -1, 0 // a later fragment
			return
		}
	case pcap.TypeIPv6:
		if len(b) < at+40 || b[at]>>4 != 6 {
			return
		}
		l.v6 = true
		if n := at + 40 + int(binary.BigEndian.Uint16(b[at+4:])); n > at+40 && n < len(b) {
			l.end = n
		}
		if !l.extensions(b, b[at+6], at+40) {
			return
		}
	default:
		return
	}
	t := l.transport
	switch {
	case l.protocol == 6 && len(b) >= t+20:
		l.payload = min(t+max(20, int(b[t+12]>>4)*4), l.end)
	case l.protocol == 17 && len(b) >= t+8:
		l.payload = min(t+8, l.end)
	case (l.protocol == 1 || l.protocol == 58) && len(b) >= t+8:
		l.payload = min(t+8, l.end)
	default:
		l.payload = min(t, l.end)
		if l.protocol == 6 || l.protocol == 17 {
			l.transport = -1
		}
	}
}

// extensions skips the extension headers of IPv6.
func (l *layers) extensions(b []byte, next byte, at int) bool {
	for range 8 {
		switch next {
		case 0, 43, 60, 135: // hop-by-hop, routing, destination, mobility
			if len(b) < at+8 {
				return false
			}
			next, at = b[at], at+8+int(b[at+1])*8
		case 44: // fragment
			if len(b) < at+8 || binary.BigEndian.Uint16(b[at+2:])&0xfff8 != 0 {
				return false
			}
			next, at = b[at], at+8
		case 51: // authentication
			if len(b) < at+8 {
				return false
			}
			next, at = b[at], at+8+int(b[at+1])*4
		default:
			if at > len(b) {
				return false
			}
			l.protocol, l.transport = next, at
			return true
		}
	}
	return false
}
