package main

import (
	"encoding/binary"
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// side is how many rows, and how many columns of four bytes, a tile register has.
const side = 16

// amx writes the kernel on tile registers. The Go assembler does not know their instructions: they are written as
// bytes, each behind a comment that says it in the words of GNU as. Bytes hold the numbers of their registers, so all
// registers are named here and none is left to the allocator.
func amx(c *build.Context) {
	tileAMX(c, tileShapes(c))
	xcr0(c)
}

// tileShapes is what LDTILECFG reads: palette 1 and eight tiles of 16 rows of 64 bytes.
func tileShapes(c *build.Context) Mem {
	m := c.StaticGlobal("tileshapes")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	var data [64]byte
	data[0] = 1
	for t := range 8 {
		binary.LittleEndian.PutUint16(data[16+2*t:], 4*side)
		data[48+t] = side
	}
	for i := 0; i < len(data); i += 8 {
		c.AppendDatum(U64(binary.LittleEndian.Uint64(data[i:])))
	}
	return m
}

// tileAMX writes the product kernel: 32×32 sums in four tiles, which two tiles of A and two of B are multiplied into
// for every 16 pairs of k. Each tile that is loaded is used twice, and each product stands between loads, so that
// the next ones are under way while it is computed.
func tileAMX(c *build.Context, shapes Mem) {
	begin(c, "tileamx", "func(tiles, k int, a *float32, ars, astep int, b *float32, bs int, c *float32, ldc, flags int)",
		"multiplies tiles blocks of 32 rows of A with k rows of 32 columns of B, C = A·B (flags&1: added to C).",
		"Elements of A and B are pairs of bfloat16, neighbours along k, the even one below; k counts pairs and is a",
		"multiple of 16 above 0. Pair (i,l) of A lies at a+i·ars+4·l, row l of B (32 pairs) at b+l·bs, row i of C",
		"(32 float32) at c+i·ldc, the next block of A at a+astep, the next block of C 32 rows on, strides in bytes.",
		"Sums are float32 as TDPBF16PS makes them: denormals are zero. Only where hasAMX.")
	const (
		a0, a1, b0, b1 = 4, 5, 6, 7 // tiles; tile 2·i+j holds sums of rows i and columns j
		line           = 4 * side
	)
	a, b, cc, k := reg.RSI, reg.RDX, reg.RBX, reg.RCX
	ars, bs, ldc := reg.R8, reg.R9, reg.R11
	low, bstep, clow := reg.RDI, reg.R10, reg.R12 // 16 rows further down in A; 16 rows of B; 16 rows down in C
	sums := func(do func(tile int, base reg.GPPhysical, disp int)) {
		for t := range 4 {
			do(t, []reg.GPPhysical{cc, clow}[t/2], t%2*line)
		}
	}

	c.LEAQ(shapes, reg.RAX)
	ldtilecfg(c, reg.RAX)
	c.Load(c.Param("ars"), ars)
	c.Load(c.Param("bs"), bs)
	c.Load(c.Param("ldc"), ldc)
	c.Load(c.Param("c"), cc)
	c.MOVQ(bs, bstep)
	c.SHLQ(U8(4), bstep)

	c.Label("block")
	c.MOVQ(ldc, clow)
	c.SHLQ(U8(4), clow)
	c.ADDQ(cc, clow)
	c.TESTQ(U32(1), param(c, "flags"))
	c.JZ(LabelRef("fresh"))
	sums(func(t int, base reg.GPPhysical, disp int) { tileloadd(c, t, base, ldc, disp) })
	c.JMP(LabelRef("begun"))
	c.Label("fresh")
	sums(func(t int, _ reg.GPPhysical, _ int) { tilezero(c, t) })
	c.Label("begun")
	c.Load(c.Param("a"), a)
	c.MOVQ(ars, low)
	c.SHLQ(U8(4), low)
	c.ADDQ(a, low)
	c.Load(c.Param("b"), b)
	c.Load(c.Param("k"), k)

	c.Label("pairs")
	tileloadd(c, a0, a, ars, 0)
	tileloadd(c, b0, b, bs, 0)
	tdpbf16ps(c, 0, a0, b0)
	tileloadd(c, a1, low, ars, 0)
	tdpbf16ps(c, 2, a1, b0)
	tileloadd(c, b1, b, bs, line)
	tdpbf16ps(c, 1, a0, b1)
	tdpbf16ps(c, 3, a1, b1)
	c.ADDQ(I32(line), a)
	c.ADDQ(I32(line), low)
	c.ADDQ(bstep, b)
	c.SUBQ(I32(side), k)
	c.JNZ(LabelRef("pairs"))

	sums(func(t int, base reg.GPPhysical, disp int) { tilestored(c, t, base, ldc, disp) })
	c.MOVQ(ldc, reg.RAX)
	c.SHLQ(U8(5), reg.RAX)
	c.ADDQ(reg.RAX, cc)
	c.MOVQ(param(c, "astep"), reg.RAX)
	c.ADDQ(reg.RAX, param(c, "a"))
	c.DECQ(param(c, "tiles"))
	c.JNZ(LabelRef("block"))
	tilerelease(c)
	c.RET()
}

// xcr0 writes a function that says what states the system saves for a thread.
func xcr0(c *build.Context) {
	c.Function("xcr0")
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func() uint32")
	c.Doc("xcr0 is the lower half of extended control register 0. Only where the system uses XSAVE.")
	c.XORL(reg.ECX, reg.ECX)
	c.XGETBV()
	c.Store(reg.EAX, c.ReturnIndex(0))
	c.RET()
}

// The prefix that VEX stands for.
const (
	np = iota
	p66
	pF3
	pF2
)

// memory is [base + index + disp], or [base] where index is nil.
type memory struct {
	base, index reg.GPPhysical
	disp        int
}

func (m memory) String() string {
	if m.index == nil {
		return "[" + gnuName(m.base) + "]"
	}
	s := fmt.Sprintf("[%s+%s*1", gnuName(m.base), gnuName(m.index))
	if m.disp != 0 {
		s += fmt.Sprintf("+%d", m.disp)
	}
	return s + "]"
}

// gnuName is a register in the words of GNU as; avo numbers them as the processor does.
func gnuName(r reg.GPPhysical) string {
	return [...]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}[number(r)]
}

func number(r reg.GPPhysical) int { return int(r.PhysicalIndex()) }

func ldtilecfg(c *build.Context, from reg.GPPhysical) {
	onMemory(c, "ldtilecfg %s", np, 0x49, 0, memory{base: from})
}

func tilerelease(c *build.Context) {
	emit(c, "tilerelease", vex(np, 0, 0, 0, 0x49, 0xc0))
}

func tilezero(c *build.Context, t int) {
	emit(c, fmt.Sprintf("tilezero tmm%d", t), vex(pF2, 0, 0, 0, 0x49, byte(0xc0|t<<3)))
}

func tileloadd(c *build.Context, t int, base, index reg.GPPhysical, disp int) {
	onMemory(c, fmt.Sprintf("tileloadd tmm%d, %%s", t), pF2, 0x4b, t, memory{base, index, disp})
}

func tilestored(c *build.Context, t int, base, index reg.GPPhysical, disp int) {
	onMemory(c, fmt.Sprintf("tilestored %%s, tmm%d", t), pF3, 0x4b, t, memory{base, index, disp})
}

// tdpbf16ps adds the product of tiles a and b to tile sum.
func tdpbf16ps(c *build.Context, sum, a, b int) {
	emit(c, fmt.Sprintf("tdpbf16ps tmm%d, tmm%d, tmm%d", sum, a, b), vex(pF3, 0, 0, b, 0x5c, byte(0xc0|sum<<3|a)))
}

// onMemory writes an instruction of tile t and a place in memory; text has a %s for the place.
func onMemory(c *build.Context, text string, prefix int, opcode byte, t int, m memory) {
	base, modrm, tail := number(m.base), byte(t<<3), []byte(nil)
	if base&7 == 5 || m.disp < 0 || m.disp > 127 || (m.index == nil && base&7 == 4) {
		panic("no encoding for " + m.String())
	}
	index := 0
	if m.index == nil {
		modrm |= byte(base & 7)
	} else {
		index = number(m.index)
		modrm |= 4
		tail = append(tail, byte(index&7<<3|base&7))
	}
	if m.disp != 0 {
		modrm |= 0x40
		tail = append(tail, byte(m.disp))
	}
	emit(c, fmt.Sprintf(text, m), append(vex(prefix, index, base, 0, opcode, modrm), tail...))
}

// vex encodes an instruction of map 0F38 with the three-byte prefix, W and L 0: index and base are the registers of
// an address, v is the register in VEX.vvvv. The prefix holds the upper bits of them all inverted.
func vex(prefix, index, base, v int, opcode, modrm byte) []byte {
	return []byte{0xc4, byte(0xe2 ^ index>>3<<6 ^ base>>3<<5), byte((^v&15)<<3 | prefix), opcode, modrm}
}

// emit writes bytes as they are, behind what they mean.
func emit(c *build.Context, text string, code []byte) {
	c.Comment(text)
	for len(code) > 0 {
		op, size := "BYTE", 1
		var v Op = U8(code[0])
		if len(code) >= 4 {
			op, size, v = "LONG", 4, U32(binary.LittleEndian.Uint32(code))
		}
		c.Instruction(&ir.Instruction{Opcode: op, Operands: []Op{v}})
		code = code[size:]
	}
}
