package tokenizer

// Mask says which fields are taken from a model so that it cannot learn by
// heart who talks to whom.
type Mask int

// The masks of the project; each hides what the one before it hides, and more.
const (
	M0 Mask = iota // nothing
	M1             // MAC and IP addresses, ports, checksums
	M2             // also IP identification, sequence and acknowledgment numbers, window, TCP options
	M3             // also the server name of TLS
)

func (m Mask) String() string {
	return [...]string{"M0", "M1", "M2", "M3"}[max(0, min(int(m), 3))]
}

// hiddenFrom is the least mask that hides a field, by its name in any layer of
// the kinds given.
func hiddenFrom(f *Field) Mask {
	switch f.Kind {
	case KindEthernet:
		switch f.Name {
		case "destination", "source", "address", "header", "padding or checksum":
			return M1
		}
	case KindIP:
		switch f.Name {
		case "source address", "destination address", "checksum", "sender hardware address", "sender protocol address",
			"target hardware address", "target protocol address":
			return M1
		case "identification", "fragment header", "flow label":
			return M2
		}
	case KindTCP:
		switch f.Name {
		case "source port", "destination port", "checksum":
			return M1
		case "sequence number", "acknowledgment number", "window", "options":
			return M2
		}
	case KindUDP:
		switch f.Name {
		case "source port", "destination port", "checksum":
			return M1
		}
	case KindTransport:
		switch f.Name {
		case "source port", "destination port", "checksum", "packet in question":
			return M1
		case "verification tag", "transmission sequence number":
			return M2
		}
	case KindPayload:
		if f.Layer == "TLS" && (f.Name == "server name" || f.Name == "server name header") {
			return M3
		}
	}
	return M3 + 1
}

// Hidden tells for each token whether mask m hides it.
func Hidden(tokens []uint16, m Mask) []bool { return HiddenTime(tokens, m, TimePaper) }

// HiddenTime is Hidden for tokens with another code for the time.
func HiddenTime(tokens []uint16, m Mask, code TimeCode) []bool {
	hidden := make([]bool, len(tokens))
	if m <= M0 {
		return hidden
	}
	fields := ExplainTime(tokens, code)
	for i := range fields {
		hidden[i] = hiddenFrom(&fields[i]) <= m
	}
	if m >= M3 {
		hideNames(tokens, fields, hidden)
	}
	return hidden
}

// Masked returns the tokens with what m hides set to 0. It remains a flow of
// the same packets and lengths.
func Masked(tokens []uint16, m Mask) []uint16 {
	out := append([]uint16(nil), tokens...)
	for i, h := range Hidden(tokens, m) {
		if h {
			out[i] = 0
		}
	}
	return out
}

// Removed returns the tokens without what m hides, as the paper does for
// classification. It cannot be decoded.
func Removed(tokens []uint16, m Mask) []uint16 {
	out := make([]uint16, 0, len(tokens))
	for i, h := range Hidden(tokens, m) {
		if !h {
			out = append(out, tokens[i])
		}
	}
	return out
}

// hideNames hides server names in client hellos that go on in further TCP
// segments, which the view of single packets does not see.
func hideNames(tokens []uint16, fields []Field, hidden []bool) {
	ports := portsOf(tokens, fields)
	for i := 0; i+5 < len(fields); i++ {
		if fields[i].Layer != "TLS" || fields[i].Name != "content type" || tokens[i] != 22 || fields[i+5].Name != "handshake type" || tokens[i+5] != 1 {
			continue
		}
		need := 5 + int(tokens[i+3])<<8 + int(tokens[i+4])
		var at []int // where the bytes of the record are
		var b []byte
		for j := i; j < len(fields) && len(b) < need; j++ {
			if fields[j].Kind == KindPayload && (fields[j].Packet == fields[i].Packet || ports[fields[j].Packet] == ports[fields[i].Packet]) {
				at = append(at, j)
				b = append(b, byte(tokens[j]))
			}
		}
		d := dissection{data: b, fields: make([]Field, len(b)), end: len(b)}
		d.tls()
		for j := range d.fields {
			if hiddenFrom(&d.fields[j]) <= M3 {
				hidden[at[j]] = true
			}
		}
	}
}

// portsOf is the TCP source port of each packet, 0 without one.
func portsOf(tokens []uint16, fields []Field) map[int]int {
	ports := map[int]int{}
	for i := range fields {
		if fields[i].Kind == KindTCP && fields[i].Name == "source port" {
			ports[fields[i].Packet] = ports[fields[i].Packet]<<8 | int(tokens[i])
		}
	}
	return ports
}
