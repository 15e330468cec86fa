package model

import (
	"errors"
	"fmt"
)

// Ignore is a target that counts nothing.
const Ignore = -1

// Segment is a run of rows of one flow within a batch. Nothing is carried
// from one segment to another.
type Segment struct {
	Start, End int      // rows [Start, End)
	Position   int      // of row Start within its flow; learned positions need it
	Before     []uint16 // the flow's tokens before row Start that Config.Offsets and Copies look at
}

// Batch is what one pass through the model sees: flows (or pieces of them)
// packed one after another without padding.
type Batch struct {
	Tokens   []uint16
	Targets  []int // one a token: the token to predict at that row, or Ignore
	Segments []Segment
}

// NewBatch packs whole flows: within each, row i predicts token i+1 and the
// last row nothing.
func NewBatch(flows ...[]uint16) *Batch {
	b := &Batch{}
	for _, f := range flows {
		b.Append(f, 0)
	}
	return b
}

// Append adds one segment whose rows predict their next token; position is that
// of the first token within its flow.
func (b *Batch) Append(tokens []uint16, position int) {
	if len(tokens) == 0 {
		return
	}
	start := len(b.Tokens)
	b.Tokens = append(b.Tokens, tokens...)
	for _, t := range tokens[1:] {
		b.Targets = append(b.Targets, int(t))
	}
	b.Targets = append(b.Targets, Ignore)
	b.Segments = append(b.Segments, Segment{Start: start, End: len(b.Tokens), Position: position})
}

// AppendPart adds flow[from:to] as one segment whose rows predict their next
// token, the last one too when the flow goes on, and what c may tell them of
// the packets before.
func (b *Batch) AppendPart(c Config, flow []uint16, from, to int) {
	if from >= to {
		return
	}
	b.Append(flow[from:to], from)
	b.Segments[len(b.Segments)-1].Before = flow[c.reach(flow, from):from]
	if to < len(flow) {
		b.Targets[len(b.Targets)-1] = int(flow[to])
	}
}

// Counted is the number of rows with a target.
func (b *Batch) Counted() int {
	n := 0
	for _, t := range b.Targets {
		if t != Ignore {
			n++
		}
	}
	return n
}

// check reports the first thing that does not fit the model.
func (b *Batch) check(c Config) error {
	if len(b.Tokens) == 0 {
		return errors.New("it has no tokens")
	}
	if len(b.Targets) != len(b.Tokens) {
		return fmt.Errorf("it has %d tokens but %d targets", len(b.Tokens), len(b.Targets))
	}
	for i, t := range b.Tokens {
		if int(t) >= c.Vocabulary {
			return fmt.Errorf("token %d at row %d is outside the vocabulary of %d", t, i, c.Vocabulary)
		}
		if x := b.Targets[i]; x != Ignore && (x < 0 || x >= c.Vocabulary) {
			return fmt.Errorf("target %d at row %d is outside the vocabulary of %d", x, i, c.Vocabulary)
		}
	}
	at := 0
	for i, s := range b.Segments {
		if s.Start != at || s.End <= s.Start || s.Position < 0 {
			return fmt.Errorf("segment %d is rows %d to %d at position %d, after row %d", i, s.Start, s.End, s.Position, at)
		}
		at = s.End
	}
	if at != len(b.Tokens) {
		return fmt.Errorf("its segments end at row %d of %d", at, len(b.Tokens))
	}
	return nil
}
