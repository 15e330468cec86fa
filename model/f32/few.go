package f32

// FewColumns is [GemmPacked] for the columns from first up to last alone, on the caller's goroutine: a share of a product
// that several workers divide. first and last must be multiples of 32, or last the end. Every element is the one that
// GemmPacked gives, bit for bit.
func FewColumns(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc, first, last int) {
	checkMatrix("FewColumns", "A", false, m, p.K, len(a), lda)
	checkMatrix("FewColumns", "C", false, m, p.N, len(c), ldc)
	if bias != nil {
		same("FewColumns", p.N, len(bias))
	}
	if first%32 != 0 || last%32 != 0 && last != p.N || first < 0 || last > p.N {
		panic("f32.FewColumns: a share must begin and end on a multiple of 32 columns")
	}
	if m == 0 || first >= last {
		return
	}
	active().few(m, a, lda, p, bias, c, ldc, first, last)
}

// fewNaive has a path's own product of the panels of a share, as if they were a matrix of their own.
func (p *path) fewNaive(m int, a []float32, lda int, b *Packed, bias, c []float32, ldc, first, last int) {
	end := (last + b.width - 1) / b.width * b.width
	share := Packed{K: b.K, N: last - first, width: b.width, data: b.data[first*b.K : end*b.K]}
	if bias != nil {
		bias = bias[first:last]
	}
	p.gemmPacked(m, a, lda, &share, bias, c[first:], ldc)
}
