package model

import (
	"fmt"

	"trafficgpt/model/f32"
)

// promptRows is how many tokens of a prompt go through the model at once. Where a prompt is cut depends on its
// length alone.
const promptRows = 512

// Prompt feeds many tokens to one lane and returns the logits for the next, valid until the next call. They go
// through the layers as in training, hundreds of rows a product, so a long prompt takes the time of a forward
// pass. The lane is then where Step would have brought it, up to float32's rounding; like Step's, what comes out
// depends on the lane's tokens and on how they were fed alone, to the last bit.
func (s *Stream) Prompt(lane int, tokens []uint16) ([]float32, error) {
	c := s.m.cfg
	switch {
	case c.Bidirectional:
		return nil, fmt.Errorf("failed to take a prompt: a bidirectional model sees what follows, so it cannot go token by token")
	case lane < 0 || lane >= len(s.lanes):
		return nil, fmt.Errorf("failed to take a prompt: lane %d of %d", lane, len(s.lanes))
	case len(tokens) == 0:
		return nil, fmt.Errorf("failed to take a prompt: it has no tokens")
	}
	for i, t := range tokens {
		if int(t) >= c.Vocabulary {
			return nil, fmt.Errorf("failed to take a prompt: token %d is %d, of a vocabulary of %d", i, t, c.Vocabulary)
		}
	}
	if err := s.settle(lane); err != nil {
		return nil, err
	}
	s.long = true
	defer func() { s.long = false }()
	var logits []float32
	for len(tokens) > 0 {
		n := min(promptRows, len(tokens))
		logits = s.prompt(lane, tokens[:n])
		tokens = tokens[n:]
	}
	return logits, nil
}

// prompt feeds some tokens at once.
func (s *Stream) prompt(lane int, tokens []uint16) []float32 {
	c, n := &s.m.cfg, len(tokens)
	at := s.lanes[lane].position
	s.active, s.runs = s.active[:0], append(s.runs[:0], 0, n)
	for i := range n {
		s.active = append(s.active, row{lane, at + i})
	}
	s.room(n)
	s.enter(tokens)
	s.needWholeScratch(n, at)
	s.layers()
	logits := s.logits[:c.Vocabulary]
	if c.aware() {
		s.m.copyLogits(logits, s.h[:c.Width], &s.told[n-1])
	}
	s.lanes[lane].position = at + n
	return logits
}

// needWholeScratch gives every worker room for one head of n rows behind position at.
func (s *Stream) needWholeScratch(n, at int) {
	c := s.m.cfg
	need := 0
	for h := range c.Heads() {
		size := 0
		switch c.kind(h) {
		case localHead:
			past := min(at, c.Window-1)
			size = 2*(past+n)*c.HeadDim + c.Chunk*min(past+n, c.Chunk+c.Window-1)
		case softmaxHead:
			size = c.Chunk * (at + n)
		case linearHead, retentionHead:
			sc := s.m.scans[h]
			size = n + n*c.HeadDim + (sc.chunks(n)+1)*sc.stateSize() + sc.scratchSize()
		case rwkvHead:
			r := s.rwkvs[0][h-c.firstRWKV()]
			size = (r.chunks(n)+1)*r.stateSize() + r.scratchSize()
		}
		need = max(need, size)
	}
	s.scratch = eachWorker(s.scratch, need, need)
}

// wholePiece runs one head of all rows, which are one lane's.
func (s *Stream) wholePiece(piece, worker int) {
	heads := s.m.cfg.Heads()
	for h := piece * heads / s.phases.pieces; h < (piece+1)*heads/s.phases.pieces; h++ {
		s.wholeHead(h, s.scratch[worker])
	}
}

// wholeHead runs one head of all rows in the form of training, from the lane's state on, and leaves the state behind them.
func (s *Stream) wholeHead(h int, scratch []float32) {
	c, n, layer := &s.m.cfg, len(s.active), s.phases.layer
	d, inner, ld := c.HeadDim, c.inner(), c.projected()
	ln, at := &s.lanes[s.active[0].lane], s.active[0].position
	q, k, v, o := s.qkv[h*d:], s.qkv[inner+h*d:], s.qkv[2*inner+h*d:], s.o[h*d:]
	state := ln.state[layer*(len(ln.state)/c.Layers)+s.parts.from[h]:][:s.parts.size[h]]
	take := func(size int) []float32 {
		part := scratch[:size:size]
		scratch = scratch[size:]
		return part
	}
	for i := range n {
		switch c.kind(h) {
		case linearHead:
			s.m.featureHead(q[i*ld:][:d], k[i*ld:][:d])
		case localHead, softmaxHead, retentionHead:
			s.turn(i, q[i*ld:][:d], k[i*ld:][:d])
		}
	}
	switch kind := c.kind(h); kind {
	case localHead:
		past := min(at, c.Window-1)
		keys, values := take((past+n)*d), take((past+n)*d)
		fromRing(keys, state[:c.Window*d], k, ld, d, at, past, n)
		fromRing(values, state[c.Window*d:], v, ld, d, at, past, n)
		attend(c.Window, c.Chunk, d, past, n, q, ld, keys, values, o, inner, scratch)
	case softmaxHead:
		kv := ln.kv[2*(layer*c.SoftmaxHeads+h-c.LocalHeads-c.LinearHeads):]
		for i := range n {
			kv[0], kv[1] = append(kv[0], k[i*ld:][:d]...), append(kv[1], v[i*ld:][:d]...)
		}
		attend(0, c.Chunk, d, at, n, q, ld, kv[0], kv[1], o, inner, scratch)
	case linearHead, retentionHead:
		sc := s.m.scans[h]
		size := sc.stateSize()
		den, raw, states := take(n), take(n*d), take((sc.chunks(n)+1)*size)
		copy(states, state)
		if kind == linearHead {
			sc.forward(n, q, k, v, ld, o, inner, den, states, at > 0, scratch)
		} else {
			sc.forward(n, q, k, v, ld, raw, d, den, states, at > 0, scratch)
			for i := range n {
				gateRow(o[i*inner:][:d], raw[i*d:][:d], s.qkv[i*ld+3*inner+(h-c.firstRetention())*d:][:d])
			}
		}
		copy(state, states[sc.chunks(n)*size:])
	case rwkvHead:
		r := s.rwkvs[layer][h-c.firstRWKV()]
		size := r.stateSize()
		states := take((r.chunks(n) + 1) * size)
		copy(states, state)
		r.forward(n, q, k, v, ld, o, inner, states, true, scratch)
		copy(state, states[r.chunks(n)*size:])
	}
	s.round(s.o, s.o16, inner, rowsOfStep{0, n}, h*d, (h+1)*d)
}

// fromRing writes the last past rows of a ring that is at the given position, and behind them n new rows, ld apart; the ring
// gets the last of these.
func fromRing(all, ring, x []float32, ld, d, at, past, n int) {
	slots := len(ring) / d
	for i := range past {
		copy(all[i*d:][:d], ring[(at-past+i)%slots*d:])
	}
	for i := range n {
		row := x[i*ld:][:d]
		copy(all[(past+i)*d:], row)
		if i >= n-slots {
			copy(ring[(at+i)%slots*d:], row)
		}
	}
}

// attend is causal softmax attention of n queries, ldq apart, over the keys and values [past+n, d], of which each query reaches its
// own and those before it, reach in all or (0) all of them.
func attend(reach, block, d, past, n int, q []float32, ldq int, keys, values, o []float32, ldo int, scratch []float32) {
	w := window{d: d, reach: reach, block: block}
	for i0 := 0; i0 < n; i0 += block {
		m := min(block, n-i0)
		j0 := w.first(past + i0)
		count := past + i0 + m - j0
		p := scratch[:m*count]
		f32.GemmSerial(false, true, m, count, d, w.scaleBy(), q[i0*ldq:], ldq, keys[j0*d:], d, 0, p, count)
		for i := range m {
			row := p[i*count:][:count]
			lo, hi := w.first(past+i0+i)-j0, past+i0+i+1-j0
			clear(row[:lo])
			clear(row[hi:])
			softmaxRow(row[lo:hi])
		}
		f32.GemmSerial(false, false, m, d, count, 1, p, count, values[j0*d:], d, 0, o[i0*ldo:], ldo)
	}
}
