package f32

import (
	"fmt"
	"os"
	"sync/atomic"
)

// path is one set of kernels. The vector functions get slices whose lengths the callers have checked.
type path struct {
	name string
	nr   int // columns in a packed panel

	peak      func(loops int) // 12 independent multiply-adds of vectors a loop
	peakFlops float64         // in each loop

	gemm       func(p product, threads bool)
	gemmPacked func(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc int)
	packB      func(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int)

	narrow  bool            // has instructions for BF16
	peak16  func(loops int) // as peak, two multiply-adds a lane; nil without narrow
	round   func(dst []BF16, x []float32)
	widen   func(dst []float32, x []BF16)
	gemm16  func(p product16, threads bool)
	grads16 func(grads []GradBF16)
	pack16  func(n int, list [maxPackings]PackingBF16)
	times16 func(p product16, packed *Packed, threads bool)

	// rows of a block; see their exported names
	causalRound  func(out []BF16, ldo int, x []float32, ldx, rows, width, first int, add, sums []float32)
	dotRows      func(y []float32, x []BF16, ldx, cols int, z []float32)
	rowDots      func(y []float32, a []BF16, lda int, b []BF16, ldb, cols int)
	addRows      func(z []float32, x []BF16, ldx int, w []float32)
	addOuter     func(c []float32, ldc int, w, z []float32)
	scaleRound   func(out []BF16, ldo int, x []float32, ldx, cols int, by []float32)
	scaleRows16  func(out []BF16, ldo int, x []BF16, ldx, cols int, by []float32)
	sumRoundRows func(out []BF16, ldo int, x []float32, ldx, rows int, sum []float32)
	eluRoundRows func(out []BF16, ldo int, x []float32, ldx int, y []BF16, ldy, rows int, sum []float32)
	geluRound    func(act, y []BF16, x, bias []float32)
	geluBack     func(out, act, y []BF16, dact, sum []float32)
	fetchRows    func(x []BF16, ldx, rows, cols int)
	addThree     func(dst, a, b, c []float32)
	addRound     func(out []BF16, x, y []float32)
	eluRound     func(out []BF16, x, bias []float32)
	sumRound     func(out []BF16, x, sum []float32)

	exp, gelu, silu, sigmoid, elu1 func(dst, x []float32)
	geluGrad, siluGrad, elu1Grad   func(dst, x, dy []float32)
	add, sub, mul                  func(dst, a, b []float32)
	addScaled                      func(dst []float32, alpha float32, x []float32)
	scale                          func(dst []float32, alpha float32, x []float32)
	dot                            func(x, y []float32) float32
	sum, sumSquares, max           func(x []float32) float32
	expSum                         func(dst, x []float32, shift float32) float32
	softmaxGrad                    func(dst, y, dy []float32, dot float32)
	variance                       func(x []float32, mean float32) float32
	normalize                      func(dst, x, gamma, beta []float32, mean, rstd float32)
	normSums                       func(dy, x, gamma []float32, mean, rstd float32) (s1, s2 float32)
	normGradAdd                    func(dx, dy, x, gamma, dgamma, dbeta []float32, mean, rstd, m1, m2 float32)
	normGrad                       func(dx, dy, x, gamma, dgamma, dbeta []float32, mean, rstd, m1, m2 float32)
	adamW                          func(p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32)
	recur                          func(o, q, k, v, s []float32, gamma float32)
	transpose                      func(dst []float32, ldd int, src []float32, lds, rows, cols int)
}

var (
	current atomic.Pointer[path]
	paths   = []*path{&naive} // from the slowest to the fastest this processor can run
)

func active() *path { return current.Load() }

func init() {
	naive.withWide()
	paths = append(paths, nativePaths()...)
	current.Store(paths[len(paths)-1])
	if name := os.Getenv("TRAFFICGPT_F32"); name != "" {
		if err := SetPath(name); err != nil {
			fmt.Fprintf(os.Stderr, "TRAFFICGPT_F32: %v\n", err)
		}
	}
}

// Path returns the name of the kernels in use: naive, avx2, avx512, avx512bf16 or avx512amx.
func Path() string { return active().name }

// Paths returns the names of the kernels this processor can run, the slowest (naive) first.
func Paths() []string {
	var names []string
	for _, p := range paths {
		names = append(names, p.name)
	}
	return names
}

// SetPath chooses the kernels by name: naive, avx2, avx512, avx512bf16 or avx512amx. It fails when this processor cannot run them.
// It is for tests and measurements, between operations; a [Packed] made before stays usable but is slow.
func SetPath(name string) error {
	for _, p := range paths {
		if p.name == name {
			current.Store(p)
			return nil
		}
	}
	return fmt.Errorf("failed to choose kernels %q: this processor can run %v", name, Paths())
}
