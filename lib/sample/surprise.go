package sample

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Surprise is what a model makes of a real flow: for every token the bits it
// would cost to say it, -log2 of the probability the model gave it.
type Surprise struct {
	Flow   *pcap.Flow
	Tokens []uint16
	Bits   []float64 // one a token; 0 for the first, which nothing predicts
	Bytes  int       // captured bytes of the flow
	Total  float64   // of all bits
}

// FieldSurprise is the surprise of the tokens of one kind.
type FieldSurprise struct {
	Kind   tokenizer.Kind
	Tokens int
	Bits   float64 // mean, a token
}

// wholeFlow is the longest flow, in tokens, that is scored in one piece; longer
// ones go token by token with a state of constant size, to the same result.
const wholeFlow = 1 << 15

// batchTokens is how many tokens of short flows are scored at once.
const batchTokens = 1 << 12

// Score returns the surprise of one flow.
func Score(m *model.Model, f *pcap.Flow) (*Surprise, error) {
	all, err := ScoreAll(m, []*pcap.Flow{f})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("failed to score flow: interrupted")
	}
	return all[0], nil
}

// ScoreAll returns the surprise of each flow. An interrupt keeps those that are
// done.
func ScoreAll(m *model.Model, flows []*pcap.Flow) (Surprises, error) {
	if m == nil {
		return nil, errors.New("failed to score flows: there is no model")
	}
	if m.Config().Bidirectional {
		return nil, errors.New("failed to score flows: a bidirectional model sees the tokens it is asked about")
	}
	ctx := display.Context()
	scorer := model.NewScorer(m)
	var out Surprises
	b := &model.Batch{}
	from := 0 // flows in b begin here in out
	flush := func() error {
		if len(b.Tokens) == 0 {
			return nil
		}
		losses, err := scorer.Losses(b)
		if err != nil {
			return fmt.Errorf("failed to score flows: %w", err)
		}
		at := 0
		for _, s := range out[from:] {
			if len(s.Tokens) > wholeFlow {
				continue
			}
			for i := 1; i < len(s.Tokens); i++ {
				s.Bits[i] = float64(losses[at+i-1]) / math.Ln2
			}
			at += len(s.Tokens)
		}
		b, from = &model.Batch{}, len(out)
		return nil
	}
	for i, f := range flows {
		if ctx.Err() != nil {
			break
		}
		if f == nil || len(f.Packets) == 0 {
			return nil, fmt.Errorf("failed to score flows: flow %d has no packets", i)
		}
		s := &Surprise{Flow: f, Tokens: tokenizer.Encode(f), Bytes: int(f.Bytes())}
		s.Bits = make([]float64, len(s.Tokens))
		out = append(out, s)
		if len(s.Tokens) > wholeFlow {
			if err := s.stream(ctx, m); err != nil {
				return nil, err
			}
			continue
		}
		b.Append(s.Tokens, 0)
		if len(b.Tokens) >= batchTokens {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for _, s := range out {
		for _, x := range s.Bits {
			s.Total += x
		}
	}
	return out, nil
}

// stream fills the bits with a state of constant size.
func (s *Surprise) stream(ctx context.Context, m *model.Model) error {
	meter := NewMeter(m)
	for at := 0; at < len(s.Tokens); at += feedRows {
		if ctx.Err() != nil {
			return errors.New("failed to score flow: interrupted")
		}
		end := min(at+feedRows, len(s.Tokens))
		if err := meter.feed(s.Tokens[at:end], s.Bits[at:end]); err != nil {
			return err
		}
	}
	return nil
}

// Meter measures surprise as tokens come in, for flows without an end: its
// memory stays the same.
type Meter struct {
	stream *model.Stream
	logits []float32
}

// NewMeter returns a meter at the beginning of a flow.
func NewMeter(m *model.Model) *Meter { return &Meter{stream: model.NewStream(m, 1)} }

// Next takes the flow's next token and returns its surprise in bits, 0 for the
// first.
func (t *Meter) Next(token uint16) (float64, error) {
	var bits [1]float64
	err := t.feed([]uint16{token}, bits[:])
	return bits[0], err
}

// feed takes the flow's next tokens, at once, and fills in their surprise.
func (t *Meter) feed(tokens []uint16, bits []float64) error {
	logits, err := t.stream.Step(make([]int, len(tokens)), tokens)
	if err != nil {
		return fmt.Errorf("failed to score tokens: %w", err)
	}
	v := len(logits) / len(tokens)
	before := t.logits
	for i, token := range tokens {
		if before != nil {
			bits[i] = surprise(before, token)
		}
		before = logits[i*v:][:v]
	}
	t.logits = append(t.logits[:0], before...)
	return nil
}

// surprise is -log2 of a token's probability.
func surprise(logits []float32, token uint16) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		top = max(top, float64(x))
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
	}
	return (math.Log(sum) + top - float64(logits[token])) / math.Ln2
}

// Reset begins another flow.
func (t *Meter) Reset() {
	t.stream.Reset(0)
	t.logits = nil
}

// PerByte is the bits a captured byte of the flow: what an ideal compressor with
// this model would need.
func (s *Surprise) PerByte() float64 { return s.Total / float64(max(s.Bytes, 1)) }

// PerPacket is the surprise of each packet, in bits.
func (s *Surprise) PerPacket() []float64 {
	out := make([]float64, len(s.Flow.Packets))
	for i, f := range tokenizer.Explain(s.Tokens) {
		if f.Packet >= 0 && f.Packet < len(out) {
			out[f.Packet] += s.Bits[i]
		}
	}
	return out
}

// Fields is the surprise by kind of token.
func (s *Surprise) Fields() []FieldSurprise {
	var sums [tokenizer.Kinds]FieldSurprise
	for i, f := range tokenizer.Explain(s.Tokens) {
		if i > 0 {
			sums[f.Kind].Tokens++
			sums[f.Kind].Bits += s.Bits[i]
		}
	}
	var out []FieldSurprise
	for k, f := range sums {
		if f.Tokens > 0 {
			out = append(out, FieldSurprise{tokenizer.Kind(k), f.Tokens, f.Bits / float64(f.Tokens)})
		}
	}
	return out
}

// String says it in one line.
func (s *Surprise) String() string {
	return fmt.Sprintf("%s: %.2f bits a byte, %s tokens", s.Flow, s.PerByte(), display.Count(len(s.Tokens)))
}

// MIME shows the surprise by field.
func (s *Surprise) MIME() display.Bundle {
	t := display.NewTable("Field", "Tokens", "Bits a token", "Bits in all")
	t.Title = s.String()
	for _, f := range s.Fields() {
		t.Row(f.Kind.String(), f.Tokens, fmt.Sprintf("%.3f", f.Bits), fmt.Sprintf("%.0f", f.Bits*float64(f.Tokens)))
	}
	return t.MIME()
}

// Surprises are scored flows, in the order they were given.
type Surprises []*Surprise

// Ranked returns the flows with the most surprising first, by bits a byte.
func (s Surprises) Ranked() Surprises {
	out := slices.Clone(s)
	slices.SortStableFunc(out, func(a, b *Surprise) int { return cmp.Compare(b.PerByte(), a.PerByte()) })
	return out
}

// PerByte is the bits a byte of all flows together.
func (s Surprises) PerByte() float64 {
	bits, bytes := 0.0, 0
	for _, x := range s {
		bits += x.Total
		bytes += x.Bytes
	}
	return bits / float64(max(bytes, 1))
}

// MIME shows a row a flow.
func (s Surprises) MIME() display.Bundle {
	t := display.NewTable("Flow", "Label", "Packets", "Bytes", "Bits a byte")
	t.Title = fmt.Sprintf("%d flows, %.3f bits a byte", len(s), s.PerByte())
	for _, x := range s {
		t.Row(x.Flow.String(), x.Flow.Label, len(x.Flow.Packets), x.Bytes, fmt.Sprintf("%.3f", x.PerByte()))
	}
	return t.MIME()
}
