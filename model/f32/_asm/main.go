// The _asm module writes the amd64 kernels of model/f32. From this folder,
//
//	go run .
//
// writes ../*_amd64.s and ../stubs_*_amd64.go; a second run writes the same bytes.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	for _, s := range []set{avx2, avx512} {
		write("gemm_"+s.name, func(c *build.Context) { gemm(c, s) })
		write("vector_"+s.name, func(c *build.Context) { vector(c, s) })
	}
	write("bf16", bfloat)
	write("gemm_amx", amx)
	write("spin", pause)
}

// write generates one pair of files. The stubs drop out of the linker's way on other machines by their name.
func write(name string, fill func(c *build.Context)) {
	c := build.NewContext()
	fill(c)
	cfg := printer.Config{Argv: []string{"go", "run", "."}, Pkg: "f32"}
	var asm, stubs bytes.Buffer
	code := build.Main(&build.Config{ErrOut: os.Stderr, MaxErrors: 10, Passes: []pass.Interface{
		pass.Compile,
		&pass.Output{Writer: nop{&asm}, Printer: printer.NewGoAsm(cfg)},
		&pass.Output{Writer: nop{&stubs}, Printer: printer.NewStubs(cfg)},
	}}, c)
	if code != 0 {
		fmt.Fprintln(os.Stderr, "failed to generate", name)
		os.Exit(code)
	}
	for file, data := range map[string][]byte{name + "_amd64.s": encoded(asm.Bytes()), "stubs_" + name + "_amd64.go": stubs.Bytes()} {
		if err := os.WriteFile(filepath.Join("..", file), data, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

type nop struct{ *bytes.Buffer }

func (nop) Close() error { return nil }

// pause writes the one instruction of a short wait.
func pause(c *build.Context) {
	c.Function("spin")
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func()")
	c.Doc("spin is one beat of a short wait.")
	c.PAUSE()
	c.RET()
}
