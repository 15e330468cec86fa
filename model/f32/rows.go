package f32

import (
	"fmt"
	"math"
	"sync"
)

// rowGrain is how many rows of cols elements make a piece of work; it depends on cols alone.
func rowGrain(cols int) int { return max(1, forkGrain/max(cols, 1)) }

// SoftmaxRow sets dst[i] = e^x[i] / Σ e^x, computed from x - max x. Elementwise; one thread. A row of only
// -Inf gives NaN, as in torch.
func SoftmaxRow(dst, x []float32) {
	same("SoftmaxRow", len(dst), len(x))
	if len(x) == 0 {
		return
	}
	p := active()
	s := p.expSum(dst, x, p.max(x))
	p.scale(dst, 1/s, dst)
}

// SoftmaxGradRow sets dst[i] = y[i]·(dy[i] - Σ y·dy), y the output of [SoftmaxRow]. Elementwise; one thread.
func SoftmaxGradRow(dst, y, dy []float32) {
	same("SoftmaxGradRow", len(dst), len(y), len(dy))
	p := active()
	p.softmaxGrad(dst, y, dy, p.dot(y, dy))
}

// SoftmaxRows is [SoftmaxRow] on each row of a rows×cols matrix without gaps, on all threads.
func SoftmaxRows(dst, x []float32, rows, cols int) {
	same("SoftmaxRows", rows*cols, len(dst), len(x))
	overRows(softmaxLoop, rows, rowArgs{dst: dst, x: x, cols: cols})
}

// SoftmaxGradRows is [SoftmaxGradRow] on each row of a rows×cols matrix without gaps, on all threads.
func SoftmaxGradRows(dst, y, dy []float32, rows, cols int) {
	same("SoftmaxGradRows", rows*cols, len(dst), len(y), len(dy))
	overRows(softmaxGradLoop, rows, rowArgs{dst: dst, x: y, y: dy, cols: cols})
}

// rowArgs are the arguments of an operation on the rows of a matrix: x, y and dst as it needs them, of cols
// elements a row, and the vectors that its rows share.
type rowArgs struct {
	p           *path
	dst, x, y   []float32
	gamma, beta []float32
	mean, rstd  []float32
	cols        int
	ldd, lds    int
	eps         float32
	index       []uint16
}

func (a *rowArgs) row(x []float32, r int) []float32 { return x[r*a.cols : (r+1)*a.cols] }

// eachRow makes a loop of an operation on one row.
func eachRow(f func(a *rowArgs, r int)) *Loop[rowArgs] {
	return NewLoop(func(a *rowArgs, lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			f(a, r)
		}
	})
}

// overRows runs a loop over the rows, on all threads where there are many elements.
func overRows(l *Loop[rowArgs], rows int, a rowArgs) {
	a.p = active()
	l.run(rows, rowGrain(a.cols), rows*a.cols >= forkAbove, a)
}

var (
	softmaxLoop     = eachRow(func(a *rowArgs, r int) { SoftmaxRow(a.row(a.dst, r), a.row(a.x, r)) })
	softmaxGradLoop = eachRow(func(a *rowArgs, r int) { SoftmaxGradRow(a.row(a.dst, r), a.row(a.x, r), a.row(a.y, r)) })
	addRowLoop      = eachRow(func(a *rowArgs, r int) { a.p.add(a.row(a.x, r), a.row(a.x, r), a.beta) })
	normLoop        = eachRow((*rowArgs).norm)
)

// CrossEntropyRow returns the loss -log softmax(logits)[target] and replaces logits by the loss's gradient
// times scale: scale·(softmax(logits) - onehot(target)). The probabilities are the gradient with scale 1
// and 1 added at target. One thread; call it from [Parallel] over rows and add the losses in row order.
// A target outside the row panics.
func CrossEntropyRow(logits []float32, target int, scale float32) float32 {
	if target < 0 || target >= len(logits) {
		panic(fmt.Sprintf("f32.CrossEntropyRow: target %d outside a row of %d", target, len(logits)))
	}
	p := active()
	top, x := p.max(logits), logits[target]
	s := p.expSum(logits, logits, top)
	loss := float32(math.Log(float64(s))) + top - x
	p.scale(logits, scale/s, logits)
	logits[target] -= scale
	return loss
}

// LogSumExp returns log Σ e^x[i] without changing x; scratch has the length of x and is overwritten. The
// log-probability of class i is x[i] - LogSumExp(x).
func LogSumExp(x, scratch []float32) float32 {
	same("LogSumExp", len(x), len(scratch))
	p := active()
	top := p.max(x)
	return float32(math.Log(float64(p.expSum(scratch, x, top)))) + top
}

// LayerNorm normalises each row of x, rows×cols without gaps:
//
//	mean[r] = Σ x / cols;  rstd[r] = 1/√(Σ (x-mean)²/cols + eps);  dst = (x-mean)·rstd·gamma + beta
//
// gamma and beta have cols elements; beta may be nil (no shift). mean and rstd have rows elements and are
// kept for [LayerNormGrad]. dst may be x. On all threads.
func LayerNorm(dst, x, gamma, beta []float32, rows, cols int, eps float32, mean, rstd []float32) {
	same("LayerNorm", rows*cols, len(dst), len(x))
	same("LayerNorm", rows, len(mean), len(rstd))
	same("LayerNorm", cols, len(gamma))
	if beta != nil {
		same("LayerNorm", cols, len(beta))
	}
	overRows(normLoop, rows, rowArgs{dst: dst, x: x, gamma: gamma, beta: beta, mean: mean, rstd: rstd, cols: cols, eps: eps})
}

func (a *rowArgs) norm(r int) {
	row := a.row(a.x, r)
	mu := a.p.sum(row) / float32(a.cols)
	rs := float32(1 / math.Sqrt(float64(a.p.variance(row, mu)/float32(a.cols))+float64(a.eps)))
	a.mean[r], a.rstd[r] = mu, rs
	a.p.normalize(a.row(a.dst, r), row, a.gamma, a.beta, mu, rs)
}

// LayerNormGrad is the gradient of [LayerNorm]. With h = (x-mean)·rstd and g = dy·gamma:
//
//	dx = rstd·(g - mean(g) - h·mean(g·h));  dgamma += Σ_rows dy·h;  dbeta += Σ_rows dy
//
// dx is overwritten and may be dy or x; dgamma and dbeta are added to; dbeta may be nil. On all threads; row sums
// are made in blocks of rows fixed by the shape.
func LayerNormGrad(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, rows, cols int) {
	same("LayerNormGrad", rows*cols, len(dx), len(dy), len(x))
	same("LayerNormGrad", rows, len(mean), len(rstd))
	same("LayerNormGrad", cols, len(gamma), len(dgamma))
	if dbeta != nil {
		same("LayerNormGrad", cols, len(dbeta))
	}
	if rows == 0 || cols == 0 {
		return
	}
	p := active()
	width := 2 * cols
	parts := inRowBlocks(normGradLoop, rows, width, rowArgs{p: p, dst: dx, x: x, y: dy, gamma: gamma, mean: mean, rstd: rstd, cols: cols})
	defer giveScratch(parts)
	for at := 0; at < blocks(rows)*width; at += width {
		p.add(dgamma, dgamma, parts.data[at:at+cols])
		if dbeta != nil {
			p.add(dbeta, dbeta, parts.data[at+cols:at+width])
		}
	}
}

var normGradLoop = eachPart(func(a *rowArgs, r int, part []float32) {
	x, dy := a.row(a.x, r), a.row(a.y, r)
	s1, s2 := a.p.normSums(dy, x, a.gamma, a.mean[r], a.rstd[r])
	n := float32(a.cols)
	a.p.normGrad(a.row(a.dst, r), dy, x, a.gamma, part[:a.cols], part[a.cols:], a.mean[r], a.rstd[r], s1/n, s2/n)
})

// AddRow adds the row bias (cols elements) to each row of x, rows×cols without gaps. On all threads.
func AddRow(x, bias []float32, rows, cols int) {
	same("AddRow", rows*cols, len(x))
	same("AddRow", cols, len(bias))
	overRows(addRowLoop, rows, rowArgs{x: x, beta: bias, cols: cols})
}

// SumRows adds to dst (cols elements) the sum of the rows of x, rows×cols without gaps: the gradient of
// [AddRow]'s bias. On all threads, in blocks of rows fixed by the shape.
func SumRows(dst, x []float32, rows, cols int) {
	same("SumRows", rows*cols, len(x))
	same("SumRows", cols, len(dst))
	if rows == 0 || cols == 0 {
		return
	}
	p := active()
	parts := inRowBlocks(sumRowsLoop, rows, cols, rowArgs{p: p, x: x, cols: cols})
	defer giveScratch(parts)
	for at := 0; at < blocks(rows)*cols; at += cols {
		p.add(dst, dst, parts.data[at:at+cols])
	}
}

var sumRowsLoop = eachPart(func(a *rowArgs, r int, part []float32) { a.p.add(part, part, a.row(a.x, r)) })

// partArgs are rows whose sums are made in blocks of rows fixed by the shape.
type partArgs struct {
	rowArgs
	block, width int
	parts        []float32
}

// eachPart makes a loop of an operation on one row that adds to the sums of its block.
func eachPart(f func(a *rowArgs, r int, part []float32)) *Loop[partArgs] {
	return NewLoop(func(a *partArgs, lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			at := r / a.block * a.width
			f(&a.rowArgs, r, a.parts[at:at+a.width])
		}
	})
}

// rowBlock is how many rows make a block: there are at most 64 blocks of at least 16 rows.
func rowBlock(rows int) int { return max(16, (rows+63)/64) }

func blocks(rows int) int { return (rows-1)/rowBlock(rows) + 1 }

// inRowBlocks runs a loop over the rows and returns each block's sums, width elements, in order of the blocks.
func inRowBlocks(l *Loop[partArgs], rows, width int, a rowArgs) *scratch {
	parts := takeScratch(blocks(rows) * width)
	clear(parts.data[:blocks(rows)*width])
	l.run(rows, rowBlock(rows), rows*a.cols >= forkAbove, partArgs{a, rowBlock(rows), width, parts.data})
	return parts
}

// scratch is reused memory for partial sums and packed panels.
type scratch struct{ data []float32 }

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

func takeScratch(n int) *scratch {
	s := scratchPool.Get().(*scratch)
	if cap(s.data) < n {
		s.data = Aligned(n)
	}
	s.data = s.data[:cap(s.data)]
	return s
}

func giveScratch(s *scratch) { scratchPool.Put(s) }
