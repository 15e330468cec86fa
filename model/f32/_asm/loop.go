package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gen writes vector kernels of one instruction set.
type gen struct {
	*build.Context
	set
	constants map[uint32]Mem
	table     Mem
}

func newGen(c *build.Context, s set) *gen {
	g := &gen{Context: c, set: s, constants: map[uint32]Mem{}}
	if !s.wide() {
		g.table = maskTable(c)
	}
	return g
}

// k is a constant in every lane, in memory.
func (g *gen) k(v float64) Mem { return g.bits(math.Float32bits(float32(v))) }

func (g *gen) bits(b uint32) Mem {
	if m, ok := g.constants[b]; ok {
		return m
	}
	m := g.StaticGlobal(fmt.Sprintf("lanes_%08x", b))
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range g.lanes {
		g.AppendDatum(U32(b))
	}
	g.constants[b] = m
	return m
}

func (g *gen) v() reg.VecVirtual { return g.set.vec(g.Context) }

// load puts a constant in a fresh register.
func (g *gen) load(m Mem) reg.VecVirtual {
	r := g.v()
	g.VMOVUPS(m, r)
	return r
}

// param puts a float parameter in every lane of a fresh register.
func (g *gen) param(name string) reg.VecVirtual {
	r := g.v()
	broadcast(g.Context, name, r)
	return r
}

func (g *gen) zeroed() reg.VecVirtual {
	r := g.v()
	g.set.zero(g.Context, r)
	return r
}

// slice is a parameter walked by the loop.
type slice struct{ base reg.GPVirtual }

// lane is one vector's place in the slices: all lanes, or in the tail the first few.
type lane struct {
	g    *gen
	i    reg.GPVirtual
	u    int // vectors after i
	tail bool
	k    reg.OpmaskVirtual
	m    reg.VecVirtual
}

func (l lane) mem(s slice) Mem {
	return Mem{Base: s.base, Index: l.i, Scale: 4, Disp: l.u * l.g.bytes()}
}

func (l lane) get(s slice) reg.VecVirtual {
	r := l.g.v()
	switch {
	case !l.tail:
		l.g.VMOVUPS(l.mem(s), r)
	case l.g.wide():
		l.g.VMOVUPS_Z(l.mem(s), l.k, r)
	default:
		l.g.VMASKMOVPS(l.mem(s), l.m, r)
	}
	return r
}

func (l lane) put(r reg.VecVirtual, s slice) {
	switch {
	case !l.tail:
		l.g.VMOVUPS(r, l.mem(s))
	case l.g.wide():
		l.g.VMOVUPS(r, l.k, l.mem(s))
	default:
		l.g.VMASKMOVPS(r, l.m, l.mem(s))
	}
}

// live zeroes the lanes beyond the end, so that they add nothing to a sum.
func (l lane) live(r reg.VecVirtual) reg.VecVirtual {
	switch {
	case !l.tail:
	case l.g.wide():
		l.g.VMOVAPS_Z(r, l.k, r)
	default:
		l.g.VANDPS(r, l.m, r)
	}
	return r
}

// liveOr puts the other value in the lanes beyond the end.
func (l lane) liveOr(r, other reg.VecVirtual) reg.VecVirtual {
	switch {
	case !l.tail:
		return r
	case l.g.wide():
		t := l.g.v()
		l.g.VMOVAPS(other, t)
		l.g.VMOVAPS(r, l.k, t)
		return t
	default:
		l.g.VBLENDVPS(l.m, r, other, r)
		return r
	}
}

func (g *gen) slice(name string) slice {
	return slice{g.Load(g.Param(name).Base(), g.GP64()).(reg.GPVirtual)}
}

// each walks the length of the named slice: body is written for unroll vectors side by side (lane.u tells
// them apart), for one, and for a part of one.
func (g *gen) each(name string, unroll int, body func(l lane)) {
	n := g.Load(g.Param(name).Len(), g.GP64()).(reg.GPVirtual)
	i := g.GP64()
	g.XORQ(i, i)
	if unroll > 1 {
		g.walk(n, i, unroll, "unrolled", body)
	}
	g.walk(n, i, 1, "single", body)
	g.TESTQ(n, n)
	g.JZ(LabelRef("done"))
	body(g.part(n, i))
	g.Label("done")
}

// part is the place of the last n lanes, fewer than a vector; n is overwritten.
func (g *gen) part(n, i reg.GPVirtual) lane {
	l := lane{g: g, i: i, tail: true}
	if g.wide() {
		ones := g.GP64()
		g.MOVQ(I32(-1), ones)
		g.BZHIQ(n, ones, ones)
		l.k = g.K()
		g.KMOVW(ones.As32(), l.k)
	} else {
		at := g.GP64()
		g.LEAQ(g.table.Offset(64), at)
		g.SHLQ(U8(2), n)
		g.SUBQ(n, at)
		l.m = g.load(Mem{Base: at})
	}
	return l
}

// walk takes unroll vectors at a time while that many are left in n.
func (g *gen) walk(n, i reg.GPVirtual, unroll int, name string, body func(l lane)) {
	step := unroll * g.lanes
	g.SUBQ(I32(step), n)
	g.JL(LabelRef(name + "End"))
	g.Label(name)
	for u := range unroll {
		body(lane{g: g, i: i, u: u})
	}
	g.ADDQ(I32(step), i)
	g.SUBQ(I32(step), n)
	g.JGE(LabelRef(name))
	g.Label(name + "End")
	g.ADDQ(I32(step), n)
}

// total adds (or folds by op) all lanes of the accumulators and returns the scalar's register.
func (g *gen) total(acc []reg.VecVirtual, op func(ops ...Op)) reg.VecVirtual {
	for step := len(acc) / 2; step >= 1; step /= 2 {
		for i := range step {
			op(acc[i+step], acc[i], acc[i])
		}
	}
	r := acc[0]
	if g.wide() {
		t := g.YMM()
		g.VEXTRACTF64X4(U8(1), r, t)
		op(t, r.AsY(), r.AsY())
	}
	t := g.XMM()
	g.VEXTRACTF128(U8(1), r.AsY(), t)
	op(t, r.AsX(), r.AsX())
	g.VPERMILPS(U8(0x4e), r.AsX(), t)
	op(t, r.AsX(), r.AsX())
	g.VPERMILPS(U8(0xb1), r.AsX(), t)
	op(t, r.AsX(), r.AsX())
	return r
}

func (g *gen) accumulators(n int) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, n)
	for i := range acc {
		acc[i] = g.zeroed()
	}
	return acc
}

// function writes one kernel around body.
func (g *gen) function(name, signature, doc string, body func()) {
	begin(g.Context, name+g.name, "func("+signature+")", doc)
	body()
	g.VZEROUPPER()
	g.RET()
}
