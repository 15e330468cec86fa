package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// onEveryPath runs f as a subtest on each set of kernels this processor has.
func onEveryPath(t *testing.T, f func(t *testing.T)) {
	old := Path()
	defer func() { _ = SetPath(old) }()
	for _, name := range Paths() {
		if err := SetPath(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

const guardWord = float32(-12345.5)

// guarded is a slice that starts at an odd offset with guard words on both sides.
type guarded struct {
	whole []float32
	v     []float32
}

func newGuarded(n, skew int) guarded {
	whole := make([]float32, n+64)
	for i := range whole {
		whole[i] = guardWord
	}
	return guarded{whole, whole[16+skew : 16+skew+n : 16+skew+n]}
}

func (g guarded) random(r *rand.Rand) guarded {
	for i := range g.v {
		g.v[i] = float32(r.NormFloat64())
	}
	return g
}

func (g guarded) check(t *testing.T, name string) {
	t.Helper()
	for i := 0; &g.whole[i] != &g.v[0]; i++ {
		if g.whole[i] != guardWord {
			t.Fatalf("%s: word %d before the slice was written", name, i)
		}
	}
	for i := len(g.whole) - 1; &g.whole[i] != &g.v[len(g.v)-1]; i-- {
		if g.whole[i] != guardWord {
			t.Fatalf("%s: a word after the slice was written", name)
		}
	}
}

// wantGemm is the definition in float64, with the sum of magnitudes for the error bound.
func wantGemm(p product, c0 []float32, i, j int) (want, bound float64) {
	for l := range p.k {
		v := float64(p.alpha) * float64(p.a[offset(p.transA, i, l, p.lda)]) * float64(p.b[offset(p.transB, l, j, p.ldb)])
		want += v
		bound += math.Abs(v)
	}
	if p.beta != 0 {
		want += float64(p.beta) * float64(c0[i*p.ldc+j])
		bound += math.Abs(float64(p.beta) * float64(c0[i*p.ldc+j]))
	}
	return want, bound
}

func checkProduct(t *testing.T, p product, c0 []float32) {
	t.Helper()
	eps := 1.2e-7 * (4 + math.Sqrt(float64(p.k)))
	for i := range p.m {
		for j := range p.ldc {
			at := i*p.ldc + j
			if at >= len(p.c) {
				continue
			}
			if j >= p.n {
				if math.Float32bits(p.c[at]) != math.Float32bits(c0[at]) {
					t.Fatalf("C[%d,%d] beyond the row was written", i, j)
				}
				continue
			}
			want, bound := wantGemm(p, c0, i, j)
			if got := float64(p.c[at]); !(math.Abs(got-want) <= eps*bound+1e-37) {
				t.Fatalf("C[%d,%d] = %v, want %v ± %v", i, j, got, want, eps*bound)
			}
		}
	}
}

func randomProduct(r *rand.Rand, transA, transB bool, m, n, k int, alpha, beta float32) (product, guarded, []float32) {
	rowsA, colsA, rowsB, colsB := m, k, k, n
	if transA {
		rowsA, colsA = k, m
	}
	if transB {
		rowsB, colsB = n, k
	}
	lda, ldb, ldc := colsA+r.IntN(4), colsB+r.IntN(4), n+r.IntN(4)
	size := func(rows, cols, ld int) int { return max(1, (rows-1)*ld+cols) }
	a := newGuarded(size(rowsA, colsA, lda), r.IntN(16)).random(r)
	b := newGuarded(size(rowsB, colsB, ldb), r.IntN(16)).random(r)
	c := newGuarded(size(m, n, ldc), r.IntN(16)).random(r)
	if beta == 0 {
		for i := range c.v {
			c.v[i] = float32(math.NaN())
		}
	}
	c0 := append([]float32(nil), c.v...)
	return product{transA, transB, m, n, k, alpha, a.v, lda, b.v, ldb, beta, c.v, ldc}, c, c0
}

func TestGemmAgainstDefinition(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		sizes := []int{1, 2, 3, 5, 7, 8, 12, 13, 16, 17, 25, 31, 32, 33, 47, 64, 65, 100}
		for trial := range 600 {
			m, n, k := sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))]
			if trial%20 == 0 {
				k = 250 + r.IntN(600)
			}
			alpha, beta := []float32{1, 1, 0.125, -2}[r.IntN(4)], []float32{0, 0, 1, 1, -0.5}[r.IntN(5)]
			p, c, c0 := randomProduct(r, trial&1 != 0, trial&2 != 0, m, n, k, alpha, beta)
			name := fmt.Sprintf("transA=%v transB=%v %dx%dx%d alpha=%v beta=%v", p.transA, p.transB, m, n, k, alpha, beta)
			if trial%3 == 0 {
				GemmSerial(p.transA, p.transB, m, n, k, alpha, p.a, p.lda, p.b, p.ldb, beta, p.c, p.ldc)
			} else {
				Gemm(p.transA, p.transB, m, n, k, alpha, p.a, p.lda, p.b, p.ldb, beta, p.c, p.ldc)
			}
			if !t.Run(name, func(t *testing.T) {
				checkProduct(t, p, c0)
				c.check(t, "C")
			}) {
				return
			}
		}
	})
}
