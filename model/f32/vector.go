package f32

import "sync"

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

// pieces are the arguments of an elementwise operation on all threads; which of the functions is set says what
// the operands are.
type pieces struct {
	unary     func(dst, x []float32)
	binary    func(dst, x, y []float32)
	scaled    func(dst []float32, alpha float32, x []float32)
	dst, x, y []float32
	alpha     float32
}

var piecesLoop = NewLoop(func(a *pieces, lo, hi, _ int) {
	switch {
	case a.unary != nil:
		a.unary(a.dst[lo:hi], a.x[lo:hi])
	case a.binary != nil:
		a.binary(a.dst[lo:hi], a.x[lo:hi], a.y[lo:hi])
	default:
		a.scaled(a.dst[lo:hi], a.alpha, a.x[lo:hi])
	}
})

func unary(op string, f func(dst, x []float32), dst, x []float32) {
	same(op, len(dst), len(x))
	if len(dst) < forkAbove {
		f(dst, x)
		return
	}
	piecesLoop.Run(len(dst), forkGrain, pieces{unary: f, dst: dst, x: x})
}

func binary(op string, f func(dst, x, y []float32), dst, x, y []float32) {
	same(op, len(dst), len(x), len(y))
	if len(dst) < forkAbove {
		f(dst, x, y)
		return
	}
	piecesLoop.Run(len(dst), forkGrain, pieces{binary: f, dst: dst, x: x, y: y})
}

func scaling(op string, f func(dst []float32, alpha float32, x []float32), dst []float32, alpha float32, x []float32) {
	same(op, len(dst), len(x))
	if len(dst) < forkAbove {
		f(dst, alpha, x)
		return
	}
	piecesLoop.Run(len(dst), forkGrain, pieces{scaled: f, dst: dst, x: x, alpha: alpha})
}

// Clear sets x to zero, on all threads where it is long.
func Clear(x []float32) {
	clearLoop.run(len(x), 1<<18, len(x) >= 1<<19, pieces{dst: x})
}

var clearLoop = NewLoop(func(a *pieces, lo, hi, _ int) { clear(a.dst[lo:hi]) })

// Exp sets dst[i] = e^x[i]. Elementwise; all lengths must be equal, here and below.
func Exp(dst, x []float32) { unary("Exp", active().exp, dst, x) }

// Gelu sets dst[i] = x·Φ(x), x = x[i], Φ the normal distribution function: the exact ("erf") GELU that is
// torch's default. Absolute error below 2e-7·max(1,|x|). Elementwise.
func Gelu(dst, x []float32) { unary("Gelu", active().gelu, dst, x) }

// GeluGrad sets dst[i] = dy[i]·(Φ(x) + x·φ(x)), x = x[i] the input of [Gelu], φ the normal density. Elementwise.
func GeluGrad(dst, x, dy []float32) { binary("GeluGrad", active().geluGrad, dst, x, dy) }

// AddRound rounds x + y to out. Elementwise; one thread.
func AddRound(out []BF16, x, y []float32) {
	same("AddRound", len(x), len(out), len(y))
	active().addRound(out, x, y)
}

// EluRound rounds [Elu1] of x + bias to out. Elementwise; one thread.
func EluRound(out []BF16, x, bias []float32) {
	same("EluRound", len(x), len(out), len(bias))
	active().eluRound(out, x, bias)
}

// GeluRound rounds x + bias to y, and [Gelu] of y to act, with an absolute error below 5e-5·max(1,|y|) besides rounding's.
// Elementwise; one thread.
func GeluRound(act, y []BF16, x, bias []float32) {
	same("GeluRound", len(x), len(act), len(y), len(bias))
	active().geluRound(act, y, x, bias)
}

// GeluBack rounds [Gelu] of y to act, as GeluRound does, and [GeluGrad] of y and dact to out, and adds the latter to sum. The
// absolute error of the derivative is below 3e-4. Elementwise; one thread.
func GeluBack(out, act, y []BF16, dact, sum []float32) {
	same("GeluBack", len(y), len(out), len(act), len(dact), len(sum))
	active().geluBack(out, act, y, dact, sum)
}

// AddThree sets dst[i] = a[i] + b[i] + c[i]. Elementwise; one thread.
func AddThree(dst, a, b, c []float32) {
	same("AddThree", len(dst), len(a), len(b), len(c))
	active().addThree(dst, a, b, c)
}

// SumRound rounds x[i] to out[i] and adds it to sum[i]. Elementwise; one thread.
func SumRound(out []BF16, x, sum []float32) {
	same("SumRound", len(x), len(out), len(sum))
	active().sumRound(out, x, sum)
}

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
	scaling("AddScaled", active().addScaled, dst, alpha, x)
}

// Scale sets dst[i] = alpha·x[i]; dst and x may be the same slice. Elementwise.
func Scale(dst []float32, alpha float32, x []float32) {
	scaling("Scale", active().scale, dst, alpha, x)
}

// reduction is a sum over pieces of x (and y): one of the functions is set.
type reduction struct {
	one   func(x []float32) float32
	two   func(x, y []float32) float32
	x, y  []float32
	parts []float64
}

func (r *reduction) piece(lo, hi int) float64 {
	if r.one != nil {
		return float64(r.one(r.x[lo:hi]))
	}
	return float64(r.two(r.x[lo:hi], r.y[lo:hi]))
}

var reduceLoop = NewLoop(func(r *reduction, lo, hi, _ int) {
	for ; lo < hi; lo += sumGrain {
		r.parts[lo/sumGrain] = r.piece(lo, min(lo+sumGrain, hi))
	}
})

var partsPool = sync.Pool{New: func() any { return new([]float64) }}

// reduce adds the pieces in order.
func reduce(r reduction) float64 {
	n := len(r.x)
	pooled := partsPool.Get().(*[]float64)
	defer partsPool.Put(pooled)
	count := (n + sumGrain - 1) / sumGrain
	if cap(*pooled) < count {
		*pooled = make([]float64, count)
	}
	r.parts = (*pooled)[:count]
	reduceLoop.run(n, forkGrain, n >= forkAbove, r)
	s := 0.0
	for _, v := range r.parts {
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
	return float32(reduce(reduction{two: f, x: x, y: y}))
}

// Sum returns Σ x[i], summed like [Dot].
func Sum(x []float32) float32 {
	f := active().sum
	if len(x) <= sumGrain {
		return f(x)
	}
	return float32(reduce(reduction{one: f, x: x}))
}

// SumSquares returns Σ x[i]², summed like [Dot], in float64 so that norms of many slices can be added.
func SumSquares(x []float32) float64 {
	return reduce(reduction{one: active().sumSquares, x: x})
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
	ClippedAdamW(1, p, g, m, v, lr, beta1, beta2, eps, decay, t1, t2)
}

// ClippedAdamW multiplies g by clip and then is [AdamW].
func ClippedAdamW(clip float32, p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32) {
	same("ClippedAdamW", len(p), len(g), len(m), len(v))
	adamLoop.run(len(p), forkGrain, len(p) >= forkAbove, adamArgs{active(), clip, p, g, m, v, lr, beta1, beta2, eps, decay, t1, t2})
}

type adamArgs struct {
	path                                 *path
	clip                                 float32
	p, g, m, v                           []float32
	lr, beta1, beta2, eps, decay, t1, t2 float32
}

var adamLoop = NewLoop(func(a *adamArgs, lo, hi, _ int) {
	if g := a.g[lo:hi]; a.clip != 1 {
		a.path.scale(g, a.clip, g)
	}
	a.path.adamW(a.p[lo:hi], a.g[lo:hi], a.m[lo:hi], a.v[lo:hi], a.lr, a.beta1, a.beta2, a.eps, a.decay, a.t1, a.t2)
})

// Recur is one row of a linear recurrence, the core of linear attention and retention: it sets
//
//	S = gamma·S + kᵀ·v;  o = q·S
//
// for a state S of len(q) rows of len(o) elements without gaps; k has the length of q, v that of o. S is read and written
// once. One thread.
func Recur(o, q, k, v, s []float32, gamma float32) {
	same("Recur", len(q), len(k))
	same("Recur", len(o), len(v))
	same("Recur", len(q)*len(o), len(s))
	active().recur(o, q, k, v, s, gamma)
}
