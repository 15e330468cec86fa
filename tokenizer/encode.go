package tokenizer

import "trafficgpt/tokenizer/pcap"

// Length is the number of tokens of a flow.
func Length(f *pcap.Flow) int {
	n := 1
	for i := range f.Packets {
		n += Overhead + len(f.Packets[i].Data)
		if LinkToken(f.Packets[i].LinkType) == otherLink {
			n += 4
		}
	}
	return n
}

// Encode returns the tokens of a flow, as the package says. The intervals of
// TimeLog count from the packet before, so that no packet is shifted by the
// rounding of another.
func Encode(f *pcap.Flow, o ...Options) []uint16 {
	tokens := make([]uint16, 0, Length(f))
	var c clock
	for i := range f.Packets {
		p := &f.Packets[i]
		if i == 0 {
			c = clockOf(p.Time)
		}
		tokens, c = appendPacket(tokens, p, c, options(o).Time)
	}
	return append(tokens, End)
}

// appendPacket appends the tokens of a packet; c is the time before it.
func appendPacket(tokens []uint16, p *pcap.Packet, c clock, code TimeCode) ([]uint16, clock) {
	tokens = append(tokens, Start)
	tokens = appendLink(tokens, p.LinkType)
	now := clockOf(p.Time)
	v := c.to(now)
	tokens, _ = code.appendTime(tokens, v)
	for _, x := range p.Data {
		tokens = append(tokens, uint16(x))
	}
	if code == TimePaper {
		now = c.add(v) // as the reader has it
	}
	return tokens, now
}

func appendLink(tokens []uint16, link pcap.LinkType) []uint16 {
	t := LinkToken(link)
	tokens = append(tokens, t)
	if t == otherLink {
		for shift := 24; shift >= 0; shift -= 8 {
			tokens = append(tokens, uint16(link>>shift&255))
		}
	}
	return tokens
}
