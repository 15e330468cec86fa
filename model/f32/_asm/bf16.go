package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bfloat writes the kernels for bfloat16: products of pairs, and what lays pairs out.
func bfloat(c *build.Context) {
	tiles(c, bf16, Mem{})
	peak(c, bf16)
	pairUp(c)
	pairUpTwo(c)
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

// pairUpTwo writes the kernel that makes the pairs of two tiles or of two halves of a panel.
func pairUpTwo(c *build.Context) {
	places := c.StaticGlobal("evenOdd")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for j := range 16 {
		c.AppendDatum(U32(j | (32+j)<<16))
	}
	begin(c, "pairUpTwobf16", "func(pairs, cols, width int, dst *float32, ldd, step int, src *uint16, lds int)",
		"is pairUpbf16 of cols ≤ 32 columns: those of the first width ≤ 16 go to dst and the others to dst+step bytes, in the",
		"first of 16 words of which the others' values are unspecified.")
	pairs, cols, width, dst, ldd, step, src, lds := loadGP(c, "pairs"), loadGP(c, "cols"), loadGP(c, "width"), loadGP(c, "dst"), loadGP(c, "ldd"), loadGP(c, "step"), loadGP(c, "src"), loadGP(c, "lds")
	bits, k := c.GP64(), c.K()
	c.MOVQ(I32(-1), bits)
	c.BZHIQ(cols, bits, bits)
	c.KMOVD(bits.As32(), k)
	first, second := c.ZMM(), c.ZMM()
	c.VMOVDQU16(places, first)
	c.VPBROADCASTW(width.As32(), second)
	c.VPADDW(first, second, second)
	ahead, odd := c.GP64(), c.GP64()
	c.MOVQ(lds, ahead)
	c.SHLQ(U8(5), ahead)
	c.MOVQ(ahead, odd)
	c.ADDQ(lds, odd)
	c.Label("pair")
	a, b, x, y := c.ZMM(), c.ZMM(), c.ZMM(), c.ZMM()
	c.VMOVDQU16_Z(Mem{Base: src}, k, a)
	c.VMOVDQU16_Z(Mem{Base: src, Index: lds, Scale: 1}, k, b)
	c.PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1})
	c.PREFETCHT0(Mem{Base: src, Index: odd, Scale: 1})
	c.LEAQ(Mem{Base: src, Index: lds, Scale: 2}, src)
	c.VMOVDQA64(first, x)
	c.VMOVDQA64(second, y)
	c.VPERMI2W(b, a, x)
	c.VPERMI2W(b, a, y)
	c.VMOVDQU16(x, Mem{Base: dst})
	c.VMOVDQU16(y, Mem{Base: dst, Index: step, Scale: 1})
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

// round16 rounds 16 lanes, stores and returns them.
func (l lane) round16(r reg.VecVirtual, s slice) reg.VecVirtual {
	y := l.g.YMM()
	roundLanes(l.g.Context, r, y)
	if l.tail {
		l.g.VMOVDQU16(y, l.k, l.mem16(s))
	} else {
		l.g.VMOVDQU16(y, l.mem16(s))
	}
	return y
}

// wide16 is float32 of 16 rounded lanes.
func (l lane) wide16(y reg.VecVirtual) reg.VecVirtual {
	r := l.g.v()
	l.g.VPMOVZXWD(y, r)
	l.g.VPSLLD(U8(16), r, r)
	return r
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
	g.function("addRound", "out []uint16, x, y []float32", "rounds x+y to out.", func() {
		out, x, y := g.slice("out"), g.slice("x"), g.slice("y")
		g.each("x", 4, func(l lane) {
			v := l.get(x)
			g.VADDPS(l.get(y), v, v)
			l.round16(v, out)
		})
	})
	g.function("eluRound", "out []uint16, x, bias []float32", "rounds y+1 for y = x+bias > 0, e^y otherwise, to out.", func() {
		out, x, bias := g.slice("out"), g.slice("x"), g.slice("bias")
		g.each("x", 2, func(l lane) {
			y := l.get(x)
			g.VADDPS(l.get(bias), y, y)
			l.round16(g.eluOne(y), out)
		})
	})
	g.function("geluRound", "act, y []uint16, x, bias []float32", "rounds x+bias to y, and y·Φ(y) to act.", func() {
		act, to, x, bias := g.slice("act"), g.slice("y"), g.slice("x"), g.slice("bias")
		n := g.newNormal()
		g.each("x", 2, func(l lane) {
			y := l.get(x)
			g.VADDPS(l.get(bias), y, y)
			y = l.wide16(l.round16(y, to))
			near, sq := n.near(y)
			cdf := n.cdf(near, sq)
			g.VMULPS(y, cdf, cdf)
			l.round16(cdf, act)
		})
	})
	g.function("geluBack", "out, act, y []uint16, dact, sum []float32", "rounds y·Φ(y) to act and dact·(Φ(y)+y·φ(y)) to out, and adds that to sum.", func() {
		out, act, from, dact, sum := g.slice("out"), g.slice("act"), g.slice("y"), g.slice("dact"), g.slice("sum")
		n := g.newNormal()
		g.each("y", 2, func(l lane) {
			y := l.widen16(from)
			near, sq := n.near(y)
			s := n.slope(near, sq)
			g.VMULPS(l.get(dact), s, s)
			t := l.get(sum)
			g.VADDPS(s, t, t)
			l.put(t, sum)
			l.round16(s, out)
			cdf := n.cdf(near, sq)
			g.VMULPS(y, cdf, cdf)
			l.round16(cdf, act)
		})
	})
	g.function("addThree", "dst, a, b, c []float32", "sets dst = a+b+c.", func() {
		dst, a, b, c := g.slice("dst"), g.slice("a"), g.slice("b"), g.slice("c")
		g.each("dst", 2, func(l lane) {
			x := l.get(a)
			g.VADDPS(l.get(b), x, x)
			g.VADDPS(l.get(c), x, x)
			l.put(x, dst)
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

// normal computes the normal distribution for values that are bfloat16 or become it. Φ - 1/2 and the derivative of y·Φ
// less 1/2 are odd: y times a polynomial in y², fitted between the edges for the smallest absolute error (1.1e-5
// and 2e-4, less than rounding leaves) with the exact value, 0 or 1, at them and beyond.
type normal struct {
	g               *gen
	low, high, half reg.VecVirtual
	below, zero     reg.VecVirtual
}

func (g *gen) newNormal() normal {
	const edge = 4.25
	return normal{g, g.load(g.k(-edge)), g.load(g.k(edge)), g.load(g.k(0.5)), g.load(g.k(0.5 - 2e-6)), g.zeroed()}
}

// near returns y within the edges, and its square.
func (n normal) near(y reg.VecVirtual) (near, sq reg.VecVirtual) {
	near, sq = n.g.v(), n.g.v()
	n.g.VMINPS(n.high, y, near)
	n.g.VMAXPS(n.low, near, near)
	n.g.VMULPS(near, near, sq)
	return near, sq
}

// cdf is Φ less 2e-6 but at least 0, so that rounding leaves nothing at the lower edge for a large y to multiply.
func (n normal) cdf(near, sq reg.VecVirtual) reg.VecVirtual {
	p := n.g.polynomial(sq, 5.45719216e-11, -5.24309979e-09, 2.22804892e-07, -5.57950094e-06, 9.29612294e-05, -0.00110603489, 0.00980858792, -0.0663348251, 0.39889866)
	n.g.VFMADD213PS(n.below, near, p)
	n.g.VMAXPS(n.zero, p, p)
	return p
}

// slope is Φ(y) + y·φ(y).
func (n normal) slope(near, sq reg.VecVirtual) reg.VecVirtual {
	p := n.g.polynomial(sq, 4.92739778e-10, -4.86309636e-08, 2.07894369e-06, -5.07637514e-05, 0.000787128575, -0.00814302975, 0.0570197611, -0.263231201, 0.797101605)
	n.g.VFMADD213PS(n.half, near, p)
	return p
}
