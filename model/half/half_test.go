package half

import (
	"math"
	"math/rand/v2"
	"testing"

	"trafficgpt/model/f32"
)

// TestRoundTrip goes through all 65,536 numbers, and holds rounding against the
// definition between neighbours.
func TestRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		x := ToFloat32(h)
		switch {
		case x != x:
			if y := ToFloat32(FromFloat32(x)); y == y {
				t.Fatalf("%04x is not a number, but came back as %v", h, y)
			}
		case math.IsInf(float64(x), 0):
			if got := FromFloat32(x); got != h-1 {
				t.Fatalf("infinity became %04x, not the largest number", got)
			}
		default:
			if got := FromFloat32(x); got != h {
				t.Fatalf("%04x is %v, which became %04x", h, x, got)
			}
			next := ToFloat32(h + 1)
			if h&0x7fff < 0x7bff {
				middle := (float64(x) + float64(next)) / 2
				even := h + h&1
				if got := FromFloat32(float32(middle)); got != even {
					t.Fatalf("half way between %04x and the next became %04x, not the even one", h, got)
				}
				if got := FromFloat32(float32(middle*0.75 + float64(x)*0.25)); got != h {
					t.Fatalf("nearer to %04x, yet became %04x", h, got)
				}
			}
		}
	}
	if ToFloat32(FromFloat32(1e9)) != 65504 || ToFloat32(FromFloat32(-1e9)) != -65504 {
		t.Error("what is too large did not become the largest number")
	}
}

// TestTimes compares every kernel with the plain sums, on odd shapes, and looks
// for writes past the end.
func TestTimes(t *testing.T) {
	defer func(old string) { _ = f32.SetPath(old) }(f32.Path())
	rng := rand.New(rand.NewPCG(1, 2))
	for _, path := range f32.Paths() {
		if err := f32.SetPath(path); err != nil {
			t.Fatal(err)
		}
		for _, s := range [][3]int{{1, 1, 1}, {1, 0, 5}, {3, 5, 31}, {2, 7, 33}, {1, 256, 768}, {4, 130, 260}, {1, 1023, 97}} {
			rows, k, n := s[0], s[1], s[2]
			a, b, bt := make([]float32, rows*(k+3)), make([]float32, k*(n+2)), make([]float32, n*(k+1))
			for i := range a {
				a[i] = float32(rng.NormFloat64())
			}
			for l := range k {
				for j := range n {
					x := float32(rng.NormFloat64())
					b[l*(n+2)+j], bt[j*(k+1)+l] = x, x
				}
			}
			for _, trans := range []bool{false, true} {
				m := Pack(false, k, n, b, n+2, make([]float32, PackedLen(k, n)))
				if trans {
					m = Pack(true, k, n, bt, k+1, make([]float32, PackedLen(k, n)))
				}
				const guard = 12345
				c := make([]float32, rows*(n+4))
				for i := range c {
					c[i] = guard
				}
				m.Times(rows, a, k+3, c, n+4)
				for r := range rows {
					for j := range n + 4 {
						want := 0.0
						for l := range k {
							if j < n {
								want += float64(a[r*(k+3)+l]) * float64(ToFloat32(FromFloat32(b[l*(n+2)+j])))
							}
						}
						if j >= n {
							want = guard
						}
						if got := float64(c[r*(n+4)+j]); math.Abs(got-want) > 1e-4*math.Sqrt(float64(k+1)) {
							t.Fatalf("%s %v transposed %v: element %d,%d is %v, not %v", path, s, trans, r, j, got, want)
						}
					}
				}
			}
		}
	}
}

// TestSpecialValues wants NaN, infinities and denormals, of both formats, to reach
// exactly what they belong to on every path.
func TestSpecialValues(t *testing.T) {
	defer func(old string) { _ = f32.SetPath(old) }(f32.Path())
	for _, path := range f32.Paths() {
		if err := f32.SetPath(path); err != nil {
			t.Fatal(err)
		}
		const k, n = 7, 40
		small := float32(math.Exp2(-20)) // a float16 denormal
		b := make([]float32, k*n)
		for i := range b {
			b[i] = small
		}
		b[2*n+5], b[3*n+36] = float32(math.NaN()), float32(math.NaN())
		m := Pack(false, k, n, b, n, make([]float32, PackedLen(k, n)))
		a := make([]float32, 3*k)
		for i := range k {
			a[i], a[k+i], a[2*k+i] = 1, 1, 1e-39
		}
		a[k+1] = float32(math.Inf(1))
		c := make([]float32, 3*n)
		m.Times(3, a, k, c, n)
		for r := range 3 {
			for j := range n {
				got := float64(c[r*n+j])
				ok := math.Abs(got-k*float64(small)) < 1e-9
				switch {
				case j == 5 || j == 36:
					ok = math.IsNaN(got)
				case r == 1:
					ok = math.IsInf(got, 1)
				case r == 2:
					ok = got > 0 && math.Abs(got-k*float64(small)*1e-39) < 5e-45
				}
				if !ok {
					t.Fatalf("%s: element %d,%d is %v", path, r, j, got)
				}
			}
		}
	}
}

// TestQuarter holds the rounding to 8 bits to its bound, and the kernels to plain sums
// of the rounded weights, on odd shapes, looking for writes past the end.
func TestQuarter(t *testing.T) {
	defer func(old string) { _ = f32.SetPath(old) }(f32.Path())
	rng := rand.New(rand.NewPCG(3, 4))
	for _, path := range f32.Paths() {
		if err := f32.SetPath(path); err != nil {
			t.Fatal(err)
		}
		for _, s := range [][3]int{{1, 1, 1}, {1, 0, 5}, {3, 5, 31}, {2, 7, 33}, {1, 256, 768}, {4, 130, 260}, {1, 1023, 97}} {
			rows, k, n := s[0], s[1], s[2]
			a, b, bt := make([]float32, rows*(k+3)), make([]float32, k*(n+2)), make([]float32, n*(k+1))
			for i := range a {
				a[i] = float32(rng.NormFloat64())
			}
			most := make([]float64, n)
			for l := range k {
				for j := range n {
					x := float32(rng.NormFloat64()) * float32(j%3) // every third column is zero
					b[l*(n+2)+j], bt[j*(k+1)+l] = x, x
					most[j] = max(most[j], math.Abs(float64(x)))
				}
			}
			for _, trans := range []bool{false, true} {
				m := PackQuarter(false, k, n, b, n+2, make([]float32, QuarterLen(k, n)))
				if trans {
					m = PackQuarter(true, k, n, bt, k+1, make([]float32, QuarterLen(k, n)))
				}
				weight := func(l, j int) float64 {
					return float64(m.scale[j]) * float64(m.data[m.at(l, j)])
				}
				const guard = 12345
				c := make([]float32, rows*(n+4))
				for i := range c {
					c[i] = guard
				}
				m.Times(rows, a, k+3, c, n+4)
				largest := make([]float64, rows)
				for r := range rows {
					for _, x := range a[r*(k+3):][:k] {
						largest[r] = max(largest[r], math.Abs(float64(x)))
					}
				}
				for r := range rows {
					for j := range n + 4 {
						want, rounding := 0.0, 0.0
						for l := range k {
							if j < n {
								if m.shift != nil {
									rounding += math.Abs(weight(l, j)) * largest[r] / 65024 * 1.001
								}
								want += float64(a[r*(k+3)+l]) * weight(l, j)
								if off := math.Abs(weight(l, j) - float64(b[l*(n+2)+j])); off > most[j]/254*1.0001 {
									t.Fatalf("%v: weight %d,%d is off by %v, of at most %v", s, l, j, off, most[j])
								}
							}
						}
						if j >= n {
							want = guard
						}
						if got := float64(c[r*(n+4)+j]); math.Abs(got-want) > rounding+1e-4*math.Sqrt(float64(k+1)) {
							t.Fatalf("%s %v transposed %v: element %d,%d is %v, not %v", path, s, trans, r, j, got, want)
						}
					}
				}
			}
		}
		nan, inf := float32(math.NaN()), float32(math.Inf(-1))
		odd := PackQuarter(false, 3, 2, []float32{1, 1, nan, 2, inf, -0.5}, 2, make([]float32, QuarterLen(3, 2)))
		c := make([]float32, 2)
		odd.Times(1, []float32{1, 1, 1}, 3, c, 2)
		if c[0] != 0 || math.Abs(float64(c[1])-2.5) > 0.01 {
			t.Errorf("%s: sums with NaN and infinity are %v", path, c)
		}
	}
}
