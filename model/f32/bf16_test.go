package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestToBF16 tries every upper half with lower halves around the tie.
func TestToBF16(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		x, got := make([]float32, 0, 1<<19), make([]BF16, 1<<19)
		for hi := range 1 << 16 {
			for _, lo := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
				x = append(x, math.Float32frombits(uint32(hi)<<16|lo))
			}
		}
		got = got[:len(x)]
		Round(got, x)
		wide := make([]float32, len(x))
		Widen(wide, got)
		for i, v := range x {
			want := ToBF16(v)
			if got[i] != want {
				t.Fatalf("%x rounds to %x, want %x", math.Float32bits(v), got[i], want)
			}
			if math.Float32bits(wide[i]) != uint32(want)<<16 {
				t.Fatalf("%x widens to %x", want, math.Float32bits(wide[i]))
			}
			// Of the two neighbours the nearer, where both are numbers.
			if abs := math.Abs(float64(v)); abs < 0x1p-126 || abs > 3e38 || abs != abs {
				continue
			}
			down, up := float64(BF16(math.Float32bits(v)>>16).Float32()), float64(BF16(math.Float32bits(v)>>16+1).Float32())
			if d := math.Abs(float64(want.Float32()) - float64(v)); d > math.Abs(down-float64(v)) || d > math.Abs(up-float64(v)) {
				t.Fatalf("%v rounds to %v, between %v and %v", v, want.Float32(), down, up)
			}
		}
	})
}

func randomBF16(r *rand.Rand, n int) []BF16 {
	x := make([]BF16, n)
	for i := range x {
		x[i] = ToBF16(float32(r.NormFloat64()))
	}
	return x
}

// wideOf is the matrix in float32, for checkProduct.
func wideOf(x []BF16) []float32 {
	w := make([]float32, len(x))
	naiveWiden(w, x)
	return w
}

func TestGemmBF16AgainstDefinition(t *testing.T) { onEveryPath(t, gemmBF16AgainstDefinition) }

func gemmBF16AgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	sizes := []int{1, 2, 3, 5, 7, 8, 12, 13, 16, 17, 25, 31, 32, 33, 47, 64, 65, 100}
	for trial := range 600 {
		m, n, k := sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))], sizes[r.IntN(len(sizes))]
		if trial%20 == 0 {
			k = 250 + r.IntN(1300)
		}
		alpha, beta := []float32{1, 1, 0.125, -2}[r.IntN(4)], []float32{0, 0, 1, 1, -0.5}[r.IntN(5)]
		p, c, c0 := randomProduct(r, trial&1 != 0, trial&2 != 0, m, n, k, alpha, beta)
		a, b := randomBF16(r, len(p.a)), randomBF16(r, len(p.b))
		p.a, p.b = wideOf(a), wideOf(b)
		f := GemmBF16
		if trial%3 == 0 {
			f = GemmSerialBF16
		}
		f(p.transA, p.transB, m, n, k, alpha, a, p.lda, b, p.ldb, beta, p.c, p.ldc)
		name := fmt.Sprintf("transA=%v transB=%v %dx%dx%d alpha=%v beta=%v lda=%d ldb=%d", p.transA, p.transB, m, n, k, alpha, beta, p.lda, p.ldb)
		if !t.Run(name, func(t *testing.T) {
			checkProduct(t, p, c0)
			c.check(t, "C")
		}) {
			return
		}
	}
}

func TestTimesBF16AgainstDefinition(t *testing.T) { onEveryPath(t, timesBF16AgainstDefinition) }

func timesBF16AgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	var packed PackedBF16
	for trial := range 150 {
		m, n, k := 1+r.IntN(100), 1+r.IntN(100), 1+r.IntN(100)
		if trial%10 == 0 {
			m, n, k = 500+r.IntN(400), 200+r.IntN(200), 400+r.IntN(400)
		}
		beta := float32(trial / 2 % 2)
		p, c, c0 := randomProduct(r, false, trial&1 != 0, m, n, k, 1, beta)
		a := randomBF16(r, len(p.a))
		PackBF16(p.transB, k, n, p.b, p.ldb, &packed)
		for i, v := range p.b {
			p.b[i] = ToBF16(v).Float32()
		}
		p.a = wideOf(a)
		TimesBF16(trial%3 != 0, m, a, p.lda, &packed, beta != 0, p.c, p.ldc)
		if !t.Run(fmt.Sprintf("transB=%v %dx%dx%d beta=%v lda=%d", p.transB, m, n, k, beta, p.lda), func(t *testing.T) {
			checkProduct(t, p, c0)
			c.check(t, "C")
		}) {
			return
		}
	}
}

// TestGemmBF16DoesNotDependOnThreads compares bits.
func TestGemmBF16DoesNotDependOnThreads(t *testing.T) {
	defer SetThreads(SetThreads(1))
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(65, 66))
		for _, s := range []struct {
			transA  bool
			m, n, k int
		}{{false, 700, 300, 128}, {true, 256, 300, 3001}, {true, 256, 256, 3072}, {false, 130, 40, 900}} {
			rows, cols := stored(s.transA, s.m, s.k)
			a, b := randomBF16(r, rows*cols), randomBF16(r, s.k*s.n)
			var first []float32
			for _, threads := range []int{1, 2, 3, 7} {
				SetThreads(threads)
				c := make([]float32, s.m*s.n)
				GemmBF16(s.transA, false, s.m, s.n, s.k, 1, a, cols, b, s.n, 0, c, s.n)
				if first == nil {
					first = c
				}
				for i := range c {
					if math.Float32bits(c[i]) != math.Float32bits(first[i]) {
						t.Fatalf("%+v: element %d differs with %d threads", s, i, threads)
					}
				}
			}
		}
	})
}

// flush takes denormals for zero.
func flush(x float32) float32 {
	if x < 0x1p-126 && x > -0x1p-126 {
		return float32(math.Copysign(0, float64(x)))
	}
	return x
}
