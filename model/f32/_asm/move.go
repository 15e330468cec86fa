package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose writes the kernel that turns square blocks of one vector's side.
func transpose(c *build.Context, s set) {
	n := s.lanes
	begin(c, "transpose"+s.name, "func(blocks int, dst *float32, ldd int, src *float32, lds int)",
		fmt.Sprintf("transposes blocks squares of %d×%d: square b is read from columns %d·b of src and", n, n, n),
		fmt.Sprintf("written to rows %d·b of dst. ldd and lds are row distances in bytes.", n))
	blocks, dst, ldd, src, lds := loadGP(c, "blocks"), loadGP(c, "dst"), loadGP(c, "ldd"), loadGP(c, "src"), loadGP(c, "lds")
	c.Label("block")
	in := newFar(c, n, src, lds)
	out := newRows(c, 4, dst, ldd)
	for g := range n / 4 {
		var t, u [4]reg.VecVirtual
		for i := range t {
			t[i] = quarters(c, s, in, i, 16*g)
			u[i] = s.vec(c)
		}
		// Each 128-bit lane of t[0..3] holds four columns of four consecutive rows: turn the lanes.
		c.VUNPCKLPS(t[1], t[0], u[0])
		c.VUNPCKHPS(t[1], t[0], u[1])
		c.VUNPCKLPS(t[3], t[2], u[2])
		c.VUNPCKHPS(t[3], t[2], u[3])
		c.VUNPCKLPD(u[2], u[0], t[0])
		c.VUNPCKHPD(u[2], u[0], t[1])
		c.VUNPCKLPD(u[3], u[1], t[2])
		c.VUNPCKHPD(u[3], u[1], t[3])
		for i := range t {
			c.VMOVUPS(t[i], out.at(i, 0))
		}
		c.LEAQ(Mem{Base: out.base[0], Index: ldd, Scale: 4}, out.base[0])
	}
	c.MOVQ(out.base[0], dst)
	c.ADDQ(I32(4*n), src)
	c.DECQ(blocks)
	c.JNZ(LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}

// far addresses up to 16 rows from two base registers eight rows apart.
type far struct {
	base               [2]reg.GPVirtual
	stride, s3, s5, s7 reg.GPVirtual
}

func newFar(c *build.Context, n int, base, stride reg.GPVirtual) far {
	f := far{stride: stride, s3: c.GP64(), s5: c.GP64(), s7: c.GP64()}
	c.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, f.s3)
	c.LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, f.s5)
	c.LEAQ(Mem{Base: f.s3, Index: stride, Scale: 4}, f.s7)
	f.base[0] = base
	if n > 8 {
		f.base[1] = c.GP64()
		c.LEAQ(Mem{Base: base, Index: stride, Scale: 8}, f.base[1])
	}
	return f
}

func (f far) at(i, disp int) Mem {
	m := Mem{Base: f.base[i/8], Disp: disp}
	switch i % 8 {
	case 1, 2, 4:
		m.Index, m.Scale = f.stride, uint8(i%8)
	case 3, 6:
		m.Index, m.Scale = f.s3, uint8(i%8/3)
	case 5:
		m.Index, m.Scale = f.s5, 1
	case 7:
		m.Index, m.Scale = f.s7, 1
	}
	return m
}

// quarters loads four columns of rows i, i+4, i+8, … into the 128-bit lanes of one vector. Inserting from
// memory keeps the shuffle port free.
func quarters(c *build.Context, s set, in far, i, disp int) reg.VecVirtual {
	x := s.vec(c)
	c.VMOVUPS(in.at(i, disp), x.AsX())
	if !s.wide() {
		c.VINSERTF128(U8(1), in.at(i+4, disp), x, x)
		return x
	}
	for q := 1; q < 4; q++ {
		c.VINSERTF32X4(U8(q), in.at(i+4*q, disp), x, x)
	}
	return x
}

// copyRows writes the kernel that packs columns of a matrix stored row by row.
func copyRows(c *build.Context, s set) {
	begin(c, "copyRows"+s.name, "func(rows int, dst, src *float32, lds int)",
		fmt.Sprintf("copies %d elements of each of rows rows, lds bytes apart, to dst without gaps.", 2*s.lanes))
	rows, dst, src, lds := loadGP(c, "rows"), loadGP(c, "dst"), loadGP(c, "src"), loadGP(c, "lds")
	ahead := c.GP64() // the rows lie too far apart for the processor to see the pattern
	c.MOVQ(lds, ahead)
	c.SHLQ(U8(3), ahead)
	line := func(u int) {
		x, y := s.vec(c), s.vec(c)
		c.VMOVUPS(Mem{Base: src}, x)
		c.VMOVUPS(Mem{Base: src, Disp: s.bytes()}, y)
		for at := 0; at < 2*s.bytes(); at += 64 {
			c.PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1, Disp: at})
		}
		c.VMOVUPS(x, Mem{Base: dst, Disp: 2 * u * s.bytes()})
		c.VMOVUPS(y, Mem{Base: dst, Disp: (2*u + 1) * s.bytes()})
		c.ADDQ(lds, src)
	}
	c.SUBQ(I32(4), rows)
	c.JL(LabelRef("rest"))
	c.Label("four")
	for u := range 4 {
		line(u)
	}
	c.ADDQ(I32(8*s.bytes()), dst)
	c.SUBQ(I32(4), rows)
	c.JGE(LabelRef("four"))
	c.Label("rest")
	c.ADDQ(I32(4), rows)
	c.JZ(LabelRef("done"))
	c.Label("one")
	line(0)
	c.ADDQ(I32(2*s.bytes()), dst)
	c.DECQ(rows)
	c.JNZ(LabelRef("one"))
	c.Label("done")
	c.VZEROUPPER()
	c.RET()
}

// copyPart writes the kernel that packs rows of a transposed matrix.
func copyPart(c *build.Context, s set, table Mem) {
	begin(c, "copyPart"+s.name, "func(rows, width int, dst, src *float32, lds int)",
		fmt.Sprintf("copies width ≤ %d elements of each of rows rows, lds bytes apart, and zeros up to %d, to dst without gaps.", s.lanes, s.lanes))
	rows, width, dst, src, lds := loadGP(c, "rows"), loadGP(c, "width"), loadGP(c, "dst"), loadGP(c, "src"), loadGP(c, "lds")
	var get func(x reg.VecVirtual)
	if s.wide() {
		bits, k := c.GP64(), c.K()
		c.MOVQ(I32(-1), bits)
		c.BZHIQ(width, bits, bits)
		c.KMOVW(bits.As32(), k)
		get = func(x reg.VecVirtual) { c.VMOVUPS_Z(Mem{Base: src}, k, x) }
	} else {
		at, m := c.GP64(), s.vec(c)
		c.LEAQ(table.Offset(64), at)
		c.SHLQ(U8(2), width)
		c.SUBQ(width, at)
		c.VMOVUPS(Mem{Base: at}, m)
		get = func(x reg.VecVirtual) { c.VMASKMOVPS(Mem{Base: src}, m, x) }
	}
	ahead := c.GP64()
	c.MOVQ(lds, ahead)
	c.SHLQ(U8(3), ahead)
	c.Label("row")
	x := s.vec(c)
	get(x)
	c.PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1})
	c.ADDQ(lds, src)
	c.VMOVUPS(x, Mem{Base: dst})
	c.ADDQ(I32(s.bytes()), dst)
	c.DECQ(rows)
	c.JNZ(LabelRef("row"))
	c.VZEROUPPER()
	c.RET()
}

// copyFour writes the kernel that packs rows of a transposed matrix for four whole tiles at once. The wide one
// reads whole vectors and shifts them into place; what it leaves behind a tile's rows is never read.
func copyFour(c *build.Context, s set, table Mem) {
	begin(c, "copyFour"+s.name, "func(rows int, dst *float32, step int, src *float32, lds int)",
		fmt.Sprintf("copies four times %d elements of each of rows rows, lds bytes apart, to four", s.mr),
		fmt.Sprintf("places step bytes apart, rows of %d elements without gaps; only the first %d of them matter.", s.lanes, s.mr))
	rows, dst, step, src, lds := loadGP(c, "rows"), loadGP(c, "dst"), loadGP(c, "step"), loadGP(c, "src"), loadGP(c, "lds")
	to := newRows(c, 4, dst, step)
	var last reg.VecVirtual
	if !s.wide() {
		last = s.vec(c)
		c.VMOVUPS(table.Offset(64-4*s.mr), last)
	}
	ahead := c.GP64()
	c.MOVQ(lds, ahead)
	c.SHLQ(U8(3), ahead)
	c.Label("row")
	x := make([]reg.VecVirtual, 4)
	for i := range x {
		x[i] = s.vec(c)
		switch {
		case !s.wide() && i == 3:
			c.VMASKMOVPS(Mem{Base: src, Disp: 4 * i * s.mr}, last, x[i])
		case !s.wide():
			c.VMOVUPS(Mem{Base: src, Disp: 4 * i * s.mr}, x[i])
		case i < 3:
			c.VMOVUPS(Mem{Base: src, Disp: 64 * i}, x[i])
		}
	}
	if s.wide() {
		c.VALIGND(U8(4), x[2], x[2], x[3])
		c.VALIGND(U8(8), x[1], x[2], x[2])
		c.VALIGND(U8(12), x[0], x[1], x[1])
	}
	for d := 0; d < 16*s.mr; d += 64 {
		c.PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1, Disp: d})
	}
	c.ADDQ(lds, src)
	for i := range x {
		c.VMOVUPS(x[i], to.at(i, 0))
	}
	c.ADDQ(I32(s.bytes()), to.base[0])
	c.DECQ(rows)
	c.JNZ(LabelRef("row"))
	c.VZEROUPPER()
	c.RET()
}
