package model

import "trafficgpt/model/f32"

// What a model may know of packets (ours, beyond the paper). A protocol header
// has its fields at fixed offsets from the packet's start, and most of them
// repeat those of the packets before; to find that out by attention takes far
// more training than a minute. So a row may be told its offset from the last
// Mark token, and, for each of the Copies packets before, the token that
// followed the same offset there and whether the row's own token was the same
// as there. Each of those tokens may also be copied: with h the normalised last
// state of row i, its logit grows by h·g_k + b_k, a pointer beside the usual
// output (compare See et al. 2017). All of it depends on earlier tokens only.

// none stands for "no such packet, or it was shorter".
const none = -1

// maxCopies bounds Config.Copies.
const maxCopies = 4

// hint is what one row is told.
type hint struct {
	offset int32
	next   [maxCopies]int32 // token after the same offset in the k-th packet before
	same   [maxCopies]int32 // 1: that packet has the row's token at its offset, 0: another, none
}

// history is the packets up to the present row: the current one last.
type history struct{ packets [][]uint16 }

// step takes the next token in and says what its row is told.
func (h *history) step(c *Config, token uint16) (out hint) {
	if int(token) == c.Mark || len(h.packets) == 0 {
		if len(h.packets) > c.Copies {
			h.packets = append(h.packets[:0:0], h.packets[len(h.packets)-c.Copies:]...)
		}
		h.packets = append(h.packets[:len(h.packets):len(h.packets)], nil)
	}
	last := len(h.packets) - 1
	at := len(h.packets[last])
	h.packets[last] = append(h.packets[last], token)
	out.offset = int32(min(at, c.Offsets-1))
	for k := range out.next {
		out.next[k], out.same[k] = none, none
		if k >= c.Copies || k >= last {
			continue
		}
		old := h.packets[last-1-k]
		switch {
		case at+1 < len(old):
			out.next[k] = int32(old[at+1])
		case at+1 == len(old): // there the next packet began
			out.next[k] = int32(c.Mark)
		}
		if at < len(old) {
			out.same[k] = 0
			if old[at] == token {
				out.same[k] = 1
			}
		}
	}
	return out
}

// save and restore keep a lane's history in a snapshot: packets only grow, so
// their lengths are enough.
func (h *history) save(into *history) {
	into.packets = append(into.packets[:0:0], h.packets...)
}

func (h *history) restore(from *history) {
	h.packets = append(h.packets[:0:0], from.packets...)
	if n := len(h.packets); n > 0 { // what is appended must not reach another's memory
		h.packets[n-1] = h.packets[n-1][:len(h.packets[n-1]):len(h.packets[n-1])]
	}
}

// aware reports whether rows are told anything.
func (c *Config) aware() bool { return c.Offsets > 0 || c.Copies > 0 }

// reach is how much of a flow before position at its rows may be told about:
// the index where the Copies-th packet before the present one begins.
func (c *Config) reach(flow []uint16, at int) int {
	if !c.aware() {
		return at
	}
	for marks := 0; at > 0 && marks <= c.Copies; {
		at--
		if int(flow[at]) == c.Mark {
			marks++
		}
	}
	return at
}

// hints computes what every row of a batch is told; out's memory is used again.
func (c *Config) hints(b *Batch, out []hint) []hint {
	if !c.aware() {
		return nil
	}
	if cap(out) < len(b.Tokens) {
		out = make([]hint, len(b.Tokens))
	}
	out = out[:len(b.Tokens)]
	hintsLoop.Run(len(b.Segments), 1, hintArgs{c, b, out})
	return out
}

type hintArgs struct {
	c   *Config
	b   *Batch
	out []hint
}

var hintsLoop = f32.NewLoop(func(a *hintArgs, lo, hi, _ int) {
	for _, s := range a.b.Segments[lo:hi] {
		var h history
		for _, t := range s.Before {
			h.step(a.c, t)
		}
		for i := s.Start; i < s.End; i++ {
			a.out[i] = h.step(a.c, a.b.Tokens[i])
		}
	}
})

// vectors calls f with every vector that is added to a row's embedding.
func (m *Model) vectors(h *hint, f func(t *tensor, row int)) {
	params := m.params
	if m.cfg.Offsets > 0 {
		f(&params.offset, int(h.offset))
	}
	for k := range m.cfg.Copies {
		if h.next[k] != none {
			f(&params.copies[k].next, int(h.next[k]))
		}
		if h.same[k] != none {
			f(&params.copies[k].same, int(h.same[k]))
		}
	}
}

// addHint adds to a row's embedding x what the row is told.
func (m *Model) addHint(x []float32, h *hint) {
	m.vectors(h, func(t *tensor, row int) { f32.Add(x, x, t.w[row*len(x):][:len(x)]) })
}

// copyLogits adds the copies to one row's logits; h is its normalised state.
func (m *Model) copyLogits(logits, h []float32, told *hint) {
	for k := range m.cfg.Copies {
		if t := told.next[k]; t != none {
			c := &m.params.copies[k]
			logits[t] += f32.Dot(h, c.gate.w) + c.bias.w[0]
		}
	}
}

// copyBack adds the gradients of copyLogits, given those of the logits, to the
// weights and to dh. Rows in order: the sums are the same for any thread count.
func (p *pass) copyBack(dlogits, h, dh []float32) {
	c, v := p.m.cfg, p.m.cfg.Vocabulary
	for i := range p.told {
		for k := range c.Copies {
			if t := p.told[i].next[k]; t != none {
				w, g := &p.m.params.copies[k], dlogits[i*v+int(t)]
				f32.AddScaled(w.gate.g, g, h[i*c.Width:][:c.Width])
				f32.AddScaled(dh[i*c.Width:][:c.Width], g, w.gate.w)
				w.bias.g[0] += g
			}
		}
	}
}

// copyParams are the weights of one packet to copy from.
type copyParams struct {
	next tensor // [vocabulary, width]
	same tensor // [2, width]
	gate tensor // [1, width]
	bias tensor // [1, 1]
}
