package f32

// tileFunc is one product kernel; see the stubs for what it computes.
type tileFunc func(tiles, k int, a *float32, ars, acs, astep int, b *float32, bs int, c *float32, ldc, cols, flags int, alpha float32, pf *float32, pfs int)

// engine computes products with the kernels of one instruction set. Tiles of mr×nr elements of C stay in
// registers while k runs; a panel of nr columns of B and blockK rows stays in the first cache while tiles of
// rows pass over it. A is read where it lies or, if it is to be transposed, from a copy in tiles. What the next
// step will read is fetched into the second cache by the kernels while they compute.
type engine struct {
	mr, nr          int
	full, half      []tileFunc // by number of rows: nr and nr/2 columns wide
	transposeBlocks func(blocks int, dst *float32, ldd int, src *float32, lds int)
	copyRows        func(rows int, dst, src *float32, lds int)
	copyPart        func(rows, width int, dst, src *float32, lds int)
}

const (
	blockK = 256 // rows of B in a panel: 32 KB of 32 columns
	blockM = 192 // rows of A in a piece of work
	blockN = 256 // columns of B in a piece of work
	subM   = 48  // rows of A between two fetches ahead

	packRows = 64 // with so many rows or more a panel of B is worth copying

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
	flags := 0
	if p.alpha != 1 {
		flags |= scaled
	}
	if p.beta != 0 {
		flags |= addToC
	}
	if p.transA {
		e.blockTurned(p, m0, m1, n0, n1, flags)
		return
	}
	kb := even(p.k, blockK, 16)
	panels := (n1 - n0 + e.nr - 1) / e.nr
	inPlace := !p.transB && m1-m0 < packRows
	need := panels * kb * e.nr
	if inPlace {
		need = kb * e.nr
	}
	buf := takeScratch(need)
	defer giveScratch(buf)
	for l := 0; l < p.k; l += kb {
		k := min(kb, p.k-l)
		var r right
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
			r = right{data: buf.data, bs: 4 * e.nr, pitch: k * e.nr}
		}
		after := ahead{}
		if l+kb < p.k {
			after = ahead{&p.a[m0*p.lda+l+kb], 4 * p.lda}
		}
		e.sweep(m1-m0, p.a[m0*p.lda+l:], p.lda, k, r, n1-n0, p.c[m0*p.ldc+n0:], p.ldc, flags, p.alpha, after)
		flags |= addToC
	}
}

// right is a block of B in panels of nr columns: panel i begins at data[i·pitch], its rows lie bs bytes apart. A
// last panel that is not whole may lie apart, filled up.
type right struct {
	data      []float32
	edge      []float32
	bs, pitch int
}

// ahead is where the next step will read: rows of A (or B) stride bytes apart.
type ahead struct {
	p      *float32
	stride int
}

// row returns the place n rows on.
func (h ahead) row(n int) ahead {
	if h.p == nil {
		return h
	}
	return ahead{addBytes(h.p, n*h.stride), h.stride}
}

// sweep multiplies rows of A, k columns, with all panels, some rows at a time so that the next ones are
// fetched while these are used; after is what follows the last.
func (e *engine) sweep(rows int, a []float32, lda, k int, r right, cols int, c []float32, ldc, flags int, alpha float32, after ahead) {
	sub := even(rows, subM, e.mr)
	for i := 0; i < rows; i += sub {
		m := min(sub, rows-i)
		block := left{&a[i*lda], lda, k}
		next, left := after, sub
		if i+sub < rows {
			next, left = ahead{&a[(i+sub)*lda], 4 * lda}, min(sub, rows-i-sub)
		}
		perPanel := m / e.mr * 4
		for q, j := 0, 0; j < cols; q, j = q+1, j+e.nr {
			b, bs := r.data[q*r.pitch:], r.bs
			if r.edge != nil && cols-j < e.nr {
				b, bs = r.edge, 4*e.nr
			}
			h := ahead{}
			if q*perPanel < left {
				h = next.row(q * perPanel)
			}
			e.panel(m, block, &b[0], bs, c[i*ldc+j:], ldc, min(e.nr, cols-j), flags, alpha, h)
		}
	}
}

// blockTurned is block for a transposed A: its rows are copied into tiles first. While one block of k is
// multiplied, the rows of A and B the next one will copy are fetched.
func (e *engine) blockTurned(p *product, m0, m1, n0, n1 int, flags int) {
	kb := even(p.k, blockK, 16)
	rows, pitch := m1-m0, e.nr/2
	whole, top, last := e.cut(rows)
	tiles := whole + min(top, 1) + min(last, 1)
	buf := takeScratch(kb * (e.nr + tiles*pitch))
	defer giveScratch(buf)
	packed, turned := buf.data[:kb*e.nr], buf.data[kb*e.nr:]
	for l := 0; l < p.k; l += kb {
		k := min(kb, p.k-l)
		e.packA(k, rows, p.a[l*p.lda+m0:], p.lda, turned)
		position := 0
		for j := n0; j < n1; j += e.nr {
			cols := min(e.nr, n1-j)
			b, bs := p.b[offset(p.transB, l, j, p.ldb):], 4*p.ldb
			if p.transB || cols != e.nr || rows >= packRows {
				e.packB(p.transB, k, cols, b, p.ldb, packed, e.nr)
				b, bs = packed, 4*e.nr
			}
			h := ahead{}
			if next := p.k - l - kb; next > 0 {
				next = min(next, kb)
				if at := position; at < next {
					h = ahead{&p.a[(l+kb+at)*p.lda+m0], 4 * p.lda}
				} else if at -= next; at < next && !p.transB {
					h = ahead{&p.b[(l+kb+at)*p.ldb+n0], 4 * p.ldb}
				}
				position += 4 * whole
			}
			e.panel(rows, left{&turned[0], 0, k}, &b[0], bs, p.c[m0*p.ldc+j:], p.ldc, cols, flags, p.alpha, h)
		}
		flags |= addToC
	}
}

// left is a block of A with k columns: row-major with rows of ld elements or, with ld 0, copied by packA.
type left struct {
	data  *float32
	ld, k int
}

// tiles runs count tiles of mr rows: the first is the tile-th and begins at the given row.
func (e *engine) tiles(kernel []tileFunc, count, mr, tile, row int, a left, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32, h ahead) {
	ars, acs, at, step := 4*a.ld, 4, 4*a.ld*row, 4*a.ld*mr
	if a.ld == 0 {
		ars, acs, step = 4, 2*e.nr, 2*e.nr*a.k
		at = tile * step
	}
	if h.p == nil {
		h = ahead{b, 0}
	}
	kernel[mr](count, a.k, addBytes(a.data, at), ars, acs, step, b, bs, &c[row*ldc], 4*ldc, cols, flags, alpha, h.p, h.stride)
}

// cut says how m rows are cut: whole tiles of mr rows, then two more of top and last rows (either may be 0). A
// short remainder is shared between two tiles.
func (e *engine) cut(m int) (whole, top, last int) {
	whole, last = m/e.mr, m%e.mr
	if whole > 0 && last > 0 && last < e.mr/2 {
		whole--
		last += e.mr
		top = (last + 1) / 2
		last -= top
	}
	return whole, top, last
}

// panel multiplies m rows of A with one panel of B.
func (e *engine) panel(m int, a left, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32, h ahead) {
	kernel := e.full
	if cols <= e.nr/2 {
		kernel = e.half
	}
	whole, top, last := e.cut(m)
	if whole > 0 {
		e.tiles(kernel, whole, e.mr, 0, 0, a, b, bs, c, ldc, cols, flags, alpha, h)
	}
	tile, row := whole, whole*e.mr
	if top > 0 {
		e.tiles(kernel, 1, top, tile, row, a, b, bs, c, ldc, cols, flags, alpha, h)
		tile, row = tile+1, row+top
	}
	if last > 0 {
		e.tiles(kernel, 1, last, tile, row, a, b, bs, c, ldc, cols, flags, alpha, h)
	}
}

// packA turns m columns of A as stored (k rows of lda elements) into the tiles that cut names, each of k columns
// of its rows filled up to a vector.
func (e *engine) packA(k, m int, a []float32, lda int, dst []float32) {
	whole, top, last := e.cut(m)
	tile, row := 0, 0
	next := func(height int) {
		e.copyPart(k, height, &dst[tile*k*e.nr/2], &a[row], 4*lda)
		tile, row = tile+1, row+height
	}
	for range whole {
		next(e.mr)
	}
	if top > 0 {
		next(top)
	}
	if last > 0 {
		next(last)
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
	kb := even(p.K, blockK, 16)
	n0 := p0 * e.nr
	cols := min(p1*e.nr, p.N) - n0
	for l := 0; l < p.K; l += kb {
		after := ahead{}
		if l+kb < p.K {
			after = ahead{&a[m0*lda+l+kb], 4 * lda}
		}
		r := right{data: p.data[(p0*p.K+l)*e.nr:], bs: 4 * e.nr, pitch: p.K * e.nr}
		e.sweep(m1-m0, a[m0*lda+l:], lda, min(kb, p.K-l), r, cols, c[m0*ldc+n0:], ldc, flags, 1, after)
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
