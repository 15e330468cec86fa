// Package model is the decoder of TrafficGPT and its rivals, on the processor
// alone: linear attention, causal windows, full softmax, retention and RWKV
// time mixing as heads of one layer, with hand-written gradients.
//
// A notebook begins with a preset, and leaves the work to lib/train and lib/sample:
//
//	m := must(model.New(model.Tiny(), 1))
//
// Below them, a [Trainer] takes optimiser steps, a [Scorer] computes losses and
// states, a [Stream] goes token by token. They take tokens; of packets they know
// only the token that begins one (Config.Mark). A Model may be used from one
// goroutine at a time. The same seed gives the same losses bit for bit, whatever the
// number of threads.
//
// The files read from the outside in: config.go says what can be built,
// params.go lays the weights out in one buffer, forward.go and backward.go run
// a packed batch through the layers in training form, narrow.go, narrow_back.go and narrow_mixers.go
// with products of bfloat16, stream.go and phases.go run
// many flows token by token in recurrent form, prompt.go known tokens at once. scan.go, window.go and rwkv.go hold the
// mixers' chunked and recurrent forms side by side; naive_test.go holds the slow
// truth, in float64, that all of them are tested against. heads.go shows what heads
// attend to and keep. packets.go is what a model may be told of packets beyond the
// paper, checkpoint.go the file format.
//
// Words:
//
//   - mixer: what lets a row take from other rows, one a head: a scan (linear
//     attention, retention), a window (local and softmax heads) or rwkv;
//   - form: how a mixer is computed: naive (its formula), chunked (a whole flow, in
//     training) or recurrent (row after row, in generation);
//   - state: all that a mixer knows of the rows before; carried in where it is not
//     that of an empty flow;
//   - batch, segment, row: flows packed one after another; a piece of one flow in
//     it; one token of that, with a vector of the model's width;
//   - pass: one run of a batch through the layers, forward or there and back; a
//     receiver or field p is always one;
//   - narrow: of a pass with products of bfloat16, and of what it keeps in 16 bits; wide is a
//     model some of whose heads have no such form;
//   - block: rows of a narrow pass that go through a branch of a layer together;
//   - arena: the memory of a pass (f32.Arena), which the next pass uses again; the
//     workspace keeps both;
//   - site: a place in the model at which dropout draws;
//   - lane: one flow of a Stream, with the state of all its heads; a run is the rows
//     of one lane within a step;
//   - phase, piece: a part of a step's layer that ends on all threads together, and what
//     one of them does at a time; of a narrow pass's heads, a chunk of a flow or all of it;
//   - prompt: many known tokens of one lane, fed in the chunked form;
//   - snapshot: a lane's state at one moment, to come back to;
//   - ahead: tokens that a draft, the model in 8 bits, has foreseen for a lane and
//     the exact weights have taken in one step; settling takes the lane back to what
//     it was told;
//   - told, hint, history: what a row knows of the packets before it.
package model

import (
	"fmt"
	"math"
	"strings"

	"trafficgpt/display"
)

// Model is a decoder with its weights.
type Model struct {
	cfg    Config
	params *parameters
	scans  []*scan // one a head, nil for other kinds
	cos    []float32
	sin    []float32
	turned int                     // positions the rotary tables hold
	packed [layouts]*packedWeights // by weightBits
	narrow narrowWeights           // of training in bf16
}

// New builds a model with random weights. The same configuration and seed give
// the same weights. The error names the field that cannot be built.
func New(cfg Config, seed uint64) (*Model, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("failed to build model %q: %w", cfg.Name, err)
	}
	m := build(cfg)
	m.params.init(cfg, seed)
	return m, nil
}

// build makes a model whose weights are zero.
func build(cfg Config) *Model {
	m := &Model{cfg: cfg, params: newParameters(cfg), scans: make([]*scan, cfg.Heads())}
	retention := 0
	for h := range m.scans {
		switch cfg.kind(h) {
		case linearHead:
			m.scans[h] = newScan(cfg.HeadDim, cfg.Chunk, 1, true)
			m.scans[h].both = cfg.Bidirectional
		case retentionHead:
			// RetNet's decays: 1 - 2^-5, 1 - 2^-6, …
			m.scans[h] = newScan(cfg.HeadDim, cfg.Chunk, 1-math.Exp2(-5-float64(retention)), false)
			retention++
		}
	}
	return m
}

// Config is the configuration with its defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// SetLabels names the labels that flows may be told, at most 256: label i is
// told by the byte token i.
func (m *Model) SetLabels(labels []string) error {
	if len(labels) > 256 {
		return fmt.Errorf("failed to set labels: %d are more than the 256 that one token tells apart", len(labels))
	}
	m.cfg.Labels = append([]string(nil), labels...)
	return nil
}

// Parameters is the number of weights.
func (m *Model) Parameters() int {
	n := 0
	for _, t := range m.params.all {
		n += t.rows * t.cols
	}
	return n
}

// changed must be called after every change of the weights.
func (m *Model) changed() {
	m.packed = [layouts]*packedWeights{}
	m.narrow.stale()
}

// rotary returns tables of cos and sin with at least n positions, HeadDim/2
// values each: angle of pair i at position t is t·10000^(-2i/d).
func (m *Model) rotary(n int) (cos, sin []float32) {
	if m.turned < n {
		n = max(n, 2*m.turned)
		half := m.cfg.HeadDim / 2
		m.cos, m.sin = make([]float32, n*half), make([]float32, n*half)
		for t := range n {
			rotaryRow(m.cos[t*half:][:half], m.sin[t*half:][:half], t)
		}
		m.turned = n
	}
	return m.cos, m.sin
}

func rotaryRow(cos, sin []float32, position int) {
	half := len(cos)
	for i := range half {
		s, c := math.Sincos(float64(position) * math.Pow(10000, -float64(i)/float64(half)))
		cos[i], sin[i] = float32(c), float32(s)
	}
}

// turn rotates the pairs (i, i+d/2) of x by the angles of one position; a
// negative direction turns back.
func turn(x, cos, sin []float32, direction float32) {
	half := len(cos)
	a, b := x[:half], x[half:2*half]
	for i, c := range cos {
		s := direction * sin[i]
		a[i], b[i] = a[i]*c-b[i]*s, b[i]*c+a[i]*s
	}
}

// String says what the model is in one line.
func (m *Model) String() string {
	c := m.cfg
	return fmt.Sprintf("%s: %s parameters, %d layers of width %d, heads %s of %d, context %d",
		c.title(), display.Count(m.Parameters()), c.Layers, c.Width, c.headList(), c.HeadDim, c.Context)
}

func (c Config) title() string {
	if c.Name == "" {
		return "model"
	}
	return c.Name
}

func (c Config) headList() string {
	var parts []string
	for kind, n := range []int{c.LocalHeads, c.LinearHeads, c.SoftmaxHeads, c.RetentionHeads, c.RWKVHeads} {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, headNames[kind]))
		}
	}
	return strings.Join(parts, " + ")
}

// MIME shows the model as a small table.
func (m *Model) MIME() display.Bundle {
	c := m.cfg
	ff := "GELU"
	if c.GLU {
		ff = "GLU"
	}
	mixing := c.headList() + fmt.Sprintf(" heads of %d", c.HeadDim)
	if c.LocalHeads > 0 {
		mixing += fmt.Sprintf(", window %d", c.Window)
	}
	var extras []string
	if c.Bidirectional {
		extras = append(extras, "bidirectional")
	}
	if c.TokenShift {
		extras = append(extras, "token shift")
	}
	if c.Offsets > 0 {
		extras = append(extras, "packet offsets")
	}
	if c.Copies > 0 {
		extras = append(extras, fmt.Sprintf("copies from %d packets before", c.Copies))
	}
	if c.Tied {
		extras = append(extras, "tied embeddings")
	}
	if c.Reversible {
		extras = append(extras, "reversible residuals")
	}
	if c.Dropout > 0 {
		extras = append(extras, fmt.Sprintf("dropout %g", c.Dropout))
	}
	rows := [][2]string{
		{"Parameters", display.Count(m.Parameters())},
		{"Layers", fmt.Sprintf("%d of width %d", c.Layers, c.Width)},
		{"Mixing", mixing},
		{"Feed-forward", fmt.Sprintf("%s, %d channels", ff, c.FeedForward)},
		{"Positions", c.Positions},
		{"Context", display.Count(c.Context) + " tokens"},
	}
	if len(extras) > 0 {
		rows = append(rows, [2]string{"Also", strings.Join(extras, ", ")})
	}
	t := display.NewTable("Model "+c.title(), "")
	t.Align = "ll"
	for _, r := range rows {
		t.Row(r[0], r[1])
	}
	return display.Bundle{display.Text: m.String(), display.HTML: t.MIME()[display.HTML]}
}

// Weights is the buffer of all weights; it must not be changed.
func (m *Model) Weights() []float32 { return m.params.weights }

// SetWeights copies weights, as Weights gives them, into the model.
func (m *Model) SetWeights(w []float32) {
	if len(w) != len(m.params.weights) {
		panic(fmt.Sprintf("model: %d weights for a model of %d", len(w), len(m.params.weights)))
	}
	copy(m.params.weights, w)
	m.changed()
}
