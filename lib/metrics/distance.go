package metrics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// finite is a sorted copy of the values that are numbers.
func finite(v []float64) []float64 {
	out := make([]float64, 0, len(v))
	for _, x := range v {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// KS is the two-sample Kolmogorov-Smirnov statistic, the largest distance between
// the two cumulative shares:
//
//	D = sup |F(t) - G(t)|
//
// It has no unit and lies in [0,1]: 0 for equal samples, 1 for samples that do not
// overlap. Two samples of one continuous distribution have about
// 0.87·√((n+m)/(nm)) (Kolmogorov's law has the mean √(π/2)·ln 2), which KSPValue
// takes into account. Values that are not finite are left out; NaN when a side has
// nothing left.
func KS(x, y []float64) float64 {
	x, y = finite(x), finite(y)
	if len(x) == 0 || len(y) == 0 {
		return math.NaN()
	}
	return math.Min(1, stat.KolmogorovSmirnov(x, nil, y, nil))
}

// KSPValue is the chance that two samples of n and m values of one continuous
// distribution have a statistic of at least d. For equal distributions it is
// uniform on [0,1]; with ties, which ports and lengths have, it is too large. It
// is Kolmogorov's limit, two-sided, with the effective size nm/(n+m):
//
//	Q(λ) = 2 Σ (-1)^(k-1) exp(-2k²λ²),  λ = d·√(nm/(n+m))
//
// With as many values on both sides it is right to 0.01 from 50 on; unequal sides
// of some hundreds make it up to 0.05 too large. NaN when d is, or n or m is not
// positive.
func KSPValue(d float64, n, m int) float64 {
	if n <= 0 || m <= 0 || math.IsNaN(d) {
		return math.NaN()
	}
	lambda := d * math.Sqrt(float64(n)/(float64(n)+float64(m))*float64(m))
	if lambda < .04 { // 1 to the last bit
		return 1
	}
	if lambda < 1 {
		// The same function by Jacobi's identity: the series above takes ever
		// more terms as λ goes to 0, this one ever fewer.
		s := 0.
		for k := 1.; k < 10; k += 2 {
			s += math.Exp(-k * k * math.Pi * math.Pi / (8 * lambda * lambda))
		}
		return 1 - math.Sqrt(2*math.Pi)/lambda*s
	}
	s := 0.
	for k := 8.; k > 0; k-- {
		s = math.Exp(-2*k*k*lambda*lambda) - s
	}
	return 2 * s
}

// Wasserstein is the first Wasserstein distance, in the unit of x: the mean way
// that mass must be moved to make one distribution of the other.
//
//	W = ∫ |F(t) - G(t)| dt      (Vallender 1974)
//
// 0 for equal samples; of two samples of one distribution it is above 0 and goes
// to 0 as 1/√n, so it needs the floor beside it. It has no upper limit, and one
// far value counts as far as it lies. The sizes may differ. Values that are not
// finite are left out; NaN when a side has nothing left.
func Wasserstein(x, y []float64) float64 {
	x, y = finite(x), finite(y)
	if len(x) == 0 || len(y) == 0 {
		return math.NaN()
	}
	sum, i, j := 0., 0, 0
	for i < len(x) || j < len(y) {
		at := math.Inf(1)
		if i < len(x) {
			at = x[i]
		}
		if j < len(y) {
			at = math.Min(at, y[j])
		}
		for i < len(x) && x[i] == at {
			i++
		}
		for j < len(y) && y[j] == at {
			j++
		}
		if i == len(x) && j == len(y) {
			break
		}
		next := math.Inf(1)
		if i < len(x) {
			next = x[i]
		}
		if j < len(y) {
			next = math.Min(next, y[j])
		}
		apart := math.Abs(float64(i)/float64(len(x)) - float64(j)/float64(len(y)))
		sum += apart * (next/2 - at/2) // halves: the difference of two doubles may be none
	}
	return 2 * sum
}
