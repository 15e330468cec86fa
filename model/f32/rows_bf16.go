package f32

import "math"

// NormRow is [LayerNorm] of one row; beta may be nil. One thread.
func NormRow(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	same("NormRow", len(x), len(dst), len(gamma))
	p := active()
	mean = p.sum(x) / float32(len(x))
	rstd = float32(1 / math.Sqrt(float64(p.variance(x, mean)/float32(len(x)))+float64(eps)))
	p.normalize(dst, x, gamma, beta, mean, rstd)
	return mean, rstd
}

// NormGradRow is [LayerNormGrad] of one row, but adds to dx, which must not be dy. One thread.
func NormGradRow(dx, dgamma, dbeta, dy, x, gamma []float32, mean, rstd float32) {
	same("NormGradRow", len(x), len(dx), len(dgamma), len(dbeta), len(dy), len(gamma))
	p := active()
	s1, s2 := p.normSums(dy, x, gamma, mean, rstd)
	n := float32(len(x))
	p.normGradAdd(dx, dy, x, gamma, dgamma, dbeta, mean, rstd, s1/n, s2/n)
}

// What follows is done to the rows of one block of an attention head, on the caller's goroutine.

// FetchRows asks for the rows of x, rows×cols with row length ldx, to be brought into the second cache, and does not wait.
func FetchRows(x []BF16, ldx, rows, cols int) {
	checkMatrix("FetchRows", "x", false, rows, cols, len(x), ldx)
	active().fetchRows(x, ldx, rows, cols)
}

// CausalRound rounds the rows of a causal square: of row i of x, rows×width with row length ldx, the first first+i+1
// elements (at most width), each with add[i] added where add is not nil, go to row i of out (row length ldo), and
// zeros follow up to width. sums[i], where sums is not nil, receives the sum of those elements before add.
func CausalRound(out []BF16, ldo int, x []float32, ldx, rows, width, first int, add, sums []float32) {
	checkMatrix("CausalRound", "out", false, rows, width, len(out), ldo)
	checkMatrix("CausalRound", "x", false, rows, width, len(x), ldx)
	active().causalRound(out, ldo, x, ldx, rows, width, first, add, sums)
}

// DotRows adds to y[i] the product of row i of x, rows×cols with row length ldx, and z.
func DotRows(y []float32, x []BF16, ldx, rows, cols int, z []float32) {
	checkMatrix("DotRows", "x", false, rows, cols, len(x), ldx)
	active().dotRows(y[:rows], x, ldx, cols, z[:cols])
}

// RowDots sets y[i] to the product of row i of a and row i of b.
func RowDots(y []float32, a []BF16, lda int, b []BF16, ldb, rows, cols int) {
	checkMatrix("RowDots", "a", false, rows, cols, len(a), lda)
	checkMatrix("RowDots", "b", false, rows, cols, len(b), ldb)
	active().rowDots(y[:rows], a, lda, b, ldb, cols)
}

// AddRows adds to z the sum of the rows of x, each times w[i].
func AddRows(z []float32, x []BF16, ldx int, w []float32) {
	checkMatrix("AddRows", "x", false, len(w), len(z), len(x), ldx)
	active().addRows(z, x, ldx, w)
}

// AddOuter adds w[i]·z to row i of c.
func AddOuter(c []float32, ldc int, w, z []float32) {
	checkMatrix("AddOuter", "c", false, len(w), len(z), len(c), ldc)
	active().addOuter(c, ldc, w, z)
}

// ScaleRound rounds row i of x times by[i] to row i of out, both of cols elements.
func ScaleRound(out []BF16, ldo int, x []float32, ldx, cols int, by []float32) {
	checkMatrix("ScaleRound", "out", false, len(by), cols, len(out), ldo)
	checkMatrix("ScaleRound", "x", false, len(by), cols, len(x), ldx)
	active().scaleRound(out, ldo, x, ldx, cols, by)
}

// ScaleRows is [ScaleRound] of BF16.
func ScaleRows(out []BF16, ldo int, x []BF16, ldx, cols int, by []float32) {
	checkMatrix("ScaleRows", "out", false, len(by), cols, len(out), ldo)
	checkMatrix("ScaleRows", "x", false, len(by), cols, len(x), ldx)
	active().scaleRows16(out, ldo, x, ldx, cols, by)
}

// SumRoundRows rounds the rows of x, rows×len(sum) with row length ldx, to rows of out (row length ldo) and adds them to sum.
func SumRoundRows(out []BF16, ldo int, x []float32, ldx, rows int, sum []float32) {
	checkMatrix("SumRoundRows", "out", false, rows, len(sum), len(out), ldo)
	checkMatrix("SumRoundRows", "x", false, rows, len(sum), len(x), ldx)
	active().sumRoundRows(out, ldo, x, ldx, rows, sum)
}

// EluRoundRows is SumRoundRows of the gradients that [Elu1Grad] computes from x and the function's values y.
func EluRoundRows(out []BF16, ldo int, x []float32, ldx int, y []BF16, ldy, rows int, sum []float32) {
	checkMatrix("EluRoundRows", "out", false, rows, len(sum), len(out), ldo)
	checkMatrix("EluRoundRows", "x", false, rows, len(sum), len(x), ldx)
	checkMatrix("EluRoundRows", "y", false, rows, len(sum), len(y), ldy)
	active().eluRoundRows(out, ldo, x, ldx, y, ldy, rows, sum)
}
