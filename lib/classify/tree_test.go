package classify

import (
	"context"
	"math/rand/v2"
	"testing"
)

// slowest finds the best split of all rows by trying all, with Gini impurity as
// it is written: Σ over the sides of weight · (1 − Σ share²).
func slowest(x [][]float64, y, weight []int, column int) (threshold, impurity float64) {
	impurity = 1e9
	for _, at := range x {
		next := 1e9 // the next larger value
		for _, row := range x {
			if row[column] > at[column] {
				next = min(next, row[column])
			}
		}
		if next == 1e9 {
			continue
		}
		sum := 0.0
		for side := range 2 {
			var classes [3]float64
			total := 0.0
			for i, row := range x {
				if (row[column] > at[column]) == (side == 1) {
					classes[y[i]] += float64(weight[i])
					total += float64(weight[i])
				}
			}
			gini := 1.0
			for _, w := range classes {
				gini -= w / total * w / total
			}
			sum += total * gini
		}
		if sum < impurity-1e-9 {
			threshold, impurity = at[column]/2+next/2, sum
		}
	}
	return threshold, impurity
}

// Counting and sorting find the split that trying all of them finds.
func TestSplitsAreTheBest(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		n := 2 + rng.IntN(40)
		x, y, weight := make([][]float64, n), make([]int, n), make([]int, n)
		rows := make([]uint32, n)
		for i := range x {
			x[i] = []float64{float64(rng.IntN(2 + int(seed)))}
			y[i], weight[i], rows[i] = rng.IntN(3), 1+rng.IntN(3), uint32(i)
		}
		g := newGrower(context.Background(), newRanked(x, y, 3), ForestOptions{Leaf: 1, Tries: 1})
		g.weight = weight
		for i, c := range y {
			g.all[c] += weight[i]
		}
		counted, sorted := split{score: -1}, split{score: -1}
		g.bestCounted(rows, 0, &counted)
		g.bestSorted(rows, 0, &sorted)
		if counted != sorted {
			t.Fatalf("seed %d: counting finds %+v, sorting %+v", seed, counted, sorted)
		}
		want, impurity := slowest(x, y, weight, 0)
		if impurity == 1e9 {
			if sorted.score != -1 {
				t.Errorf("seed %d: a split of one value: %+v", seed, sorted)
			}
			continue
		}
		total := 0
		for _, w := range weight {
			total += w
		}
		values := g.d.values[0]
		got := values[sorted.low]/2 + values[sorted.high]/2
		if d := float64(total) - sorted.score - impurity; d > 1e-6 || d < -1e-6 || got != want {
			t.Errorf("seed %d: a split at %v with impurity %v, the best is at %v with %v", seed, got, float64(total)-sorted.score, want, impurity)
		}
	}
}
