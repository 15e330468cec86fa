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
	eachRow(rows, cols, func(r int) { SoftmaxRow(dst[r*cols:(r+1)*cols], x[r*cols:(r+1)*cols]) })
}

// SoftmaxGradRows is [SoftmaxGradRow] on each row of a rows×cols matrix without gaps, on all threads.
func SoftmaxGradRows(dst, y, dy []float32, rows, cols int) {
	same("SoftmaxGradRows", rows*cols, len(dst), len(y), len(dy))
	eachRow(rows, cols, func(r int) {
		SoftmaxGradRow(dst[r*cols:(r+1)*cols], y[r*cols:(r+1)*cols], dy[r*cols:(r+1)*cols])
	})
}

func eachRow(rows, cols int, f func(r int)) {
	if rows*cols < forkAbove {
		for r := range rows {
			f(r)
		}
		return
	}
	Parallel(rows, rowGrain(cols), func(lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			f(r)
		}
	})
}

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
	p := active()
	eachRow(rows, cols, func(r int) {
		row := x[r*cols : (r+1)*cols]
		mu := p.sum(row) / float32(cols)
		rs := float32(1 / math.Sqrt(float64(p.variance(row, mu)/float32(cols))+float64(eps)))
		mean[r], rstd[r] = mu, rs
		p.normalize(dst[r*cols:(r+1)*cols], row, gamma, beta, mu, rs)
	})
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
	inRowBlocks(rows, 2*cols, rows*cols, func(r int, part []float32) {
		at, end := r*cols, (r+1)*cols
		s1, s2 := p.normSums(dy[at:end], x[at:end], gamma, mean[r], rstd[r])
		p.normGrad(dx[at:end], dy[at:end], x[at:end], gamma, part[:cols], part[cols:], mean[r], rstd[r], s1/float32(cols), s2/float32(cols))
	}, func(part []float32) {
		p.add(dgamma, dgamma, part[:cols])
		if dbeta != nil {
			p.add(dbeta, dbeta, part[cols:])
		}
	})
}

// AddRow adds the row bias (cols elements) to each row of x, rows×cols without gaps. On all threads.
func AddRow(x, bias []float32, rows, cols int) {
	same("AddRow", rows*cols, len(x))
	same("AddRow", cols, len(bias))
	p := active()
	eachRow(rows, cols, func(r int) { p.add(x[r*cols:(r+1)*cols], x[r*cols:(r+1)*cols], bias) })
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
	inRowBlocks(rows, cols, rows*cols, func(r int, part []float32) {
		p.add(part, part, x[r*cols:(r+1)*cols])
	}, func(part []float32) { p.add(dst, dst, part) })
}

// inRowBlocks calls row for each row with its block's partial sums (width elements, zero at first), then
// total for each block in order. There are at most 64 blocks of at least 16 rows.
func inRowBlocks(rows, width, elements int, row func(r int, part []float32), total func(part []float32)) {
	block := max(16, (rows+63)/64)
	blocks := (rows-1)/block + 1
	buf := takeScratch(blocks * width)
	defer giveScratch(buf)
	parts := buf.data[:blocks*width]
	clear(parts)
	run := func(lo, hi, _ int) {
		part := parts[lo/block*width : (lo/block+1)*width]
		for r := lo; r < hi; r++ {
			row(r, part)
		}
	}
	if elements < forkAbove {
		for lo := 0; lo < rows; lo += block {
			run(lo, min(lo+block, rows), 0)
		}
	} else {
		Parallel(rows, block, run)
	}
	for b := range blocks {
		total(parts[b*width : (b+1)*width])
	}
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
