package tokenizer

import "fmt"

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
func Explain(tokens []uint16) []Field { return ExplainTime(tokens, TimePaper) }

// ExplainTime is Explain for tokens with another code for the time.
func ExplainTime(tokens []uint16, code TimeCode) []Field {
	fields := make([]Field, len(tokens))
	packet := -1
	for at := 0; at < len(tokens); {
		switch t := tokens[at]; t {
		case Start:
			packet++
			at = explainPacket(tokens, fields, at, packet, code)
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

// explainPacket fills the fields of the packet whose Start token is at, and returns where it ends.
func explainPacket(tokens []uint16, fields []Field, at, packet int, code TimeCode) int {
	fields[at] = Field{Packet: packet, Kind: KindStart, Layer: "token", Name: "packet start"}
	end := at + 1
	for end < len(tokens) && tokens[end] < 256 {
		end++
	}
	if at++; at == end {
		return end
	}
	link, known := LinkOf(tokens[at])
	fields[at] = Field{Packet: packet, Kind: KindLink, Layer: "token", Name: "link type " + link.String()}
	if !known {
		fields[at].Name = "no link type"
	}
	if tokens[at] == otherLink {
		fields[at].Name = "link type, written in full"
		for i := 0; i < 4 && at+1 < end; i++ {
			at++
			fields[at] = Field{Packet: packet, Kind: KindLink, Layer: "token", Name: "link type", Offset: i}
		}
	}
	at++
	for i := 0; i < code.Tokens() && at < end; i++ {
		fields[at] = Field{Packet: packet, Kind: KindTime, Layer: "token", Name: "seconds since the packet before", Offset: i}
		at++
	}
	data := make([]byte, end-at)
	for i := range data {
		data[i] = byte(tokens[at+i])
	}
	d := dissection{data: data, fields: fields[at:end], packet: packet}
	d.frame(link, known)
	return end
}
