package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// result stores the lowest lane in a float result.
func (g *gen) result(r reg.VecVirtual, name string) {
	to, err := g.Return(name).Resolve()
	if err != nil {
		panic(err)
	}
	g.VMOVSS(r.AsX(), to.Addr)
}

// sums writes the kernels that fold a slice to one number. Four accumulators hide the latency of an
// addition; which element goes to which depends on its index alone.
func (g *gen) sums() {
	g.function("dot", "x, y []float32) (s float32", "returns Σ x·y.", func() {
		x, y, acc := g.slice("x"), g.slice("y"), g.accumulators(4)
		g.each("x", 4, func(l lane) { g.VFMADD231PS(l.get(x), l.get(y), acc[l.u]) })
		g.result(g.total(acc, g.VADDPS), "s")
	})
	g.function("sum", "x []float32) (s float32", "returns Σ x.", func() {
		x, acc := g.slice("x"), g.accumulators(4)
		g.each("x", 4, func(l lane) { g.VADDPS(l.get(x), acc[l.u], acc[l.u]) })
		g.result(g.total(acc, g.VADDPS), "s")
	})
	g.function("sumSquares", "x []float32) (s float32", "returns Σ x².", func() {
		x, acc := g.slice("x"), g.accumulators(4)
		g.each("x", 4, func(l lane) {
			v := l.get(x)
			g.VFMADD231PS(v, v, acc[l.u])
		})
		g.result(g.total(acc, g.VADDPS), "s")
	})
	g.function("variance", "x []float32, mean float32) (s float32", "returns Σ (x-mean)².", func() {
		x, mean, acc := g.slice("x"), g.param("mean"), g.accumulators(4)
		g.each("x", 4, func(l lane) {
			v := l.get(x)
			g.VSUBPS(mean, v, v)
			l.live(v)
			g.VFMADD231PS(v, v, acc[l.u])
		})
		g.result(g.total(acc, g.VADDPS), "s")
	})
	g.function("fourDots", "x []float32, y *float32, ldy int, s *[4]float32", "sets s to the products of x with four rows, ldy bytes apart, from y on.", func() {
		x, acc := g.slice("x"), g.accumulators(8)
		y, ldy := loadGP(g.Context, "y"), loadGP(g.Context, "ldy")
		rows := make([]slice, 4)
		for i := range rows {
			rows[i].base = y
			if i > 0 {
				rows[i].base = g.GP64()
				g.LEAQ(Mem{Base: rows[i-1].base, Index: ldy, Scale: 1}, rows[i].base)
			}
		}
		g.each("x", 2, func(l lane) {
			v := l.get(x)
			for i, r := range rows {
				g.VFMADD231PS(l.get(r), v, acc[2*i+l.u])
			}
		})
		s := loadGP(g.Context, "s")
		for i := range rows {
			g.VMOVSS(g.total(acc[2*i:2*i+2], g.VADDPS).AsX(), Mem{Base: s, Disp: 4 * i})
		}
	})
	g.largest()
	g.function("expSum", "dst, x []float32, shift float32) (s float32", "sets dst = e^(x-shift) and returns Σ dst.", func() {
		dst, x, shift, acc := g.slice("dst"), g.slice("x"), g.param("shift"), g.accumulators(2)
		g.each("dst", 2, func(l lane) {
			v := l.get(x)
			g.VSUBPS(shift, v, v)
			e := g.exp(v)
			l.put(e, dst)
			g.VADDPS(l.live(e), acc[l.u], acc[l.u])
		})
		g.result(g.total(acc, g.VADDPS), "s")
	})
}

// largest writes the maximum. The instruction drops NaN on one side, so NaN is watched for beside it, in a
// vector that stays zero without one.
func (g *gen) largest() {
	g.function("max", "x []float32) (s float32", "returns the largest element, -Inf for none, NaN if any is NaN.", func() {
		x := g.slice("x")
		low := g.load(g.bits(0xff800000))
		acc := []reg.VecVirtual{g.v(), g.v()}
		strange := []reg.VecVirtual{g.zeroed(), g.zeroed()}
		for _, a := range acc {
			g.VMOVAPS(low, a)
		}
		g.each("x", 2, func(l lane) {
			v := l.liveOr(l.get(x), low)
			g.VMAXPS(v, acc[l.u], acc[l.u])
			if g.wide() {
				k := g.K()
				g.VCMPPS(U8(3), v, v, k)
				g.VMOVAPS(v, k, strange[l.u])
				return
			}
			t := g.v()
			g.VCMPPS(U8(3), v, v, t)
			g.VORPS(t, strange[l.u], strange[l.u])
		})
		g.VORPS(strange[1], strange[0], strange[0])
		g.VMAXPS(acc[1], acc[0], acc[0])
		// A NaN added to any lane makes the whole sum NaN; without one the sum is zero.
		nan := g.total(strange[:1], g.VADDPS)
		top := g.total(acc[:1], g.VMAXPS)
		g.VADDSS(nan.AsX(), top.AsX(), top.AsX())
		g.result(top, "s")
	})
}

// norms writes the kernels of layer normalisation.
func (g *gen) norms() {
	for _, shift := range []bool{true, false} {
		name, sig, doc := "normalize", "dst, x, gamma, beta []float32, mean, rstd float32", "sets dst = (x-mean)·rstd·gamma+beta."
		if !shift {
			name, sig, doc = "normalizeOnly", "dst, x, gamma []float32, mean, rstd float32", "sets dst = (x-mean)·rstd·gamma."
		}
		g.function(name, sig, doc, func() {
			dst, x, gamma, mean, rstd := g.slice("dst"), g.slice("x"), g.slice("gamma"), g.param("mean"), g.param("rstd")
			var beta slice
			if shift {
				beta = g.slice("beta")
			}
			g.each("dst", 2, func(l lane) {
				v := l.get(x)
				g.VSUBPS(mean, v, v)
				g.VMULPS(rstd, v, v)
				if shift {
					b := l.get(beta)
					g.VFMADD132PS(l.get(gamma), b, v)
				} else {
					g.VMULPS(l.get(gamma), v, v)
				}
				l.put(v, dst)
			})
		})
	}
	g.function("normSums", "dy, x, gamma []float32, mean, rstd float32) (s, t float32", "returns Σ dy·gamma and Σ dy·gamma·(x-mean)·rstd.", func() {
		dy, x, gamma, mean, rstd := g.slice("dy"), g.slice("x"), g.slice("gamma"), g.param("mean"), g.param("rstd")
		s, t := g.accumulators(2), g.accumulators(2)
		g.each("x", 2, func(l lane) {
			d, v := l.get(dy), l.get(x)
			g.VMULPS(l.get(gamma), d, d)
			g.VADDPS(d, s[l.u], s[l.u])
			g.VSUBPS(mean, v, v)
			l.live(v)
			g.VFMADD231PS(d, v, t[l.u])
		})
		first := g.total(s, g.VADDPS)
		second := g.total(t, g.VADDPS)
		g.VMULSS(rstd.AsX(), second.AsX(), second.AsX())
		g.result(first, "s")
		g.result(second, "t")
	})
	g.normGrad("normGrad", "sets dx = rstd·(dy·gamma-m-h·n)", false)
	g.normGrad("normGradAdd", "adds rstd·(dy·gamma-m-h·n) to dx", true)
}

func (g *gen) normGrad(name, doc string, add bool) {
	g.function(name, "dx, dy, x, gamma, dgamma, dbeta []float32, mean, rstd, m, n float32",
		"adds dy·h to dgamma and dy to dbeta and "+doc+", h = (x-mean)·rstd.", func() {
			dx, dy, x, gamma, dgamma, dbeta := g.slice("dx"), g.slice("dy"), g.slice("x"), g.slice("gamma"), g.slice("dgamma"), g.slice("dbeta")
			mean, rstd, m, n := g.param("mean"), g.param("rstd"), g.param("m"), g.param("n")
			g.each("dx", 1, func(l lane) {
				h, d, t := l.get(x), l.get(dy), l.get(dgamma)
				g.VSUBPS(mean, h, h)
				g.VMULPS(rstd, h, h)
				g.VFMADD231PS(d, h, t)
				l.put(t, dgamma)
				b := l.get(dbeta)
				g.VADDPS(d, b, b)
				l.put(b, dbeta)
				g.VMULPS(l.get(gamma), d, d)
				g.VSUBPS(m, d, d)
				g.VFNMADD231PS(n, h, d)
				if add {
					t := l.get(dx)
					g.VFMADD231PS(rstd, d, t)
					l.put(t, dx)
					return
				}
				g.VMULPS(rstd, d, d)
				l.put(d, dx)
			})
		})
}

// flush makes this thread treat denormals as zero until restored. The word lies in a local, beside the one to restore.
func (g *gen) flush() Mem {
	old := g.AllocLocal(8)
	g.VSTMXCSR(old)
	word := g.GP32()
	g.MOVL(old, word)
	g.ORL(U32(1<<15|1<<6), word)
	g.MOVL(word, old.Offset(4))
	g.VLDMXCSR(old.Offset(4))
	return old
}

// optimiser writes AdamW. The moments of a parameter without gradients fade into denormals, which would take a
// hundred times as long as other numbers.
func (g *gen) optimiser() {
	g.function("adamW", "p, g, m, v []float32, step, beta1, rest1, beta2, rest2, root, eps, keep float32",
		"sets m = beta1·m+rest1·g, v = beta2·v+rest2·g², p = keep·p-step·m/(√v·root+eps).", func() {
			old := g.flush()
			p, gr, m, v := g.slice("p"), g.slice("g"), g.slice("m"), g.slice("v")
			step, beta1, rest1, beta2, rest2 := g.param("step"), g.param("beta1"), g.param("rest1"), g.param("beta2"), g.param("rest2")
			root, eps, keep := g.param("root"), g.param("eps"), g.param("keep")
			g.each("p", 1, func(l lane) {
				d, a, b := l.get(gr), l.get(m), l.get(v)
				t := g.v()
				g.VMULPS(rest1, d, t)
				g.VFMADD132PS(beta1, t, a)
				l.put(a, m)
				g.VMULPS(d, d, d)
				g.VMULPS(rest2, d, d)
				g.VFMADD132PS(beta2, d, b)
				l.put(b, v)
				g.VSQRTPS(b, b)
				g.VFMADD132PS(root, eps, b)
				g.VMULPS(step, a, a)
				g.VDIVPS(b, a, a)
				x := l.get(p)
				g.VFMSUB132PS(keep, a, x)
				l.put(x, p)
			})
			g.VLDMXCSR(old)
		})
}
