package sample

import (
	"math"
	"math/rand/v2"

	"trafficgpt/tokenizer"
)

// The slow truth: grammar, dialog and choice as plain as they can be said. They read the
// packet again for every token, make a mask for it and sort all tokens. TestGrammar and
// TestChooseAsNaive hold the fast forms to them.

// naiveGrammar looks at one packet's tokens so far and says what may follow.
type naiveGrammar struct {
	allowed []bool // by token
	packet  []uint16
	data    []uint16     // the packet's bytes
	room    int          // bytes that the packet may have in all
	tcp     *naiveDialog // what the flow's packets so far ask for, or nil
}

// naiveRange lists the bytes lo to hi.
type naiveRange struct{ lo, hi int }

// at returns byte i, which must be there.
func (g *naiveGrammar) at(i int) int { return int(g.data[i]) }

func (g *naiveGrammar) word(i int) int { return g.at(i)<<8 | g.at(i+1) }

// bytes allows exactly the given ranges.
func (g *naiveGrammar) bytes(ranges ...naiveRange) {
	clear(g.allowed)
	for _, r := range ranges {
		for b := max(r.lo, 0); b <= min(r.hi, 255); b++ {
			g.allowed[b] = true
		}
	}
}

func (g *naiveGrammar) one(b int) { g.bytes(naiveRange{b, b}) }
func (g *naiveGrammar) any()      { g.bytes(naiveRange{0, 255}) }

// number allows byte i of a two-byte number at `at` within lo to hi.
func (g *naiveGrammar) number(at, i, lo, hi int) {
	if i == at {
		g.bytes(naiveRange{lo >> 8, hi >> 8})
		return
	}
	high := g.at(at) << 8
	g.bytes(naiveRange{max(lo-high, 0), min(hi-high, 255)})
}

// next fills g.allowed for the token after packet, whose first token is the
// start token. room is how many more tokens the flow may have, first says that
// the packet is the flow's first.
func (g *naiveGrammar) next(packet []uint16, room int, first bool) []bool {
	if g.allowed == nil {
		g.allowed = make([]bool, tokenizer.Vocabulary)
	}
	g.packet = packet
	switch at := len(packet); {
	case at == 1:
		g.bytes()
		for _, token := range []int{linkEthernet, linkRaw, linkCooked, linkCooked2} {
			g.allowed[token] = true
		}
		g.tcp.sameLink(g)
	case at < tokenizer.Overhead:
		g.interval(packet[2:at], first)
	default:
		g.data = packet[tokenizer.Overhead:]
		g.room = len(g.data) + room
		g.link(int(packet[1]))
	}
	return g.allowed
}

// interval allows 0 and what lies between a nanosecond and a day, as the bytes
// of a big-endian float64.
func (g *naiveGrammar) interval(seen []uint16, first bool) {
	switch {
	case first || len(seen) > 0 && seen[0] == 0:
		g.one(0)
	case len(seen) == 0:
		g.bytes(naiveRange{0, 0}, naiveRange{0x3e, 0x40})
	case len(seen) == 1 && seen[0] == 0x3e: // 2^-30 is 0x3e10…
		g.bytes(naiveRange{0x11, 255})
	case len(seen) == 1 && seen[0] == 0x40: // 65,536 is 0x40f0…
		g.bytes(naiveRange{0, 0xef})
	default:
		g.any()
	}
}

// link finds where the network layer begins and which it is.
func (g *naiveGrammar) link(link int) {
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
	if typeAt >= 0 && (i == typeAt || i == typeAt+1) {
		g.etherType(i-typeAt, typeAt)
		g.tcp.sameType(g, i-typeAt)
		return
	}
	if i < offset {
		g.any()
		return
	}
	version := 0
	if typeAt >= 0 {
		switch g.word(typeAt) {
		case 0x0800:
			version = 4
		case 0x86dd:
			version = 6
		default:
			g.arp(offset, link == linkEthernet)
			return
		}
	}
	g.network(offset, version, link == linkEthernet)
}

func (g *naiveGrammar) etherType(i, at int) {
	if i == 0 {
		g.bytes(naiveRange{0x08, 0x08}, naiveRange{0x86, 0x86})
	} else if g.at(at) == 0x86 {
		g.one(0xdd)
	} else {
		g.bytes(naiveRange{0, 0}, naiveRange{6, 6})
	}
}

// arp is Ethernet's, for IPv4: 28 bytes.
func (g *naiveGrammar) arp(offset int, padded bool) {
	fixed := [...]int{0, 1, 8, 0, 6, 4, 0}
	switch i := len(g.data) - offset; {
	case i < len(fixed):
		g.one(fixed[i])
	case i == 7:
		g.bytes(naiveRange{1, 2})
	case i < 28:
		g.any()
	default:
		g.end(padded)
	}
}

// network goes on within or behind an IP header. A version of 0 means that its
// first byte decides.
func (g *naiveGrammar) network(offset, version int, padded bool) {
	i := len(g.data) - offset
	if i == 0 {
		switch version {
		case 4:
			g.bytes(naiveRange{0x45, 0x4f})
		case 6:
			g.bytes(naiveRange{0x60, 0x6f})
		default:
			g.bytes(naiveRange{0x45, 0x4f}, naiveRange{0x60, 0x6f})
			g.tcp.sameVersion(g)
		}
		return
	}
	if g.at(offset)>>4 == 4 {
		g.ipv4(offset, i, padded)
	} else {
		g.ipv6(offset, i, padded)
	}
}

func (g *naiveGrammar) ipv4(offset, i int, padded bool) {
	header := g.at(offset) & 15 * 4
	switch {
	case i == 2 || i == 3:
		least := header + g.tcp.least()
		g.number(offset+2, offset+i, least, max(least, min(65535, g.room-offset)))
	case i == 6:
		g.bytes(naiveRange{0, 0}, naiveRange{0x40, 0x40})
	case i == 7:
		g.one(0)
	case i == 9:
		g.protocol(g.word(offset+2)-header, 1)
	case i < header:
		g.tcp.address(g, offset, i)
	default:
		g.transport(offset+header, g.at(offset+9), g.word(offset+2)-header, padded)
	}
}

func (g *naiveGrammar) ipv6(offset, i int, padded bool) {
	switch {
	case i == 4 || i == 5:
		least := g.tcp.least()
		g.number(offset+4, offset+i, least, max(least, min(65535, g.room-offset-40)))
	case i == 6:
		g.protocol(g.word(offset+4), 58)
	case i < 40:
		g.tcp.address(g, offset, i)
	default:
		g.transport(offset+40, g.at(offset+6), g.word(offset+4), padded)
	}
}

// protocol allows ICMP, UDP, and TCP where there is room for its header.
func (g *naiveGrammar) protocol(size, icmp int) {
	g.bytes(naiveRange{17, 17}, naiveRange{icmp, icmp})
	g.allowed[6] = size >= leastTCP
	g.tcp.sameProtocol(g)
}

// transport goes on within the n bytes that IP carries from offset on.
func (g *naiveGrammar) transport(offset, protocol, n int, padded bool) {
	i := len(g.data) - offset
	switch {
	case i >= n:
		g.end(padded)
	case protocol == 6 && i == 12:
		g.bytes()
		for words := 5; words <= min(15, n/4); words++ {
			g.allowed[words<<4] = true
		}
		g.tcp.dataOffset(g, offset, n)
	case protocol == 6 && i < 20:
		g.tcp.header(g, offset, i)
	case protocol == 17 && (i == 4 || i == 5):
		g.number(offset+4, offset+i, n, n)
	case protocol == 17 && i < 4:
		g.tcp.header(g, offset, i)
	default:
		g.any()
	}
}

// end allows what may follow a complete packet: padding, another packet, the end
// of the flow.
func (g *naiveGrammar) end(padded bool) {
	g.bytes()
	if padded && len(g.data) < shortestFrame && g.room > shortestFrame {
		g.allowed[0] = true
	}
	g.allowed[tokenizer.End] = true
	g.allowed[tokenizer.Start] = g.room-len(g.data) > tokenizer.Overhead+leastPacket+2
	g.tcp.end(g)
}

// naiveChooser draws tokens from logits.
type naiveChooser struct {
	o     Options
	ids   []uint16
	probs []float64
}

// choose draws one token of a row of logits. Where allowed is not nil, only
// tokens it holds are drawn.
func (c *naiveChooser) choose(logits []float32, allowed []bool, rng *rand.Rand) uint16 {
	c.best(logits, allowed)
	if len(c.ids) == 0 {
		return tokenizer.End // a beginning that the grammar cannot bring to an end
	}
	if c.o.Greedy {
		return c.ids[0]
	}
	c.probs = c.probs[:0]
	sum := 0.0
	for _, id := range c.ids {
		p := math.Exp(float64(logits[id]-logits[c.ids[0]]) / c.o.Temperature)
		c.probs = append(c.probs, p)
		sum += p
	}
	sum = c.cut(sum)
	x := rng.Float64() * sum
	for i, p := range c.probs {
		if x -= p; x < 0 {
			return c.ids[i]
		}
	}
	return c.ids[len(c.probs)-1]
}

// best fills c.ids with the tokens to choose from, the likeliest first; equal
// ones come in the order of their numbers, so that seeds repeat.
func (c *naiveChooser) best(logits []float32, allowed []bool) {
	most := c.o.TopK
	if c.o.Greedy {
		most = 1
	} else if most < 0 {
		most = len(logits)
	}
	c.ids = c.ids[:0]
	for i, x := range logits {
		if allowed != nil && !allowed[i] || x != x {
			continue
		}
		at := len(c.ids)
		if at == most {
			if x <= logits[c.ids[at-1]] {
				continue
			}
			at--
		} else {
			c.ids = append(c.ids, 0)
		}
		for at > 0 && logits[c.ids[at-1]] < x {
			c.ids[at] = c.ids[at-1]
			at--
		}
		c.ids[at] = uint16(i)
	}
}

// cut drops the unlikely tail by MinP and TopP and returns the new sum.
func (c *naiveChooser) cut(sum float64) float64 {
	if c.o.MinP == 0 && c.o.TopP == 0 {
		return sum
	}
	kept := 0.0
	for i, p := range c.probs {
		if i > 0 && (p < c.o.MinP*c.probs[0] || c.o.TopP > 0 && kept >= c.o.TopP*sum) {
			c.probs = c.probs[:i]
			break
		}
		kept += p
	}
	return kept
}
