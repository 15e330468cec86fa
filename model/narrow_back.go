package model

import "trafficgpt/model/f32"

// gradNarrow adds to the gradient of w in y = x·w.
func (p *pass) gradNarrow(dy, x []f32.BF16, w *tensor) {
	f32.GemmBF16(true, false, w.rows, w.cols, p.n, 1, x, w.rows, dy, w.cols, 1, w.g, w.cols)
}

// sumParts adds the blocks' sums of rows to g, in order.
func (p *pass) sumParts(parts, g []float32) {
	for at := 0; at < len(parts); at += len(g) {
		f32.Add(g, g, parts[at:][:len(g)])
	}
}

// parts is zeroed memory for a sum of rows of each block.
func (p *pass) parts(cols int) []float32 {
	return p.arena.AllocZero(((p.n-1)/blockRows + 1) * cols)
}

// attentionBackNarrow is attentionBack with products of bfloat16.
func (p *pass) attentionBackNarrow(layer int, x []float32, s *attnSaved, dy, dx []float32) {
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], &p.weights.layers[layer]
	dy = p.dropped(dy, site(layer, siteProjection))
	dy16, do16 := p.arena.AllocBF16(p.n*c.Width), p.arena.AllocBF16(p.n*c.inner())
	dqkv := p.arena.Alloc(p.n * c.projected())
	a := blockOf{p: p, layer: layer, attn: s, dy: dy, dy16: dy16, out16: do16, dx: dqkv, w: &w.projBack}
	if c.wide() {
		a.y = p.arena.Alloc(p.n * c.inner())
	}
	f32.SumRows(l.projBias.g, dy, p.n, c.Width)
	projectBackLoop.Run(p.n, blockRows, a)
	p.gradNarrow(dy16, s.o16, &l.proj)
	headBackNarrowLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s, y: a.y, dx: dqkv, y16: do16})
	dqkv16, dh := p.arena.AllocBF16(p.n*c.projected()), p.arena.Alloc(p.n*c.Width)
	parts := p.parts(c.projected())
	mapBackNarrowLoop.Run(p.n, blockRows, blockOf{p: p, attn: s, dx: dqkv, out16: dqkv16, parts: parts, w: &w.qkvBack, y: dh})
	p.sumParts(parts, l.qkvBias.g)
	p.gradNarrow(dqkv16, s.h16, &l.qkv)
	p.unshift(dh)
	f32.LayerNormGrad(dh, l.norm1Gain.g, l.norm1Bias.g, dh, x, l.norm1Gain.w, s.mean, s.rstd, p.n, c.Width)
	f32.Add(dx, dx, dh)
}

// projectBackLoop rounds rows of dy and computes the gradients of the heads' outputs.
var projectBackLoop = eachBlock(func(a *blockOf, lo, hi int, scratch []float32) {
	c, s := &a.p.m.cfg, a.attn
	w, d, inner, ld := c.Width, c.HeadDim, c.inner(), c.projected()
	f32.Round(a.dy16[lo*w:hi*w], a.dy[lo*w:hi*w])
	do := scratch[:(hi-lo)*inner]
	f32.TimesBF16(false, hi-lo, a.dy16[lo*w:], w, a.w, false, do, inner)
	for i := lo; i < hi && c.RetentionHeads > 0; i++ {
		for h := range c.RetentionHeads {
			at := i*ld + 3*inner + h*d
			gateRowBack(do[(i-lo)*inner+(c.firstRetention()+h)*d:][:d], a.dx[at:][:d], s.raw[(i*c.RetentionHeads+h)*d:][:d],
				s.qkv[at:][:d], s.rrstd[i*c.RetentionHeads+h])
		}
	}
	f32.Round(a.out16[lo*inner:hi*inner], do)
	if a.y != nil {
		copy(a.y[lo*inner:hi*inner], do)
	}
})

// mapBackNarrowLoop turns rows of the features' gradients into those of the projections, rounds them and computes the
// gradients of the normalised input.
var mapBackNarrowLoop = eachBlock(func(a *blockOf, lo, hi int, scratch []float32) {
	p, c := a.p, &a.p.m.cfg
	ld, half := c.projected(), c.HeadDim/2
	part := a.parts[lo/blockRows*ld:][:ld]
	features := c.LinearHeads > 0
	row := scratch[:ld]
	for i := lo; i < hi; i++ {
		drow := a.dx[i*ld:][:ld]
		if features {
			f32.Widen(row, a.attn.qkv16[i*ld:][:ld])
			p.m.featureRowBack(row, drow)
		}
		if p.cos != nil {
			at := p.place[i] * half
			p.m.turnRow(drow, p.cos[at:][:half], p.sin[at:][:half], -1)
		}
		f32.SumRound(a.out16[i*ld:][:ld], drow, part)
	}
	f32.TimesBF16(false, hi-lo, a.out16[lo*ld:], ld, a.w, false, a.y[lo*c.Width:], c.Width)
})

// feedForwardBackNarrow is feedForwardBack with products of bfloat16.
func (p *pass) feedForwardBackNarrow(layer int, x []float32, s *ffSaved, dy, dx []float32) {
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], &p.weights.layers[layer]
	dy = p.dropped(dy, site(layer, siteFeedForward))
	dy16, df16 := p.arena.AllocBF16(p.n*c.Width), p.arena.AllocBF16(p.n*c.hidden())
	dh, parts := p.arena.Alloc(p.n*c.Width), p.parts(c.hidden())
	f32.SumRows(l.fc2Bias.g, dy, p.n, c.Width)
	backLoop.Run(p.n, blockRows, blockOf{p: p, ff: s, dy: dy, dy16: dy16, out16: df16, parts: parts, w: &w.fc2Back, back: &w.fc1Back, y: dh,
		site: site(layer, siteActivation)})
	p.sumParts(parts, l.fc1Bias.g)
	p.gradNarrow(dy16, s.act16, &l.fc2)
	p.gradNarrow(df16, s.h16, &l.fc1)
	p.unshift(dh)
	f32.LayerNormGrad(dh, l.norm2Gain.g, l.norm2Bias.g, dh, x, l.norm2Gain.w, s.mean, s.rstd, p.n, c.Width)
	f32.Add(dx, dx, dh)
}

// backLoop takes rows of gradients back through the feed-forward branch.
var backLoop = eachBlock(func(a *blockOf, lo, hi int, scratch []float32) {
	c, s := &a.p.m.cfg, a.ff
	w, ff, hidden := c.Width, c.FeedForward, c.hidden()
	f32.Round(a.dy16[lo*w:hi*w], a.dy[lo*w:hi*w])
	dact := scratch[:(hi-lo)*ff]
	f32.TimesBF16(false, hi-lo, a.dy16[lo*w:], w, a.w, false, dact, ff)
	part := a.parts[lo/blockRows*hidden:][:hidden]
	for i := lo; i < hi; i++ {
		row := dact[(i-lo)*ff:][:ff]
		a.p.drop.row(row, a.site, i, 0)
		for at := 0; at < hidden; at += ff {
			f32.MulRound(a.out16[i*hidden+at:][:ff], row, s.slope16[i*hidden+at:][:ff], part[at:][:ff])
		}
	}
	f32.TimesBF16(false, hi-lo, a.out16[lo*hidden:], hidden, a.back, false, a.y[lo*w:], w)
})
