package metrics

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"trafficgpt/display"
)

// Manifold says how generated points lie among real ones: Precision and Density
// say whether they are like real ones, Recall and Coverage whether they are as
// varied.
type Manifold struct {
	Precision float64 // share of generated points in the neighbourhood of a real one
	Recall    float64 // share of real points in the neighbourhood of a generated one
	Density   float64 // real neighbourhoods that a generated point lies in, over K; may exceed 1
	Coverage  float64 // share of real points with a generated one in their neighbourhood
	K         int     // neighbours that a neighbourhood holds
	N         [2]int  // points, real and generated
}

// Neighbourhoods compares two sets of points by the balls around them that reach
// to their k-th nearest neighbour of the same side (k 0 means 5; less where a side
// has too few points), the border included: precision and recall of Kynkäänniemi
// et al. 2019, density and coverage of Naeem et al. 2020. Rows are samples,
// columns features: scale them first (Standardize). Distances are Euclidean.
//
// For equal distributions Density is 1 on average, and Coverage
//
//	1 - (N-1)…(N-k) / ((M+N-1)…(M+N-k)),  N real and M generated points
//
// (0.97 for k 5 and as many points on both sides), while Precision and Recall are somewhere
// below 1, the less the more features there are: they need the real-against-real
// floor. All are 0 for points far apart. Real points that were copied have the
// best of values: a copy is no sample.
//
// Time grows with the product of the numbers of points, and with the features. An
// error names the side with fewer than two points, the point of another width, or
// the value that is no number.
func Neighbourhoods(real, generated [][]float64, k int) (*Manifold, error) {
	if k < 0 {
		return nil, fmt.Errorf("failed to compare: k is %d, want 0 (5) or more", k)
	}
	if err := checkPoints(real, generated); err != nil {
		return nil, err
	}
	n, m := len(real), len(generated)
	r := &Manifold{K: min(count(k, 5), n-1, m-1), N: [2]int{n, m}}
	ctx, radius := display.Context(), make([]float64, n+m) // of the real points, then of the generated ones
	err := each(ctx, n+m, func(i int) {
		if i < n {
			radius[i] = nearest(real, i, r.K)
		} else {
			radius[i] = nearest(generated, i-n, r.K)
		}
	})
	if err != nil {
		return nil, err
	}
	var good, known, covered, pairs atomic.Int64
	inside := make([]atomic.Bool, m)
	err = each(ctx, n, func(i int) {
		within, near := 0, false
		for j, p := range generated {
			d := squared(real[i], p)
			if d <= radius[i] {
				within++
				if !inside[j].Swap(true) {
					good.Add(1)
				}
			}
			near = near || d <= radius[n+j]
		}
		pairs.Add(int64(within))
		if within > 0 {
			covered.Add(1)
		}
		if near {
			known.Add(1)
		}
	})
	if err != nil {
		return nil, err
	}
	r.Precision, r.Recall = share(int(good.Load()), m), share(int(known.Load()), n)
	r.Density, r.Coverage = share(int(pairs.Load()), m*r.K), share(int(covered.Load()), n)
	return r, nil
}

// nearest is the squared distance from point i to its k-th nearest neighbour.
func nearest(points [][]float64, i, k int) float64 {
	best := make([]float64, k, k+1) // sorted
	for j := range best {
		best[j] = math.Inf(1)
	}
	for j, p := range points {
		if j == i {
			continue
		}
		if d := squared(points[i], p); d < best[k-1] {
			at, _ := slices.BinarySearch(best, d)
			best = slices.Insert(best, at, d)[:k]
		}
	}
	return best[k-1]
}

// Table is the comparison in one row.
func (r *Manifold) Table() *display.Table {
	return figures("Generated points among real ones",
		fmt.Sprintf("Neighbourhoods of %d. Precision and density: are generated points like real ones; recall and "+
			"coverage: are they as varied. For equal distributions density is 1, coverage %.2f.", r.K, r.likeCoverage()),
		[]string{"precision", "recall", "density", "coverage", "real n", "generated n"},
		number(r.Precision), number(r.Recall), number(r.Density), number(r.Coverage), r.N[0], r.N[1])
}

// likeCoverage is the coverage to expect of equal distributions (Naeem et al.
// 2020).
func (r *Manifold) likeCoverage() float64 {
	none, n, m := 1., float64(r.N[0]), float64(r.N[1])
	for i := range r.K {
		none *= (n - 1 - float64(i)) / (m + n - 1 - float64(i))
	}
	return 1 - none
}

// MIME shows the comparison as a table.
func (r *Manifold) MIME() display.Bundle { return r.Table().MIME() }

// String is the comparison as text.
func (r *Manifold) String() string { return r.Table().String() }
