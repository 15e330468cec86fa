package metrics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"trafficgpt/display"
)

// MMDOptions of MMD. The zero value is the default.
type MMDOptions struct {
	Bandwidth    float64 // of the kernel; 0 means the median of the pairwise distances of the pooled points
	Permutations int     // of the test; 0 means 200, negative none
	Most         int     // points of a side, drawn by Seed; 0 means 500. Memory goes with the square: 1,000 pooled points take 12 MB
	Seed         uint64  // of the draw and the permutations
}

// MMDResult is a maximum mean discrepancy.
type MMDResult struct {
	Squared   float64 // unbiased estimate of MMD², may be negative
	Bandwidth float64 // s of the kernel
	P         float64 // of the permutation test, (1+k)/(1+n); NaN without
	N         [2]int  // points compared, real and generated
}

// MMD is the squared maximum mean discrepancy of two sets of points under the
// Gaussian kernel k(a,b) = exp(-|a-b|²/(2s²)), unbiased (Gretton et al. 2012,
// equation 3). Rows are samples, columns features: scale them first (Standardize).
//
//	MMD² = mean k(x,x') + mean k(y,y') - 2 mean k(x,y),  x ≠ x', y ≠ y'
//
// It has no unit and lies in (-2,2]. For equal distributions its mean is 0, so it
// is negative about as often as not, and P, the share of random divisions of the
// pooled points that differ as much or more, is uniform on (0,1]. P takes points
// as independent: where flows have near-duplicates it is too small.
//
// Where the median distance is 0, as of discrete features, the bandwidth is the
// median of the distances that are not. An error names the side that has fewer
// than two points, the point of another width, or the value that is no number.
// When interrupted, P is that of the permutations done.
func MMD(x, y [][]float64, o ...MMDOptions) (*MMDResult, error) {
	opt := append(o, MMDOptions{})[0]
	if opt.Bandwidth < 0 || math.IsNaN(opt.Bandwidth) || math.IsInf(opt.Bandwidth, 0) {
		return nil, fmt.Errorf("failed to compare: metrics.MMDOptions.Bandwidth is %g, want a positive number", opt.Bandwidth)
	}
	if opt.Most < 0 || opt.Most == 1 {
		return nil, fmt.Errorf("failed to compare: metrics.MMDOptions.Most is %d, two points of a side are the least", opt.Most)
	}
	if err := checkPoints(x, y); err != nil {
		return nil, err
	}
	ctx, most := display.Context(), count(opt.Most, 500)
	pool := append(draw(x, most, opt.Seed, 4), draw(y, most, opt.Seed, 5)...)
	nx := min(len(x), most)
	k, s, err := kernel(ctx, pool, opt.Bandwidth)
	if err != nil {
		return nil, err
	}
	r := &MMDResult{Bandwidth: s, P: math.NaN(), N: [2]int{nx, len(pool) - nx}}
	r.Squared = k.discrepancy(all(len(pool)), nx)
	if n := count(opt.Permutations, 200); n > 0 {
		r.P = k.permute(ctx, r.Squared, nx, n, opt.Seed)
	}
	return r, nil
}

// draw takes most of the rows without replacement, in their order.
func draw[T any](rows []T, most int, seed, stream uint64) []T {
	if len(rows) <= most {
		return slices.Clone(rows)
	}
	index := rand.New(rand.NewPCG(seed, stream)).Perm(len(rows))[:most]
	slices.Sort(index)
	out := make([]T, most)
	for i, at := range index {
		out[i] = rows[at]
	}
	return out
}

// gram is the kernel of all pairs of points, with 0 on the diagonal.
type gram struct {
	n    int
	k    []float64 // n rows of n
	sums []float64 // of the rows
	all  float64
}

// kernel computes the pairs; a bandwidth of 0 is chosen, and returned.
func kernel(ctx context.Context, points [][]float64, s float64) (*gram, float64, error) {
	n := len(points)
	g := &gram{n: n, k: make([]float64, n*n), sums: make([]float64, n)}
	err := each(ctx, n, func(i int) {
		for j := range n {
			g.k[i*n+j] = squared(points[i], points[j])
		}
	})
	if err != nil {
		return nil, 0, err
	}
	if s == 0 {
		s = g.median()
	}
	err = each(ctx, n, func(i int) {
		row := g.k[i*n : (i+1)*n]
		for j, d := range row {
			row[j] = 0
			if i != j {
				row[j] = math.Exp(-d / s / s / 2)
			}
			g.sums[i] += row[j]
		}
	})
	for _, v := range g.sums {
		g.all += v
	}
	return g, s, err
}

// median is that of the pairwise distances, of those above 0 where it is 0, and 1
// where all points are one.
func (g *gram) median() float64 {
	d := make([]float64, 0, g.n*(g.n-1)/2)
	for i := range g.n {
		d = append(d, g.k[i*g.n+i+1:(i+1)*g.n]...)
	}
	slices.Sort(d)
	middle := func(d []float64) float64 {
		h := len(d) / 2
		if len(d)%2 == 1 {
			return math.Sqrt(d[h])
		}
		return (math.Sqrt(d[h-1]) + math.Sqrt(d[h])) / 2
	}
	if m := middle(d); m > 0 {
		return m
	}
	at, _ := slices.BinarySearchFunc(d, 0, func(v, _ float64) int {
		if v > 0 {
			return 1
		}
		return -1
	})
	if at == len(d) {
		return 1
	}
	return middle(d[at:])
}

// discrepancy is MMD² when the first nx of order are one side.
func (g *gram) discrepancy(order []int, nx int) float64 {
	n, m := float64(nx), float64(g.n-nx)
	// The sums of the rows hold xx + xy, the sum of all holds xx + 2 xy + yy:
	// only the pairs of one side are left to add.
	xx, rows := 0., 0.
	for _, i := range order[:nx] {
		row := g.k[i*g.n : (i+1)*g.n]
		for _, j := range order[:nx] {
			xx += row[j]
		}
		rows += g.sums[i]
	}
	xy := rows - xx
	yy := g.all - xx - 2*xy
	return xx/(n*(n-1)) + yy/(m*(m-1)) - 2*xy/(n*m)
}

// permute is the share of random divisions with a discrepancy of at least d, which
// counts as one of them.
func (g *gram) permute(ctx context.Context, d float64, nx, n int, seed uint64) float64 {
	// Divisions that are equal but for rounding count as equal.
	const rounding = 1e-12
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	// Interrupted: those not done stay NaN.
	_ = each(ctx, n, func(i int) {
		order := rand.New(rand.NewPCG(seed, 1<<32+uint64(i))).Perm(g.n)
		values[i] = g.discrepancy(order, nx)
	})
	done, as := 1., 1.
	for _, v := range values {
		if !math.IsNaN(v) {
			done++
		}
		if v >= d-rounding {
			as++
		}
	}
	return as / done
}

// Table is the result in one row.
func (r *MMDResult) Table() *display.Table {
	return figures("Maximum mean discrepancy",
		"Squared, unbiased, Gaussian kernel; 0 for equal distributions, where it may be negative. "+
			"p by permutations: the chance of such a value for equal distributions.",
		[]string{"MMD²", "p", "bandwidth", "real n", "generated n"},
		number(r.Squared), number(r.P), fmt.Sprintf("%.4g", r.Bandwidth), r.N[0], r.N[1])
}

// MIME shows the result as a table.
func (r *MMDResult) MIME() display.Bundle { return r.Table().MIME() }

// String is the result as text.
func (r *MMDResult) String() string { return r.Table().String() }
