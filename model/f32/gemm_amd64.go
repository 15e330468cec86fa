package f32

// tileFunc is one product kernel; see the stubs for what it computes.
type tileFunc func(tiles, k int, a *float32, ars, acs int, b *float32, bs int, c *float32, ldc, cols, flags int, alpha float32)

// engine computes products with the kernels of one instruction set. Tiles of mr×nr elements of C stay in
// registers while k runs; a panel of nr columns of B and blockK rows stays in the first cache while tiles of
// rows pass over it; A is read where it lies, by rows or by columns.
type engine struct {
	mr, nr          int
	full, half      []tileFunc // by number of rows: nr and nr/2 columns wide
	transposeBlocks func(blocks int, dst *float32, ldd int, src *float32, lds int)
	copyRows        func(rows int, dst, src *float32, lds int)
}

const (
	blockK = 256 // rows of B in a panel: 32 KB of 32 columns
	blockM = 192 // rows of A in a piece of work: with blockK columns it lies in the second cache
	blockN = 256 // columns of B in a piece of work

	addToC = 1 // flags of a tileFunc
	scaled = 2
)

func (e *engine) install(p *path) {
	p.nr = e.nr
	p.gemm, p.gemmPacked, p.packB = e.gemm, e.gemmPacked, e.packB
	p.transpose = e.transpose
}

// even cuts n in equal pieces of at most limit, rounded up to a multiple of unit.
func even(n, limit, unit int) int {
	pieces := (n-1)/limit + 1
	size := (n + pieces - 1) / pieces
	return (size + unit - 1) / unit * unit
}

func (e *engine) gemm(p product, threads bool) {
	if p.beta != 0 && p.beta != 1 {
		for i := range p.m {
			naiveScale(p.c[i*p.ldc:i*p.ldc+p.n], p.beta, p.c[i*p.ldc:i*p.ldc+p.n])
		}
		p.beta = 1
	}
	if p.alpha == 0 || p.k == 0 {
		if p.beta == 0 {
			for i := range p.m {
				clear(p.c[i*p.ldc : i*p.ldc+p.n])
			}
		}
		return
	}
	if !threads || p.m*p.n*p.k < serialBelow {
		e.block(&p, 0, p.m, 0, p.n)
		return
	}
	mb, nb := even(p.m, blockM, e.mr), even(p.n, blockN, e.nr)
	across := (p.n-1)/nb + 1
	Parallel(((p.m-1)/mb+1)*across, 1, func(item, _, _ int) {
		i, j := item/across*mb, item%across*nb
		e.block(&p, i, min(i+mb, p.m), j, min(j+nb, p.n))
	})
}

// block computes C[m0:m1,n0:n1].
func (e *engine) block(p *product, m0, m1, n0, n1 int) {
	buf := takeScratch(blockK * e.nr)
	defer giveScratch(buf)
	ars, acs := 4*p.lda, 4
	if p.transA {
		ars, acs = acs, ars
	}
	flags := 0
	if p.alpha != 1 {
		flags |= scaled
	}
	if p.beta != 0 {
		flags |= addToC
	}
	kb := even(p.k, blockK, 1)
	for l := 0; l < p.k; l += kb {
		k := min(kb, p.k-l)
		a := &p.a[offset(p.transA, m0, l, p.lda)]
		for j := n0; j < n1; j += e.nr {
			cols := min(e.nr, n1-j)
			b, bs := p.b[offset(p.transB, l, j, p.ldb):], 4*p.ldb
			if p.transB || cols != e.nr {
				e.packB(p.transB, k, cols, b, p.ldb, buf.data, e.nr)
				b, bs = buf.data, 4*e.nr
			}
			e.panel(m1-m0, k, a, ars, acs, &b[0], bs, p.c[m0*p.ldc+j:], p.ldc, cols, flags, p.alpha)
		}
		flags |= addToC
	}
}

// panel multiplies m rows of A with one panel of B. A short remainder of rows is shared by the last two tiles.
func (e *engine) panel(m, k int, a *float32, ars, acs int, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32) {
	kernel := e.full
	if cols <= e.nr/2 {
		kernel = e.half
	}
	whole, rest := m/e.mr, m%e.mr
	if whole > 0 && rest > 0 && rest < e.mr/2 {
		whole--
		rest += e.mr
	}
	row := whole * e.mr
	if whole > 0 {
		kernel[e.mr](whole, k, a, ars, acs, b, bs, &c[0], 4*ldc, cols, flags, alpha)
	}
	if rest > e.mr {
		top := (rest + 1) / 2
		kernel[top](1, k, addBytes(a, row*ars), ars, acs, b, bs, &c[row*ldc], 4*ldc, cols, flags, alpha)
		row += top
		rest -= top
	}
	if rest > 0 {
		kernel[rest](1, k, addBytes(a, row*ars), ars, acs, b, bs, &c[row*ldc], 4*ldc, cols, flags, alpha)
	}
}

func (e *engine) gemmPacked(m int, a []float32, lda int, p *Packed, beta float32, c []float32, ldc int) {
	if p.width != e.nr || p.K == 0 || (beta != 0 && beta != 1) {
		naiveGemmPacked(m, a, lda, p, beta, c, ldc)
		return
	}
	panels := len(p.data) / (p.K * e.nr)
	if m*p.N*p.K < serialBelow {
		e.packedBlock(a, lda, p, 0, m, 0, panels, beta, c, ldc)
		return
	}
	mb, nb := even(m, blockM, e.mr), panels
	if m < 4*blockM {
		nb = even(panels, max(1, panels/8), 1)
	}
	across := (panels-1)/nb + 1
	Parallel(((m-1)/mb+1)*across, 1, func(item, _, _ int) {
		i, j := item/across*mb, item%across*nb
		e.packedBlock(a, lda, p, i, min(i+mb, m), j, min(j+nb, panels), beta, c, ldc)
	})
}

// packedBlock computes rows [m0,m1) of C in the columns of panels [p0,p1).
func (e *engine) packedBlock(a []float32, lda int, p *Packed, m0, m1, p0, p1 int, beta float32, c []float32, ldc int) {
	flags := 0
	if beta != 0 {
		flags |= addToC
	}
	kb := even(p.K, blockK, 1)
	for l := 0; l < p.K; l += kb {
		k := min(kb, p.K-l)
		for i := p0; i < p1; i++ {
			e.panel(m1-m0, k, &a[m0*lda+l], 4*lda, 4, &p.data[(i*p.K+l)*e.nr], 4*e.nr, c[m0*ldc+i*e.nr:], ldc, min(e.nr, p.N-i*e.nr), flags, 1)
		}
		flags |= addToC
	}
}

// packB lays out cols columns of op(B), k rows, in a panel.
func (e *engine) packB(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int) {
	switch {
	case width != e.nr || (!trans && cols != width):
		naivePackB(trans, k, cols, b, ldb, panel, width)
	case !trans:
		e.copyRows(k, &panel[0], &b[0], 4*ldb)
	default:
		if cols != width {
			clear(panel[:k*width])
		}
		e.transpose(panel, width, b, ldb, cols, k)
	}
}

func (e *engine) transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	side := e.nr / 2
	blocks := cols / side
	if blocks == 0 {
		naiveTranspose(dst, ldd, src, lds, rows, cols)
		return
	}
	done := blocks * side
	r := 0
	for ; r+side <= rows; r += side {
		e.transposeBlocks(blocks, &dst[r], 4*ldd, &src[r*lds], 4*lds)
	}
	if done < cols && r > 0 {
		naiveTranspose(dst[done*ldd:], ldd, src[done:], lds, r, cols-done)
	}
	if r < rows {
		naiveTranspose(dst[r:], ldd, src[r*lds:], lds, rows-r, cols)
	}
}
