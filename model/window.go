package model

import (
	"math"

	"trafficgpt/model/f32"
)

// A window is causal softmax attention of one head over the last `reach` rows
// (the row itself included), or over all of them when reach is 0:
//
//	o_i = Σ_j p_ij v_j,  p_i = softmax_j(q_i·k_j d^-1/2)
//
// Training works on blocks of queries against the keys they reach and keeps
// one number a row (the logarithm of the softmax's sum); backward computes the
// probabilities again. Generation keeps the last `reach` keys and values.
type window struct {
	d, reach, block int
	both            bool // what follows too, as far as what came before
	dropout         dropout
}

func (w *window) scaleBy() float32 { return float32(1 / math.Sqrt(float64(w.d))) }

// keys is the most keys that one block of queries of an n-row flow reaches.
func (w *window) keys(n int) int {
	if w.reach == 0 {
		return n
	}
	if w.both {
		return min(n, w.block+2*w.reach-2)
	}
	return min(n, w.block+w.reach-1)
}

// scratchSize is what forward and backward need for flows of at most n rows.
func (w *window) scratchSize(n int) int { return 2 * w.block * w.keys(n) }

// first is the first key that row i reaches.
func (w *window) first(i int) int {
	if w.reach == 0 {
		return 0
	}
	return max(0, i-w.reach+1)
}

// end is the first key behind those that row i of n reaches.
func (w *window) end(i, n int) int {
	switch {
	case !w.both:
		return i + 1
	case w.reach == 0:
		return n
	}
	return min(n, i+w.reach)
}

// forward computes rows [from, n) of one head of one flow; lse receives a number a
// row. The rows before from are the state a flow goes on with: their keys and
// values are read, their queries are not. site numbers the head's flow for dropout.
func (w *window) forward(from, n int, q, k, v []float32, ld int, o []float32, ldo int, lse, scratch []float32, site uint64) {
	for i0 := from; i0 < n; i0 += w.block {
		i1 := min(i0+w.block, n)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		p := scratch[:m*keys]
		f32.GemmSerial(false, true, m, keys, w.d, w.scaleBy(), q[i0*ld:], ld, k[j0*ld:], ld, 0, p, keys)
		for i := i0; i < i1; i++ {
			row := p[(i-i0)*keys:][:keys]
			lo, hi := w.first(i)-j0, w.end(i, n)-j0
			clear(row[:lo])
			clear(row[hi:])
			lse[i] = softmaxRow(row[lo:hi])
			w.dropout.row(row[lo:hi], site, i, lo+j0)
		}
		f32.GemmSerial(false, false, m, w.d, keys, 1, p, keys, v[j0*ld:], ld, 0, o[i0*ldo:], ldo)
	}
}

// backward writes the gradients of q, k and v (row distance ld), of q from row
// from on. dk and dv are cleared first, as blocks overlap in the keys they reach.
func (w *window) backward(from, n int, q, k, v []float32, ld int, do []float32, ldo int, lse, dq, dk, dv, scratch []float32, site uint64) {
	for i := range n {
		clear(dk[i*ld:][:w.d])
		clear(dv[i*ld:][:w.d])
	}
	scale := w.scaleBy()
	for i0 := from; i0 < n; i0 += w.block {
		i1 := min(i0+w.block, n)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		p, dp := scratch[:m*keys], scratch[m*keys:][:m*keys]
		q, do := q[i0*ld:], do[i0*ldo:]
		k, v, dk, dv := k[j0*ld:], v[j0*ld:], dk[j0*ld:], dv[j0*ld:]
		f32.GemmSerial(false, true, m, keys, w.d, scale, q, ld, k, ld, 0, p, keys)
		f32.GemmSerial(false, true, m, keys, w.d, 1, do, ldo, v, ld, 0, dp, keys)
		for i := i0; i < i1; i++ {
			lo, hi := w.first(i)-j0, w.end(i, n)-j0
			row, drow := p[(i-i0)*keys:][:keys], dp[(i-i0)*keys:][:keys]
			clear(row[:lo])
			clear(row[hi:])
			clear(drow[:lo])
			clear(drow[hi:])
			row, drow = row[lo:hi], drow[lo:hi]
			f32.ExpSum(row, row, lse[i])
			// drow becomes the gradient of the scores. A dropped probability
			// passes no gradient of its own, but still takes part in the sum.
			w.dropout.row(drow, site, i, lo+j0)
			f32.SoftmaxGradRow(drow, row, drow)
			w.dropout.row(row, site, i, lo+j0)
		}
		f32.GemmSerial(true, false, keys, w.d, m, 1, p, keys, do, ldo, 1, dv, ld)
		f32.GemmSerial(false, false, m, w.d, keys, scale, dp, keys, k, ld, 0, dq[i0*ld:], ld)
		f32.GemmSerial(true, false, keys, w.d, m, scale, dp, keys, q, ld, 1, dk, ld)
	}
}

// step is the recurrent form: one row against the n kept keys and values
// [n, d], of which the newest is this row's own. Their order does not matter.
func (w *window) step(q, keys, values []float32, n int, o, scratch []float32) {
	p := scratch[:n]
	f32.GemmSerial(false, true, 1, n, w.d, w.scaleBy(), q, w.d, keys, w.d, 0, p, n)
	softmaxRow(p)
	f32.GemmSerial(false, false, 1, w.d, n, 1, p, n, values, w.d, 0, o, w.d)
}

// stepBack is the gradient of step: it writes the gradient of q and adds those of
// the n kept keys and values. scratch needs 2·n elements.
func (w *window) stepBack(q, keys, values []float32, n int, do, dq, dkeys, dvalues, scratch []float32) {
	p, dp := scratch[:n], scratch[n:2*n]
	scale := w.scaleBy()
	f32.GemmSerial(false, true, 1, n, w.d, scale, q, w.d, keys, w.d, 0, p, n)
	softmaxRow(p)
	f32.GemmSerial(false, true, 1, n, w.d, 1, do, w.d, values, w.d, 0, dp, n)
	f32.GemmSerial(true, false, n, w.d, 1, 1, p, n, do, w.d, 1, dvalues, w.d)
	f32.SoftmaxGradRow(dp, p, dp)
	f32.GemmSerial(false, false, 1, w.d, n, scale, dp, n, keys, w.d, 0, dq, w.d)
	f32.GemmSerial(true, false, n, w.d, 1, scale, dp, n, q, w.d, 1, dkeys, w.d)
}

// softmaxRow replaces scores by probabilities and returns log Σ e^score.
func softmaxRow(x []float32) float32 {
	top := f32.Max(x)
	sum := f32.ExpSum(x, x, top)
	f32.Scale(x, 1/sum, x)
	return top + float32(math.Log(float64(sum)))
}
