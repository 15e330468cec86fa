//go:build !amd64

package f32

func (p *path) few(m int, a []float32, lda int, b *Packed, bias, c []float32, ldc, first, last int) {
	p.fewNaive(m, a, lda, b, bias, c, ldc, first, last)
}
