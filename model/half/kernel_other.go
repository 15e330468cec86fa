//go:build !amd64

package half

func kernel() func(x []float32, w []uint16, y *[columns]float32) { return naivePanel }

func quarterKernel() func(x []float32, w []int8, scale, y *[columns]float32) { return naiveQuarter }
