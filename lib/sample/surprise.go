package sample

import (
	"cmp"
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
var wholeFlow = 1 << 15

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
// done, and is no error; an error comes with those that were done before it.
func ScoreAll(m *model.Model, flows []*pcap.Flow) (Surprises, error) {
	if m == nil {
		return nil, errors.New("failed to score flows: there is no model")
	}
	if m.Config().Bidirectional {
		return nil, errors.New("failed to score flows: a bidirectional model sees the tokens it is asked about")
	}
	ctx := display.Context()
	c := &scoring{m: m, scorer: model.NewScorer(m, model.ScorerOptions{Stop: func() bool { return ctx.Err() != nil }}), batch: &model.Batch{}}
	var err error
	for i, f := range flows {
		if ctx.Err() != nil {
			break
		}
		if f == nil || len(f.Packets) == 0 {
			err = fmt.Errorf("failed to score flows: flow %d has no packets", i)
			break
		}
		if err = c.add(f); err != nil {
			break
		}
	}
	rest := c.flush()
	if err = cmp.Or(err, rest); errors.Is(err, model.ErrStopped) {
		err = nil
	}
	return c.finished(), err
}

// scoring is one call of ScoreAll: short flows wait until they fill a batch.
type scoring struct {
	m       *model.Model
	scorer  *model.Scorer
	all     Surprises // in the order of the flows
	batch   *model.Batch
	waiting Surprises // flows of the batch
}

// add takes the next flow in.
func (c *scoring) add(f *pcap.Flow) error {
	s := &Surprise{Flow: f, Tokens: tokenizer.Encode(f), Bytes: int(f.Bytes())}
	c.all = append(c.all, s)
	if len(s.Tokens) > wholeFlow {
		return s.stream(c.m)
	}
	c.batch.Append(s.Tokens, 0)
	c.waiting = append(c.waiting, s)
	if len(c.batch.Tokens) < batchTokens {
		return nil
	}
	return c.flush()
}

// flush scores the flows that wait.
func (c *scoring) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	losses, err := c.scorer.Losses(c.batch)
	if err != nil {
		return err
	}
	at := 0
	for _, s := range c.waiting {
		s.Bits = make([]float64, len(s.Tokens))
		for i := 1; i < len(s.Tokens); i++ {
			s.Bits[i] = float64(losses[at+i-1]) / math.Ln2
		}
		at += len(s.Tokens)
	}
	c.batch, c.waiting = &model.Batch{}, nil
	return nil
}

// finished are the flows that were scored to their end.
func (c *scoring) finished() Surprises {
	var out Surprises
	for _, s := range c.all {
		if s.Bits == nil {
			continue
		}
		for _, x := range s.Bits {
			s.Total += x
		}
		out = append(out, s)
	}
	return out
}

// stream fills the bits with a state of constant size.
func (s *Surprise) stream(m *model.Model) error {
	ctx, meter := display.Context(), NewMeter(m)
	bits := make([]float64, len(s.Tokens))
	for at := 0; at < len(s.Tokens); at += feedRows {
		if ctx.Err() != nil {
			return model.ErrStopped
		}
		end := min(at+feedRows, len(s.Tokens))
		if err := meter.feed(s.Tokens[at:end], bits[at:end]); err != nil {
			return err
		}
	}
	s.Bits = bits
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
		return err
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
