package model

import "trafficgpt/model/f32"

var (
	headNarrowLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
		for _, it := range a.p.items[lo:hi] {
			a.p.headNarrow(a.layer, it, a.attn, a.p.scratch[worker])
		}
	})
	headBackNarrowLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
		for _, it := range a.p.items[lo:hi] {
			a.p.headBackNarrow(a.layer, it, a.attn, a.y, a.y16, a.dx, a.p.scratch[worker])
		}
	})
)

// headNarrow runs one head of one segment.
func (p *pass) headNarrow(layer int, it item, s *attnSaved, scratch []float32) {
	c := &p.m.cfg
	if c.wideHead(it.head) {
		p.head(layer, it, s, scratch)
		return
	}
	d, ld, inner := c.HeadDim, c.projected(), c.inner()
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	q := s.qkv16[g.Start*ld+it.head*d:]
	k, v := q[inner:], q[2*inner:]
	o := s.o16[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	if c.kind(it.head) == linearHead {
		sc := p.m.scans[it.head]
		sc.forwardNarrow(n, q, k, v, ld, o, inner, row, s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], scratch)
		return
	}
	w := p.window(it.head)
	w.forwardNarrow(n, q, k, v, ld, o, inner, row, scratch, p.headSite(layer, it))
}

// headBackNarrow is the gradient of headNarrow; do16 are the rounded gradients of its output, do those in float32 where
// heads have no form for bfloat16.
func (p *pass) headBackNarrow(layer int, it item, s *attnSaved, do []float32, do16 []f32.BF16, dqkv, scratch []float32) {
	c := &p.m.cfg
	if c.wideHead(it.head) {
		p.headBack(layer, it, s, do, dqkv, scratch)
		return
	}
	d, ld, inner := c.HeadDim, c.projected(), c.inner()
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	at := g.Start*ld + it.head*d
	q, k, v := s.qkv16[at:], s.qkv16[at+inner:], s.qkv16[at+2*inner:]
	dq, dk, dv := dqkv[at:], dqkv[at+inner:], dqkv[at+2*inner:]
	o, dout := s.o16[g.Start*inner+it.head*d:], do16[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	if c.kind(it.head) == linearHead {
		sc := p.m.scans[it.head]
		sc.backwardNarrow(n, q, k, v, ld, o, dout, inner, row, s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], dq, dk, dv, scratch)
		return
	}
	w := p.window(it.head)
	w.backwardNarrow(n, q, k, v, ld, dout, inner, row, dq, dk, dv, scratch, p.headSite(layer, it))
}

// bump hands out pieces of a worker's scratch.
type bump struct{ rest []float32 }

func (b *bump) take(n int) []float32 {
	n16 := (n + 15) &^ 15
	x := b.rest[:n:n]
	b.rest = b.rest[n16:]
	return x
}

func (b *bump) take16(n int) []f32.BF16 { return f32.Narrow(b.take((n + 1) / 2)) }

// evenUp is the row length of a square whose rows are read in pairs.
func evenUp(n int) int { return (n + 1) &^ 1 }

// halves cuts a chunk of m rows in two, so that half of what lies above the diagonal of its square is never computed.
func halves(m int) [2]span {
	h := 0
	if m > 48 {
		h = m / 2 / 12 * 12 // whole tiles of rows
	}
	return [2]span{{0, h}, {h, m}}
}

type span struct{ lo, hi int }

func (s span) len() int { return s.hi - s.lo }

// narrowScratch is what the forms for bfloat16 need of a worker's scratch.
func (s *scan) narrowScratch() int {
	square := s.chunk * evenUp(s.chunk)
	return square + 2*square + 3*s.chunk*s.d + 2*s.stateSize() + 4*s.chunk + 256
}

// square computes the causal square of x·yᵀ [m, m] with row length ld, as far as it is wanted.
func (s *scan) square(m int, x []f32.BF16, ldx int, y []f32.BF16, ldy int, out []float32, ld int) {
	for _, r := range halves(m) {
		f32.GemmSerialBF16(false, true, r.len(), r.hi, s.d, 1, x[r.lo*ldx:], ldx, y, ldy, 0, out[r.lo*ld:], ld)
	}
}

// roundSquare rounds it; see [f32.CausalRound].
func roundSquare(m int, out []f32.BF16, x []float32, ld int, add, sums []float32) {
	for _, r := range halves(m) {
		if r.len() == 0 {
			continue
		}
		var a, t []float32
		if add != nil {
			a = add[r.lo:]
		}
		if sums != nil {
			t = sums[r.lo:]
		}
		f32.CausalRound(out[r.lo*ld:], ld, x[r.lo*ld:], ld, r.len(), r.hi, r.lo, a, t)
	}
}

// forwardNarrow is forward of linear attention (γ = 1, with the division) that nothing is carried into.
func (s *scan) forwardNarrow(n int, q, k, v []f32.BF16, ld int, o []f32.BF16, ldo int, den, states, scratch []float32) {
	d, size, lds := s.d, s.stateSize(), evenUp(s.chunk)
	b := bump{scratch}
	att, att16 := b.take(s.chunk*lds), b.take16(s.chunk*lds)
	sum, state16 := b.take(s.chunk*d), b.take16(d*d)
	inv := b.take(s.chunk)
	clear(states[:size])
	for c, at := 0, 0; at < n; c, at = c+1, at+s.chunk {
		m := min(s.chunk, n-at)
		q, k, v, o, den := q[at*ld:], k[at*ld:], v[at*ld:], o[at*ldo:], den[at:][:m]
		state, next := states[c*size:][:size], states[(c+1)*size:][:size]
		s.square(m, q, ld, k, ld, att, lds)
		roundSquare(m, att16, att, lds, nil, den)
		for _, r := range halves(m) {
			f32.GemmSerialBF16(false, false, r.len(), d, r.hi, 1, att16[r.lo*lds:], lds, v, ld, 0, sum[r.lo*d:], d)
		}
		if c > 0 {
			f32.Round(state16[:d*d], state[:d*d])
			f32.GemmSerialBF16(false, false, m, d, d, 1, q, ld, state16, d, 1, sum, d)
			f32.DotRows(den, q, ld, m, d, state[d*d:])
		}
		for i := range den {
			den[i] += scanEpsilon
			inv[i] = 1 / den[i]
		}
		f32.ScaleRound(o, ldo, sum, d, d, inv[:m])
		copy(next, state)
		f32.GemmSerialBF16(true, false, d, d, m, 1, k, ld, v, ld, 1, next, d)
		f32.AddRows(next[d*d:][:d], k, ld, s.ones[:m])
	}
}

// backwardNarrow is backward of the same.
func (s *scan) backwardNarrow(n int, q, k, v []f32.BF16, ld int, o, do []f32.BF16, ldo int, den, states, dq, dk, dv, scratch []float32) {
	d, size, lds := s.d, s.stateSize(), evenUp(s.chunk)
	b := bump{scratch}
	att, att16, datt16 := b.take(s.chunk*lds), b.take16(s.chunk*lds), b.take16(s.chunk*lds)
	dos, state16 := b.take16(s.chunk*d), b.take16(d*d)
	dstate, inv, dden := b.take(size), b.take(s.chunk), b.take(s.chunk)
	clear(dstate)
	last := s.chunks(n) - 1
	for c := last; c >= 0; c-- {
		at := c * s.chunk
		m := min(s.chunk, n-at)
		q, k, v := q[at*ld:], k[at*ld:], v[at*ld:]
		dq, dk, dv := dq[at*ld:], dk[at*ld:], dv[at*ld:]
		state := states[c*size:][:size]
		inv, dden := inv[:m], dden[:m]
		f32.RowDots(dden, do[at*ldo:], ldo, o[at*ldo:], ldo, m, d)
		for i := range inv {
			inv[i] = 1 / den[at+i]
			dden[i] *= -inv[i]
		}
		f32.ScaleRows(dos, d, do[at*ldo:], ldo, d, inv)
		s.square(m, q, ld, k, ld, att, lds)
		roundSquare(m, att16, att, lds, nil, nil)
		s.square(m, dos, d, v, ld, att, lds)
		roundSquare(m, datt16, att, lds, dden, nil)
		for _, r := range halves(m) {
			f32.GemmSerialBF16(false, false, r.len(), d, r.hi, 1, datt16[r.lo*lds:], lds, k, ld, 0, dq[r.lo*ld:], ld)
			// keys [lo, hi) are seen by rows from lo on
			f32.GemmSerialBF16(true, false, r.len(), d, m-r.lo, 1, datt16[r.lo*lds+r.lo:], lds, q[r.lo*ld:], ld, 0, dk[r.lo*ld:], ld)
			f32.GemmSerialBF16(true, false, r.len(), d, m-r.lo, 1, att16[r.lo*lds+r.lo:], lds, dos[r.lo*d:], d, 0, dv[r.lo*ld:], ld)
		}
		if c > 0 {
			f32.Round(state16[:d*d], state[:d*d])
			f32.GemmSerialBF16(false, true, m, d, d, 1, dos, d, state16, d, 1, dq, ld)
			f32.AddOuter(dq, ld, dden, state[d*d:][:d])
		}
		if c < last {
			f32.Round(state16[:d*d], dstate[:d*d])
			f32.GemmSerialBF16(false, true, m, d, d, 1, v, ld, state16, d, 1, dk, ld)
			f32.GemmSerialBF16(false, false, m, d, d, 1, k, ld, state16, d, 1, dv, ld)
			f32.AddOuter(dk, ld, s.ones[:m], dstate[d*d:][:d])
		}
		f32.AddRows(dstate[d*d:][:d], q, ld, dden)
		f32.GemmSerialBF16(true, false, d, d, m, 1, q, ld, dos, d, 1, dstate, d)
	}
}

// narrowScratch is what the forms for bfloat16 need for flows of at most n rows.
func (w *window) narrowScratch(n int) int {
	return 3*w.block*evenUp(w.keys(n)) + 2*w.block*w.d + 256
}

// forwardNarrow is forward of causal windows from the first row on.
func (w *window) forwardNarrow(n int, q, k, v []f32.BF16, ld int, o []f32.BF16, ldo int, lse, scratch []float32, site uint64) {
	b := bump{scratch}
	most := w.block * evenUp(w.keys(n))
	p, p16, out := b.take(most), b.take16(most), b.take(w.block*w.d)
	for i0 := 0; i0 < n; i0 += w.block {
		i1 := min(i0+w.block, n)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		ldp := evenUp(keys)
		f32.GemmSerialBF16(false, true, m, keys, w.d, w.scaleBy(), q[i0*ld:], ld, k[j0*ld:], ld, 0, p, ldp)
		for i := i0; i < i1; i++ {
			row, row16 := p[(i-i0)*ldp:][:keys], p16[(i-i0)*ldp:][:keys]
			lo, hi := w.first(i)-j0, w.end(i, n)-j0
			lse[i] = softmaxRow(row[lo:hi])
			w.dropout.row(row[lo:hi], site, i, lo+j0)
			putRow(row16, row, lo, hi)
		}
		f32.GemmSerialBF16(false, false, m, w.d, keys, 1, p16, ldp, v[j0*ld:], ld, 0, out, w.d)
		for i := range m {
			f32.Round(o[(i0+i)*ldo:][:w.d], out[i*w.d:][:w.d])
		}
	}
}

// putRow rounds elements [lo, hi) of a row and clears the others.
func putRow(to []f32.BF16, row []float32, lo, hi int) {
	clear(to[:lo])
	f32.Round(to[lo:hi], row[lo:hi])
	clear(to[hi:])
}

// backwardNarrow is backward of the same.
func (w *window) backwardNarrow(n int, q, k, v []f32.BF16, ld int, do []f32.BF16, ldo int, lse, dq, dk, dv, scratch []float32, site uint64) {
	for i := range n {
		clear(dk[i*ld:][:w.d])
		clear(dv[i*ld:][:w.d])
	}
	scale := w.scaleBy()
	b := bump{scratch}
	most := w.block * evenUp(w.keys(n))
	p, dp, p16, dp16 := b.take(most), b.take(most), b.take16(most), b.take16(most)
	for i0 := 0; i0 < n; i0 += w.block {
		i1 := min(i0+w.block, n)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		ldp := evenUp(keys)
		q, do := q[i0*ld:], do[i0*ldo:]
		k, v, dk, dv := k[j0*ld:], v[j0*ld:], dk[j0*ld:], dv[j0*ld:]
		f32.GemmSerialBF16(false, true, m, keys, w.d, scale, q, ld, k, ld, 0, p, ldp)
		f32.GemmSerialBF16(false, true, m, keys, w.d, 1, do, ldo, v, ld, 0, dp, ldp)
		for i := i0; i < i1; i++ {
			lo, hi := w.first(i)-j0, w.end(i, n)-j0
			at := (i - i0) * ldp
			row, drow := p[at:][lo:hi], dp[at:][lo:hi]
			f32.ExpSum(row, row, lse[i])
			w.dropout.row(drow, site, i, lo+j0) // as in backward
			f32.SoftmaxGradRow(drow, row, drow)
			w.dropout.row(row, site, i, lo+j0)
			putRow(p16[at:][:keys], p[at:][:keys], lo, hi)
			putRow(dp16[at:][:keys], dp[at:][:keys], lo, hi)
		}
		f32.GemmSerialBF16(true, false, keys, w.d, m, 1, p16, ldp, do, ldo, 1, dv, ld)
		f32.GemmSerialBF16(false, false, m, w.d, keys, scale, dp16, ldp, k, ld, 0, dq[i0*ld:], ld)
		f32.GemmSerialBF16(true, false, keys, w.d, m, scale, dp16, ldp, q, ld, 1, dk, ld)
	}
}
