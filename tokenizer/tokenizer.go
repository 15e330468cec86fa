// Package tokenizer turns flows into the tokens of TrafficGPT and back.
//
// A packet is a Start token, a link-type token, the eight bytes of the time
// since the packet before it, and its captured bytes, one token each. A flow is
// its packets and an End token.
//
// The time is in seconds, a big-endian IEEE-754 float64; 0 for the first
// packet. Read back, it is rounded to a nanosecond, which restores the
// timestamp exactly for every interval below 2^23 seconds (97 days), because
// there a float64 is within half a nanosecond of any number of nanoseconds.
// Longer intervals come back to the next float64 (half a microsecond at 136
// years); each interval counts from the time as the reader has it, so the
// difference does not add up, and it vanishes with the next packet.
//
// What tokens do not carry (the time of the first packet, lengths on the wire,
// interfaces, and all else that a capture file holds) travels in the side-car
// of the container; see EncodeFile.
//
// One starts with a capture or the built-in corpus:
//
//	c := must(pcap.Read("x.pcap"))
//	tokens := tokenizer.Encode(c.Flows()[0])
//	tokenizer.Explain(tokens)                           // which layer and field each is
//	tokenizer.Masked(tokens, tokenizer.M1)              // without addresses and ports
//	packets := must(tokenizer.Decode(tokens))           // back, byte for byte
//	must(tokenizer.EncodeFile("x.pcap", "x.corpus"))    // whole files, as trafficgpt encode does
//
// Words of the package:
//
//	span     a run of bytes of a packet that is one field
//	clock    a point in time as the reader of the tokens has it
//	mark     a token beyond the paper's vocabulary that says which of several
//	         interleaved flows goes on
//	corpus   the container file of docs/container.md, which is made of
//	section  a piece of a corpus with a header and a checksum of its own
//	part     about a megabyte of a source file on its way into a section
//	slot     the packets of one flow in a part
//	frame    what a capture file has around an ordinary packet
//	memo     what a stream of packets keeps in mind of a flow between parts
package tokenizer

import "time"

// The vocabulary of the paper: 256 byte values and four marks.
const (
	Start      = 256 // a packet begins
	End        = 257 // the flow ends
	Pad        = 258
	Cls        = 259
	Vocabulary = 260
)

// Overhead is the tokens of a packet beside its bytes: start, link type, time.
const Overhead = 10

// Options are how tokens are written and read. The zero value is the paper's way.
type Options struct {
	Time  TimeCode  // how the time between packets becomes tokens; the zero value is TimePaper
	Start time.Time // from when the first interval counts, in decoding; the zero value is 1970-01-01 00:00 UTC
}

// options are those given, or the paper's.
func options(o []Options) Options {
	given := append(o, Options{})[0]
	if given.Start.IsZero() {
		given.Start = time.Unix(0, 0)
	}
	return given
}
