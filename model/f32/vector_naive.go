package f32

import "math"

// naive is the oracle: formulas in float64 where a function is transcendental, plain float32 loops elsewhere.
var naive = path{
	name: "naive", nr: 16, peak: naivePeak, peakFlops: 24,
	gemm: naiveGemm, gemmPacked: naiveGemmPacked, packB: naivePackB,
	exp:     naiveMap(math.Exp),
	gelu:    naiveMap(func(x float64) float64 { return x * normalCDF(x) }),
	silu:    naiveMap(func(x float64) float64 { return x * sigmoid(x) }),
	sigmoid: naiveMap(sigmoid),
	elu1: naiveMap(func(x float64) float64 {
		if x > 0 {
			return x + 1
		}
		return math.Exp(x)
	}),
	geluGrad: naiveMap2(func(x, dy float64) float64 {
		return dy * (normalCDF(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
	}),
	siluGrad:   naiveMap2(func(x, dy float64) float64 { s := sigmoid(x); return dy * s * (1 + x*(1-s)) }),
	elu1Grad:   naiveMap2(func(y, dy float64) float64 { return dy * math.Min(1, y) }),
	add:        naiveMap2(func(a, b float64) float64 { return a + b }),
	sub:        naiveMap2(func(a, b float64) float64 { return a - b }),
	mul:        naiveMap2(func(a, b float64) float64 { return a * b }),
	addScaled:  naiveAddScaled,
	scale:      naiveScale,
	dot:        naiveDot,
	sum:        naiveSum,
	sumSquares: func(x []float32) float32 { return naiveDot(x, x) },
	max:        naiveMax,
	expSum:     naiveExpSum,
	softmaxGrad: func(dst, y, dy []float32, dot float32) {
		for i := range dst {
			dst[i] = y[i] * (dy[i] - dot)
		}
	},
	variance:  naiveVariance,
	normalize: naiveNormalize,
	normSums:  naiveNormSums,
	normGrad:  naiveNormGrad,
	normGradAdd: func(dx, dy, x, gamma, dgamma, dbeta []float32, mean, rstd, m1, m2 float32) {
		s := takeScratch(len(dx))
		defer giveScratch(s)
		naiveNormGrad(s.data[:len(dx)], dy, x, gamma, dgamma, dbeta, mean, rstd, m1, m2)
		for i, v := range s.data[:len(dx)] {
			dx[i] += v
		}
	},
	adamW:     naiveAdamW,
	recur:     naiveRecur,
	transpose: naiveTranspose,
}

func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func naiveMap(f func(x float64) float64) func(dst, x []float32) {
	return func(dst, x []float32) {
		for i, v := range x {
			dst[i] = float32(f(float64(v)))
		}
	}
}

func naiveMap2(f func(x, y float64) float64) func(dst, x, y []float32) {
	return func(dst, x, y []float32) {
		for i, v := range x {
			dst[i] = float32(f(float64(v), float64(y[i])))
		}
	}
}

func naiveAddScaled(dst []float32, alpha float32, x []float32) {
	for i, v := range x {
		dst[i] += alpha * v
	}
}

func naiveScale(dst []float32, alpha float32, x []float32) {
	for i, v := range x {
		dst[i] = alpha * v
	}
}

func naiveDot(x, y []float32) float32 {
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return float32(s)
}

func naiveSum(x []float32) float32 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return float32(s)
}

func naiveMax(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v) // the built-in max gives NaN if either is
	}
	return top
}

func naiveExpSum(dst, x []float32, shift float32) float32 {
	var s float64
	for i, v := range x {
		e := math.Exp(float64(v - shift))
		dst[i] = float32(e)
		s += e
	}
	return float32(s)
}

func naiveVariance(x []float32, mean float32) float32 {
	var s float64
	for _, v := range x {
		d := float64(v - mean)
		s += d * d
	}
	return float32(s)
}

func naiveNormalize(dst, x, gamma, beta []float32, mean, rstd float32) {
	for i, v := range x {
		dst[i] = (v - mean) * rstd * gamma[i]
		if beta != nil {
			dst[i] += beta[i]
		}
	}
}

func naiveNormSums(dy, x, gamma []float32, mean, rstd float32) (s1, s2 float32) {
	var a, b float64
	for i, v := range x {
		g := float64(dy[i] * gamma[i])
		a += g
		b += g * float64((v-mean)*rstd)
	}
	return float32(a), float32(b)
}

func naiveNormGrad(dx, dy, x, gamma, dgamma, dbeta []float32, mean, rstd, m1, m2 float32) {
	for i, v := range x {
		h, d := (v-mean)*rstd, dy[i]
		dgamma[i] += d * h
		dbeta[i] += d
		dx[i] = rstd * (d*gamma[i] - m1 - h*m2)
	}
}

func naiveAdamW(p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32) {
	keep, step, root := 1-lr*decay, lr/t1, float32(1/math.Sqrt(float64(t2)))
	for i, d := range g {
		m[i] = beta1*m[i] + (1-beta1)*d
		v[i] = beta2*v[i] + (1-beta2)*d*d
		p[i] = p[i]*keep - step*m[i]/(float32(math.Sqrt(float64(v[i])))*root+eps)
	}
}

func naiveTranspose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		for c, v := range src[r*lds : r*lds+cols] {
			dst[c*ldd+r] = v
		}
	}
}

func naiveRecur(o, q, k, v, s []float32, gamma float32) {
	clear(o)
	for i := range q {
		row := s[i*len(o):][:len(o)]
		for j := range row {
			row[j] = gamma*row[j] + k[i]*v[j]
			o[j] += q[i] * row[j]
		}
	}
}
