package model

import "trafficgpt/model/f32"

// normEpsilon is the ε of every layer norm.
const normEpsilon = 1e-5

// pass is one run of a packed batch through the model in training form. All its
// memory comes from an arena that the next pass uses again.
type pass struct {
	m       *Model
	b       *Batch
	n       int // rows
	arena   *f32.Arena
	scratch [][]float32 // one a worker
	drop    dropout
	train   bool        // keep what the backward pass needs
	stop    func() bool // see TrainerOptions.Stop; nil for none

	narrow     bool           // products of bfloat16
	chain      []stage        // of a narrow pass, what waits to be done to its rows,
	blockSums  []blockSum     // summed afterwards,
	dqkv16     []f32.BF16     // gradients of a layer's projections
	inputNorms []float32      // and what goes back through its first norm
	fresh      bool           // gradients of products need not be added to what there is
	weights    *narrowWeights // of a narrow pass
	block      [][]float32    // scratch for blocks of rows, one a worker
	half       int            // rows in half of a block
	begins     []bool         // one a row: the first of its segment
	grads      []f32.GradBF16
	pieces     []piece   // of the heads of a narrow pass,
	chunks     []piece   // those of linear heads,
	wholes     []piece   // the others' items,
	begin      []piece   // linear heads' first chunks,
	backs      []piece   // and what the backward pass takes together
	place      []int     // one a row: how many rows of its segment lie before it
	cos, sin   []float32 // rotations, or nil

	items     []item // heads times segments, what runs side by side
	told      []hint // one a row, or none
	firstRow  []int  // of each head's states: offset by segment
	rwkvFirst []int
	layers    []layerSaved
}

// item is one head of one segment (segment -1: all segments in order).
type item struct{ head, segment int }

// layerSaved is what one layer keeps for the backward pass.
type layerSaved struct {
	x1, x2 []float32 // inputs; x2 of reversible models only
	mid    []float32 // input of the feed-forward branch
	attn   attnSaved
	ff     ffSaved
}

type attnSaved struct {
	mean, rstd []float32
	h          []float32 // normalised and shifted input [n, width]
	h16, qkv16 []f32.BF16
	o16        []f32.BF16 // narrow passes keep these instead of h, qkv and o
	qkv        []float32  // projections after feature maps and rotation [n, projected]
	o          []float32  // heads' outputs [n, inner]
	raw        []float32  // retention heads before norm and gate [n, retention heads · d]
	rrstd      []float32  // their norms' 1/deviation [n, retention heads]
	row        []float32  // a divisor or a log-sum a row, by head [heads, n]
	states     [][]float32
}

type ffSaved struct {
	mean, rstd []float32
	h          []float32 // normalised and shifted input [n, width]
	f          []float32 // before the activation [n, hidden]

	h16, f16 []f32.BF16 // narrow passes keep these instead
}

// prepare lays out the work of a batch.
func (p *pass) prepare() {
	c := p.m.cfg
	longest := 0
	chunk, chunkR := 0, 0
	wkv := rwkv{d: c.HeadDim, chunk: rwkvChunk}
	p.firstRow, p.rwkvFirst = p.firstRow[:0], p.rwkvFirst[:0]
	for _, s := range p.b.Segments {
		n := s.End - s.Start
		longest = max(longest, n)
		p.firstRow = append(p.firstRow, chunk)
		p.rwkvFirst = append(p.rwkvFirst, chunkR)
		chunk += (n+c.Chunk-1)/c.Chunk + 1
		chunkR += wkv.chunks(n) + 1
	}
	p.firstRow = append(p.firstRow, chunk)
	p.rwkvFirst = append(p.rwkvFirst, chunkR)
	p.items = p.items[:0]
	for h := range c.Heads() - c.RWKVHeads {
		for s := range p.b.Segments {
			p.items = append(p.items, item{h, s})
		}
	}
	for h := c.Heads() - c.RWKVHeads; h < c.Heads(); h++ {
		p.items = append(p.items, item{h, -1})
	}
	need := wkv.scratchSize() + 2*c.HeadDim
	for h := range c.Heads() {
		switch c.kind(h) {
		case localHead, softmaxHead:
			w := p.window(h)
			need = max(need, w.scratchSize(longest))
			if p.narrow {
				need = max(need, w.narrowScratch(longest))
			}
		case linearHead, retentionHead:
			need = max(need, p.m.scans[h].scratchSize())
			if p.narrow {
				need = max(need, p.m.scans[h].narrowScratch())
			}
		}
	}
	p.scratch = eachWorker(p.scratch, need, need)
	if p.narrow {
		p.prepareNarrow(longest)
	}
}

// eachWorker gives every worker scratch of need elements; where there is less, it
// is made anew with size.
func eachWorker(scratch [][]float32, need, size int) [][]float32 {
	for len(scratch) < f32.Threads() {
		scratch = append(scratch, nil)
	}
	for i := range scratch {
		if len(scratch[i]) < need {
			scratch[i] = f32.Aligned(size)
		}
	}
	return scratch
}

// window returns the window of a local or softmax head.
func (p *pass) window(h int) window {
	c := p.m.cfg
	w := window{d: c.HeadDim, block: c.Chunk, both: c.Bidirectional, dropout: p.drop}
	if c.kind(h) == localHead {
		w.reach = c.Window
	}
	return w
}

// embed writes the embeddings of the batch's tokens to x [n, width].
func (p *pass) embed(x []float32) {
	params, w := p.m.params, p.m.cfg.Width
	f32.GatherRows(x, params.embed.w, w, p.b.Tokens)
	p.told = p.m.cfg.hints(p.b, p.told)
	hintLoop.Run(len(p.told), 64, rowsOf{p: p, x: x})
	if p.m.cfg.Positions != PositionsAxial {
		return
	}
	for _, s := range p.b.Segments {
		positionLoop.Run(s.End-s.Start, 64, rowsOf{p: p, x: x, segment: s})
	}
}

// rowsOf are the arguments of work on rows of a pass; which of them count is
// the loop's own. Loops are made once, so that a step allocates nothing.
type rowsOf struct {
	p          *pass
	x, dx, y   []float32
	base, bias []float32
	do16       []f32.BF16
	pieces     []piece
	dqkv16     []f32.BF16
	cos, sin   []float32
	attn       *attnSaved
	final      *final
	segment    Segment
	layer      int
	cols       int
	sign       float32
	site       uint64
}

// eachRow makes a loop of work on one row.
func eachRow(f func(a *rowsOf, i int)) *f32.Loop[rowsOf] {
	return f32.NewLoop(func(a *rowsOf, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			f(a, i)
		}
	})
}

var (
	hintLoop = eachRow(func(a *rowsOf, i int) {
		w := a.p.m.cfg.Width
		a.p.m.addHint(a.x[i*w:][:w], &a.p.told[i])
	})
	positionLoop = eachRow(func(a *rowsOf, i int) {
		w := a.p.m.cfg.Width
		a.p.m.addPosition(a.x[(a.segment.Start+i)*w:][:w], a.segment.Position+i)
	})
)

// addPosition adds the axial embedding; positions wrap past the table's end.
func (m *Model) addPosition(x []float32, position int) {
	w, cols := m.cfg.Width, m.cfg.AxialCols
	col := position % cols
	f32.Add(x, x, m.params.colPos.w[col*w:][:w])
	if rows := m.cfg.AxialRows; rows > 1 {
		row := position / cols % rows
		f32.Add(x, x, m.params.rowPos.w[row*w:][:w])
	}
}

// shift moves the first half of the channels one row down within each segment;
// the first row's half becomes zero.
func (p *pass) shift(h []float32) {
	if !p.m.cfg.TokenShift {
		return
	}
	w := p.m.cfg.Width
	for _, s := range p.b.Segments {
		for i := s.End - 1; i > s.Start; i-- {
			copy(h[i*w:][:w/2], h[(i-1)*w:][:w/2])
		}
		clear(h[s.Start*w:][:w/2])
	}
}

// unshift is the gradient of shift.
func (p *pass) unshift(h []float32) {
	if !p.m.cfg.TokenShift {
		return
	}
	w := p.m.cfg.Width
	for _, s := range p.b.Segments {
		for i := s.Start; i < s.End-1; i++ {
			copy(h[i*w:][:w/2], h[(i+1)*w:][:w/2])
		}
		clear(h[(s.End-1)*w:][:w/2])
	}
}

// product computes y = x·w for n rows. Biases are added by whoever reads y
// next, while its rows are at hand.
func (p *pass) product(y, x []float32, w *tensor) {
	f32.Gemm(false, false, p.n, w.cols, w.rows, 1, x, w.rows, w.w, w.cols, 0, y, w.cols)
}

// rowsAtHand is how many rows a piece of row-by-row work takes at a time.
const rowsAtHand = 32

// emit sets y = base + sign·(o·w + bias), with dropout on what is added; y may
// be base.
func (p *pass) emit(y, base, o []float32, w, bias *tensor, sign float32, site uint64) {
	mark := p.arena.Mark()
	defer p.arena.Release(mark)
	cols := w.cols
	out := p.arena.Alloc(p.n * cols)
	p.product(out, o, w)
	emitLoop.Run(p.n, rowsAtHand, rowsOf{p: p, x: out, y: y, base: base, bias: bias.w, cols: cols, sign: sign, site: site})
}

var emitLoop = f32.NewLoop(func(a *rowsOf, lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		row := a.x[i*a.cols:][:a.cols]
		f32.Add(row, row, a.bias)
		a.p.drop.row(row, a.site, i, 0)
	}
	add, y, base := a.x[lo*a.cols:hi*a.cols], a.y[lo*a.cols:hi*a.cols], a.base[lo*a.cols:hi*a.cols]
	if a.sign > 0 {
		f32.Add(y, base, add)
	} else {
		f32.Sub(y, base, add)
	}
})

// dropRows applies dropout to x [n, cols].
func (p *pass) dropRows(x []float32, cols int, site uint64) {
	if p.drop.rate == 0 {
		return
	}
	dropLoop.Run(p.n, 64, rowsOf{p: p, x: x, cols: cols, site: site})
}

var dropLoop = eachRow(func(a *rowsOf, i int) { a.p.drop.row(a.x[i*a.cols:][:a.cols], a.site, i, 0) })

// Sites of dropout within a layer.
const (
	siteAttention = iota
	siteProjection
	siteActivation
	siteFeedForward
	sites
)

func site(layer, place int) uint64 { return uint64(layer*sites+place) << 20 }

// attention sets y = base + sign·(the attention branch of x) and fills s. With
// y nil only s is wanted.
func (p *pass) attention(layer int, x, base, y []float32, sign float32, s *attnSaved) {
	p.poll()
	if p.narrow {
		p.attentionNarrow(layer, x, base, y, sign, s)
		return
	}
	c, l := p.m.cfg, &p.m.params.layers[layer]
	p.allocAttention(s)
	f32.LayerNorm(s.h, x, l.norm1Gain.w, l.norm1Bias.w, p.n, c.Width, normEpsilon, s.mean, s.rstd)
	p.shift(s.h)
	p.product(s.qkv, s.h, &l.qkv)
	p.mapRows(s.qkv, l.qkvBias.w)
	headLoop.Run(len(p.items), 1, rowsOf{p: p, layer: layer, attn: s})
	p.gate(s)
	if y != nil {
		p.emit(y, base, s.o, &l.proj, &l.projBias, sign, site(layer, siteProjection))
	}
}

var headLoop = f32.NewLoop(func(a *rowsOf, lo, hi, worker int) {
	for _, it := range a.p.items[lo:hi] {
		a.p.head(a.layer, it, a.attn, a.p.scratch[worker])
	}
})

func (p *pass) allocAttention(s *attnSaved) {
	c, n := p.m.cfg, p.n
	s.mean, s.rstd = p.arena.Alloc(n), p.arena.Alloc(n)
	s.h = p.arena.Alloc(n * c.Width)
	s.qkv = p.arena.Alloc(n * c.projected())
	s.o = p.arena.Alloc(n * c.inner())
	p.allocHeads(s)
}

// allocHeads makes what the heads keep besides.
func (p *pass) allocHeads(s *attnSaved) {
	c, n := p.m.cfg, p.n
	s.raw = p.arena.Alloc(n * c.RetentionHeads * c.HeadDim)
	s.rrstd = p.arena.Alloc(n * c.RetentionHeads)
	s.row = p.arena.Alloc(n * c.Heads())
	if s.states == nil {
		s.states = make([][]float32, c.Heads())
	}
	for h := range s.states {
		switch c.kind(h) {
		case linearHead, retentionHead:
			s.states[h] = p.arena.Alloc(p.firstRow[len(p.b.Segments)] * p.m.scans[h].stateSize())
		case rwkvHead:
			s.states[h] = p.arena.Alloc(p.rwkvFirst[len(p.b.Segments)] * 3 * c.HeadDim)
		}
	}
}

// mapRows applies what happens to projections before they meet: the bias,
// feature maps of linear heads, rotation of the others.
func (p *pass) mapRows(x, bias []float32) {
	for _, s := range p.b.Segments {
		a := rowsOf{p: p, x: x, bias: bias, segment: s}
		if p.m.cfg.Positions == PositionsRotary {
			a.cos, a.sin = p.m.rotary(s.End - s.Start)
		}
		mapLoop.Run(s.End-s.Start, 32, a)
	}
}

var mapLoop = eachRow(func(a *rowsOf, i int) {
	ld, half := a.p.m.cfg.projected(), a.p.m.cfg.HeadDim/2
	row := a.x[(a.segment.Start+i)*ld:][:ld]
	f32.Add(row, row, a.bias)
	a.p.m.featureRow(row)
	if a.cos != nil {
		a.p.m.turnRow(row, a.cos[i*half:][:half], a.sin[i*half:][:half], 1)
	}
})

// turnRow rotates queries and keys of one row of projections.
func (m *Model) turnRow(row, cos, sin []float32, direction float32) {
	d, inner := m.cfg.HeadDim, m.cfg.inner()
	for h := range m.cfg.Heads() {
		switch m.cfg.kind(h) {
		case localHead, softmaxHead, retentionHead:
			turn(row[h*d:][:d], cos, sin, direction)
			turn(row[inner+h*d:][:d], cos, sin, direction)
		}
	}
}

// head runs one head of one segment.
func (p *pass) head(layer int, it item, s *attnSaved, scratch []float32) {
	c, d := p.m.cfg, p.m.cfg.HeadDim
	ld, inner := c.projected(), c.inner()
	if it.segment < 0 {
		r := p.rwkvHead(layer, it.head, scratch)
		scratch = scratch[2*d:]
		for i, g := range p.b.Segments {
			q := s.qkv[g.Start*ld+it.head*d:]
			r.forward(g.End-g.Start, q, q[inner:], q[2*inner:], ld, s.o[g.Start*inner+it.head*d:], inner,
				s.states[it.head][p.rwkvFirst[i]*r.stateSize():], false, scratch)
		}
		return
	}
	g := p.b.Segments[it.segment]
	n := g.End - g.Start
	q := s.qkv[g.Start*ld+it.head*d:]
	k, v := q[inner:], q[2*inner:]
	o := s.o[g.Start*inner+it.head*d:]
	row := s.row[it.head*p.n+g.Start:][:n]
	switch c.kind(it.head) {
	case localHead, softmaxHead:
		w := p.window(it.head)
		w.forward(0, n, q, k, v, ld, o, inner, row, scratch, p.headSite(layer, it))
	case linearHead:
		sc := p.m.scans[it.head]
		sc.forward(n, q, k, v, ld, o, inner, row, s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], false, scratch)
	case retentionHead:
		sc := p.m.scans[it.head]
		raw, ldr := p.rawOf(s, it.head, g.Start)
		sc.forward(n, q, k, v, ld, raw, ldr, row, s.states[it.head][p.firstRow[it.segment]*sc.stateSize():], false, scratch)
	}
}

// headSite numbers a head's segment for dropout of probabilities.
func (p *pass) headSite(layer int, it item) uint64 {
	return site(layer, siteAttention) + uint64(it.segment)*uint64(p.m.cfg.Heads()) + uint64(it.head)
}

// rawOf is where a retention head's output before norm and gate lies.
func (p *pass) rawOf(s *attnSaved, head, row int) ([]float32, int) {
	d, ldr := p.m.cfg.HeadDim, p.m.cfg.RetentionHeads*p.m.cfg.HeadDim
	return s.raw[row*ldr+(head-p.m.cfg.firstRetention())*d:], ldr
}

func (c Config) firstRetention() int { return c.LocalHeads + c.LinearHeads + c.SoftmaxHeads }
func (c Config) firstRWKV() int      { return c.firstRetention() + c.RetentionHeads }

// rwkvHead returns one head's time mixing with its parameters loaded, which lie
// in the first two rows of scratch.
func (p *pass) rwkvHead(layer, head int, scratch []float32) rwkv {
	l, d := &p.m.params.layers[layer], p.m.cfg.HeadDim
	at := (head - p.m.cfg.firstRWKV()) * d
	r := rwkv{d: d, chunk: rwkvChunk, lambda: scratch[:d:d], gain: scratch[d : 2*d : 2*d]}
	r.load(l.rwkvDecay.w[at:][:d], l.rwkvBonus.w[at:][:d])
	return r
}

// feedForward sets y = base + sign·(the feed-forward branch of x) and fills s.
// With y nil only s is wanted.
func (p *pass) feedForward(layer int, x, base, y []float32, sign float32, s *ffSaved) {
	p.poll()
	if p.narrow {
		p.feedForwardNarrow(layer, x, base, y, sign, s)
		return
	}
	c, l := p.m.cfg, &p.m.params.layers[layer]
	s.mean, s.rstd = p.arena.Alloc(p.n), p.arena.Alloc(p.n)
	s.h = p.arena.Alloc(p.n * c.Width)
	s.f = p.arena.Alloc(p.n * c.hidden())
	f32.LayerNorm(s.h, x, l.norm2Gain.w, l.norm2Bias.w, p.n, c.Width, normEpsilon, s.mean, s.rstd)
	p.shift(s.h)
	p.product(s.f, s.h, &l.fc1)
	if y == nil {
		f32.AddRow(s.f, l.fc1Bias.w, p.n, c.hidden())
		return
	}
	mark := p.arena.Mark()
	act := p.arena.Alloc(p.n * c.FeedForward)
	p.activate(act, s.f, l.fc1Bias.w, layer)
	p.emit(y, base, act, &l.fc2, &l.fc2Bias, sign, site(layer, siteFeedForward))
	p.arena.Release(mark)
}

// activate adds the bias to f and computes act [n, feed-forward] =
// gelu(f), or gelu(a)·b of f = [a b].
func (p *pass) activate(act, f, bias []float32, layer int) {
	activateLoop.Run(p.n, rowsAtHand, rowsOf{p: p, x: f, y: act, bias: bias, site: site(layer, siteActivation)})
}

var activateLoop = eachRow(func(a *rowsOf, i int) {
	ff, hidden := a.p.m.cfg.FeedForward, a.p.m.cfg.hidden()
	row, f := a.y[i*ff:][:ff], a.x[i*hidden:][:hidden]
	f32.Add(f, f, a.bias)
	f32.Gelu(row, f[:ff])
	if a.p.m.cfg.GLU {
		f32.Mul(row, row, f[ff:])
	}
	a.p.drop.row(row, a.site, i, 0)
})

// layersForward runs all layers on x1 (and x2, of reversible models) and
// returns the last outputs.
func (p *pass) layersForward(x1, x2 []float32) ([]float32, []float32) {
	c := p.m.cfg
	for len(p.layers) < c.Layers {
		p.layers = append(p.layers, layerSaved{})
	}
	for i := range c.Layers {
		s := &p.layers[i]
		y1, y2 := x1, x2
		if p.train && c.Memory != KeepNothing {
			s.x1, s.x2 = x1, x2
			y1, y2 = p.arena.Alloc(len(x1)), p.arena.Alloc(len(x2))
		}
		mark := p.arena.Mark()
		p.layerForward(i, x1, x2, y1, y2, s)
		if !p.train || c.Memory != KeepAll {
			p.flush()
			p.arena.Release(mark)
		}
		x1, x2 = y1, y2
	}
	p.flush()
	return x1, x2
}

// layerForward runs one layer; y1 and y2 may be x1 and x2.
func (p *pass) layerForward(i int, x1, x2, y1, y2 []float32, s *layerSaved) {
	if p.m.cfg.Reversible {
		p.attention(i, x2, x1, y1, 1, &s.attn)
		s.mid = y1
		p.feedForward(i, y1, x2, y2, 1, &s.ff)
		return
	}
	s.mid = x1
	if p.train {
		s.mid = p.arena.Alloc(len(x1))
	}
	p.attention(i, x1, x1, s.mid, 1, &s.attn)
	p.feedForward(i, s.mid, s.mid, y1, 1, &s.ff)
}
