package classify

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"trafficgpt/lib/dataset"
	"trafficgpt/model"
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

// A row that the bootstrap draws twice counts twice: of 8 rows that cannot be
// split, a tree's shares are eighths. And one column of many that is not the
// same everywhere is found, however few are tried.
func TestBootstrapAndTries(t *testing.T) {
	y := []int{0, 0, 0, 0, 0, 1, 1, 1}
	same, one := make([][]float64, 8), make([][]float64, 8)
	for i := range y {
		same[i], one[i] = make([]float64, 1), make([]float64, 50)
		one[i][17] = float64(y[i])
	}
	for seed := range uint64(20) {
		o := ForestOptions{Trees: 1, Seed: seed}
		f, err := NewForest(same, y, 2, o)
		if err != nil {
			t.Fatal(err)
		}
		if p := f.Probabilities(same[:1])[0][0] * 8; p != math.Trunc(p) {
			t.Errorf("seed %d: a share is %v eighths", seed, p)
		}
		o.Tries = 1
		if f, err = NewForest(one, y, 2, o); err != nil {
			t.Fatal(err)
		}
		if n := len(f.trees[0].nodes); n != 3 && n != 1 || n == 1 && len(f.trees[0].nodes[0].shares) != 1 {
			t.Errorf("seed %d: a tree of %d nodes has not found the column", seed, n)
		}
	}
}

// Probabilities are those of the row of [cls], in the form that training
// computes.
func TestProbabilitiesAreOfCls(t *testing.T) {
	flows := dataset.Lab().Flows[:6]
	b, err := NewByteModel(flows, []int{0, 1, 2, 0, 1, 2}, 3, ByteModelOptions{Tokens: 40, Width: 16, Epochs: 3})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Probabilities(flows)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range flows {
		tokens, _ := b.read(f, false)
		want, sum := make([]float64, 3), 0.0
		for class := range want {
			batch := model.NewBatch(tokens)
			batch.Targets[len(tokens)-1] = class
			losses, err := model.NewScorer(b.m).Losses(batch)
			if err != nil {
				t.Fatal(err)
			}
			want[class] = math.Exp(-float64(losses[len(tokens)-1]))
			sum += want[class]
		}
		for class := range want {
			if math.Abs(got[i][class]-want[class]/sum) > 1e-4 {
				t.Errorf("flow %d is of class %d with %.5f, not %.5f", i, class, got[i][class], want[class]/sum)
			}
		}
	}
}

// Folds have like parts of every class, groups or none.
func TestFoldsAreBalanced(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, groups := make([][]float64, 300), make([]int, 300), make([]string, 300)
	for i := range x {
		x[i], y[i], groups[i] = []float64{0}, min(2, rng.IntN(6)), string(rune('a'+rng.IntN(100)))
	}
	for name, g := range map[string][]string{"alone": nil, "in groups": groups} {
		fold, err := foldsOf(x, y, 3, g, FoldOptions{Folds: 4})
		if err != nil {
			t.Fatal(err)
		}
		var counts [4][3]int
		var total [3]int
		for i, k := range fold {
			counts[k][y[i]]++
			total[y[i]]++
		}
		for k := range counts {
			for c, n := range counts[k] {
				slack := 1. // of rows alone; groups have three each, of any classes
				if g != nil {
					slack = 4
				}
				if math.Abs(float64(n)-float64(total[c])/4) > slack {
					t.Errorf("%s: fold %d has %d of %d rows of class %d", name, k, n, total[c], c)
				}
			}
		}
	}
}
