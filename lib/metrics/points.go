package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/stat"

	"trafficgpt/display"
)

// farthest is how many standard deviations Standardize keeps.
const farthest = 8

// Standardize puts features on one scale: of each column the reference's mean is
// taken off, and the rest divided by its standard deviation (over n). Rows are
// samples. The result is the reference, then the others; what is given stays as it
// is.
//
// A value that is not finite, or that a row is too short for, becomes 0, which is
// the mean, and values are clipped to ±8. A column that is constant in the
// reference becomes 0 everywhere, also where the others differ there: compare such
// a column alone. Of equal distributions all have mean 0 and deviation 1.
func Standardize(reference [][]float64, others ...[][]float64) [][][]float64 {
	sets, width := append([][][]float64{reference}, others...), 0
	out := make([][][]float64, len(sets))
	for s, rows := range sets {
		out[s] = make([][]float64, len(rows))
		for _, row := range rows {
			width = max(width, len(row))
		}
	}
	for s, rows := range sets {
		for i := range rows {
			out[s][i] = make([]float64, width)
		}
	}
	for c := range width {
		var column []float64
		for _, row := range reference {
			if c < len(row) {
				column = append(column, row[c])
			}
		}
		column = finite(column)
		if len(column) == 0 {
			continue
		}
		m, sd := stat.PopMeanStdDev(column, nil)
		if column[0] == column[len(column)-1] { // .1 three times has a mean that is not .1
			m, sd = column[0], 0
		}
		if math.IsNaN(sd) || math.IsInf(sd, 0) {
			continue
		}
		sd = math.Max(sd, math.SmallestNonzeroFloat64) // what differs at all is as far as can be
		for s, rows := range sets {
			for i, row := range rows {
				if c < len(row) && !math.IsNaN(row[c]) && !math.IsInf(row[c], 0) {
					out[s][i][c] = math.Max(-farthest, math.Min(farthest, (row[c]-m)/sd))
				}
			}
		}
	}
	return out
}

// sides are the names of the two sides of a comparison, the real one first.
var sides = [2]string{"real", "generated"}

// checkPoints says what is wrong with points that are to be compared: each side
// needs two, all of one width, of numbers that have squares.
func checkPoints(points ...[][]float64) error {
	width := -1
	for s, rows := range points {
		switch len(rows) {
		case 0:
			return fmt.Errorf("failed to compare: the %s side has no points", sides[s])
		case 1:
			return fmt.Errorf("failed to compare: the %s side has one point, two are the least", sides[s])
		}
		for i, row := range rows {
			if width < 0 {
				width = len(row)
			}
			if width == 0 {
				return errors.New("failed to compare: the points have no features")
			}
			if len(row) != width {
				return fmt.Errorf("failed to compare: point %d of the %s side has %d features, the first real one %d",
					i, sides[s], len(row), width)
			}
			for c, v := range row {
				if !(math.Abs(v) < 1e100) {
					return fmt.Errorf("failed to compare: feature %d of point %d of the %s side is %g (Standardize first)",
						c, i, sides[s], v)
				}
			}
		}
	}
	return nil
}

// squared is the squared Euclidean distance, the same to the last bit from either
// side.
func squared(a, b []float64) float64 {
	s := 0.
	for i, v := range a {
		d := v - b[i]
		s += d * d
	}
	return s
}

// each calls f for 0 to n-1 on all threads. What f writes must belong to its
// number, so that the result is the same whatever their number. It stops when ctx
// is done.
func each(ctx context.Context, n int, f func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("failed to compare: %w", ctx.Err())
	}
	return nil
}

// figures is a result as a table of one row.
func figures(title, note string, header []string, values ...any) *display.Table {
	t := display.NewTable(header...)
	t.Title, t.Note = title, note
	return t.Row(values...)
}

// Nearest is the Euclidean distance of each point to the nearest of others; infinite
// where there are none, and for points that an interrupt left out. Of points of
// different width the missing numbers are 0. Equal points have 0.
func Nearest(points, others [][]float64) []float64 {
	out := make([]float64, len(points))
	for i := range out {
		out[i] = math.Inf(1)
	}
	_ = each(display.Context(), len(points), func(i int) { // interrupted, the rest stays infinite
		best := math.Inf(1)
		for _, o := range others {
			d := 0.
			for c := 0; c < max(len(o), len(points[i])) && d < best; c++ {
				e := entry(o, c) - entry(points[i], c)
				d += e * e
			}
			best = math.Min(best, d)
		}
		out[i] = math.Sqrt(best)
	})
	return out
}

func entry(row []float64, c int) float64 {
	if c < len(row) {
		return row[c]
	}
	return 0
}
