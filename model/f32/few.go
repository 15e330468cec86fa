package f32

import "fmt"

// FewColumns is [GemmPacked] for the columns from first up to last alone, on the caller's goroutine: a share of a product
// that several workers divide. first and last must be multiples of 32, or last the end. Every element is the one that
// GemmPacked gives, bit for bit.
func FewColumns(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc, first, last int) {
	checkMatrix("FewColumns", "A", false, m, p.K, len(a), lda)
	checkMatrix("FewColumns", "C", false, m, p.N, len(c), ldc)
	if bias != nil {
		same("FewColumns", p.N, len(bias))
	}
	checkShare("FewColumns", p.N, first, last)
	if m == 0 || first >= last {
		return
	}
	active().few(m, a, lda, p, bias, c, ldc, first, last)
}

func checkShare(op string, n, first, last int) {
	if first%32 != 0 || last%32 != 0 && last != n || first < 0 || last > n {
		panic(fmt.Sprintf("f32.%s: columns %d to %d of %d do not begin and end on multiples of 32", op, first, last, n))
	}
}

// FewColumnsBF16 is [FewColumns] of an A and a matrix in BF16. With the kernels that P was packed with a row of C is the same, bit for
// bit, whatever rows stand beside it. lda must be even.
func FewColumnsBF16(m int, a []BF16, lda int, p *PackedBF16, bias, c []float32, ldc, first, last int) {
	checkMatrix("FewColumnsBF16", "A", false, m, p.K, len(a), lda)
	checkMatrix("FewColumnsBF16", "C", false, m, p.N, len(c), ldc)
	if bias != nil {
		same("FewColumnsBF16", p.N, len(bias))
	}
	checkShare("FewColumnsBF16", p.N, first, last)
	if lda%2 != 0 {
		panic(fmt.Sprintf("f32.FewColumnsBF16: rows of %d elements are no whole pairs", lda))
	}
	if m == 0 || first >= last {
		return
	}
	active().few16(m, a, lda, p, bias, c, ldc, first, last)
}

// fewNaive16 has a path's own product of the panels of a share.
func (p *path) fewNaive16(m int, a []BF16, lda int, b *PackedBF16, bias, c []float32, ldc, first, last int) {
	if b.K > 0 && b.p.width != p.nr {
		panic(fmt.Sprintf("f32.FewColumnsBF16: the matrix was packed in panels of %d columns, the kernels take %d", b.p.width, p.nr))
	}
	if bias != nil {
		bias = bias[first:last]
	}
	setRows(m, last-first, bias, c[first:], ldc)
	share := b.p.columns(first, last)
	p.times16(product16{m: m, n: last - first, k: b.K, alpha: 1, a: a, lda: lda, beta: 1, c: c[first:], ldc: ldc}, &share, false)
}

// columns is a share of a packed matrix.
func (p *Packed) columns(first, last int) Packed {
	if p.K == 0 {
		return Packed{N: last - first, width: p.width}
	}
	end := (last + p.width - 1) / p.width * p.width
	return Packed{K: p.K, N: last - first, width: p.width, data: p.data[first*p.K : end*p.K]}
}

// Use gives an empty p memory as [Packed.Use] does, of at least [PackedLen] elements.
func (p *PackedBF16) Use(memory []float32) { p.p.Use(memory) }

// fewNaive reads panels of any width.
func fewNaive(m int, a []float32, lda int, b *Packed, bias, c []float32, ldc, first, last int) {
	if bias != nil {
		bias = bias[first:last]
	}
	setRows(m, last-first, bias, c[first:], ldc)
	for i := range m {
		for j := first; j < last; j += b.width {
			panel := b.data[j*b.K : (j+b.width)*b.K]
			p := newProduct(false, false, 1, min(b.width, last-j), b.K, 1, a[i*lda:], lda, panel, b.width, 1, c[i*ldc+j:], ldc)
			naiveRow(&p, 0)
		}
	}
}
