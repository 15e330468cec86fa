package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bfloat writes the kernels for bfloat16: products of pairs, and what lays pairs out.
func bfloat(c *build.Context) {
	tiles(c, bf16, Mem{})
	peak(c, bf16)
	pairUp(c)
	g := newGen(c, bf16)
	g.narrow()
	g.blockRows()
}

// pairUp writes the kernel that makes pairs of rows that lie below each other.
func pairUp(c *build.Context) {
	begin(c, "pairUpbf16", "func(pairs, cols int, dst *float32, ldd int, src *uint16, lds int)",
		"puts 16 bits of one row and of the next side by side, for cols ≤ 16 columns (zeros up to 16) of pairs pairs of rows:",
		"word j of pair l of dst, ldd bytes apart, is src[2l][j] | src[2l+1][j]<<16; rows of src are lds bytes apart.")
	pairs, cols, dst, ldd, src, lds := loadGP(c, "pairs"), loadGP(c, "cols"), loadGP(c, "dst"), loadGP(c, "ldd"), loadGP(c, "src"), loadGP(c, "lds")
	bits, k := c.GP64(), c.K()
	c.MOVQ(I32(-1), bits)
	c.BZHIQ(cols, bits, bits)
	c.KMOVW(bits.As32(), k)
	ahead := c.GP64()
	c.MOVQ(lds, ahead)
	c.SHLQ(U8(3), ahead)
	c.Label("pair")
	even, odd := c.ZMM(), c.ZMM()
	c.VPMOVZXWD_Z(Mem{Base: src}, k, even)
	c.VPMOVZXWD_Z(Mem{Base: src, Index: lds, Scale: 1}, k, odd)
	c.PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1})
	c.LEAQ(Mem{Base: src, Index: lds, Scale: 2}, src)
	c.VPSLLD(U8(16), odd, odd)
	c.VPORD(even, odd, odd)
	c.VMOVUPS(odd, Mem{Base: dst})
	c.ADDQ(ldd, dst)
	c.DECQ(pairs)
	c.JNZ(LabelRef("pair"))
	c.VZEROUPPER()
	c.RET()
}

// mem16 is a lane's place in a slice of 16-bit elements.
func (l lane) mem16(s slice) Mem {
	return Mem{Base: s.base, Index: l.i, Scale: 2, Disp: 2 * l.u * l.g.lanes}
}

// round16 rounds 16 lanes and stores them.
func (l lane) round16(r reg.VecVirtual, s slice) {
	y := l.g.YMM()
	roundLanes(l.g.Context, r, y)
	if l.tail {
		l.g.VMOVDQU16(y, l.k, l.mem16(s))
	} else {
		l.g.VMOVDQU16(y, l.mem16(s))
	}
}

// widen16 loads 16 elements as float32.
func (l lane) widen16(s slice) reg.VecVirtual {
	r := l.g.v()
	if l.tail {
		l.g.VPMOVZXWD_Z(l.mem16(s), l.k, r)
	} else {
		l.g.VPMOVZXWD(l.mem16(s), r)
	}
	l.g.VPSLLD(U8(16), r, r)
	return r
}

// narrow writes what is done element by element with bfloat16.
func (g *gen) narrow() {
	g.function("round", "dst []uint16, x []float32", "rounds each x to the nearest bfloat16, ties to even; denormals become zero.", func() {
		dst, x := g.slice("dst"), g.slice("x")
		g.each("x", 4, func(l lane) { l.round16(l.get(x), dst) })
	})
	g.function("widen", "dst []float32, x []uint16", "sets dst[i] to the float32 that x[i] is the upper half of.", func() {
		dst, x := g.slice("dst"), g.slice("x")
		g.each("x", 4, func(l lane) { l.put(l.widen16(x), dst) })
	})
	g.function("geluBoth", "act, slope []uint16, x, bias []float32", "rounds y·Φ(y) to act and Φ(y)+y·φ(y) to slope, y = x+bias.", func() {
		act, slope, x, bias := g.slice("act"), g.slice("slope"), g.slice("x"), g.slice("bias")
		g.each("x", 1, func(l lane) {
			y, b := l.get(x), l.get(bias)
			g.VADDPS(b, y, y)
			cdf, e := g.normal(y)
			g.VMULPS(g.k(1/math.Sqrt(2*math.Pi)), e, e)
			g.VFMADD213PS(cdf, y, e)
			g.VMULPS(y, cdf, cdf)
			l.round16(cdf, act)
			l.round16(e, slope)
		})
	})
	g.function("mulRound", "out []uint16, x []float32, by []uint16, sum []float32", "rounds x·by to out and adds x·by to sum.", func() {
		out, x, by, sum := g.slice("out"), g.slice("x"), g.slice("by"), g.slice("sum")
		g.each("x", 2, func(l lane) {
			v, f, t := l.get(x), l.widen16(by), l.get(sum)
			g.VMULPS(f, v, v)
			g.VADDPS(v, t, t)
			l.put(t, sum)
			l.round16(v, out)
		})
	})
	g.function("sumRound", "out []uint16, x, sum []float32", "rounds x to out and adds x to sum.", func() {
		out, x, sum := g.slice("out"), g.slice("x"), g.slice("sum")
		g.each("x", 2, func(l lane) {
			v, t := l.get(x), l.get(sum)
			g.VADDPS(v, t, t)
			l.put(t, sum)
			l.round16(v, out)
		})
	})
}
