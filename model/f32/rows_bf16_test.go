package f32

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// narrowGuarded is a slice of BF16 with guard words on both sides.
func narrowGuarded(n int) (whole, v []BF16) {
	whole = make([]BF16, n+64)
	for i := range whole {
		whole[i] = 0x4242
	}
	return whole, whole[33 : 33+n : 33+n]
}

// TestBlockRows holds what is done to rows of a block against plain loops, on every path, for row lengths of whole vectors
// and of parts of them, and wants nothing to be written beside the rows.
func TestBlockRows(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(71, 72))
		floats := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			return x
		}
		near := func(name string, got, want []float32) {
			t.Helper()
			for i, w := range want {
				if !(math.Abs(float64(got[i]-w)) <= 1e-5*(4+math.Abs(float64(w)))) {
					t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], w)
				}
			}
		}
		// A value on the border between two BF16 may be rounded either way when it was computed in another order.
		near16 := func(name string, got, want []BF16) {
			t.Helper()
			for i, w := range want {
				if d := math.Abs(float64(got[i].Float32() - w.Float32())); !(d <= 0.01*math.Abs(float64(w.Float32()))+1e-6) {
					t.Fatalf("%s: element %d is %v, want %v", name, i, got[i].Float32(), w.Float32())
				}
			}
		}
		for trial := range 300 {
			rows, cols := 1+r.IntN(20), 1+r.IntN(70)
			ld := cols + r.IntN(5)
			size := (rows-1)*ld + cols
			x, y := floats(size), floats(size)
			x16, y16 := randomBF16(r, size), randomBF16(r, size)
			w, z := floats(rows), floats(cols)

			whole, out := narrowGuarded(size)
			want := append([]BF16(nil), out...)
			first := r.IntN(cols)
			sums, wantSums := make([]float32, rows), make([]float32, rows)
			add := w
			if trial%3 == 0 {
				add = nil
			}
			CausalRound(out, ld, x, ld, rows, cols, first, add, sums)
			naiveCausalRound(want, ld, x, ld, rows, cols, first, add, wantSums)
			near16("CausalRound", out, want)
			near("CausalRound's sums", sums, wantSums)
			CausalRound(out, ld, x, ld, rows, cols, first, add, nil)
			near16("CausalRound without sums", out, want)

			ScaleRound(out, ld, x, ld, cols, w)
			naiveScaleRound(want, ld, x, ld, cols, w)
			near16("ScaleRound", out, want)
			ScaleRows(out, ld, x16, ld, cols, w)
			naiveScaleRows16(want, ld, x16, ld, cols, w)
			near16("ScaleRows", out, want)

			sum, wantSum := floats(cols), make([]float32, cols)
			copy(wantSum, sum)
			SumRoundRows(out, ld, x, ld, rows, sum)
			naiveSumRoundRows(want, ld, x, ld, rows, wantSum)
			near16("SumRoundRows", out, want)
			near("SumRoundRows' sums", sum, wantSum)
			EluRoundRows(out, ld, x, ld, y16, ld, rows, sum)
			naiveEluRoundRows(want, ld, x, ld, y16, ld, rows, wantSum)
			near16("EluRoundRows", out, want)
			near("EluRoundRows' sums", sum, wantSum)

			for i, v := range whole {
				if (i < 33 || i >= 33+size) && v != 0x4242 {
					t.Fatalf("rows %d of %d, %d apart: a word beside them was written", rows, cols, ld)
				}
			}
			for i := range rows - 1 {
				for j := cols; j < ld; j++ {
					if out[i*ld+j] != 0x4242 {
						t.Fatalf("rows %d of %d, %d apart: a word between them was written", rows, cols, ld)
					}
				}
			}

			got, wanted := floats(rows), make([]float32, rows)
			copy(wanted, got)
			DotRows(got, x16, ld, rows, cols, z)
			naiveDotRows(wanted, x16, ld, cols, z)
			near("DotRows", got, wanted)
			RowDots(got, x16, ld, y16, ld, rows, cols)
			naiveRowDots(wanted, x16, ld, y16, ld, cols)
			near("RowDots", got, wanted)
			got, wanted = floats(cols), make([]float32, cols)
			copy(wanted, got)
			AddRows(got, x16, ld, w)
			naiveAddRows(wanted, x16, ld, w)
			near("AddRows", got, wanted)
			got, wanted = y, append([]float32(nil), y...)
			AddOuter(got, ld, w, z)
			naiveAddOuter(wanted, ld, w, z)
			near("AddOuter", got, wanted)
			AddThree(got[:cols], x[:cols], y[:cols], z)
			for j := range cols {
				if want := x[j] + wanted[j] + z[j]; math.Abs(float64(got[j]-want)) > 1e-5*(1+math.Abs(float64(want))) {
					t.Fatalf("AddThree: element %d is %v, want %v", j, got[j], want)
				}
			}
		}
	})
}

// TestFetchRows asks for rows of every shape, up to the end of their memory; what comes of it is time alone.
func TestFetchRows(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for rows := range 5 {
			for cols := range 70 {
				x := make([]BF16, max(0, rows-1)*(cols+3)+cols)
				if rows == 0 {
					x = nil
				}
				FetchRows(x, cols+3, rows, cols)
			}
		}
		defer func() {
			if recover() == nil {
				t.Error("rows that are not there were asked for")
			}
		}()
		FetchRows(make([]BF16, 10), 4, 3, 4)
	})
}

// TestAddRound compares bits with one step after the other.
func TestAddRound(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(81, 82))
		for n := range 70 {
			x, y, z := input(r, n, 1, false).v, input(r, n, 1, false).v, make([]float32, n)
			got, want := make([]BF16, n), make([]BF16, n)
			Add(z, x, y)
			Round(want, z)
			if AddRound(got, x, y); !slices.Equal(got, want) {
				t.Fatalf("AddRound of %v and %v is %v, want %v", x, y, got, want)
			}
			Elu1(z, z)
			Round(want, z)
			if EluRound(got, x, y); !slices.Equal(got, want) {
				t.Fatalf("EluRound of %v and %v is %v, want %v", x, y, got, want)
			}
		}
	})
}

// TestGeluRound holds the activation of narrow passes against the exact one over all that a BF16 can be.
func TestGeluRound(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var x []float32
		for b := range 1 << 16 {
			if v := BF16(b).Float32(); v-v == 0 {
				x = append(x, v)
			}
		}
		n := len(x)
		act, y, out, again, sum, ones := make([]BF16, n), make([]BF16, n), make([]BF16, n), make([]BF16, n), make([]float32, n), make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		GeluRound(act, y, x, make([]float32, n))
		GeluBack(out, again, y, ones, sum)
		for i, v := range x {
			v := float64(flush(v))
			if y[i].Float32() != float32(v) {
				t.Fatalf("%v is kept as %v", v, y[i].Float32())
			}
			want := v * normalCDF(v)
			if got := float64(act[i].Float32()); !(math.Abs(got-want) <= 6e-5+0x1p-8*math.Abs(want)) {
				t.Fatalf("gelu(%v) is %v, want %v", v, got, want)
			}
			if again[i] != act[i] {
				t.Fatalf("gelu(%v) is %v, then %v", v, act[i].Float32(), again[i].Float32())
			}
			slope := normalCDF(v) + v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi)
			if got := float64(out[i].Float32()); !(math.Abs(got-slope) <= 4e-4+0x1p-8*math.Abs(slope)) || math.Abs(float64(sum[i])-slope) > 4e-4 {
				t.Fatalf("its slope is %v and %v, want %v", got, sum[i], slope)
			}
		}
	})
}

func TestNormRow(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(73, 74))
		for _, n := range []int{1, 7, 16, 33, 96, 256} {
			x, dy, gamma, beta := input(r, n, 1, false).v, input(r, n, 1, false).v, input(r, n, 1, false).v, input(r, n, 1, false).v
			one, all := make([]float32, n), make([]float32, n)
			mean, rstd := make([]float32, 1), make([]float32, 1)
			m, s := NormRow(one, x, gamma, beta, 1e-5)
			LayerNorm(all, x, gamma, beta, 1, n, 1e-5, mean, rstd)
			if m != mean[0] || s != rstd[0] {
				t.Fatalf("mean %v and 1/deviation %v, want %v and %v", m, s, mean[0], rstd[0])
			}
			dx, dgamma, dbeta := make([]float32, n), make([]float32, n), make([]float32, n)
			added, dgammaRow, dbetaRow := append([]float32(nil), x...), make([]float32, n), make([]float32, n)
			LayerNormGrad(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, 1, n)
			NormGradRow(added, dgammaRow, dbetaRow, dy, x, gamma, m, s)
			for i := range n {
				if one[i] != all[i] || dgamma[i] != dgammaRow[i] || dbeta[i] != dbetaRow[i] {
					t.Fatalf("column %d of %d differs from that of a matrix", i, n)
				}
				if want := x[i] + dx[i]; !(math.Abs(float64(added[i]-want)) <= 1e-5*(1+math.Abs(float64(dx[i])))) {
					t.Fatalf("gradient %d of %d is %v, want %v", i, n, added[i], want)
				}
			}
		}
	})
}
