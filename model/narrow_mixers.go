package model

import "trafficgpt/model/f32"

// A pass with products of bfloat16 has forms of its own for causal windows and linear attention; see Config.wide.

var (
	headNarrowLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
		for _, it := range a.p.items[lo:hi] {
			a.p.headNarrow(a.layer, it, a.attn, a.p.scratch[worker])
		}
	})
	headBackNarrowLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
		d := 3 * a.p.m.cfg.HeadDim
		for i := lo; i < hi; i++ {
			a.p.headBackNarrow(a.layer, a.p.items[i], a.attn, a.do16, a.dqkv16, a.y[i*d:][:d], a.p.scratch[worker])
		}
	})
)

// headNarrow runs one head of one segment.
func (p *pass) headNarrow(layer int, it item, s *attnSaved, scratch []float32) {
	c := &p.m.cfg
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

// headsBackNarrow computes the gradients of all projections from those of the heads' outputs.
func (p *pass) headsBackNarrow(layer int, s *attnSaved, do16, dqkv16 []f32.BF16) {
	d, inner := p.m.cfg.HeadDim, p.m.cfg.inner()
	sums := p.arena.AllocZero(len(p.items) * 3 * d)
	headBackNarrowLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s, do16: do16, dqkv16: dqkv16, y: sums})
	bias := p.m.params.layers[layer].qkvBias.g
	for i, it := range p.items {
		for part := range 3 {
			g := bias[part*inner+it.head*d:][:d]
			f32.Add(g, g, sums[(3*i+part)*d:][:d])
		}
	}
}

// headBackNarrow is the gradient of headNarrow; sums [3·d] receives the sums over the rows.
func (p *pass) headBackNarrow(layer int, it item, s *attnSaved, do16, dqkv16 []f32.BF16, sums, scratch []float32) {
	c := &p.m.cfg
	d, ld, inner := c.HeadDim, c.projected(), c.inner()
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	at := g.Start*ld + it.head*d
	q, k, v := s.qkv16[at:], s.qkv16[at+inner:], s.qkv16[at+2*inner:]
	out := headGrads{d: d, ld: ld, q: dqkv16[at:], k: dqkv16[at+inner:], v: dqkv16[at+2*inner:], sums: sums}
	o, dout := s.o16[g.Start*inner+it.head*d:], do16[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	if c.kind(it.head) == linearHead {
		out.exp = c.Features == FeaturesExp
		sc := p.m.scans[it.head]
		sc.backwardNarrow(n, q, k, v, ld, o, dout, inner, row, s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], &out, scratch)
		return
	}
	out.cos, out.sin = p.cos, p.sin
	w := p.window(it.head)
	w.backwardNarrow(n, q, k, v, ld, dout, inner, row, &out, scratch, p.headSite(layer, it))
}

// headGrads is where the gradients of a head's queries, keys and values go: rounded, ld apart, back through what happened
// to them after the projection.
type headGrads struct {
	d, ld    int
	q, k, v  []f32.BF16
	sums     []float32 // [3, d]
	exp      bool      // features of a linear head are those of FeaturesExp
	cos, sin []float32 // of a window, or nil
}

// features takes gradients dx [rows, d] of features y, from row at on, back through the feature map; query says of which.
func (g *headGrads) features(query bool, at, rows int, dx []float32, y []f32.BF16, row []float32) {
	to, sum := g.k, g.sums[g.d:2*g.d]
	if query {
		to, sum = g.q, g.sums[:g.d]
	}
	to, y = to[at*g.ld:], y[at*g.ld:]
	if !g.exp {
		f32.EluRoundRows(to, g.ld, dx, g.d, y, g.ld, rows, sum)
		return
	}
	for i := range rows {
		f32.Widen(row[:g.d], y[i*g.ld:][:g.d])
		if query {
			expQueryBack(row[:g.d], dx[i*g.d:][:g.d])
		} else {
			expKeyBack(row[:g.d], dx[i*g.d:][:g.d])
		}
	}
	f32.SumRoundRows(to, g.ld, dx, g.d, rows, sum)
}

// turned takes gradients of queries or keys back through their rotation.
func (g *headGrads) turned(query bool, at, rows int, dx []float32) {
	to, sum := g.k, g.sums[g.d:2*g.d]
	if query {
		to, sum = g.q, g.sums[:g.d]
	}
	if g.cos != nil {
		half := g.d / 2
		for i := range rows {
			turn(dx[i*g.d:][:g.d], g.cos[(at+i)*half:][:half], g.sin[(at+i)*half:][:half], -1)
		}
	}
	f32.SumRoundRows(to[at*g.ld:], g.ld, dx, g.d, rows, sum)
}

// values puts the gradients of values.
func (g *headGrads) values(at, rows int, dx []float32) {
	f32.SumRoundRows(g.v[at*g.ld:], g.ld, dx, g.d, rows, g.sums[2*g.d:])
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
	return square + square + 4*s.chunk*s.d + 2*s.stateSize() + 4*s.chunk + s.d + 256
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
func (s *scan) backwardNarrow(n int, q, k, v []f32.BF16, ld int, o, do []f32.BF16, ldo int, den, states []float32, out *headGrads, scratch []float32) {
	d, size, lds := s.d, s.stateSize(), evenUp(s.chunk)
	b := bump{scratch}
	att, att16, datt16 := b.take(s.chunk*lds), b.take16(s.chunk*lds), b.take16(s.chunk*lds)
	dos, state16 := b.take16(s.chunk*d), b.take16(d*d)
	dstate, inv, dden, row := b.take(size), b.take(s.chunk), b.take(s.chunk), b.take(d)
	dq, dk, dv := b.take(s.chunk*d), b.take(s.chunk*d), b.take(s.chunk*d)
	allQ, allK := q, k
	clear(dstate)
	last := s.chunks(n) - 1
	for c := last; c >= 0; c-- {
		at := c * s.chunk
		m := min(s.chunk, n-at)
		q, k, v := q[at*ld:], k[at*ld:], v[at*ld:]
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
			f32.GemmSerialBF16(false, false, r.len(), d, r.hi, 1, datt16[r.lo*lds:], lds, k, ld, 0, dq[r.lo*d:], d)
			// keys [lo, hi) are seen by rows from lo on
			f32.GemmSerialBF16(true, false, r.len(), d, m-r.lo, 1, datt16[r.lo*lds+r.lo:], lds, q[r.lo*ld:], ld, 0, dk[r.lo*d:], d)
			f32.GemmSerialBF16(true, false, r.len(), d, m-r.lo, 1, att16[r.lo*lds+r.lo:], lds, dos[r.lo*d:], d, 0, dv[r.lo*d:], d)
		}
		if c > 0 {
			f32.Round(state16[:d*d], state[:d*d])
			f32.GemmSerialBF16(false, true, m, d, d, 1, dos, d, state16, d, 1, dq, d)
			f32.AddOuter(dq, d, dden, state[d*d:][:d])
		}
		if c < last {
			f32.Round(state16[:d*d], dstate[:d*d])
			f32.GemmSerialBF16(false, true, m, d, d, 1, v, ld, state16, d, 1, dk, d)
			f32.GemmSerialBF16(false, false, m, d, d, 1, k, ld, state16, d, 1, dv, d)
			f32.AddOuter(dk, d, s.ones[:m], dstate[d*d:][:d])
		}
		out.features(true, at, m, dq, allQ, row)
		out.features(false, at, m, dk, allK, row)
		out.values(at, m, dv)
		f32.AddRows(dstate[d*d:][:d], q, ld, dden)
		f32.GemmSerialBF16(true, false, d, d, m, 1, q, ld, dos, d, 1, dstate, d)
	}
}

// narrowScratch is what the forms for bfloat16 need for flows of at most n rows.
func (w *window) narrowScratch(n int) int {
	return 3*w.block*evenUp(w.keys(n)) + w.block*w.d + 2*w.keys(n)*w.d + 256
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
func (w *window) backwardNarrow(n int, q, k, v []f32.BF16, ld int, do []f32.BF16, ldo int, lse []float32, out *headGrads, scratch []float32, site uint64) {
	scale, d := w.scaleBy(), w.d
	b := bump{scratch}
	most := w.block * evenUp(w.keys(n))
	p, dp, p16, dp16 := b.take(most), b.take(most), b.take16(most), b.take16(most)
	dq := b.take(w.block * d)
	// The gradients of the keys and values that later blocks still reach, from key j0 on.
	dk, dv := b.take(w.keys(n)*d), b.take(w.keys(n)*d)
	done := 0 // keys whose gradients are wholly summed and put
	filled := 0
	for i0 := 0; i0 < n; i0 += w.block {
		i1 := min(i0+w.block, n)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		clear(dk[filled*d : keys*d])
		clear(dv[filled*d : keys*d])
		ldp := evenUp(keys)
		q, do, k, v := q[i0*ld:], do[i0*ldo:], k[j0*ld:], v[j0*ld:]
		f32.GemmSerialBF16(false, true, m, keys, d, scale, q, ld, k, ld, 0, p, ldp)
		f32.GemmSerialBF16(false, true, m, keys, d, 1, do, ldo, v, ld, 0, dp, ldp)
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
		f32.GemmSerialBF16(true, false, keys, d, m, 1, p16, ldp, do, ldo, 1, dv, d)
		f32.GemmSerialBF16(false, false, m, d, keys, scale, dp16, ldp, k, ld, 0, dq, d)
		f32.GemmSerialBF16(true, false, keys, d, m, scale, dp16, ldp, q, ld, 1, dk, d)
		out.turned(true, i0, m, dq)
		next := n // the first key that the next block reaches
		if i1 < n {
			next = w.first(i1)
		}
		out.turned(false, done, next-done, dk)
		out.values(done, next-done, dv)
		filled = j0 + keys - next
		copy(dk, dk[(next-j0)*d:keys*d])
		copy(dv, dv[(next-j0)*d:keys*d])
		done = next
	}
}
