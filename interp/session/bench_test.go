package session

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traefik/yaegi/interp"
)

// speedCases are small programs: each defines Bench(n int) int.
var speedCases = []struct {
	name, src string
	n         int
}{
	{"integer loop", `func Bench(n int) int { s := 0; for i := 0; i < n; i++ { s += i }; return s }`, 1000000},
	{"array loop", `func Bench(n int) int { a := make([]int, 100); s := 0; for i := 0; i < n; i++ { for j := range a { s += a[j] } }; return s }`, 10000},
	{"fib", `func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }
func Bench(n int) int { return fib(n) }`, 20},
	{"interface call", `type I interface { M(int) int }
type T struct { a int }
func (t *T) M(x int) int { return t.a + x }
func Bench(n int) int { var i I = &T{3}; s := 0; for k := 0; k < n; k++ { s += i.M(k) }; return s }`, 20000},
	{"closure call", `func Bench(n int) int { c := 0; f := func(x int) int { c += x; return c }; s := 0; for k := 0; k < n; k++ { s += f(k) }; return s }`, 20000},
	{"defer", `func d(x *int) int { defer func() { *x++ }(); return 1 }
func Bench(n int) int { s := 0; x := 0; for k := 0; k < n; k++ { s += d(&x) }; return s + x }`, 20000},
	{"map update", `func Bench(n int) int { m := map[int]int{}; for k := 0; k < n; k++ { m[k%100] += k }; return len(m) }`, 100000},
	{"array sort", `func Bench(n int) int { a := make([]int, n); for i := 0; i < len(a); i++ { a[i] = (i*7919) % 1009 }
	for i := 0; i < len(a); i++ { for j := 0; j < len(a)-1; j++ { if a[j] > a[j+1] { a[j], a[j+1] = a[j+1], a[j] } } }; return a[0] }`, 150},
	{"struct fields", `type P struct{ x, y int }
func Bench(n int) int { p := &P{1, 2}; for i := 0; i < n; i++ { p.x += p.y; p.y = i }; return p.x }`, 200000},
}

// bound is how many times raw yaegi's time lowered code may take; cases without
// a bound are there because users feel them.
var bound = map[string]float64{
	"integer loop": 1.5, "array loop": 1.5, "fib": 1.5, "interface call": 1.5, "closure call": 1.5, "defer": 1.5,
	"map update": 1.5,
}

const meanBound = 1.2 // of the geometric mean of the cases with a bound

// BenchmarkLowering runs each program raw and lowered in turns and reports the
// times of one run, and their ratio by the best and by the median run. What is
// lowered is timed as a user sees it: a cell, with its check and compilation.
// It fails where the best run of the lowered program, and so the ratio that
// noise disturbs least, is beyond its bound.
func BenchmarkLowering(b *testing.B) {
	least := map[string][2]time.Duration{} // over all counts
	for _, c := range speedCases {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			raw, lowered := rawProgram(b, c.src), loweredProgram(b, c.src)
			var x, y []time.Duration
			b.ResetTimer()
			for range b.N {
				x = append(x, timed(func() { raw(c.n) }))
				y = append(y, timed(func() { lowered(c.n) }))
			}
			b.StopTimer()
			slices.Sort(x)
			slices.Sort(y)
			best := float64(y[0]) / float64(x[0])
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(x[0]), "raw-ms")
			b.ReportMetric(ms(y[0]), "lowered-ms")
			b.ReportMetric(best, "ratio-best")
			b.ReportMetric(float64(y[len(y)/2])/float64(x[len(x)/2]), "ratio-median")
			if limit := bound[c.name]; limit > 0 && b.N >= 5 {
				l, ok := least[c.name]
				if !ok {
					l = [2]time.Duration{x[0], y[0]}
				}
				least[c.name] = [2]time.Duration{min(l[0], x[0]), min(l[1], y[0])}
				if best > limit {
					b.Errorf("%.2f times raw yaegi's time, more than %.1f", best, limit)
				}
			}
		})
	}
	if len(least) != len(bound) {
		return // too few runs, or not all cases
	}
	b.Run("geometric-mean", func(b *testing.B) {
		sum := 0.0
		for _, l := range least {
			sum += math.Log(float64(l[1]) / float64(l[0]))
		}
		mean := math.Exp(sum / float64(len(least)))
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(mean, "ratio-best")
		if mean > meanBound {
			b.Errorf("%.2f times raw yaegi's time, more than %.1f", mean, meanBound)
		}
	})
}

// rawProgram is the function Bench of a program as yaegi alone runs it.
func rawProgram(b *testing.B, src string) func(n int) {
	raw := interp.New(interp.Options{})
	if _, err := raw.Eval("package main\n" + src); err != nil {
		b.Fatal(err)
	}
	f, err := raw.Eval("main.Bench")
	if err != nil {
		b.Fatal(err)
	}
	return func(n int) { f.Call([]reflect.Value{reflect.ValueOf(n)}) }
}

// loweredProgram is the same in a session, where each run is a cell.
func loweredProgram(b *testing.B, src string) func(n int) {
	s := newTestSession(b)
	if _, r := cellOut(s, src+"\nBench(1)"); r.Err != nil {
		b.Fatal(r.Err)
	}
	return func(n int) {
		if _, r := cellOut(s, fmt.Sprintf("r := Bench(%d)", n)); r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}

// BenchmarkTrivialCell is a cell that hardly does anything in a session that
// has run others.
func BenchmarkTrivialCell(b *testing.B) {
	s := newTestSession(b)
	cellOut(s, "x := 1")
	cellOut(s, "x + 1")
	for b.Loop() {
		if _, r := cellOut(s, "x + 1"); r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
