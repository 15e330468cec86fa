package metrics

import "math"

// Wilson is the share of a part in a whole with its 95 % interval (Wilson 1927):
// the shares from which this one lies at most 1.96 of their own standard deviations
// away. It never leaves [0,1], and of 0 in n it still ends above 0. NaN of a whole
// of nothing.
func Wilson(part, whole int) Interval {
	if whole <= 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	const z = 1.959963984540054
	n, p := float64(whole), float64(part)/float64(whole)
	middle, half := (p+z*z/(2*n))/(1+z*z/n), z/(1+z*z/n)*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Interval{p, math.Max(0, middle-half), math.Min(1, middle+half)}
}
