package model

import "trafficgpt/model/f32"

// addGrads adds to the gradients of w and bias in y = x·w + bias.
func (p *pass) addGrads(dy, x []float32, w, bias *tensor) {
	f32.SumRows(bias.g, dy, p.n, w.cols)
	f32.Gemm(true, false, w.rows, w.cols, p.n, 1, x, w.rows, dy, w.cols, 1, w.g, w.cols)
}

// inputGrad sets dx to the gradient of x in y = x·w + bias.
func (p *pass) inputGrad(dx, dy []float32, w *tensor) {
	f32.Gemm(false, true, p.n, w.rows, w.cols, 1, dy, w.cols, w.w, w.cols, 0, dx, w.rows)
}

// dropped returns dy as it is without dropout, else a copy with dropout
// applied: the gradient of what went into emit.
func (p *pass) dropped(dy []float32, site uint64) []float32 {
	if p.drop.rate == 0 {
		return dy
	}
	dy = p.clone(dy)
	p.dropRows(dy, p.m.cfg.Width, site)
	return dy
}

func (p *pass) clone(x []float32) []float32 {
	y := p.arena.Alloc(len(x))
	copy(y, x)
	return y
}

// attentionBack adds to dx what the gradient dy of the attention branch's
// output says of its input x.
func (p *pass) attentionBack(layer int, x []float32, s *attnSaved, dy, dx []float32) {
	p.poll()
	if p.narrow {
		p.attentionBackNarrow(layer, x, s, dy, dx)
		return
	}
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l := p.m.cfg, &p.m.params.layers[layer]
	dy = p.dropped(dy, site(layer, siteProjection))
	do := p.arena.Alloc(p.n * c.inner())
	p.addGrads(dy, s.o, &l.proj, &l.projBias)
	p.inputGrad(do, dy, &l.proj)
	dqkv := p.arena.Alloc(p.n * c.projected())
	p.gateBack(s, do, dqkv)
	headBackLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s, y: do, dx: dqkv})
	p.mapRowsBack(s.qkv, dqkv)
	dh := p.arena.Alloc(p.n * c.Width)
	p.addGrads(dqkv, s.h, &l.qkv, &l.qkvBias)
	p.inputGrad(dh, dqkv, &l.qkv)
	p.unshift(dh)
	f32.LayerNormGrad(dh, l.norm1Gain.g, l.norm1Bias.g, dh, x, l.norm1Gain.w, s.mean, s.rstd, p.n, c.Width)
	f32.Add(dx, dx, dh)
}

var headBackLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
	for _, it := range a.p.items[lo:hi] {
		a.p.headBack(a.layer, it, a.attn, a.y, a.dx, a.p.scratch[worker])
	}
})

// headBack is the gradient of head.
func (p *pass) headBack(layer int, it item, s *attnSaved, do, dqkv, scratch []float32) {
	c, d := p.m.cfg, p.m.cfg.HeadDim
	ld, inner := c.projected(), c.inner()
	if it.segment < 0 {
		p.rwkvBack(layer, it.head, s, do, dqkv, scratch)
		return
	}
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	at := g.Start*ld + it.head*d
	q, k, v := s.qkv[at:], s.qkv[at+inner:], s.qkv[at+2*inner:]
	dq, dk, dv := dqkv[at:], dqkv[at+inner:], dqkv[at+2*inner:]
	dout := do[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	switch c.kind(it.head) {
	case localHead, softmaxHead:
		w := p.window(it.head)
		w.backward(0, n, q, k, v, ld, dout, inner, row, dq, dk, dv, scratch, p.headSite(layer, it))
	case linearHead, retentionHead:
		sc := p.m.scans[it.head]
		sc.backward(n, q, k, v, ld, s.o[g.Start*inner+it.head*d:], dout, inner, row,
			s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], nil, dq, dk, dv, scratch)
	}
}

func (p *pass) rwkvBack(layer, head int, s *attnSaved, do, dqkv, scratch []float32) {
	c, d, l := p.m.cfg, p.m.cfg.HeadDim, &p.m.params.layers[layer]
	ld, inner := c.projected(), c.inner()
	r := p.rwkvHead(layer, head, scratch)
	scratch = scratch[2*d:]
	at := (head - c.firstRWKV()) * d
	decay, ddecay, dbonus := l.rwkvDecay.w[at:][:d], l.rwkvDecay.g[at:][:d], l.rwkvBonus.g[at:][:d]
	for i, g := range p.b.Segments {
		q, dq := s.qkv[g.Start*ld+head*d:], dqkv[g.Start*ld+head*d:]
		r.backward(g.End-g.Start, q, q[inner:], q[2*inner:], ld, do[g.Start*inner+head*d:], inner,
			s.states[head][p.rwkvFirst[i]*r.stateSize():], nil, dq, dq[inner:], dq[2*inner:], ddecay, dbonus, decay, scratch)
	}
}

// mapRowsBack is the gradient of mapRows, in place.
func (p *pass) mapRowsBack(x, dx []float32) {
	c := p.m.cfg
	rotated := c.Positions == PositionsRotary
	if !rotated && c.LinearHeads == 0 {
		return
	}
	for _, s := range p.b.Segments {
		a := rowsOf{p: p, x: x, dx: dx, segment: s}
		if rotated {
			a.cos, a.sin = p.m.rotary(s.End - s.Start)
		}
		mapBackLoop.Run(s.End-s.Start, 32, a)
	}
}

var mapBackLoop = eachRow(func(a *rowsOf, i int) {
	ld, half := a.p.m.cfg.projected(), a.p.m.cfg.HeadDim/2
	at := (a.segment.Start + i) * ld
	row, drow := a.x[at:][:ld], a.dx[at:][:ld]
	a.p.m.featureRowBack(row, drow)
	if a.cos != nil {
		a.p.m.turnRow(drow, a.cos[i*half:][:half], a.sin[i*half:][:half], -1)
	}
})

// feedForwardBack adds to dx what the gradient dy of the feed-forward branch's
// output says of its input x.
func (p *pass) feedForwardBack(layer int, x []float32, s *ffSaved, dy, dx []float32) {
	p.poll()
	if p.narrow {
		p.feedForwardBackNarrow(layer, x, s, dy, dx)
		return
	}
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l := p.m.cfg, &p.m.params.layers[layer]
	dy = p.dropped(dy, site(layer, siteFeedForward))
	act, dact := p.arena.Alloc(p.n*c.FeedForward), p.arena.Alloc(p.n*c.FeedForward)
	p.inputGrad(dact, dy, &l.fc2)
	df := p.activateBack(act, dact, s.f, layer)
	p.addGrads(dy, act, &l.fc2, &l.fc2Bias)
	dh := p.arena.Alloc(p.n * c.Width)
	p.addGrads(df, s.h, &l.fc1, &l.fc1Bias)
	p.inputGrad(dh, df, &l.fc1)
	p.unshift(dh)
	f32.LayerNormGrad(dh, l.norm2Gain.g, l.norm2Bias.g, dh, x, l.norm2Gain.w, s.mean, s.rstd, p.n, c.Width)
	f32.Add(dx, dx, dh)
}

// activateBack computes act once more and returns the gradient of f from that
// of act, which it overwrites.
func (p *pass) activateBack(act, dact, f []float32, layer int) []float32 {
	df := dact
	if p.m.cfg.GLU {
		df = p.arena.Alloc(p.n * p.m.cfg.hidden())
	}
	activateBackLoop.Run(p.n, rowsAtHand, rowsOf{p: p, x: f, y: act, base: dact, dx: df, site: site(layer, siteActivation)})
	return df
}

var activateBackLoop = eachRow(func(a *rowsOf, i int) {
	ff, hidden := a.p.m.cfg.FeedForward, a.p.m.cfg.hidden()
	row, drow, df, f := a.y[i*ff:][:ff], a.base[i*ff:][:ff], a.dx[i*hidden:][:hidden], a.x[i*hidden:][:hidden]
	a.p.drop.row(drow, a.site, i, 0)
	f32.Gelu(row, f[:ff])
	if a.p.m.cfg.GLU {
		f32.Mul(df[ff:], drow, row)
		f32.Mul(row, row, f[ff:])
		f32.Mul(drow, drow, f[ff:])
	}
	a.p.drop.row(row, a.site, i, 0)
	f32.GeluGrad(df[:ff], f[:ff], drow)
})

// layersBack turns the gradients of the last outputs into those of the
// embeddings, in place. x1 and x2 are the last outputs, which reversible
// models with KeepNothing turn back into the first inputs on the way.
func (p *pass) layersBack(x1, x2, dx1, dx2 []float32) {
	if p.narrow {
		p.allocBack()
	}
	for i := p.m.cfg.Layers - 1; i >= 0; i-- {
		mark := p.arena.Mark()
		s := &p.layers[i]
		switch p.m.cfg.Memory {
		case KeepInputs:
			p.recompute(i, s)
		case KeepNothing:
			p.rebuild(i, x1, x2, dx1, dx2, s)
			p.flush()
			p.arena.Release(mark)
			continue
		}
		if p.m.cfg.Reversible {
			p.feedForwardBack(i, s.mid, &s.ff, dx2, dx1)
			p.attentionBack(i, s.x2, &s.attn, dx1, dx2)
		} else {
			// Branch and base share a stream: each branch reads its dy before
			// its last line adds to dx, a narrow one block by block.
			p.feedForwardBack(i, s.mid, &s.ff, dx1, dx1)
			p.attentionBack(i, s.x1, &s.attn, dx1, dx1)
		}
		if p.m.cfg.Memory != KeepAll {
			p.flush()
		}
		p.arena.Release(mark)
	}
	p.flush()
}

// recompute fills s again from the layer's inputs.
func (p *pass) recompute(i int, s *layerSaved) {
	s.mid = p.arena.Alloc(len(s.x1))
	if p.m.cfg.Reversible {
		p.attention(i, s.x2, s.x1, s.mid, 1, &s.attn)
	} else {
		p.attention(i, s.x1, s.x1, s.mid, 1, &s.attn)
	}
	p.feedForward(i, s.mid, nil, nil, 1, &s.ff)
}

// rebuild turns a reversible layer's outputs back into its inputs, in place,
// and runs its gradients.
func (p *pass) rebuild(i int, x1, x2, dx1, dx2 []float32, s *layerSaved) {
	mark := p.arena.Mark()
	p.feedForward(i, x1, x2, x2, -1, &s.ff)
	p.feedForwardBack(i, x1, &s.ff, dx2, dx1)
	p.finishBack()
	p.arena.Release(mark)
	p.attention(i, x2, x1, x1, -1, &s.attn)
	p.attentionBack(i, x2, &s.attn, dx1, dx2)
}

// embedBack adds the gradients of the embeddings.
func (p *pass) embedBack(dx []float32) {
	params, c := p.m.params, p.m.cfg
	f32.ScatterAddRows(params.embed.g, dx, c.Width, p.b.Tokens)
	for i := range p.told {
		row := dx[i*c.Width:][:c.Width]
		p.m.vectors(&p.told[i], func(t *tensor, at int) {
			g := t.g[at*c.Width:][:c.Width]
			f32.Add(g, g, row)
		})
	}
	if c.Positions != PositionsAxial {
		return
	}
	for _, s := range p.b.Segments {
		for i := s.Start; i < s.End; i++ {
			position := s.Position + i - s.Start
			row, col := position/c.AxialCols, position%c.AxialCols
			g := params.colPos.g[col*c.Width:][:c.Width]
			f32.Add(g, g, dx[i*c.Width:][:c.Width])
			if c.AxialRows > 1 {
				g := params.rowPos.g[row%c.AxialRows*c.Width:][:c.Width]
				f32.Add(g, g, dx[i*c.Width:][:c.Width])
			}
		}
	}
}
