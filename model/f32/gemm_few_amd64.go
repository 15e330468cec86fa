package f32

import "strings"

// Products with few rows, as in generation, take the time of fetching B: it is read in the order in which it lies, and
// what follows is fetched while a block is used.
const (
	fewRows     = 16 // more of them do not stay in the first cache beside a panel
	lowRows     = 4  // with fewer rows each is multiplied alone, with several panels at once
	panelsAside = 4

	fewTall       = 8  // rows of the tallest tile: more of them are slower on packed panels
	fewRowsAtOnce = 48 // of a share
)

// fewArgs are a product of few rows with a packed B.
type fewArgs struct {
	e           *engine
	p           Packed
	m, lda, ldc int
	a, bias, c  []float32
}

// timesFew computes C = A·P + bias.
func (e *engine) timesFew(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc int) {
	panels := (p.N + e.nr - 1) / e.nr
	grain := max(1, panels/8)
	if m < lowRows {
		grain = even(panels, even(panels, (panels+3)/4, panelsAside), 1)
	}
	fewLoop.run(panels, grain, m*p.N*p.K >= serialBelow, fewArgs{e: e, p: *p, m: m, lda: lda, ldc: ldc, a: a, bias: bias, c: c})
}

// The kernels that products of few rows need, by instruction set.
var (
	fewAVX2 = &engine{mr: 6, nr: 16,
		full: []tileFunc{nil, gemm1x16avx2, gemm2x16avx2, gemm3x16avx2, gemm4x16avx2, gemm5x16avx2, gemm6x16avx2},
		row:  []rowFunc{nil, row1x16avx2, row2x16avx2, row3x16avx2, row4x16avx2}}
	fewAVX512 = &engine{mr: 12, nr: 32,
		full: []tileFunc{nil, gemm1x32avx512, gemm2x32avx512, gemm3x32avx512, gemm4x32avx512, gemm5x32avx512, gemm6x32avx512,
			gemm7x32avx512, gemm8x32avx512, gemm9x32avx512, gemm10x32avx512, gemm11x32avx512, gemm12x32avx512},
		row: []rowFunc{nil, row1x32avx512, row2x32avx512, row3x32avx512, row4x32avx512}}
	fewBF16 = &engine{mr: 12, nr: 32,
		full: []tileFunc{nil, nil, nil, gemm3x32bf16, gemm4x32bf16, gemm5x32bf16, gemm6x32bf16, gemm7x32bf16, gemm8x32bf16}}
)

// few computes a share of a product, see [FewColumns]. More rows than stay in the first cache go some at a time.
func (p *path) few(m int, a []float32, lda int, b *Packed, bias, c []float32, ldc, first, last int) {
	var e *engine
	switch {
	case p.name == "avx2":
		e = fewAVX2
	case strings.HasPrefix(p.name, "avx512"):
		e = fewAVX512
	}
	if e == nil || b.width != e.nr || b.K == 0 {
		fewNaive(m, a, lda, b, bias, c, ldc, first, last)
		return
	}
	for row := 0; row < m; row += fewRowsAtOnce {
		f := fewArgs{e: e, p: *b, m: min(fewRowsAtOnce, m-row), lda: lda, ldc: ldc, a: a[row*lda:], bias: bias, c: c[row*ldc:]}
		f.share(first/e.nr, (last+e.nr-1)/e.nr)
	}
}

// few16 computes a share of a product of pairs. The tiles of one and two rows add in another order than the taller ones, so
// three rows are computed for them.
func (p *path) few16(m int, a []BF16, lda int, b *PackedBF16, bias, c []float32, ldc, first, last int) {
	if !p.narrow || b.p.width != fewBF16.nr || b.p.K == 0 || b.K%2 != 0 {
		p.fewNaive16(m, a, lda, b, bias, c, ldc, first, last)
		return
	}
	f := fewArgs{e: fewBF16, p: b.p, m: m, lda: lda / 2, ldc: ldc, a: asPairs(a), bias: bias, c: c}
	if m >= lowPairs {
		for row := 0; row < m; row += fewRowsAtOnce {
			if left := m - row; left < lowPairs { // a short rest is done once more with rows before it
				row -= lowPairs - left
			}
			g := f
			g.m, g.a, g.c = min(fewRowsAtOnce, m-row), f.a[row*f.lda:], c[row*ldc:]
			g.share(first/fewBF16.nr, (last+fewBF16.nr-1)/fewBF16.nr)
		}
		return
	}
	s := takeScratch(lowPairs * (b.p.K + last - first))
	defer giveScratch(s)
	rows, sums := s.data[:lowPairs*b.p.K], s.data[lowPairs*b.p.K:]
	for i := range lowPairs {
		copy(rows[i*b.p.K:][:b.p.K], f.a[min(i, m-1)*f.lda:])
	}
	if bias != nil {
		bias = bias[first:last]
	}
	f = fewArgs{e: fewBF16, p: b.p.columns(first, last), m: lowPairs, lda: b.p.K, ldc: last - first, a: rows, bias: bias, c: sums}
	f.share(0, (last-first+fewBF16.nr-1)/fewBF16.nr)
	for i := range m {
		copy(c[i*ldc+first:i*ldc+last], sums[i*(last-first):])
	}
}

// lowPairs is how many rows the lowest tile has that adds pairs in order.
const lowPairs = 3

var fewLoop = NewLoop(func(f *fewArgs, lo, hi, _ int) { f.share(lo, hi) })

// share computes the columns of the panels from lo up to hi.
func (f *fewArgs) share(lo, hi int) {
	n0, n1 := lo*f.e.nr, min(hi*f.e.nr, f.p.N)
	bias := f.bias
	if bias != nil {
		bias = bias[n0:n1]
	}
	setRows(f.m, n1-n0, bias, f.c[n0:], f.ldc)
	if f.m < lowRows && f.e.row != nil {
		f.rows(lo, hi)
		return
	}
	for i := lo; i < hi; i++ {
		f.panel(i)
	}
}

// panel adds the products with one panel.
func (f *fewArgs) panel(i int) {
	e, k, n0 := f.e, f.p.K, i*f.e.nr
	kb := even(k, blockK, 16)
	cols := min(e.nr, f.p.N-n0)
	tall := min(e.mr, fewTall)
	for l := 0; l < k; l += kb {
		b := &f.p.data[(i*k+l)*e.nr]
		a := left{data: &f.a[l], ld: f.lda, k: min(kb, k-l)}
		whole, top, last := cutAt(f.m, tall)
		row, block := 0, uintptr(4*e.nr*kb)
		run := func(count, height int) {
			if count == 0 {
				return
			}
			h := ahead{address: block} // behind each row of B
			if height == e.mr {        // the tallest kernel goes by address
				h = aheadOf(b, 128)
				h.address += block
			}
			e.tiles(e.full, count, height, 0, row, a, b, 4*e.nr, f.c[n0:], f.ldc, cols, addToC, 1, h)
			row += count * height
		}
		run(whole, tall)
		run(min(top, 1), top)
		run(min(last, 1), last)
	}
}

// cutAt is the engine's cut with tiles of the given height.
func cutAt(m, height int) (whole, top, last int) {
	e := engine{mr: height}
	return e.cut(m)
}

// rows adds the products with some panels, row by row.
func (f *fewArgs) rows(lo, hi int) {
	e, k := f.e, f.p.K
	kb := even(k, blockK, 16)
	for i := lo; i < hi; i += panelsAside {
		count := min(panelsAside, hi-i)
		n0 := i * e.nr
		cols := min(count*e.nr, f.p.N-n0)
		for r := range f.m {
			c := f.c[r*f.ldc+n0:][:cols]
			to := c
			var edge *scratch
			if cols < count*e.nr { // the kernels write whole panels
				edge = takeScratch(count * e.nr)
				to = edge.data
				copy(to, c)
			}
			for l := 0; l < k; l += kb {
				e.row[count](min(kb, k-l), &f.a[r*f.lda+l], &f.p.data[(i*k+l)*e.nr], 4*k*e.nr, &to[0])
			}
			if edge != nil {
				copy(c, to)
				giveScratch(edge)
			}
		}
	}
}
