package half

import (
	"strings"

	"golang.org/x/sys/cpu"

	"trafficgpt/model/f32"
)

// kernel returns the panel of the path in use. Processors with AVX2 have the
// float16 conversions too.
func kernel() func(x []float32, w []uint16, y *[columns]float32) {
	switch path := f32.Path(); {
	case strings.HasPrefix(path, "avx512"):
		return avx512Panel
	case path == "avx2":
		return avx2Panel
	}
	return naivePanel
}

func avx512Panel(x []float32, w []uint16, y *[columns]float32) {
	if len(x) == 0 {
		*y = [columns]float32{}
		return
	}
	panelavx512(len(x), &x[0], &w[:len(x)*columns][0], &y[0])
}

func avx2Panel(x []float32, w []uint16, y *[columns]float32) {
	if len(x) == 0 {
		*y = [columns]float32{}
		return
	}
	panelavx2(len(x), &x[0], &w[:len(x)*columns][0], &y[0])
}

// quarterKernel is kernel for weights in 8 bits; x is not empty.
func quarterKernel() func(x []float32, w []int8, scale, y *[columns]float32) {
	switch path := f32.Path(); {
	case strings.HasPrefix(path, "avx512"):
		return avx512Quarter
	case path == "avx2":
		return avx2Quarter
	}
	return naiveQuarter
}

func avx512Quarter(x []float32, w []int8, scale, y *[columns]float32) {
	quarteravx512(len(x), &x[0], &w[:len(x)*columns][0], &scale[0], &y[0])
}

func avx2Quarter(x []float32, w []int8, scale, y *[columns]float32) {
	quarteravx2(len(x), &x[0], &w[:len(x)*columns][0], &scale[0], &y[0])
}

// multipliesIntegers says whether the path in use has products of bytes.
func multipliesIntegers() bool {
	return cpu.X86.HasAVX512VNNI && strings.HasPrefix(f32.Path(), "avx512")
}

// dots computes some panels' columns from the p-th on.
func (m *Quarter) dots(panels int, r *Rounded, p int, y []float32) {
	kernel, size := dots1, columns*m.groups()*group
	switch panels {
	case 2:
		kernel = dots2
	case maxAside:
		kernel = dots4
	}
	_ = y[:panels*columns]
	kernel(m.groups(), &r.hi[0], &r.lo[0], &m.data[p*size:][:panels*size][0], size, &m.shift[p*columns:][:panels*columns][0],
		&m.scale[p*columns], r.by, &y[0])
}

func largestOf(x []float32) float32 { return largest(len(x)/16, &x[0]) }

func roundAll(x []float32, by float32, hi, lo []uint8) {
	roundHalves(len(x)/16, &x[0], by, &hi[:len(x)][0], &lo[:len(x)][0])
}
