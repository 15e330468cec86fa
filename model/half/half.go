// Package half multiplies a few rows by matrices whose weights are kept in 16
// bits (IEEE 754 binary16). Where a product reads each weight once, as when one
// flow is generated, its time is that of fetching the weights, and half the
// bytes take half the time. Sums stay in float32; a weight is rounded by at most
// 2^-11 of itself.
//
// The kernels follow f32.Path, so that one switch chooses all of them.
package half

import (
	"fmt"
	"math"

	"trafficgpt/model/f32"
)

// columns of a panel.
const columns = 32

// Matrix is a k×n right-hand matrix, in panels of 32 columns. The zero value is
// empty.
type Matrix struct {
	K, N int
	data []uint16 // panels, each k rows of 32; the last filled up with zeros
}

// Bytes returns the memory the matrix holds.
func (m *Matrix) Bytes() int { return 2 * len(m.data) }

// Pack lays out op(B), k×n, as f32.Pack does: B as stored is k×n with row
// length ldb, or n×k if transB.
func Pack(transB bool, k, n int, b []float32, ldb int) *Matrix {
	rows, cols := k, n
	if transB {
		rows, cols = n, k
	}
	if ldb < cols || rows > 0 && cols > 0 && len(b) < (rows-1)*ldb+cols {
		panic(fmt.Sprintf("half.Pack: %d×%d with rows of %d elements does not fit %d", rows, cols, ldb, len(b)))
	}
	panels := (n + columns - 1) / columns
	m := &Matrix{K: k, N: n, data: make([]uint16, panels*columns*k)}
	f32.Parallel(panels, 1, func(lo, hi, _ int) {
		for p := lo; p < hi; p++ {
			out := m.data[p*columns*k:][:columns*k]
			for l := range k {
				for j := range min(columns, n-p*columns) {
					at := l*ldb + p*columns + j
					if transB {
						at = (p*columns+j)*ldb + l
					}
					out[l*columns+j] = FromFloat32(b[at])
				}
			}
		}
	})
	return m
}

// Times computes C = A·M for m rows of A (row length lda ≥ K) on all threads;
// C has row length ldc ≥ N. It is made for few rows.
func (m *Matrix) Times(rows int, a []float32, lda int, c []float32, ldc int) {
	if rows == 0 || m.N == 0 {
		return
	}
	if lda < m.K || ldc < m.N || len(a) < (rows-1)*lda+m.K || len(c) < (rows-1)*ldc+m.N {
		panic(fmt.Sprintf("half.Times: %d rows of %d and %d elements do not fit %d and %d", rows, lda, ldc, len(a), len(c)))
	}
	panels := (m.N + columns - 1) / columns
	if rows*m.K*m.N < 1<<15 || m.K == 0 {
		m.panels(0, panels, rows, a, lda, c, ldc)
		return
	}
	// Two pieces a thread: enough to even out, few enough to start quickly.
	grain := max(1, (panels+3)/4)
	f32.Parallel(panels, grain, func(lo, hi, _ int) { m.panels(lo, hi, rows, a, lda, c, ldc) })
}

func (m *Matrix) panels(lo, hi, rows int, a []float32, lda int, c []float32, ldc int) {
	panel := kernel()
	var y [columns]float32
	for p := lo; p < hi; p++ {
		w := m.data[p*columns*m.K:][:columns*m.K]
		n := min(columns, m.N-p*columns)
		for r := range rows {
			panel(a[r*lda:][:m.K], w, &y)
			copy(c[r*ldc+p*columns:][:n], y[:])
		}
	}
}

// naivePanel is what the kernels compute.
func naivePanel(x []float32, w []uint16, y *[columns]float32) {
	*y = [columns]float32{}
	for l, v := range x {
		for j := range y {
			y[j] += v * ToFloat32(w[l*columns+j])
		}
	}
}

// FromFloat32 rounds to the nearest float16, ties to even. What is too large
// becomes the largest finite number, so that weights never turn infinite.
func FromFloat32(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	abs := b & 0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 // NaN
	case abs >= 0x477ff000: // rounds beyond 65,504
		return sign | 0x7bff
	case abs < 0x38800000: // below 2^-14: denormal, a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
	abs += 0xfff + abs>>13&1
	return sign | uint16((abs-0x38000000)>>13)
}

// ToFloat32 is exact.
func ToFloat32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0:
		x := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(x) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
