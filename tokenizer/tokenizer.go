// Package tokenizer turns flows into the tokens of TrafficGPT and back.
package tokenizer

// The vocabulary of the paper: 256 byte values and four marks.
const (
	Start      = 256 // a packet begins
	End        = 257 // the flow ends
	Pad        = 258
	Cls        = 259
	Vocabulary = 260
)
