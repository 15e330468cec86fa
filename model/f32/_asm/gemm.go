package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const tileSignature = "func(tiles, k int, a *float32, ars, acs, astep int, b *float32, bs int, c *float32, ldc, cols, flags int, alpha float32, pf uintptr, pfs int)"

// gemm writes the product kernels of one instruction set: every height from 1 to mr, one and two vectors wide.
func gemm(c *build.Context, s set) {
	var table Mem
	if !s.wide() {
		table = maskTable(c)
	}
	tiles(c, s, table)
	for panels := 1; panels <= 4; panels++ {
		row(c, s, panels)
	}
	transpose(c, s)
	copyRows(c, s)
	copyPart(c, s, table)
	copyFour(c, s, table)
	peak(c, s)
}

// tiles writes the product kernels of every shape.
func tiles(c *build.Context, s set, table Mem) {
	for nv := 2; nv >= 1; nv-- {
		for mr := s.mr; mr >= 1; mr-- {
			tile(c, s, mr, nv, table)
		}
	}
}

// rows addresses row i of a matrix from three base registers four rows apart.
type rows struct {
	base        [3]reg.GPVirtual
	stride, tri reg.GPVirtual // row distance in bytes, and three times it
}

func (r rows) at(i, disp int) Mem {
	m := Mem{Base: r.base[i/4], Disp: disp}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.tri, 1
	}
	return m
}

// newRows points n rows at base.
func newRows(c *build.Context, n int, base, stride reg.GPVirtual) rows {
	r := rows{stride: stride}
	if n > 3 {
		r.tri = c.GP64()
		c.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.tri)
	}
	for g := 0; 4*g < n; g++ {
		r.base[g] = c.GP64()
		if g == 0 {
			c.MOVQ(base, r.base[0])
		} else {
			c.LEAQ(Mem{Base: r.base[g-1], Index: stride, Scale: 4}, r.base[g])
		}
	}
	return r
}

// tile writes one kernel. All sums of a tile stay in registers over k; one of one or two rows keeps several sums for
// each element (of every second or fourth k), because a chain of dependent additions would wait on itself.
func tile(c *build.Context, s set, mr, nv int, table Mem) {
	name := fmt.Sprintf("gemm%dx%d%s", mr, nv*s.lanes, s.name)
	begin(c, name, tileSignature, fmt.Sprintf("multiplies tiles blocks of %d rows of A with k rows of at most %d columns of B,", mr, nv*s.lanes)+s.elements(),
		"C = alpha·A·B (flags&1: added to C; flags&2 clear: alpha is 1). Element (i,l) of A lies at a+i·ars+l·acs,",
		"row l of B at b+l·bs (always read whole), row i of C at c+i·ldc, the next block of A at a+astep, strides in bytes;",
		"cols columns of C are written. Meanwhile the highest blocks fetch 128 bytes of one more row for",
		"every eight of k, pfs bytes apart, from pf on into the second cache; lower ones of four rows or more fetch what",
		"lies pf bytes behind each row of B.")
	split := 1
	for mr < 3 && mr*nv*split < 8 && split < 4 {
		split *= 2
	}
	m := newStoreMask(c, s, nv, table)
	c.Label("tile")
	acc := make([]reg.VecVirtual, mr*nv*split)
	for i := range acc {
		acc[i] = s.vec(c)
		s.zero(c, acc[i])
	}
	tileSums(c, s, mr, nv, split, acc)
	for step := split / 2; step >= 1; step /= 2 {
		for i := range mr * nv * step {
			c.VADDPS(acc[i+mr*nv*step], acc[i], acc[i])
		}
	}
	tileStore(c, s, mr, nv, acc, m)
	move := func(pointer, by string, times int) {
		step := loadGP(c, by)
		if times != 1 {
			c.IMUL3Q(I32(times), step, step)
		}
		c.ADDQ(step, param(c, pointer))
	}
	move("a", "astep", 1)
	move("c", "ldc", mr)
	c.DECQ(param(c, "tiles"))
	c.JNZ(LabelRef("tile"))
	c.VZEROUPPER()
	c.RET()
}

// tileSums adds the products of one tile over k. The loop is unrolled so that its end is foreseen, and 16 times
// in the tallest tile, a line of a row of A, with one line of each row fetched ahead.
func tileSums(c *build.Context, s set, mr, nv, split int, acc []reg.VecVirtual) {
	cr := newRows(c, mr, loadGP(c, "c"), loadGP(c, "ldc"))
	for i := range mr {
		for v := 0; v < nv*s.bytes(); v += 64 {
			c.PREFETCHT0(cr.at(i, v))
		}
	}
	ar := newRows(c, mr, loadGP(c, "a"), loadGP(c, "ars"))
	acs, b, bs, k := loadGP(c, "acs"), loadGP(c, "b"), loadGP(c, "bs"), loadGP(c, "k")
	var next reg.GPVirtual
	if mr > 3 && mr < s.mr {
		next = loadGP(c, "pf")
	}
	step := func(u int) {
		if mr > 3 && mr < s.mr {
			c.PREFETCHT1(Mem{Base: b, Index: next, Scale: 1})
		}
		bv := make([]reg.VecVirtual, nv)
		for v := range nv {
			bv[v] = s.vec(c)
			c.VMOVUPS(Mem{Base: b, Disp: v * s.bytes()}, bv[v])
		}
		for i := range mr {
			x := s.vec(c)
			c.VBROADCASTSS(ar.at(i, 0), x)
			for v := range nv {
				s.madd(c, bv[v], x, acc[(u%split*mr+i)*nv+v])
			}
		}
		if mr > 3 {
			c.PREFETCHT0(Mem{Base: ar.base[0], Index: acs, Scale: 8})
		}
		if mr > 4 {
			c.PREFETCHT0(Mem{Base: ar.base[(mr-1)/4], Index: acs, Scale: 8})
		}
		for g := 0; 4*g < mr; g++ {
			c.ADDQ(acs, ar.base[g])
		}
		if mr <= 2 { // B alone is what takes time: it comes from the third cache
			for v := 0; v < nv*s.bytes(); v += 64 {
				c.PREFETCHT0(Mem{Base: b, Disp: 2048 + v})
			}
		}
		c.ADDQ(bs, b)
	}
	unroll, ahead := 4, func() {}
	if mr == s.mr {
		unroll = 16
		pf, pfs := loadGP(c, "pf"), loadGP(c, "pfs")
		ahead = func() {
			for range 2 {
				c.PREFETCHT1(Mem{Base: pf})
				c.PREFETCHT1(Mem{Base: pf, Disp: 64})
				c.ADDQ(pfs, pf)
			}
			c.MOVQ(pf, param(c, "pf"))
		}
	}
	c.SUBQ(I32(unroll), k)
	c.JL(LabelRef("rest"))
	c.Label("unrolled")
	ahead()
	for u := range unroll {
		step(u)
	}
	c.SUBQ(I32(unroll), k)
	c.JGE(LabelRef("unrolled"))
	c.Label("rest")
	c.ADDQ(I32(unroll), k)
	c.JZ(LabelRef("summed"))
	c.Label("each")
	step(0)
	c.DECQ(k)
	c.JNZ(LabelRef("each"))
	c.Label("summed")
}

// row writes the kernel of a single row of A and several panels of B at once: one row leaves nothing to do but to fetch
// B, and the processor fetches several streams side by side faster than one. Every sum is over k in its order, as in
// the taller tiles, so that a row's result does not depend on how many rows there are.
func row(c *build.Context, s set, panels int) {
	wide := 2 * s.bytes()
	begin(c, fmt.Sprintf("row%dx%d%s", panels, 2*s.lanes, s.name), "func(k int, a, b *float32, pitch int, c *float32)",
		fmt.Sprintf("multiplies k elements at a with %d panels of B, pitch bytes apart and each of k rows", panels),
		fmt.Sprintf("of %d columns, and adds to the columns at c.", 2*s.lanes))
	k, a, pitch := loadGP(c, "k"), loadGP(c, "a"), loadGP(c, "pitch")
	base := []reg.GPVirtual{loadGP(c, "b")}
	for len(base) < panels {
		at := c.GP64()
		c.LEAQ(Mem{Base: base[len(base)-1], Index: pitch, Scale: 1}, at)
		base = append(base, at)
	}
	acc := make([]reg.VecVirtual, 2*panels)
	for i := range acc {
		acc[i] = s.vec(c)
		s.zero(c, acc[i])
	}
	step := func(u int) {
		x := s.vec(c)
		c.VBROADCASTSS(Mem{Base: a, Disp: 4 * u}, x)
		for i := range acc {
			c.VFMADD231PS(Mem{Base: base[i/2], Disp: u*wide + i%2*s.bytes()}, x, acc[i])
		}
	}
	move := func(steps int) {
		for u := range steps {
			step(u)
		}
		c.ADDQ(I32(4*steps), a)
		for _, b := range base {
			c.ADDQ(I32(steps*wide), b)
		}
	}
	const unroll = 4
	c.SUBQ(I32(unroll), k)
	c.JL(LabelRef("rest"))
	c.Label("unrolled")
	move(unroll)
	c.SUBQ(I32(unroll), k)
	c.JGE(LabelRef("unrolled"))
	c.Label("rest")
	c.ADDQ(I32(unroll), k)
	c.JZ(LabelRef("summed"))
	c.Label("each")
	move(1)
	c.DECQ(k)
	c.JNZ(LabelRef("each"))
	c.Label("summed")
	to := loadGP(c, "c")
	for i := range acc {
		c.VADDPS(Mem{Base: to, Disp: i * s.bytes()}, acc[i], acc[i])
		c.VMOVUPS(acc[i], Mem{Base: to, Disp: i * s.bytes()})
	}
	c.VZEROUPPER()
	c.RET()
}

// param is the place of a parameter in memory.
func param(c *build.Context, name string) Mem {
	p, err := c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// storeMask says which columns of C exist.
type storeMask struct {
	k     []reg.OpmaskVirtual // AVX-512: one mask register a vector
	cols  reg.GPVirtual
	table Mem
}

func newStoreMask(c *build.Context, s set, nv int, table Mem) storeMask {
	m := storeMask{table: table}
	if !s.wide() {
		return m
	}
	cols, bits := loadGP(c, "cols"), c.GP64()
	c.MOVQ(I32(-1), bits)
	c.BZHIQ(cols, bits, bits)
	for v := range nv {
		m.k = append(m.k, c.K())
		if v > 0 {
			c.SHRQ(U8(16), bits)
		}
		c.KMOVW(bits.As32(), m.k[v])
	}
	return m
}

// tileStore writes one tile of C.
func tileStore(c *build.Context, s set, mr, nv int, acc []reg.VecVirtual, m storeMask) {
	flags := loadGP(c, "flags")
	cr := newRows(c, mr, loadGP(c, "c"), loadGP(c, "ldc"))
	alpha := s.vec(c)
	broadcast(c, "alpha", alpha)
	if s.wide() {
		storeRows(c, s, mr, nv, cr, acc, alpha, flags, "", func(v int, from Mem, to reg.VecVirtual) { c.VMOVUPS_Z(from, m.k[v], to) },
			func(v int, from reg.VecVirtual, to Mem) { c.VMOVUPS(from, m.k[v], to) })
		c.Label("stored")
		return
	}
	cols := loadGP(c, "cols")
	c.CMPQ(cols, I32(nv*s.lanes))
	c.JNE(LabelRef("edge"))
	storeRows(c, s, mr, nv, cr, acc, alpha, flags, "whole", func(_ int, from Mem, to reg.VecVirtual) { c.VMOVUPS(from, to) },
		func(_ int, from reg.VecVirtual, to Mem) { c.VMOVUPS(from, to) })
	c.JMP(LabelRef("stored"))
	c.Label("edge")
	at := c.GP64()
	c.LEAQ(m.table.Offset(64), at)
	c.SHLQ(U8(2), cols)
	c.SUBQ(cols, at)
	masks := make([]reg.VecVirtual, nv)
	for v := range nv {
		masks[v] = s.vec(c)
		c.VMOVUPS(Mem{Base: at, Disp: v * s.bytes()}, masks[v])
	}
	storeRows(c, s, mr, nv, cr, acc, alpha, flags, "edge", func(v int, from Mem, to reg.VecVirtual) { c.VMASKMOVPS(from, masks[v], to) },
		func(v int, from reg.VecVirtual, to Mem) { c.VMASKMOVPS(from, masks[v], to) })
	c.Label("stored")
}

func storeRows(c *build.Context, s set, mr, nv int, cr rows, acc []reg.VecVirtual, alpha reg.VecVirtual, flags reg.GPVirtual, kind string,
	load func(v int, from Mem, to reg.VecVirtual), store func(v int, from reg.VecVirtual, to Mem)) {
	each := func(f func(i, v int)) {
		for i := range mr {
			for v := range nv {
				f(i, v)
			}
		}
	}
	c.TESTQ(U32(2), flags)
	c.JZ(LabelRef(kind + "unscaled"))
	each(func(i, v int) { c.VMULPS(alpha, acc[i*nv+v], acc[i*nv+v]) })
	c.Label(kind + "unscaled")
	c.TESTQ(U32(1), flags)
	c.JZ(LabelRef(kind + "fresh"))
	each(func(i, v int) {
		t := s.vec(c)
		load(v, cr.at(i, v*s.bytes()), t)
		c.VADDPS(t, acc[i*nv+v], t)
		store(v, t, cr.at(i, v*s.bytes()))
	})
	c.JMP(LabelRef("stored"))
	c.Label(kind + "fresh")
	each(func(i, v int) { store(v, acc[i*nv+v], cr.at(i, v*s.bytes())) })
}

// peak writes a loop of independent multiply-adds on registers: the most this processor can do.
func peak(c *build.Context, s set) {
	begin(c, "peak"+s.name, "func(loops int)", fmt.Sprintf("does loops times 12 independent multiply-adds of %d lanes.", s.lanes))
	loops := loadGP(c, "loops")
	x := s.vec(c)
	s.zero(c, x)
	acc := make([]reg.VecVirtual, 12)
	for i := range acc {
		acc[i] = s.vec(c)
		s.zero(c, acc[i])
	}
	c.Label("loop")
	for i := range acc {
		s.madd(c, x, x, acc[i])
	}
	c.DECQ(loops)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
