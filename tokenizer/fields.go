package tokenizer

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

// span names a run of bytes of a packet.
type span struct {
	from, to    int
	kind        Kind
	layer, name string
}

// dissection names the bytes of a packet: where its layers are, the walk of
// package pcap says; what the bytes of a layer are, the methods here. What no
// layer claims is payload.
type dissection struct {
	data         []byte
	spans        []span
	at           int
	end          int // of the layer at hand: what an outer layer says is inside
	kind         Kind
	layer        string
	sport, dport int
	brief        bool // only what a mask may hide needs a name of its own
}

// take names the next n bytes, or as many as there are, and returns them;
// all of them are there when ok.
func (d *dissection) take(n int, name string) (b []byte, ok bool) {
	from := d.at
	to := min(d.at+max(n, 0), d.end)
	if to > from {
		d.spans = append(d.spans, span{from, to, d.kind, d.layer, name})
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

// dissect names the bytes of a whole packet, in the memory of spans. When brief,
// what no mask hides of a payload is "data".
func dissect(link pcap.LinkType, data []byte, spans []span, brief bool) []span {
	d := dissection{data: data, spans: spans[:0], end: len(data), brief: brief}
	w := pcap.NewWalk(link, data, pcap.Tunnels)
	w.Next()
	d.link(link, &w)
	for w.Next() {
		d.end = w.End
		d.header(&w)
	}
	d.rest(&w)
	if d.end = len(data); d.left() > 0 { // what the layers leave over behind them
		d.enter(KindEthernet, "trailer")
		d.take(d.left(), "padding or checksum")
	}
	return d.spans
}

// link names the link header.
func (d *dissection) link(link pcap.LinkType, w *pcap.Walk) {
	d.enter(KindEthernet, link.String())
	switch {
	case link == pcap.LinkEthernet:
		d.ethernet(w)
	case link == pcap.LinkSLL:
		d.enter(KindEthernet, "Linux cooked")
		d.take(2, "packet type")
		d.take(2, "device type")
		d.take(2, "address length")
		d.take(8, "address")
		d.take(2, "protocol")
	case w.Whole:
		d.addresses(link)
		d.take(w.To-d.at, "header")
	case link.Registered():
		d.other(link)
	}
}

// addresses names a link header up to the last address in it.
func (d *dissection) addresses(link pcap.LinkType) {
	for _, a := range pcap.LinkAddresses(link, d.data) {
		d.take(a.From-d.at, "header")
		d.take(a.To-d.at, addressNames[a.Role])
	}
}

var addressNames = map[pcap.AddressRole]string{pcap.Sender: "source", pcap.Receiver: "destination", pcap.OtherAddress: "address"}

// header names the header of the walk's layer behind the link's.
func (d *dissection) header(w *pcap.Walk) {
	switch w.Kind {
	case pcap.LayerEthernet:
		d.ethernet(w)
	case pcap.LayerVLAN:
		d.enter(KindEthernet, "VLAN")
		d.take(2, "priority and VLAN")
		if next := d.u16("type"); next <= 1500 && d.left() > 0 {
			d.llc()
		}
	case pcap.LayerMPLS:
		d.mpls(w)
	case pcap.LayerPPPoE:
		d.pppoe()
		d.enter(KindEthernet, "PPP")
		d.take(2, "protocol")
	case pcap.LayerARP:
		d.arp()
	case pcap.LayerIPv4:
		d.ipv4()
	case pcap.LayerIPv6:
		d.ipv6()
	case pcap.LayerExtension:
		d.extension(w)
	case pcap.LayerTransport:
		d.transport(int(w.Type))
	case pcap.LayerTunnel:
		d.tunnel(w)
	}
}

// rest names what is behind the walk's last layer.
func (d *dissection) rest(w *pcap.Walk) {
	switch {
	case w.Kind == pcap.LayerARP:
	case w.Kind == pcap.LayerTransport:
		d.carried(int(w.Type))
	case !w.Whole || w.Kind == pcap.LayerIPv4 || w.Kind == pcap.LayerIPv6 || w.Kind == pcap.LayerExtension:
		d.payload()
	case w.Carries == typeDiscovery:
		d.pppoe()
		d.payload()
	case w.Carries == pcap.TypeIPv4 || w.Carries == pcap.TypeIPv6:
		d.enter(KindPayload, "payload")
		d.take(d.left(), unreadPacket)
	default:
		d.payload()
	}
}

// unreadPacket is what should be IP and has another version or no header length.
const unreadPacket = "unread IP packet"

// typeDiscovery is the EtherType of PPPoE before its session.
const typeDiscovery = 0x8863

// ethernet names an Ethernet header, and all that LLC itself carries.
func (d *dissection) ethernet(w *pcap.Walk) {
	d.enter(KindEthernet, "Ethernet")
	d.take(6, "destination")
	d.take(6, "source")
	if d.peek(0) < 0 || d.peek(0)*256+d.peek(1) > 1500 {
		d.take(2, "type")
		return
	}
	if n := d.u16("length"); n < d.left() {
		d.end = d.at + n
	}
	d.llc()
	if w.Whole {
		d.at, d.end = w.To, w.End
	}
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
	d.take(2, "type")
}

// pppoe names the header of PPPoE.
func (d *dissection) pppoe() {
	d.enter(KindEthernet, "PPPoE")
	d.take(1, "version and type")
	d.take(1, "code")
	d.take(2, "session")
	if n := d.u16("length"); n < d.left() {
		d.end = d.at + n
	}
}

func (d *dissection) mpls(w *pcap.Walk) {
	d.enter(KindEthernet, "MPLS")
	for bottom := false; !bottom && d.left() >= 4; {
		bottom = d.peek(2)&1 != 0
		d.take(4, "label")
	}
	if w.Whole {
		d.take(w.To-d.at, "control word")
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
	d.enter(KindIP, "IPv4")
	start := d.at
	header := d.peek(0) & 15 * 4
	d.take(1, "version and header length")
	d.take(1, "type of service")
	d.take(2, "total length")
	d.take(2, "identification")
	d.take(2, "flags and fragment offset")
	d.take(1, "time to live")
	d.take(1, "protocol")
	d.take(2, "checksum")
	d.take(4, "source address")
	d.take(4, "destination address")
	d.take(start+header-d.at, "options")
}

func (d *dissection) ipv6() {
	d.enter(KindIP, "IPv6")
	d.take(2, "version and class")
	d.take(2, "flow label")
	d.take(2, "payload length")
	d.take(1, "next header")
	d.take(1, "hop limit")
	d.take(16, "source address")
	d.take(16, "destination address")
}

var extensionNames = map[uint16]string{0: "hop-by-hop options", 43: "routing header", 60: "destination options",
	135: "mobility header", 139: "host identity header", 140: "shim6 header"}

// extension names an extension header of IPv6, or an authentication header.
func (d *dissection) extension(w *pcap.Walk) {
	switch w.Type {
	case 51:
		d.authentication(w.To)
	case 44:
		d.take(4, "fragment header")
		d.take(4, "identification")
	default:
		d.take(w.To-d.at, extensionNames[w.Type])
	}
}

// authentication names an authentication header that ends at `to`.
func (d *dissection) authentication(to int) {
	outer := d.end
	d.end = min(to, d.end)
	d.enter(KindTransport, "AH")
	d.take(1, "next header")
	d.take(1, "length")
	d.take(2, "reserved")
	d.take(4, "security parameters index")
	d.take(4, "sequence number")
	d.take(d.left(), "integrity check value")
	d.end = outer
}
