package f32

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// TestLoop runs a loop within itself and beside itself; each call must see its own arguments.
func TestLoop(t *testing.T) {
	type args struct {
		sum   *atomic.Int64
		add   int64
		depth int
	}
	var loop *Loop[args]
	loop = NewLoop(func(a *args, lo, hi, _ int) {
		for range hi - lo {
			a.sum.Add(a.add)
		}
		if a.depth > 0 {
			loop.Run(10, 3, args{a.sum, 100 * a.add, a.depth - 1})
		}
	})
	var sum atomic.Int64
	withThreads(3, func() { loop.Run(7, 2, args{&sum, 1, 2}) })
	if want := int64(7 + 4*10*100 + 4*4*10*10000); sum.Load() != want {
		t.Errorf("the sum is %d, not %d", sum.Load(), want)
	}
	loop.Run(0, 1, args{nil, 1, 0})
}

// TestNothingAllocated calls everything a training step and a step of generation call, at sizes of one and of all
// threads: after the first call nothing is left to the collector.
func TestNothingAllocated(t *testing.T) {
	if raced {
		t.Skip("allocations cannot be counted under the race detector")
	}
	// AllocsPerRun measures on one processor, and a change of their number empties the pools of the runtime.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	onEveryPath(t, func(t *testing.T) {
		withThreads(2, func() {
			for _, n := range []int{32, 264} {
				nothingAllocated(t, n)
			}
		})
	})
}

func nothingAllocated(t *testing.T, n int) {
	x, y, z, w := filled(n*n), filled(n*n), filled(n*n), filled(n*n)
	gamma, beta, mean, rstd := filled(n), filled(n), filled(n), filled(n)
	index := make([]uint16, n)
	var packed Packed
	for name, f := range map[string]func(){
		"Gemm NN":        func() { Gemm(false, false, n, n, n, 1, x, n, y, n, 0, z, n) },
		"Gemm NT":        func() { Gemm(false, true, n, n, n, 1, x, n, y, n, 1, z, n) },
		"Gemm NT short":  func() { Gemm(false, true, 2, n, n, 1, x, n, y, n, 1, z, n) },
		"Gemm TN":        func() { Gemm(true, false, n, n, n, 1, x, n, y, n, 0.5, z, n) },
		"Gemm TN long":   func() { Gemm(true, false, n/2, n/2, 2*n, 1, x, n/2, y, n/2, 1, z, n/2) },
		"GemmSerial":     func() { GemmSerial(true, true, n, n, n, 1, x, n, y, n, 0, z, n) },
		"GemmBatch":      func() { GemmBatch(2, false, false, n/2, n, n/2, 1, x, n/2, n, y, n, 0, 0, z, n, n*n/2) },
		"Pack":           func() { Pack(true, n, n, y, n, &packed); GemmPacked(1, x, n, &packed, nil, z, n) },
		"GemmPacked":     func() { GemmPacked(n, x, n, &packed, nil, z, n) },
		"Exp":            func() { Exp(z, x) },
		"Add":            func() { Add(z, x, y) },
		"AddScaled":      func() { AddScaled(z, 0.5, x) },
		"Scale":          func() { Scale(z, 0.5, x) },
		"Dot":            func() { Dot(x, y) },
		"SumSquares":     func() { SumSquares(x) },
		"SoftmaxRows":    func() { SoftmaxRows(z, x, n, n); SoftmaxGradRows(z, z, x, n, n) },
		"CrossEntropy":   func() { CrossEntropyRow(z[:n], 1, 1) },
		"LayerNorm":      func() { LayerNorm(z, x, gamma, beta, n, n, 1e-5, mean, rstd) },
		"LayerNormGrad":  func() { LayerNormGrad(z, gamma, beta, y, x, mean, mean, rstd, n, n) },
		"AddRow":         func() { AddRow(z, beta, n, n) },
		"SumRows":        func() { SumRows(gamma, x, n, n) },
		"Transpose":      func() { Transpose(z, n, x, n, n, n) },
		"CopyStrided":    func() { CopyStrided(z, n, x, n, n, n/2) },
		"GatherRows":     func() { GatherRows(z, x, n, index) },
		"ScatterAddRows": func() { ScatterAddRows(z, x, n, index) },
		"AdamW":          func() { AdamW(z, x, y, w, 1e-4, 0.9, 0.95, 1e-8, 0.1, 1, 1) },
	} {
		got := 0.0
		for range 12 { // scratch grows to what is needed; what every call allocates stays
			if got = testing.AllocsPerRun(20, f); got == 0 {
				break
			}
		}
		if got != 0 {
			t.Errorf("%s of size %d makes %v allocations", name, n, got)
		}
	}
}
