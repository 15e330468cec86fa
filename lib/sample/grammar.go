package sample

import "trafficgpt/tokenizer"

// The constrained mode lets the model choose only tokens after which the packet
// can still become a legal one: link types that are known here, intervals that
// are times, EtherTypes, IP versions, header lengths and total lengths that fit
// each other, and as many bytes as the lengths said. What the model is free to
// say it says itself. It writes Ethernet, Linux cooked and raw links, IPv4
// without fragments, IPv6 without extension headers, ARP, TCP, UDP and ICMP.

// grammar follows one packet's tokens and says what may come next. It is asked behind
// every token, so what it says are sets made before (set.go) wherever there are few
// of them, what it reads of the packet's headers is read once, and where any byte may come
// for a while it does not look again.
type grammar struct {
	free    int // as long as the packet has fewer tokens, any byte may come
	speaker speaker

	own    set // for sets that depend on numbers of the packet
	packet []uint16
	data   []uint16 // the packet's bytes
	room   int      // bytes that the packet may have in all
	tcp    *dialog  // what the flow's packets so far ask for, or nil
}

// forget is due where another packet begins, or a lane goes back within this one.
func (g *grammar) forget() { g.free, g.speaker.known = 0, knowsNothing }

// at returns byte i, which must be there.
func (g *grammar) at(i int) int { return int(g.data[i]) }

func (g *grammar) word(i int) int { return g.at(i)<<8 | g.at(i+1) }

// until allows any byte up to byte n of the packet, which is not among them.
func (g *grammar) until(n int) *set {
	g.free = tokenizer.Overhead + n
	return &anyByte
}

// number allows byte i of a two-byte number at `at` within lo to hi.
func (g *grammar) number(at, i, lo, hi int) *set {
	if i == at {
		return g.span(lo>>8, hi>>8)
	}
	high := g.at(at) << 8
	return g.span(lo-high, hi-high)
}

// span allows the bytes lo to hi.
func (g *grammar) span(lo, hi int) *set {
	if lo == hi && lo >= 0 && lo <= 255 {
		return &only[lo]
	}
	g.own = nothing
	g.own.span(lo, hi)
	return &g.own
}

// Shortest packets that the grammar can end, in bytes.
const (
	leastTransport = 8
	leastTCP       = 20
	leastPacket    = 20 + 40 + leastTCP // SLL2 and IPv6
)

// next says what may follow packet, whose first token is the start token. room is how
// many more tokens the flow may have, first says that the packet is the flow's first.
// The set is valid until the next call.
func (g *grammar) next(packet []uint16, room int, first bool) *set {
	at := len(packet)
	if at < g.free {
		return &anyByte
	}
	g.packet = packet
	if at == 1 {
		return g.tcp.sameLink(&links)
	}
	if at < tokenizer.Overhead {
		return g.interval(packet[2:at], first)
	}
	g.data = packet[tokenizer.Overhead:]
	g.room = len(g.data) + room
	return g.link(int(packet[1]))
}

// Link-type tokens of the links that are written.
const (
	linkEthernet = 3
	linkCooked   = 9
	linkCooked2  = 20
	linkRaw      = 21
)

// interval allows 0 and what lies between a nanosecond and a day, as the bytes
// of a big-endian float64.
func (g *grammar) interval(seen []uint16, first bool) *set {
	switch {
	case first || len(seen) > 0 && seen[0] == 0:
		return &only[0]
	case len(seen) == 0:
		return &intervals
	case len(seen) == 1 && seen[0] == 0x3e: // 2^-30 is 0x3e10…
		return &shortest
	case len(seen) == 1 && seen[0] == 0x40: // 65,536 is 0x40f0…
		return &longest
	}
	return g.until(0)
}

// link finds where the network layer begins and which it is.
func (g *grammar) link(link int) *set {
	i := len(g.data)
	offset, typeAt := 0, -1
	switch link {
	case linkEthernet:
		offset, typeAt = 14, 12
	case linkCooked:
		offset, typeAt = 16, 14
	case linkCooked2:
		offset, typeAt = 20, 0
	}
	switch {
	case typeAt >= 0 && (i == typeAt || i == typeAt+1):
		return g.tcp.sameType(i-typeAt, g.etherType(i-typeAt, typeAt))
	case i < typeAt:
		return g.until(typeAt)
	case i < offset:
		return g.until(offset)
	}
	version := 0
	if typeAt >= 0 {
		switch g.word(typeAt) {
		case 0x0800:
			version = 4
		case 0x86dd:
			version = 6
		default:
			return g.arp(offset, link == linkEthernet)
		}
	}
	return g.network(offset, version, link == linkEthernet)
}

func (g *grammar) etherType(i, at int) *set {
	switch {
	case i == 0:
		return &etherTypeFirst
	case g.at(at) == 0x86:
		return &only[0xdd]
	}
	return &etherTypeLast
}

// arp is Ethernet's, for IPv4: 28 bytes.
func (g *grammar) arp(offset int, padded bool) *set {
	fixed := [...]int{0, 1, 8, 0, 6, 4, 0}
	switch i := len(g.data) - offset; {
	case i < len(fixed):
		return &only[fixed[i]]
	case i == 7:
		return &arpOps
	case i < 28:
		return g.until(offset + 28)
	}
	return g.end(padded)
}

// network goes on within or behind an IP header. A version of 0 means that its
// first byte decides.
func (g *grammar) network(offset, version int, padded bool) *set {
	i := len(g.data) - offset
	switch {
	case i > 0 && g.at(offset)>>4 == 4:
		return g.ipv4(offset, i, padded)
	case i > 0:
		return g.ipv6(offset, i, padded)
	case version == 4:
		return &version4
	case version == 6:
		return &version6
	}
	return g.tcp.sameVersion(&versions)
}

func (g *grammar) ipv4(offset, i int, padded bool) *set {
	header := g.at(offset) & 15 * 4
	switch {
	case i == 2 || i == 3:
		least := header + g.tcp.least()
		return g.number(offset+2, offset+i, least, max(least, min(65535, g.room-offset)))
	case i == 6:
		return &fragment
	case i == 7:
		return &only[0]
	case i == 9:
		return g.protocol(g.word(offset+2)-header, 0)
	case i < header:
		return g.tcp.address(g, offset, i)
	case i < 9: // a prompt's header that is too short to be one
		return &anyByte
	}
	return g.transport(offset+header, g.at(offset+9), g.word(offset+2)-header, padded)
}

func (g *grammar) ipv6(offset, i int, padded bool) *set {
	switch {
	case i == 4 || i == 5:
		least := g.tcp.least()
		return g.number(offset+4, offset+i, least, max(least, min(65535, g.room-offset-40)))
	case i == 6:
		return g.protocol(g.word(offset+4), 1)
	case i < 40:
		return g.tcp.address(g, offset, i)
	}
	return g.transport(offset+40, g.at(offset+6), g.word(offset+4), padded)
}

// protocol allows ICMP, UDP, and TCP where there is room for its header; v6 is 1 in IPv6.
func (g *grammar) protocol(size, v6 int) *set {
	tcp := 0
	if size >= leastTCP {
		tcp = 1
	}
	return g.tcp.sameProtocol(&protocols[v6][tcp])
}

// transport goes on within the n bytes that IP carries from offset on.
func (g *grammar) transport(offset, protocol, n int, padded bool) *set {
	i := len(g.data) - offset
	switch {
	case i >= n:
		return g.end(padded)
	case protocol == 6 && i == 12:
		return g.tcp.dataOffset(g, n, &tcpHeaders[min(15, n/4)])
	case protocol == 6 && i < 20:
		return g.tcp.header(g, offset, i)
	case protocol == 17 && (i == 4 || i == 5):
		return g.number(offset+4, offset+i, n, n)
	case protocol == 17 && i < 4:
		return g.tcp.header(g, offset, i)
	}
	return g.until(offset + n)
}

// shortestFrame is what Ethernet pads packets to.
const shortestFrame = 60

// end allows what may follow a complete packet: padding, another packet, the end
// of the flow.
func (g *grammar) end(padded bool) *set {
	g.own = nothing
	if padded && len(g.data) < shortestFrame && g.room > shortestFrame {
		g.own.add(0)
	}
	g.own.add(tokenizer.End)
	if g.room-len(g.data) > tokenizer.Overhead+leastPacket+2 && !g.tcp.over(g) {
		g.own.add(tokenizer.Start)
	}
	return &g.own
}
