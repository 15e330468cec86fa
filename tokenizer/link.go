package tokenizer

import "trafficgpt/tokenizer/pcap"

// otherLink is the link-type token of a value outside the registry. The value
// follows as four byte tokens, the highest first.
const otherLink = 255

// The table of link types: five tokens are those of the paper's own table, the
// other registered LINKTYPE values take the free tokens in increasing order.
var (
	linkOf  [256]pcap.LinkType
	linkSet [256]bool
	tokenOf = map[pcap.LinkType]uint16{}
)

func init() {
	enter := func(token int, link pcap.LinkType) {
		linkOf[token], linkSet[token], tokenOf[link] = link, true, uint16(token)
	}
	enter(1, pcap.LinkNull)
	enter(3, pcap.LinkEthernet)
	enter(9, pcap.LinkSLL)
	enter(20, pcap.LinkSLL2)
	enter(21, pcap.LinkRaw)
	token := 0
	for _, link := range pcap.LinkTypes() {
		if _, ok := tokenOf[link]; ok {
			continue
		}
		for linkSet[token] {
			token++
		}
		if token >= otherLink {
			break // the registry has outgrown a byte: the rest is written in full
		}
		enter(token, link)
	}
}

// LinkToken returns the token of a link type, or 255 when it has none and is written in full.
func LinkToken(link pcap.LinkType) uint16 {
	if t, ok := tokenOf[link]; ok {
		return t
	}
	return otherLink
}

// LinkOf returns the link type of a token; ok is false when the token stands for none.
func LinkOf(token uint16) (link pcap.LinkType, ok bool) {
	if token >= 256 || !linkSet[token] {
		return 0, false
	}
	return linkOf[token], true
}
