package model

import (
	"fmt"
	"math"
	"math/rand/v2"

	"trafficgpt/model/f32"
)

// tensor is one weight matrix (or vector, rows 1) with its gradient: windows
// into the model's two flat buffers.
type tensor struct {
	name       string
	rows, cols int
	at         int // offset in the flat buffers
	decay      bool
	product    bool // its gradient is that of one product
	w, g       []float32
}

// layerParams are the weights of one layer. Matrices are stored input-major:
// y = x·W with W [in, out].
type layerParams struct {
	norm1Gain, norm1Bias tensor // [width]
	qkv, qkvBias         tensor // [width, projected]
	proj, projBias       tensor // [inner, width]
	norm2Gain, norm2Bias tensor
	fc1, fc1Bias         tensor // [width, hidden]
	fc2, fc2Bias         tensor // [feed-forward, width]
	rwkvDecay, rwkvBonus tensor // [RWKV heads, head dim]: -log decay rate's log, and u
}

type parameters struct {
	all            []*tensor
	weights, grads []float32
	embed          tensor // [vocabulary, width]
	rowPos, colPos tensor // axial positions
	offset         tensor // [offsets, width]
	copies         []copyParams
	layers         []layerParams
	normGain       tensor
	normBias       tensor
	head, headBias tensor // [width, vocabulary]; no head when tied
}

// layOut places the tensors in one buffer, in the order of the forward pass, each
// on a 64-byte border, and returns the buffer's size.
func layOut(c Config) (params *parameters, size int) {
	params = &parameters{layers: make([]layerParams, c.Layers)}
	add := func(t *tensor, rows, cols int, decay bool, name string, args ...any) {
		if rows*cols == 0 {
			return
		}
		*t = tensor{name: fmt.Sprintf(name, args...), rows: rows, cols: cols, decay: decay, at: size}
		size += (rows*cols + 15) &^ 15
		params.all = append(params.all, t)
	}
	add(&params.embed, c.Vocabulary, c.Width, true, "embed.weight")
	if c.Positions == PositionsAxial {
		if c.AxialRows > 1 {
			add(&params.rowPos, c.AxialRows, c.Width, false, "position.rows")
		}
		add(&params.colPos, c.AxialCols, c.Width, false, "position.columns")
	}
	add(&params.offset, c.Offsets, c.Width, false, "position.offsets")
	params.copies = make([]copyParams, c.Copies)
	for k := range params.copies {
		add(&params.copies[k].next, c.Vocabulary, c.Width, true, "copies.%d.next", k)
		add(&params.copies[k].same, 2, c.Width, false, "copies.%d.same", k)
		add(&params.copies[k].gate, 1, c.Width, false, "copies.%d.gate", k)
		add(&params.copies[k].bias, 1, 1, false, "copies.%d.bias", k)
	}
	for i := range params.layers {
		l := &params.layers[i]
		add(&l.norm1Gain, 1, c.Width, false, "layers.%d.norm1.weight", i)
		add(&l.norm1Bias, 1, c.Width, false, "layers.%d.norm1.bias", i)
		add(&l.qkv, c.Width, c.projected(), true, "layers.%d.qkv.weight", i)
		add(&l.qkvBias, 1, c.projected(), false, "layers.%d.qkv.bias", i)
		add(&l.rwkvDecay, c.RWKVHeads, c.HeadDim, false, "layers.%d.rwkv.decay", i)
		add(&l.rwkvBonus, c.RWKVHeads, c.HeadDim, false, "layers.%d.rwkv.bonus", i)
		add(&l.proj, c.inner(), c.Width, true, "layers.%d.proj.weight", i)
		add(&l.projBias, 1, c.Width, false, "layers.%d.proj.bias", i)
		add(&l.norm2Gain, 1, c.Width, false, "layers.%d.norm2.weight", i)
		add(&l.norm2Bias, 1, c.Width, false, "layers.%d.norm2.bias", i)
		add(&l.fc1, c.Width, c.hidden(), true, "layers.%d.fc1.weight", i)
		add(&l.fc1Bias, 1, c.hidden(), false, "layers.%d.fc1.bias", i)
		add(&l.fc2, c.FeedForward, c.Width, true, "layers.%d.fc2.weight", i)
		add(&l.fc2Bias, 1, c.Width, false, "layers.%d.fc2.bias", i)
	}
	add(&params.normGain, 1, c.Width, false, "norm.weight")
	add(&params.normBias, 1, c.Width, false, "norm.bias")
	if !c.Tied {
		add(&params.head, c.Width, c.Vocabulary, true, "head.weight")
	}
	add(&params.headBias, 1, c.Vocabulary, false, "head.bias")
	return params, size
}

func newParameters(c Config) *parameters {
	params, size := layOut(c)
	params.weights = f32.Aligned(size)
	for _, t := range params.all {
		t.w = params.weights[t.at : t.at+t.rows*t.cols : t.at+t.rows*t.cols]
	}
	return params
}

// needGrads makes the gradient buffer; a model that only samples has none.
func (params *parameters) needGrads() {
	if params.grads != nil {
		return
	}
	params.grads = f32.Aligned(len(params.weights))
	for i := range params.layers {
		l := &params.layers[i]
		l.qkv.product, l.proj.product, l.fc1.product, l.fc2.product = true, true, true, true
	}
	params.head.product = true
	for _, t := range params.all {
		t.g = params.grads[t.at : t.at+t.rows*t.cols : t.at+t.rows*t.cols]
	}
}

// init draws the weights: matrices normal with deviation in^-1/2, those that
// write to the residual stream divided by sqrt(2·layers) as in GPT-2,
// embeddings 0.02, gains one, biases zero.
func (params *parameters) init(c Config, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x7461_6666_6963))
	normal := func(t *tensor, deviation float64) {
		for i := range t.w {
			t.w[i] = float32(rng.NormFloat64() * deviation)
		}
	}
	normal(&params.embed, 0.02)
	normal(&params.rowPos, 0.01)
	normal(&params.colPos, 0.01)
	normal(&params.offset, 0.02)
	for k := range params.copies {
		normal(&params.copies[k].next, 0.02)
		normal(&params.copies[k].same, 0.02)
	}
	residual := 1 / math.Sqrt(2*float64(c.Layers))
	in := func(t *tensor) float64 { return 1 / math.Sqrt(float64(t.rows)) }
	for i := range params.layers {
		l := &params.layers[i]
		fill(l.norm1Gain.w, 1)
		fill(l.norm2Gain.w, 1)
		normal(&l.qkv, in(&l.qkv))
		normal(&l.proj, in(&l.proj)*residual)
		normal(&l.fc1, in(&l.fc1))
		normal(&l.fc2, in(&l.fc2)*residual)
		initRWKV(l, c, i)
	}
	fill(params.normGain.w, 1)
	if !c.Tied {
		normal(&params.head, 0.02)
	}
}

// initRWKV spreads the decay over the channels as RWKV-4 does: from slow to
// fast, more spread in later layers, and alternates the bonus of the present.
func initRWKV(l *layerParams, c Config, layer int) {
	n := len(l.rwkvDecay.w)
	ratio := 0.0
	if c.Layers > 1 {
		ratio = float64(layer) / float64(c.Layers-1)
	}
	for i := range l.rwkvDecay.w {
		x := float64(i) / float64(max(n-1, 1))
		l.rwkvDecay.w[i] = float32(-5 + 8*math.Pow(x, 0.7+1.3*ratio))
		l.rwkvBonus.w[i] = float32(math.Log(0.3) + 0.5*float64((i+1)%3-1))
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}
