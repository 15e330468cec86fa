package half_test

import (
	"fmt"

	"trafficgpt/model/f32"
	"trafficgpt/model/half"
)

// A product whose weights are kept in 16 bits, in memory that the caller gives.
func ExamplePack() {
	weights := []float32{ // 2×3
		1, 2, 3,
		0.5, 0.25, 0.125,
	}
	m := half.Pack(false, 2, 3, weights, 3, f32.Aligned(half.PackedLen(2, 3)))
	y := make([]float32, 3)
	m.Times(1, []float32{1, 2}, 2, y, 3)
	fmt.Println(y)
	// Output:
	// [2 2.5 3.25]
}

// A Quarter takes half of that memory again, and is good for a first guess.
func ExamplePackQuarter() {
	weights := []float32{1, 0.5, -0.25, 0.125} // one column
	m := half.PackQuarter(false, 4, 1, weights, 1, f32.Aligned(half.QuarterLen(4, 1)))
	y := make([]float32, 1)
	m.Times(1, []float32{1, 1, 1, 1}, 4, y, 1)
	fmt.Println("off by less than 2 %:", y[0] > 1.375*0.98 && y[0] < 1.375*1.02)
	// Output:
	// off by less than 2 %: true
}

// Rounding is to the nearest of 16 bits; what is too large stays finite.
func ExampleFromFloat32() {
	for _, x := range []float32{0.1, 1e6} {
		fmt.Println(x, half.ToFloat32(half.FromFloat32(x)))
	}
	// Output:
	// 0.1 0.099975586
	// 1e+06 65504
}
