package tokenizer

import (
	"bytes"

	"trafficgpt/tokenizer/pcap"
)

// transport names the header of TCP, UDP and GRE.
func (d *dissection) transport(proto int) {
	switch proto {
	case 6:
		d.tcp()
	case 17, 136:
		d.udp(proto)
	case 47:
		d.gre()
	}
}

// carried names what is behind the IP protocol at which the walk ended: the
// other transports, and what the transport carries.
func (d *dissection) carried(proto int) {
	port := func(p int) bool { return d.sport == p || d.dport == p }
	switch proto {
	case 6:
		if d.left() > 0 && port(53) && !d.brief {
			d.enter(KindPayload, "DNS")
			d.take(2, "length")
			d.dns()
		} else if d.left() > 0 {
			d.application(d.sport, d.dport)
		}
	case 17, 136:
		switch {
		case !d.brief && (port(53) || port(5353) || port(5355)):
			d.dns()
		case d.encapsulation():
			d.payload()
		default:
			d.application(d.sport, d.dport)
		}
	case 1:
		d.icmp("ICMP")
	case 58:
		d.icmp("ICMPv6")
	case 132:
		d.sctp()
	case 4, 41, 47:
		d.payload()
	case 50:
		d.enter(KindTransport, "ESP")
		d.take(4, "security parameters index")
		d.take(4, "sequence number")
		d.payload()
	case 51:
		d.authentication(d.at + (d.peek(1)+2)*4)
		d.payload()
	case 2:
		d.enter(KindTransport, "IGMP")
		d.take(1, "type")
		d.take(1, "response time")
		d.take(2, "checksum")
		d.take(4, "group")
		d.take(d.left(), "sources")
	default:
		d.ipProtocol(proto)
	}
}

func (d *dissection) tcp() {
	d.enter(KindTCP, "TCP")
	start := d.at
	d.sport = d.u16("source port")
	d.dport = d.u16("destination port")
	d.take(4, "sequence number")
	d.take(4, "acknowledgment number")
	header := d.peek(0) >> 4 * 4
	d.take(1, "header length")
	d.take(1, "flags")
	d.take(2, "window")
	d.take(2, "checksum")
	d.take(2, "urgent pointer")
	d.take(start+header-d.at, "options")
}

func (d *dissection) udp(proto int) {
	d.enter(KindUDP, "UDP")
	d.sport = d.u16("source port")
	d.dport = d.u16("destination port")
	if proto == 136 {
		d.take(2, "checksum coverage")
	} else {
		d.take(2, "length")
	}
	d.take(2, "checksum")
}

// tunnel names the header of a tunnel that the walk went into.
func (d *dissection) tunnel(w *pcap.Walk) {
	switch w.Type {
	case 17:
		d.encapsulation()
	case 47:
		name := "header"
		if d.layer == "PPP" {
			name = "protocol"
		}
		d.take(w.To-d.at, name)
	}
}

// encapsulation names the header of a tunnel over UDP, if the port is one's.
func (d *dissection) encapsulation() bool {
	switch d.dport {
	case 4789, 8472:
		d.enter(KindTransport, "VXLAN")
		d.take(4, "flags and group policy")
		d.take(3, "network identifier")
		d.take(1, "reserved")
	case 6081:
		d.enter(KindTransport, "Geneve")
		options := d.peek(0) & 0x3f * 4
		d.take(2, "version, length and flags")
		d.take(2, "protocol")
		d.take(3, "network identifier")
		d.take(1, "reserved")
		d.take(options, "options")
	case 2152:
		d.gtp()
	default:
		return false
	}
	return true
}

func (d *dissection) gtp() {
	if d.peek(0)>>5 != 1 {
		return
	}
	d.enter(KindTransport, "GTP-U")
	flags, kind := d.peek(0), d.peek(1)
	d.take(1, "flags")
	d.take(1, "message type")
	d.take(2, "length")
	d.take(4, "tunnel endpoint")
	if flags&7 != 0 {
		d.take(2, "sequence number")
		d.take(1, "N-PDU number")
		next := d.u8("next extension header")
		for flags&4 != 0 && next != 0 && d.left() > 0 && d.peek(0) > 0 {
			size := d.peek(0) * 4
			b, ok := d.take(size, "extension header")
			if !ok {
				return
			}
			next = int(b[size-1])
		}
	}
	if kind != 255 {
		d.take(d.left(), "information elements")
	}
}

// gre names the header of GRE, and begins the layer of the header that some
// types have behind it.
func (d *dissection) gre() {
	d.enter(KindTransport, "GRE")
	flags := d.u16("flags and version")
	next := d.u16("protocol")
	for _, f := range []struct {
		bit  int
		name string
	}{{0x8000, "checksum"}, {0x2000, "key"}, {0x1000, "sequence number"}} {
		if flags&f.bit != 0 {
			d.take(4, f.name)
		}
	}
	if flags&0x87 == 0x81 {
		d.take(4, "acknowledgment number")
	}
	switch next {
	case 0x88be, 0x22eb:
		d.enter(KindTransport, "ERSPAN")
	case 0x880b:
		d.enter(KindEthernet, "PPP")
	}
}

func (d *dissection) icmp(layer string) {
	d.enter(KindTransport, layer)
	kind := d.u8("type")
	d.take(1, "code")
	d.take(2, "checksum")
	echo := layer == "ICMP" && (kind == 8 || kind == 0) || layer == "ICMPv6" && (kind == 128 || kind == 129)
	unreachable := layer == "ICMP" && (kind == 3 || kind == 5 || kind == 11 || kind == 12) || layer == "ICMPv6" && kind > 0 && kind < 5
	switch {
	case echo:
		d.take(2, "identifier")
		d.take(2, "sequence number")
		d.payload()
	case unreachable:
		d.take(4, "unused, MTU or pointer")
		if d.left() > 0 {
			d.take(d.left(), "packet in question")
		}
	default:
		d.take(d.left(), "message")
	}
}

func (d *dissection) sctp() {
	d.enter(KindTransport, "SCTP")
	d.take(2, "source port")
	d.take(2, "destination port")
	d.take(4, "verification tag")
	d.take(4, "checksum")
	for d.left() >= 4 {
		d.enter(KindTransport, "SCTP chunk")
		kind := d.u8("type")
		d.take(1, "flags")
		n := d.u16("length")
		if n < 4 {
			break
		}
		if kind == 0 && n >= 16 {
			d.take(4, "transmission sequence number")
			d.take(2, "stream")
			d.take(2, "stream sequence number")
			d.take(4, "payload protocol")
			d.enter(KindPayload, "payload")
			d.take(n-16, "data")
			d.enter(KindTransport, "SCTP chunk")
		} else {
			d.take(n-4, "parameters")
		}
		d.take(-n&3, "padding")
	}
	d.payload()
}

// application guesses the protocol from the first bytes and the ports.
func (d *dissection) application(sport, dport int) {
	b := d.data[d.at:d.end]
	switch {
	case len(b) >= 5 && b[0] >= 20 && b[0] <= 24 && b[1] == 3 && b[2] <= 4:
		d.tls()
	case d.brief:
		d.payload()
	case isHTTP(b):
		d.http()
	default:
		d.recognised(sport, dport)
	}
}

var methods = [][]byte{[]byte("GET "), []byte("POST "), []byte("HEAD "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "),
	[]byte("PATCH "), []byte("CONNECT "), []byte("TRACE "), []byte("M-SEARCH "), []byte("NOTIFY "), []byte("HTTP/1.")}

func isHTTP(b []byte) bool {
	for _, m := range methods {
		if bytes.HasPrefix(b, m) {
			return true
		}
	}
	return false
}

func (d *dissection) http() {
	d.enter(KindPayload, "HTTP")
	first := true
	for d.left() > 0 {
		line := bytes.IndexByte(d.data[d.at:d.end], '\n') + 1
		if line == 0 {
			line = d.left()
		}
		switch text := bytes.TrimRight(d.data[d.at:d.at+line], "\r\n"); {
		case len(text) == 0:
			d.take(line, "end of headers")
			d.take(d.left(), "body")
		case first:
			d.take(line, "first line")
		default:
			name := "header"
			if i := bytes.IndexByte(text, ':'); i > 0 && i < 40 {
				name = "header " + printable(text[:i])
			}
			d.take(line, name)
		}
		first = false
	}
}

// printable keeps the plain characters of what a packet says.
func printable(b []byte) string {
	s := make([]byte, 0, len(b))
	for _, x := range b {
		if x >= 32 && x < 127 {
			s = append(s, x)
		}
	}
	return string(s)
}

func (d *dissection) dns() {
	d.enter(KindPayload, "DNS")
	d.take(2, "identifier")
	d.take(2, "flags")
	questions := d.u16("questions")
	records := d.u16("answers")
	records += d.u16("authorities")
	records += d.u16("additionals")
	for i := 0; i < questions && d.left() > 0; i++ {
		d.dnsName()
		d.take(2, "type")
		d.take(2, "class")
	}
	for i := 0; i < records && d.left() > 0; i++ {
		d.dnsName()
		d.take(2, "type")
		d.take(2, "class")
		d.take(4, "time to live")
		n := d.u16("data length")
		d.take(n, "data")
	}
	d.payload()
}

func (d *dissection) dnsName() {
	n := 0
	for d.at+n < d.end {
		l := int(d.data[d.at+n])
		if l >= 0xc0 {
			n += 2
			break
		}
		n += 1 + l
		if l == 0 {
			break
		}
	}
	d.take(n, "name")
}

func (d *dissection) tls() {
	for d.left() >= 5 && d.peek(0) >= 20 && d.peek(0) <= 24 && d.peek(1) == 3 {
		d.enter(KindPayload, "TLS")
		kind := d.u8("content type")
		d.take(2, "version")
		n := d.u16("length")
		end := d.end
		d.end = min(end, d.at+n)
		switch {
		case kind == 22 && (d.peek(0) == 1 || d.peek(0) == 2) && d.peek(1) == 0:
			d.hello(d.peek(0) == 1)
		case kind == 22:
			d.take(d.left(), "handshake")
		case kind == 20:
			d.take(d.left(), "change cipher spec")
		case kind == 21:
			d.take(d.left(), "alert")
		default:
			d.take(d.left(), "encrypted data")
		}
		d.take(d.left(), "handshake")
		d.end = end
	}
	if d.left() > 0 {
		d.enter(KindPayload, "TLS")
		d.take(d.left(), "continued record")
	}
}

// hello names the fields of a client's or a server's first message.
func (d *dissection) hello(client bool) {
	d.take(1, "handshake type")
	n := d.u24("handshake length")
	outer := d.end
	d.end = min(outer, d.at+n)
	defer func() { d.end = outer }()
	d.take(2, "handshake version")
	d.take(32, "random")
	d.take(d.u8("session identifier length"), "session identifier")
	if client {
		d.take(d.u16("cipher suites length"), "cipher suites")
		d.take(d.u8("compression methods length"), "compression methods")
	} else {
		d.take(2, "cipher suite")
		d.take(1, "compression method")
	}
	d.take(2, "extensions length")
	for d.left() >= 4 {
		kind := d.u16("extension type")
		n := d.u16("extension length")
		if kind == 0 {
			d.take(min(n, 5), "server name header")
			d.take(n-5, "server name")
			continue
		}
		d.take(n, "extension")
	}
}
