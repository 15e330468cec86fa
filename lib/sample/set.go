package sample

import "trafficgpt/tokenizer"

// set is a set of tokens, one bit a token.
type set [(tokenizer.Vocabulary + 63) / 64]uint64

func (s *set) add(token int)      { s[token>>6] |= 1 << (token & 63) }
func (s *set) has(token int) bool { return s[token>>6]>>(token&63)&1 != 0 }

// span adds the bytes lo to hi, of those that there are.
func (s *set) span(lo, hi int) {
	lo, hi = max(lo, 0), min(hi, 255)
	for w := lo >> 6; w <= hi>>6; w++ {
		from, to := max(lo, w<<6), min(hi, w<<6+63)
		if from <= to {
			s[w] |= ^uint64(0) << (from & 63) & (^uint64(0) >> (63 - to&63))
		}
	}
}

// of makes a set of single tokens.
func of(tokens ...int) (s set) {
	for _, t := range tokens {
		s.add(t)
	}
	return s
}

// spans makes a set of bytes: the pairs are the first and last ones.
func spans(pairs ...[2]int) (s set) {
	for _, p := range pairs {
		s.span(p[0], p[1])
	}
	return s
}

// What grammar and dialog say again and again is made once, and all lanes look at the
// same sets. Nothing may be written to them.
var (
	nothing  set
	anyByte  = spans([2]int{0, 255})
	only     = singles()
	links    = of(linkEthernet, linkRaw, linkCooked, linkCooked2)
	arpOps   = of(1, 2)
	fragment = of(0, 0x40) // flags: none, or "don't fragment"

	etherTypeFirst, etherTypeLast = of(0x08, 0x86), of(0, 6)

	versions  = spans([2]int{0x45, 0x4f}, [2]int{0x60, 0x6f})
	version4  = spans([2]int{0x45, 0x4f})
	version6  = spans([2]int{0x60, 0x6f})
	intervals = spans([2]int{0, 0}, [2]int{0x3e, 0x40}) // first bytes, see grammar.interval
	shortest  = spans([2]int{0x11, 255})
	longest   = spans([2]int{0, 0xef})

	protocols  = protocolSets()
	tcpHeaders = dataOffsets()
	tcpAnswers = of(flagSyn|flagAck, flagRst|flagAck) // flags behind the first packet
	tcpGoesOn  = laterFlags()
)

func singles() (s [256]set) {
	for b := range s {
		s[b].add(b)
	}
	return s
}

// protocolSets are UDP and ICMP, and the same with TCP: each for IPv4 and for IPv6.
func protocolSets() (s [2][2]set) {
	for i, icmp := range []int{1, 58} {
		s[i] = [2]set{of(17, icmp), of(17, icmp, 6)}
	}
	return s
}

// dataOffsets are the lengths that a TCP header may have, by the longest one in words.
func dataOffsets() (s [16]set) {
	for most := range s {
		for words := 5; words <= most; words++ {
			s[most].add(words << 4)
		}
	}
	return s
}

// laterFlags are TCP's flags behind its handshake.
func laterFlags() (s set) {
	for flags := range 64 {
		if flags&flagSyn == 0 && flags&flagAck != 0 || flags == flagRst {
			s.add(flags)
		}
	}
	return s
}
