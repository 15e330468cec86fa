package half

import (
	"math"
	"unsafe"
)

// Quarter is a k×n right-hand matrix of 8-bit weights, in panels of 32 columns,
// each column a multiple of its own scale.
type Quarter struct {
	K, N  int
	data  []int8    // panels, each k rows of 32; the last filled up with zeros
	scale []float32 // of each column
}

// QuarterLen is how many float32 elements of memory a k×n matrix takes.
func QuarterLen(k, n int) int {
	width := (n + columns - 1) / columns * columns
	return width*k/4 + width
}

// PackQuarter lays out op(B) as [Pack] does, in memory of at least QuarterLen
// elements. It has no NaN and no infinity: those become 0 and the largest weight.
func PackQuarter(transB bool, k, n int, b []float32, ldb int, memory []float32) *Quarter {
	checkStored("PackQuarter", transB, k, n, len(b), ldb, len(memory), QuarterLen(k, n))
	m := &Quarter{K: k, N: n}
	width := (n + columns - 1) / columns * columns
	if width == 0 {
		return m
	}
	m.scale = memory[width*k/4:][:width]
	clear(m.scale)
	if k == 0 {
		return m
	}
	m.data = unsafe.Slice((*int8)(unsafe.Pointer(&memory[0])), width*k)
	column := func(at int) *float32 { return &m.scale[at/columns/k*columns+at%columns] }
	eachWeight(transB, k, n, ldb, func(at, from int) {
		if x := float32(math.Abs(float64(b[from]))); x <= math.MaxFloat32 {
			*column(at) = max(*column(at), x)
		}
	})
	for i := range m.scale {
		m.scale[i] /= 127
	}
	eachWeight(transB, k, n, ldb, func(at, from int) {
		q := 0.0
		if s := *column(at); s > 0 {
			q = math.Max(-127, math.Min(127, math.RoundToEven(float64(b[from])/float64(s))))
		}
		if q != q {
			q = 0
		}
		m.data[at] = int8(q)
	})
	return m
}

// Times computes C = A·M as [Matrix.Times] does.
func (m *Quarter) Times(rows int, a []float32, lda int, c []float32, ldc int) {
	times(m, m.K, m.N, rows, a, lda, c, ldc)
}

func (m *Quarter) panel(p int, x []float32, y *[columns]float32) {
	scale := (*[columns]float32)(m.scale[p*columns:])
	if m.K == 0 {
		*y = [columns]float32{}
		return
	}
	quarterKernel()(x, m.data[p*columns*m.K:][:columns*m.K], scale, y)
}

// naiveQuarter is what the kernels compute.
func naiveQuarter(x []float32, w []int8, scale, y *[columns]float32) {
	*y = [columns]float32{}
	for l, v := range x {
		for j := range y {
			y[j] += v * float32(w[l*columns+j])
		}
	}
	for j := range y {
		y[j] *= scale[j]
	}
}
