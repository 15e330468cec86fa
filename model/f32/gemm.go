package f32

import "fmt"

// serialBelow is the number of multiply-adds under which a product stays on the caller's goroutine.
const serialBelow = 1 << 18

// Gemm computes C = alpha·op(A)·op(B) + beta·C on all threads, where op(X) is X or, if the flag says so, its
// transpose; op(A) is m×k, op(B) is k×n, C is m×n. lda, ldb, ldc are the row lengths in memory of A, B
// and C as stored: A is m×k (lda ≥ k), or k×m (lda ≥ m) if transA; B is k×n (ldb ≥ n), or n×k
// (ldb ≥ k) if transB. With beta 0, C is only written, so it may hold anything. With alpha 0 or k 0, A
// and B are not read. C must not overlap A or B. Products below 2^18 multiply-adds stay on one thread.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm("Gemm", transA, transB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 {
		return
	}
	active().gemm(newProduct(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), true)
}

// GemmSerial is [Gemm] on the caller's goroutine alone: for small products inside a worker of [Parallel].
func GemmSerial(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm("GemmSerial", transA, transB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc)
	if m == 0 || n == 0 {
		return
	}
	active().gemm(newProduct(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), false)
}

// GemmBatch computes batch products of one shape: product i is [Gemm] on a[i·strideA:], b[i·strideB:] and
// c[i·strideC:]. Strides are in elements and may be smaller than a matrix, so that heads interleaved in
// rows (stride = head width, ld = model width) need no copies; a stride of 0 for A or B shares one matrix.
// The C of two products must not share an element. Products run side by side, each on one thread, unless
// there are few and they are large.
func GemmBatch(batch int, transA, transB bool, m, n, k int, alpha float32, a []float32, lda, strideA int, b []float32, ldb, strideB int, beta float32, c []float32, ldc, strideC int) {
	if batch <= 0 {
		return
	}
	if strideA < 0 || strideB < 0 || strideC < 0 {
		panic("f32.GemmBatch: negative stride")
	}
	last := batch - 1
	checkGemm("GemmBatch", transA, transB, m, n, k, len(a)-last*strideA, lda, len(b)-last*strideB, ldb, len(c)-last*strideC, ldc)
	if m == 0 || n == 0 {
		return
	}
	args := batchArgs{active(), newProduct(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), strideA, strideB, strideC, false}
	work := m * n * max(k, 1)
	args.threads = batch < 8 && work >= 8*serialBelow
	batchLoop.run(batch, max(1, min(batch/16, serialBelow/work)), batch*work >= serialBelow && !args.threads, args)
}

// batchArgs are products of one shape and their distances.
type batchArgs struct {
	path                      *path
	p                         product
	strideA, strideB, strideC int
	threads                   bool // each product on all threads
}

var batchLoop = NewLoop(func(a *batchArgs, lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		p := a.p
		p.a, p.b, p.c = p.a[i*a.strideA:], p.b[i*a.strideB:], p.c[i*a.strideC:]
		a.path.gemm(p, a.threads)
	}
})

// Packed is a k×n right-hand matrix laid out for the kernels, made by [Pack] and used by [GemmPacked]
// any number of times, from any number of goroutines. Weights are packed once a step. The zero value is empty.
type Packed struct {
	K, N  int       // shape of op(B)
	width int       // columns in a panel
	data  []float32 // panels of width columns, each k rows; the last one is filled up with zeros
}

// Bytes returns the memory the packed matrix holds.
func (p *Packed) Bytes() int { return 4 * cap(p.data) }

// Pack lays out op(B), k×n (B as stored is k×n with ldb ≥ n, or n×k with ldb ≥ k if transB), in dst on
// all threads. dst keeps its memory from one call to the next.
func Pack(transB bool, k, n int, b []float32, ldb int, dst *Packed) {
	checkMatrix("Pack", "B", transB, k, n, len(b), ldb)
	width := active().nr
	panels := (n + width - 1) / width
	need := panels * width * k
	if cap(dst.data) < need {
		dst.data = Aligned(need)
	}
	dst.data = dst.data[:need]
	dst.K, dst.N, dst.width = k, n, width
	if need == 0 {
		return
	}
	packPanels(active().packB, transB, b, ldb, *dst, need >= serialBelow/16)
}

// packPanels fills the panels of dst, whose shape and memory are set.
func packPanels(packB func(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int), transB bool, b []float32, ldb int, dst Packed, threads bool) {
	panels := (dst.N + dst.width - 1) / dst.width
	packLoop.run(panels, max(1, 1<<14/max(1, dst.width*dst.K)), threads, packArgs{packB, transB, b, ldb, dst})
}

type packArgs struct {
	packB  func(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int)
	transB bool
	b      []float32
	ldb    int
	dst    Packed
}

var packLoop = NewLoop(func(a *packArgs, lo, hi, _ int) {
	k, width := a.dst.K, a.dst.width
	for p := lo; p < hi; p++ {
		j := p * width
		a.packB(a.transB, k, min(width, a.dst.N-j), a.b[offset(a.transB, 0, j, a.ldb):], a.ldb, a.dst.data[j*k:(j+width)*k], width)
	}
})

// PackedLen is how many elements [Pack] needs for a k×n matrix with the kernels in use.
func PackedLen(k, n int) int {
	width := active().nr
	return (n + width - 1) / width * width * k
}

// Use gives an empty p the memory for [Pack], of at least [PackedLen] elements: matrices that are used one after
// another are read faster when they lie together, on huge pages.
func (p *Packed) Use(memory []float32) { p.data = memory[:0] }

// GemmPacked computes C = A·P for a row-major A, m×p.K (lda ≥ p.K), into C, m×p.N (ldc ≥ p.N), and adds the row bias (p.N
// elements; nil: none) to each of its rows, on all threads when it is worth it. With the same kernels a row of C is the
// same, bit for bit, whatever rows stand beside it: what is generated does not depend on how many flows are.
func GemmPacked(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc int) {
	checkMatrix("GemmPacked", "A", false, m, p.K, len(a), lda)
	checkMatrix("GemmPacked", "C", false, m, p.N, len(c), ldc)
	if bias != nil {
		same("GemmPacked", p.N, len(bias))
	}
	if m == 0 || p.N == 0 {
		return
	}
	active().gemmPacked(m, a, lda, p, bias, c, ldc)
}

// setRows sets the rows of C, of n elements, to the bias, or to zero where there is none.
func setRows(m, n int, bias, c []float32, ldc int) {
	for i := range m {
		if bias == nil {
			clear(c[i*ldc:][:n])
		} else {
			copy(c[i*ldc:][:n], bias)
		}
	}
}

// product is the argument list of one matrix product.
type product struct {
	transA, transB bool
	m, n, k        int
	alpha          float32
	a              []float32
	lda            int
	b              []float32
	ldb            int
	beta           float32
	c              []float32
	ldc            int
	a16, b16       []BF16 // instead of a and b; k then counts pairs of rows
	rows           int    // of which there are so many
}

func newProduct(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) product {
	return product{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
}

// offset returns where op(X)[row,col] lies in X as stored.
func offset(trans bool, row, col, ld int) int {
	if trans {
		return col*ld + row
	}
	return row*ld + col
}

func checkGemm(op string, transA, transB bool, m, n, k, lenA, lda, lenB, ldb, lenC, ldc int) {
	checkMatrix(op, "A", transA, m, k, lenA, lda)
	checkMatrix(op, "B", transB, k, n, lenB, ldb)
	checkMatrix(op, "C", false, m, n, lenC, ldc)
}

// checkMatrix panics unless a matrix whose op() is rows×cols fits its slice.
func checkMatrix(op, name string, trans bool, rows, cols, length, ld int) {
	if trans {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("f32.%s: %s is %d×%d", op, name, rows, cols))
	}
	if rows == 0 || cols == 0 {
		return
	}
	if ld < cols {
		panic(fmt.Sprintf("f32.%s: %s is stored %d×%d with rows of %d elements", op, name, rows, cols, ld))
	}
	if need := (rows-1)*ld + cols; length < need {
		panic(fmt.Sprintf("f32.%s: %s is stored %d×%d with rows of %d elements and needs %d, has %d", op, name, rows, cols, ld, need, length))
	}
}
