package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// normals draws n points of standard normal features.
func normals(r *rand.Rand, n, features int, shift float64) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		for range features {
			out[i] = append(out[i], r.NormFloat64()+shift)
		}
	}
	return out
}

func TestDistancesByHand(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		x, y            []float64
		ks, wasserstein float64
	}{
		{[]float64{3, 1, 2}, []float64{2, 3, 4}, 1. / 3, 1},
		{[]float64{0, 1, 3}, []float64{5, 6, 8}, 1, 5}, // SciPy's own example
		{[]float64{1, 1, 2, 2}, []float64{2, 1}, 0, 0},
		{[]float64{0, 0, 0, 1}, []float64{0, 1, 1, 1}, .5, .5},
		{[]float64{nan, 2, inf}, []float64{2, -inf, nan}, 0, 0},
		{[]float64{nan}, []float64{1}, nan, nan},
		{nil, []float64{1}, nan, nan},
		{[]float64{1}, nil, nan, nan},
		{[]float64{-1e308, 1e308}, []float64{-1e308, 1e308}, 0, 0},
		{[]float64{-1e308}, []float64{-1e308, 1e308}, .5, 1e308},
	} {
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		x, y := slices.Clone(c.x), slices.Clone(c.y)
		if got := KS(x, y); !same(got, c.ks) && !(math.Abs(got-c.ks) < 1e-15) {
			t.Errorf("KS(%v, %v) = %v, want %v", c.x, c.y, got, c.ks)
		}
		if got := Wasserstein(x, y); !same(got, c.wasserstein) {
			t.Errorf("Wasserstein(%v, %v) = %v, want %v", c.x, c.y, got, c.wasserstein)
		}
		if !slices.EqualFunc(x, c.x, same) || !slices.EqualFunc(y, c.y, same) {
			t.Errorf("%v and %v became %v and %v", c.x, c.y, x, y)
		}
	}
}

func TestKSPValue(t *testing.T) {
	// Kolmogorov's λ of 5 % and 1 %, from tables.
	for lambda, want := range map[float64]float64{1.3581: .05, 1.6276: .01, .8276: .5} {
		if got := KSPValue(lambda/10, 200, 200); math.Abs(got-want) > 1e-4 {
			t.Errorf("p of λ %v is %v, want %v", lambda, got, want)
		}
	}
	// Near 1, from SciPy's kolmogorov.
	for lambda, want := range map[float64]float64{.3: 0.9999906941986655, .2: 0.999999999999495} {
		if got := KSPValue(lambda/10, 200, 200); math.Abs(got-want) > 1e-15 {
			t.Errorf("p of λ %v is %v, want %v", lambda, got, want)
		}
	}
	// Both forms of the series meet.
	if below, above := KSPValue(.1-1e-12, 200, 200), KSPValue(.1+1e-12, 200, 200); math.Abs(below-above) > 1e-9 || below < above {
		t.Errorf("p jumps from %v to %v", below, above)
	}
	for _, d := range []float64{0, -1, math.SmallestNonzeroFloat64} {
		if got := KSPValue(d, 10, 20); got != 1 {
			t.Errorf("p of %v is %v, want 1", d, got)
		}
	}
	if got := KSPValue(1, math.MaxInt64, math.MaxInt64); got != 0 {
		t.Errorf("p of disjoint samples without end is %v", got)
	}
	if !math.IsNaN(KSPValue(math.NaN(), 1, 1)) || !math.IsNaN(KSPValue(.5, 0, 1)) || !math.IsNaN(KSPValue(.5, 1, -1)) {
		t.Error("p of nothing is a number")
	}
}

// The docs say what two samples of one distribution have.
func TestDistancesOfEqualDistributions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	d, low := 0., 0
	const rounds, n, m = 400, 300, 150
	for range rounds {
		x, y := make([]float64, n), make([]float64, m)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		for i := range y {
			y[i] = r.NormFloat64()
		}
		k := KS(x, y)
		d += k / rounds
		if KSPValue(k, n, m) < .1 {
			low++
		}
	}
	if want := .87 * math.Sqrt(float64(n+m)/(n*m)); math.Abs(d-want) > .05*want {
		t.Errorf("mean KS %.4f, the doc says %.4f", d, want)
	}
	if low < 20 || low > 60 { // 40 ± 3 standard deviations
		t.Errorf("%d of %d p values are below 0.1", low, rounds)
	}
}
