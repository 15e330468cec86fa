package f32

// tileFunc is one product kernel; see the stubs for what it computes.
type tileFunc func(tiles, k int, a *float32, ars, acs, astep int, b *float32, bs int, c *float32, ldc, cols, flags int, alpha float32, pf uintptr, pfs int)

// rowFunc is the kernel of a single row and some panels side by side.
type rowFunc func(k int, a, b *float32, pitch int, c *float32)

// engine computes products with the kernels of one instruction set. Tiles of mr×nr elements of C stay in
// registers while k runs; a panel of nr columns of B and blockK rows stays in the first cache while tiles of
// rows pass over it. A is read where it lies or, if it is to be transposed, from a copy in tiles. What the next
// step will read is fetched into the second cache by the kernels while they compute.
type engine struct {
	mr, nr          int
	pack            func(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int) // packB, made once
	turn            func(p *product, m, n, ks span, c into, flags int, alpha float32)               // turned or turnedPairs
	registers       tilesFunc                                                                       // of BF16 on tile registers, or nil
	full, half      []tileFunc                                                                      // by number of rows: nr and nr/2 columns wide
	row             []rowFunc                                                                       // by number of panels
	dot             func(x, y []float32) float32
	fourDots        func(x []float32, y *float32, ldy int, s *[4]float32)
	add             func(dst, a, b []float32)
	addScaled       func(dst []float32, alpha float32, x []float32)
	scale           func(dst []float32, alpha float32, x []float32)
	transposeBlocks func(blocks int, dst *float32, ldd int, src *float32, lds int)
	copyRows        func(rows int, dst, src *float32, lds int)
	copyPart        func(rows, width int, dst, src *float32, lds int)
	copyFour        func(rows int, dst *float32, step int, src *float32, lds int)
}

const (
	blockK = 192 // rows of B in a panel: 24 KB of 32 columns
	blockM = 192 // rows of A in a piece of work
	turnM  = 264 // rows of a transposed A in a piece of work
	blockN = 256 // columns of B in a piece of work
	subM   = 48  // rows of A between two fetches ahead

	dotRows   = 4       // so few rows are multiplied with the rows of a transposed B one by one
	packRows  = 64      // with so many rows a panel of B is worth copying,
	inFirst   = 1 << 13 // unless all of B fits the first cache
	inSecond  = 1 << 16 // an A of so many elements stays in the second cache
	packWhole = 1 << 22 // a B of at most so many elements is copied whole before it is used many times
	longK     = 4 * blockK

	addToC = 1 // flags of a tileFunc
	scaled = 2
)

func (e *engine) install(p *path) {
	p.nr = e.nr
	e.pack, e.turn = e.packB, e.turned
	p.gemm, p.gemmPacked, p.packB = e.gemm, e.gemmPacked, e.pack
	p.transpose = e.transpose
}

// even cuts n in equal pieces of at most limit, rounded up to a multiple of unit.
func even(n, limit, unit int) int {
	pieces := (n-1)/limit + 1
	size := (n + pieces - 1) / pieces
	return (size + unit - 1) / unit * unit
}

// pieces cuts C for the workers: large blocks reuse what is packed, but there should be some for each worker.
func (e *engine) pieces(m, n, k, blockM int) (mb, nb int) {
	mb, nb = even(m, blockM, e.mr), even(n, blockN, e.nr)
	for ((m-1)/mb+1)*((n-1)/nb+1) < 8 && mb*nb*k > 2*serialBelow {
		switch {
		case mb >= nb && mb >= 2*e.mr:
			mb = even(m, mb/2, e.mr)
		case nb >= 2*e.nr:
			nb = even(n, nb/2, e.nr)
		default:
			return mb, nb
		}
	}
	return mb, nb
}

// scaleRows sets C = beta·C.
func (e *engine) scaleRows(p *product) {
	for i := range p.m {
		row := p.c[i*p.ldc : i*p.ldc+p.n]
		if p.beta == 0 {
			clear(row)
		} else {
			e.scale(row, p.beta, row)
		}
	}
}

func (e *engine) gemm(p product, threads bool) {
	if p.alpha == 0 || p.k == 0 {
		e.scaleRows(&p)
		return
	}
	if p.beta != 0 && p.beta != 1 {
		e.scaleRows(&p)
		p.beta = 1
	}
	flags := 0
	if p.alpha != 1 {
		flags |= scaled
	}
	if p.beta != 0 {
		flags |= addToC
	}
	threads = threads && p.m*p.n*p.k >= serialBelow
	switch {
	case p.m <= dotRows && p.transB && !p.transA:
		const columns = 64
		dotsLoop.run(p.n, columns, threads, blockArgs{e: e, p: p})
	case p.transA && p.k >= longK && p.m > e.mr && p.n > e.nr:
		e.gemmTurned(&p, threads)
	case !p.transA && p.m >= 2*blockM && p.k*p.n <= packWhole:
		panels := (p.n + e.nr - 1) / e.nr
		buf := takeScratch(panels * e.nr * p.k)
		defer giveScratch(buf)
		whole := Packed{K: p.k, N: p.n, width: e.nr, data: buf.data[:panels*e.nr*p.k]}
		packPanels(e.pack, p.transB, p.b, p.ldb, whole, threads)
		e.timesPacked(p.m, p.alpha, p.a, p.lda, whole, flags, p.c, p.ldc, threads)
	case !threads:
		e.block(&p, 0, p.m, 0, p.n, flags)
	default:
		mb, nb := e.pieces(p.m, p.n, p.k, blockM)
		blockLoop.Run(((p.m-1)/mb+1)*((p.n-1)/nb+1), 1, blockArgs{e, p, flags, mb, nb})
	}
}

// blockArgs are a product whose C is cut in blocks of mb×nb.
type blockArgs struct {
	e             *engine
	p             product
	flags, mb, nb int
}

var (
	dotsLoop  = NewLoop(func(a *blockArgs, lo, hi, _ int) { a.e.dots(&a.p, lo, hi) })
	blockLoop = NewLoop(func(a *blockArgs, lo, hi, _ int) {
		across := (a.p.n-1)/a.nb + 1
		for item := lo; item < hi; item++ {
			i, j := item/across*a.mb, item%across*a.nb
			a.e.block(&a.p, i, min(i+a.mb, a.p.m), j, min(j+a.nb, a.p.n), a.flags)
		}
	})
)

func (e *engine) gemmPacked(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc int) {
	switch {
	case p.width != e.nr || p.K == 0:
		naiveGemmPacked(m, a, lda, p, bias, c, ldc)
	case m <= fewRows:
		e.timesFew(m, a, lda, p, bias, c, ldc)
	default:
		setRows(m, p.N, bias, c, ldc)
		e.timesPacked(m, 1, a, lda, *p, addToC, c, ldc, m*p.N*p.K >= serialBelow)
	}
}

// timesPacked computes C = alpha·A·P as the flags say.
func (e *engine) timesPacked(m int, alpha float32, a []float32, lda int, p Packed, flags int, c []float32, ldc int, threads bool) {
	panels := (p.N + e.nr - 1) / e.nr
	mb, nb := even(m, blockM, e.mr), panels
	if m < 4*blockM {
		nb = even(panels, max(1, panels/8), 1)
	}
	args := packedArgs{e, p, alpha, a, lda, flags, c, ldc, m, mb, nb}
	packedLoop.run(((m-1)/mb+1)*((panels-1)/nb+1), 1, threads, args)
}

// packedArgs are a product with a packed B, in blocks of mb rows and nb panels.
type packedArgs struct {
	e         *engine
	p         Packed
	alpha     float32
	a         []float32
	lda       int
	flags     int
	c         []float32
	ldc       int
	m, mb, nb int
}

var packedLoop = NewLoop(func(a *packedArgs, lo, hi, _ int) {
	panels := (a.p.N + a.e.nr - 1) / a.e.nr
	across := (panels-1)/a.nb + 1
	for item := lo; item < hi; item++ {
		i, j := item/across*a.mb, item%across*a.nb
		a.e.packedBlock(a.alpha, a.a, a.lda, &a.p, i, min(i+a.mb, a.m), j, min(j+a.nb, panels), a.flags, a.c, a.ldc)
	}
})

// packedBlock computes rows [m0,m1) of C in the columns of panels [p0,p1).
func (e *engine) packedBlock(alpha float32, a []float32, lda int, p *Packed, m0, m1, p0, p1, flags int, c []float32, ldc int) {
	kb := even(p.K, blockK, 16)
	n0 := p0 * e.nr
	cols := min(p1*e.nr, p.N) - n0
	for l := 0; l < p.K; l += kb {
		after := ahead{}
		if l+kb < p.K {
			after = aheadOf(&a[m0*lda+l+kb], 4*lda)
		}
		r := right{data: p.data[(p0*p.K+l)*e.nr:], bs: 4 * e.nr, pitch: p.K * e.nr}
		e.sweep(m1-m0, left{data: &a[m0*lda+l], ld: lda, k: min(kb, p.K-l)}, r, cols, c[m0*ldc+n0:], ldc, flags, alpha, after)
		flags |= addToC
	}
}

// block computes C[m0:m1,n0:n1], packing what it needs to.
func (e *engine) block(p *product, m0, m1, n0, n1, flags int) {
	if p.transA && (n1-n0 > 4*e.nr || p.k > 2*blockK) {
		e.turned(p, span{m0, m1}, span{n0, n1}, span{0, p.k}, into{p.c[m0*p.ldc+n0:], p.ldc, e.nr}, flags, p.alpha)
		return
	}
	kb := even(p.k, blockK, 16)
	panels := (n1 - n0 + e.nr - 1) / e.nr
	inPlace := !p.transB && (m1-m0 < packRows || p.k*p.ldb <= inFirst)
	need := panels * kb * e.nr
	if inPlace {
		need = kb * e.nr
	}
	buf := takeScratch(need)
	defer giveScratch(buf)
	for l := 0; l < p.k; l += kb {
		k := min(kb, p.k-l)
		r := right{data: buf.data, bs: 4 * e.nr, pitch: k * e.nr}
		if inPlace {
			r = right{data: p.b[l*p.ldb+n0:], bs: 4 * p.ldb, pitch: e.nr}
			if tail := (n1 - n0) % e.nr; tail != 0 {
				e.packB(false, k, tail, p.b[l*p.ldb+n1-tail:], p.ldb, buf.data, e.nr)
				r.edge = buf.data
			}
		} else {
			for i := range panels {
				j := n0 + i*e.nr
				e.packB(p.transB, k, min(e.nr, n1-j), p.b[offset(p.transB, l, j, p.ldb):], p.ldb, buf.data[i*k*e.nr:(i+1)*k*e.nr], e.nr)
			}
		}
		after := ahead{}
		if l+kb < p.k && !p.transA {
			after = aheadOf(&p.a[m0*p.lda+l+kb], 4*p.lda)
		}
		a := left{data: &p.a[offset(p.transA, m0, l, p.lda)], ld: p.lda, k: k, trans: p.transA}
		e.sweep(m1-m0, a, r, n1-n0, p.c[m0*p.ldc+n0:], p.ldc, flags, p.alpha, after)
		flags |= addToC
	}
}

// dots computes columns [lo,hi) of C as products of rows of A with rows of B, for a C of few rows.
func (e *engine) dots(p *product, lo, hi int) {
	put := func(c *float32, sum float32) {
		if p.beta != 0 {
			*c += p.alpha * sum
		} else {
			*c = p.alpha * sum
		}
	}
	j := lo
	buf := takeScratch(4) // a kernel behind a variable would put an array on the heap
	defer giveScratch(buf)
	sums := (*[4]float32)(buf.data)
	for ; j+4 <= hi; j += 4 {
		for i := range p.m {
			e.fourDots(p.a[i*p.lda:i*p.lda+p.k], &p.b[j*p.ldb], 4*p.ldb, sums)
			for t, sum := range sums {
				put(&p.c[i*p.ldc+j+t], sum)
			}
		}
	}
	for ; j < hi; j++ {
		for i := range p.m {
			put(&p.c[i*p.ldc+j], e.dot(p.a[i*p.lda:i*p.lda+p.k], p.b[j*p.ldb:j*p.ldb+p.k]))
		}
	}
}
