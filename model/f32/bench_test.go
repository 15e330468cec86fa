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

// rate times f in b.N samples with the peak measured around them and reports medians and best.
func rate(b *testing.B, flops float64, f func()) {
	f()
	repeat := 1
	for start := time.Now(); ; repeat *= 2 {
		start = time.Now()
		for range repeat {
			f()
		}
		if time.Since(start) > 5*time.Millisecond {
			break
		}
	}
	var got, peak []float64
	for b.Loop() {
		b.StopTimer()
		peak = append(peak, Peak())
		b.StartTimer()
		start := time.Now()
		for range repeat {
			f()
		}
		got = append(got, flops*float64(repeat)/float64(time.Since(start).Nanoseconds()))
	}
	slices.Sort(got)
	slices.Sort(peak)
	n := len(got)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(got[n/2], "GFLOP/s")
	b.ReportMetric(peak[n-1], "peak")
	b.ReportMetric(100*got[n/2]/peak[n/2], "%peak")
	b.ReportMetric(100*got[n-1]/peak[n-1], "%best")
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
					rate(b, flops, func() { GemmPacked(s.m, x, s.k, &p, 0, c, s.n) })
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
