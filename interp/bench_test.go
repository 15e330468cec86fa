package interp

import (
	"fmt"
	"os"
	"reflect"
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

// TestSpeed compares lowered code with raw yaegi. Ratios are stable, times are
// not; TRAFFICGPT_SPEED=1 runs it.
func TestSpeed(t *testing.T) {
	if os.Getenv("TRAFFICGPT_SPEED") == "" {
		t.Skip("TRAFFICGPT_SPEED is not set")
	}
	for _, c := range speedCases {
		raw := interp.New(interp.Options{})
		if _, err := raw.Eval("package main\n" + c.src); err != nil {
			t.Fatal(err)
		}
		rv, err := raw.Eval("main.Bench")
		if err != nil {
			t.Fatal(err)
		}
		s := newTestSession(t)
		if _, r := cellOut(s, c.src+"\nBench(1)"); r.Err != nil {
			t.Fatal(c.name, r.Err)
		}
		cell := fmt.Sprintf("r := Bench(%d)", c.n)
		var a, b []time.Duration
		for range 7 {
			begin := time.Now()
			rv.Call([]reflect.Value{reflect.ValueOf(c.n)})
			a = append(a, time.Since(begin))
			begin = time.Now()
			if _, r := cellOut(s, cell); r.Err != nil {
				t.Fatal(c.name, r.Err)
			}
			b = append(b, time.Since(begin))
		}
		x, y := least(a), least(b)
		t.Logf("%-16s raw %8.2f ms  lowered %8.2f ms  ratio %.2f", c.name, ms(x), ms(y), float64(y)/float64(x))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func least(ds []time.Duration) time.Duration {
	m := ds[0]
	for _, d := range ds {
		m = min(m, d)
	}
	return m
}
