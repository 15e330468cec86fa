// Package half multiplies a few rows by matrices whose weights are kept in 16
// bits (IEEE 754 binary16), or in 8. Where a product reads each weight once, as
// when one flow is generated, its time is that of fetching the weights, and half
// the bytes take half the time. Sums stay in float32. A [Matrix] rounds a weight
// by at most 2^-11 of itself; a [Quarter] by 1/254 of the largest of its column,
// which is good for a first guess, and where the processor multiplies bytes it rounds what it
// multiplies too.
//
// The kernels follow f32.Path, so that one switch chooses all of them. A panel is
// 32 columns below each other, as the kernels read them.
package half

import (
	"fmt"
	"math"
	"sync"
	"unsafe"

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

// PackedLen is how many float32 elements of memory a k×n matrix takes.
func PackedLen(k, n int) int { return (n + columns - 1) / columns * columns * k / 2 }

// Pack lays out op(B), k×n, as f32.Pack does: B as stored is k×n with row
// length ldb, or n×k if transB.
// It takes its memory, of at least PackedLen elements, from the caller, so that
// matrices that are used one after another can lie together.
func Pack(transB bool, k, n int, b []float32, ldb int, memory []float32) *Matrix {
	checkStored("Pack", transB, k, n, len(b), ldb, len(memory), PackedLen(k, n))
	m := &Matrix{K: k, N: n}
	if need := 2 * PackedLen(k, n); need > 0 {
		m.data = unsafe.Slice((*uint16)(unsafe.Pointer(&memory[0])), need)
	}
	eachWeight(transB, k, n, ldb, func(_, _, at, from int) { m.data[at] = FromFloat32(b[from]) })
	return m
}

// eachWeight calls put for every weight of op(B): its row and column, its place in panels of
// k rows and in B as stored; panels side by side, each column downwards.
func eachWeight(transB bool, k, n, ldb int, put func(l, j, at, from int)) {
	f32.Parallel((n+columns-1)/columns, 1, func(lo, hi, _ int) {
		for p := lo; p < hi; p++ {
			for j := range min(columns, n-p*columns) {
				for l := range k {
					from := l*ldb + p*columns + j
					if transB {
						from = (p*columns+j)*ldb + l
					}
					put(l, p*columns+j, (p*k+l)*columns+j, from)
				}
			}
		}
	})
}

// checkStored panics unless B as stored fits its slice and the memory is enough.
func checkStored(op string, transB bool, k, n, length, ldb, memory, need int) {
	rows, cols := k, n
	if transB {
		rows, cols = n, k
	}
	if ldb < cols || rows > 0 && cols > 0 && length < (rows-1)*ldb+cols {
		panic(fmt.Sprintf("half.%s: %d×%d with rows of %d elements does not fit %d", op, rows, cols, ldb, length))
	}
	if memory < need {
		panic(fmt.Sprintf("half.%s: %d×%d needs %d elements of memory, has %d", op, k, n, need, memory))
	}
}

// Times computes C = A·M for m rows of A (row length lda ≥ K) on all threads;
// C has row length ldc ≥ N. It is made for few rows.
func (m *Matrix) Times(rows int, a []float32, lda int, c []float32, ldc int) {
	times(m, m.K, m.N, rows, a, lda, c, ldc)
}

// Columns computes the columns of C from first up to last as Times does, on the caller's goroutine; both are multiples of 32,
// or the end.
func (m *Matrix) Columns(rows int, a []float32, lda int, c []float32, ldc, first, last int) {
	columnsOf(m, m.K, m.N, rows, a, lda, c, ldc, first, last)
}

func (m *Matrix) panel(p int, x []float32, y *[columns]float32) {
	kernel()(x, m.data[p*columns*m.K:][:columns*m.K], y)
}

// panels is a matrix of which y = x·panel can be computed.
type panels interface {
	panel(p int, x []float32, y *[columns]float32)
}

func times(m panels, k, n, rows int, a []float32, lda int, c []float32, ldc int) {
	if rows == 0 || n == 0 {
		return
	}
	checkTimes(k, n, rows, len(a), lda, len(c), ldc)
	count := (n + columns - 1) / columns
	// Four pieces: enough for two threads to even out, few enough to start quickly.
	grain := max(1, (count+3)/4)
	if rows*k*n < 1<<15 {
		grain = count
	}
	timesLoop.Run(count, grain, timesArgs{m: m, k: k, n: n, rows: rows, a: a, lda: lda, c: c, ldc: ldc})
}

func checkTimes(k, n, rows, a, lda, c, ldc int) {
	if lda < k || ldc < n || a < (rows-1)*lda+k || c < (rows-1)*ldc+n {
		panic(fmt.Sprintf("half.Times: %d rows of %d and %d elements do not fit %d and %d", rows, lda, ldc, a, c))
	}
}

func checkShare(n, first, last int) {
	if first%columns != 0 || last%columns != 0 && last != n || first < 0 || last > n {
		panic(fmt.Sprintf("half.Columns: columns %d to %d of %d do not begin and end on multiples of 32", first, last, n))
	}
}

func columnsOf(m panels, k, n, rows int, a []float32, lda int, c []float32, ldc, first, last int) {
	if rows == 0 || first >= last {
		return
	}
	checkTimes(k, n, rows, len(a), lda, len(c), ldc)
	checkShare(n, first, last)
	t := edges.Get().(*timesArgs)
	*t = timesArgs{m: m, k: k, n: n, rows: rows, a: a, lda: lda, c: c, ldc: ldc}
	t.some(first/columns, (last+columns-1)/columns)
	*t = timesArgs{}
	edges.Put(t)
}

var edges = sync.Pool{New: func() any { return new(timesArgs) }}

type timesArgs struct {
	m    panels
	k, n int
	rows int
	a    []float32
	lda  int
	c    []float32
	ldc  int
	edge [columns]float32 // of the one panel that is not whole
}

var timesLoop = f32.NewLoop(func(t *timesArgs, lo, hi, _ int) { t.some(lo, hi) })

// some computes the columns of some panels.
func (t *timesArgs) some(lo, hi int) {
	for p := lo; p < hi; p++ {
		n := min(columns, t.n-p*columns)
		for r := range t.rows {
			c := t.c[r*t.ldc+p*columns:][:n]
			if n == columns {
				t.m.panel(p, t.a[r*t.lda:][:t.k], (*[columns]float32)(c))
				continue
			}
			t.m.panel(p, t.a[r*t.lda:][:t.k], &t.edge)
			copy(c, t.edge[:])
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
