package model

import "trafficgpt/model/f32"

// A narrow pass does not run what it does to rows at once. Stages wait in a chain, and a block of rows then goes through all of
// them in one piece of work: it stays in the caches from one to the next, and threads wait for each other once. A
// stage that reads rows of other blocks than its own must begin a chain.

// stage is work on rows [lo, hi); scratch is the worker's, see prepareNarrow.
type stage struct {
	f func(a *blockOf, lo, hi int, scratch []float32)
	a blockOf
}

// blockSum is a sum that a chain's blocks have parts of: of each stride elements of parts those from at on are added to
// to, in order.
type blockSum struct {
	parts, to  []float32
	stride, at int
}

// then puts a stage at the end of the chain.
func (p *pass) then(f func(a *blockOf, lo, hi int, scratch []float32), a blockOf) {
	p.chain = append(p.chain, stage{f, a})
}

// sumParts adds the blocks' sums of rows to g, once the chain has run.
func (p *pass) sumParts(parts, g []float32) {
	p.blockSums = append(p.blockSums, blockSum{parts: parts, to: g, stride: len(g)})
}

// sumNormParts is sumParts of the gradients of a norm's gain and bias, which lie side by side.
func (p *pass) sumNormParts(parts []float32, gain, bias *tensor) {
	w := p.m.cfg.Width
	p.blockSums = append(p.blockSums, blockSum{parts, gain.g, 2 * w, 0}, blockSum{parts, bias.g, 2 * w, w})
}

// flush runs the chain.
func (p *pass) flush() {
	if len(p.chain) == 0 {
		return
	}
	all, whole := p.blocks()
	chainLoop.Run(all, 1, chainOf{p, whole})
	for _, s := range p.blockSums {
		for at := s.at; at < len(s.parts); at += s.stride {
			f32.Add(s.to, s.to, s.parts[at:][:len(s.to)])
		}
	}
	p.forgetChain()
}

// forgetChain forgets the chain.
func (p *pass) forgetChain() {
	clear(p.chain)
	clear(p.blockSums)
	p.chain, p.blockSums = p.chain[:0], p.blockSums[:0]
}

type chainOf struct {
	p     *pass
	whole int // see pass.blocks
}

var chainLoop = f32.NewLoop(func(a *chainOf, piece, end, worker int) {
	for ; piece < end; piece++ {
		lo, hi := a.p.span(piece, a.whole)
		for i := range a.p.chain {
			s := &a.p.chain[i]
			s.f(&s.a, lo, hi, a.p.block[worker])
		}
	}
})
