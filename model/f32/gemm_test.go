package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
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
	step := 1 + p.m*p.n*p.k/2000000 // of large ones a sample, every row and column in it
	for i := range p.m {
		for j := i % step; j < p.ldc; j += step {
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
	return newProduct(transA, transB, m, n, k, alpha, a.v, lda, b.v, ldb, beta, c.v, ldc), c, c0
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

// TestGemmLarge goes through the blocked forms: B packed whole, a long k with a transposed A, pieces of k added in
// order, strided sources and sizes that leave every kind of edge.
func TestGemmLarge(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		for i, s := range [][3]int{{400, 70, 300}, {385, 33, 600}, {47, 130, 1600}, {300, 270, 1000}, {13, 40, 2500}, {270, 300, 800}, {20, 600, 200}} {
			for kind := range 4 {
				alpha, beta := []float32{1, -0.5}[i%2], []float32{0, 1, 0.5}[(i+kind)%3]
				p, c, c0 := randomProduct(r, kind&1 != 0, kind&2 != 0, s[0], s[1], s[2], alpha, beta)
				Gemm(p.transA, p.transB, p.m, p.n, p.k, alpha, p.a, p.lda, p.b, p.ldb, beta, p.c, p.ldc)
				checkProduct(t, p, c0)
				c.check(t, "C")
			}
		}
	})
}

// TestGemmPacked covers few rows and many, all alignments of the last panel, and a matrix packed under another path.
func TestGemmPacked(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(43, 44))
		var packed Packed // reused: shrinks and grows
		for _, m := range []int{1, 2, 3, 5, 8, 12, 13, 16, 17, 40, 200, 500} {
			for _, n := range []int{1, 15, 16, 31, 32, 33, 100, 260} {
				k := 1 + r.IntN(300)
				p, c, c0 := randomProduct(r, false, r.IntN(2) == 0, m, n, k, 1, float32(r.IntN(2)))
				bias := newGuarded(n, r.IntN(16)).random(r)
				for i := range m { // what the product is added to, while C itself may hold anything
					copy(c0[i*p.ldc:][:n], bias.v)
					p.c[i*p.ldc] = nan32
				}
				Pack(p.transB, k, n, p.b, p.ldb, &packed)
				if packed.K != k || packed.N != n || packed.Bytes() < 4*k*n {
					t.Fatalf("packed %d×%d in %d bytes, want %d×%d", packed.K, packed.N, packed.Bytes(), k, n)
				}
				if p.beta == 0 {
					GemmPacked(m, p.a, p.lda, &packed, nil, p.c, p.ldc)
				} else {
					GemmPacked(m, p.a, p.lda, &packed, bias.v, p.c, p.ldc)
				}
				checkProduct(t, p, c0)
				c.check(t, "C")
				bias.check(t, "bias")
			}
		}
		here := Path()
		p, c, c0 := randomProduct(r, false, false, 9, 50, 70, 1, 0)
		Pack(false, 70, 50, p.b, p.ldb, &packed)
		for _, other := range Paths() {
			if err := SetPath(other); err != nil {
				t.Fatal(err)
			}
			copy(c.v, c0)
			GemmPacked(9, p.a, p.lda, &packed, nil, p.c, p.ldc)
			checkProduct(t, p, c0)
		}
		if err := SetPath(here); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRowsAlone wants each row of a packed product to be the same, bit for bit, alone, among few and among many.
func TestRowsAlone(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(45, 46))
		for _, shape := range [][2]int{{1, 1}, {64, 260}, {100, 50}, {256, 33}, {300, 64}, {1024, 256}, {700, 7}} {
			const rows = 40
			k, n := shape[0], shape[1]
			p, _, _ := randomProduct(r, false, false, rows, n, k, 1, 0)
			bias := newGuarded(n, 3).random(r).v
			var packed Packed
			Pack(false, k, n, p.b, p.ldb, &packed)
			want, got := make([]float32, rows*n), make([]float32, rows*n)
			for i := range rows {
				GemmPacked(1, p.a[i*p.lda:], p.lda, &packed, bias, want[i*n:], n)
			}
			for m := 2; m <= rows; m++ {
				GemmPacked(m, p.a, p.lda, &packed, bias, got, n)
				for i, v := range got[:m*n] {
					if v != want[i] {
						t.Fatalf("%d×%d: row %d, column %d is %v among %d rows and %v alone", k, n, i/n, i%n, v, m, want[i])
					}
				}
			}
		}
	})
}

func TestGemmBatch(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(45, 46))
		const heads, wide = 5, 5 * 24
		for _, s := range []struct{ m, k int }{{7, 24}, {130, 24}, {400, 24}} {
			// one head's scores: rows of q times rows of k, heads side by side in rows of wide
			q, k := input(r, s.m*wide, 1, false), input(r, s.m*wide, 1, false)
			c := newGuarded(heads*s.m*s.m, 3)
			GemmBatch(heads, false, true, s.m, s.m, s.k, 0.5, q.v, wide, s.k, k.v, wide, s.k, 0, c.v, s.m, s.m*s.m)
			for h := range heads {
				p := newProduct(false, true, s.m, s.m, s.k, 0.5, q.v[h*s.k:], wide, k.v[h*s.k:], wide, 0, c.v[h*s.m*s.m:(h+1)*s.m*s.m], s.m)
				checkProduct(t, p, c.v[h*s.m*s.m:])
			}
			c.check(t, "C")
		}
	})
}

// TestGemmSpecialValues wants NaN and Inf to reach exactly the rows and columns they belong to.
func TestGemmSpecialValues(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, s := range [][3]int{{3, 5, 7}, {40, 70, 33}, {2, 40, 64}, {130, 40, 900}} {
			for kind := range 4 {
				r := rand.New(rand.NewPCG(47, uint64(kind)))
				p, _, _ := randomProduct(r, kind&1 != 0, kind&2 != 0, s[0], s[1], s[2], 1, 0)
				p.a[offset(p.transA, 1, 2, p.lda)] = nan32
				p.b[offset(p.transB, 3, 2, p.ldb)] = inf32
				Gemm(p.transA, p.transB, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc)
				for i := range p.m {
					for j := range p.n {
						v := float64(p.c[i*p.ldc+j])
						if isNaN, isInf := math.IsNaN(v), math.IsInf(v, 0); isNaN != (i == 1) || isInf != (i != 1 && j == 2) {
							t.Fatalf("%v kind %d: C[%d,%d] = %v", s, kind, i, j, v)
						}
					}
				}
			}
		}
	})
}

// TestGemmDenormals wants numbers below the smallest normal one to go in and to come out as they are.
func TestGemmDenormals(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 5, 7}, {3, 40, 33}, {40, 70, 33}, {2, 40, 64}, {130, 40, 900}} {
			for kind := range 4 {
				p, _, _ := randomProduct(rand.New(rand.NewPCG(53, uint64(kind))), kind&1 != 0, kind&2 != 0, s[0], s[1], s[2], 1, 0)
				for i := range p.a {
					p.a[i] = 3e-41
				}
				for i := range p.b {
					p.b[i] = 1
				}
				Gemm(p.transA, p.transB, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc)
				var packed Packed
				Pack(p.transB, p.k, p.n, p.b, p.ldb, &packed)
				again := make([]float32, p.m*p.n)
				if !p.transA {
					GemmPacked(p.m, p.a, p.lda, &packed, nil, again, p.n)
				}
				want := float32(p.k) * p.a[0]
				for i := range p.m {
					for j := range p.n {
						got := p.c[i*p.ldc+j]
						if math.Abs(float64(got/want-1)) > 1e-3 || !p.transA && math.Abs(float64(again[i*p.n+j]/want-1)) > 1e-3 {
							t.Fatalf("%v kind %d: C[%d,%d] = %v and %v packed, want %v", s, kind, i, j, got, again[i*p.n+j], want)
						}
					}
				}
			}
		}
	})
}

// TestGemmNothing: no columns of A mean C = beta·C, alpha 0 does not read A and B, and empty shapes do nothing.
func TestGemmNothing(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		c := []float32{1, 2, 3, nan32}
		Gemm(false, false, 2, 2, 0, 1, nil, 1, nil, 1, 2, c, 2)
		if c[0] != 2 || c[2] != 6 {
			t.Errorf("k 0, beta 2: %v", c)
		}
		bad := []float32{nan32, nan32, nan32, nan32}
		Gemm(false, false, 2, 2, 2, 0, bad, 2, bad, 2, 0, c, 2)
		for _, v := range c {
			if v != 0 {
				t.Errorf("alpha 0, beta 0: %v", c)
			}
		}
		Gemm(false, false, 0, 2, 2, 1, nil, 2, bad, 2, 0, nil, 2)
		Gemm(false, true, 2, 0, 2, 1, bad, 2, nil, 2, 0, nil, 2)
		GemmBatch(0, false, false, 2, 2, 2, 1, nil, 2, 0, nil, 2, 0, 0, nil, 2, 0)
		var p Packed
		Pack(false, 0, 3, nil, 3, &p)
		c[0] = nan32
		GemmPacked(1, nil, 0, &p, nil, c[:3], 3)
		if c[0] != 0 {
			t.Errorf("packed with k 0: %v", c)
		}
		Pack(false, 2, 0, nil, 0, &p)
		GemmPacked(2, bad, 2, &p, nil, nil, 0)
	})
}

func TestPathsByName(t *testing.T) {
	old := Path()
	defer func() { _ = SetPath(old) }()
	if err := SetPath("sse9"); err == nil || Path() != old {
		t.Errorf("SetPath of an unknown name: error %v, path %s", err, Path())
	}
	if Paths()[0] != "naive" {
		t.Errorf("Paths() = %v", Paths())
	}
	onEveryPath(t, func(t *testing.T) {
		if p := Peak(); !(p > 0.05 && p < 1e6) {
			t.Errorf("Peak() = %v GFLOP/s", p)
		}
	})
}

// TestGemmFromManyGoroutines wants the same bits from products running beside each other, each with its own scratch.
func TestGemmFromManyGoroutines(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		withThreads(3, func() {
			r := rand.New(rand.NewPCG(49, 50))
			a, b := input(r, 130*900, 1, false).v, input(r, 900*70, 1, false).v
			run := func() []float32 {
				c := make([]float32, 130*70)
				Gemm(true, false, 130, 70, 900, 1, a, 130, b, 70, 0, c, 70)
				Gemm(false, true, 130, 70, 900, 0.5, a, 900, b, 900, 1, c, 70)
				return c
			}
			want := run()
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					for range 3 {
						for i, v := range run() {
							if math.Float32bits(v) != math.Float32bits(want[i]) {
								t.Errorf("element %d is %v beside others, %v alone", i, v, want[i])
								return
							}
						}
					}
				})
			}
			wg.Wait()
		})
	})
}
