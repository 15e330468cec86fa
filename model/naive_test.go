package model

import "math"

// The slow truth: every operation in float64, row by row, reading like its
// formula. Tests hold the fast forms against it, values and gradients; mixers have
// naive gradients too (naive_mixers_test.go), held to finite differences, as those of
// whole models are. Nothing here is used to train or to sample.

// matrix is a list of rows.
type matrix [][]float64

func newMatrix(rows, cols int) matrix {
	x := make(matrix, rows)
	for i := range x {
		x[i] = make([]float64, cols)
	}
	return x
}

func dot64(x, y []float64) float64 {
	s := 0.0
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

func axpy64(dst []float64, a float64, x []float64) {
	for i := range dst {
		dst[i] += a * x[i]
	}
}

// naiveModel is a model's weights in float64, in the layout of its buffers.
type naiveModel struct {
	m *Model
	w []float64
}

func newNaive(m *Model) *naiveModel {
	n := &naiveModel{m, make([]float64, len(m.params.weights))}
	for i, x := range m.params.weights {
		n.w[i] = float64(x)
	}
	return n
}

func (n *naiveModel) row(t *tensor, i int) []float64 { return n.w[t.at+i*t.cols:][:t.cols] }

// loss is the sum over the batch's counted rows of -log p(target).
func (n *naiveModel) loss(b *Batch) float64 {
	sum := 0.0
	for i, row := range n.logits(b) {
		if b.Targets[i] == Ignore {
			continue
		}
		z := 0.0
		for _, x := range row {
			z += math.Exp(x)
		}
		sum += math.Log(z) - row[b.Targets[i]]
	}
	return sum
}

// logits runs segment after segment.
func (n *naiveModel) logits(b *Batch) matrix {
	var out matrix
	for _, s := range b.Segments {
		out = append(out, n.segment(b.Tokens[s.Start:s.End], s.Before, s.Position)...)
	}
	return out
}

func (n *naiveModel) segment(tokens, before []uint16, position int) matrix {
	c, params := n.m.cfg, n.m.params
	x := newMatrix(len(tokens), c.Width)
	for i, t := range tokens {
		copy(x[i], n.row(&params.embed, int(t)))
		told := naiveHint(c, append(before[:len(before):len(before)], tokens[:i+1]...))
		n.m.vectors(&told, func(t *tensor, row int) { axpy64(x[i], 1, n.row(t, row)) })
		if c.Positions == PositionsAxial {
			axpy64(x[i], 1, n.row(&params.colPos, (position+i)%c.AxialCols))
			if c.AxialRows > 1 {
				axpy64(x[i], 1, n.row(&params.rowPos, (position+i)/c.AxialCols%c.AxialRows))
			}
		}
	}
	x2 := newMatrix(len(tokens), c.Width)
	for i := range x {
		copy(x2[i], x[i])
	}
	for l := range c.Layers {
		if c.Reversible {
			addMatrix(x, n.attention(l, x2))
			addMatrix(x2, n.feedForward(l, x))
		} else {
			addMatrix(x, n.attention(l, x))
			addMatrix(x, n.feedForward(l, x))
		}
	}
	if c.Reversible {
		addMatrix(x, x2)
		for i := range x {
			for j := range x[i] {
				x[i][j] /= 2
			}
		}
	}
	h := n.norm(x, &params.normGain, &params.normBias)
	out := n.output(h)
	for i := range out {
		told := naiveHint(c, append(before[:len(before):len(before)], tokens[:i+1]...))
		for k := range c.Copies {
			if t := told.next[k]; t != none {
				out[i][t] += dot64(h[i], n.row(&params.copies[k].gate, 0)) + n.row(&params.copies[k].bias, 0)[0]
			}
		}
	}
	return out
}

// naiveHint looks for the marks in all of the flow up to its last token.
func naiveHint(c Config, flow []uint16) hint {
	starts := []int{0}
	for i, t := range flow {
		if i > 0 && int(t) == c.Mark {
			starts = append(starts, i)
		}
	}
	last := len(starts) - 1
	at := len(flow) - 1 - starts[last]
	out := hint{offset: int32(min(at, c.Offsets-1)), next: [maxCopies]int32{none, none, none, none}, same: [maxCopies]int32{none, none, none, none}}
	for k := 0; k < c.Copies && k < last; k++ {
		begin, end := starts[last-1-k], starts[last-k]
		if begin+at < end {
			out.next[k], out.same[k] = int32(flow[begin+at+1]), 0
			if flow[begin+at] == flow[len(flow)-1] {
				out.same[k] = 1
			}
		}
	}
	return out
}

// output is the product with the head, or with the embedding when tied.
func (n *naiveModel) output(h matrix) matrix {
	c, params := n.m.cfg, n.m.params
	if !c.Tied {
		return n.linear(h, &params.head, &params.headBias)
	}
	out := newMatrix(len(h), c.Vocabulary)
	for i := range out {
		for v := range out[i] {
			out[i][v] = dot64(h[i], n.row(&params.embed, v)) + n.row(&params.headBias, 0)[v]
		}
	}
	return out
}

func addMatrix(x, y matrix) {
	for i := range x {
		axpy64(x[i], 1, y[i])
	}
}

func (n *naiveModel) linear(x matrix, w, bias *tensor) matrix {
	y := newMatrix(len(x), w.cols)
	for i := range x {
		copy(y[i], n.row(bias, 0))
		for j, v := range x[i] {
			axpy64(y[i], v, n.row(w, j))
		}
	}
	return y
}

func (n *naiveModel) norm(x matrix, gain, bias *tensor) matrix {
	y := newMatrix(len(x), len(x[0]))
	for i, row := range x {
		mean, variance := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(len(row))
		}
		for j, v := range row {
			y[i][j] = (v-mean)/math.Sqrt(variance+normEpsilon)*n.row(gain, 0)[j] + n.row(bias, 0)[j]
		}
	}
	return y
}

// shift takes the first half of the channels from the row before.
func (n *naiveModel) shift(h matrix) matrix {
	if !n.m.cfg.TokenShift {
		return h
	}
	y := newMatrix(len(h), len(h[0]))
	half := len(h[0]) / 2
	for i := range h {
		copy(y[i][half:], h[i][half:])
		if i > 0 {
			copy(y[i][:half], h[i-1][:half])
		}
	}
	return y
}

func gelu64(x float64) float64 { return x * 0.5 * (1 + math.Erf(x/math.Sqrt2)) }

func (n *naiveModel) feedForward(l int, x matrix) matrix {
	c, layer := n.m.cfg, &n.m.params.layers[l]
	f := n.linear(n.shift(n.norm(x, &layer.norm2Gain, &layer.norm2Bias)), &layer.fc1, &layer.fc1Bias)
	act := newMatrix(len(x), c.FeedForward)
	for i := range act {
		for j := range act[i] {
			act[i][j] = gelu64(f[i][j])
			if c.GLU {
				act[i][j] *= f[i][c.FeedForward+j]
			}
		}
	}
	return n.linear(act, &layer.fc2, &layer.fc2Bias)
}

func (n *naiveModel) attention(l int, x matrix) matrix {
	c, layer := n.m.cfg, &n.m.params.layers[l]
	y := n.linear(n.shift(n.norm(x, &layer.norm1Gain, &layer.norm1Bias)), &layer.qkv, &layer.qkvBias)
	o := newMatrix(len(x), c.inner())
	for h := range c.Heads() {
		part := func(which int) matrix {
			out := newMatrix(len(x), c.HeadDim)
			for i := range out {
				copy(out[i], y[i][which*c.inner()+h*c.HeadDim:])
			}
			return out
		}
		var r matrix
		q, k, v := part(0), part(1), part(2)
		switch c.kind(h) {
		case localHead, softmaxHead:
			reach := 0
			if c.kind(h) == localHead {
				reach = c.Window
			}
			n.rotate(q)
			n.rotate(k)
			r, _ = naiveWindow{reach: reach, both: c.Bidirectional}.forward(naiveMix{q: q, k: k, v: v})
		case linearHead:
			n.features(q, k)
			r, _ = naiveScan{gamma: 1, divide: true, both: c.Bidirectional}.forward(naiveMix{q: q, k: k, v: v})
		case retentionHead:
			n.rotate(q)
			n.rotate(k)
			g := h - c.firstRetention()
			r, _ = naiveScan{gamma: 1 - math.Exp2(-5-float64(g))}.forward(naiveMix{q: q, k: k, v: v})
			for i := range r {
				naiveGate(r[i], y[i][3*c.inner()+g*c.HeadDim:])
			}
		case rwkvHead:
			g := h - c.firstRWKV()
			r, _ = naiveRWKV{n.row(&layer.rwkvDecay, g), n.row(&layer.rwkvBonus, g)}.forward(naiveMix{q: q, k: k, v: v})
		}
		for i := range r {
			copy(o[i][h*c.HeadDim:], r[i])
		}
	}
	return n.linear(o, &layer.proj, &layer.projBias)
}

// naiveGate normalises a row and multiplies it by silu of its gate.
func naiveGate(r, gate []float64) {
	d := float64(len(r))
	mean, variance := 0.0, 0.0
	for _, v := range r {
		mean += v / d
	}
	for _, v := range r {
		variance += (v - mean) * (v - mean) / d
	}
	for j, v := range r {
		r[j] = (v - mean) / math.Sqrt(variance+gateEpsilon) * gate[j] / (1 + math.Exp(-gate[j]))
	}
}

// rotate turns the pairs (i, i+d/2) of row t by t·10000^(-2i/d).
func (n *naiveModel) rotate(x matrix) {
	if n.m.cfg.Positions != PositionsRotary {
		return
	}
	for t, row := range x {
		half := len(row) / 2
		for i := range half {
			s, c := math.Sincos(float64(t) * math.Pow(10000, -float64(i)/float64(half)))
			row[i], row[half+i] = row[i]*c-row[half+i]*s, row[half+i]*c+row[i]*s
		}
	}
}

func (n *naiveModel) features(q, k matrix) {
	if n.m.cfg.Features == FeaturesELU {
		for _, x := range []matrix{q, k} {
			for _, row := range x {
				for j, v := range row {
					if v > 0 {
						row[j] = v + 1
					} else {
						row[j] = math.Exp(v)
					}
				}
			}
		}
		return
	}
	for i := range q {
		sum := 0.0
		for j := range q[i] {
			q[i][j] = math.Exp(q[i][j])
			sum += q[i][j]
			k[i][j] = math.Exp(min(k[i][j], keyCeiling))
		}
		for j := range q[i] {
			q[i][j] /= sum * math.Sqrt(float64(len(q[i])))
		}
	}
}
