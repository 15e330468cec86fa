//go:build !amd64

package f32

func (p *path) few(m int, a []float32, lda int, b *Packed, bias, c []float32, ldc, first, last int) {
	fewNaive(m, a, lda, b, bias, c, ldc, first, last)
}

func (p *path) few16(m int, a []BF16, lda int, b *PackedBF16, bias, c []float32, ldc, first, last int) {
	p.fewNaive16(m, a, lda, b, bias, c, ldc, first, last)
}
