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
	if p.drop.p == 0 {
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
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l := p.m.cfg, &p.m.p.layers[layer]
	dy = p.dropped(dy, site(layer, siteProjection))
	do := p.arena.Alloc(p.n * c.inner())
	p.addGrads(dy, s.o, &l.proj, &l.projBias)
	p.inputGrad(do, dy, &l.proj)
	dp := p.arena.Alloc(p.n * c.projected())
	p.gateBack(s, do, dp)
	f32.Parallel(len(p.items), 1, func(lo, hi, worker int) {
		for _, it := range p.items[lo:hi] {
			p.headBack(layer, it, s, do, dp, p.scratch[worker])
		}
	})
	p.mapRowsBack(s.p, dp)
	dh := p.arena.Alloc(p.n * c.Width)
	p.addGrads(dp, s.h, &l.qkv, &l.qkvBias)
	p.inputGrad(dh, dp, &l.qkv)
	p.unshift(dh)
	f32.LayerNormGrad(dh, l.norm1Gain.g, l.norm1Bias.g, dh, x, l.norm1Gain.w, s.mean, s.rstd, p.n, c.Width)
	f32.Add(dx, dx, dh)
}

// headBack is the gradient of head.
func (p *pass) headBack(layer int, it item, s *attnSaved, do, dp, scratch []float32) {
	c, d := p.m.cfg, p.m.cfg.HeadDim
	ld, inner := c.projected(), c.inner()
	if it.segment < 0 {
		p.rwkvBack(layer, it.head, s, do, dp, scratch)
		return
	}
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	at := g.Start*ld + it.head*d
	q, k, v := s.p[at:], s.p[at+inner:], s.p[at+2*inner:]
	dq, dk, dv := dp[at:], dp[at+inner:], dp[at+2*inner:]
	dout := do[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	switch c.kind(it.head) {
	case localHead, softmaxHead:
		p.window(it.head).backward(n, q, k, v, ld, dout, inner, row, dq, dk, dv, scratch, p.headSite(layer, it))
	case linearHead, retentionHead:
		sc := p.m.scans[it.head]
		sc.backward(n, q, k, v, ld, s.o[g.Start*inner+it.head*d:], dout, inner, row,
			s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], dq, dk, dv, scratch)
	}
}

func (p *pass) rwkvBack(layer, head int, s *attnSaved, do, dp, scratch []float32) {
	c, d, l := p.m.cfg, p.m.cfg.HeadDim, &p.m.p.layers[layer]
	ld, inner := c.projected(), c.inner()
	r := p.rwkvHead(layer, head)
	at := (head - c.firstRWKV()) * d
	decay, ddecay, dbonus := l.rwkvDecay.w[at:][:d], l.rwkvDecay.g[at:][:d], l.rwkvBonus.g[at:][:d]
	for i, g := range p.b.Segments {
		q, dq := s.p[g.Start*ld+head*d:], dp[g.Start*ld+head*d:]
		r.backward(g.End-g.Start, q, q[inner:], q[2*inner:], ld, do[g.Start*inner+head*d:], inner,
			s.states[head][p.rwkvFirst[i]*r.stateSize():], dq, dq[inner:], dq[2*inner:], ddecay, dbonus, decay, scratch)
	}
}

// mapRowsBack is the gradient of mapRows, in place.
func (p *pass) mapRowsBack(x, dx []float32) {
	c := p.m.cfg
	rotated := c.Positions == PositionsRotary
	if !rotated && c.LinearHeads == 0 {
		return
	}
	ld, half := c.projected(), c.HeadDim/2
	for _, s := range p.b.Segments {
		n := s.End - s.Start
		var cos, sin []float32
		if rotated {
			cos, sin = p.m.rotary(n)
		}
		f32.Parallel(n, 32, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				row, drow := x[(s.Start+i)*ld:][:ld], dx[(s.Start+i)*ld:][:ld]
				p.m.featureRowBack(row, drow)
				if rotated {
					p.m.turnRow(drow, cos[i*half:][:half], sin[i*half:][:half], -1)
				}
			}
		})
	}
}

// feedForwardBack adds to dx what the gradient dy of the feed-forward branch's
// output says of its input x.
func (p *pass) feedForwardBack(layer int, x []float32, s *ffSaved, dy, dx []float32) {
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	c, l := p.m.cfg, &p.m.p.layers[layer]
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
	ff, hidden := p.m.cfg.FeedForward, p.m.cfg.hidden()
	df := dact
	if p.m.cfg.GLU {
		df = p.arena.Alloc(p.n * hidden)
	}
	place := site(layer, siteActivation)
	f32.Parallel(p.n, rowsAtHand, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row, drow, df, f := act[i*ff:][:ff], dact[i*ff:][:ff], df[i*hidden:][:hidden], f[i*hidden:][:hidden]
			p.drop.row(drow, place, i, 0)
			f32.Gelu(row, f[:ff])
			if p.m.cfg.GLU {
				f32.Mul(df[ff:], drow, row)
				f32.Mul(row, row, f[ff:])
				f32.Mul(drow, drow, f[ff:])
			}
			p.drop.row(row, place, i, 0)
			f32.GeluGrad(df[:ff], f[:ff], drow)
		}
	})
	return df
}

// layersBack turns the gradients of the last outputs into those of the
// embeddings, in place. x1 and x2 are the last outputs, which reversible
// models with KeepNothing turn back into the first inputs on the way.
func (p *pass) layersBack(x1, x2, dx1, dx2 []float32) {
	for i := p.m.cfg.Layers - 1; i >= 0; i-- {
		mark := p.arena.Mark()
		s := &p.layers[i]
		switch p.m.cfg.Memory {
		case KeepInputs:
			p.recompute(i, s)
		case KeepNothing:
			p.rebuild(i, x1, x2, dx1, dx2, s)
			p.arena.Release(mark)
			continue
		}
		if p.m.cfg.Reversible {
			p.feedForwardBack(i, s.mid, &s.ff, dx2, dx1)
			p.attentionBack(i, s.x2, &s.attn, dx1, dx2)
		} else {
			// Branch and base share a stream: each branch reads its dy before
			// its last line adds to dx.
			p.feedForwardBack(i, s.mid, &s.ff, dx1, dx1)
			p.attentionBack(i, s.x1, &s.attn, dx1, dx1)
		}
		p.arena.Release(mark)
	}
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
	p.arena.Release(mark)
	p.attention(i, x2, x1, x1, -1, &s.attn)
	p.attentionBack(i, x2, &s.attn, dx1, dx2)
}

// embedBack adds the gradients of the embeddings.
func (p *pass) embedBack(dx []float32) {
	q, c := p.m.p, p.m.cfg
	f32.ScatterAddRows(q.embed.g, dx, c.Width, p.b.Tokens)
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
			g := q.colPos.g[col*c.Width:][:c.Width]
			f32.Add(g, g, dx[i*c.Width:][:c.Width])
			if c.AxialRows > 1 {
				g := q.rowPos.g[row%c.AxialRows*c.Width:][:c.Width]
				f32.Add(g, g, dx[i*c.Width:][:c.Width])
			}
		}
	}
}
