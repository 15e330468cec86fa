package f32

// Elementwise operations on slices of at least forkAbove elements are cut in pieces of forkGrain and run
// on all threads. Sums are cut in pieces of sumGrain whatever the length and the partial sums added in
// order in float64, so they depend neither on threads nor on how the call was made.
const (
	forkAbove = 1 << 16
	forkGrain = 1 << 14
	sumGrain  = 1 << 12
)

func same(op string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			badLength(op, n, l)
		}
	}
}

func unary(op string, f func(dst, x []float32), dst, x []float32) {
	same(op, len(dst), len(x))
	if len(dst) < forkAbove {
		f(dst, x)
		return
	}
	Parallel(len(dst), forkGrain, func(lo, hi, _ int) { f(dst[lo:hi], x[lo:hi]) })
}

func binary(op string, f func(dst, x, y []float32), dst, x, y []float32) {
	same(op, len(dst), len(x), len(y))
	if len(dst) < forkAbove {
		f(dst, x, y)
		return
	}
	Parallel(len(dst), forkGrain, func(lo, hi, _ int) { f(dst[lo:hi], x[lo:hi], y[lo:hi]) })
}

// Exp sets dst[i] = e^x[i]. Elementwise; all lengths must be equal, here and below.
func Exp(dst, x []float32) { unary("Exp", active().exp, dst, x) }

// Gelu sets dst[i] = x·Φ(x), x = x[i], Φ the normal distribution function: the exact ("erf") GELU that is
// torch's default. Absolute error below 2e-7·max(1,|x|). Elementwise.
func Gelu(dst, x []float32) { unary("Gelu", active().gelu, dst, x) }

// GeluGrad sets dst[i] = dy[i]·(Φ(x) + x·φ(x)), x = x[i] the input of [Gelu], φ the normal density. Elementwise.
func GeluGrad(dst, x, dy []float32) { binary("GeluGrad", active().geluGrad, dst, x, dy) }

// Silu sets dst[i] = x[i]·sigmoid(x[i]). Elementwise.
func Silu(dst, x []float32) { unary("Silu", active().silu, dst, x) }

// SiluGrad sets dst[i] = dy[i]·s·(1 + x·(1-s)), x = x[i] the input of [Silu], s = sigmoid(x). Elementwise.
func SiluGrad(dst, x, dy []float32) { binary("SiluGrad", active().siluGrad, dst, x, dy) }

// Sigmoid sets dst[i] = 1/(1+e^-x[i]). Elementwise. Its gradient from its output y is dy·y·(1-y).
func Sigmoid(dst, x []float32) { unary("Sigmoid", active().sigmoid, dst, x) }

// Elu1 sets dst[i] = elu(x[i]) + 1: x+1 for x > 0, e^x otherwise. Elementwise.
func Elu1(dst, x []float32) { unary("Elu1", active().elu1, dst, x) }

// Elu1Grad sets dst[i] = dy[i]·min(1, y[i]) where y is the OUTPUT of [Elu1], so its input need not be
// kept. Elementwise.
func Elu1Grad(dst, y, dy []float32) { binary("Elu1Grad", active().elu1Grad, dst, y, dy) }

// Add sets dst[i] = a[i] + b[i]. Elementwise.
func Add(dst, a, b []float32) { binary("Add", active().add, dst, a, b) }

// Sub sets dst[i] = a[i] - b[i]. Elementwise.
func Sub(dst, a, b []float32) { binary("Sub", active().sub, dst, a, b) }

// Mul sets dst[i] = a[i]·b[i]. Elementwise.
func Mul(dst, a, b []float32) { binary("Mul", active().mul, dst, a, b) }

// AddScaled sets dst[i] += alpha·x[i]. Elementwise.
func AddScaled(dst []float32, alpha float32, x []float32) {
	f := active().addScaled
	if len(dst) < forkAbove { // short rows are many: they must not cost a closure
		same("AddScaled", len(dst), len(x))
		f(dst, alpha, x)
		return
	}
	unary("AddScaled", func(dst, x []float32) { f(dst, alpha, x) }, dst, x)
}

// Scale sets dst[i] = alpha·x[i]; dst and x may be the same slice. Elementwise.
func Scale(dst []float32, alpha float32, x []float32) {
	f := active().scale
	if len(dst) < forkAbove {
		same("Scale", len(dst), len(x))
		f(dst, alpha, x)
		return
	}
	unary("Scale", func(dst, x []float32) { f(dst, alpha, x) }, dst, x)
}

// reduce adds f over the pieces of [0,n) in order.
func reduce(n int, f func(lo, hi int) float32) float64 {
	if n < forkAbove {
		s := 0.0
		for lo := 0; lo < n; lo += sumGrain {
			s += float64(f(lo, min(lo+sumGrain, n)))
		}
		return s
	}
	parts := make([]float64, (n-1)/sumGrain+1)
	Parallel(n, forkGrain, func(lo, hi, _ int) {
		for ; lo < hi; lo += sumGrain {
			parts[lo/sumGrain] = float64(f(lo, min(lo+sumGrain, hi)))
		}
	})
	s := 0.0
	for _, v := range parts {
		s += v
	}
	return s
}

// Dot returns Σ x[i]·y[i]: float32 within pieces of 4096 elements, float64 between them.
func Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	f := active().dot
	if len(x) <= sumGrain {
		return f(x, y)
	}
	return float32(reduce(len(x), func(lo, hi int) float32 { return f(x[lo:hi], y[lo:hi]) }))
}

// Sum returns Σ x[i], summed like [Dot].
func Sum(x []float32) float32 {
	f := active().sum
	if len(x) <= sumGrain {
		return f(x)
	}
	return float32(reduce(len(x), func(lo, hi int) float32 { return f(x[lo:hi]) }))
}

// SumSquares returns Σ x[i]², summed like [Dot], in float64 so that norms of many slices can be added.
func SumSquares(x []float32) float64 {
	f := active().sumSquares
	return reduce(len(x), func(lo, hi int) float32 { return f(x[lo:hi]) })
}

// Max returns the largest element, -Inf for none. It is NaN if any element is.
func Max(x []float32) float32 { return active().max(x) }

// ExpSum sets dst[i] = e^(x[i]-shift) and returns the sum of dst. Elementwise; one thread.
func ExpSum(dst, x []float32, shift float32) float32 {
	same("ExpSum", len(dst), len(x))
	return active().expSum(dst, x, shift)
}

// AdamW takes one step of AdamW (Loshchilov & Hutter 2019, as torch computes it) on parameters p with
// gradients g and moments m and v, all of one length:
//
//	p *= 1 - lr·decay
//	m = beta1·m + (1-beta1)·g
//	v = beta2·v + (1-beta2)·g²
//	p -= lr/t1 · m / (√v/√t2 + eps)
//
// t1 = 1-beta1^t and t2 = 1-beta2^t are the bias corrections of step t, counted from 1. Here alone denormals
// may be taken as zero: the moments of a row without gradients fade into them, and would slow every step.
func AdamW(p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32) {
	same("AdamW", len(p), len(g), len(m), len(v))
	f := active().adamW
	if len(p) < forkAbove {
		f(p, g, m, v, lr, beta1, beta2, eps, decay, t1, t2)
		return
	}
	Parallel(len(p), forkGrain, func(lo, hi, _ int) {
		f(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], lr, beta1, beta2, eps, decay, t1, t2)
	})
}
