package half

import "trafficgpt/model/f32"

// kernel returns the panel of the path in use. Processors with AVX2 have the
// float16 conversions too.
func kernel() func(x []float32, w []uint16, y *[columns]float32) {
	switch f32.Path() {
	case "avx512":
		return avx512Panel
	case "avx2":
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
	switch f32.Path() {
	case "avx512":
		return avx512Quarter
	case "avx2":
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
