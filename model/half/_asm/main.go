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
	panel(c, "avx2", 8)
	panel(c, "avx512", 16)
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

// panel writes y[j] = Σ_l x[l]·w[32·l+j], 32 columns of float16 weights, with
// vectors of the given number of lanes. Two rows of weights go into two sets of
// sums, so that a multiply-add need not wait for the one before.
func panel(c *build.Context, name string, lanes int) {
	c.Function("panel" + name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func(k int, x *float32, w *uint16, y *float32)")
	c.Doc("panel" + name + " sets y[j] = Σ x[l]·w[32·l+j] for 32 columns of float16 weights and l below k.")
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
			c.VCVTPH2PS(operand.Mem{Base: w, Disp: 2*columns*l + 2*lanes*j}, v)
			c.VFMADD231PS(v, a, sums[l*n+j])
		}
	}
	c.Label(name + "_many")
	c.CMPQ(k, operand.Imm(uint64(unroll)))
	c.JL(operand.LabelRef(name + "_rest"))
	// The weights come from beyond the second-level cache: ask for them early.
	for l := range unroll {
		c.PREFETCHT0(operand.Mem{Base: w, Disp: 2*columns*l + 2048})
	}
	for l := range unroll {
		row(l)
	}
	c.ADDQ(operand.Imm(uint64(4*unroll)), x)
	c.ADDQ(operand.U32(uint32(2*columns*unroll)), w)
	c.SUBQ(operand.Imm(uint64(unroll)), k)
	c.JMP(operand.LabelRef(name + "_many"))
	c.Label(name + "_rest")
	c.TESTQ(k, k)
	c.JZ(operand.LabelRef(name + "_end"))
	row(0)
	c.ADDQ(operand.Imm(4), x)
	c.ADDQ(operand.Imm(2*columns), w)
	c.DECQ(k)
	c.JMP(operand.LabelRef(name + "_rest"))
	c.Label(name + "_end")
	for j := range n {
		for u := 1; u < unroll; u++ {
			c.VADDPS(sums[u*n+j], sums[j], sums[j])
		}
		c.VMOVUPS(sums[j], operand.Mem{Base: y, Disp: 4 * lanes * j})
	}
	c.VZEROUPPER()
	c.RET()
}
