package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var (
	inf32 = float32(math.Inf(1))
	nan32 = float32(math.NaN())
)

// special holds the values kernels get wrong: both zeros, denormals, edges of exp, infinities, NaN.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 1e-45, -1e-45, 1e-39, -3e-40, 1.1754944e-38, 1e-20, -1e-20,
	5, -5, 9.5, -9.5, 14, -14, 20, -20, 60, -60, 87, -87, 88.5, 88.72, 88.73, -88.73, 89, -89, 95, -95, 103, -103, 103.9, -103.9, 104.5, -104.5, 110, -110, 127, -127,
	1e10, -1e10, 3.4e38, -3.4e38, inf32, -inf32, nan32}

// testLengths covers every tail of both vector widths, unrolled loops and the border to many threads.
var testLengths = []int{0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 48, 63, 64, 65, 100, 127, 128, 129, 255, 1000, 4097, forkAbove + 33}

// close32 says whether got is within tol of want, relatively above 1 and absolutely below, NaN for NaN and Inf for Inf.
func close32(got, want float32, tol float64) bool {
	g, w := float64(got), float64(want)
	if math.IsNaN(w) || math.IsNaN(g) {
		return math.IsNaN(w) && math.IsNaN(g)
	}
	if math.IsInf(w, 0) || math.IsInf(g, 0) {
		return g == w
	}
	return math.Abs(g-w) <= tol*math.Max(1, math.Abs(w))
}

// input is a guarded slice of normal values times scale with special values strewn in when asked.
func input(r *rand.Rand, n int, scale float64, strange bool) guarded {
	g := newGuarded(n, r.IntN(16))
	for i := range g.v {
		g.v[i] = float32(scale * r.NormFloat64())
		if strange && (i < len(special) || r.IntN(10) == 0) {
			g.v[i] = special[(i+n)%len(special)]
		}
	}
	return g
}

func checkGuards(t *testing.T, gs ...guarded) {
	t.Helper()
	for i, g := range gs {
		if len(g.v) > 0 {
			g.check(t, fmt.Sprint("slice ", i))
		}
	}
}

func TestUnary(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, f := range []struct {
			name string
			f    func(dst, x []float32)
			want func(x float64) float64
			tol  float64
		}{
			{"Exp", Exp, math.Exp, 3e-7},
			{"Sigmoid", Sigmoid, sigmoid, 2e-7},
			{"Silu", Silu, func(x float64) float64 { return x * sigmoid(x) }, 3e-7},
			{"Gelu", Gelu, func(x float64) float64 { return x * normalCDF(x) }, 2e-7},
			{"Elu1", Elu1, func(x float64) float64 { return math.Max(x, 0) + math.Exp(math.Min(x, 0)) }, 3e-7},
		} {
			t.Run(f.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				for _, n := range testLengths {
					for _, inPlace := range []bool{false, true} {
						x := input(r, n, 4, true)
						in := append([]float32(nil), x.v...)
						dst := x
						if !inPlace {
							dst = input(r, n, 1, false)
						}
						f.f(dst.v, x.v)
						for i, v := range in {
							if want := float32(f.want(float64(v))); !close32(dst.v[i], want, f.tol) {
								t.Fatalf("n %d: f(%v) = %v, want %v", n, v, dst.v[i], want)
							}
						}
						checkGuards(t, x, dst)
					}
				}
			})
		}
	})
}

// TestExpRelative holds exp to a few units in the last place wherever the result is normal, and to one denormal step below.
func TestExpRelative(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		x, y := make([]float32, 20001), make([]float32, 20001)
		for i := range x {
			x[i] = float32(i-10000) / 10000 * 104
		}
		Exp(y, x)
		for i, v := range x {
			want := math.Exp(float64(v))
			if w := float32(want); math.IsInf(float64(w), 0) {
				if y[i] != w {
					t.Fatalf("exp(%v) = %v, want %v", v, y[i], w)
				}
				continue
			}
			if d := math.Abs(float64(y[i]) - want); d > 1.5e-7*want+1.5e-45 {
				t.Fatalf("exp(%v) = %v, want %v: off by %v", v, y[i], want, d/want)
			}
		}
	})
}

func TestGradients(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, f := range []struct {
			name string
			f    func(dst, x, dy []float32)
			want func(x, dy float64) float64
			tol  float64
		}{
			{"GeluGrad", GeluGrad, func(x, dy float64) float64 {
				return dy * (normalCDF(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
			}, 5e-7},
			{"SiluGrad", SiluGrad, func(x, dy float64) float64 { s := sigmoid(x); return dy * s * (1 + x*(1-s)) }, 8e-7},
			{"Elu1Grad", Elu1Grad, func(y, dy float64) float64 { return dy * math.Min(1, y) }, 1e-7},
			{"Add", Add, func(a, b float64) float64 { return a + b }, 1e-7},
			{"Sub", Sub, func(a, b float64) float64 { return a - b }, 1e-7},
			{"Mul", Mul, func(a, b float64) float64 { return a * b }, 1e-7},
		} {
			t.Run(f.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, 6))
				for _, n := range testLengths {
					x, dy, dst := input(r, n, 3, false), input(r, n, 1, false), input(r, n, 1, false)
					if n > 2 {
						x.v[n/2], dy.v[n-1], x.v[0] = nan32, nan32, -30
					}
					f.f(dst.v, x.v, dy.v)
					for i, v := range x.v {
						if want := float32(f.want(float64(v), float64(dy.v[i]))); !close32(dst.v[i], want, f.tol) {
							t.Fatalf("n %d: f(%v, %v) = %v, want %v", n, v, dy.v[i], dst.v[i], want)
						}
					}
					checkGuards(t, x, dy, dst)
				}
			})
		}
	})
}

func TestScaleAndAddScaled(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, n := range testLengths {
			x, dst := input(r, n, 1, false), input(r, n, 1, false)
			before := append([]float32(nil), dst.v...)
			AddScaled(dst.v, -1.5, x.v)
			for i, v := range x.v {
				if want := before[i] - 1.5*v; !close32(dst.v[i], want, 4e-7) {
					t.Fatalf("AddScaled n %d at %d: %v, want %v", n, i, dst.v[i], want)
				}
			}
			Scale(dst.v, 3, x.v)
			for i, v := range x.v {
				if dst.v[i] != 3*v {
					t.Fatalf("Scale n %d at %d: %v, want %v", n, i, dst.v[i], 3*v)
				}
			}
			checkGuards(t, x, dst)
		}
	})
}

func TestReductions(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, n := range testLengths {
			x, y, dst := input(r, n, 1, false), input(r, n, 1, false), input(r, n, 1, false)
			var dot, sum, sq, exps, size float64
			top := float32(math.Inf(-1))
			for i, v := range x.v {
				dot += float64(v) * float64(y.v[i])
				sum += float64(v)
				sq += float64(v) * float64(v)
				exps += math.Exp(float64(v) - 1)
				size += 1
				top = max(top, v)
			}
			tol := 2e-6 * math.Sqrt(size+1)
			for name, got := range map[string][2]float64{
				"Dot": {float64(Dot(x.v, y.v)), dot}, "Sum": {float64(Sum(x.v)), sum}, "SumSquares": {SumSquares(x.v), sq},
				"Max": {float64(Max(x.v)), float64(top)}, "ExpSum": {float64(ExpSum(dst.v, x.v, 1)), exps},
			} {
				if d := math.Abs(got[0] - got[1]); d > tol+1e-6*math.Abs(got[1]) {
					t.Errorf("%s n %d: %v, want %v", name, n, got[0], got[1])
				}
			}
			for i, v := range x.v {
				if want := float32(math.Exp(float64(v) - 1)); !close32(dst.v[i], want, 5e-7) {
					t.Fatalf("ExpSum n %d at %d: %v, want %v", n, i, dst.v[i], want)
				}
			}
			checkGuards(t, x, y, dst)
			for i := 0; i < n; i += max(1, n/19) {
				old := x.v[i]
				x.v[i] = nan32
				if got := Max(x.v); got == got {
					t.Fatalf("Max with NaN at %d of %d = %v", i, n, got)
				}
				x.v[i] = inf32
				if got := Max(x.v); got != inf32 {
					t.Fatalf("Max with Inf at %d of %d = %v", i, n, got)
				}
				x.v[i] = old
			}
			for i := range x.v {
				x.v[i] = -inf32
			}
			if got := Max(x.v); got != -inf32 {
				t.Fatalf("Max of -Inf = %v", got)
			}
		}
	})
}

func TestAdamW(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, n := range testLengths {
			p, g, m, v := input(r, n, 1, false), input(r, n, 1, false), input(r, n, 1, false), input(r, n, 1, false)
			Mul(v.v, v.v, v.v)
			if n > 1 {
				g.v[1], m.v[1], v.v[1] = 0, 0, 0 // 0/(0+eps)
			}
			p0, m0, v0 := append([]float32(nil), p.v...), append([]float32(nil), m.v...), append([]float32(nil), v.v...)
			AdamW(p.v, g.v, m.v, v.v, 1e-3, 0.9, 0.99, 1e-8, 0.1, 1-0.81, 1-0.9801)
			for i := range p0 {
				d := float64(g.v[i])
				wm := 0.9*float64(m0[i]) + 0.1*d
				wv := 0.99*float64(v0[i]) + 0.01*d*d
				wp := float64(p0[i])*(1-1e-4) - 1e-3/(1-0.81)*wm/(math.Sqrt(wv)/math.Sqrt(1-0.9801)+1e-8)
				if !close32(m.v[i], float32(wm), 3e-7) || !close32(v.v[i], float32(wv), 3e-7) || !close32(p.v[i], float32(wp), 1e-6) {
					t.Fatalf("n %d at %d: p %v m %v v %v, want %v %v %v", n, i, p.v[i], m.v[i], v.v[i], wp, wm, wv)
				}
			}
			checkGuards(t, p, g, m, v)
		}
	})
}

// TestSameForAnyThreads compares bits between one, two, three and seven threads.
func TestSameForAnyThreads(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		const n, rows, cols = 3 * forkAbove, 257, 300
		x, y := input(r, n, 1, false).v, input(r, n, 1, false).v
		run := func() []float32 {
			out := append([]float32{Dot(x, y), Sum(x), float32(SumSquares(x))}, make([]float32, cols)...)
			SumRows(out[3:], x[:rows*cols], rows, cols)
			dx, mean, rstd, dg, db := make([]float32, rows*cols), make([]float32, rows), make([]float32, rows), make([]float32, cols), make([]float32, cols)
			LayerNorm(dx, x[:rows*cols], y[:cols], nil, rows, cols, 1e-5, mean, rstd)
			LayerNormGrad(dx, dg, db, y[:rows*cols], x[:rows*cols], y[:cols], mean, rstd, rows, cols)
			c := make([]float32, rows*rows)
			Gemm(false, true, rows, rows, cols, 1, x, cols, y, cols, 0, c, rows)
			var p Packed
			Pack(false, cols, rows, y, rows, &p)
			d := make([]float32, rows*rows)
			GemmPacked(rows, x, cols, &p, nil, d, rows)
			e := make([]float32, cols*rows)
			Gemm(true, false, cols, rows, rows, 1, x, cols, y, rows, 0, e, rows)
			for _, s := range [][]float32{dx, dg, db, c, d, e} {
				out = append(out, s...)
			}
			return out
		}
		var want []float32
		for _, threads := range []int{1, 2, 3, 7} {
			withThreads(threads, func() {
				got := run()
				if want == nil {
					want = got
				}
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%d threads: value %d is %v, with one thread %v", threads, i, got[i], want[i])
					}
				}
			})
		}
	})
}

// TestDenormalsLive runs every kind of kernel and then asks whether denormals still count.
func TestDenormalsLive(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		tiny := math.Float32frombits(1 << 10)
		p, g, m, v := []float32{1, 2}, []float32{0, tiny}, []float32{tiny, tiny}, []float32{tiny, 1}
		AdamW(p, g, m, v, 1e-3, 0.9, 0.99, 1e-8, 0.1, 1, 1)
		if p[0] != p[0] || p[1] != p[1] {
			t.Fatalf("AdamW of denormals: %v", p)
		}
		x := []float32{tiny, -tiny, 3 * tiny}
		y := make([]float32, 3)
		Add(y, x, x)
		if want := []float32{2 * tiny, -2 * tiny, 6 * tiny}; y[0] != want[0] || y[1] != want[1] || y[2] != want[2] {
			t.Errorf("Add of denormals: %v, want %v", y, want)
		}
		Scale(y, 0.5, x)
		if y[0] != tiny/2 {
			t.Errorf("Scale of a denormal: %v, want %v", y[0], tiny/2)
		}
		c := make([]float32, 1)
		Gemm(false, false, 1, 1, 3, 1, x, 3, []float32{1, 1, 1}, 1, 0, c, 1)
		if c[0] != 3*tiny {
			t.Errorf("Gemm of denormals: %v, want %v", c[0], 3*tiny)
		}
	})
}

// TestRecur holds the recurrence to its definition in float64, at widths of whole strips, vectors and parts of one.
func TestRecur(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for _, rows := range []int{0, 1, 3, 64} {
			for _, cols := range []int{0, 1, 5, 8, 16, 17, 33, 64, 65, 100, 128, 150} {
				q, k, v := input(r, rows, 1, false), input(r, rows, 1, false), input(r, cols, 1, false)
				o, s := input(r, cols, 1, false), input(r, rows*cols, 1, false)
				if rows > 1 && cols > 2 {
					s.v[cols], s.v[1], s.v[2] = 1e-42, inf32, nan32
				}
				const gamma = 0.75
				want, sum := make([]float64, rows*cols), make([]float64, cols)
				for i := range want {
					want[i] = gamma*float64(s.v[i]) + float64(k.v[i/cols])*float64(v.v[i%cols])
					sum[i%cols] += float64(q.v[i/cols]) * want[i]
				}
				Recur(o.v, q.v, k.v, v.v, s.v, gamma)
				for i, w := range want {
					if !close32(s.v[i], float32(w), 5e-7) {
						t.Fatalf("%d×%d: S[%d] = %v, want %v", rows, cols, i, s.v[i], w)
					}
				}
				for j, w := range sum {
					if !close32(o.v[j], float32(w), 1e-5) {
						t.Fatalf("%d×%d: o[%d] = %v, want %v", rows, cols, j, o.v[j], w)
					}
				}
				checkGuards(t, q, k, v, o, s)
			}
		}
	})
}
