package f32

import "unsafe"

// right is a block of B in panels of nr columns: panel i begins at data[i·pitch], its rows lie bs bytes apart. A
// last panel that is not whole may lie apart, filled up.
type right struct {
	data      []float32
	edge      []float32
	bs, pitch int
}

// ahead is where the next step will read: rows of A (or B) stride bytes apart. It is an address and no pointer,
// because it may run past the end of the matrix; fetching there does nothing.
type ahead struct {
	address uintptr
	stride  int
}

func aheadOf(p *float32, stride int) ahead { return ahead{uintptr(unsafe.Pointer(p)), stride} }

// strip returns the i-th piece of 128 bytes of the rows, what one pass over a panel can fetch.
func (h ahead) strip(i int) ahead {
	if h.address == 0 {
		return h
	}
	return ahead{h.address + uintptr(128*i), h.stride}
}

// sweep multiplies rows of A with all panels, some rows at a time so that the next ones are fetched while these
// are used; after is what follows the last.
func (e *engine) sweep(rows int, a left, r right, cols int, c []float32, ldc, flags int, alpha float32, after ahead) {
	sub := rows
	if rows*a.k > inSecond {
		sub = even(rows, subM, e.mr)
	}
	for i := 0; i < rows; i += sub {
		block, next := a, after
		block.data = addBytes(a.data, 4*offset(a.trans, i, 0, a.ld))
		if i+sub < rows && !a.trans {
			next = aheadOf(addBytes(a.data, 4*(i+sub)*a.ld), 4*a.ld)
		}
		for q, j := 0, 0; j < cols; q, j = q+1, j+e.nr {
			b, bs := r.data[q*r.pitch:], r.bs
			if r.edge != nil && cols-j < e.nr {
				b, bs = r.edge, 4*e.nr
			}
			h := next.strip(q)
			e.panel(min(sub, rows-i), block, &b[0], bs, c[i*ldc+j:], ldc, min(e.nr, cols-j), flags, alpha, h, h)
		}
	}
}

// left is a block of op(A) with k columns: rows of ld elements, of A or (trans) of its transpose, or tiles made
// by packA.
type left struct {
	data         *float32
	ld, k        int
	trans, tiled bool
}

// tiles runs count tiles of mr rows: the first is the tile-th and begins at the given row. While they compute, the
// tallest fetch what h names, and others what lies h.address bytes behind each row of B.
func (e *engine) tiles(kernel []tileFunc, count, mr, tile, row int, a left, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32, h ahead) {
	ars, acs, at, step := 4*a.ld, 4, 4*a.ld*row, 4*a.ld*mr
	if a.tiled {
		ars, acs, step = 4, 2*e.nr, 2*e.nr*a.k
		at = tile * step
	} else if a.trans {
		ars, acs, at, step = 4, ars, 4*row, 4*mr
	}
	if mr == e.mr && h.address == 0 {
		h = aheadOf(b, 0)
	}
	kernel[mr](count, a.k, addBytes(a.data, at), ars, acs, step, b, bs, &c[row*ldc], 4*ldc, cols, flags, alpha, h.address, h.stride)
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

// panel multiplies m rows of A with one panel of B, fetching first and second ahead.
func (e *engine) panel(m int, a left, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32, first, second ahead) {
	if e.registers != nil && m >= tileRows && cols == e.nr && a.k >= tileK && !a.trans && !a.tiled && flags&scaled == 0 {
		done := e.inRegisters(m, a, b, bs, c, ldc, flags, alpha)
		if done == m {
			return
		}
		m, a.data, c = m-done, addBytes(a.data, 4*a.ld*done), c[done*ldc:]
	}
	e.panelBelow(m, a, b, bs, c, ldc, cols, flags, alpha, first, second)
}

// panelBelow is panel without tile registers.
func (e *engine) panelBelow(m int, a left, b *float32, bs int, c []float32, ldc, cols, flags int, alpha float32, first, second ahead) {
	kernel := e.full
	if cols <= e.nr/2 {
		kernel = e.half
	}
	whole, top, last := e.cut(m)
	tile, row := 0, 0
	run := func(count, height int, h ahead) {
		if count > 0 {
			e.tiles(kernel, count, height, tile, row, a, b, bs, c, ldc, cols, flags, alpha, h)
		}
		tile, row = tile+count, row+count*height
	}
	if first == second {
		run(whole, e.mr, first)
	} else {
		run((whole+1)/2, e.mr, first)
		run(whole/2, e.mr, second)
	}
	run(min(top, 1), top, ahead{})
	run(min(last, 1), last, ahead{})
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
	for ; tile+4 <= whole; tile, row = tile+4, row+4*e.mr {
		e.copyFour(k, &dst[tile*k*e.nr/2], 2*k*e.nr, &a[row], 4*lda)
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

// addBytes moves p by n bytes within one slice.
func addBytes(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), n)) }
