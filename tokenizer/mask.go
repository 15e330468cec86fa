package tokenizer

import (
	"iter"

	"trafficgpt/tokenizer/pcap"
)

// Mask says which fields are taken from a model so that it cannot learn by
// heart who talks to whom.
type Mask int

// The masks of the project; each hides what the one before it hides, and more.
const (
	M0 Mask = iota // nothing
	M1             // MAC and IP addresses, ports, checksums, packets that ICMP quotes, IP packets that cannot be read
	M2             // also IP identification, sequence and acknowledgment numbers, window, TCP options
	M3             // also the server name of TLS
)

func (m Mask) String() string {
	return [...]string{"M0", "M1", "M2", "M3"}[max(0, min(int(m), 3))]
}

// hiddenFrom is the least mask that hides a field, by its name in any layer of
// its kind.
func hiddenFrom(kind Kind, layer, name string) Mask {
	switch kind {
	case KindEthernet:
		switch name {
		case "destination", "source", "address", unreadHeader, "padding or checksum":
			return M1
		}
	case KindIP:
		switch name {
		case "source address", "destination address", "checksum", "sender hardware address", "sender protocol address",
			"target hardware address", "target protocol address":
			return M1
		case "identification", "flow label":
			return M2
		}
	case KindTCP:
		switch name {
		case "source port", "destination port", "checksum":
			return M1
		case "sequence number", "acknowledgment number", "window", "options":
			return M2
		}
	case KindUDP:
		switch name {
		case "source port", "destination port", "checksum":
			return M1
		}
	case KindTransport:
		switch name {
		case "source port", "destination port", "checksum", "packet in question":
			return M1
		case "verification tag", "transmission sequence number":
			return M2
		}
	case KindPayload:
		if name == unreadPacket {
			return M1
		}
		if layer == "TLS" && (name == "server name" || name == "server name header") {
			return M3
		}
	}
	return M3 + 1
}

// HiddenField is a field of a packet that a mask hides: Length bytes from Offset on.
type HiddenField struct {
	Field
	Length int
}

// HiddenIn goes through what mask m hides of the packets of a flow, for those
// who want to put something else in its place. A byte may come twice.
func HiddenIn(packets []pcap.Packet, m Mask) iter.Seq[HiddenField] {
	return func(yield func(HiddenField) bool) {
		if m <= M0 {
			return
		}
		var spans []span
		for i := range packets {
			p := &packets[i]
			spans = dissect(p.LinkType, p.Data, spans, true)
			for _, s := range spans {
				if s = m.cover(s); s.from < s.to && !yield(s.hidden(i)) {
					return
				}
			}
		}
		if m < M3 {
			return
		}
		for _, n := range serverNames(packets) {
			s := span{n.from, n.to, KindPayload, "TLS", "server name"}
			if !yield(s.hidden(n.packet)) {
				return
			}
		}
	}
}

func (s *span) hidden(packet int) HiddenField {
	return HiddenField{Field{packet, s.kind, s.layer, s.name, s.from}, s.to - s.from}
}

// cover is the part of a span that m hides.
func (m Mask) cover(s span) span {
	switch {
	case hiddenFrom(s.kind, s.layer, s.name) <= m:
	case m >= M2 && s.kind == KindIP && s.layer == "IPv6" && s.name == "version and class":
		// The second byte has the first four bits of the flow label.
		s.from, s.name = s.from+1, "flow label"
	default:
		s.to = s.from
	}
	return s
}

// Hidden tells for each token whether mask m hides it.
func Hidden(tokens []uint16, m Mask, o ...Options) []bool {
	hidden := make([]bool, len(tokens))
	if m <= M0 {
		return hidden
	}
	var packets []pcap.Packet
	var data []int // where the bytes of each packet begin
	for at := 0; at < len(tokens); at++ {
		if tokens[at] == Start {
			var e explanation
			e.packet(tokens, at, options(o).Time)
			packets = append(packets, pcap.Packet{LinkType: e.linkType, Data: e.bytes})
			data = append(data, e.data)
			at = e.end - 1
		}
	}
	for f := range HiddenIn(packets, m) {
		for i := range f.Length {
			hidden[data[f.Packet]+f.Offset+i] = true
		}
	}
	return hidden
}

// Masked returns the tokens with what m hides set to 0. It remains a flow of
// the same packets and lengths.
func Masked(tokens []uint16, m Mask, o ...Options) []uint16 {
	out := append([]uint16(nil), tokens...)
	for i, h := range Hidden(tokens, m, o...) {
		if h {
			out[i] = 0
		}
	}
	return out
}

// Removed returns the tokens without what m hides, as the paper does for
// classification. It cannot be decoded.
func Removed(tokens []uint16, m Mask, o ...Options) []uint16 {
	out := make([]uint16, 0, len(tokens))
	for i, h := range Hidden(tokens, m, o...) {
		if !h {
			out = append(out, tokens[i])
		}
	}
	return out
}
