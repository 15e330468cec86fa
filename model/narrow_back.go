package model

import "trafficgpt/model/f32"

// gradNarrow is the gradient of w in y = x·w.
func (p *pass) gradNarrow(dy, x []f32.BF16, w *tensor) f32.GradBF16 {
	return f32.GradBF16{M: w.rows, N: w.cols, K: p.n, A: x, B: dy, C: w.g, Fresh: p.fresh && w.product}
}

// addGradsNarrow adds gradients, and those that wait.
func (p *pass) addGradsNarrow(grads ...f32.GradBF16) {
	p.grads = append(p.grads, grads...) // in memory that is there already
	f32.AddGradsBF16(p.grads...)
	p.grads = p.grads[:0]
}

// finishBack does what waits, so that its memory may be used again.
func (p *pass) finishBack() {
	p.flush()
	if len(p.grads) > 0 {
		p.addGradsNarrow()
	}
}

// parts is zeroed memory for a sum of rows of each half of a block.
func (p *pass) parts(cols int) []float32 {
	return p.arena.AllocZero(((p.n-1)/p.half + 1) * cols)
}

// attentionBackNarrow is attentionBack with products of bfloat16; dx is there when the chain has run.
func (p *pass) attentionBackNarrow(layer int, x []float32, s *attnSaved, dy, dx []float32) {
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], p.narrowLayer(layer, true)
	if p.drop.rate > 0 {
		p.flush()
		dy = p.dropped(dy, site(layer, siteProjection))
	}
	dy16, do16, dqkv16 := p.arena.AllocBF16(p.n*c.Width), p.arena.AllocBF16(p.n*c.inner()), p.dqkv16
	a := blockOf{p: p, layer: layer, attn: s, dy: dy, dy16: dy16, out16: do16, w: &w.projBack, parts: p.parts(c.Width)}
	if c.wide() {
		a.y, a.dx = p.arena.Alloc(p.n*c.inner()), p.arena.Alloc(p.n*c.projected())
	}
	p.then((*blockOf).projectBack, a)
	p.sumParts(a.parts, l.projBias.g)
	p.flush()
	if c.wide() {
		headBackLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s, y: a.y, dx: a.dx})
		p.mapRowsBack(s.qkv, a.dx)
		parts := p.parts(c.projected())
		p.then((*blockOf).roundBack, blockOf{p: p, dx: a.dx, out16: dqkv16, parts: parts})
		p.sumParts(parts, l.qkvBias.g)
		p.flush()
	} else {
		p.headsBackNarrow(layer, s, do16, dqkv16)
	}
	p.addGradsNarrow(p.gradNarrow(dy16, s.o16, &l.proj), p.gradNarrow(dqkv16, s.h16, &l.qkv))
	// What this stage reads and sums must outlive the layer's memory.
	clear(p.inputNorms)
	p.then((*blockOf).inputBack, blockOf{p: p, x: x, dx: dx, out16: dqkv16, back: &w.qkvBack, gain: &l.norm1Gain, mean: s.mean, rstd: s.rstd, normParts: p.inputNorms})
	p.sumNormParts(p.inputNorms, &l.norm1Gain, &l.norm1Bias)
}

// allocBack makes what a layer's last stage back shares with the first ones of the layer below.
func (p *pass) allocBack() {
	p.dqkv16 = p.arena.AllocBF16(p.n * p.m.cfg.projected())
	p.inputNorms = p.parts(2 * p.m.cfg.Width)
}

// normBack adds to rows [lo, hi) of dx the gradient of the normalised and shifted rows of x: dh, which begins with row lo and, where
// rows are shifted, goes on to row hi. row is scratch.
func (a *blockOf) normBack(lo, hi int, dh, row []float32) {
	w, shift := a.p.m.cfg.Width, a.p.m.cfg.TokenShift
	part, half := a.normParts[lo/a.p.half*2*w:][:2*w], w/2
	for i := lo; i < hi; i++ {
		dy := dh[(i-lo)*w:][:w]
		if shift { // the first half went to the row below
			copy(row[half:w], dy[half:])
			if i+1 < a.p.n && !a.p.begins[i+1] {
				copy(row[:half], dh[(i+1-lo)*w:])
			} else {
				clear(row[:half])
			}
			dy = row[:w]
		}
		f32.NormGradRow(a.dx[i*w:][:w], part[:w], part[w:], dy, a.x[i*w:][:w], a.gain.w, a.mean[i], a.rstd[i])
	}
}

// normOnlyBack is normBack of rows dy.
func (a *blockOf) normOnlyBack(lo, hi int, scratch []float32) {
	a.normBack(lo, hi, a.dy[lo*a.p.m.cfg.Width:], scratch)
}

// inputBack computes the gradients of the projections' inputs and takes them back through the norm.
func (a *blockOf) inputBack(lo, hi int, scratch []float32) {
	c := &a.p.m.cfg
	rows := hi - lo
	if c.TokenShift && hi < a.p.n {
		rows++
	}
	dh, row := scratch[:rows*c.Width], scratch[len(scratch)-c.Width:]
	f32.TimesBF16(false, rows, a.out16[lo*c.projected():], c.projected(), a.back, false, dh, c.Width)
	a.normBack(lo, hi, dh, row)
}

// projectBack rounds rows of dy and computes the gradients of the heads' outputs.
func (a *blockOf) projectBack(lo, hi int, scratch []float32) {
	c, s := &a.p.m.cfg, a.attn
	w, d, inner, ld := c.Width, c.HeadDim, c.inner(), c.projected()
	a.roundRows(lo, hi, w, a.parts)
	do := scratch[:(hi-lo)*inner]
	f32.TimesBF16(false, hi-lo, a.dy16[lo*w:], w, a.w, false, do, inner)
	for i := lo; i < hi && c.RetentionHeads > 0; i++ {
		for h := range c.RetentionHeads {
			at := i*ld + 3*inner + h*d
			gateRowBack(do[(i-lo)*inner+(c.firstRetention()+h)*d:][:d], a.dx[at:][:d], s.raw[(i*c.RetentionHeads+h)*d:][:d],
				s.qkv[at:][:d], s.rrstd[i*c.RetentionHeads+h])
		}
	}
	if a.y != nil {
		copy(a.y[lo*inner:hi*inner], do)
	} else {
		f32.Round(a.out16[lo*inner:hi*inner], do)
	}
}

// roundBack rounds rows of the projections' gradients.
func (a *blockOf) roundBack(lo, hi int, _ []float32) {
	ld := a.p.m.cfg.projected()
	f32.SumRoundRows(a.out16[lo*ld:], ld, a.dx[lo*ld:], ld, hi-lo, a.parts[lo/a.p.half*ld:][:ld])
}

// feedForwardBackNarrow is feedForwardBack with products of bfloat16; dx is there when the chain has run, and the gradients of
// the weights wait for those of attention; see finishBack.
func (p *pass) feedForwardBackNarrow(layer int, x []float32, s *ffSaved, dy, dx []float32) {
	c, l, w := &p.m.cfg, &p.m.params.layers[layer], p.narrowLayer(layer, true)
	if p.drop.rate > 0 {
		p.flush()
		dy = p.dropped(dy, site(layer, siteFeedForward))
	}
	dy16, df16, act16 := p.arena.AllocBF16(p.n*c.Width), p.arena.AllocBF16(p.n*c.hidden()), p.arena.AllocBF16(p.n*c.FeedForward)
	parts, dyParts, norms := p.parts(c.hidden()), p.parts(c.Width), p.parts(2*c.Width)
	a := blockOf{p: p, ff: s, dy: dy, dy16: dy16, out16: df16, act16: act16, parts: parts, dyParts: dyParts, w: &w.fc2Back, back: &w.fc1Back,
		site: site(layer, siteActivation), x: x, dx: dx, gain: &l.norm2Gain, mean: s.mean, rstd: s.rstd, normParts: norms}
	if c.TokenShift { // a row's gradient is in two rows, and the one below may be another block's
		a.y = p.arena.Alloc(p.n * c.Width)
	}
	p.then((*blockOf).feedForwardBack, a)
	p.sumParts(parts, l.fc1Bias.g)
	p.sumParts(dyParts, l.fc2Bias.g)
	if c.TokenShift {
		p.flush()
		a.dy = a.y
		p.then((*blockOf).normOnlyBack, a)
	}
	p.sumNormParts(norms, &l.norm2Gain, &l.norm2Bias)
	p.grads = append(p.grads, p.gradNarrow(dy16, act16, &l.fc2), p.gradNarrow(df16, s.h16, &l.fc1))
}

// roundRows rounds rows of dy and adds them to the block's sum.
func (a *blockOf) roundRows(lo, hi, w int, parts []float32) {
	f32.SumRoundRows(a.dy16[lo*w:], w, a.dy[lo*w:], w, hi-lo, parts[lo/a.p.half*w:][:w])
}

// feedForwardBack takes rows of gradients back through the feed-forward branch.
func (a *blockOf) feedForwardBack(lo, hi int, scratch []float32) {
	c := &a.p.m.cfg
	w, ff, hidden := c.Width, c.FeedForward, c.hidden()
	a.roundRows(lo, hi, w, a.dyParts)
	dact := scratch[:(hi-lo)*ff]
	f32.TimesBF16(false, hi-lo, a.dy16[lo*w:], w, a.w, false, dact, ff)
	part := a.parts[lo/a.p.half*hidden:][:hidden]
	for i := lo; i < hi; i++ {
		a.activateBack(i, dact[(i-lo)*ff:][:ff], part, scratch[len(scratch)-4*hidden:])
	}
	dh := scratch[:(hi-lo)*w]
	if a.y != nil {
		dh = a.y[lo*w : hi*w]
	}
	f32.TimesBF16(false, hi-lo, a.out16[lo*hidden:], hidden, a.back, false, dh, w)
	if a.y == nil {
		a.normBack(lo, hi, dh, nil)
	}
}

// activateBack computes row i of the activation once more, and of the gradient of what it is of, whose sum goes to part.
func (a *blockOf) activateBack(i int, dact, part, scratch []float32) {
	glu, ff, hidden := a.p.m.cfg.GLU, len(dact), len(part)
	f16, act, out := a.ff.f16[i*hidden:][:hidden], a.act16[i*ff:][:ff], a.out16[i*hidden:][:hidden]
	if !glu && a.p.drop.rate == 0 {
		f32.GeluBack(out, act, f16, dact, part)
		return
	}
	a.p.drop.row(dact, a.site, i, 0)
	f, y, df := scratch[:hidden], scratch[hidden:][:ff], scratch[2*hidden:][:hidden]
	f32.Widen(f, f16)
	f32.Gelu(y, f[:ff])
	if glu {
		f32.Mul(df[ff:], dact, y)
		f32.Mul(y, y, f[ff:])
		f32.Mul(dact, dact, f[ff:])
	}
	a.p.drop.row(y, a.site, i, 0)
	f32.Round(act, y)
	f32.GeluGrad(df[:ff], f[:ff], dact)
	f32.SumRound(out, df, part)
}
