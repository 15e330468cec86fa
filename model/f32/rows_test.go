package f32

import (
	"math"
	"math/rand/v2"
	"testing"
)

var testCols = []int{1, 2, 7, 8, 15, 16, 17, 33, 64, 100, 256, 260, 1001}

func TestSoftmax(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for _, cols := range testCols {
			rows := 5
			if cols == 260 {
				rows = 300 // enough for many threads
			}
			x, y, dy, dx := input(r, rows*cols, 30, false), input(r, rows*cols, 1, false), input(r, rows*cols, 1, false), input(r, rows*cols, 1, false)
			if cols > 2 {
				x.v[1] = -inf32
			}
			SoftmaxRows(y.v, x.v, rows, cols)
			SoftmaxGradRows(dx.v, y.v, dy.v, rows, cols)
			for i := range rows {
				at, end := i*cols, (i+1)*cols
				top := float64(naiveMax(x.v[at:end]))
				var sum, dot float64
				for _, v := range x.v[at:end] {
					sum += math.Exp(float64(v) - top)
				}
				for j := at; j < end; j++ {
					want := float32(math.Exp(float64(x.v[j])-top) / sum)
					if !close32(y.v[j], want, 3e-7) {
						t.Fatalf("%d columns: softmax[%d,%d] = %v, want %v", cols, i, j-at, y.v[j], want)
					}
					dot += float64(y.v[j]) * float64(dy.v[j])
				}
				for j := at; j < end; j++ {
					want := float32(float64(y.v[j]) * (float64(dy.v[j]) - dot))
					if !close32(dx.v[j], want, 1e-6) {
						t.Fatalf("%d columns: gradient[%d,%d] = %v, want %v", cols, i, j-at, dx.v[j], want)
					}
				}
			}
			checkGuards(t, x, y, dy, dx)
			x.v[cols-1] = nan32
			SoftmaxRow(y.v[:cols], x.v[:cols])
			for _, v := range y.v[:cols] {
				if v == v {
					t.Fatalf("softmax of a row with NaN has %v", v)
				}
			}
		}
	})
}

func TestCrossEntropy(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for _, cols := range testCols {
			x := input(r, cols, 5, false)
			target := r.IntN(cols)
			var sum float64
			for _, v := range x.v {
				sum += math.Exp(float64(v))
			}
			in := append([]float32(nil), x.v...)
			if got, want := LogSumExp(x.v, make([]float32, cols)), math.Log(sum); math.Abs(float64(got)-want) > 2e-6 {
				t.Errorf("%d columns: LogSumExp = %v, want %v", cols, got, want)
			}
			loss := CrossEntropyRow(x.v, target, 0.25)
			if want := math.Log(sum) - float64(in[target]); math.Abs(float64(loss)-want) > 4e-6 {
				t.Errorf("%d columns: loss %v, want %v", cols, loss, want)
			}
			for i, v := range in {
				want := math.Exp(float64(v)) / sum
				if i == target {
					want--
				}
				if !close32(x.v[i], float32(0.25*want), 3e-7) {
					t.Fatalf("%d columns: gradient[%d] = %v, want %v", cols, i, x.v[i], 0.25*want)
				}
			}
			checkGuards(t, x)
		}
	})
}

func TestLayerNorm(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(25, 26))
		for _, cols := range testCols {
			for _, shift := range []bool{true, false} {
				rows := 37
				if cols == 260 {
					rows = 300
				}
				x, dy, y, dx := input(r, rows*cols, 2, false), input(r, rows*cols, 1, false), input(r, rows*cols, 1, false), input(r, rows*cols, 1, false)
				gamma, beta := input(r, cols, 1, false), input(r, cols, 1, false)
				dg, db, mean, rstd := newGuarded(cols, 3), newGuarded(cols, 5), newGuarded(rows, 1), newGuarded(rows, 2)
				clear(dg.v)
				clear(db.v)
				b, dbv := beta.v, db.v
				if !shift {
					b, dbv = nil, nil
				}
				LayerNorm(y.v, x.v, gamma.v, b, rows, cols, 1e-5, mean.v, rstd.v)
				LayerNormGrad(dx.v, dg.v, dbv, dy.v, x.v, gamma.v, mean.v, rstd.v, rows, cols)
				compareNorm(t, rows, cols, x.v, dy.v, gamma.v, b, y.v, dx.v, dg.v, dbv)
				checkGuards(t, x, dy, y, dx, gamma, beta, dg, db, mean, rstd)
			}
		}
	})
}

// compareNorm computes layer normalisation and its gradient in float64 from the definition.
func compareNorm(t *testing.T, rows, cols int, x, dy, gamma, beta, y, dx, dg, db []float32) {
	t.Helper()
	n := float64(cols)
	wg, wb := make([]float64, cols), make([]float64, cols)
	for i := range rows {
		row, drow := x[i*cols:(i+1)*cols], dy[i*cols:(i+1)*cols]
		var mu, va, m1, m2 float64
		for _, v := range row {
			mu += float64(v) / n
		}
		for _, v := range row {
			va += (float64(v) - mu) * (float64(v) - mu) / n
		}
		rs := 1 / math.Sqrt(va+1e-5)
		for j, v := range row {
			h, g := (float64(v)-mu)*rs, float64(drow[j])*float64(gamma[j])
			m1 += g / n
			m2 += g * h / n
		}
		tol := 2e-6 * math.Max(1, rs)
		for j, v := range row {
			h, g := (float64(v)-mu)*rs, float64(drow[j])*float64(gamma[j])
			want := h * float64(gamma[j])
			if beta != nil {
				want += float64(beta[j])
			}
			if !close32(y[i*cols+j], float32(want), tol) {
				t.Fatalf("%d columns: y[%d,%d] = %v, want %v", cols, i, j, y[i*cols+j], want)
			}
			if wd := rs * (g - m1 - h*m2); !close32(dx[i*cols+j], float32(wd), 4*tol*math.Max(1, rs)) {
				t.Fatalf("%d columns: dx[%d,%d] = %v, want %v", cols, i, j, dx[i*cols+j], wd)
			}
			wg[j] += float64(drow[j]) * h
			wb[j] += float64(drow[j])
		}
	}
	for j := range cols {
		if math.Abs(float64(dg[j])-wg[j]) > 1e-4*math.Sqrt(float64(rows)) || db != nil && math.Abs(float64(db[j])-wb[j]) > 1e-5*math.Sqrt(float64(rows)) {
			t.Fatalf("%d columns: dgamma[%d] = %v, want %v; dbeta %v, want %v", cols, j, dg[j], wg[j], db, wb[j])
		}
	}
}

func TestRowBias(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(27, 28))
		for _, rows := range []int{1, 15, 16, 17, 300} {
			const cols = 260
			x, bias, sum := input(r, rows*cols, 1, false), input(r, cols, 1, false), newGuarded(cols, 1)
			in := append([]float32(nil), x.v...)
			clear(sum.v)
			SumRows(sum.v, x.v, rows, cols)
			AddRow(x.v, bias.v, rows, cols)
			for j := range cols {
				var want float64
				for i := range rows {
					want += float64(in[i*cols+j])
					if got := x.v[i*cols+j]; got != in[i*cols+j]+bias.v[j] {
						t.Fatalf("AddRow[%d,%d] = %v", i, j, got)
					}
				}
				if math.Abs(float64(sum.v[j])-want) > 1e-5*math.Sqrt(float64(rows)) {
					t.Fatalf("SumRows[%d] = %v, want %v", j, sum.v[j], want)
				}
			}
			checkGuards(t, x, bias, sum)
		}
	})
}

func TestTransposeAndCopies(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		for _, rows := range []int{1, 3, 8, 15, 16, 17, 33, 300} {
			for _, cols := range []int{1, 5, 8, 16, 31, 32, 50, 270} {
				lds, ldd := cols+r.IntN(5), rows+r.IntN(5)
				src, dst := input(r, (rows-1)*lds+cols, 1, false), newGuarded((cols-1)*ldd+rows, r.IntN(16))
				for i := range dst.v {
					dst.v[i] = guardWord
				}
				Transpose(dst.v, ldd, src.v, lds, rows, cols)
				ldc := cols + 3
				cp := newGuarded((rows-1)*ldc+cols, 7)
				CopyStrided(cp.v, ldc, src.v, lds, rows, cols)
				for i := range rows {
					for j := range cols {
						if want := src.v[i*lds+j]; dst.v[j*ldd+i] != want || cp.v[i*ldc+j] != want {
							t.Fatalf("%d×%d: element %d,%d is %v and %v, want %v", rows, cols, i, j, dst.v[j*ldd+i], cp.v[i*ldc+j], want)
						}
					}
				}
				for j := range cols - 1 {
					for i := rows; i < ldd; i++ {
						if dst.v[j*ldd+i] != guardWord {
							t.Fatalf("%d×%d: Transpose wrote beyond row %d", rows, cols, j)
						}
					}
				}
				checkGuards(t, src, dst, cp)
			}
		}
	})
}

func TestGatherAndScatter(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(31, 32))
		for _, n := range []int{0, 1, 50, 700} {
			const cols, table = 100, 40
			index := make([]uint16, n)
			for i := range index {
				index[i] = uint16(r.IntN(table))
			}
			emb, out, grad := input(r, table*cols, 1, false), newGuarded(n*cols, 3), make([]float32, table*cols)
			GatherRows(out.v, emb.v, cols, index)
			ScatterAddRows(grad, out.v, cols, index)
			want := make([]float32, table*cols)
			for i, row := range index {
				for j := range cols {
					v := emb.v[int(row)*cols+j]
					if out.v[i*cols+j] != v {
						t.Fatalf("GatherRows[%d,%d] = %v, want %v", i, j, out.v[i*cols+j], v)
					}
					want[int(row)*cols+j] += v
				}
			}
			for i := range want {
				if grad[i] != want[i] {
					t.Fatalf("ScatterAddRows at %d: %v, want %v", i, grad[i], want[i])
				}
			}
			checkGuards(t, emb, out)
		}
	})
}

// TestShortSlicesPanic holds every operation to refusing slices that do not fit, in words.
func TestShortSlicesPanic(t *testing.T) {
	s := make([]float32, 12)
	for name, f := range map[string]func(){
		"Gemm A":         func() { Gemm(false, false, 4, 2, 4, 1, s, 4, s, 2, 0, s, 2) },
		"Gemm ld":        func() { Gemm(false, false, 3, 3, 4, 1, s, 3, s, 3, 0, s, 3) },
		"Gemm negative":  func() { Gemm(false, false, -1, 3, 4, 1, s, 4, s, 3, 0, s, 3) },
		"GemmBatch C":    func() { GemmBatch(3, false, false, 2, 2, 2, 1, s, 2, 4, s, 2, 4, 0, s, 2, 5) },
		"GemmPacked":     func() { var p Packed; Pack(false, 3, 4, s, 4, &p); GemmPacked(4, s, 3, &p, nil, s, 4) },
		"Pack":           func() { Pack(true, 4, 4, s, 4, &Packed{}) },
		"Exp":            func() { Exp(s, s[:11]) },
		"Add":            func() { Add(s, s, s[1:]) },
		"Dot":            func() { Dot(s, s[1:]) },
		"AdamW":          func() { AdamW(s, s, s, s[1:], 1, 1, 1, 1, 1, 1, 1) },
		"CrossEntropy":   func() { CrossEntropyRow(s, 12, 1) },
		"LayerNorm":      func() { LayerNorm(s, s, s[:4], nil, 3, 4, 1, s[:2], s[:3]) },
		"LayerNormGrad":  func() { LayerNormGrad(s, s[:4], nil, s, s, s[:4], s[:3], s[:2], 3, 4) },
		"Transpose":      func() { Transpose(s[:11], 3, s, 4, 3, 4) },
		"CopyStrided":    func() { CopyStrided(s, 4, s, 5, 3, 4) },
		"GatherRows":     func() { GatherRows(s[:4], s, 4, []uint16{3}) },
		"ScatterAddRows": func() { ScatterAddRows(s, s[:4], 4, []uint16{3}) },
		"SoftmaxRows":    func() { SoftmaxRows(s, s, 3, 5) },
		"Alloc":          func() { NewArena(0).Alloc(-1) },
	} {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || len(r) < 10 || r[:4] != "f32." {
					t.Errorf("%s: recovered %v, want a message that names the operation", name, r)
				}
			}()
			f()
		}()
	}
}
