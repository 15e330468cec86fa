package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots writes sums of products of 8-bit weights with rounded activations, for some panels side by side: a processor fetches
// several streams faster than one. Weights of four rows lie together, 32 columns of 4 bytes. An activation is
// 256·hi + lo - 32,768, and the sums of integers are exact.
func dots(c *build.Context, panels int) {
	name := fmt.Sprintf("dots%d", panels)
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(groups int, hi, lo *uint8, w *int8, pitch int, shift *int32, scale *float32, by float32, y *float32)")
	c.Doc(fmt.Sprintf("%s sets y[j] = by·scale[j]·Σ (256·hi[l]+lo[l]-32768)·w[l,j] for %d panels of 32 columns, pitch bytes apart,", name, panels),
		"and four rows a group; shift[j] is 128·Σ w[l,j].")
	load := func(name string) reg.GPVirtual { return c.Load(c.Param(name), c.GP64()).(reg.GPVirtual) }
	groups, hi, lo, pitch := load("groups"), load("hi"), load("lo"), load("pitch")
	w := []reg.GPVirtual{load("w")}
	for len(w) < panels {
		at := c.GP64()
		c.LEAQ(operand.Mem{Base: w[len(w)-1], Index: pitch, Scale: 1}, at)
		w = append(w, at)
	}
	sums := make([]reg.VecVirtual, 4*panels) // by panel and half of it: of hi, of lo
	for i := range sums {
		sums[i] = c.ZMM()
		c.VPXORD(sums[i], sums[i], sums[i])
	}
	i := c.GP64()
	c.XORQ(i, i)
	c.Label(name + "_group")
	h, l := c.ZMM(), c.ZMM()
	c.VPBROADCASTD(operand.Mem{Base: hi, Index: i, Scale: 4}, h)
	c.VPBROADCASTD(operand.Mem{Base: lo, Index: i, Scale: 4}, l)
	for p := range w {
		for half := range 2 {
			v := c.ZMM()
			c.VMOVDQU32(operand.Mem{Base: w[p], Disp: 64 * half}, v)
			dot(c, v, h, sums[4*p+2*half])
			dot(c, v, l, sums[4*p+2*half+1])
		}
	}
	for p := range w {
		c.ADDQ(operand.U32(4*columns), w[p])
	}
	c.INCQ(i)
	c.CMPQ(i, groups)
	c.JL(operand.LabelRef(name + "_group"))
	shift, scale, y := load("shift"), load("scale"), load("y")
	by, k256 := c.ZMM(), c.ZMM()
	at, err := c.Param("by").Resolve()
	if err != nil {
		panic(err)
	}
	c.VBROADCASTSS(at.Addr, by)
	bits := c.GP32()
	c.MOVL(operand.U32(0x43800000), bits) // 256
	c.VPBROADCASTD(bits, k256)
	for j := range 2 * panels {
		high, low := sums[2*j], sums[2*j+1]
		c.VPSUBD(operand.Mem{Base: shift, Disp: 64 * j}, high, high)
		c.VCVTDQ2PS(high, high)
		c.VCVTDQ2PS(low, low)
		c.VFMADD213PS(low, k256, high)
		c.VMULPS(operand.Mem{Base: scale, Disp: 64 * j}, high, high)
		c.VMULPS(by, high, high)
		c.VMOVUPS(high, operand.Mem{Base: y, Disp: 64 * j})
	}
	c.VZEROUPPER()
	c.RET()
}

// dot adds to each of 16 sums the products of four signed bytes of w with four unsigned ones of x. The library does not know
// the instruction.
func dot(c *build.Context, w, x, sum reg.VecVirtual) {
	c.Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []operand.Op{w, x, sum}, Inputs: []operand.Op{w, x, sum}, Outputs: []operand.Op{sum}})
}

// rounding writes the two halves of rounded activations, 16 at a time, and before that their largest.
func rounding(c *build.Context) {
	begin := func(name, signature, doc string) (n, x reg.GPVirtual) {
		c.Function(name)
		c.Attributes(attr.NOSPLIT)
		c.SignatureExpr(signature)
		c.Doc(name + " " + doc)
		return c.Load(c.Param("n"), c.GP64()).(reg.GPVirtual), c.Load(c.Param("x"), c.GP64()).(reg.GPVirtual)
	}
	n, x := begin("largest", "func(n int, x *float32) (s float32)", "returns the largest |x| of 16·n elements.")
	top, mask := c.ZMM(), c.ZMM()
	bits := c.GP32()
	c.VPXORD(top, top, top)
	c.MOVL(operand.U32(0x7fffffff), bits)
	c.VPBROADCASTD(bits, mask)
	c.Label("largest_next")
	v := c.ZMM()
	c.VPANDD(operand.Mem{Base: x}, mask, v)
	c.VMAXPS(v, top, top)
	c.ADDQ(operand.Imm(64), x)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("largest_next"))
	y := c.YMM()
	c.VEXTRACTF64X4(operand.Imm(1), top, y)
	c.VMAXPS(y, top.AsY(), top.AsY())
	z := c.XMM()
	c.VEXTRACTF128(operand.Imm(1), top.AsY(), z)
	c.VMAXPS(z, top.AsX(), top.AsX())
	c.VPERMILPS(operand.Imm(0x4e), top.AsX(), z)
	c.VMAXPS(z, top.AsX(), top.AsX())
	c.VPERMILPS(operand.Imm(0xb1), top.AsX(), z)
	c.VMAXPS(z, top.AsX(), top.AsX())
	c.Store(top.AsX(), c.Return("s"))
	c.VZEROUPPER()
	c.RET()

	n, x = begin("roundHalves", "func(n int, x *float32, by float32, hi, lo *uint8)",
		"sets 256·hi+lo = x·by+32768, rounded, for 16·n elements, whose |x·by| is below 32768.")
	by, middle := c.ZMM(), c.ZMM()
	at, err := c.Param("by").Resolve()
	if err != nil {
		panic(err)
	}
	c.VBROADCASTSS(at.Addr, by)
	hi := c.Load(c.Param("hi"), c.GP64()).(reg.GPVirtual)
	lo := c.Load(c.Param("lo"), c.GP64()).(reg.GPVirtual)
	bits = c.GP32()
	c.MOVL(operand.U32(32768), bits)
	c.VPBROADCASTD(bits, middle)
	c.Label("round_next")
	v, h := c.ZMM(), c.ZMM()
	c.VMULPS(operand.Mem{Base: x}, by, v)
	c.VCVTPS2DQ(v, v)
	c.VPADDD(middle, v, v)
	c.VPSRLD(operand.Imm(8), v, h)
	c.VPMOVDB(v, operand.Mem{Base: lo})
	c.VPMOVDB(h, operand.Mem{Base: hi})
	c.ADDQ(operand.Imm(64), x)
	c.ADDQ(operand.Imm(16), hi)
	c.ADDQ(operand.Imm(16), lo)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("round_next"))
	c.VZEROUPPER()
	c.RET()
}
