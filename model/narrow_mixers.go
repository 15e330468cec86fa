package model

import "trafficgpt/model/f32"

// A pass with products of bfloat16 has forms of its own for causal windows and linear attention; see Config.wide.

// piece is a chunk of an item of a linear head, or a block of one of a window; -1 is the whole.
type piece struct{ item, chunk int }

// byItem reports whether there are items enough for all threads. Linear heads then go through their chunks one after another, with
// the state at hand; what they compute, and in which order they add, is the same.
func (p *pass) byItem() bool { return len(p.items) >= 2*cutFor() }

// cutFor is for how many threads heads are cut.
var cutFor = f32.Threads

// cutHeads lists the pieces of all heads: of a linear head everything but the running sum of the states is done chunk by
// chunk, of a window the forward pass block by block, so that one long flow has work for many threads.
func (p *pass) cutHeads() {
	c := &p.m.cfg
	p.pieces, p.chunks, p.wholes = p.pieces[:0], p.chunks[:0], p.wholes[:0]
	for i, it := range p.items {
		if it.segment < 0 {
			continue
		}
		g := p.b.Segments[it.segment]
		linear := c.kind(it.head) == linearHead
		for j := range (g.End - g.Start + c.Chunk - 1) / c.Chunk {
			p.pieces = append(p.pieces, piece{i, j})
			if linear {
				p.chunks = append(p.chunks, piece{i, j})
			}
		}
		if !linear {
			p.wholes = append(p.wholes, piece{i, -1})
		}
	}
	if p.byItem() {
		p.pieces = p.pieces[:0]
		for i, it := range p.items {
			if it.segment >= 0 {
				p.pieces = append(p.pieces, piece{i, -1})
			}
		}
	}
}

// headPart is what the forms for bfloat16 see of one head of one segment.
type headPart struct {
	n, ld, ldo int
	q, k, v    []f32.BF16
	o, do      []f32.BF16
	row        []float32 // a divisor or a log-sum a row
	states     []float32
	dstates    []float32 // [chunks+1] gradients of the states, before each chunk and behind the last
	site       uint64
}

func (p *pass) headPart(layer int, it item, s *attnSaved, do16 []f32.BF16, dstates []float32) headPart {
	c := &p.m.cfg
	d, inner := c.HeadDim, c.inner()
	g := p.b.Segments[it.segment]
	h := headPart{n: g.End - g.Start, ld: c.projected(), ldo: inner, site: p.headSite(layer, it)}
	h.q = s.qkv16[g.Start*h.ld+it.head*d:]
	h.k, h.v = h.q[inner:], h.q[2*inner:]
	at := g.Start*inner + it.head*d
	h.o = s.o16[at:]
	if do16 != nil {
		h.do = do16[at:]
	}
	h.row = s.row[it.head*p.n+g.Start:][:h.n]
	if c.kind(it.head) == linearHead {
		sc := p.m.scans[it.head]
		h.states = s.states[it.head][p.firstRow[it.segment]*sc.stateSize():]
		if dstates != nil {
			linear := it.head - c.LocalHeads
			h.dstates = dstates[(linear*p.firstRow[len(p.b.Segments)]+p.firstRow[it.segment])*sc.stateSize():]
		}
	}
	return h
}

// fetch asks for what the forward or the backward pass reads of rows from at on, as far as there are such: a head's rows, of d
// columns, lie too far apart for the processor to foresee what is read next.
func (h *headPart) fetch(at, rows, d int) {
	if at < 0 || at >= h.n {
		return
	}
	rows = min(rows, h.n-at)
	for _, x := range [...][]f32.BF16{h.q, h.k, h.v} {
		f32.FetchRows(x[at*h.ld:], h.ld, rows, d)
	}
	if h.do == nil {
		return
	}
	f32.FetchRows(h.do[at*h.ldo:], h.ldo, rows, d)
	if h.states != nil { // a linear head
		f32.FetchRows(h.o[at*h.ldo:], h.ldo, rows, d)
	}
}

// eachPiece makes a loop of work on pieces of heads.
func eachPiece(f func(a *rowsOf, pc piece, h *headPart, scratch []float32)) *f32.Loop[rowsOf] {
	return f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
		for _, pc := range a.pieces[lo:hi] {
			h := a.p.headPart(a.layer, a.p.items[pc.item], a.attn, a.do16, a.base)
			f(a, pc, &h, a.p.scratch[worker])
		}
	})
}

var (
	stateLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, _ []float32) {
		a.p.m.scans[a.p.items[pc.item].head].addState(h, pc.chunk)
	})
	runningLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, _ []float32) {
		a.p.m.scans[a.p.items[pc.item].head].runStates(h)
	})
	outputLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, scratch []float32) {
		head, c := a.p.items[pc.item].head, &a.p.m.cfg
		linear, w := c.kind(head) == linearHead, a.p.window(head)
		switch sc := a.p.m.scans[head]; {
		case linear && pc.chunk < 0:
			sc.outputsNarrow(h, scratch)
		case linear:
			sc.outputNarrow(h, pc.chunk, scratch)
		case pc.chunk < 0:
			for block := range (h.n + w.block - 1) / w.block {
				h.fetch((block+1)*w.block, w.block, w.d)
				w.forwardNarrow(h, block, scratch)
			}
		default:
			w.forwardNarrow(h, pc.chunk, scratch)
		}
	})
	dstateLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, scratch []float32) {
		sc := a.p.m.scans[a.p.items[pc.item].head]
		sc.addStateBack(h, pc.chunk, sc.backDivisionNarrow(h, pc.chunk, scratch))
	})
	runningBackLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, _ []float32) {
		a.p.m.scans[a.p.items[pc.item].head].runStatesBack(h)
	})
	headBackNarrowLoop = eachPiece(func(a *rowsOf, pc piece, h *headPart, scratch []float32) {
		p, it := a.p, a.p.items[pc.item]
		c := &p.m.cfg
		d, inner := c.HeadDim, c.inner()
		at := p.b.Segments[it.segment].Start*h.ld + it.head*d
		out := headGrads{d: d, ld: h.ld, q: a.dqkv16[at:], k: a.dqkv16[at+inner:], v: a.dqkv16[at+2*inner:]}
		if c.kind(it.head) == linearHead {
			out.exp = c.Features == FeaturesExp
			sc := p.m.scans[it.head]
			if pc.chunk >= 0 {
				out.sums = a.y[p.sumsOf(pc)*3*d:][:3*d]
				sc.backwardNarrow(h, pc.chunk, sc.backDivisionNarrow(h, pc.chunk, scratch), &out)
				return
			}
			for chunk := sc.chunks(h.n) - 1; chunk >= 0; chunk-- {
				out.sums = a.y[p.sumsOf(piece{pc.item, chunk})*3*d:][:3*d]
				sc.stepBackNarrow(h, chunk, &out, scratch)
			}
			return
		}
		out.sums = a.y[p.sumsOf(pc)*3*d:][:3*d]
		out.cos, out.sin = p.cos, p.sin
		w := p.window(it.head)
		w.backwardNarrow(h, &out, scratch)
	})
)

// headsNarrow runs all heads.
func (p *pass) headsNarrow(layer int, s *attnSaved) {
	a := rowsOf{p: p, layer: layer, attn: s}
	if len(p.chunks) > 0 && !p.byItem() {
		a.pieces = p.chunks
		stateLoop.Run(len(a.pieces), 1, a)
		a.pieces = p.firsts()
		runningLoop.Run(len(a.pieces), 1, a)
	}
	a.pieces = p.pieces
	outputLoop.Run(len(a.pieces), 1, a)
}

// firsts are the first chunks of all items of linear heads.
func (p *pass) firsts() []piece {
	p.begin = p.begin[:0]
	for _, pc := range p.chunks {
		if pc.chunk == 0 {
			p.begin = append(p.begin, pc)
		}
	}
	return p.begin
}

// sumsOf is the place of a piece's sums: whole items come first.
func (p *pass) sumsOf(pc piece) int {
	if pc.chunk < 0 {
		return pc.item
	}
	it := p.items[pc.item]
	return len(p.items) + (it.head-p.m.cfg.LocalHeads)*p.firstRow[len(p.b.Segments)] + p.firstRow[it.segment] + pc.chunk
}

// headsBackNarrow computes the gradients of all projections from those of the heads' outputs.
func (p *pass) headsBackNarrow(layer int, s *attnSaved, do16, dqkv16 []f32.BF16) {
	c := &p.m.cfg
	d, inner, places := c.HeadDim, c.inner(), len(p.items)+c.LinearHeads*p.firstRow[len(p.b.Segments)]
	a := rowsOf{p: p, layer: layer, attn: s, do16: do16, dqkv16: dqkv16, y: p.arena.AllocZero(places * 3 * d)}
	if len(p.chunks) > 0 {
		a.base = p.arena.Alloc(c.LinearHeads * p.firstRow[len(p.b.Segments)] * (d*d + d))
	}
	if len(p.chunks) > 0 && !p.byItem() {
		a.pieces = p.chunks
		dstateLoop.Run(len(a.pieces), 1, a)
		a.pieces = p.firsts()
		runningBackLoop.Run(len(a.pieces), 1, a)
	}
	bias := p.m.params.layers[layer].qkvBias.g
	add := func(pc piece) {
		it := p.items[pc.item]
		for part := range 3 {
			g := bias[part*inner+it.head*d:][:d]
			f32.Add(g, g, a.y[(3*p.sumsOf(pc)+part)*d:][:d])
		}
	}
	// The windows' first: they are the longest pieces.
	p.backs = append(append(p.backs[:0], p.wholes...), p.chunks...)
	if a.pieces = p.backs; p.byItem() {
		a.pieces = p.pieces
	}
	headBackNarrowLoop.Run(len(a.pieces), 1, a)
	for _, pc := range p.backs {
		add(pc)
	}
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

// chunkOf is the part of a head that one chunk is.
func (s *scan) chunkOf(h *headPart, c int) (at, m int) {
	at = c * s.chunk
	return at, min(s.chunk, h.n-at)
}

// addState computes what a chunk adds to the state, in the place of the state behind it.
func (s *scan) addState(h *headPart, c int) {
	d, size := s.d, s.stateSize()
	at, m := s.chunkOf(h, c)
	next := h.states[(c+1)*size:][:size]
	k, v := h.k[at*h.ld:], h.v[at*h.ld:]
	f32.GemmSerialBF16(true, false, d, d, m, 1, k, h.ld, v, h.ld, 0, next, d)
	clear(next[d*d:])
	f32.AddRows(next[d*d:][:d], k, h.ld, s.ones[:m])
}

// runStates adds up the states.
func (s *scan) runStates(h *headPart) {
	size := s.stateSize()
	clear(h.states[:size])
	for c := 1; c < s.chunks(h.n); c++ { // the first chunk adds to nothing
		to := h.states[(c+1)*size:][:size]
		f32.Add(to, to, h.states[c*size:][:size])
	}
}

// outputsNarrow computes the outputs of all chunks, and the states between them.
func (s *scan) outputsNarrow(h *headPart, scratch []float32) {
	size := s.stateSize()
	clear(h.states[:size])
	for c := range s.chunks(h.n) {
		h.fetch((c+1)*s.chunk, s.chunk, s.d)
		s.outputNarrow(h, c, scratch)
		s.addState(h, c)
		if c > 0 {
			to := h.states[(c+1)*size:][:size]
			f32.Add(to, to, h.states[c*size:][:size])
		}
	}
}

// outputNarrow computes the outputs of a chunk of linear attention (γ = 1, with the division).
func (s *scan) outputNarrow(h *headPart, c int, scratch []float32) {
	d, size, lds, ld := s.d, s.stateSize(), evenUp(s.chunk), h.ld
	b := bump{scratch}
	att, att16 := b.take(s.chunk*lds), b.take16(s.chunk*lds)
	sum, state16 := b.take(s.chunk*d), b.take16(d*d)
	inv := b.take(s.chunk)
	at, m := s.chunkOf(h, c)
	q, k, v, den := h.q[at*ld:], h.k[at*ld:], h.v[at*ld:], h.row[at:][:m]
	s.square(m, q, ld, k, ld, att, lds)
	roundSquare(m, att16, att, lds, nil, den)
	for _, r := range halves(m) {
		f32.GemmSerialBF16(false, false, r.len(), d, r.hi, 1, att16[r.lo*lds:], lds, v, ld, 0, sum[r.lo*d:], d)
	}
	if c > 0 {
		state := h.states[c*size:][:size]
		f32.Round(state16[:d*d], state[:d*d])
		f32.GemmSerialBF16(false, false, m, d, d, 1, q, ld, state16, d, 1, sum, d)
		f32.DotRows(den, q, ld, m, d, state[d*d:])
	}
	for i := range den {
		den[i] += scanEpsilon
		inv[i] = 1 / den[i]
	}
	f32.ScaleRound(h.o[at*h.ldo:], h.ldo, sum, d, d, inv[:m])
}

// divided are the gradients of a chunk's numerators, rounded, and of its divisors.
type divided struct {
	dos  []f32.BF16
	dden []float32
	rest bump // of the scratch
}

func (s *scan) backDivisionNarrow(h *headPart, c int, scratch []float32) divided {
	b := bump{scratch}
	at, m := s.chunkOf(h, c)
	dos, inv, dden := b.take16(s.chunk*s.d), b.take(m), b.take(m)
	f32.RowDots(dden, h.do[at*h.ldo:], h.ldo, h.o[at*h.ldo:], h.ldo, m, s.d)
	for i := range inv {
		inv[i] = 1 / h.row[at+i]
		dden[i] *= -inv[i]
	}
	f32.ScaleRows(dos, s.d, h.do[at*h.ldo:], h.ldo, s.d, inv)
	return divided{dos, dden, b}
}

// stepBackNarrow computes the gradients of a chunk and of the state before it.
func (s *scan) stepBackNarrow(h *headPart, c int, out *headGrads, scratch []float32) {
	size := s.stateSize()
	h.fetch((c-1)*s.chunk, s.chunk, s.d)
	v := s.backDivisionNarrow(h, c, scratch)
	s.backwardNarrow(h, c, v, out)
	s.addStateBack(h, c, v)
	if c+1 < s.chunks(h.n) {
		to := h.dstates[c*size:][:size]
		f32.Add(to, to, h.dstates[(c+1)*size:][:size])
	}
}

// addStateBack computes what a chunk adds to the gradient of the state before it.
func (s *scan) addStateBack(h *headPart, c int, v divided) {
	d, size := s.d, s.stateSize()
	at, m := s.chunkOf(h, c)
	dos, dden := v.dos, v.dden
	to, q := h.dstates[c*size:][:size], h.q[at*h.ld:]
	f32.GemmSerialBF16(true, false, d, d, m, 1, q, h.ld, dos, d, 0, to, d)
	clear(to[d*d:])
	f32.AddRows(to[d*d:][:d], q, h.ld, dden)
}

// runStatesBack adds up the gradients of the states, from the end.
func (s *scan) runStatesBack(h *headPart) {
	size := s.stateSize()
	for c := s.chunks(h.n) - 2; c >= 0; c-- {
		to := h.dstates[c*size:][:size]
		f32.Add(to, to, h.dstates[(c+1)*size:][:size])
	}
}

// backwardNarrow computes the gradients of a chunk.
func (s *scan) backwardNarrow(h *headPart, c int, g divided, out *headGrads) {
	d, size, lds, ld := s.d, s.stateSize(), evenUp(s.chunk), h.ld
	b, dos, dden := g.rest, g.dos, g.dden
	att, att16, datt16 := b.take(s.chunk*lds), b.take16(s.chunk*lds), b.take16(s.chunk*lds)
	state16 := b.take16(d * d)
	at, m := s.chunkOf(h, c)
	row := b.take(d)
	dq, dk, dv := b.take(s.chunk*d), b.take(s.chunk*d), b.take(s.chunk*d)
	q, k, v := h.q[at*ld:], h.k[at*ld:], h.v[at*ld:]
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
		state := h.states[c*size:][:size]
		f32.Round(state16[:d*d], state[:d*d])
		f32.GemmSerialBF16(false, true, m, d, d, 1, dos, d, state16, d, 1, dq, d)
		f32.AddOuter(dq, d, dden, state[d*d:][:d])
	}
	if c+1 < s.chunks(h.n) {
		dstate := h.dstates[(c+1)*size:][:size]
		f32.Round(state16[:d*d], dstate[:d*d])
		f32.GemmSerialBF16(false, true, m, d, d, 1, v, ld, state16, d, 1, dk, d)
		f32.GemmSerialBF16(false, false, m, d, d, 1, k, ld, state16, d, 1, dv, d)
		f32.AddOuter(dk, d, s.ones[:m], dstate[d*d:][:d])
	}
	out.features(true, at, m, dq, h.q, row)
	out.features(false, at, m, dk, h.k, row)
	out.values(at, m, dv)
}

// narrowScratch is what the forms for bfloat16 need for flows of at most n rows.
func (w *window) narrowScratch(n int) int {
	return 3*w.block*evenUp(w.keys(n)) + w.block*w.d + 2*w.keys(n)*w.d + 256
}

// forwardNarrow computes a block of a causal window.
func (w *window) forwardNarrow(h *headPart, block int, scratch []float32) {
	b := bump{scratch}
	n, ld := h.n, h.ld
	most := w.block * evenUp(w.keys(n))
	p, p16, out := b.take(most), b.take16(most), b.take(w.block*w.d)
	i0 := block * w.block
	i1 := min(i0+w.block, n)
	j0 := w.first(i0)
	m, keys := i1-i0, w.end(i1-1, n)-j0
	ldp := evenUp(keys)
	f32.GemmSerialBF16(false, true, m, keys, w.d, w.scaleBy(), h.q[i0*ld:], ld, h.k[j0*ld:], ld, 0, p, ldp)
	for i := i0; i < i1; i++ {
		row, row16 := p[(i-i0)*ldp:][:keys], p16[(i-i0)*ldp:][:keys]
		lo, hi := w.first(i)-j0, w.end(i, n)-j0
		h.row[i] = softmaxRow(row[lo:hi])
		w.dropout.row(row[lo:hi], h.site, i, lo+j0)
		putRow(row16, row, lo, hi)
	}
	f32.GemmSerialBF16(false, false, m, w.d, keys, 1, p16, ldp, h.v[j0*ld:], ld, 0, out, w.d)
	f32.RoundBlock(h.o[i0*h.ldo:], h.ldo, out, w.d, m, w.d)
}

// putRow rounds elements [lo, hi) of a row and clears the others.
func putRow(to []f32.BF16, row []float32, lo, hi int) {
	clear(to[:lo])
	f32.Round(to[lo:hi], row[lo:hi])
	clear(to[hi:])
}

// backwardNarrow computes the gradients of a causal window.
func (w *window) backwardNarrow(h *headPart, out *headGrads, scratch []float32) {
	scale, d, n, ld, ldo, lse, site := w.scaleBy(), w.d, h.n, h.ld, h.ldo, h.row, h.site
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
		h.fetch(i1, w.block, d)
		j0 := w.first(i0)
		m, keys := i1-i0, w.end(i1-1, n)-j0
		clear(dk[filled*d : keys*d])
		clear(dv[filled*d : keys*d])
		ldp := evenUp(keys)
		q, do, k, v := h.q[i0*ld:], h.do[i0*ldo:], h.k[j0*ld:], h.v[j0*ld:]
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
