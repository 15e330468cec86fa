// The _asm module writes the amd64 kernels of model/half. From this folder,
//
//	go run .
//
// writes ../panel_amd64.s and ../stubs_amd64.go; a second run writes the same bytes.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// columns of a panel.
const columns = 32

func main() {
	c := build.NewContext()
	for _, set := range []struct {
		name  string
		lanes int
	}{{"avx2", 8}, {"avx512", 16}} {
		panel(c, "panel"+set.name, set.lanes, 2)
		panel(c, "quarter"+set.name, set.lanes, 1)
	}
	for _, panels := range []int{1, 2, 4} {
		dots(c, panels)
	}
	rounding(c)
	cfg := printer.Config{Argv: []string{"go", "run", "."}, Pkg: "half"}
	var asm, stubs bytes.Buffer
	code := build.Main(&build.Config{ErrOut: os.Stderr, MaxErrors: 10, Passes: []pass.Interface{
		pass.Compile,
		&pass.Output{Writer: nop{&asm}, Printer: printer.NewGoAsm(cfg)},
		&pass.Output{Writer: nop{&stubs}, Printer: printer.NewStubs(cfg)},
	}}, c)
	if code != 0 {
		fmt.Fprintln(os.Stderr, "failed to generate the kernels")
		os.Exit(code)
	}
	for file, data := range map[string][]byte{"panel_amd64.s": asm.Bytes(), "stubs_amd64.go": stubs.Bytes()} {
		if err := os.WriteFile(filepath.Join("..", file), data, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

type nop struct{ *bytes.Buffer }

func (nop) Close() error { return nil }

// panel writes y[j] = Σ_l x[l]·w[32·l+j], 32 columns of weights of one byte (with
// a scale) or two (float16), with vectors of the given number of lanes. Two rows
// of weights go into two sets of sums, so that a multiply-add need not wait for
// the one before.
func panel(c *build.Context, name string, lanes, bytes int) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	if bytes == 2 {
		c.SignatureExpr("func(k int, x *float32, w *uint16, y *float32)")
		c.Doc(name + " sets y[j] = Σ x[l]·w[32·l+j] for 32 columns of float16 weights and l below k.")
	} else {
		c.SignatureExpr("func(k int, x *float32, w *int8, scale, y *float32)")
		c.Doc(name + " sets y[j] = scale[j]·Σ x[l]·w[32·l+j] for 32 columns of 8-bit weights and l below k.")
	}
	k := c.Load(c.Param("k"), c.GP64()).(reg.GPVirtual)
	x := c.Load(c.Param("x"), c.GP64()).(reg.GPVirtual)
	w := c.Load(c.Param("w"), c.GP64()).(reg.GPVirtual)
	y := c.Load(c.Param("y"), c.GP64()).(reg.GPVirtual)
	vector := func() reg.VecVirtual {
		if lanes == 16 {
			return c.ZMM()
		}
		return c.YMM()
	}
	n := columns / lanes
	unroll := 2
	if lanes == 16 {
		unroll = 4
	}
	sums := make([]reg.VecVirtual, n*unroll)
	for i := range sums {
		sums[i] = vector()
		if lanes == 16 {
			c.VPXORD(sums[i], sums[i], sums[i])
		} else {
			c.VXORPS(sums[i], sums[i], sums[i])
		}
	}
	row := func(l int) {
		a := vector()
		c.VBROADCASTSS(operand.Mem{Base: x, Disp: 4 * l}, a)
		for j := range n {
			v := vector()
			from := operand.Mem{Base: w, Disp: bytes * (columns*l + lanes*j)}
			if bytes == 2 {
				c.VCVTPH2PS(from, v)
			} else {
				c.VPMOVSXBD(from, v)
				c.VCVTDQ2PS(v, v)
			}
			c.VFMADD231PS(v, a, sums[l*n+j])
		}
	}
	c.Label(name + "_many")
	c.CMPQ(k, operand.Imm(uint64(unroll)))
	c.JL(operand.LabelRef(name + "_rest"))
	// The weights come from beyond the second-level cache: ask for them early.
	for line := 0; line < bytes*columns*unroll; line += 64 {
		c.PREFETCHT0(operand.Mem{Base: w, Disp: line + 2048})
	}
	for l := range unroll {
		row(l)
	}
	c.ADDQ(operand.Imm(uint64(4*unroll)), x)
	c.ADDQ(operand.U32(uint32(bytes*columns*unroll)), w)
	c.SUBQ(operand.Imm(uint64(unroll)), k)
	c.JMP(operand.LabelRef(name + "_many"))
	c.Label(name + "_rest")
	c.TESTQ(k, k)
	c.JZ(operand.LabelRef(name + "_end"))
	row(0)
	c.ADDQ(operand.Imm(4), x)
	c.ADDQ(operand.Imm(uint64(bytes*columns)), w)
	c.DECQ(k)
	c.JMP(operand.LabelRef(name + "_rest"))
	c.Label(name + "_end")
	var scale reg.GPVirtual
	if bytes == 1 {
		scale = c.Load(c.Param("scale"), c.GP64()).(reg.GPVirtual)
	}
	for j := range n {
		for u := 1; u < unroll; u++ {
			c.VADDPS(sums[u*n+j], sums[j], sums[j])
		}
		if bytes == 1 {
			c.VMULPS(operand.Mem{Base: scale, Disp: 4 * lanes * j}, sums[j], sums[j])
		}
		c.VMOVUPS(sums[j], operand.Mem{Base: y, Disp: 4 * lanes * j})
	}
	c.VZEROUPPER()
	c.RET()
}
