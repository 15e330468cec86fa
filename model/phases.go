package model

import (
	"trafficgpt/model/f32"
	"trafficgpt/model/half"
)

// A step's layers are short phases, each cut in pieces for a crew of threads: a matrix's columns, lanes, or heads.
// What follows a product element by element is done by whoever has computed the column. Every element is computed in
// the same way however the phase is cut.
type phases struct {
	crew f32.Crew
	lead func()

	norm, normRows, project, heads, mixed, whole, add, up, plain, down, logits phase

	// what the phase at hand works on
	w      *packedWeights
	layer  int
	x, y   []float32
	gain   *tensor
	bias   *tensor
	kept   int // where the lanes keep the shifted half row
	pieces int
	once   *half.Rounded // what the product at hand has been given in 8 bits, or nil
	room   half.Rounded
	blocks int // of rows that a product's pieces are cut in, beside columns
}

// phase is the body of one: piece i of s.phases.pieces.
type phase func(piece, worker int)

// init makes the phases' functions once, so that a step allocates nothing.
func (p *phases) init(s *Stream) {
	p.lead = s.lead
	p.norm, p.normRows, p.project, p.heads, p.mixed, p.whole = s.normPiece, s.normRowsPiece, s.projectPiece, s.headsPiece, s.mixedPiece, s.wholePiece
	p.add = s.addPiece
	p.up, p.plain, p.down, p.logits = s.upPiece, s.plainPiece, s.downPiece, s.logitsPiece
}

const (
	unit = 32 // columns that go together: a panel of any layout

	alone      = 1 << 13 // multiply-adds that are done before another thread has taken a piece
	threadsFor = 1 << 17 // multiply-adds of a step that other threads are called for
	fewForOne  = 3       // so many rows are multiplied one by one, several panels at a time
	mostPieces = 16
	cutRows    = 96 // of a long run
)

// layers runs the rows of the step through the model and returns the logits.
func (s *Stream) layers() []float32 {
	n := len(s.active)
	bits := s.bits
	if bits == bitsBF16 && !f32.HasBF16() { // with other kernels than when it was made
		bits = bits16
	}
	s.phases.w = s.m.pack(bits)
	threads := 1
	switch {
	case s.long:
		threads = f32.Threads()
	case n*s.m.packedLen(bits32) >= threadsFor:
		threads = mostPieces
	}
	s.phases.crew.Work(threads, s.phases.lead)
	return s.logits[:n*s.m.cfg.Vocabulary]
}

func (s *Stream) lead() {
	c, n := s.m.cfg, len(s.active)
	for l := range c.Layers {
		s.phases.layer = l
		if c.Reversible {
			s.attention(s.x2, s.x1)
			s.feedForward(s.x1, s.x2)
		} else {
			s.attention(s.x1, s.x1)
			s.feedForward(s.x1, s.x1)
		}
	}
	x := s.x1[:n*c.Width]
	if c.Reversible {
		f32.Add(x, x, s.x2[:n*c.Width])
		f32.Scale(x, 0.5, x)
	}
	if s.long { // the logits of the last row are what is asked for
		x = x[(n-1)*c.Width:]
		s.active, s.runs = s.active[n-1:], append(s.runs[:0], 0, 1)
	}
	s.normAll(x, &s.m.params.normGain, &s.m.params.normBias, -1)
	s.ready(&s.phases.w.head, s.h)
	s.product(s.phases.logits, s.phases.w.head.k, c.Vocabulary)
}

// do runs a phase of at most that many pieces and so many multiply-adds.
func (s *Stream) do(f phase, pieces, work int) {
	if work < alone {
		pieces = 1
	}
	s.phases.pieces = pieces
	s.phases.crew.Do(pieces, f)
}

// product runs a phase over a k×n matrix's columns, and over blocks of rows where there are many.
func (s *Stream) product(f phase, k, n int) {
	units := (n + unit - 1) / unit
	if len(s.active) <= fewForOne {
		units = (units + 3) / 4 // so many panels are fetched side by side
	}
	s.phases.blocks = (len(s.active) + cutRows - 1) / cutRows
	s.do(f, min(units, mostPieces)*s.phases.blocks, len(s.active)*k*n)
}

// ready prepares the product of one row with a matrix in 8 bits.
func (s *Stream) ready(w *packedMatrix, x []float32) {
	p := &s.phases
	p.once = nil
	if w.quarter != nil && len(s.active) == 1 && w.quarter.Round(x, &p.room) {
		p.once = &p.room
	}
}

// rowsOfStep are some rows of the step.
type rowsOfStep struct{ from, to int }

// share is the piece-th part of the rows and of n columns, in whole units.
func (s *Stream) share(piece, n int) (rows rowsOfStep, first, last int) {
	p, units := &s.phases, (n+unit-1)/unit
	if p.pieces < p.blocks { // too little to cut
		return rowsOfStep{0, len(s.active)}, 0, n
	}
	across := p.pieces / p.blocks
	block, part := piece%p.blocks, piece/p.blocks
	rows.from = block * cutRows
	rows.to = min(rows.from+cutRows, len(s.active))
	return rows, part * units / across * unit, min((part+1)*units/across*unit, n)
}

// normAll sets h to the norm of x. With kept, the first half of each row is
// exchanged with that of the row before it, which lies there in its lane.
func (s *Stream) normAll(x []float32, gain, bias *tensor, kept int) {
	p := &s.phases
	p.x, p.gain, p.bias, p.kept = x, gain, bias, kept
	if n := len(s.active); len(s.runs) == 2 && n >= 8 {
		s.do(p.normRows, min(n/4, mostPieces), 8*n*s.m.cfg.Width)
		s.shiftRun(0, n)
		s.round(s.h, s.h16, s.m.cfg.Width, rowsOfStep{0, n}, 0, s.m.cfg.Width)
		return
	}
	s.do(p.norm, min(len(s.runs)-1, 4), 8*len(s.active)*s.m.cfg.Width)
}

// normPiece takes some runs.
func (s *Stream) normPiece(piece, _ int) {
	p, runs := &s.phases, len(s.runs)-1
	for run := piece * runs / p.pieces; run < (piece+1)*runs/p.pieces; run++ {
		s.normSome(s.runs[run], s.runs[run+1])
		s.shiftRun(s.runs[run], s.runs[run+1])
		s.round(s.h, s.h16, s.m.cfg.Width, rowsOfStep{s.runs[run], s.runs[run+1]}, 0, s.m.cfg.Width)
	}
}

// normRowsPiece takes some rows of the one run there is.
func (s *Stream) normRowsPiece(piece, _ int) {
	n, pieces := len(s.active), s.phases.pieces
	s.normSome(piece*n/pieces, (piece+1)*n/pieces)
}

func (s *Stream) normSome(lo, hi int) {
	p, w := &s.phases, s.m.cfg.Width
	f32.LayerNorm(s.h[lo*w:hi*w], p.x[lo*w:hi*w], p.gain.w, p.bias.w, hi-lo, w, normEpsilon, s.mean[lo:hi], s.rstd[lo:hi])
}

// shiftRun moves the first halves of a run's rows one row down; the first gets what the lane kept.
func (s *Stream) shiftRun(lo, hi int) {
	p, w := &s.phases, s.m.cfg.Width
	if !s.m.cfg.TokenShift || p.kept < 0 {
		return
	}
	h := s.h[lo*w : hi*w]
	kept, next := s.lanes[s.active[lo].lane].state[p.kept:][:w/2], s.out[lo*w:][:w/2]
	copy(next, h[len(h)-w:])
	for i := len(h) - w; i > 0; i -= w {
		copy(h[i:][:w/2], h[i-w:])
	}
	copy(h[:w/2], kept)
	copy(kept, next)
}

// hidden is the normalised input.
func (s *Stream) hidden() factor { return factor{s.h, s.h16, s.phases.once} }

// round rounds some columns of rows of the given width for a matrix in bfloat16.
func (s *Stream) round(x []float32, x16 []f32.BF16, width int, rows rowsOfStep, first, last int) {
	if s.bits != bitsBF16 {
		return
	}
	for i := rows.from; i < rows.to; i++ {
		f32.Round(x16[i*width+first:i*width+last], x[i*width+first:i*width+last])
	}
}

// attention adds the attention branch of x to y.
func (s *Stream) attention(x, y []float32) {
	p, c, n := &s.phases, &s.m.cfg, len(s.active)
	l, q := &s.m.params.layers[p.layer], &p.w.layers[p.layer]
	s.normAll(x, &l.norm1Gain, &l.norm1Bias, p.layer*s.layerState())
	s.ready(&q.qkv, s.h)
	if s.long {
		s.product(p.project, q.qkv.k, q.qkv.n)
		s.do(p.whole, c.Heads(), alone)
		p.y = y
		s.ready(&q.proj, s.o)
		s.product(p.add, q.proj.k, q.proj.n)
		return
	}
	mixing := n * c.Heads() * c.HeadDim * c.HeadDim
	if n <= fewForOne && c.HeadDim%unit == 0 {
		s.do(p.mixed, c.Heads(), n*q.qkv.k*q.qkv.n+mixing)
	} else {
		s.product(p.project, q.qkv.k, q.qkv.n)
		s.do(p.heads, min((len(s.runs)-1)*c.Heads(), 2*mostPieces), mixing)
	}
	p.y = y
	s.ready(&q.proj, s.o)
	s.product(p.add, q.proj.k, q.proj.n)
}

func (s *Stream) projectPiece(piece, _ int) {
	q := &s.phases.w.layers[s.phases.layer].qkv
	rows, first, last := s.share(piece, q.n)
	q.columns(rows, s.hidden(), &s.m.params.layers[s.phases.layer].qkvBias, s.qkv, first, last)
}

// headsPiece runs some heads of some lanes.
func (s *Stream) headsPiece(piece, worker int) {
	p, heads := &s.phases, s.m.cfg.Heads()
	all := (len(s.runs) - 1) * heads
	for i := piece * all / p.pieces; i < (piece+1)*all/p.pieces; i++ {
		for row := s.runs[i/heads]; row < s.runs[i/heads+1]; row++ {
			s.head(p.layer, row, i%heads, s.scratch[worker])
		}
	}
}

// mixedPiece computes the projections of some heads and runs these.
func (s *Stream) mixedPiece(piece, worker int) {
	p, c, rows := &s.phases, &s.m.cfg, rowsOfStep{0, len(s.active)}
	q, bias := &p.w.layers[p.layer].qkv, &s.m.params.layers[p.layer].qkvBias
	for h := piece * c.Heads() / p.pieces; h < (piece+1)*c.Heads()/p.pieces; h++ {
		for part := range 3 {
			at := part*c.inner() + h*c.HeadDim
			q.columns(rows, s.hidden(), bias, s.qkv, at, at+c.HeadDim)
		}
		if c.kind(h) == retentionHead {
			at := 3*c.inner() + (h-c.firstRetention())*c.HeadDim
			q.columns(rows, s.hidden(), bias, s.qkv, at, at+c.HeadDim)
		}
		for row := range rows.to {
			s.head(p.layer, row, h, s.scratch[worker])
		}
	}
}

func (s *Stream) addPiece(piece, _ int) {
	q := &s.phases.w.layers[s.phases.layer].proj
	s.addProduct(piece, q, factor{s.o, s.o16, s.phases.once}, &s.m.params.layers[s.phases.layer].projBias)
}

func (s *Stream) downPiece(piece, _ int) {
	x := s.f
	if s.m.cfg.GLU {
		x = s.act
	}
	s.addProduct(piece, &s.phases.w.layers[s.phases.layer].fc2, factor{x, s.act16, s.phases.once}, &s.m.params.layers[s.phases.layer].fc2Bias)
}

// addProduct adds a piece of x·w + bias to y.
func (s *Stream) addProduct(piece int, w *packedMatrix, x factor, bias *tensor) {
	rows, first, last := s.share(piece, w.n)
	w.columns(rows, x, bias, s.out, first, last)
	for i := rows.from; i < rows.to; i++ {
		row := s.phases.y[i*w.n:][first:last]
		f32.Add(row, row, s.out[i*w.n:][first:last])
	}
}

// feedForward adds the feed-forward branch of x to y.
func (s *Stream) feedForward(x, y []float32) {
	p, c := &s.phases, &s.m.cfg
	l, q := &s.m.params.layers[p.layer], &p.w.layers[p.layer]
	s.normAll(x, &l.norm2Gain, &l.norm2Bias, p.layer*s.layerState()+c.Width/2)
	s.ready(&q.fc1, s.h)
	switch {
	case !c.GLU || c.FeedForward%unit == 0:
		s.product(p.up, q.fc1.k, c.FeedForward)
	default: // a unit's factors are in others' columns
		s.product(p.plain, q.fc1.k, q.fc1.n)
		s.activate(rowsOfStep{0, len(s.active)}, 0, c.FeedForward)
	}
	p.y = y
	if c.GLU {
		s.ready(&q.fc2, s.act)
	} else {
		s.ready(&q.fc2, s.f)
	}
	s.product(p.down, q.fc2.k, q.fc2.n)
}

func (s *Stream) plainPiece(piece, _ int) {
	q := &s.phases.w.layers[s.phases.layer].fc1
	rows, first, last := s.share(piece, q.n)
	q.columns(rows, s.hidden(), &s.m.params.layers[s.phases.layer].fc1Bias, s.f, first, last)
}

// upPiece computes some hidden channels and their activations.
func (s *Stream) upPiece(piece, _ int) {
	p, c := &s.phases, &s.m.cfg
	q, bias := &p.w.layers[p.layer].fc1, &s.m.params.layers[p.layer].fc1Bias
	rows, first, last := s.share(piece, c.FeedForward)
	q.columns(rows, s.hidden(), bias, s.f, first, last)
	if c.GLU {
		q.columns(rows, s.hidden(), bias, s.f, c.FeedForward+first, c.FeedForward+last)
	}
	s.activate(rows, first, last)
}

// activate computes the activations of some hidden channels.
func (s *Stream) activate(rows rowsOfStep, first, last int) {
	c := &s.m.cfg
	for i := rows.from; i < rows.to; i++ {
		f := s.f[i*c.hidden():]
		if !c.GLU {
			f32.Gelu(f[first:last], f[first:last])
			continue
		}
		row := s.act[i*c.FeedForward:][first:last]
		f32.Gelu(row, f[first:last])
		f32.Mul(row, row, f[c.FeedForward+first:c.FeedForward+last])
	}
	act := s.f
	if c.GLU {
		act = s.act
	}
	s.round(act, s.act16, c.FeedForward, rows, first, last)
}

func (s *Stream) logitsPiece(piece, _ int) {
	q := &s.phases.w.head
	rows, first, last := s.share(piece, q.n)
	q.columns(rows, s.hidden(), &s.m.params.headBias, s.logits, first, last)
}
