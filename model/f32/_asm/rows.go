package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// blockRows writes what is done to the rows of a block: kernels that walk rows and, within them, columns.
func (g *gen) blockRows() {
	g.fetchRows()
	g.causalRound()
	g.dotRows()
	g.rowDots()
	g.addRows()
	g.addOuter()
	g.scaleRows("scaleRound", "x *float32", 4, true)
	g.scaleRows("scaleRows", "x *uint16", 2, true)
	g.scaleRows("roundRows", "x *float32", 4, false)
	g.sumRoundRows("sumRoundRows", false)
	g.sumRoundRows("eluRoundRows", true)
}

// arg loads a parameter into a general register.
func (g *gen) arg(name string) reg.GPVirtual { return loadGP(g.Context, name) }

// at is an element of a row, size bytes each.
func at(base, i reg.GPVirtual, size uint8) Mem { return Mem{Base: base, Index: i, Scale: size} }

// firstLanes is a mask of the first n lanes, n below 64.
func (g *gen) firstLanes(n reg.GPVirtual) reg.OpmaskVirtual {
	ones, k := g.GP64(), g.K()
	g.MOVQ(I32(-1), ones)
	g.BZHIQ(n, ones, ones)
	g.KMOVW(ones.As32(), k)
	return k
}

// across walks cols columns from i = 0: body is written for whole vectors and, with the mask k, for the rest.
func (g *gen) across(name string, cols reg.GPVirtual, k reg.OpmaskVirtual, body func(i reg.GPVirtual, tail bool)) {
	i, left := g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(cols, left)
	g.SUBQ(I32(g.lanes), left)
	g.JL(LabelRef(name + "Rest"))
	g.Label(name + "Whole")
	body(i, false)
	g.ADDQ(I32(g.lanes), i)
	g.SUBQ(I32(g.lanes), left)
	g.JGE(LabelRef(name + "Whole"))
	g.Label(name + "Rest")
	g.ADDQ(I32(g.lanes), left)
	g.JZ(LabelRef(name + "Done"))
	body(i, true)
	g.Label(name + "Done")
}

// tailMask is the mask of the columns behind the last whole vector.
func (g *gen) tailMask(cols reg.GPVirtual) reg.OpmaskVirtual {
	n := g.GP64()
	g.MOVQ(cols, n)
	g.ANDQ(I32(g.lanes-1), n)
	return g.firstLanes(n)
}

func (g *gen) get32(m Mem, k reg.OpmaskVirtual, tail bool) reg.VecVirtual {
	r := g.v()
	if tail {
		g.VMOVUPS_Z(m, k, r)
	} else {
		g.VMOVUPS(m, r)
	}
	return r
}

func (g *gen) put32(r reg.VecVirtual, m Mem, k reg.OpmaskVirtual, tail bool) {
	if tail {
		g.VMOVUPS(r, k, m)
	} else {
		g.VMOVUPS(r, m)
	}
}

func (g *gen) get16(m Mem, k reg.OpmaskVirtual, tail bool) reg.VecVirtual {
	r := g.v()
	if tail {
		g.VPMOVZXWD_Z(m, k, r)
	} else {
		g.VPMOVZXWD(m, r)
	}
	g.VPSLLD(U8(16), r, r)
	return r
}

func (g *gen) put16(r reg.VecVirtual, m Mem, k reg.OpmaskVirtual, tail bool) {
	y := g.YMM()
	roundLanes(g.Context, r, y)
	if tail {
		g.VMOVDQU16(y, k, m)
	} else {
		g.VMOVDQU16(y, m)
	}
}

// scalar loads one float32 into every lane.
func (g *gen) everyLane(m Mem) reg.VecVirtual {
	r := g.v()
	g.VBROADCASTSS(m, r)
	return r
}

func (g *gen) fetchRows() {
	g.function("fetchRows", "rows, bytes int, x *uint16, ldx int", "fetches rows of x, ldx bytes apart, into the second cache.", func() {
		rows, bytes, x, ldx := g.arg("rows"), g.arg("bytes"), g.arg("x"), g.arg("ldx")
		g.Label("row")
		at, left := g.GP64(), g.GP64()
		g.MOVQ(x, at)
		g.MOVQ(bytes, left)
		g.Label("line")
		g.PREFETCHT1(Mem{Base: at})
		g.ADDQ(I32(64), at)
		g.SUBQ(I32(64), left)
		g.JG(LabelRef("line"))
		g.ADDQ(ldx, x)
		g.DECQ(rows)
		g.JNZ(LabelRef("row"))
	})
}

func (g *gen) causalRound() {
	g.function("causalRound", "rows, width, n int, out *uint16, ldo int, x *float32, ldx int, add, sums *float32",
		"rounds the first n, n+1, … elements of rows (at most width), with add[i] added, and puts zeros behind them; sums may be nil. ldo and ldx are bytes.", func() {
			rows, width, n, out, ldo, x, ldx, add, sums := g.arg("rows"), g.arg("width"), g.arg("n"), g.arg("out"), g.arg("ldo"), g.arg("x"), g.arg("ldx"), g.arg("add"), g.arg("sums")
			zero := g.YMM()
			g.VPXOR(zero, zero, zero)
			g.Label("row")
			count := g.GP64()
			g.MOVQ(n, count)
			g.CMPQ(count, width)
			g.CMOVQGT(width, count)
			sum, plus := g.zeroed(), g.everyLane(Mem{Base: add})
			k := g.tailMask(count)
			end := g.GP64()
			g.XORQ(end, end)
			g.across("column", count, k, func(i reg.GPVirtual, tail bool) {
				v := g.get32(at(x, i, 4), k, tail)
				g.VADDPS(v, sum, sum)
				if tail {
					t := g.v()
					g.VADDPS_Z(plus, v, k, t)
					left, wide := g.GP64(), g.GP64()
					g.MOVQ(width, left)
					g.SUBQ(i, left)
					g.MOVQ(I32(g.lanes), wide)
					g.CMPQ(left, wide)
					g.CMOVQGT(wide, left)
					g.put16(t, at(out, i, 2), g.firstLanes(left), true)
				} else {
					g.VADDPS(plus, v, v)
					g.put16(v, at(out, i, 2), k, false)
				}
				g.LEAQ(Mem{Base: i, Disp: g.lanes}, end)
			})
			g.Label("zeros")
			left := g.GP64()
			g.MOVQ(width, left)
			g.SUBQ(end, left)
			g.JLE(LabelRef("filled"))
			g.CMPQ(left, I32(g.lanes))
			g.JL(LabelRef("few"))
			g.VMOVDQU16(zero, at(out, end, 2))
			g.ADDQ(I32(g.lanes), end)
			g.JMP(LabelRef("zeros"))
			g.Label("few")
			g.VMOVDQU16(zero, g.firstLanes(left), at(out, end, 2))
			g.Label("filled")
			g.TESTQ(sums, sums)
			g.JZ(LabelRef("next"))
			total := g.total([]reg.VecVirtual{sum}, g.VADDPS)
			g.VMOVSS(total.AsX(), Mem{Base: sums})
			g.ADDQ(I8(4), sums)
			g.Label("next")
			g.ADDQ(I8(4), add)
			g.ADDQ(ldo, out)
			g.ADDQ(ldx, x)
			g.INCQ(n)
			g.DECQ(rows)
			g.JNZ(LabelRef("row"))
		})
}

func (g *gen) dotRows() {
	g.function("dotRows", "rows, cols int, y *float32, x *uint16, ldx int, z *float32", "adds to y[i] the product of row i of x, ldx bytes apart, and z.", func() {
		rows, cols, y, x, ldx, z := g.arg("rows"), g.arg("cols"), g.arg("y"), g.arg("x"), g.arg("ldx"), g.arg("z")
		k := g.tailMask(cols)
		g.Label("row")
		sum := g.zeroed()
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			g.VFMADD231PS(g.get16(at(x, i, 2), k, tail), g.get32(at(z, i, 4), k, tail), sum)
		})
		total := g.total([]reg.VecVirtual{sum}, g.VADDPS)
		g.VADDSS(Mem{Base: y}, total.AsX(), total.AsX())
		g.VMOVSS(total.AsX(), Mem{Base: y})
		g.ADDQ(I8(4), y)
		g.ADDQ(ldx, x)
		g.DECQ(rows)
		g.JNZ(LabelRef("row"))
	})
}

func (g *gen) rowDots() {
	g.function("rowDots", "rows, cols int, y *float32, a *uint16, lda int, b *uint16, ldb int", "sets y[i] to the product of rows i of a and b, lda and ldb bytes apart.", func() {
		rows, cols, y, a, lda, b, ldb := g.arg("rows"), g.arg("cols"), g.arg("y"), g.arg("a"), g.arg("lda"), g.arg("b"), g.arg("ldb")
		k := g.tailMask(cols)
		g.Label("row")
		sum := g.zeroed()
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			g.VFMADD231PS(g.get16(at(a, i, 2), k, tail), g.get16(at(b, i, 2), k, tail), sum)
		})
		total := g.total([]reg.VecVirtual{sum}, g.VADDPS)
		g.VMOVSS(total.AsX(), Mem{Base: y})
		g.ADDQ(I8(4), y)
		g.ADDQ(lda, a)
		g.ADDQ(ldb, b)
		g.DECQ(rows)
		g.JNZ(LabelRef("row"))
	})
}

// addRows walks columns outside, so that their sums stay in registers.
func (g *gen) addRows() {
	g.function("addRows", "rows, cols int, z *float32, x *uint16, ldx int, w *float32", "adds to z the rows of x, ldx bytes apart, each times w[i].", func() {
		rows, cols, z, x, ldx, w := g.arg("rows"), g.arg("cols"), g.arg("z"), g.arg("x"), g.arg("ldx"), g.arg("w")
		k := g.tailMask(cols)
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			name := "row"
			if tail {
				name = "last"
			}
			sum, left, from, by := g.get32(at(z, i, 4), k, tail), g.GP64(), g.GP64(), g.GP64()
			g.MOVQ(rows, left)
			g.LEAQ(at(x, i, 2), from)
			g.MOVQ(w, by)
			g.Label(name)
			g.VFMADD231PS(g.get16(Mem{Base: from}, k, tail), g.everyLane(Mem{Base: by}), sum)
			g.ADDQ(ldx, from)
			g.ADDQ(I8(4), by)
			g.DECQ(left)
			g.JNZ(LabelRef(name))
			g.put32(sum, at(z, i, 4), k, tail)
		})
	})
}

func (g *gen) addOuter() {
	g.function("addOuter", "rows, cols int, c *float32, ldc int, w, z *float32", "adds w[i]·z to rows i of c, ldc bytes apart.", func() {
		rows, cols, c, ldc, w, z := g.arg("rows"), g.arg("cols"), g.arg("c"), g.arg("ldc"), g.arg("w"), g.arg("z")
		k := g.tailMask(cols)
		g.Label("row")
		by := g.everyLane(Mem{Base: w})
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			v := g.get32(at(c, i, 4), k, tail)
			g.VFMADD231PS(g.get32(at(z, i, 4), k, tail), by, v)
			g.put32(v, at(c, i, 4), k, tail)
		})
		g.ADDQ(I8(4), w)
		g.ADDQ(ldc, c)
		g.DECQ(rows)
		g.JNZ(LabelRef("row"))
	})
}

func (g *gen) scaleRows(name, source string, size uint8, scaled bool) {
	args, doc := "", "rounds rows of x, ldx bytes apart, to rows of out, ldo bytes apart."
	if scaled {
		args, doc = ", by *float32", "rounds rows of x, ldx bytes apart, each times by[i], to rows of out, ldo bytes apart."
	}
	g.function(name, "rows, cols int, out *uint16, ldo int, "+source+", ldx int"+args, doc, func() {
		rows, cols, out, ldo, x, ldx := g.arg("rows"), g.arg("cols"), g.arg("out"), g.arg("ldo"), g.arg("x"), g.arg("ldx")
		var by reg.GPVirtual
		if scaled {
			by = g.arg("by")
		}
		k := g.tailMask(cols)
		g.Label("row")
		var f reg.VecVirtual
		if scaled {
			f = g.everyLane(Mem{Base: by})
			g.ADDQ(I8(4), by)
		}
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			get := g.get32
			if size == 2 {
				get = g.get16
			}
			v := get(at(x, i, size), k, tail)
			if scaled {
				g.VMULPS(f, v, v)
			}
			g.put16(v, at(out, i, 2), k, tail)
		})
		g.ADDQ(ldo, out)
		g.ADDQ(ldx, x)
		g.DECQ(rows)
		g.JNZ(LabelRef("row"))
	})
}

// sumRoundRows walks columns outside, so that their sums stay in registers.
func (g *gen) sumRoundRows(name string, elu bool) {
	args, doc := "", "rounds rows of x to rows of out and adds them to sum; ldo and ldx are bytes."
	if elu {
		args, doc = ", y *uint16, ldy int", "rounds rows of x times min(1, y) to rows of out and adds them to sum; ldo, ldx and ldy are bytes."
	}
	g.function(name, "rows, cols int, out *uint16, ldo int, x *float32, ldx int, sum *float32"+args, doc, func() {
		rows, cols, out, ldo, x, ldx, sum := g.arg("rows"), g.arg("cols"), g.arg("out"), g.arg("ldo"), g.arg("x"), g.arg("ldx"), g.arg("sum")
		var y, ldy reg.GPVirtual
		var one reg.VecVirtual
		if elu {
			y, ldy = g.arg("y"), g.arg("ldy")
			one = g.load(g.k(1))
		}
		k := g.tailMask(cols)
		g.across("column", cols, k, func(i reg.GPVirtual, tail bool) {
			name := "row"
			if tail {
				name = "last"
			}
			total, left, from, to := g.get32(at(sum, i, 4), k, tail), g.GP64(), g.GP64(), g.GP64()
			g.MOVQ(rows, left)
			g.LEAQ(at(x, i, 4), from)
			g.LEAQ(at(out, i, 2), to)
			var by reg.GPVirtual
			if elu {
				by = g.GP64()
				g.LEAQ(at(y, i, 2), by)
			}
			g.Label(name)
			v := g.get32(Mem{Base: from}, k, tail)
			if elu {
				f := g.get16(Mem{Base: by}, k, tail)
				g.VMINPS(one, f, f)
				g.VMULPS(f, v, v)
				g.ADDQ(ldy, by)
			}
			g.VADDPS(v, total, total)
			g.put16(v, Mem{Base: to}, k, tail)
			g.ADDQ(ldx, from)
			g.ADDQ(ldo, to)
			g.DECQ(left)
			g.JNZ(LabelRef(name))
			g.put32(total, at(sum, i, 4), k, tail)
		})
	})
}
