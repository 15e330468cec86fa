package tokenizer

import (
	"fmt"

	"trafficgpt/tokenizer/pcap"
)

// Kind says what sort of thing a token is.
type Kind int

// The kinds of tokens.
const (
	KindStart    Kind = iota // a packet begins
	KindLink                 // link type
	KindTime                 // time interval
	KindEthernet             // link layer: MAC addresses, tags, other link headers
	KindIP                   // network layer: IPv4, IPv6, ARP
	KindTCP
	KindUDP
	KindTransport // other transports: ICMP, SCTP, GRE, ESP, …
	KindPayload   // what the transport carries
	KindEnd       // the flow ends
	KindSpecial   // padding, [cls], flow markers, and tokens out of place
)

// Kinds is the number of kinds.
const Kinds = int(KindSpecial) + 1

var kindNames = [Kinds]string{"start", "link", "time", "MAC/Ethernet", "IP", "TCP", "UDP", "other transport", "payload", "end", "special"}

func (k Kind) String() string {
	if k < 0 || int(k) >= Kinds {
		return "?"
	}
	return kindNames[k]
}

// Field says what a token is.
type Field struct {
	Packet int // counts from 0; -1 before the first packet
	Kind   Kind
	Layer  string // Ethernet, IPv4, TCP, DNS, …
	Name   string // of the field in its layer
	// Offset counts from 0 the bytes of what the token belongs to: the captured
	// packet, or the time interval.
	Offset int
}

// Explain says of each token what it is. It takes any list, also a part of a
// flow or one that Decode refuses: what does not fit is of KindSpecial.
func Explain(tokens []uint16, o ...Options) []Field {
	fields := make([]Field, len(tokens))
	packet := -1
	var work explanation
	for at := 0; at < len(tokens); {
		switch t := tokens[at]; t {
		case Start:
			packet++
			work.packet(tokens, at, options(o).Time)
			work.fill(fields, packet)
			at = work.end
		case End:
			fields[at] = Field{Packet: packet, Kind: KindEnd, Layer: "token", Name: "end of the flow"}
			at++
		default:
			fields[at] = Field{Packet: packet, Kind: KindSpecial, Layer: "token", Name: specialName(t)}
			at++
		}
	}
	return fields
}

func specialName(t uint16) string {
	switch {
	case t == Pad:
		return "padding"
	case t == Cls:
		return "classification follows"
	case t < 256:
		return "byte outside a packet"
	case isMark(t):
		return fmt.Sprintf("flow %d goes on", t-FlowMark)
	}
	return "outside the vocabulary"
}

// explanation is where in a list of tokens one packet is, and what it says.
type explanation struct {
	start, link, time, data, end int // where the parts of the packet begin, and where it ends
	name                         string
	linkType                     pcap.LinkType
	bytes                        []byte
	spans                        []span
}

// packet explains the packet whose Start token is at.
func (e *explanation) packet(tokens []uint16, at int, code TimeCode) {
	e.start, e.end = at, at+1
	for e.end < len(tokens) && tokens[e.end] < 256 {
		e.end++
	}
	e.link = at + 1
	e.time = min(e.link+1, e.end)
	e.linkType = unknownLink
	if e.link < e.end {
		link, known := LinkOf(tokens[e.link])
		switch {
		case tokens[e.link] == otherLink:
			e.name = "link type, written in full"
			if e.time = min(e.link+5, e.end); e.time == e.link+5 {
				e.linkType = 0
				for _, t := range tokens[e.link+1 : e.time] {
					e.linkType = e.linkType<<8 | pcap.LinkType(t)
				}
			}
		case known:
			e.linkType, e.name = link, "link type "+link.String()
		default:
			e.name = "no link type"
		}
	}
	e.data = min(e.time+code.Tokens(), e.end)
	e.bytes = e.bytes[:0]
	for _, t := range tokens[e.data:e.end] {
		e.bytes = append(e.bytes, byte(t))
	}
	e.spans = dissect(e.linkType, e.bytes, e.spans, false)
}

// unknownLink stands for a link type of which nothing is known.
const unknownLink = ^pcap.LinkType(0)

// fill writes the packet's fields.
func (e *explanation) fill(fields []Field, packet int) {
	fields[e.start] = Field{Packet: packet, Kind: KindStart, Layer: "token", Name: "packet start"}
	for i := e.link; i < e.time; i++ {
		fields[i] = Field{Packet: packet, Kind: KindLink, Layer: "token", Name: e.name}
		if i > e.link {
			fields[i].Name, fields[i].Offset = "link type", i-e.link-1
		}
	}
	for i := e.time; i < e.data; i++ {
		fields[i] = Field{Packet: packet, Kind: KindTime, Layer: "token", Name: "seconds since the packet before", Offset: i - e.time}
	}
	for _, s := range e.spans {
		for i := s.from; i < s.to; i++ {
			fields[e.data+i] = Field{Packet: packet, Kind: s.kind, Layer: s.layer, Name: s.name, Offset: i}
		}
	}
}
