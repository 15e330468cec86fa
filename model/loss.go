package model

import (
	"fmt"
	"math"

	"trafficgpt/model/f32"
)

// workspace is the memory of passes: one arena, made larger by the first pass
// and then used again and again.
type workspace struct {
	arena *f32.Arena
	pass  pass
	final final // of the last pass
}

func (w *workspace) begin(m *Model, b *Batch, train bool, drop dropout) *pass {
	p := &w.pass
	p.m, p.b, p.n, p.train, p.drop = m, b, len(b.Tokens), train, drop
	p.prepare()
	if need := p.arenaSize(); w.arena == nil || w.arena.Size() < need {
		w.arena = nil
		w.arena = f32.NewArena(need)
	}
	w.arena.Reset()
	p.arena = w.arena
	p.forgetChain() // a pass that was abandoned may have left one,
	p.grads = p.grads[:0]
	return p
}

// arenaSize is the memory of a pass in bytes, a little generous: what is kept
// of every layer, one layer's own, and the largest temporaries.
func (p *pass) arenaSize() int {
	c, n := p.m.cfg, p.n
	streams := 1
	if c.Reversible {
		streams = 2
	}
	half := func(x int) int { // elements that a narrow pass keeps in half of the bytes
		if p.narrow {
			return (x + 1) / 2
		}
		return x
	}
	attn := n * (2 + half(c.Width+c.projected()+c.inner()) + c.RetentionHeads*(c.HeadDim+1) + c.Heads())
	if p.narrow && c.wide() {
		attn += n * (half(c.projected()) + c.inner())
	}
	segments := len(p.b.Segments)
	for h := range c.Heads() {
		switch c.kind(h) {
		case linearHead, retentionHead:
			attn += p.firstRow[segments] * p.m.scans[h].stateSize()
		case rwkvHead:
			attn += p.rwkvFirst[segments] * 3 * c.HeadDim
		}
	}
	ff := n * (2 + half(c.Width) + c.hidden())
	if p.narrow {
		ff = n * (2 + half(c.Width+c.hidden()))
	}
	layer := attn + ff + n*c.Width
	size := n * (streams*c.Width + 2*c.Width + c.Vocabulary + 3) // embeddings and output side
	if p.narrow {
		size += n * half(c.Width+c.Vocabulary)
	}
	back := max(n*(c.inner()+c.projected()+2*c.Width), n*(2*c.FeedForward+c.hidden()+2*c.Width))
	if p.narrow {
		blocks := (n-1)/p.half + 1
		attnBack := n*(half(c.Width+c.inner())+c.Width) + blocks*c.Width + len(p.items)*3*c.HeadDim + c.LinearHeads*p.firstRow[segments]*c.HeadDim*(c.HeadDim+4)
		ffBack := n*(half(c.Width+c.hidden()+c.FeedForward)+2*c.Width) + blocks*(c.hidden()+3*c.Width)
		if c.wide() {
			attnBack += n*(c.inner()+c.projected()) + blocks*c.projected()
		}
		back = attnBack + ffBack // the weights' gradients are added together
		if c.Memory == KeepNothing {
			back = max(attnBack, ffBack)
		}
		back += n*half(c.projected()) + blocks*2*c.Width
	}
	switch {
	case !p.train:
		size += layer + n*(c.FeedForward+c.Width)
	case c.Memory == KeepAll:
		size += c.Layers*(layer+streams*n*c.Width) + back + 2*n*c.Width
	case c.Memory == KeepInputs:
		size += c.Layers*streams*n*c.Width + layer + back + 2*n*c.Width
	default:
		size += max(attn, ff) + back + 3*n*c.Width
	}
	return 4 * (size + size/64 + 1<<14)
}

// final is the output side of a pass.
type final struct {
	x          []float32 // what the last norm sees
	mean, rstd []float32
	h          []float32  // normalised [n, width]
	h16        []f32.BF16 // the same, of a narrow pass
	logits     []float32  // [n, vocabulary]
	losses     []float32  // one a row, 0 where nothing is counted
}

// forward runs the batch up to the logits. x1 and x2 are the last layer's outputs.
func (p *pass) forward(f *final) (x1, x2 []float32) {
	c := p.m.cfg
	x1 = p.arena.Alloc(p.n * c.Width)
	p.embed(x1)
	if c.Reversible {
		x2 = p.clone(x1)
	}
	x1, x2 = p.layersForward(x1, x2)
	p.finish(f, x1, x2)
	return x1, x2
}

// finish runs the last norm and the output product. A reversible model's
// output is the mean of its streams.
func (p *pass) finish(f *final, x1, x2 []float32) {
	c, params := p.m.cfg, p.m.params
	f.x = x1
	if c.Reversible {
		f.x = p.arena.Alloc(len(x1))
		f32.Add(f.x, x1, x2)
		f32.Scale(f.x, 0.5, f.x)
	}
	f.mean, f.rstd = p.arena.Alloc(p.n), p.arena.Alloc(p.n)
	f.h = p.arena.Alloc(p.n * c.Width)
	f32.LayerNorm(f.h, f.x, params.normGain.w, params.normBias.w, p.n, c.Width, normEpsilon, f.mean, f.rstd)
	f.logits = p.arena.Alloc(p.n * c.Vocabulary)
	switch {
	case p.narrow:
		f.h16 = p.arena.AllocBF16(p.n * c.Width)
		f32.RoundRows(f.h16, c.Width, f.h, c.Width, p.n, c.Width)
		f32.TimesBF16(true, p.n, f.h16, c.Width, &p.weights.head, false, f.logits, c.Vocabulary)
	case c.Tied:
		f32.Gemm(false, true, p.n, c.Vocabulary, c.Width, 1, f.h, c.Width, params.embed.w, c.Width, 0, f.logits, c.Vocabulary)
	default:
		f32.Gemm(false, false, p.n, c.Vocabulary, c.Width, 1, f.h, c.Width, params.head.w, c.Vocabulary, 0, f.logits, c.Vocabulary)
	}
	f32.AddRow(f.logits, params.headBias.w, p.n, c.Vocabulary)
	for i := range p.told {
		p.m.copyLogits(f.logits[i*c.Vocabulary:][:c.Vocabulary], f.h[i*c.Width:][:c.Width], &p.told[i])
	}
}

// crossEntropy fills f.losses and turns f.logits into their gradient times
// scale.
func (p *pass) crossEntropy(f *final, scale float32) float64 {
	f.losses = p.arena.Alloc(p.n)
	entropyLoop.Run(p.n, 32, rowsOf{p: p, final: f, sign: scale})
	sum := 0.0
	for _, l := range f.losses {
		sum += float64(l)
	}
	return sum
}

var entropyLoop = eachRow(func(a *rowsOf, i int) {
	v, f := a.p.m.cfg.Vocabulary, a.final
	row := f.logits[i*v:][:v]
	if t := a.p.b.Targets[i]; t == Ignore {
		f.losses[i] = 0
		clear(row)
	} else {
		f.losses[i] = f32.CrossEntropyRow(row, t, a.sign)
	}
})

// gradients adds the batch's gradients, each row's weighted by scale, and
// returns the sum of its losses in nats.
func (w *workspace) gradients(m *Model, b *Batch, scale float32, drop dropout) float64 {
	m.params.needGrads()
	p := w.begin(m, b, true, drop)
	c, params := m.cfg, m.params
	f := &w.final
	x1, x2 := p.forward(f)
	sum := p.crossEntropy(f, scale)
	dh := p.arena.Alloc(p.n * c.Width)
	f32.SumRows(params.headBias.g, f.logits, p.n, c.Vocabulary)
	switch {
	case p.narrow:
		dlogits := p.arena.AllocBF16(p.n * c.Vocabulary)
		f32.RoundRows(dlogits, c.Vocabulary, f.logits, c.Vocabulary, p.n, c.Vocabulary)
		f32.TimesBF16(true, p.n, dlogits, c.Vocabulary, &p.weights.headBack, false, dh, c.Width)
		if c.Tied {
			p.addGradsNarrow(p.gradNarrow(f.h16, dlogits, &params.embed))
		} else {
			p.addGradsNarrow(p.gradNarrow(dlogits, f.h16, &params.head))
		}
	case c.Tied:
		f32.Gemm(true, false, c.Vocabulary, c.Width, p.n, 1, f.logits, c.Vocabulary, f.h, c.Width, 1, params.embed.g, c.Width)
		f32.Gemm(false, false, p.n, c.Width, c.Vocabulary, 1, f.logits, c.Vocabulary, params.embed.w, c.Width, 0, dh, c.Width)
	default:
		f32.Gemm(true, false, c.Width, c.Vocabulary, p.n, 1, f.h, c.Width, f.logits, c.Vocabulary, 1, params.head.g, c.Vocabulary)
		f32.Gemm(false, true, p.n, c.Width, c.Vocabulary, 1, f.logits, c.Vocabulary, params.head.w, c.Vocabulary, 0, dh, c.Width)
	}
	p.copyBack(f.logits, f.h, dh)
	f32.LayerNormGrad(dh, params.normGain.g, params.normBias.g, dh, f.x, params.normGain.w, f.mean, f.rstd, p.n, c.Width)
	var dh2 []float32
	if c.Reversible {
		f32.Scale(dh, 0.5, dh)
		dh2 = p.clone(dh)
	}
	p.layersBack(x1, x2, dh, dh2)
	if c.Reversible {
		f32.Add(dh, dh, dh2)
	}
	p.embedBack(dh)
	return sum
}

// ScorerOptions say how a scorer computes.
type ScorerOptions struct {
	// Stop is asked between the parts of each layer; true makes the call fail
	// with ErrStopped. nil for never.
	Stop func() bool
}

// Scorer computes losses without gradients; it keeps its memory from call to
// call.
type Scorer struct {
	m *Model
	w workspace
}

// NewScorer returns a scorer of the model. The options may be left out.
func NewScorer(m *Model, options ...ScorerOptions) *Scorer {
	s := &Scorer{m: m}
	s.w.pass.stop = append(options, ScorerOptions{})[0].Stop
	return s
}

// Losses returns -log p of each row's target in nats, 0 where it is Ignore. The
// slice is valid until the next call.
func (s *Scorer) Losses(b *Batch) (losses []float32, err error) {
	defer abandoned(&err)
	if err := b.check(s.m.cfg); err != nil {
		return nil, fmt.Errorf("failed to score batch: %w", err)
	}
	p := s.w.begin(s.m, b, false, dropout{})
	f := &s.w.final
	p.forward(f)
	p.crossEntropy(f, 0)
	return f.losses, nil
}

// Loss returns the mean loss of a batch in nats a counted token.
func (s *Scorer) Loss(b *Batch) (float64, error) {
	n := b.Counted()
	if n == 0 {
		return 0, fmt.Errorf("failed to score batch: no row has a target")
	}
	losses, err := s.Losses(b)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, l := range losses {
		sum += float64(l)
	}
	if math.IsNaN(sum) {
		return sum, fmt.Errorf("failed to score batch: the loss is not a number")
	}
	return sum / float64(n), nil
}

// Hidden returns the states of all rows behind the given number of layers
// [rows, width]: 0 gives the embeddings, Config.Layers what the last norm sees.
// The slice is valid until the next call.
func (s *Scorer) Hidden(b *Batch, layers int) (states []float32, err error) {
	defer abandoned(&err)
	if err := b.check(s.m.cfg); err != nil {
		return nil, fmt.Errorf("failed to compute states: batch: %w", err)
	}
	if layers < 0 || layers > s.m.cfg.Layers {
		return nil, fmt.Errorf("failed to compute states: layer %d of a model with %d", layers, s.m.cfg.Layers)
	}
	_, x1, x2 := s.through(b, layers)
	if x2 != nil {
		f32.Add(x1, x1, x2)
		f32.Scale(x1, 0.5, x1)
	}
	return x1, nil
}

// through runs a batch through so many layers and returns the pass and the streams
// behind them; x2 is nil unless the model is reversible.
func (s *Scorer) through(b *Batch, layers int) (p *pass, x1, x2 []float32) {
	p = s.w.begin(s.m, b, false, dropout{})
	x1 = p.arena.Alloc(p.n * s.m.cfg.Width)
	p.embed(x1)
	if s.m.cfg.Reversible {
		x2 = p.clone(x1)
	}
	var saved layerSaved
	for i := range layers {
		mark := p.arena.Mark()
		p.layerForward(i, x1, x2, x1, x2, &saved)
		p.flush()
		p.arena.Release(mark)
	}
	return p, x1, x2
}
