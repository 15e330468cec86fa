package f32

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// onPaths runs a benchmark on each assembly path, or on naive where there is none.
func onPaths(b *testing.B, f func(b *testing.B)) {
	old := Path()
	defer func() { _ = SetPath(old) }()
	names := Paths()
	for _, name := range names[min(1, len(names)-1):] {
		if err := SetPath(name); err != nil {
			b.Fatal(err)
		}
		b.Run(name, f)
	}
}

// rate times f in b.N samples, each between two measurements of the peak, and reports the median speed and, of the
// samples' shares of the higher of their two peaks, the median and the best but a tenth. A share taken side by side is
// steadier than a speed on a machine whose clock and neighbours are not; on a busy one both are too low.
func rate(b *testing.B, flops float64, f func()) { rateOf(b, Peak, flops, f) }

// rateOf takes the peak by which the share is measured.
func rateOf(b *testing.B, peak func() float64, flops float64, f func()) {
	var last float64 // peak of the run before
	f()
	start := time.Now()
	f()
	repeat := max(1, int(1e6/float64(time.Since(start).Nanoseconds()+1)))
	var got, share []float64
	last = peak()
	for b.Loop() {
		start := time.Now()
		for range repeat {
			f()
		}
		speed := flops * float64(repeat) / float64(time.Since(start).Nanoseconds())
		next := peak()
		got, share = append(got, speed), append(share, 100*speed/max(last, next))
		last = next
	}
	slices.Sort(got)
	slices.Sort(share)
	n := len(got)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(got[n/2], "GFLOP/s")
	b.ReportMetric(share[n/2], "%peak")
	b.ReportMetric(share[n*9/10], "%p90")
}

func filled(n int) []float32 {
	s := Aligned(n)
	for i := range s {
		s[i] = float32(i%17)/16 - 0.5
	}
	return s
}

// BenchmarkGemm has the products of a training step of the small preset (3,072 tokens, width 256) and of widths 512.
func BenchmarkGemm(b *testing.B) {
	type shape struct {
		kind    string
		m, n, k int
	}
	shapes := []shape{
		{"Packed", 3072, 768, 256}, {"Packed", 3072, 256, 256}, {"Packed", 3072, 1024, 256}, {"Packed", 3072, 256, 1024}, {"Packed", 3072, 260, 256},
		{"Packed", 3072, 2048, 512}, {"Packed", 3072, 512, 2048},
		{"NN", 3072, 768, 256}, {"NN", 3072, 256, 1024}, {"NT", 3072, 768, 256}, {"NT", 3072, 256, 1024}, {"NN", 3072, 1024, 256},
		{"TN", 256, 768, 3072}, {"TN", 256, 256, 3072}, {"TN", 256, 1024, 3072}, {"TN", 1024, 256, 3072}, {"TN", 512, 2048, 3072},
	}
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%s/%dx%dx%d", s.kind, s.m, s.n, s.k), func(b *testing.B) {
			onPaths(b, func(b *testing.B) {
				x, y, c := filled(s.m*s.k), filled(s.k*s.n), filled(s.m*s.n)
				flops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
				switch s.kind {
				case "Packed":
					var p Packed
					Pack(false, s.k, s.n, y, s.n, &p)
					rate(b, flops, func() { GemmPacked(s.m, x, s.k, &p, nil, c, s.n) })
				case "NN":
					rate(b, flops, func() { Gemm(false, false, s.m, s.n, s.k, 1, x, s.k, y, s.n, 0, c, s.n) })
				case "NT":
					rate(b, flops, func() { Gemm(false, true, s.m, s.n, s.k, 1, x, s.k, y, s.k, 0, c, s.n) })
				case "TN":
					rate(b, flops, func() { Gemm(true, false, s.m, s.n, s.k, 1, x, s.m, y, s.n, 1, c, s.n) })
				}
			})
		})
	}
}

// BenchmarkGemmHeads has the products of chunked attention: heads of width 64 interleaved in rows of 768.
func BenchmarkGemmHeads(b *testing.B) {
	const chunk, d, wide = 128, 64, 768
	x, y, c, w := filled(chunk*wide), filled(chunk*wide), filled(chunk*chunk), filled(d*d)
	for _, s := range []struct {
		name  string
		flops int
		f     func()
	}{
		{"NT/128x128x64", 2 * chunk * chunk * d, func() { GemmSerial(false, true, chunk, chunk, d, 1, x, wide, y, wide, 0, c, chunk) }},
		{"NN/128x64x128", 2 * chunk * chunk * d, func() { GemmSerial(false, false, chunk, d, chunk, 1, c, chunk, y, wide, 0, x, wide) }},
		{"TN/64x64x128", 2 * chunk * d * d, func() { GemmSerial(true, false, d, d, chunk, 1, x, wide, y, wide, 1, w, d) }},
		{"NN/128x64x64", 2 * chunk * d * d, func() { GemmSerial(false, false, chunk, d, d, 1, x, wide, w, d, 1, c, chunk) }},
		{"TN/128x64x128", 2 * chunk * chunk * d, func() { GemmSerial(true, false, chunk, d, chunk, 1, c, chunk, y, wide, 0, x, wide) }},
		{"NT/128x64x64", 2 * chunk * d * d, func() { GemmSerial(false, true, chunk, d, d, 1, x, wide, w, d, 1, c, chunk) }},
	} {
		b.Run(s.name, func(b *testing.B) {
			onPaths(b, func(b *testing.B) {
				old := SetThreads(1) // one goroutine runs, so one thread's peak is the measure
				defer SetThreads(old)
				rate(b, float64(s.flops), s.f)
			})
		})
	}
}

// BenchmarkGemmBF16 has the products of both, of BF16, where the processor has instructions for them.
func BenchmarkGemmBF16(b *testing.B) {
	if !HasBF16() {
		b.Skip("this processor has no instructions for BF16")
	}
	narrow := func(n int) []BF16 {
		x := Narrow(Aligned((n + 1) / 2))
		Round(x[:n], filled(n))
		return x[:n]
	}
	for _, s := range [][3]int{{3072, 768, 256}, {3072, 256, 256}, {3072, 1024, 256}, {3072, 256, 1024}, {3072, 260, 256}, {96, 1024, 256}} {
		b.Run(fmt.Sprintf("Times/%dx%dx%d", s[0], s[1], s[2]), func(b *testing.B) {
			x, c := narrow(s[0]*s[2]), filled(s[0]*s[1])
			var p PackedBF16
			PackBF16(false, s[2], s[1], filled(s[2]*s[1]), s[1], &p)
			rateOf(b, PeakBF16, 2*float64(s[0]*s[1]*s[2]), func() { TimesBF16(true, s[0], x, s[2], &p, false, c, s[1]) })
		})
	}
	for _, s := range [][3]int{{256, 768, 3072}, {256, 256, 3072}, {256, 1024, 3072}, {1024, 256, 3072}} {
		b.Run(fmt.Sprintf("TN/%dx%dx%d", s[0], s[1], s[2]), func(b *testing.B) {
			x, y, c := narrow(s[0]*s[2]), narrow(s[1]*s[2]), filled(s[0]*s[1])
			rateOf(b, PeakBF16, 2*float64(s[0]*s[1]*s[2]), func() { GemmBF16(true, false, s[0], s[1], s[2], 1, x, s[0], y, s[1], 1, c, s[1]) })
		})
	}
	const chunk, d, wide = 128, 64, 768
	x, y, a, w := narrow(chunk*wide), narrow(chunk*wide), narrow(chunk*chunk), narrow(d*d)
	c := filled(chunk * chunk)
	for _, s := range []struct {
		name  string
		flops int
		f     func()
	}{
		{"NT/128x128x64", 2 * chunk * chunk * d, func() { GemmSerialBF16(false, true, chunk, chunk, d, 1, x, wide, y, wide, 0, c, chunk) }},
		{"NN/128x64x128", 2 * chunk * chunk * d, func() { GemmSerialBF16(false, false, chunk, d, chunk, 1, a, chunk, y, wide, 0, c, d) }},
		{"TN/64x64x128", 2 * chunk * d * d, func() { GemmSerialBF16(true, false, d, d, chunk, 1, x, wide, y, wide, 1, c, d) }},
		{"NN/128x64x64", 2 * chunk * d * d, func() { GemmSerialBF16(false, false, chunk, d, d, 1, x, wide, w, d, 1, c, d) }},
		{"TN/128x64x128", 2 * chunk * chunk * d, func() { GemmSerialBF16(true, false, chunk, d, chunk, 1, a, chunk, y, wide, 0, c, d) }},
		{"NT/128x64x64", 2 * chunk * d * d, func() { GemmSerialBF16(false, true, chunk, d, d, 1, x, wide, w, d, 1, c, d) }},
	} {
		b.Run("Heads/"+s.name, func(b *testing.B) {
			defer SetThreads(SetThreads(1))
			rateOf(b, PeakBF16, float64(s.flops), s.f)
		})
	}
}

// BenchmarkSmall has the products of generation: few rows, weights from the second or third cache. Their measure is bytes of weights a second.
func BenchmarkSmall(b *testing.B) {
	for _, s := range []struct{ n, k int }{{768, 256}, {256, 256}, {1024, 256}, {256, 1024}, {260, 256}, {2048, 512}, {512, 2048}} {
		for _, m := range []int{1, 2, 4, 8, 16} {
			x, y, c := filled(m*s.k), filled(s.k*s.n), filled(m*s.n)
			var p Packed
			for _, kind := range []struct {
				name string
				f    func()
			}{
				{"Packed", func() { GemmPacked(m, x, s.k, &p, nil, c, s.n) }},
				{"NN", func() { Gemm(false, false, m, s.n, s.k, 1, x, s.k, y, s.n, 0, c, s.n) }},
				{"NT", func() { Gemm(false, true, m, s.n, s.k, 1, x, s.k, y, s.k, 0, c, s.n) }},
			} {
				b.Run(fmt.Sprintf("%s/%dx%dx%d", kind.name, m, s.n, s.k), func(b *testing.B) {
					onPaths(b, func(b *testing.B) {
						b.SetBytes(int64(4 * s.n * s.k))
						Pack(false, s.k, s.n, y, s.n, &p) // for this path
						for b.Loop() {
							kind.f()
						}
						b.ReportMetric(2*float64(m)*float64(s.n)*float64(s.k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
					})
				})
			}
		}
	}
}

// BenchmarkFew has the products of one step of generation with the small preset, one after another: their weights, 13 MB,
// lie together and are read once each.
func BenchmarkFew(b *testing.B) {
	shapes := [][2]int{{768, 256}, {256, 256}, {1024, 256}, {256, 1024}}
	for _, m := range []int{1, 2, 4, 8, 16, 32} {
		b.Run(fmt.Sprint(m), func(b *testing.B) {
			onPaths(b, func(b *testing.B) {
				var all []Packed
				size := 0
				for range 4 {
					for _, s := range shapes {
						all = append(all, Packed{K: s[1], N: s[0]})
						size += PackedLen(s[1], s[0])
					}
				}
				memory, w := Aligned(size), filled(256*1024)
				x, y := filled(m*1024), filled(m*1024)
				for i := range all {
					p := &all[i]
					n := PackedLen(p.K, p.N)
					p.Use(memory[:n:n])
					memory = memory[n:]
					Pack(false, p.K, p.N, w, p.N, p)
				}
				var best time.Duration
				for b.Loop() {
					start := time.Now()
					for i := range all {
						GemmPacked(m, x, all[i].K, &all[i], nil, y, all[i].N)
					}
					if took := time.Since(start); best == 0 || took < best {
						best = took
					}
				}
				b.ReportMetric(float64(4*size)/float64(best.Nanoseconds()), "best-GB/s")
				b.ReportMetric(2*float64(m*size)/float64(best.Nanoseconds()), "best-GFLOP/s")
				b.ReportMetric(float64(best.Microseconds()), "best-us")
			})
		})
	}
}

// BenchmarkVector has the vector kernels on 4,096 elements (the first cache) and on a million (memory, all threads).
func BenchmarkVector(b *testing.B) {
	const rows = 4096
	for _, n := range []int{4096, 1 << 20} {
		x, y, z, w := filled(n), filled(n), filled(n), filled(n)
		gamma, beta, sums, mean, rstd := filled(256), filled(256), filled(512), filled(rows), filled(rows)
		for _, k := range []struct {
			name string
			f    func()
		}{
			{"Exp", func() { Exp(y, x) }}, {"Gelu", func() { Gelu(y, x) }}, {"GeluGrad", func() { GeluGrad(z, x, y) }},
			{"Silu", func() { Silu(y, x) }}, {"SiluGrad", func() { SiluGrad(z, x, y) }}, {"Sigmoid", func() { Sigmoid(y, x) }},
			{"Elu1", func() { Elu1(y, x) }}, {"Elu1Grad", func() { Elu1Grad(z, y, x) }},
			{"Add", func() { Add(z, x, y) }}, {"AddScaled", func() { AddScaled(z, 0.5, x) }}, {"Dot", func() { Dot(x, y) }}, {"Max", func() { Max(x) }},
			{"Softmax256", func() { SoftmaxRows(y, x, n/256, 256) }}, {"SoftmaxGrad256", func() { SoftmaxGradRows(z, y, x, n/256, 256) }},
			{"LayerNorm256", func() { LayerNorm(y, x, gamma, beta, n/256, 256, 1e-5, mean[:n/256], rstd[:n/256]) }},
			{"LayerNormGrad256", func() {
				LayerNormGrad(z, sums[:256], sums[256:], y, x, gamma, mean[:n/256], rstd[:n/256], n/256, 256)
			}},
			{"CrossEntropy256", func() {
				Parallel(n/256, 64, func(lo, hi, _ int) {
					for i := lo; i < hi; i++ {
						CrossEntropyRow(w[i*256:(i+1)*256], i%256, 1)
					}
				})
			}},
			{"AddRow256", func() { AddRow(z, beta, n/256, 256) }}, {"SumRows256", func() { SumRows(gamma, x, n/256, 256) }},
			{"AdamW", func() { AdamW(z, x, y, w, 1e-4, 0.9, 0.95, 1e-8, 0.1, 1, 1) }},
			{"Transpose256", func() { Transpose(z, n/256, x, 256, n/256, 256) }},
			{"Zero", func() { clear(z) }}, {"Copy", func() { copy(z, x) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", k.name, n), func(b *testing.B) {
				onPaths(b, func(b *testing.B) {
					for i := range w {
						w[i] = max(w[i], 0)
					}
					for b.Loop() {
						k.f()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
				})
			})
		}
	}
}

// BenchmarkParallel has the cost of one call with next to nothing to do.
func BenchmarkParallel(b *testing.B) {
	for b.Loop() {
		Parallel(8, 1, func(_, _, _ int) {})
	}
}
