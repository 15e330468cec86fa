package model

import (
	"fmt"
	"os"

	"trafficgpt/model/f32"
)

// Precisions of training. Weights, moments, the residual stream, norms, softmax, the states of linear heads, loss
// and optimiser are float32 in both; what differs is what goes into products, and what is kept for the
// backward pass.
const (
	PrecisionFP32 = "fp32"
	PrecisionBF16 = "bf16" // products of bfloat16 with float32 sums
)

// PrecisionOf returns the precision of that name. Without one it is what the environment variable TRAFFICGPT_PRECISION
// says or, failing that, bf16 where the processor has instructions for it and fp32 elsewhere.
func PrecisionOf(name string) (string, error) {
	if name == "" {
		name = os.Getenv("TRAFFICGPT_PRECISION")
	}
	switch {
	case name == "" && f32.HasBF16():
		return PrecisionBF16, nil
	case name == "":
		return PrecisionFP32, nil
	case name != PrecisionFP32 && name != PrecisionBF16:
		return "", fmt.Errorf("precision %q is not known: it must be %q or %q", name, PrecisionFP32, PrecisionBF16)
	}
	return name, nil
}

// narrowWeights are the matrices of a step in bfloat16, and their transposes. Each is packed when it is first wanted.
type narrowWeights struct {
	layers         []narrowLayer // one a layer, or one for all of them in turn
	head, headBack f32.PackedBF16
	fresh          bool // head and headBack
}

type narrowLayer struct {
	qkv, proj, fc1, fc2                 f32.PackedBF16
	qkvBack, projBack, fc1Back, fc2Back f32.PackedBF16
	owner                               int  // the layer they are of
	there, back                         bool // which of them are as the weights are
}

// keptNarrow is how many weights are kept packed from one pass to the next; with more, layers share their memory.
const keptNarrow = 1 << 24

// stale says that the weights have changed.
func (w *narrowWeights) stale() {
	w.fresh = false
	for i := range w.layers {
		w.layers[i].there, w.layers[i].back = false, false
	}
}

// narrowHead packs the output matrix unless it is as it was.
func (m *Model) narrowHead() *narrowWeights {
	w := &m.narrow
	if w.layers == nil {
		n := m.cfg.Layers
		if len(m.params.weights) > keptNarrow {
			n = 1
		}
		w.layers = make([]narrowLayer, n)
	}
	if w.fresh {
		return w
	}
	w.fresh = true
	head := [2]f32.PackingBF16{packing(&m.params.head, &w.head), packingBack(&m.params.head, &w.headBack)}
	if m.cfg.Tied {
		head = [2]f32.PackingBF16{packing(&m.params.embed, &w.headBack), packingBack(&m.params.embed, &w.head)}
	}
	f32.PackAllBF16(head[:])
	return w
}

// narrowLayer packs the matrices of a layer unless they are as they were, and their transposes if back is set.
func (m *Model) narrowLayer(i int, back bool) *narrowLayer {
	l, w := &m.params.layers[i], &m.narrow.layers[i%len(m.narrow.layers)]
	if w.owner != i {
		w.owner, w.there, w.back = i, false, false
	}
	if !w.there {
		w.there = true
		four := [4]f32.PackingBF16{packing(&l.qkv, &w.qkv), packing(&l.proj, &w.proj), packing(&l.fc1, &w.fc1), packing(&l.fc2, &w.fc2)}
		f32.PackAllBF16(four[:])
	}
	if back && !w.back {
		w.back = true
		four := [4]f32.PackingBF16{packingBack(&l.qkv, &w.qkvBack), packingBack(&l.proj, &w.projBack), packingBack(&l.fc1, &w.fc1Back), packingBack(&l.fc2, &w.fc2Back)}
		f32.PackAllBF16(four[:])
	}
	return w
}

// narrowLayer is the model's, but where layers share their memory the chain no longer needs those of another.
func (p *pass) narrowLayer(i int, back bool) *narrowLayer {
	if w := &p.m.narrow.layers[i%len(p.m.narrow.layers)]; w.owner != i {
		p.flush()
	}
	return p.m.narrowLayer(i, back)
}

func packing(t *tensor, dst *f32.PackedBF16) f32.PackingBF16 {
	return f32.PackingBF16{K: t.rows, N: t.cols, B: t.w, LDB: t.cols, Dst: dst}
}

func packingBack(t *tensor, dst *f32.PackedBF16) f32.PackingBF16 {
	return f32.PackingBF16{TransB: true, K: t.cols, N: t.rows, B: t.w, LDB: t.cols, Dst: dst}
}

// bytes is the memory of the packed weights.
func (w *narrowWeights) bytes() int {
	n := w.head.Bytes() + w.headBack.Bytes()
	for i := range w.layers {
		l := &w.layers[i]
		for _, p := range []*f32.PackedBF16{&l.qkv, &l.proj, &l.fc1, &l.fc2, &l.qkvBack, &l.projBack, &l.fc1Back, &l.fc2Back} {
			n += p.Bytes()
		}
	}
	return n
}

// wide reports whether some heads have no form for bfloat16. All of them then run in float32 between projections in
// bfloat16.
func (c *Config) wide() bool { return c.Bidirectional || c.RetentionHeads > 0 || c.RWKVHeads > 0 }

// blockRows returns how many rows of a pass go through a branch of a layer together, so that what is between two of its
// products stays in the second cache: fewer where rows are long.
func (c *Config) blockRows() int {
	if c.widest() > 1024 {
		return 48
	}
	return 96
}

// The last lastBlocks are halved: the sooner a thread's last piece of work ends, the shorter is the wait for the others'.
const lastBlocks = 4

// blocks returns how many pieces the rows of a pass are cut in, and how many of them, the first ones, are whole.
func (p *pass) blocks() (all, whole int) {
	halves := (p.n + p.half - 1) / p.half
	whole = halves / 2
	if whole > 2*lastBlocks {
		whole -= lastBlocks
	}
	return halves - whole, whole
}

// span returns the rows of a piece.
func (p *pass) span(piece, whole int) (lo, hi int) {
	if piece < whole {
		lo = piece * 2 * p.half
		return lo, min(lo+2*p.half, p.n)
	}
	lo = (whole + piece) * p.half
	return lo, min(lo+p.half, p.n)
}

// blockOf are the arguments of work on blocks of rows.
type blockOf struct {
	p              *pass
	layer          int
	x, base, y     []float32
	dx, dy         []float32
	sign           float32
	site           uint64
	first, w, back *f32.PackedBF16
	attn           *attnSaved
	ff             *ffSaved
	dy16, out16    []f32.BF16
	act16          []f32.BF16
	parts, dyParts []float32
	normParts      []float32
	bias, gain     *tensor
	mean, rstd     []float32
}

// widest is the longest row that is between two products.
func (c *Config) widest() int { return max(c.projected(), c.hidden(), c.Width, c.inner()) }

// prepareNarrow makes what blocks of rows need.
func (p *pass) prepareNarrow(longest int) {
	c := &p.m.cfg
	p.half = c.blockRows() / 2
	need := (c.blockRows()+1)*(c.widest()+(c.FeedForward+1)/2) + 4*c.widest()
	p.block = eachWorker(p.block, need, need)
	p.weights = p.m.narrowHead()
	if p.cos, p.sin = nil, nil; c.Positions == PositionsRotary {
		p.cos, p.sin = p.m.rotary(longest)
	}
	p.cutHeads()
	p.begins, p.place = p.begins[:0], p.place[:0]
	for _, s := range p.b.Segments {
		for i := range s.End - s.Start {
			p.begins, p.place = append(p.begins, i == 0), append(p.place, i)
		}
	}
}

// normBlock writes the normalised and shifted rows [lo, hi) of x to h.
func (p *pass) normBlock(lo, hi int, x []float32, gain, bias *tensor, mean, rstd []float32, h []f32.BF16, row []float32) {
	w := p.m.cfg.Width
	row = row[:w]
	if !p.m.cfg.TokenShift {
		for i := lo; i < hi; i++ {
			mean[i], rstd[i] = f32.NormRow(row, x[i*w:][:w], gain.w, bias.w, normEpsilon)
			f32.Round(h[i*w:][:w], row)
		}
		return
	}
	half := w / 2
	if !p.begins[lo] { // the block above may not be done yet
		f32.NormRow(row, x[(lo-1)*w:][:w], gain.w, bias.w, normEpsilon)
		f32.Round(h[lo*w:][:half], row[:half])
	}
	for i := lo; i < hi; i++ {
		mean[i], rstd[i] = f32.NormRow(row, x[i*w:][:w], gain.w, bias.w, normEpsilon)
		if p.begins[i] {
			clear(h[i*w:][:half])
		}
		f32.Round(h[i*w+half:][:w-half], row[half:])
		if i+1 < hi && !p.begins[i+1] {
			f32.Round(h[(i+1)*w:][:half], row[:half])
		}
	}
}

// attentionNarrow is attention with products of bfloat16; y is there when the chain has run.
func (p *pass) attentionNarrow(layer int, x, base, y []float32, sign float32, s *attnSaved) {
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], p.narrowLayer(layer, false)
	p.allocAttentionNarrow(s)
	if c.TokenShift {
		p.flush()
	}
	p.then((*blockOf).project, blockOf{p: p, layer: layer, x: x, attn: s, w: &w.qkv})
	p.flush()
	if c.wide() {
		headLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s})
		p.gate(s)
		f32.RoundRows(s.o16, c.inner(), s.o, c.inner(), p.n, c.inner())
	} else {
		p.headsNarrow(layer, s)
	}
	if y != nil {
		p.then((*blockOf).emitHeads, blockOf{p: p, out16: s.o16, w: &w.proj, bias: &l.projBias, base: base, y: y, sign: sign, site: site(layer, siteProjection)})
	}
}

// project normalises, projects and maps features of rows.
func (a *blockOf) project(lo, hi int, scratch []float32) {
	p, c, l, s := a.p, &a.p.m.cfg, &a.p.m.params.layers[a.layer], a.attn
	w, ld, half := c.Width, c.projected(), c.HeadDim/2
	qkv := scratch[:(hi-lo)*ld]
	p.normBlock(lo, hi, a.x, &l.norm1Gain, &l.norm1Bias, s.mean, s.rstd, s.h16, scratch)
	f32.TimesBF16(false, hi-lo, s.h16[lo*w:], w, a.w, false, qkv, ld)
	fused := s.qkv == nil && c.LinearHeads > 0 && c.Features == FeaturesELU
	for i := lo; i < hi; i++ {
		row := qkv[(i-lo)*ld:][:ld]
		var cos, sin []float32
		if p.cos != nil {
			at := p.place[i] * half
			cos, sin = p.cos[at:][:half], p.sin[at:][:half]
		}
		if fused {
			p.m.mapRound(s.qkv16[i*ld:][:ld], row, l.qkvBias.w, cos, sin)
			continue
		}
		f32.Add(row, row, l.qkvBias.w)
		p.m.featureRow(row)
		if cos != nil {
			p.m.turnRow(row, cos, sin, 1)
		}
		if s.qkv != nil {
			copy(s.qkv[i*ld:][:ld], row)
		} else {
			f32.Round(s.qkv16[i*ld:][:ld], row)
		}
	}
}

// mapRound adds the bias to a row of projections, maps the features of linear heads, which are those of FeaturesELU, turns those of
// the others unless cos is nil, and rounds all to out. row is overwritten.
func (m *Model) mapRound(out []f32.BF16, row, bias, cos, sin []float32) {
	c := &m.cfg
	inner, first, last := c.inner(), c.LocalHeads*c.HeadDim, (c.LocalHeads+c.LinearHeads)*c.HeadDim
	for at := 0; at < 2*inner; at += inner { // queries, then keys
		f32.EluRound(out[at+first:at+last], row[at+first:at+last], bias[at+first:at+last])
	}
	if cos == nil {
		f32.AddRound(out[:first], row[:first], bias[:first])
		f32.AddRound(out[last:inner+first], row[last:inner+first], bias[last:inner+first])
		f32.AddRound(out[inner+last:], row[inner+last:], bias[inner+last:])
		return
	}
	f32.Add(row, row, bias)
	m.turnRow(row, cos, sin, 1)
	f32.Round(out[:first], row[:first])
	f32.Round(out[last:inner+first], row[last:inner+first])
	f32.Round(out[inner+last:], row[inner+last:])
}

// emitHeads is emit of the heads' outputs, out16.
func (a *blockOf) emitHeads(lo, hi int, scratch []float32) {
	n, cols := a.w.K, a.w.N
	out := scratch[:(hi-lo)*cols]
	f32.TimesBF16(false, hi-lo, a.out16[lo*n:], n, a.w, false, out, cols)
	a.emit(lo, hi, out)
}

// emit sets y = base + sign·(out + bias), with dropout on what is added; out begins with row lo.
func (a *blockOf) emit(lo, hi int, out []float32) {
	cols := a.p.m.cfg.Width
	if a.sign > 0 && a.p.drop.rate == 0 {
		for i := lo; i < hi; i++ {
			f32.AddThree(a.y[i*cols:][:cols], a.base[i*cols:][:cols], out[(i-lo)*cols:][:cols], a.bias.w)
		}
		return
	}
	for i := lo; i < hi; i++ {
		row := out[(i-lo)*cols:][:cols]
		f32.Add(row, row, a.bias.w)
		a.p.drop.row(row, a.site, i, 0)
	}
	if y, base := a.y[lo*cols:hi*cols], a.base[lo*cols:hi*cols]; a.sign > 0 {
		f32.Add(y, base, out)
	} else {
		f32.Sub(y, base, out)
	}
}

func (p *pass) allocAttentionNarrow(s *attnSaved) {
	c, n := &p.m.cfg, p.n
	s.mean, s.rstd = p.arena.Alloc(n), p.arena.Alloc(n)
	s.h16 = p.arena.AllocBF16(n * c.Width)
	s.o16 = p.arena.AllocBF16(n * c.inner())
	if c.wide() {
		s.qkv, s.o = p.arena.Alloc(n*c.projected()), p.arena.Alloc(n*c.inner())
	} else {
		s.qkv, s.qkv16 = nil, p.arena.AllocBF16(n*c.projected())
	}
	p.allocHeads(s)
}

// feedForwardNarrow is feedForward with products of bfloat16; y is there when the chain has run.
func (p *pass) feedForwardNarrow(layer int, x, base, y []float32, sign float32, s *ffSaved) {
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], p.narrowLayer(layer, false)
	s.mean, s.rstd = p.arena.Alloc(p.n), p.arena.Alloc(p.n)
	s.h16 = p.arena.AllocBF16(p.n * c.Width)
	s.f16 = p.arena.AllocBF16(p.n * c.hidden())
	if c.TokenShift {
		p.flush()
	}
	p.then((*blockOf).feedForward, blockOf{p: p, layer: layer, x: x, base: base, y: y, sign: sign, site: site(layer, siteFeedForward),
		ff: s, first: &w.fc1, w: &w.fc2, bias: &l.fc2Bias})
}

// feedForward runs rows through the feed-forward branch.
func (a *blockOf) feedForward(lo, hi int, scratch []float32) {
	p, c, l, s := a.p, &a.p.m.cfg, &a.p.m.params.layers[a.layer], a.ff
	w, ff, hidden := c.Width, c.FeedForward, c.hidden()
	f, act := scratch[:(hi-lo)*hidden], f32.Narrow(scratch[len(scratch)-(hi-lo)*((ff+1)/2):])
	p.normBlock(lo, hi, a.x, &l.norm2Gain, &l.norm2Bias, s.mean, s.rstd, s.h16, scratch)
	f32.TimesBF16(false, hi-lo, s.h16[lo*w:], w, a.first, false, f, hidden)
	for i := lo; i < hi; i++ {
		p.activateNarrow(f[(i-lo)*hidden:][:hidden], l.fc1Bias.w, act[(i-lo)*ff:][:ff], s.f16[i*hidden:][:hidden], site(a.layer, siteActivation), i)
	}
	if a.y == nil {
		return
	}
	out := scratch[:(hi-lo)*w]
	f32.TimesBF16(false, hi-lo, act, ff, a.w, false, out, w)
	a.emit(lo, hi, out)
}

// activateNarrow adds the bias to a row f of [a b], which is overwritten, rounds the sum to f16 and of that gelu(a), or
// gelu(a)·b, to act.
func (p *pass) activateNarrow(f, bias []float32, act, f16 []f32.BF16, site uint64, i int) {
	if !p.m.cfg.GLU && p.drop.rate == 0 {
		f32.GeluRound(act, f16, f, bias)
		return
	}
	f32.Add(f, f, bias)
	f32.Round(f16, f)
	f32.Widen(f, f16)
	ff := len(act)
	f32.Gelu(f[:ff], f[:ff])
	if p.m.cfg.GLU {
		f32.Mul(f[:ff], f[:ff], f[ff:])
	}
	p.drop.row(f[:ff], site, i, 0)
	f32.Round(act, f[:ff])
}
