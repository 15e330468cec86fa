package f32

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// A product of BF16 is one of pairs: two neighbours along k in a word of 32 bits. The kernels are those of float32 with
// pairs for elements, so tiles, panels and blocks are too. Rows that run along k are read as pairs where they
// lie; rows that lie across are put together two by two when they are packed.

// bf16Path is the path of AVX-512 with products of BF16, on tile registers too where tiles is their kernel.
func bf16Path(avx512 *path, tiles tilesFunc) *path {
	p := *avx512
	p.name, p.narrow, p.peak16 = "avx512bf16", true, peakbf16
	if tiles != nil {
		p.name = "avx512amx"
	}
	e := &engine{mr: 12, nr: 32, transposeBlocks: transposeavx512, add: addavx512, addScaled: addScaledavx512, scale: scaleavx512,
		full: []tileFunc{nil, gemm1x32bf16, gemm2x32bf16, gemm3x32bf16, gemm4x32bf16, gemm5x32bf16, gemm6x32bf16,
			gemm7x32bf16, gemm8x32bf16, gemm9x32bf16, gemm10x32bf16, gemm11x32bf16, gemm12x32bf16},
		half: []tileFunc{nil, gemm1x16bf16, gemm2x16bf16, gemm3x16bf16, gemm4x16bf16, gemm5x16bf16, gemm6x16bf16,
			gemm7x16bf16, gemm8x16bf16, gemm9x16bf16, gemm10x16bf16, gemm11x16bf16, gemm12x16bf16}}
	e.turn, e.registers = e.turnedPairs, tiles
	p.grads16 = e.grads16
	p.round = func(dst []BF16, x []float32) { roundbf16(words(dst), x) }
	p.widen = func(dst []float32, x []BF16) { widenbf16(dst, words(x)) }
	p.blockRows16()
	p.gemm16, p.pack16, p.times16 = e.gemm16, e.pack16, e.times16
	return &p
}

// blockRows16 installs what is done to rows of a block.
func (p *path) blockRows16() {
	p.causalRound = func(out []BF16, ldo int, x []float32, ldx, rows, width, first int, add, sums []float32) {
		if rows == 0 || width == 0 {
			return
		}
		if add == nil {
			s := takeScratch(rows)
			defer giveScratch(s)
			add = s.data[:rows]
			clear(add)
		}
		var to *float32
		if sums != nil {
			to = &sums[:rows][0]
		}
		causalRoundbf16(rows, width, first+1, word(out), 2*ldo, &x[0], 4*ldx, &add[:rows][0], to)
	}
	p.dotRows = func(y []float32, x []BF16, ldx, cols int, z []float32) {
		if len(y) > 0 && cols > 0 {
			dotRowsbf16(len(y), cols, &y[0], word(x), 2*ldx, &z[0])
		}
	}
	p.rowDots = func(y []float32, a []BF16, lda int, b []BF16, ldb, cols int) {
		if len(y) > 0 {
			rowDotsbf16(len(y), cols, &y[0], word(a), 2*lda, word(b), 2*ldb)
		}
	}
	p.addRows = func(z []float32, x []BF16, ldx int, w []float32) {
		if len(z) > 0 && len(w) > 0 {
			addRowsbf16(len(w), len(z), &z[0], word(x), 2*ldx, &w[0])
		}
	}
	p.addOuter = func(c []float32, ldc int, w, z []float32) {
		if len(z) > 0 && len(w) > 0 {
			addOuterbf16(len(w), len(z), &c[0], 4*ldc, &w[0], &z[0])
		}
	}
	p.scaleRound = func(out []BF16, ldo int, x []float32, ldx, cols int, by []float32) {
		if len(by) > 0 && cols > 0 {
			scaleRoundbf16(len(by), cols, word(out), 2*ldo, &x[0], 4*ldx, &by[0])
		}
	}
	p.scaleRows16 = func(out []BF16, ldo int, x []BF16, ldx, cols int, by []float32) {
		if len(by) > 0 && cols > 0 {
			scaleRowsbf16(len(by), cols, word(out), 2*ldo, word(x), 2*ldx, &by[0])
		}
	}
	p.sumRoundRows = func(out []BF16, ldo int, x []float32, ldx, rows int, sum []float32) {
		if rows > 0 && len(sum) > 0 {
			sumRoundRowsbf16(rows, len(sum), word(out), 2*ldo, &x[0], 4*ldx, &sum[0])
		}
	}
	p.eluRoundRows = func(out []BF16, ldo int, x []float32, ldx int, y []BF16, ldy, rows int, sum []float32) {
		if rows > 0 && len(sum) > 0 {
			eluRoundRowsbf16(rows, len(sum), word(out), 2*ldo, &x[0], 4*ldx, &sum[0], word(y), 2*ldy)
		}
	}
	p.geluRound = func(act, y []BF16, x, bias []float32) { geluRoundbf16(words(act), words(y), x, bias) }
	p.geluBack = func(out, act, y []BF16, dact, sum []float32) {
		geluBackbf16(words(out), words(act), words(y), dact, sum)
	}
	p.fetchRows = func(x []BF16, ldx, rows, cols int) {
		if rows > 0 && cols > 0 {
			fetchRowsbf16(rows, 2*cols, word(x), 2*ldx)
		}
	}
	p.addThree = addThreebf16
	p.addRound = func(out []BF16, x, y []float32) { addRoundbf16(words(out), x, y) }
	p.eluRound = func(out []BF16, x, bias []float32) { eluRoundbf16(words(out), x, bias) }
	p.sumRound = func(out []BF16, x, sum []float32) { sumRoundbf16(words(out), x, sum) }
}

// word is where a slice that is not empty begins.
func word(x []BF16) *uint16 { return (*uint16)(&x[0]) }

func hasBF16() bool { return cpu.X86.HasAVX512BF16 }

// pairsOf is how many pairs k rows make.
func pairsOf(k int) int { return (k + 1) / 2 }

// gemm16 computes a product of BF16.
func (e *engine) gemm16(x product16, threads bool) {
	p := product{transA: x.transA, transB: x.transB, m: x.m, n: x.n, k: pairsOf(x.k), alpha: x.alpha, beta: x.beta, c: x.c, ldc: x.ldc,
		a16: x.a, b16: x.b, lda: x.lda, ldb: x.ldb, rows: x.k}
	if p.alpha == 0 || p.k == 0 {
		e.scaleRows(&p)
		return
	}
	if p.beta != 0 && p.beta != 1 {
		e.scaleRows(&p)
		p.beta = 1
	}
	if !p.transA && (p.lda|p.rows)%2 != 0 {
		s := evened(&p.a16, &p.lda, p.m, p.rows)
		defer giveScratch(s)
	}
	if p.transB && (p.ldb|p.rows)%2 != 0 {
		s := evened(&p.b16, &p.ldb, p.n, p.rows)
		defer giveScratch(s)
	}
	threads = threads && 2*p.m*p.n*p.k >= serialBelow
	if p.transA && p.k >= longK/2 && p.m > e.mr && p.n > e.nr {
		e.gemmTurned(&p, threads)
		return
	}
	flags := 0
	if p.alpha != 1 {
		flags |= scaled
	}
	if p.beta != 0 {
		flags |= addToC
	}
	if !threads {
		e.blockPairs(&p, 0, p.m, 0, p.n, flags)
		return
	}
	mb, nb := e.pieces(p.m, p.n, p.k, blockM)
	blockPairsLoop.Run(((p.m-1)/mb+1)*((p.n-1)/nb+1), 1, blockArgs{e, p, flags, mb, nb})
}

// groupItems is in how many pieces a group of gradients is cut at least, where they are long enough.
const groupItems = 16

// groupArgs are gradients that are computed together: the pieces of the first come first.
type groupArgs struct {
	n int
	t [maxGroup]turnArgs
}

// find returns the gradient that a piece is of, and its number within that, where each has so many.
func (g *groupArgs) find(item int, pieces func(t *turnArgs) int) (*turnArgs, int) {
	for i := range g.n {
		n := pieces(&g.t[i])
		if item < n {
			return &g.t[i], item
		}
		item -= n
	}
	panic("f32: a piece of no gradient")
}

func (t *turnArgs) items() int { return t.blocks * t.parts }

var (
	groupLoop = NewLoop(func(g *groupArgs, lo, hi, _ int) {
		for item := lo; item < hi; item++ {
			t, i := g.find(item, (*turnArgs).items)
			t.sum(i)
		}
	})
	groupPutLoop = NewLoop(func(g *groupArgs, lo, hi, _ int) {
		for item := lo; item < hi; item++ {
			if t, i := g.find(item, (*turnArgs).strips); t.parts > 1 {
				t.put(i)
			}
		}
	})
)

// grads16 adds long gradients together, so that there are pieces for many threads and few waits.
func (e *engine) grads16(grads []GradBF16) {
	var g groupArgs
	blocks, need := 0, 0
	for _, x := range grads {
		p := product{transA: true, m: x.M, n: x.N, k: pairsOf(x.K), alpha: 1, beta: x.beta(), c: x.C, ldc: x.N, a16: x.A, lda: x.M, b16: x.B, ldb: x.N, rows: x.K}
		if p.k < longK/2 || p.m <= e.mr || p.n <= e.nr {
			GemmBF16(true, false, x.M, x.N, x.K, 1, x.A, x.M, x.B, x.N, x.beta(), x.C, x.N)
			continue
		}
		g.t[g.n] = e.cutTurned(&p, blockN)
		blocks += g.t[g.n].blocks
		g.n++
	}
	if g.n == 0 {
		return
	}
	items, strips := 0, 0
	for i := range g.n {
		t, parts := &g.t[i], (groupItems+blocks-1)/blocks
		if i == g.n-1 {
			parts *= 2 // so that threads are done at nearly the same time
		}
		t.inParts(max(1, min(parts, t.p.k/(3*blockK/2))))
		items, strips = items+t.items(), strips+t.strips()
		need += t.items() * t.size()
	}
	buf := takeScratch(need)
	defer giveScratch(buf)
	at := 0
	for i := range g.n {
		t := &g.t[i]
		t.sums = buf.data[at:][:t.items()*t.size()]
		at += len(t.sums)
	}
	groupLoop.Run(items, 1, g)
	groupPutLoop.Run(strips, 1, g)
}

var blockPairsLoop = NewLoop(func(a *blockArgs, lo, hi, _ int) {
	across := (a.p.n-1)/a.nb + 1
	for item := lo; item < hi; item++ {
		i, j := item/across*a.mb, item%across*a.nb
		a.e.blockPairs(&a.p, i, min(i+a.mb, a.p.m), j, min(j+a.nb, a.p.n), a.flags)
	}
})

func (e *engine) blockPairs(p *product, m0, m1, n0, n1, flags int) {
	e.turnedPairs(p, span{m0, m1}, span{n0, n1}, span{0, p.k}, into{p.c[m0*p.ldc+n0:], p.ldc, e.nr}, flags, p.alpha)
}

// evened copies rows whose length or distance is odd, filled up with a zero.
func evened(x *[]BF16, ld *int, rows, cols int) *scratch {
	width := (cols + 1) &^ 1
	s := takeScratch(rows * width / 2)
	to := Narrow(s.data)
	for r := range rows {
		copy(to[r*width:], (*x)[r**ld:][:cols])
		if cols != width {
			to[r*width+cols] = 0
		}
	}
	*x, *ld = to, width
	return s
}

// turnedPairs multiplies rows m of op(A) with columns n of op(B) over the pairs ks.
func (e *engine) turnedPairs(p *product, m, n, ks span, c into, flags int, alpha float32) {
	kb := even(ks.len(), blockK, 16)
	rows := m.len()
	whole, top, last := e.cut(rows)
	tiles := whole + min(top, 1) + min(last, 1)
	if !p.transA {
		tiles = 0
	}
	buf := takeScratch(kb * (e.nr + tiles*e.nr/2))
	defer giveScratch(buf)
	packed, turned := buf.data[:kb*e.nr], buf.data[kb*e.nr:]
	for l := ks.lo; l < ks.hi; l += kb {
		k := min(kb, ks.hi-l)
		var a left
		switch {
		case p.transA && e.registers != nil:
			e.pairRows(k, p.rows-2*l, rows, p.a16[2*l*p.lda+m.lo:], p.lda, turned, packed)
			a = left{data: &turned[0], k: k, ld: k}
		case p.transA:
			e.pairA(k, p.rows-2*l, rows, p.a16[2*l*p.lda+m.lo:], p.lda, turned)
			a = left{data: &turned[0], k: k, tiled: true}
		default:
			a = left{data: pairAt(&p.a16[m.lo*p.lda+2*l]), ld: p.lda / 2, k: k}
		}
		for q, j := 0, n.lo; j < n.hi; q, j = q+1, j+e.nr {
			cols := min(e.nr, n.hi-j)
			e.pairB(p, l, k, j, cols, packed)
			first, second := e.aheadPairs(p, m, n, ks, l, kb, j, q)
			e.panel(rows, a, &packed[0], 4*e.nr, c.data[q*c.pitch:], c.ld, cols, flags, alpha, first, second)
		}
		flags |= addToC
	}
}

// aheadPairs is what is fetched while panel q, at column j, is multiplied over the pairs from l on: the rows of the next panel of
// B, two panels wide, and a strip of the next rows of A. Short products have all they need in the caches.
func (e *engine) aheadPairs(p *product, m, n, ks span, l, kb, j, q int) (first, second ahead) {
	if !p.transA || p.transB || ks.len() <= kb {
		return ahead{}, ahead{}
	}
	of := func(x *BF16, ld int) ahead { return aheadOf(pairAt(x), 2*ld) }
	after := l+kb < ks.hi
	switch {
	case j+e.nr < n.hi && q%2 != 0:
		first = of(&p.b16[2*l*p.ldb+j+e.nr], p.ldb)
	case j+e.nr >= n.hi && after:
		first = of(&p.b16[2*(l+kb)*p.ldb+n.lo], p.ldb)
	}
	second = first
	if after && 64*q < m.len() {
		second = of(&p.a16[2*(l+kb)*p.lda+m.lo+64*q], p.lda)
	}
	if first.address == 0 {
		first = second
	}
	return first, second
}

// pairA puts rows of A as stored together in pairs, in the tiles that cut names; left is how many rows there are.
func (e *engine) pairA(k, left, m int, a []BF16, lda int, dst []float32) {
	whole, top, last := e.cut(m)
	for l := 0; l < k; l += pairsAtOnce {
		pairs, tile, row := min(pairsAtOnce, k-l), 0, 0
		next := func(height int) {
			e.pairUp(pairs, left-2*l, height, dst[(tile*k+l)*e.nr/2:], e.nr/2, a[2*l*lda+row:], lda)
			tile, row = tile+1, row+height
		}
		for ; tile+2 <= whole; tile, row = tile+2, row+2*e.mr {
			e.pairUpTwo(pairs, left-2*l, 2*e.mr, e.mr, dst[(tile*k+l)*e.nr/2:], e.nr/2, k*e.nr/2, a[2*l*lda+row:], lda)
		}
		for tile < whole {
			next(e.mr)
		}
		if top > 0 {
			next(top)
		}
		if last > 0 {
			next(last)
		}
	}
}

// pairRows puts rows of A as stored together in pairs, and turns them: row after row of the transpose, as tile registers take
// them. panel is memory for a panel of B.
func (e *engine) pairRows(k, left, m int, a []BF16, lda int, dst, panel []float32) {
	side := e.nr / 2
	for row := 0; row < m; row += side {
		cols := min(side, m-row)
		e.pairUp(k, left, cols, panel, side, a[row:], lda)
		e.transpose(dst[row*k:], k, panel, side, k, cols)
	}
}

// tilesFunc is the kernel of tile registers; see [tileamx].
type tilesFunc func(tiles, k int, a *float32, ars, astep int, b *float32, bs int, c *float32, ldc, flags int)

const (
	tileRows = 32 // of A in one step of a tilesFunc, and columns of B
	tileK    = 16 // pairs that it takes at once
)

// inRegisters multiplies as many rows as it can with one panel of B by tile registers and returns their number. What is left of k is
// added by the other kernels.
func (e *engine) inRegisters(m int, a left, b *float32, bs int, c []float32, ldc, flags int, alpha float32) int {
	n, k := m/tileRows, a.k/tileK*tileK
	e.registers(n, k, a.data, 4*a.ld, 4*a.ld*tileRows, b, bs, &c[0], 4*ldc, flags)
	if k < a.k {
		rest := left{data: addBytes(a.data, 4*k), ld: a.ld, k: a.k - k}
		e.panelBelow(n*tileRows, rest, addBytes(b, k*bs), bs, c, ldc, e.nr, flags|addToC, alpha, ahead{}, ahead{})
	}
	return n * tileRows
}

// pairsAtOnce is how many pairs of rows are packed together: few enough that what several tiles take from one line is
// fetched once.
const pairsAtOnce = 16

// pairB lays out cols columns of op(B) from column j and k pairs from pair l on in a panel.
func (e *engine) pairB(p *product, l, k, j, cols int, panel []float32) {
	if p.transB {
		if cols != e.nr {
			clear(panel[:k*e.nr])
		}
		e.transpose(panel, e.nr, asPairs(p.b16[j*p.ldb+2*l:][:(cols-1)*p.ldb+2*k]), p.ldb/2, cols, k)
		return
	}
	e.pairUpTwo(k, p.rows-2*l, cols, e.nr/2, panel, e.nr, e.nr/2, p.b16[2*l*p.ldb+j:], p.ldb)
}

// pairUpTwo makes k pairs of rows of cols ≤ nr elements: of the first width at dst, of the others step words further; where only
// left rows are left, the last pair has one.
func (e *engine) pairUpTwo(k, left, cols, width int, dst []float32, ldd, step int, src []BF16, lds int) {
	full := min(k, left/2)
	if full > 0 {
		pairUpTwobf16(full, cols, width, &dst[0], 4*ldd, 4*step, (*uint16)(&src[0]), 2*lds)
	}
	if full == k {
		return
	}
	first, second := Narrow(dst[full*ldd:][:e.nr/2]), Narrow(dst[full*ldd+step:][:e.nr/2])
	clear(first)
	clear(second)
	for j, v := range src[2*full*lds:][:cols] {
		if j < width {
			first[2*j] = v
		} else {
			second[2*(j-width)] = v
		}
	}
}

// pairUp makes k pairs of rows of cols ≤ nr/2 elements; where only left rows are left, the last pair has one.
func (e *engine) pairUp(k, left, cols int, dst []float32, ldd int, src []BF16, lds int) {
	full := min(k, left/2)
	if full > 0 {
		pairUpbf16(full, cols, &dst[0], 4*ldd, (*uint16)(&src[0]), 2*lds)
	}
	if full == k {
		return
	}
	to := Narrow(dst[full*ldd:][:e.nr/2])
	clear(to)
	for j, v := range src[2*full*lds:][:cols] {
		to[2*j] = v
	}
}

// pack16 packs weights.
func (e *engine) pack16(n int, list [maxPackings]PackingBF16) {
	a := pack16Args{e: e, n: n, list: list}
	panels, work := 0, 0
	for i := range list[:n] {
		x := &list[i]
		p, pairs, count := &x.Dst.p, pairsOf(x.K), (x.N+e.nr-1)/e.nr
		need := count * e.nr * pairs
		if cap(p.data) < need {
			p.data = Aligned(need)
		}
		p.data = p.data[:need]
		p.K, p.N, p.width = pairs, x.N, e.nr
		panels, work = panels+count, work+need
	}
	pack16Loop.run(panels, max(1, 1<<13*panels/max(1, 2*work)), work >= serialBelow/16, a)
}

// pack16Args are matrices to be packed: the panels of the first come first.
type pack16Args struct {
	e    *engine
	n    int
	list [maxPackings]PackingBF16
}

var pack16Loop = NewLoop(func(a *pack16Args, lo, hi, _ int) {
	for panel := lo; panel < hi; panel++ {
		at := panel
		for i := range a.list[:a.n] {
			x := &a.list[i]
			count := (x.N + a.e.nr - 1) / a.e.nr
			if at < count {
				a.e.packPanel16(x, at)
				break
			}
			at -= count
		}
	}
})

// packPanel16 packs panel i of a matrix.
func (e *engine) packPanel16(x *PackingBF16, i int) {
	pairs, j := pairsOf(x.K), i*e.nr
	if pairs == 0 {
		return
	}
	buf := takeScratch(e.nr * pairs)
	defer giveScratch(buf)
	rounded := Narrow(buf.data)
	cols := min(e.nr, x.N-j)
	p := product{transB: x.TransB, b16: rounded, ldb: e.nr, rows: x.K}
	if x.TransB {
		p.ldb = 2 * pairs
		roundRowsbf16(cols, x.K, word(rounded), 2*p.ldb, &x.B[j*x.LDB], 4*x.LDB)
		for c := 0; c < cols && x.K%2 != 0; c++ {
			rounded[c*p.ldb+x.K] = 0
		}
	} else {
		roundRowsbf16(x.K, cols, word(rounded), 2*e.nr, &x.B[j], 4*x.LDB)
	}
	e.pairB(&p, 0, pairs, 0, cols, x.Dst.p.data[j*pairs:(j+e.nr)*pairs])
}

// times16 multiplies rows of BF16 with packed weights.
func (e *engine) times16(x product16, p *Packed, threads bool) {
	flags := 0
	if x.beta != 0 {
		flags = addToC
	}
	if p.K == 0 {
		e.scaleRows(&product{m: x.m, n: x.n, beta: x.beta, c: x.c, ldc: x.ldc})
		return
	}
	if (x.lda|x.k)%2 != 0 {
		s := evened(&x.a, &x.lda, x.m, x.k)
		defer giveScratch(s)
	}
	e.timesPacked(x.m, 1, asPairs(x.a), x.lda/2, *p, flags, x.c, x.ldc, threads && x.m*x.n*x.k >= serialBelow)
}

// pairAt is the pair that begins at an element.
func pairAt(x *BF16) *float32 { return (*float32)(unsafe.Pointer(x)) }
