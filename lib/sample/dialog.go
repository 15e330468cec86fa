package sample

import (
	"bytes"
	"encoding/binary"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// dialog is what the packets before say of a packet to come when a flow is to
// be one conversation: addresses and ports are those of the first packet or the
// same the other way round, TCP begins with its handshake, sequence and
// acknowledgement numbers go on from where each side is, and nothing follows a
// reset or the end of both sides. A nil dialog allows everything.
type dialog struct {
	packets  int
	link     uint16 // token of the first packet's link type
	network  int    // 4 or 6, of the first packet; 0 for ARP
	protocol int
	size     int         // bytes of an address
	pairs    [2][32]byte // addresses of a packet like the first, and of one the other way round: source, destination
	ports    [2][4]byte  // the same with ports
	side     [2]peer     // of the first packet's sender, of its receiver
	closed   bool

	scratch []byte // bytes of the packet that is read
}

// peer is one side of a TCP connection.
type peer struct {
	next uint32 // sequence number of its next byte
	syn  bool   // it has been heard of
	fin  bool
}

// TCP flags.
const (
	flagFin = 1
	flagSyn = 2
	flagRst = 4
	flagAck = 16
)

// headers are what a dialog reads of a packet.
type headers struct {
	version, protocol int
	src, dst          []byte
	transport         []byte // from the transport header to the end of the IP packet
}

// parse reads the headers of a complete or unfinished packet that the grammar
// wrote; ok is false before its transport begins. The headers are valid until the next call.
func (d *dialog) parse(packet []uint16) (h headers, ok bool) {
	if len(packet) < tokenizer.Overhead {
		return h, false
	}
	data := packet[tokenizer.Overhead:]
	if cap(d.scratch) < len(data) {
		d.scratch = make([]byte, max(2*len(data), 2048))
	}
	d.scratch = d.scratch[:len(data)]
	for i, t := range data {
		d.scratch[i] = byte(t)
	}
	link, _ := tokenizer.LinkOf(packet[1])
	p := pcap.Packet{LinkType: link, Data: d.scratch}
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
func (d *dialog) read(tokens []uint16, starts []int) {
	*d = dialog{scratch: d.scratch}
	for i := 0; i+1 < len(starts); i++ {
		d.add(tokens[starts[i]:starts[i+1]])
	}
}

// add takes one more complete packet.
func (d *dialog) add(packet []uint16) {
	if d.link == 0 && len(packet) > 1 {
		d.link = packet[1]
	}
	if h, ok := d.parse(packet); ok {
		d.take(h)
	}
}

func (d *dialog) take(h headers) {
	d.packets++
	if d.packets == 1 {
		d.network, d.protocol, d.size = h.version, h.protocol, len(h.src)
		copy(d.pairs[0][copy(d.pairs[0][:], h.src):], h.dst)
		copy(d.pairs[1][copy(d.pairs[1][:], h.dst):], h.src)
		if t := h.transport; len(t) >= 4 {
			copy(d.ports[0][:], t[:4])
			copy(d.ports[1][copy(d.ports[1][:], t[2:4]):], t[:2])
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

// isFrom says whether an address is that of side 0's or side 1's.
func (d *dialog) isFrom(side int, address []byte) bool {
	return bytes.Equal(address, d.pairs[side][:d.size])
}

// sideOf is 0 for a packet of the first packet's sender.
func (d *dialog) sideOf(h headers) int {
	if d.isFrom(0, h.src) && len(h.transport) >= 2 && [2]byte(h.transport) == [2]byte(d.ports[0][:]) {
		return 0
	}
	return 1
}

// sameLink keeps a flow on the link it began on.
func (d *dialog) sameLink(s *set) *set {
	if d == nil || d.link == 0 {
		return s
	}
	return &only[d.link]
}

// sameType keeps a flow to its network layer, in byte i of an EtherType.
func (d *dialog) sameType(i int, s *set) *set {
	if d == nil || d.link == 0 {
		return s
	}
	etherType := [2]int{0x08, 0x06}
	switch d.network {
	case 4:
		etherType = [2]int{0x08, 0x00}
	case 6:
		etherType = [2]int{0x86, 0xdd}
	}
	return &only[etherType[i]]
}

// sameVersion is sameType of links without an EtherType.
func (d *dialog) sameVersion(s *set) *set {
	switch {
	case d == nil:
	case d.network == 4:
		return &version4
	case d.network == 6:
		return &version6
	}
	return s
}

// least is the fewest bytes that IP carries in the flow.
func (d *dialog) least() int {
	if d != nil && d.protocol == 6 {
		return leastTCP
	}
	return leastTransport
}

// address allows byte i of an IP header at offset, when it is one of an address.
func (d *dialog) address(g *grammar, offset, i int) *set {
	if d == nil || d.packets == 0 || g.at(offset)>>4 != d.network {
		return &anyByte
	}
	first := 12
	if d.network == 6 {
		first = 8
	}
	if i < first || i >= first+2*d.size {
		return &anyByte
	}
	carried := g.word(offset+2) - g.at(offset)&15*4
	if d.network == 6 {
		carried = g.word(offset + 4)
	}
	i -= first
	g.own = nothing
	someone := -1 // whom the bytes so far fit
	spoken := false
	for side := range d.pairs {
		if !g.same(offset+first, d.pairs[side][:i]) {
			continue
		}
		if someone < 0 {
			someone = side
		}
		if d.maySpeak(side, carried) {
			g.own.add(int(d.pairs[side][i]))
			spoken = true
		}
	}
	if !spoken && someone >= 0 { // someone must be allowed to speak
		g.own.add(int(d.pairs[someone][i]))
	}
	return &g.own
}

// maySpeak reports whether a side may send a TCP segment of n bytes: nobody
// speaks twice before the first answer, nor sends data behind its end.
func (d *dialog) maySpeak(side, n int) bool {
	if d.protocol != 6 {
		return true
	}
	if !d.side[1-side].syn {
		return false
	}
	return !d.side[side].fin || n%4 == 0 && n <= 60
}

// same reports whether the bytes at offset are those given.
func (g *grammar) same(offset int, b []byte) bool {
	for j, x := range b {
		if g.data[offset+j] != uint16(x) {
			return false
		}
	}
	return true
}

// sameProtocol narrows the IP protocol to that of the first packet, where it is
// among those allowed.
func (d *dialog) sameProtocol(s *set) *set {
	if d == nil || d.packets == 0 || !s.has(d.protocol&255) {
		return s
	}
	return &only[d.protocol]
}

// speaker is what a dialog has read of the headers of the packet that is being written.
type speaker struct {
	known             knowledge
	legible           bool
	version, protocol int
	from              [2]bool // the source address is that of the first packet's sender, receiver
	side              int     // whose packet it is
}

// knowledge says how much of a speaker there is.
type knowledge int

const (
	knowsNothing   knowledge = iota
	knowsAddresses           // all but the side
	knowsAll
)

// whose returns the speaker of a packet whose transport header has i bytes. Its headers
// are read twice: behind the IP header, and behind the ports.
func (d *dialog) whose(g *grammar, i int) *speaker {
	s := &g.speaker
	need := knowsAddresses
	if i >= 4 {
		need = knowsAll
	}
	if s.known >= need {
		return s
	}
	h, ok := d.parse(g.packet)
	s.known, s.legible = need, ok
	if ok {
		s.version, s.protocol, s.side = h.version, h.protocol, d.sideOf(h)
		s.from = [2]bool{d.isFrom(0, h.src), d.isFrom(1, h.src)}
	}
	return s
}

// dataOffset leaves no data to a side that has ended, in an IP packet that carries n bytes.
func (d *dialog) dataOffset(g *grammar, n int, s *set) *set {
	if d == nil || d.packets == 0 {
		return s
	}
	if who := d.whose(g, 12); who.legible && d.side[who.side].fin && n%4 == 0 && n <= 60 {
		return &only[n/4<<4]
	}
	return s
}

// header allows byte i of a UDP or TCP header at offset.
func (d *dialog) header(g *grammar, offset, i int) *set {
	if d == nil {
		return &anyByte
	}
	who := d.whose(g, i)
	switch {
	case !who.legible:
	case d.packets == 0:
		if who.protocol == 6 && i == 13 {
			return &only[flagSyn]
		} else if who.protocol == 6 && i >= 8 && i < 12 {
			return &only[0]
		}
	case who.version != d.network || who.protocol != d.protocol:
	case i < 4:
		return d.port(g, offset, i, who)
	case who.protocol == 6:
		return d.tcpByte(i, &d.side[who.side], &d.side[1-who.side])
	}
	return &anyByte
}

// port allows the ports that belong to the source address.
func (d *dialog) port(g *grammar, offset, i int, who *speaker) *set {
	g.own = nothing
	for side, ports := range d.ports {
		if who.from[side] && g.same(offset, ports[:i]) {
			g.own.add(int(ports[i]))
		}
	}
	return &g.own
}

// tcpByte allows byte 4 to 19 of a TCP header sent by p to q.
func (d *dialog) tcpByte(i int, p, q *peer) *set {
	switch {
	case i < 8 && p.syn:
		return &only[byte(p.next>>(8*(7-i)))]
	case i >= 8 && i < 12:
		return &only[byte(q.next>>(8*(11-i)))]
	case i == 13 && !p.syn:
		return &tcpAnswers
	case i == 13:
		return &tcpGoesOn
	}
	return &anyByte
}

// over reports whether the packet just written ends the flow: it is a reset, or the end
// of both sides.
func (d *dialog) over(g *grammar) bool {
	if d == nil {
		return false
	}
	h, ok := d.parse(g.packet)
	if !ok {
		return false
	}
	after := *d
	after.take(h)
	return after.closed
}
