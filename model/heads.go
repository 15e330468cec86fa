package model

import (
	"fmt"
	"math"

	"trafficgpt/display"
)

// HeadMap is what one head of a layer takes from where, in one flow.
type HeadMap struct {
	Layer, Head int    // both from 0; heads in the order of Config's counts
	Kind        string // "local", "linear", "softmax", "retention" or "rwkv"

	// Weights are [query][key], a row and a column for each token: row i of the head's
	// output is the sum over j of Weights[i][j] times the values of row j. Beyond what a
	// row sees, what follows it or lies before its window, they are 0.
	Weights [][]float64
}

// String says which head it is.
func (h HeadMap) String() string {
	return fmt.Sprintf("layer %d, head %d (%s), %d tokens", h.Layer, h.Head, h.Kind, len(h.Weights))
}

// mostMapped bounds the flows of Attention: 8 MiB a head.
const mostMapped = 1024

// Attention returns the weights of every head of a layer (from 0) for one flow from its
// beginning, of at most 1,024 tokens. With the queries q and keys k that the model
// has there (projected, then rotated or turned into the features φ), of width d, row i
// takes of row j ≤ i
//
//	local      e^(q_i·k_j d^-1/2) / Σ of the last Window rows (Vaswani et al. 2017)
//	linear     φ(q_i)·φ(k_j) / (Σ of all rows + 1e-6), what the state implies (Katharopoulos et al. 2020)
//	softmax    e^(q_i·k_j d^-1/2) / Σ of all rows
//	retention  γ^(i-j) q_i·k_j, of either sign and any sum: a norm and a gate follow (RetNet, Sun et al. 2023)
//	rwkv       e^(-(i-1-j)w + k_j), or e^(u + k_i) for itself, / Σ of all rows (RWKV-4, Peng et al. 2023)
//
// RWKV has no queries and a weight for each channel: given is their mean over the head's
// channels, from which its output does not follow. Rows of all but retention add up
// to 1 (linear ones to a little less, by the 1e-6). In a bidirectional model rows
// see what follows too. What is stopped by [display.Context] returns the heads so far
// with [ErrStopped].
func (m *Model) Attention(tokens []uint16, layer int) (maps []HeadMap, err error) {
	defer abandoned(&err)
	b := NewBatch(tokens)
	for i := range b.Targets {
		b.Targets[i] = Ignore
	}
	if err := b.check(m.cfg); err != nil {
		return nil, fmt.Errorf("failed to compute attention of the flow: %w", err)
	}
	if layer < 0 || layer >= m.cfg.Layers {
		return nil, fmt.Errorf("failed to compute attention: layer %d of a model with %d, from 0", layer, m.cfg.Layers)
	}
	if len(tokens) > mostMapped {
		return nil, fmt.Errorf("failed to compute attention: the flow has %d tokens, and maps are for at most %d: pass a part of it", len(tokens), mostMapped)
	}
	ctx := display.Context()
	s := NewScorer(m, ScorerOptions{Stop: func() bool { return ctx.Err() != nil }})
	p, x1, x2 := s.through(b, layer)
	if m.cfg.Reversible { // its attention reads the second stream
		x1 = x2
	}
	var saved attnSaved
	p.attention(layer, x1, nil, nil, 1, &saved)
	for h := range m.cfg.Heads() {
		p.poll()
		w := p.headMap(layer, h, &saved)
		for i, row := range w {
			for _, x := range row {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					return maps, fmt.Errorf("failed to compute attention: head %d of layer %d has a weight of %v at token %d", h, layer, x, i)
				}
			}
		}
		maps = append(maps, HeadMap{Layer: layer, Head: h, Kind: headNames[m.cfg.kind(h)], Weights: w})
	}
	return maps, nil
}

// headMap computes the weights of one head of a batch of one segment, in the naive form,
// from the queries and keys in s.
func (p *pass) headMap(layer, h int, s *attnSaved) [][]float64 {
	c, d := p.m.cfg, p.m.cfg.HeadDim
	q, k := rows64(s.qkv[h*d:], p.n, d, c.projected()), rows64(s.qkv[c.inner()+h*d:], p.n, d, c.projected())
	out := make([][]float64, p.n)
	for i := range out {
		out[i] = make([]float64, p.n)
	}
	switch kind := c.kind(h); kind {
	case localHead, softmaxHead:
		win := p.window(h)
		for i, row := range out {
			first, end := win.first(i), win.end(i, p.n)
			for j := first; j < end; j++ {
				row[j] = product64(q[i], k[j]) / math.Sqrt(float64(d))
			}
			softmax64(row[first:end])
		}
	case linearHead, retentionHead:
		for i, row := range out {
			p.m.scans[h].weights(row, q[i], k, i)
		}
	case rwkvHead:
		l, at := &p.m.params.layers[layer], (h-c.firstRWKV())*d
		logs := make([]float64, p.n)
		for ch := range d {
			rate, bonus := math.Exp(float64(l.rwkvDecay.w[at+ch])), float64(l.rwkvBonus.w[at+ch])
			for i, row := range out {
				for j := range i {
					logs[j] = k[j][ch] - float64(i-1-j)*rate
				}
				logs[i] = k[i][ch] + bonus
				softmax64(logs[:i+1])
				for j, x := range logs[:i+1] {
					row[j] += x / float64(d)
				}
			}
		}
	}
	return out
}

// weights writes what row i takes of each row.
func (s *scan) weights(row, q []float64, k [][]float64, i int) {
	end := i + 1
	if s.both {
		end = len(k)
	}
	sum := scanEpsilon
	for j := range end {
		row[j] = math.Pow(float64(s.gamma), float64(i-j)) * product64(q, k[j])
		sum += row[j]
	}
	if s.divide {
		for j := range end {
			row[j] /= sum
		}
	}
}

// State copies what a head of a layer (both from 0, heads in the order of Config's
// counts) keeps of the tokens that a lane has seen; d is Config.HeadDim:
//
//	linear     Σ φ(k_j)ᵀ v_j, [d of keys][d of values]; the divisor's Σ φ(k_j) is not in it
//	retention  Σ γ^(n-1-j) k_jᵀ v_j, [d of keys][d of values], after n tokens
//	local      the keys in the window, as they are kept (rotated), [at most Window][d], the oldest first
//	softmax    all keys, likewise, [tokens][d]
//	rwkv       [2][d]: the mean of the values, weighted as by a next token (0 before the first),
//	           and the logarithm of the sum of these weights (-Inf before the first)
//
// Behind [Stream.StepAhead] a lane that is further than what it was told is taken back
// first. Before the first token linear and retention states are 0, and windows have no rows.
func (s *Stream) State(lane, layer, head int) ([][]float64, error) {
	c := s.m.cfg
	for _, x := range []struct {
		what  string
		index int
		of    int
	}{{"lane", lane, len(s.lanes)}, {"layer", layer, c.Layers}, {"head", head, c.Heads()}} {
		if x.index < 0 || x.index >= x.of {
			return nil, fmt.Errorf("failed to read a state: %s %d of %d, from 0", x.what, x.index, x.of)
		}
	}
	if err := s.settle(lane); err != nil {
		return nil, fmt.Errorf("failed to read a state: %w", err)
	}
	ln, d := &s.lanes[lane], c.HeadDim
	state := ln.state[layer*s.layerState()+s.parts.from[head]:][:s.parts.size[head]]
	switch c.kind(head) {
	case localHead:
		keys := rows64(state, min(ln.position, c.Window), d, d)
		if ln.position <= c.Window {
			return keys, nil
		}
		oldest := ln.position % c.Window // slots are used in turns
		return append(keys[oldest:len(keys):len(keys)], keys[:oldest]...), nil
	case softmaxHead:
		return rows64(ln.kv[2*(layer*c.SoftmaxHeads+head-c.LocalHeads-c.LinearHeads)], ln.position, d, d), nil
	case rwkvHead:
		out := rows64(state, 3, d, d)
		for i, b := range out[1] { // numerator and divisor, both times e^-scale
			if b > 0 {
				out[0][i] /= b
			}
			out[1][i] = math.Log(b) + out[2][i]
		}
		return out[:2], nil
	}
	return rows64(state, d, d, d), nil
}

// rows64 copies n rows of so many columns, ld apart.
func rows64(x []float32, n, cols, ld int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, cols)
		for j, v := range x[i*ld:][:cols] {
			out[i][j] = float64(v)
		}
	}
	return out
}

func product64(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// softmax64 replaces scores, of which there is at least one, by probabilities.
func softmax64(x []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = math.Max(top, v)
	}
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}
