package f32

import (
	"runtime"
	"time"
)

// Peak measures the most the kernels in use could do: GFLOP/s (a multiply-add is two) of a loop of
// independent multiply-adds on registers, on all threads at once. It takes about 5 ms; the speed of a shared or
// throttled processor moves, so compare with products measured beside it, best with best.
func Peak() float64 { p := active(); return peakOf(p.peak, p.peakFlops) }

// PeakBF16 is [Peak] of products of BF16, 0 without [HasBF16].
func PeakBF16() float64 {
	p := active()
	if !p.narrow {
		return 0
	}
	return peakOf(p.peak16, 2*p.peakFlops)
}

func peakOf(loop func(loops int), flops float64) float64 {
	threads := Threads()
	best := 0.0
	for range 5 {
		start := time.Now()
		Parallel(peakPieces*threads, 1, func(_, _, _ int) { loop(peakLoops / peakPieces) })
		best = max(best, float64(threads)*peakLoops*flops/float64(time.Since(start).Nanoseconds()))
	}
	return best
}

// The loops are cut in pieces and drawn like those of a product: when another program holds one processor, a
// peak that waits for it would be too low and a share of it too high.
const (
	peakLoops  = 1 << 17
	peakPieces = 32
)

// naivePeak does 12 independent multiply-adds a loop in plain Go.
func naivePeak(loops int) {
	var a, b, c, d float32
	x := float32(loops)
	for range loops {
		a += x * 1
		b += x * 2
		c += x * 3
		d += x * 4
		a += x * 5
		b += x * 6
		c += x * 7
		d += x * 8
		a += x * 9
		b += x * 10
		c += x * 11
		d += x * 12
	}
	runtime.KeepAlive(a + b + c + d)
}
