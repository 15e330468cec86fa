package f32

import (
	"fmt"
	"math"
	"unsafe"
)

// BF16 is a bfloat16: the upper half of a float32, with 8 bits of precision and the same range.
type BF16 uint16

// ToBF16 rounds to the nearest BF16, ties to even, as processors do: denormals become zero.
func ToBF16(x float32) BF16 {
	b := math.Float32bits(x)
	switch abs := b & 0x7fffffff; {
	case abs > 0x7f800000:
		return BF16(b>>16 | 0x40) // NaN, made quiet
	case abs < 0x00800000:
		return BF16(b >> 16 & 0x8000)
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 is exact.
func (b BF16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// Round sets dst[i] to the nearest BF16 of x[i]. The lengths must be equal. One thread.
func Round(dst []BF16, x []float32) {
	same("Round", len(dst), len(x))
	active().round(dst, x)
}

// RoundRows is [Round] on the rows of a rows×cols matrix x with row length ldx; those of dst are ldd apart. On all threads.
func RoundRows(dst []BF16, ldd int, x []float32, ldx, rows, cols int) {
	checkMatrix("RoundRows", "dst", false, rows, cols, len(dst), ldd)
	checkMatrix("RoundRows", "x", false, rows, cols, len(x), ldx)
	roundLoop.run(rows, rowGrain(cols), rows*cols >= forkAbove, narrowArgs{active(), dst, x, ldd, ldx, cols})
}

// RoundBlock is RoundRows on the caller's goroutine.
func RoundBlock(dst []BF16, ldd int, x []float32, ldx, rows, cols int) {
	checkMatrix("RoundBlock", "dst", false, rows, cols, len(dst), ldd)
	checkMatrix("RoundBlock", "x", false, rows, cols, len(x), ldx)
	p := active()
	for r := range rows {
		p.round(dst[r*ldd:][:cols], x[r*ldx:][:cols])
	}
}

type narrowArgs struct {
	p             *path
	b             []BF16
	x             []float32
	ldb, ldx, col int
}

var roundLoop = NewLoop(func(a *narrowArgs, lo, hi, _ int) {
	for r := lo; r < hi; r++ {
		a.p.round(a.b[r*a.ldb:][:a.col], a.x[r*a.ldx:][:a.col])
	}
})

// Widen sets dst[i] to x[i]. The lengths must be equal. One thread.
func Widen(dst []float32, x []BF16) {
	same("Widen", len(dst), len(x))
	active().widen(dst, x)
}

// AllocBF16 returns n elements whose values are unspecified.
func (a *Arena) AllocBF16(n int) []BF16 { return Narrow(a.Alloc((n + 1) / 2))[:n:n] }

// Narrow returns the memory of x as twice as many BF16.
func Narrow(x []float32) []BF16 {
	return unsafe.Slice((*BF16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

// asPairs returns the memory of x as pairs.
func asPairs(x []BF16) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/2)
}

// words returns the memory of x as the kernels take it.
func words(x []BF16) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// HasBF16 reports whether the kernels in use have instructions for products of BF16. Where they have
// none such products are right but slower than those of float32.
func HasBF16() bool { return active().narrow }

// product16 is the argument list of one product of BF16 matrices.
type product16 struct {
	transA, transB bool
	m, n, k        int
	alpha          float32
	a              []BF16
	lda            int
	b              []BF16
	ldb            int
	beta           float32
	c              []float32
	ldc            int
}

// GemmBF16 is [Gemm] of BF16 matrices. Products are exact and sums are float32; denormal operands count as zero. It is
// fastest where rows that run along k (those of A, and of B if transB) have even lengths.
func GemmBF16(transA, transB bool, m, n, k int, alpha float32, a []BF16, lda int, b []BF16, ldb int, beta float32, c []float32, ldc int) {
	checkGemm("GemmBF16", transA, transB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 {
		return
	}
	active().gemm16(product16{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc}, true)
}

// GemmSerialBF16 is [GemmBF16] on the caller's goroutine alone.
func GemmSerialBF16(transA, transB bool, m, n, k int, alpha float32, a []BF16, lda int, b []BF16, ldb int, beta float32, c []float32, ldc int) {
	checkGemm("GemmSerialBF16", transA, transB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 {
		return
	}
	active().gemm16(product16{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc}, false)
}

// PackedBF16 is a k×n right-hand matrix rounded and laid out for the kernels, made by [PackBF16] and used by
// [TimesBF16] any number of times, from any number of goroutines. The zero value is empty.
type PackedBF16 struct {
	K, N int // shape of op(B)
	p    Packed
}

// Bytes returns the memory the packed matrix holds.
func (p *PackedBF16) Bytes() int { return p.p.Bytes() }

// PackBF16 rounds op(B), k×n (B as stored is k×n with ldb ≥ n, or n×k with ldb ≥ k if transB), and lays it out in dst on
// all threads. dst keeps its memory from one call to the next.
func PackBF16(transB bool, k, n int, b []float32, ldb int, dst *PackedBF16) {
	one := [1]PackingBF16{{transB, k, n, b, ldb, dst}}
	PackAllBF16(one[:])
}

// PackingBF16 is one call of [PackBF16].
type PackingBF16 struct {
	TransB bool
	K, N   int
	B      []float32
	LDB    int
	Dst    *PackedBF16
}

// maxPackings is how many matrices are packed together.
const maxPackings = 8

// PackAllBF16 packs at most eight matrices together.
func PackAllBF16(list []PackingBF16) {
	if len(list) > maxPackings {
		panic(fmt.Sprintf("f32.PackAllBF16: %d matrices, more than %d", len(list), maxPackings))
	}
	var jobs [maxPackings]PackingBF16
	copy(jobs[:], list) // list may lie on the caller's stack
	for i := range list {
		x := &jobs[i]
		checkMatrix("PackBF16", "B", x.TransB, x.K, x.N, len(x.B), x.LDB)
		x.Dst.K, x.Dst.N = x.K, x.N
	}
	active().pack16(len(list), jobs)
}

// TimesBF16 computes C = A·P, or C += A·P if add is set, for m rows of A (row length lda ≥ K) and of C (ldc ≥ N); on all
// threads, or on the caller's goroutine alone. P must have been packed with the kernels in use.
func TimesBF16(threads bool, m int, a []BF16, lda int, p *PackedBF16, add bool, c []float32, ldc int) {
	checkMatrix("TimesBF16", "A", false, m, p.K, len(a), lda)
	checkMatrix("TimesBF16", "C", false, m, p.N, len(c), ldc)
	if m == 0 || p.N == 0 {
		return
	}
	path := active()
	if p.K > 0 && p.p.width != path.nr {
		panic(fmt.Sprintf("f32.TimesBF16: the matrix was packed in panels of %d columns, the kernels take %d", p.p.width, path.nr))
	}
	beta := float32(0)
	if add {
		beta = 1
	}
	path.times16(product16{m: m, n: p.N, k: p.K, alpha: 1, a: a, lda: lda, beta: beta, c: c, ldc: ldc}, &p.p, threads)
}

// GradBF16 is the gradient of a matrix of weights: to C, M×N, the product of the transpose of A, K×M, and B, K×N, is added, or it
// is that with Fresh; all without gaps.
type GradBF16 struct {
	M, N, K int
	A, B    []BF16
	C       []float32
	Fresh   bool
}

// beta is what C is multiplied by.
func (g *GradBF16) beta() float32 {
	if g.Fresh {
		return 0
	}
	return 1
}

// maxGroup is how many gradients are added together.
const maxGroup = 4

// AddGradsBF16 adds at most four gradients to their C, on all threads.
func AddGradsBF16(grads ...GradBF16) {
	if len(grads) > maxGroup {
		panic(fmt.Sprintf("f32.AddGradsBF16: %d gradients, more than %d", len(grads), maxGroup))
	}
	for _, g := range grads {
		checkGemm("AddGradsBF16", true, false, g.M, g.N, g.K, len(g.A), g.M, len(g.B), g.N, len(g.C), g.N)
	}
	active().grads16(grads)
}
