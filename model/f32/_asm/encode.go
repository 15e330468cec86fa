package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Neither Go's assembler nor avo knows the instructions of AVX512-BF16. A kernel is written with instructions that take
// the same operands and that nothing else here uses; when avo has given out the registers, their lines
// are replaced by the bytes of those that are meant.

// dotPairs writes VDPBF16PS: sum += a[1]·b[1], then sum += a[0]·b[0], of the pairs of each lane.
func dotPairs(c *build.Context, a, b Op, sum reg.VecVirtual) { c.VFNMSUB231PS(a, b, sum) }

// roundLanes writes VCVTNEPS2BF16: 16 float32 to 16 bfloat16, to the nearest, ties to even.
func roundLanes(c *build.Context, from, to reg.VecVirtual) { c.VCVTPD2PS(from, to) }

var (
	standInDot   = regexp.MustCompile(`(?m)^\tVFNMSUB231PS +Z(\d+), Z(\d+), Z(\d+)$`)
	standInRound = regexp.MustCompile(`(?m)^\tVCVTPD2PS +Z(\d+), Y(\d+)$`)
)

// encoded replaces the lines that stand for other instructions.
func encoded(text []byte) []byte {
	text = standInDot.ReplaceAllFunc(text, func(line []byte) []byte {
		r := numbers(standInDot.FindSubmatch(line)[1:])
		return bytesOf(evex(0x52, r[2], r[1], r[0]), fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", r[0], r[1], r[2]))
	})
	return standInRound.ReplaceAllFunc(text, func(line []byte) []byte {
		r := numbers(standInRound.FindSubmatch(line)[1:])
		return bytesOf(evex(0x72, r[1], 0, r[0]), fmt.Sprintf("VCVTNEPS2BF16 Z%d, Y%d", r[0], r[1]))
	})
}

func numbers(found [][]byte) []int {
	var r []int
	for _, f := range found {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			panic(err)
		}
		r = append(r, n)
	}
	return r
}

// evex encodes an instruction EVEX.512.F3.0F38.W0 with registers only (Intel SDM volume 2, 2.7): dst in ModRM.reg,
// second in vvvv (0 where there is none), third in ModRM.rm. Bits of the prefix are stored inverted.
func evex(opcode byte, dst, second, third int) [6]byte {
	bit := func(n, i int) byte { return byte(n >> i & 1) }
	p0 := (1-bit(dst, 3))<<7 | (1-bit(third, 4))<<6 | (1-bit(third, 3))<<5 | (1-bit(dst, 4))<<4 | 2 // map 0F38
	p1 := byte(^second&15)<<3 | 1<<2 | 2                                                            // W0, F3
	p2 := byte(2)<<5 | (1-bit(second, 4))<<3                                                        // 512 bits, no mask
	return [6]byte{0x62, p0, p1, p2, opcode, 3<<6 | byte(dst&7)<<3 | byte(third&7)}
}

func bytesOf(code [6]byte, meant string) []byte {
	return fmt.Appendf(nil, "\tLONG $0x%02x%02x%02x%02x; WORD $0x%02x%02x // %s", code[3], code[2], code[1], code[0], code[5], code[4], meant)
}
