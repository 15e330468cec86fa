package f32

import (
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// dotPair is what VDPBF16PS does in one lane (Intel SDM volume 2): sum += a[1]·b[1], then sum += a[0]·b[0], each a
// fused multiply-add rounded to nearest even, with denormal operands, sums and results taken for zero.
func dotPair(sum float32, a, b [2]BF16) float32 {
	for i := 1; i >= 0; i-- {
		x, y := flush(a[i].Float32()), flush(b[i].Float32())
		// The product of two BF16 is exact in float64, the sum with a float32 nearly: rounding twice
		// could differ from rounding once, so the sum is made odd where it is not exact.
		sum = flush(addOdd(float64(x)*float64(y), float64(flush(sum))))
	}
	return sum
}

// addOdd is float32(a+b) rounded once: the float64 sum is rounded to odd (Boldo and Melquiond), by the error of TwoSum.
func addOdd(a, b float64) float32 {
	s := a + b
	t := s - a
	e := (a - (s - t)) + (b - t)
	if e != 0 && !math.IsInf(s, 0) && math.Float64bits(s)&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

// TestDotPairs holds the instruction, as the kernels are written with it, against its model bit by bit.
func TestDotPairs(t *testing.T) {
	if !hasBF16() {
		t.Skip("this processor has no AVX512-BF16")
	}
	r := rand.New(rand.NewPCG(67, 68))
	draw := func() BF16 {
		switch r.IntN(12) {
		case 0:
			return BF16(r.Uint32()) // anything: NaN, Inf, denormals
		case 1:
			return BF16(r.Uint32() & 0x80ff) // zeros and denormals
		case 2:
			return BF16(0x7f00 | r.Uint32()&0x80ff) // huge, Inf, NaN
		case 3:
			return BF16(0x2000 | r.Uint32()&0x8fff) // small: products are denormal
		default:
			return ToBF16(float32(r.NormFloat64()))
		}
	}
	for trial := range 40000 {
		var a [2]BF16
		var b [64]BF16
		var c [32]float32
		a[0], a[1] = draw(), draw()
		for i := range b {
			b[i] = draw()
		}
		for i := range c {
			c[i] = math.Float32frombits(uint32(draw())<<16 | r.Uint32()&0xffff)
		}
		var sums [32]float32
		gemm1x32bf16(1, 1, pairAt(&a[0]), 4, 4, 4, pairAt(&b[0]), 128, &sums[0], 128, 32, 0, 1, 0, 0)
		for i := range sums {
			want := dotPair(0, a, [2]BF16(b[2*i:]))
			if got := sums[i]; math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) && !(got == 0 && want == 0) {
				t.Fatalf("trial %d: 0 + %v·%v gives %x, want %x", trial, a, b[2*i:2*i+2], math.Float32bits(got), math.Float32bits(want))
			}
		}
		// Two pairs below each other: the second is added to the sum of the first.
		a2, b2 := [4]BF16{a[0], a[1], draw(), draw()}, make([]BF16, 128)
		copy(b2, b[:])
		for i := range 64 {
			b2[64+i] = draw()
		}
		var sum12 [32]float32
		gemm12x32bf16(1, 2, pairAt(&a2[0]), 0, 4, 0, pairAt(&b2[0]), 128, &sum12[0], 0, 32, 0, 1, 0, 0)
		for i := range sum12 {
			want := dotPair(dotPair(0, a, [2]BF16(b2[2*i:])), [2]BF16(a2[2:]), [2]BF16(b2[64+2*i:]))
			if got := sum12[i]; math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) && !(got == 0 && want == 0) {
				t.Fatalf("trial %d: %v·%v and %v·%v give %x, want %x", trial, a, b2[2*i:2*i+2], a2[2:], b2[64+2*i:][:2], math.Float32bits(got), math.Float32bits(want))
			}
		}
	}
}

// TestEncoding decodes every encoded instruction of the kernels again, and compares some with the bytes of GNU as 2.40.
func TestEncoding(t *testing.T) {
	text, err := os.ReadFile("bf16_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\tLONG \$0x([0-9a-f]{8}); WORD \$0x([0-9a-f]{4}) // (VDPBF16PS Z(\d+), Z(\d+), Z(\d+)|VCVTNEPS2BF16 Z(\d+), Y(\d+))$`)
	seen := map[string]bool{}
	for _, f := range line.FindAllStringSubmatch(string(text), -1) {
		lo, _ := strconv.ParseUint(f[1], 16, 32)
		hi, _ := strconv.ParseUint(f[2], 16, 16)
		code := lo | hi<<32
		b := func(i int) int { return int(code >> (8 * i) & 255) }
		dst := b(5)>>3&7 | (^b(1)>>7&1)<<3 | (^b(1)>>4&1)<<4
		second := ^b(2)>>3&15 | (^b(3)>>3&1)<<4
		third := b(5)&7 | (^b(1)>>5&1)<<3 | (^b(1)>>6&1)<<4
		want := []int{registerOf(f[6]), registerOf(f[5]), registerOf(f[4])}
		opcode := 0x52
		if f[7] != "" {
			want, opcode = []int{registerOf(f[8]), 0, registerOf(f[7])}, 0x72
		}
		if b(0) != 0x62 || b(1)&15 != 2 || b(2)&0x87 != 6 || b(3)&0xf7 != 0x40 || b(4) != opcode || b(5)>>6 != 3 ||
			dst != want[0] || second != want[1] || third != want[2] {
			t.Fatalf("%s is encoded %012x: registers %d, %d, %d", f[3], code, dst, second, third)
		}
		seen[f[3]] = true
	}
	if len(seen) < 100 {
		t.Fatalf("only %d encoded instructions found", len(seen))
	}
	for meant, code := range map[string]string{
		"VDPBF16PS Z24, Z26, Z0": "402e9262 c052", "VCVTNEPS2BF16 Z0, Y0": "487ef262 c072",
	} {
		l := line.FindStringSubmatch(regexp.MustCompile(`(?m)^.*// ` + meant + `$`).FindString(string(text)))
		if l == nil || l[1]+" "+l[2] != code {
			t.Errorf("%s is encoded %v, want %s", meant, l, code)
		}
	}
}

func registerOf(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
