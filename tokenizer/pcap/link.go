package pcap

import "encoding/binary"

// EtherTypes that the package looks into.
const (
	TypeIPv4      = 0x0800
	TypeARP       = 0x0806
	TypeIPv6      = 0x86dd
	TypeVLAN      = 0x8100
	TypeQinQ      = 0x88a8
	TypeQinQ9100  = 0x9100 // two older numbers of an outer tag
	TypeQinQ9200  = 0x9200
	TypeMPLS      = 0x8847
	TypeMPLSMulti = 0x8848
	TypePPPoE     = 0x8864
	TypeBridge    = 0x6558 // an Ethernet frame inside GRE, Geneve, …
	typeERSPAN2   = 0x88be
	typeERSPAN3   = 0x22eb

	maxLength = 1500 // what is not above it is no EtherType but the length of IEEE 802.3
)

// Network takes the link header off: etherType says what follows at data[offset:],
// which may be tags (VLAN, MPLS, PPPoE) before the network layer. ok is false
// when the link type is not looked into, or the packet carries no such thing.
func Network(link LinkType, data []byte) (etherType uint16, offset int, ok bool) {
	switch link {
	case LinkEthernet:
		return ethernet(data, 0)
	case LinkRaw, 12, 14: // 12 and 14 are raw IP on some systems
		return version(data, 0)
	case LinkIPv4:
		return TypeIPv4, 0, true
	case LinkIPv6:
		return TypeIPv6, 0, true
	case LinkNull, 108, 109:
		return family(link, data)
	case LinkSLL:
		return typed(data, 14, 16)
	case LinkSLL2:
		return typed(data, 0, 20)
	case 9, 50, 51, 166, 204:
		return ppp(link, data)
	case 104, 205: // Cisco HDLC
		if link == 205 {
			return shifted(LinkType(104), data, 1)
		}
		return typed(data, 2, 4)
	case 107:
		return frameRelay(data)
	case 105:
		return wlan(data, 0)
	case 127:
		if len(data) < 4 {
			return 0, 0, false
		}
		return wlan(data, int(binary.LittleEndian.Uint16(data[2:])))
	case 119:
		return wlan(data, 144)
	case 163:
		if len(data) < 8 {
			return 0, 0, false
		}
		return wlan(data, int(min(binary.BigEndian.Uint32(data[4:]), 1<<16)))
	case 192:
		return ppi(data)
	case 6, 10:
		return llc(data, ringHeader(link))
	case 100, 106:
		return llc(data, 0)
	case 8:
		return version(data, 16)
	case 117:
		if len(data) < 1 {
			return 0, 0, false
		}
		return version(data, (int(data[0])+3)&^3)
	case 129, 7:
		return arcnet(link, data)
	case 138:
		return typed(data, 16, 18)
	case 219:
		return TypeMPLS, 0, len(data) >= 4
	case 239:
		return nflog(data)
	case 242:
		return typed(data, 40, 44)
	case 258:
		return pktap(data)
	case 281, 282, 284, 285:
		return switchTag(link, data)
	case 143:
		return docsis(data)
	case 226:
		return version(data, 24)
	}
	return 0, 0, false
}

// shifted looks for the network layer of link n bytes into data.
func shifted(link LinkType, data []byte, n int) (uint16, int, bool) {
	if len(data) < n {
		return 0, 0, false
	}
	t, off, ok := Network(link, data[n:])
	return t, off + n, ok
}

// typed reads an EtherType at one place; the payload begins at another.
func typed(data []byte, at, payload int) (uint16, int, bool) {
	if len(data) < payload {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(data[at:]), payload, true
}

// version tells IPv4 and IPv6 apart by their first four bits.
func version(data []byte, off int) (uint16, int, bool) {
	if len(data) > off {
		switch data[off] >> 4 {
		case 4:
			return TypeIPv4, off, true
		case 6:
			return TypeIPv6, off, true
		}
	}
	return 0, 0, false
}

func ethernet(data []byte, at int) (uint16, int, bool) {
	if len(data) < at+14 {
		return 0, 0, false
	}
	t := binary.BigEndian.Uint16(data[at+12:])
	if t <= maxLength {
		return llc(data, at+14)
	}
	return t, at + 14, true
}

// llc looks for a SNAP header, the only kind of LLC that carries an EtherType.
func llc(data []byte, at int) (uint16, int, bool) {
	if len(data) < at+8 || data[at] != 0xaa || data[at+1] != 0xaa || data[at+2] != 3 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(data[at+6:]), at + 8, true
}

// family reads the address family of BSD loopbacks, in either byte order.
func family(link LinkType, data []byte) (uint16, int, bool) {
	size := 4
	if link == 109 { // OpenBSD enc: family, SPI, flags
		size = 12
	}
	if len(data) < size {
		return 0, 0, false
	}
	f := binary.LittleEndian.Uint32(data)
	if f > 0xffff {
		f = binary.BigEndian.Uint32(data)
	}
	switch f {
	case 2:
		return TypeIPv4, size, true
	case 10, 24, 28, 30:
		return TypeIPv6, size, true
	}
	return 0, 0, false
}

func pppType(p uint16) (uint16, bool) {
	switch p {
	case 0x21:
		return TypeIPv4, true
	case 0x57:
		return TypeIPv6, true
	case 0x281:
		return TypeMPLS, true
	case 0x283:
		return TypeMPLSMulti, true
	}
	return 0, false
}

func ppp(link LinkType, data []byte) (uint16, int, bool) {
	at := 0
	switch {
	case link == 204: // a direction byte
		at = 1
	case link == 51: // PPPoE session header
		at = 6
	}
	if len(data) >= at+2 && data[at] == 0xff && data[at+1] == 3 {
		at += 2
	} else if link == 50 && len(data) >= 4 && (data[0] == 0x0f || data[0] == 0x8f) {
		return typed(data, 2, 4) // Cisco HDLC under the name of PPP
	}
	if len(data) < at+2 {
		return 0, 0, false
	}
	if data[at]&1 != 0 { // a protocol number of one byte
		t, ok := pppType(uint16(data[at]))
		return t, at + 1, ok
	}
	t, ok := pppType(binary.BigEndian.Uint16(data[at:]))
	return t, at + 2, ok
}

func frameRelay(data []byte) (uint16, int, bool) {
	at := 0
	for at < 4 && at < len(data) && data[at]&1 == 0 {
		at++
	}
	at++
	if len(data) < at+2 {
		return 0, 0, false
	}
	if data[at] != 3 { // Cisco encapsulation: an EtherType follows the address
		return typed(data, at, at+2)
	}
	at++
	if at < len(data) && data[at] == 0 { // padding
		at++
	}
	if len(data) <= at {
		return 0, 0, false
	}
	switch data[at] {
	case 0xcc:
		return TypeIPv4, at + 1, true
	case 0x8e:
		return TypeIPv6, at + 1, true
	case 0x80:
		return typed(data, min(at+4, len(data)), at+6)
	}
	return 0, 0, false
}

func wlan(data []byte, at int) (uint16, int, bool) {
	if len(data) < at+24 {
		return 0, 0, false
	}
	control, flags := data[at], data[at+1]
	if control&0x0c != 0x08 || control&0x40 != 0 || flags&0x40 != 0 {
		return 0, 0, false // no data frame, one without data, or an encrypted one
	}
	at += 24
	if flags&3 == 3 {
		at += 6
	}
	if control&0x80 != 0 {
		at += 2
	}
	return llc(data, at)
}

func ppi(data []byte) (uint16, int, bool) {
	if len(data) < 8 {
		return 0, 0, false
	}
	size, link := int(binary.LittleEndian.Uint16(data[2:])), LinkType(binary.LittleEndian.Uint32(data[4:]))
	if size < 8 || link == 192 {
		return 0, 0, false
	}
	return shifted(link, data, size)
}

func arcnet(link LinkType, data []byte) (uint16, int, bool) {
	at := 2
	if link == 129 {
		at = 4
	}
	if len(data) < at+4 {
		return 0, 0, false
	}
	var t uint16
	switch data[at] {
	case 0xd4, 0xf0:
		t = TypeIPv4
	case 0xd5, 0xf1:
		t = TypeARP
	case 0xc4:
		t = TypeIPv6
	default:
		return 0, 0, false
	}
	if data[at] >= 0xf0 { // RFC 1051: no more than the protocol byte
		return t, at + 1, true
	}
	if data[at+1] == 0xff { // an exception frame has four bytes more
		return t, at + 8, len(data) >= at+8
	}
	return t, at + 4, true
}

func nflog(data []byte) (uint16, int, bool) {
	for at := 4; at+4 <= len(data); {
		n, kind := int(binary.LittleEndian.Uint16(data[at:])), binary.LittleEndian.Uint16(data[at+2:])
		if n < 4 || at+n > len(data) {
			break
		}
		if kind&0x7fff == 9 {
			return version(data[:at+n], at+4)
		}
		at += (n + 3) &^ 3
	}
	return 0, 0, false
}

func pktap(data []byte) (uint16, int, bool) {
	if len(data) < 12 {
		return 0, 0, false
	}
	size, link := binary.LittleEndian.Uint32(data), LinkType(binary.LittleEndian.Uint32(data[8:]))
	if size < 12 || size > 1<<16 || link == 258 {
		return 0, 0, false
	}
	return shifted(link, data, int(size))
}

// switchTag looks behind the tags of Broadcom and Marvell switches.
func switchTag(link LinkType, data []byte) (uint16, int, bool) {
	switch link {
	case 281: // 4 bytes after the addresses
		return typed(data, 16, 18)
	case 282: // 4 bytes before the frame
		return ethernet(data, 4)
	case 284:
		return typed(data, 16, 18)
	default: // EDSA: an EtherType, 2 reserved bytes, 4 of tag
		return typed(data, 20, 22)
	}
}

func docsis(data []byte) (uint16, int, bool) {
	if len(data) < 6 || data[0]>>6 != 0 { // frame control type 0: an Ethernet frame
		return 0, 0, false
	}
	at := 6
	if data[0]&1 != 0 { // extended header, its length in place of the parameter
		at += int(data[1])
	}
	return ethernet(data, at)
}

// addresses returns source and destination on the link, nil where it has none.
func addresses(link LinkType, data []byte) (src, dst []byte) {
	switch link {
	case LinkEthernet:
		if len(data) >= 14 {
			return data[6:12], data[:6]
		}
	case 281, 284, 285:
		if len(data) >= 14 {
			return data[6:12], data[:6]
		}
	case 282:
		return addresses(LinkEthernet, data[min(4, len(data)):])
	case LinkSLL:
		if len(data) >= 16 {
			return data[6:12], data[:2] // the packet type stands for the destination
		}
	case LinkSLL2:
		if len(data) >= 20 {
			return data[12:18], data[10:11]
		}
	case 105:
		if len(data) >= 16 {
			return data[10:16], data[4:10]
		}
	case 127:
		if len(data) >= 4 {
			return addresses(105, data[min(int(binary.LittleEndian.Uint16(data[2:])), len(data)):])
		}
	case 6, 10:
		if len(data) >= 14 {
			return data[ringHeader(link)-6 : ringHeader(link)], data[ringHeader(link)-12 : ringHeader(link)-6]
		}
	}
	return nil, nil
}

// ringHeader is the length of the Token Ring and FDDI headers.
func ringHeader(link LinkType) int {
	if link == 6 {
		return 14
	}
	return 13
}
