package model

import (
	"fmt"
	"math"
	"slices"
)

// Feature maps of linear heads.
const (
	FeaturesELU = "elu" // elu(x)+1 for queries and keys (Katharopoulos et al. 2020)
	FeaturesExp = "exp" // queries softmax over features times d^-1/2, keys exp (the paper's)
)

// Positions.
const (
	PositionsNone   = "none"
	PositionsAxial  = "axial"  // a learned row vector plus a learned column vector
	PositionsRotary = "rotary" // rotated queries and keys of window, softmax and retention heads
)

// What a training step keeps for the backward pass. It changes memory and
// time, never the results.
const (
	KeepAll       = "keep"      // every activation
	KeepInputs    = "recompute" // each layer's input; the rest is computed again
	KeepNothing   = "reverse"   // reversible models only: inputs are rebuilt from outputs
	defaultKept   = KeepAll
	defaultChunk  = 128
	defaultWindow = 256
)

// Config describes a decoder. Zero fields mean "none of it" except where a
// default is named. It is plain data and is saved with every checkpoint.
type Config struct {
	Name       string
	Layers     int
	Width      int // channels of the residual stream
	Vocabulary int // default 260
	Context    int // tokens of one training sequence; sampling goes on beyond it

	// Heads of one layer by kind; a layer may mix them. All have HeadDim
	// features.
	HeadDim        int
	LocalHeads     int  // softmax over the last Window positions
	LinearHeads    int  // linear attention, Features names the map
	SoftmaxHeads   int  // softmax over all earlier positions
	RetentionHeads int  // RetNet: fixed exponential decay, gated, normalised
	RWKVHeads      int  // RWKV-4 time mixing: learned decay per channel
	Window         int  // of local heads, default 256
	Bidirectional  bool // rows see what follows too: for masked tokens, not for sampling; not with retention or RWKV
	Chunk          int  // rows of one block in training, default 128
	Features       string

	FeedForward int  // hidden channels
	GLU         bool // gated: gelu(a)*b instead of gelu(a)
	TokenShift  bool // half of the channels come from the previous position
	Positions   string
	AxialRows   int // axial positions: rows times columns; 0 or 1 row is a plain learned table
	AxialCols   int
	Mark        int // token that begins a packet, for Offsets and Copies
	Offsets     int // rows are told how far back the last Mark is, up to Offsets-1; 0 for no
	Copies      int // rows are told the tokens of so many packets before, and may copy them; at most 4
	// Labels are what a flow may be told it is, by tokenizer.Cls and the label's
	// number in front of it. A training run with labels sets them.
	Labels     []string
	Tied       bool // one matrix for embedding and output
	Dropout    float64
	Reversible bool   // two residual streams (Reformer, RevNet)
	Memory     string // KeepAll, KeepInputs or KeepNothing; default KeepAll
}

// Tiny is the model of the quickstart: it learns the lab corpus's headers in
// about a minute on two cores.
func Tiny() Config {
	return Config{Name: "tiny", Layers: 2, Width: 128, Vocabulary: 260, Context: 512,
		HeadDim: 32, LocalHeads: 2, LinearHeads: 2, Window: 128, Chunk: 64, Features: FeaturesELU,
		FeedForward: 256, GLU: true, TokenShift: true, Positions: PositionsRotary, Mark: 256, Offsets: 128, Copies: 2}
}

// Small has 4 layers of width 256, half of its heads local and half linear.
func Small() Config {
	return Config{Name: "small", Layers: 4, Width: 256, Vocabulary: 260, Context: 3072,
		HeadDim: 64, LocalHeads: 2, LinearHeads: 2, Window: 256, Chunk: 128, Features: FeaturesELU,
		FeedForward: 1024, TokenShift: true, Positions: PositionsRotary, Mark: 256, Offsets: 128, Copies: 2}
}

// Paper3K is the paper's model at a context of 3,072 tokens: 24 layers of
// width 512, 8 local and 4 linear heads of 256, about 200 M parameters.
func Paper3K() Config {
	c := Paper12K()
	c.Name, c.Context, c.AxialRows = "paper3k", 3072, 12
	return c
}

// Paper12K is the paper's model at a context of 12,032 tokens.
func Paper12K() Config {
	return Config{Name: "paper12k", Layers: 24, Width: 512, Vocabulary: 260, Context: 12032,
		HeadDim: 256, LocalHeads: 8, LinearHeads: 4, Window: 256, Chunk: 256, Features: FeaturesExp,
		FeedForward: 1024, GLU: true, TokenShift: true, Positions: PositionsAxial, AxialRows: 47, AxialCols: 256,
		Dropout: 0.1, Reversible: true, Memory: KeepNothing}
}

// complete fills defaults and reports what cannot be built.
func (c Config) complete() (Config, error) {
	if c.Vocabulary == 0 {
		c.Vocabulary = 260
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Chunk == 0 {
		c.Chunk = defaultChunk
	}
	if c.Features == "" {
		c.Features = FeaturesELU
	}
	if c.Positions == "" {
		c.Positions = PositionsNone
	}
	if c.Memory == "" {
		c.Memory = defaultKept
	}
	if c.Positions == PositionsAxial && c.AxialCols == 0 {
		c.AxialCols = c.Context
	}
	counts := []struct {
		field              string
		value, least, most int
	}{{"Layers", c.Layers, 1, 1 << 12}, {"Width", c.Width, 1, 1 << 16}, {"Context", c.Context, 1, 1 << 30}, {"HeadDim", c.HeadDim, 1, 1 << 16},
		{"FeedForward", c.FeedForward, 1, 1 << 16}, {"Vocabulary", c.Vocabulary, 1, math.MaxUint16}, {"Window", c.Window, 1, 1 << 30}, {"Chunk", c.Chunk, 1, 1 << 16},
		{"LocalHeads", c.LocalHeads, 0, 1 << 10}, {"LinearHeads", c.LinearHeads, 0, 1 << 10}, {"SoftmaxHeads", c.SoftmaxHeads, 0, 1 << 10},
		{"RetentionHeads", c.RetentionHeads, 0, 1 << 10}, {"RWKVHeads", c.RWKVHeads, 0, 1 << 10}, {"Heads()", c.Heads(), 1, 1 << 10},
		{"AxialRows", c.AxialRows, 0, 1 << 20}, {"AxialCols", c.AxialCols, 0, 1 << 20}, {"Offsets", c.Offsets, 0, 1 << 16}, {"Copies", c.Copies, 0, maxCopies}}
	for _, f := range counts {
		if f.value < f.least || f.value > f.most {
			return c, fmt.Errorf("model.Config.%s is %d: it must lie between %d and %d", f.field, f.value, f.least, f.most)
		}
	}
	words := []struct {
		field, value string
		allowed      []string
	}{{"Features", c.Features, []string{FeaturesELU, FeaturesExp}},
		{"Positions", c.Positions, []string{PositionsNone, PositionsAxial, PositionsRotary}},
		{"Memory", c.Memory, []string{KeepAll, KeepInputs, KeepNothing}}}
	for _, w := range words {
		if !slices.Contains(w.allowed, w.value) {
			return c, fmt.Errorf("model.Config.%s is %q: it must be one of %q", w.field, w.value, w.allowed)
		}
	}
	switch {
	case c.aware() && (c.Mark < 0 || c.Mark >= c.Vocabulary):
		return c, fmt.Errorf("model.Config.Mark is %d: it must be a token of the vocabulary, from 0 to %d", c.Mark, c.Vocabulary-1)
	case c.Positions == PositionsRotary && c.HeadDim%2 != 0:
		return c, fmt.Errorf("model.Config.HeadDim is %d: it must be even, as rotary positions turn pairs of features", c.HeadDim)
	case c.Memory == KeepNothing && !c.Reversible:
		return c, fmt.Errorf("model.Config.Memory is %q: that needs Reversible", KeepNothing)
	case c.Bidirectional && c.RetentionHeads+c.RWKVHeads > 0:
		return c, fmt.Errorf("model.Config.Bidirectional is true: RetentionHeads and RWKVHeads, %d and %d, look back only", c.RetentionHeads, c.RWKVHeads)
	case c.Dropout < 0 || c.Dropout >= 1 || c.Dropout != c.Dropout:
		return c, fmt.Errorf("model.Config.Dropout is %g: it must lie in [0, 1)", c.Dropout)
	}
	return c, nil
}

// Heads is the number of heads of one layer.
func (c Config) Heads() int {
	return c.LocalHeads + c.LinearHeads + c.SoftmaxHeads + c.RetentionHeads + c.RWKVHeads
}

// kind of head h; the order within a layer is local, linear, softmax,
// retention, RWKV.
func (c Config) kind(h int) headKind {
	for kind, n := range []int{c.LocalHeads, c.LinearHeads, c.SoftmaxHeads, c.RetentionHeads, c.RWKVHeads} {
		if h < n {
			return headKind(kind)
		}
		h -= n
	}
	panic("model: head out of range")
}

type headKind int

const (
	localHead headKind = iota
	linearHead
	softmaxHead
	retentionHead
	rwkvHead
)

var headNames = [...]string{"local", "linear", "softmax", "retention", "rwkv"}

// inner is the number of channels of all heads together.
func (c Config) inner() int { return c.Heads() * c.HeadDim }

// projected is the width of one row of a layer's projection: queries (RWKV:
// receptances), keys and values of every head, then retention's gates.
func (c Config) projected() int { return 3*c.inner() + c.RetentionHeads*c.HeadDim }

// hidden is the width of the first feed-forward product.
func (c Config) hidden() int {
	if c.GLU {
		return 2 * c.FeedForward
	}
	return c.FeedForward
}

// FlopsPerToken counts the multiply-adds (as two operations each) of matrix
// products in one token's forward pass; training costs three times as much.
// Chunked attention counts its full blocks, softmax heads half of the context.
func (c Config) FlopsPerToken() float64 {
	c, err := c.complete()
	if err != nil {
		return 0
	}
	d := float64(c.HeadDim)
	mats := float64(c.Width * (c.projected() + c.inner() + c.hidden() + c.FeedForward))
	chunk := float64(min(c.Chunk, c.Context))
	heads := float64(c.LinearHeads+c.RetentionHeads) * (2*chunk*d + 2*d*d)
	heads += float64(c.LocalHeads) * 2 * d * float64(min(c.Window, c.Context))
	heads += float64(c.SoftmaxHeads) * d * float64(c.Context)
	heads += float64(c.RWKVHeads) * 4 * d
	return 2 * (float64(c.Layers)*(mats+heads) + float64(c.Width*c.Vocabulary))
}
