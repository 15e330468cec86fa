package model

import (
	"math"

	"trafficgpt/model/f32"
)

// keyCeiling bounds keys of the exponential feature map, so that no flow
// overflows its state; 20 is far beyond what layer norm lets through.
const keyCeiling = 20

var keyTop = float32(math.Exp(keyCeiling))

// featureRow applies the linear heads' feature maps to one row of projections.
func (m *Model) featureRow(row []float32) {
	c := m.cfg
	if c.LinearHeads == 0 {
		return
	}
	d := c.HeadDim
	first, last := c.LocalHeads*d, (c.LocalHeads+c.LinearHeads)*d
	q, k := row[first:last], row[c.inner()+first:c.inner()+last]
	if c.Features == FeaturesELU {
		f32.Elu1(q, q)
		f32.Elu1(k, k)
		return
	}
	scale := float32(1 / math.Sqrt(float64(d)))
	for h := range c.LinearHeads {
		f32.SoftmaxRow(q[h*d:][:d], q[h*d:][:d])
	}
	f32.Scale(q, scale, q)
	for i, x := range k {
		k[i] = min(x, keyCeiling)
	}
	f32.Exp(k, k)
}

// featureHead applies the feature map to one linear head's query and key.
func (m *Model) featureHead(q, k []float32) {
	if m.cfg.Features == FeaturesELU {
		f32.Elu1(q, q)
		f32.Elu1(k, k)
		return
	}
	f32.SoftmaxRow(q, q)
	f32.Scale(q, float32(1/math.Sqrt(float64(len(q)))), q)
	for i, x := range k {
		k[i] = min(x, keyCeiling)
	}
	f32.Exp(k, k)
}

// featureRowBack turns the gradients of one row's features into those of its
// projections, from the features alone.
func (m *Model) featureRowBack(row, drow []float32) {
	c := m.cfg
	if c.LinearHeads == 0 {
		return
	}
	d := c.HeadDim
	first, last := c.LocalHeads*d, (c.LocalHeads+c.LinearHeads)*d
	q, k := row[first:last], row[c.inner()+first:c.inner()+last]
	dq, dk := drow[first:last], drow[c.inner()+first:c.inner()+last]
	if c.Features == FeaturesELU {
		f32.Elu1Grad(dq, q, dq)
		f32.Elu1Grad(dk, k, dk)
		return
	}
	for h := range c.LinearHeads {
		expQueryBack(q[h*d:][:d], dq[h*d:][:d])
	}
	expKeyBack(k, dk)
}

// expQueryBack turns the gradients dq of a head's query features y = softmax·d^-1/2 into those of the queries.
func expQueryBack(y, dq []float32) {
	dot := f32.Dot(y, dq) * float32(math.Sqrt(float64(len(y))))
	for i, y := range y {
		dq[i] = y * (dq[i] - dot)
	}
}

// expKeyBack turns the gradients of key features into those of the keys.
func expKeyBack(y, dk []float32) {
	for i, y := range y {
		if y < keyTop {
			dk[i] *= y
		} else {
			dk[i] = 0
		}
	}
}

// gateEpsilon is the ε of retention's group norm.
const gateEpsilon = 1e-5

// gate turns the raw outputs of retention heads into what they give: each head
// normalised over its features (RetNet's group norm), times silu of its gate.
func (p *pass) gate(s *attnSaved) {
	if p.m.cfg.RetentionHeads > 0 {
		gateLoop.Run(p.n, 32, rowsOf{p: p, attn: s})
	}
}

var gateLoop = eachRow(func(a *rowsOf, i int) {
	c, s := &a.p.m.cfg, a.attn
	d, inner, ld := c.HeadDim, c.inner(), c.projected()
	for h := range c.RetentionHeads {
		o := s.o[i*inner+(c.firstRetention()+h)*d:][:d]
		at := i*c.RetentionHeads + h
		s.rrstd[at] = gateRow(o, s.raw[at*d:][:d], s.qkv[i*ld+3*inner+h*d:][:d])
	}
})

// gateRow computes one head's row and returns 1/deviation.
func gateRow(o, raw, gate []float32) float32 {
	d := len(o)
	mean := f32.Sum(raw) / float32(d)
	variance := 0.0
	for _, x := range raw {
		variance += float64(x-mean) * float64(x-mean)
	}
	rstd := float32(1 / math.Sqrt(variance/float64(d)+gateEpsilon))
	f32.Silu(o, gate)
	for i, x := range raw {
		o[i] *= (x - mean) * rstd
	}
	return rstd
}

// gateBack takes the gradients of retention heads' outputs in do, replaces
// them by those of the raw outputs, and writes the gates' into dqkv.
func (p *pass) gateBack(s *attnSaved, do, dqkv []float32) {
	if p.m.cfg.RetentionHeads > 0 {
		gateBackLoop.Run(p.n, 32, rowsOf{p: p, attn: s, y: do, dx: dqkv})
	}
}

var gateBackLoop = eachRow(func(a *rowsOf, i int) {
	c, s := &a.p.m.cfg, a.attn
	d, inner, ld := c.HeadDim, c.inner(), c.projected()
	for h := range c.RetentionHeads {
		at := i*ld + 3*inner + h*d
		gateRowBack(a.y[i*inner+(c.firstRetention()+h)*d:][:d], a.dx[at:][:d], s.raw[(i*c.RetentionHeads+h)*d:][:d],
			s.qkv[at:][:d], s.rrstd[i*c.RetentionHeads+h])
	}
})

func gateRowBack(do, dgate, raw, gate []float32, rstd float32) {
	d := float32(len(do))
	mean := f32.Sum(raw) / d
	var sum, dot float32
	for i, x := range raw {
		h := (x - mean) * rstd
		sg := sigmoid(gate[i])
		dgate[i] = do[i] * h * sg * (1 + gate[i]*(1-sg))
		do[i] *= gate[i] * sg
		sum += do[i]
		dot += do[i] * h
	}
	for i, x := range raw {
		h := (x - mean) * rstd
		do[i] = rstd * (do[i] - sum/d - h*dot/d)
	}
}
