package sample

import (
	"encoding/binary"
	"slices"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// naiveDialog is what the packets before say of a packet to come when a flow is to
// be one conversation: addresses and ports are those of the first packet or the
// same the other way round, TCP begins with its handshake, sequence and
// acknowledgement numbers go on from where each side is, and nothing follows a
// reset or the end of both sides. A nil dialog allows everything.
type naiveDialog struct {
	packets  int
	link     uint16 // token of the first packet's link type
	network  int    // 4 or 6, of the first packet; 0 for ARP
	protocol int
	from, to []byte // addresses of the first packet
	fromPort [2]byte
	toPort   [2]byte
	side     [2]naivePeer // of the first packet's sender, of its receiver
	closed   bool
}

// naivePeer is one side of a TCP connection.
type naivePeer struct {
	next uint32 // sequence number of its next byte
	syn  bool   // it has been heard of
	fin  bool
}

// naiveHeaders are what a dialog reads of a packet.
type naiveHeaders struct {
	version, protocol int
	src, dst          []byte
	transport         []byte // from the transport header to the end of the IP packet
}

// naiveParse reads the headers of a complete or unfinished packet that the grammar
// wrote; ok is false before its transport begins.
func naiveParse(packet []uint16) (h naiveHeaders, ok bool) {
	if len(packet) < tokenizer.Overhead {
		return h, false
	}
	link, _ := tokenizer.LinkOf(packet[1])
	p := pcap.Packet{LinkType: link, Data: make([]byte, len(packet)-tokenizer.Overhead)}
	for i := range p.Data {
		p.Data[i] = byte(packet[tokenizer.Overhead+i])
	}
	at := p.Headers()
	if at.Version == 0 {
		return h, false
	}
	h.version, h.protocol = at.Version, int(at.Protocol)
	ip := p.Data[at.Network:]
	if h.src, h.dst = ip[12:16], ip[16:20]; at.Version == 6 {
		h.src, h.dst = ip[8:24], ip[24:40]
	}
	if at.Transport < 0 { // its header is being written
		at.Transport = at.Payload
	}
	h.transport = p.Data[at.Transport:at.End]
	return h, true
}

// read takes the packets of tokens, but for the last one, which is being
// written.
func (d *naiveDialog) read(tokens []uint16, starts []int) {
	*d = naiveDialog{}
	for i := 0; i+1 < len(starts); i++ {
		d.add(tokens[starts[i]:starts[i+1]])
	}
}

// add takes one more complete packet.
func (d *naiveDialog) add(packet []uint16) {
	if d.link == 0 {
		d.link = packet[1]
	}
	if h, ok := naiveParse(packet); ok {
		d.take(h)
	}
}

func (d *naiveDialog) take(h naiveHeaders) {
	d.packets++
	if d.packets == 1 {
		d.network, d.protocol, d.from, d.to = h.version, h.protocol, h.src, h.dst
		if len(h.transport) >= 4 {
			copy(d.fromPort[:], h.transport[:2])
			copy(d.toPort[:], h.transport[2:4])
		}
	}
	if h.protocol != 6 || len(h.transport) < 20 {
		return
	}
	side := d.sideOf(h)
	p, t := &d.side[side], h.transport
	seq, flags, header := binary.BigEndian.Uint32(t[4:]), int(t[13]), int(t[12]>>4)*4
	p.syn = true
	p.next = seq + uint32(max(0, len(t)-header))
	if flags&flagSyn != 0 {
		p.next++
	}
	if flags&flagFin != 0 {
		p.next++
		p.fin = true
	}
	if q := &d.side[1-side]; flags&flagAck != 0 && !q.syn {
		q.next = binary.BigEndian.Uint32(t[8:]) // a flow that was joined in the middle
	}
	if flags&flagRst != 0 || d.side[0].fin && d.side[1].fin && len(t) == header && flags&(flagFin|flagSyn) == 0 {
		d.closed = true
	}
}

// sideOf is 0 for a packet of the first packet's sender.
func (d *naiveDialog) sideOf(h naiveHeaders) int {
	if string(h.src) == string(d.from) && len(h.transport) >= 2 && [2]byte(h.transport[:2]) == d.fromPort {
		return 0
	}
	return 1
}

// sameLink keeps a flow on the link it began on.
func (d *naiveDialog) sameLink(g *naiveGrammar) {
	if d != nil && d.link != 0 {
		g.one(int(d.link))
	}
}

// sameType keeps a flow to its network layer, in byte i of an EtherType.
func (d *naiveDialog) sameType(g *naiveGrammar, i int) {
	if d == nil || d.link == 0 {
		return
	}
	types := map[int][2]int{0: {0x08, 0x06}, 4: {0x08, 0x00}, 6: {0x86, 0xdd}}
	g.one(types[d.network][i])
}

// sameVersion is sameType of links without an EtherType.
func (d *naiveDialog) sameVersion(g *naiveGrammar) {
	switch {
	case d == nil:
	case d.network == 4:
		g.bytes(naiveRange{0x45, 0x4f})
	case d.network == 6:
		g.bytes(naiveRange{0x60, 0x6f})
	}
}

// least is the fewest bytes that IP carries in the flow.
func (d *naiveDialog) least() int {
	if d != nil && d.protocol == 6 {
		return leastTCP
	}
	return leastTransport
}

// address allows byte i of an IP header at offset, when it is one of an address.
func (d *naiveDialog) address(g *naiveGrammar, offset, i int) {
	g.any()
	if d == nil || d.packets == 0 || g.at(offset)>>4 != d.network {
		return
	}
	first, size := 12, 4
	if d.network == 6 {
		first, size = 8, 16
	}
	if i < first || i >= first+2*size {
		return
	}
	carried := g.word(offset+2) - g.at(offset)&15*4
	if d.network == 6 {
		carried = g.word(offset + 4)
	}
	g.bytes()
	for _, strict := range []bool{true, false} { // someone must be allowed to speak
		for side, pair := range [2][2][]byte{{d.from, d.to}, {d.to, d.from}} {
			both := append(append([]byte(nil), pair[0]...), pair[1]...)
			if d.same(g, offset+first, both[:i-first]) && (!strict || d.maySpeak(side, carried)) {
				g.allowed[both[i-first]] = true
				strict = true
			}
		}
		if slices.Contains(g.allowed, true) {
			return
		}
	}
}

// maySpeak reports whether a side may send a TCP segment of n bytes: nobody
// speaks twice before the first answer, nor sends data behind its end.
func (d *naiveDialog) maySpeak(side, n int) bool {
	if d.protocol != 6 {
		return true
	}
	if !d.side[1-side].syn {
		return false
	}
	return !d.side[side].fin || n%4 == 0 && n <= 60
}

// dataOffset leaves no data to a side that has ended.
func (d *naiveDialog) dataOffset(g *naiveGrammar, offset, n int) {
	if d == nil || d.packets == 0 {
		return
	}
	if h, ok := naiveParse(g.packet); ok && d.side[d.sideOf(h)].fin && n%4 == 0 && n <= 60 {
		g.one(n / 4 << 4)
	}
}

// same reports whether the bytes at offset are those given.
func (d *naiveDialog) same(g *naiveGrammar, offset int, b []byte) bool {
	for j, x := range b {
		if g.data[offset+j] != uint16(x) {
			return false
		}
	}
	return true
}

// sameProtocol narrows the IP protocol to that of the first packet, where it is
// among those allowed.
func (d *naiveDialog) sameProtocol(g *naiveGrammar) {
	if d == nil || d.packets == 0 || !g.allowed[d.protocol&255] {
		return
	}
	g.one(d.protocol)
}

// header allows byte i of a UDP or TCP header at offset.
func (d *naiveDialog) header(g *naiveGrammar, offset, i int) {
	g.any()
	if d == nil {
		return
	}
	h, ok := naiveParse(g.packet)
	if !ok {
		return
	}
	if d.packets == 0 {
		if h.protocol == 6 && i == 13 {
			g.one(flagSyn)
		} else if h.protocol == 6 && i >= 8 && i < 12 {
			g.one(0)
		}
		return
	}
	if h.version != d.network || h.protocol != d.protocol {
		return
	}
	if i < 4 {
		d.port(g, offset, i, h.src)
		return
	}
	if side := d.sideOf(h); h.protocol == 6 {
		d.tcpByte(g, i, &d.side[side], &d.side[1-side])
	}
}

// port allows the ports that belong to the source address.
func (d *naiveDialog) port(g *naiveGrammar, offset, i int, src []byte) {
	g.bytes()
	forward := append(append([]byte(nil), d.fromPort[:]...), d.toPort[:]...)
	backward := append(append([]byte(nil), d.toPort[:]...), d.fromPort[:]...)
	if string(src) == string(d.from) && d.same(g, offset, forward[:i]) {
		g.allowed[forward[i]] = true
	}
	if string(src) == string(d.to) && d.same(g, offset, backward[:i]) {
		g.allowed[backward[i]] = true
	}
}

// tcpByte allows byte 4 to 19 of a TCP header sent by p to q.
func (d *naiveDialog) tcpByte(g *naiveGrammar, i int, p, q *naivePeer) {
	var number [4]byte
	switch {
	case i < 8 && p.syn:
		binary.BigEndian.PutUint32(number[:], p.next)
		g.one(int(number[i-4]))
	case i >= 8 && i < 12:
		binary.BigEndian.PutUint32(number[:], q.next)
		g.one(int(number[i-8]))
	case i == 13:
		g.bytes()
		for flags := range 64 {
			g.allowed[flags] = flags&flagSyn == 0 && flags&flagAck != 0 || flags == flagRst
		}
		if !p.syn { // the answer to the first packet
			g.bytes()
			g.allowed[flagSyn|flagAck] = true
			g.allowed[flagRst|flagAck] = true
		}
	}
}

// end ends the flow behind a reset or the end of both sides.
func (d *naiveDialog) end(g *naiveGrammar) {
	if d != nil && d.over(g) {
		g.allowed[tokenizer.Start] = false
	}
}

// over looks at the dialog with the packet just written.
func (d *naiveDialog) over(g *naiveGrammar) bool {
	h, ok := naiveParse(g.packet)
	if !ok {
		return false
	}
	after := *d
	after.take(h)
	return after.closed
}
