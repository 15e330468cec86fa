package model

import (
	"fmt"

	"trafficgpt/model/f32"
)

// Stream runs flows token by token, many side by side: one lane a flow. A lane
// holds a state of constant size (softmax heads alone grow with the flow), so
// a flow may go on for ever. A Stream is void when its model is trained on.
type Stream struct {
	m     *Model
	bits  weightBits
	lanes []lane
	rwkvs [][]*rwkv // by layer and RWKV head
	parts headParts
	ahead *lookahead // of StepAhead, made by its first call

	// one row a token of the step
	rows                                   int // there is room for
	x1, x2, h, qkv, o, f, act, out, logits []float32
	h16, o16, act16                        []f32.BF16 // rounded, of h, o and f or act
	mean, rstd                             []float32
	cos, sin                               []float32
	told                                   []hint
	active                                 []row
	runs                                   []int // where the rows of each lane begin, and the end of all

	scratch [][]float32
	phases  phases
	long    bool // the step is a piece of a prompt
}

// row is one token of a step: its lane, and its place in the flow.
type row struct{ lane, position int }

// headParts is where the heads' states lie in a layer's part of a lane.
type headParts struct{ from, size []int }

// lane is one flow's state: a flat block of everything of constant size, and
// softmax heads' keys and values.
type lane struct {
	position int
	history  history
	state    []float32
	kv       [][]float32 // by layer and softmax head: keys [n, d] at 2i, values at 2i+1
}

// Snapshot is a lane's state at one moment.
type Snapshot struct {
	position int
	history  history
	state    []float32
	kv       []int // lengths: keys and values only grow
}

// StreamOptions say how a stream computes.
type StreamOptions struct {
	// Half rounds the matrices to 16 bits, each weight by at most 2^-11 of itself.
	// With few lanes a token's time is that of fetching the weights, and half the
	// bytes take half of it.
	Half bool
	// BF16 rounds the matrices, and what they are multiplied with, to bfloat16: each number by at most 2^-9 of itself.
	// With many lanes a token's time is that of multiplying, and pairs of 16 bits take half of it, on processors
	// that have the instructions; on others, and for models with odd widths, it is Half.
	BF16 bool
}

// NewStream returns a stream with the given number of empty lanes. The options
// may be left out.
func NewStream(m *Model, lanes int, options ...StreamOptions) *Stream {
	c := m.cfg
	s := &Stream{m: m, lanes: make([]lane, lanes)}
	switch o := append(options, StreamOptions{})[0]; {
	case o.BF16 && f32.HasBF16() && (c.Width|c.inner()|c.FeedForward)%2 == 0:
		s.bits = bitsBF16
	case o.BF16 || o.Half:
		s.bits = bits16
	}
	for i := range s.lanes {
		s.lanes[i].state = f32.Aligned(s.layerState() * c.Layers)
		s.lanes[i].kv = make([][]float32, 2*c.Layers*c.SoftmaxHeads)
		s.Reset(i)
	}
	at := 2 * (c.Width / 2)
	for h := range c.Heads() {
		s.parts.from, s.parts.size = append(s.parts.from, at), append(s.parts.size, s.headState(h))
		at += s.headState(h)
	}
	s.room(lanes)
	s.phases.init(s)
	for l := range c.Layers {
		var heads []*rwkv
		for h := range c.RWKVHeads {
			r := newRWKV(c.HeadDim)
			r.load(m.params.layers[l].rwkvDecay.w[h*c.HeadDim:][:c.HeadDim], m.params.layers[l].rwkvBonus.w[h*c.HeadDim:][:c.HeadDim])
			heads = append(heads, r)
		}
		s.rwkvs = append(s.rwkvs, heads)
	}
	return s
}

// room makes room for the rows of a step.
func (s *Stream) room(n int) {
	if n <= s.rows {
		return
	}
	c := s.m.cfg
	rows := func(cols int) []float32 { return f32.Aligned(n * cols) }
	s.x1, s.x2, s.h, s.out = rows(c.Width), rows(c.Width), rows(c.Width), rows(c.Width)
	s.qkv, s.o, s.f, s.act = rows(c.projected()), rows(c.inner()), rows(c.hidden()), rows(c.FeedForward)
	s.logits, s.mean, s.rstd = rows(c.Vocabulary), rows(1), rows(1)
	s.cos, s.sin = rows(c.HeadDim/2), rows(c.HeadDim/2)
	if s.bits == bitsBF16 {
		s.h16, s.o16, s.act16 = f32.Narrow(rows(c.Width)), f32.Narrow(rows(c.inner())), f32.Narrow(rows(c.FeedForward))
	}
	s.told = make([]hint, n)
	s.rows = n
}

// headState is the constant part of one head's state.
func (s *Stream) headState(h int) int {
	c := s.m.cfg
	switch c.kind(h) {
	case localHead:
		return 2 * c.Window * c.HeadDim
	case linearHead, retentionHead:
		return s.m.scans[h].stateSize()
	case rwkvHead:
		return 3 * c.HeadDim
	}
	return 0
}

// layerState is one layer's part of a lane: two shifted half rows, then heads.
func (s *Stream) layerState() int {
	n := 2 * (s.m.cfg.Width / 2)
	for h := range s.m.cfg.Heads() {
		n += s.headState(h)
	}
	return n
}

// Lanes is the number of lanes.
func (s *Stream) Lanes() int { return len(s.lanes) }

// Position is the number of tokens a lane has seen.
func (s *Stream) Position(lane int) int { return s.lanes[lane].position - s.ahead.left(lane) }

// StateBytes is the memory of one lane; it stays the same however long the flow
// is, unless the model has softmax heads.
func (s *Stream) StateBytes(lane int) int {
	n := len(s.lanes[lane].state)
	for _, x := range s.lanes[lane].kv {
		n += len(x)
	}
	return 4 * n
}

// Reset empties a lane.
func (s *Stream) Reset(lane int) {
	l, c := &s.lanes[lane], s.m.cfg
	s.ahead.forget(lane, 0)
	l.position, l.history = 0, history{}
	clear(l.state)
	for i := range l.kv {
		l.kv[i] = l.kv[i][:0]
	}
	if c.RWKVHeads == 0 {
		return
	}
	for i := range c.Layers {
		end := (i + 1) * s.layerState()
		for h := range c.RWKVHeads {
			state := l.state[end-(h+1)*3*c.HeadDim:]
			fill(state[2*c.HeadDim:3*c.HeadDim], rwkvFloor)
		}
	}
}

// Save copies a lane's state into snap, whose memory it uses again. Behind
// [Stream.StepAhead] a lane that is further than what it was told is taken back first.
func (s *Stream) Save(lane int, snap *Snapshot) {
	if err := s.settle(lane); err != nil {
		panic(err) // the tokens have been stepped before
	}
	s.save(lane, snap)
}

func (s *Stream) save(lane int, snap *Snapshot) {
	l := &s.lanes[lane]
	snap.position = l.position
	l.history.save(&snap.history)
	snap.state = append(snap.state[:0], l.state...)
	snap.kv = snap.kv[:0]
	for _, x := range l.kv {
		snap.kv = append(snap.kv, len(x))
	}
}

// Restore takes a lane back to a snapshot of the same lane that lies in its
// past.
func (s *Stream) Restore(lane int, snap *Snapshot) {
	s.ahead.forget(lane, snap.position)
	s.restore(lane, snap)
}

func (s *Stream) restore(lane int, snap *Snapshot) {
	l := &s.lanes[lane]
	l.position = snap.position
	l.history.restore(&snap.history)
	copy(l.state, snap.state)
	for i, n := range snap.kv {
		l.kv[i] = l.kv[i][:n]
	}
}

// Step feeds one token to each of the given lanes and returns their logits for
// the next, row after row [len(lanes), vocabulary]; the slice is valid until the
// next call. A lane given several times in a row takes as many tokens, one after
// another; their weights are then fetched once. What a lane gives depends on its
// tokens alone, to the last bit, whatever else is stepped with it.
func (s *Stream) Step(lanes []int, tokens []uint16) ([]float32, error) {
	for i, id := range lanes {
		if i > 0 && lanes[i-1] == id || id < 0 || id >= len(s.lanes) {
			continue
		}
		if err := s.settle(id); err != nil {
			return nil, err
		}
	}
	return s.step(lanes, tokens)
}

func (s *Stream) step(lanes []int, tokens []uint16) ([]float32, error) {
	c, n := s.m.cfg, len(lanes)
	if c.Bidirectional {
		return nil, fmt.Errorf("failed to step: a bidirectional model sees what follows, so it cannot go token by token")
	}
	if len(tokens) != n {
		return nil, fmt.Errorf("failed to step: %d tokens for %d lanes", len(tokens), n)
	}
	if err := s.lineUp(lanes, tokens); err != nil || n == 0 {
		return nil, err
	}
	s.room(n)
	s.enter(tokens)
	s.needScratch()
	logits := s.layers()
	for i, r := range s.active {
		if c.aware() {
			s.m.copyLogits(logits[i*c.Vocabulary:][:c.Vocabulary], s.h[i*c.Width:][:c.Width], &s.told[i])
		}
		s.lanes[r.lane].position = r.position + 1
	}
	return logits, nil
}

// lineUp puts the step's tokens in rows, and finds where each lane's begin.
func (s *Stream) lineUp(lanes []int, tokens []uint16) error {
	s.active, s.runs = s.active[:0], s.runs[:0]
	for i, t := range tokens {
		id := lanes[i]
		if id < 0 || id >= len(s.lanes) || int(t) >= s.m.cfg.Vocabulary {
			return fmt.Errorf("failed to step: token %d on lane %d, of %d tokens and %d lanes", t, id, s.m.cfg.Vocabulary, len(s.lanes))
		}
		if i > 0 && id == lanes[i-1] {
			s.active = append(s.active, row{id, s.active[i-1].position + 1})
			continue
		}
		for _, at := range s.runs {
			if lanes[at] == id {
				return fmt.Errorf("failed to step: lane %d is given twice, with others in between", id)
			}
		}
		s.active, s.runs = append(s.active, row{id, s.lanes[id].position}), append(s.runs, i)
	}
	s.runs = append(s.runs, len(tokens))
	return nil
}

// enter writes the tokens' embeddings and rotations.
func (s *Stream) enter(tokens []uint16) {
	c, n := s.m.cfg, len(s.active)
	f32.GatherRows(s.x1[:n*c.Width], s.m.params.embed.w, c.Width, tokens)
	half := c.HeadDim / 2
	for i, r := range s.active {
		if c.aware() {
			s.told[i] = s.lanes[r.lane].history.step(&c, tokens[i])
			s.m.addHint(s.x1[i*c.Width:][:c.Width], &s.told[i])
		}
		switch c.Positions {
		case PositionsAxial:
			s.m.addPosition(s.x1[i*c.Width:][:c.Width], r.position)
		case PositionsRotary:
			s.turns(r.position, s.cos[i*half:][:half], s.sin[i*half:][:half])
		}
	}
	if c.Reversible {
		copy(s.x2[:n*c.Width], s.x1)
	}
}

// tablePositions bounds the table of rotations: beyond it they are computed.
const tablePositions = 1 << 14

func (s *Stream) turns(position int, cos, sin []float32) {
	if position >= tablePositions {
		rotaryRow(cos, sin, position)
		return
	}
	half := len(cos)
	c, n := s.m.rotary(min(tablePositions, position+1))
	copy(cos, c[position*half:])
	copy(sin, n[position*half:])
}

// needScratch gives every worker room for the longest row of scores.
func (s *Stream) needScratch() {
	c := s.m.cfg
	need := max(c.Window, c.HeadDim) + 2*c.HeadDim
	if c.SoftmaxHeads > 0 {
		for _, r := range s.active {
			need = max(need, r.position+1)
		}
	}
	s.scratch = eachWorker(s.scratch, need, 2*need)
}

// turn rotates a row's query and key of one head.
func (s *Stream) turn(row int, q, k []float32) {
	if s.m.cfg.Positions != PositionsRotary {
		return
	}
	half := len(q) / 2
	cos, sin := s.cos[row*half:][:half], s.sin[row*half:][:half]
	turn(q, cos, sin, 1)
	turn(k, cos, sin, 1)
}

// head runs one head of one row, from its projections on.
func (s *Stream) head(layer, row, h int, scratch []float32) {
	c, d := s.m.cfg, s.m.cfg.HeadDim
	inner, position, ln := c.inner(), s.active[row].position, &s.lanes[s.active[row].lane]
	qkv := s.qkv[row*c.projected():]
	q, k, v := qkv[h*d:][:d], qkv[inner+h*d:][:d], qkv[2*inner+h*d:][:d]
	o := s.o[row*inner+h*d:][:d]
	state := ln.state[layer*(len(ln.state)/c.Layers)+s.parts.from[h]:][:s.parts.size[h]]
	switch c.kind(h) {
	case localHead:
		s.turn(row, q, k)
		slot := position % c.Window
		keys, values := state[:c.Window*d], state[c.Window*d:]
		copy(keys[slot*d:], k)
		copy(values[slot*d:], v)
		win := window{d: d}
		win.step(q, keys, values, min(position+1, c.Window), o, scratch)
	case softmaxHead:
		s.turn(row, q, k)
		kv := ln.kv[2*(layer*c.SoftmaxHeads+h-c.LocalHeads-c.LinearHeads):]
		kv[0], kv[1] = append(kv[0], k...), append(kv[1], v...)
		win := window{d: d}
		win.step(q, kv[0], kv[1], position+1, o, scratch)
	case linearHead:
		s.m.featureHead(q, k)
		s.m.scans[h].step(q, k, v, o, state)
	case retentionHead:
		s.turn(row, q, k)
		raw := scratch[:d]
		s.m.scans[h].step(q, k, v, raw, state)
		gateRow(o, raw, qkv[3*inner+(h-c.firstRetention())*d:][:d])
	case rwkvHead:
		s.rwkvs[layer][h-c.firstRWKV()].step(q, k, v, o, state, scratch)
	}
	s.round(s.o, s.o16, inner, rowsOfStep{row, row + 1}, h*d, (h+1)*d)
}
