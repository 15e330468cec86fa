package f32_test

import (
	"fmt"

	"trafficgpt/model/f32"
)

// C = A·B for matrices row by row. A transposed matrix is read as it is stored.
func ExampleGemm() {
	a := []float32{
		1, 2, 3,
		4, 5, 6,
	}
	b := []float32{
		1, 0,
		0, 1,
		1, 1,
	}
	c := make([]float32, 4)
	f32.Gemm(false, false, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2)
	fmt.Println(c)

	aat := make([]float32, 4) // A·Aᵀ
	f32.Gemm(false, true, 2, 2, 3, 1, a, 3, a, 3, 0, aat, 2)
	fmt.Println(aat)
	// Output:
	// [4 5 10 11]
	// [14 32 32 77]
}

// Sums of chunks that are added in order are the same for any number of threads.
func ExampleParallel() {
	x := make([]float64, 10000)
	for i := range x {
		x[i] = 0.1
	}
	const grain = 1000
	sums := make([]float64, len(x)/grain)
	f32.Parallel(len(x), grain, func(lo, hi, _ int) {
		for _, v := range x[lo:hi] {
			sums[lo/grain] += v
		}
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	fmt.Printf("%.1f\n", total)
	// Output:
	// 1000.0
}

// Memory of a step is handed out by moving an offset, and freed all at once.
func ExampleArena() {
	a := f32.NewArena(1 << 16)
	for range 3 { // steps
		a.Reset()
		x := a.AllocZero(1000)
		mark := a.Mark()
		scratch := a.Alloc(500)
		scratch[0], x[0] = 1, 1
		a.Release(mark)
	}
	fmt.Println("at most in use:", a.HighWater() >= 6000, "· now:", a.Used() < 6000)
	// Output:
	// at most in use: true · now: true
}

// The loss of one row of logits, which become its gradient.
func ExampleCrossEntropyRow() {
	logits := []float32{0, 0, 0, 0} // all the same to the model
	loss := f32.CrossEntropyRow(logits, 2, 1)
	fmt.Printf("%.3f nats, gradient %.2f\n", loss, logits)
	// Output:
	// 1.386 nats, gradient [0.25 0.25 -0.75 0.25]
}
