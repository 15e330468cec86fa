package tokenizer

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

// dissection names the bytes of a packet, from the outside in. It goes on for
// as long as the bytes make sense; the rest is payload.
type dissection struct {
	data   []byte
	fields []Field
	packet int
	at     int
	end    int // of the layer at hand: what an outer layer says is inside
	kind   Kind
	layer  string
	depth  int
}

// take names the next n bytes, or as many as there are, and returns them;
// all of them are there when ok.
func (d *dissection) take(n int, name string) (b []byte, ok bool) {
	from := d.at
	to := min(d.at+max(n, 0), d.end)
	for i := from; i < to; i++ {
		d.fields[i] = Field{Packet: d.packet, Kind: d.kind, Layer: d.layer, Name: name, Offset: i}
	}
	d.at = to
	return d.data[from:to], to-from == n
}

// u8, u16 and u32 name a number and return it, 0 when it is cut.
func (d *dissection) u8(name string) int {
	if b, ok := d.take(1, name); ok {
		return int(b[0])
	}
	return 0
}

func (d *dissection) u16(name string) int {
	if b, ok := d.take(2, name); ok {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *dissection) u24(name string) int {
	if b, ok := d.take(3, name); ok {
		return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	}
	return 0
}

// left is how many bytes the layer at hand still has.
func (d *dissection) left() int { return d.end - d.at }

// peek looks i bytes ahead.
func (d *dissection) peek(i int) int {
	if d.at+i < d.end {
		return int(d.data[d.at+i])
	}
	return -1
}

func (d *dissection) enter(kind Kind, layer string) { d.kind, d.layer = kind, layer }

func (d *dissection) payload() {
	if d.left() > 0 {
		d.enter(KindPayload, "payload")
		d.take(d.left(), "data")
	}
}

// frame names a whole packet. What the layers leave over behind them is a trailer.
func (d *dissection) frame(link pcap.LinkType, known bool) {
	d.end = len(d.data)
	d.enter(KindEthernet, link.String())
	switch link {
	case pcap.LinkEthernet:
		d.ethernet()
	case pcap.LinkSLL:
		d.enter(KindEthernet, "Linux cooked")
		d.take(2, "packet type")
		d.take(2, "device type")
		d.take(2, "address length")
		d.take(8, "address")
		d.network(d.u16("protocol"))
	default:
		etherType, offset, ok := pcap.Network(link, d.data)
		switch {
		case ok && offset <= len(d.data):
			d.take(offset, "header")
			d.network(int(etherType))
		case known:
			d.other(link)
		default:
			d.payload()
		}
	}
	d.end = len(d.data)
	if d.left() > 0 {
		d.enter(KindEthernet, "trailer")
		d.take(d.left(), "padding or checksum")
	}
}

func (d *dissection) ethernet() {
	d.enter(KindEthernet, "Ethernet")
	d.take(6, "destination")
	d.take(6, "source")
	if d.peek(0) >= 0 && d.peek(0)*256+d.peek(1) <= 1500 {
		if n := d.u16("length"); n < d.left() {
			d.end = d.at + n
		}
		d.llc()
		return
	}
	d.network(d.u16("type"))
}

func (d *dissection) llc() {
	d.enter(KindEthernet, "LLC")
	dsap := d.u8("destination SAP")
	ssap := d.u8("source SAP")
	control := d.peek(0)
	if control&3 == 3 {
		d.take(1, "control")
	} else {
		d.take(2, "control")
	}
	if dsap != 0xaa || ssap != 0xaa || control != 3 {
		d.payload()
		return
	}
	d.enter(KindEthernet, "SNAP")
	d.take(3, "organisation")
	d.network(d.u16("type"))
}

// network goes on behind an EtherType.
func (d *dissection) network(etherType int) {
	if d.depth++; d.depth > 16 {
		d.payload()
		return
	}
	switch etherType {
	case pcap.TypeIPv4:
		d.ipv4()
	case pcap.TypeIPv6:
		d.ipv6()
	case pcap.TypeARP:
		d.arp()
	case pcap.TypeVLAN, pcap.TypeQinQ, 0x9100, 0x9200:
		d.enter(KindEthernet, "VLAN")
		d.take(2, "priority and VLAN")
		if next := d.u16("type"); next <= 1500 && d.left() > 0 {
			d.llc()
		} else {
			d.network(next)
		}
	case pcap.TypeMPLS, pcap.TypeMPLSMulti:
		d.mpls()
	case 0x8863, pcap.TypePPPoE:
		d.enter(KindEthernet, "PPPoE")
		d.take(1, "version and type")
		d.take(1, "code")
		d.take(2, "session")
		if n := d.u16("length"); n < d.left() {
			d.end = d.at + n
		}
		if etherType == pcap.TypePPPoE {
			d.ppp()
		} else {
			d.payload()
		}
	case pcap.TypeBridge:
		d.ethernet()
	default:
		d.payload()
	}
}

func (d *dissection) ppp() {
	d.enter(KindEthernet, "PPP")
	switch d.u16("protocol") {
	case 0x21:
		d.network(pcap.TypeIPv4)
	case 0x57:
		d.network(pcap.TypeIPv6)
	default:
		d.payload()
	}
}

func (d *dissection) mpls() {
	d.enter(KindEthernet, "MPLS")
	for d.left() >= 4 {
		bottom := d.peek(2)&1 != 0
		d.take(4, "label")
		if bottom {
			break
		}
	}
	if d.left() == 0 {
		return
	}
	switch d.peek(0) >> 4 {
	case 4:
		d.network(pcap.TypeIPv4)
	case 6:
		d.network(pcap.TypeIPv6)
	case 0:
		d.take(4, "control word")
		d.ethernet()
	default:
		d.ethernet()
	}
}

func (d *dissection) arp() {
	d.enter(KindIP, "ARP")
	d.take(2, "hardware type")
	d.take(2, "protocol type")
	h := d.u8("hardware address length")
	n := d.u8("protocol address length")
	d.take(2, "operation")
	d.take(h, "sender hardware address")
	d.take(n, "sender protocol address")
	d.take(h, "target hardware address")
	d.take(n, "target protocol address")
}

func (d *dissection) ipv4() {
	if d.peek(0)>>4 != 4 || d.peek(0)&15 < 5 {
		d.payload()
		return
	}
	d.enter(KindIP, "IPv4")
	start := d.at
	header := d.peek(0) & 15 * 4
	d.take(1, "version and header length")
	d.take(1, "type of service")
	if total := d.u16("total length"); total >= header && start+total < d.end {
		d.end = start + total
	}
	d.take(2, "identification")
	frag := d.u16("flags and fragment offset")
	d.take(1, "time to live")
	proto := d.u8("protocol")
	d.take(2, "checksum")
	d.take(4, "source address")
	d.take(4, "destination address")
	d.take(start+header-d.at, "options")
	if frag&0x1fff != 0 {
		d.payload()
		return
	}
	d.transport(proto)
}

func (d *dissection) ipv6() {
	if d.peek(0)>>4 != 6 {
		d.payload()
		return
	}
	d.enter(KindIP, "IPv6")
	d.take(2, "version and class")
	d.take(2, "flow label")
	n := d.u16("payload length")
	next := d.u8("next header")
	d.take(1, "hop limit")
	d.take(16, "source address")
	d.take(16, "destination address")
	if n > 0 && n < d.left() {
		d.end = d.at + n
	}
	for d.left() >= 8 {
		size, name := 8+d.peek(1)*8, ""
		switch next {
		case 0:
			name = "hop-by-hop options"
		case 43:
			name = "routing header"
		case 60:
			name = "destination options"
		case 135:
			name = "mobility header"
		case 44:
			name, size = "fragment header", 8
		default:
			d.transport(next)
			return
		}
		fragment := next == 44 && d.peek(2)*256+d.peek(3)&0xf8 != 0
		next = d.peek(0)
		d.take(size, name)
		if fragment {
			d.payload()
			return
		}
	}
	if d.left() > 0 {
		d.transport(next)
	}
}
