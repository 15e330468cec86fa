package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// recurrence writes one row of a linear recurrence. A strip of four vectors of columns at a time is taken down the rows of
// S, which are read and written once; then single vectors, and a part of one.
func (g *gen) recurrence() {
	doc := "sets s = gamma·s + kᵀv and then o = q·s; s has len(q) rows of len(o) elements."
	g.function("recur", "o, q, k, v, s []float32, gamma float32", doc, func() {
		o, v, s := g.slice("o"), g.slice("v"), g.slice("s")
		stride := g.Load(g.Param("o").Len(), g.GP64()).(reg.GPVirtual)
		g.SHLQ(U8(2), stride)
		gamma := g.param("gamma")
		n := g.Load(g.Param("o").Len(), g.GP64()).(reg.GPVirtual)
		i := g.GP64()
		g.XORQ(i, i)
		strip := func(name string, vectors int, tail lane) {
			at := func(u int) lane { return lane{g: g, i: i, u: u, tail: tail.tail, k: tail.k, m: tail.m} }
			acc, vs := g.accumulators(vectors), make([]reg.VecVirtual, vectors)
			for u := range vs {
				vs[u] = at(u).get(v)
			}
			q := g.Load(g.Param("q").Base(), g.GP64()).(reg.GPVirtual)
			k := g.Load(g.Param("k").Base(), g.GP64()).(reg.GPVirtual)
			rows := g.Load(g.Param("q").Len(), g.GP64()).(reg.GPVirtual)
			row := g.GP64()
			g.MOVQ(s.base, row)
			g.TESTQ(rows, rows)
			g.JZ(LabelRef(name + "Summed"))
			g.Label(name + "Row")
			kv, qv := g.v(), g.v()
			g.VBROADCASTSS(Mem{Base: k}, kv)
			g.VBROADCASTSS(Mem{Base: q}, qv)
			for u := range vs {
				x := at(u).get(slice{row})
				g.VMULPS(gamma, x, x)
				g.VFMADD231PS(kv, vs[u], x)
				at(u).put(x, slice{row})
				g.VFMADD231PS(qv, x, acc[u])
			}
			g.ADDQ(I32(4), k)
			g.ADDQ(I32(4), q)
			g.ADDQ(stride, row)
			g.DECQ(rows)
			g.JNZ(LabelRef(name + "Row"))
			g.Label(name + "Summed")
			for u := range vs {
				at(u).put(acc[u], o)
			}
		}
		for _, vectors := range []int{4, 1} {
			name, step := label("strip", vectors), vectors*g.lanes
			g.SUBQ(I32(step), n)
			g.JL(LabelRef(name + "End"))
			g.Label(name)
			strip(name, vectors, lane{})
			g.ADDQ(I32(step), i)
			g.SUBQ(I32(step), n)
			g.JGE(LabelRef(name))
			g.Label(name + "End")
			g.ADDQ(I32(step), n)
		}
		g.TESTQ(n, n)
		g.JZ(LabelRef("done"))
		strip("part", 1, g.part(n, i))
		g.Label("done")
	})
}
