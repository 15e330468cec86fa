package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector writes the vector kernels of one instruction set.
func vector(c *build.Context, s set) {
	g := newGen(c, s)
	g.maps()
	g.arithmetic()
	g.sums()
	g.norms()
	g.optimiser()
	g.recurrence()
}

// exp returns e^x: x = n·ln 2 + r with |r| ≤ ln 2 / 2, e^r = 1 + r + r²·q(r) with q a minimax polynomial
// (relative error 3e-9 before rounding), times 2^n. NaN stays NaN, large x gives Inf, small x a denormal or 0.
// x is overwritten.
func (g *gen) exp(x reg.VecVirtual) reg.VecVirtual {
	hi, lo := 100.0, -120.0
	if !g.wide() {
		hi, lo = 89, -104.5 // 2^n is put together from two halves
	}
	// Of two operands of which one is NaN the minimum is the second: x and then the minimum.
	t := g.load(g.k(hi))
	g.VMINPS(x, t, x)
	g.VMOVUPS(g.k(lo), t)
	g.VMAXPS(x, t, x)
	n := g.v()
	g.VMULPS(g.k(math.Log2E), x, n)
	if g.wide() {
		g.VRNDSCALEPS(U8(8), n, n)
	} else {
		g.VROUNDPS(U8(8), n, n)
	}
	const high = 0.693359375 // few bits, so that n·high is exact
	g.VFNMADD231PS(g.k(high), n, x)
	g.VFNMADD231PS(g.k(math.Ln2-high), n, x)
	p := g.polynomial(x, 0.001381459878757596, 0.008368716575205326, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552, 1, 1)
	if g.wide() {
		g.VSCALEFPS(n, p, p)
		return p
	}
	half, rest := g.v(), g.v()
	g.VCVTPS2DQ(n, n)
	g.VPSRAD(U8(1), n, half)
	g.VPSUBD(half, n, rest)
	for _, e := range []reg.VecVirtual{half, rest} {
		g.VPADDD(g.bits(127), e, e)
		g.VPSLLD(U8(23), e, e)
		g.VMULPS(e, p, p)
	}
	return p
}

// polynomial returns the value at x by Horner's rule, the highest coefficient first.
func (g *gen) polynomial(x reg.VecVirtual, coefficients ...float64) reg.VecVirtual {
	p := g.load(g.k(coefficients[0]))
	for _, c := range coefficients[1:] {
		g.VFMADD213PS(g.k(c), x, p)
	}
	return p
}

// sigmoid returns 1/(1+e^-x) and keeps x.
func (g *gen) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	t := g.v()
	g.VXORPS(g.bits(1<<31), x, t)
	e := g.exp(t)
	one := g.load(g.k(1))
	g.VADDPS(one, e, e)
	g.VDIVPS(e, one, e)
	return e
}

// normal returns Φ(x) and e^(-x²/2) and keeps x. With z = |x|/√2 and t = 1/(1+0.35z), the tail is
// erfc(z)/2 = t·P(t)·e^(-z²)/2, P fitted for an absolute error of erfc below 2e-8 and a relative one of 1e-4.
func (g *gen) normal(x reg.VecVirtual) (cdf, density reg.VecVirtual) {
	sq := g.v()
	g.VMULPS(x, x, sq)
	g.VMULPS(g.k(-0.5), sq, sq)
	e := g.exp(sq)
	t := g.v()
	g.VANDPS(g.bits(1<<31-1), x, t)
	one := g.load(g.k(1))
	g.VFMADD132PS(g.k(0.35/math.Sqrt2), one, t)
	g.VDIVPS(t, one, t)
	var half []float64
	for _, c := range []float64{-0.19701990485191345, 0.7679178714752197, -0.6721687912940979, 0.6760861277580261, -0.0037923031486570835, 0.23447133600711823, 0.19450567662715912} {
		half = append(half, c/2)
	}
	tail := g.polynomial(t, half...)
	g.VMULPS(t, tail, tail)
	g.VMULPS(e, tail, tail)
	g.VSUBPS(tail, one, one)
	if g.wide() {
		k := g.K()
		g.VPMOVD2M(x, k)
		g.VMOVAPS(tail, k, one)
	} else {
		g.VBLENDVPS(x, tail, one, one)
	}
	return one, e
}

// maps writes the functions of one element.
func (g *gen) maps() {
	unary := func(name, doc string, f func(x reg.VecVirtual) reg.VecVirtual) {
		g.function(name, "dst, x []float32", doc, func() {
			dst, x := g.slice("dst"), g.slice("x")
			g.each("dst", 1, func(l lane) { l.put(f(l.get(x)), dst) })
		})
	}
	binary := func(name, first, doc string, f func(x, dy reg.VecVirtual) reg.VecVirtual) {
		g.function(name, "dst, "+first+", dy []float32", doc, func() {
			dst, x, dy := g.slice("dst"), g.slice(first), g.slice("dy")
			g.each("dst", 1, func(l lane) { l.put(f(l.get(x), l.get(dy)), dst) })
		})
	}
	unary("exp", "sets dst = e^x.", g.exp)
	unary("sigmoid", "sets dst = 1/(1+e^-x).", g.sigmoid)
	unary("silu", "sets dst = x/(1+e^-x).", func(x reg.VecVirtual) reg.VecVirtual {
		s := g.sigmoid(x)
		g.VMULPS(x, s, s)
		return s
	})
	unary("gelu", "sets dst = x·Φ(x).", func(x reg.VecVirtual) reg.VecVirtual {
		cdf, _ := g.normal(x)
		g.VMULPS(x, cdf, cdf)
		return cdf
	})
	unary("eluOne", "sets dst = x+1 for x > 0, e^x otherwise.", g.eluOne)
	binary("siluGrad", "x", "sets dst = dy·s·(1+x·(1-s)), s = 1/(1+e^-x).", func(x, dy reg.VecVirtual) reg.VecVirtual {
		s := g.sigmoid(x)
		one, t := g.load(g.k(1)), g.v()
		g.VSUBPS(s, one, t)
		g.VFMADD213PS(one, x, t)
		g.VMULPS(s, t, t)
		g.VMULPS(dy, t, t)
		return t
	})
	binary("geluGrad", "x", "sets dst = dy·(Φ(x)+x·φ(x)).", func(x, dy reg.VecVirtual) reg.VecVirtual {
		cdf, e := g.normal(x)
		g.VMULPS(g.k(1/math.Sqrt(2*math.Pi)), e, e)
		g.VFMADD231PS(x, e, cdf)
		g.VMULPS(dy, cdf, cdf)
		return cdf
	})
	binary("eluOneGrad", "y", "sets dst = dy·min(1,y).", func(y, dy reg.VecVirtual) reg.VecVirtual {
		one := g.load(g.k(1))
		g.VMINPS(y, one, one)
		g.VMULPS(dy, one, one)
		return one
	})
}

// eluOne returns x+1 for x > 0, e^x otherwise.
func (g *gen) eluOne(x reg.VecVirtual) reg.VecVirtual {
	zero, low := g.zeroed(), g.v()
	g.VMINPS(x, zero, low)
	g.VMAXPS(x, zero, zero)
	e := g.exp(low)
	g.VADDPS(zero, e, e)
	return e
}

// arithmetic writes the kernels of one operation an element.
func (g *gen) arithmetic() {
	for _, f := range []struct {
		name, doc string
		op        func(ops ...Op)
	}{{"add", "sets dst = a+b.", g.VADDPS}, {"sub", "sets dst = a-b.", g.VSUBPS}, {"mul", "sets dst = a·b.", g.VMULPS}} {
		g.function(f.name, "dst, a, b []float32", f.doc, func() {
			dst, a, b := g.slice("dst"), g.slice("a"), g.slice("b")
			g.each("dst", 4, func(l lane) {
				x, y := l.get(a), l.get(b)
				f.op(y, x, x)
				l.put(x, dst)
			})
		})
	}
	g.function("addScaled", "dst []float32, alpha float32, x []float32", "sets dst += alpha·x.", func() {
		dst, x, alpha := g.slice("dst"), g.slice("x"), g.param("alpha")
		g.each("dst", 4, func(l lane) {
			d, v := l.get(dst), l.get(x)
			g.VFMADD231PS(alpha, v, d)
			l.put(d, dst)
		})
	})
	g.function("scale", "dst []float32, alpha float32, x []float32", "sets dst = alpha·x.", func() {
		dst, x, alpha := g.slice("dst"), g.slice("x"), g.param("alpha")
		g.each("dst", 4, func(l lane) {
			v := l.get(x)
			g.VMULPS(alpha, v, v)
			l.put(v, dst)
		})
	})
	g.function("softmaxGrad", "dst, y, dy []float32, dot float32", "sets dst = y·(dy-dot).", func() {
		dst, y, dy, dot := g.slice("dst"), g.slice("y"), g.slice("dy"), g.param("dot")
		g.each("dst", 2, func(l lane) {
			d := l.get(dy)
			g.VSUBPS(dot, d, d)
			g.VMULPS(l.get(y), d, d)
			l.put(d, dst)
		})
	})
}
