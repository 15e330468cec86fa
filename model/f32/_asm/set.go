package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// set is one instruction set: its vector width and the shape of its product kernel.
type set struct {
	name  string
	lanes int  // float32 in a vector
	mr    int  // rows of the product kernel; its columns are two vectors
	pairs bool // products of pairs of bfloat16 instead of float32
}

var (
	avx2   = set{name: "avx2", lanes: 8, mr: 6}
	avx512 = set{name: "avx512", lanes: 16, mr: 12}
	bf16   = set{name: "bf16", lanes: 16, mr: 12, pairs: true}
)

func (s set) wide() bool { return s.lanes == 16 }

// elements says in a kernel's comment what its elements are.
func (s set) elements() string {
	if s.pairs {
		return " elements being pairs of bfloat16,"
	}
	return ""
}

func (s set) bytes() int { return 4 * s.lanes }

// vec returns a fresh vector register.
func (s set) vec(c *build.Context) reg.VecVirtual {
	if s.wide() {
		return c.ZMM()
	}
	return c.YMM()
}

// madd writes sum += a·b: one product a lane, or the two of a pair.
func (s set) madd(c *build.Context, a, b Op, sum reg.VecVirtual) {
	if s.pairs {
		dotPairs(c, a, b, sum)
	} else {
		c.VFMADD231PS(a, b, sum)
	}
}

func (s set) zero(c *build.Context, r reg.VecVirtual) {
	if s.wide() {
		c.VPXORD(r, r, r)
	} else {
		c.VXORPS(r, r, r)
	}
}

func begin(c *build.Context, name, signature string, doc ...string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Pragma("noescape")
	c.Doc(append([]string{name + " " + doc[0]}, doc[1:]...)...)
}

// loadGP loads a parameter into a general register.
func loadGP(c *build.Context, name string) reg.GPVirtual {
	return c.Load(c.Param(name), c.GP64()).(reg.GPVirtual)
}

// maskTable is 16 words of ones and 16 of zeros: loaded from (16-n) on, a mask of n lanes.
func maskTable(c *build.Context) Mem {
	m := c.StaticGlobal("tail")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 32 {
		v := U32(0)
		if i < 16 {
			v = 0xffffffff
		}
		c.AppendDatum(v)
	}
	return m
}

func label(parts ...any) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += "_"
		}
		s += fmt.Sprint(p)
	}
	return s
}

// broadcast loads a float parameter into every lane.
func broadcast(c *build.Context, name string, to reg.VecVirtual) {
	c.VBROADCASTSS(param(c, name), to)
}
