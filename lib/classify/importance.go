package classify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
)

// Importance is what a classifier loses without a column, a group of columns
// or a field.
type Importance struct {
	Name string
	// Drop is how much lower the score is without it: the AUC of two classes
	// (class 1 the positive), the accuracy of more.
	Drop      float64
	Low, High float64 // of a forest the least and the largest repeat; of a byte model a bootstrap's 95 %
}

// ImportanceOptions say what is shuffled. The zero value shuffles each column
// alone, five times.
type ImportanceOptions struct {
	Names   []string // of the columns; default "column 0" and so on
	Groups  []string // of the columns; those with the same entry are shuffled together, under that name; nil: each alone
	Repeats int      // default 5
	Seed    uint64   // of the shuffles
}

// Importance is permutation importance (Breiman 2001; scikit-learn's
// permutation_importance): how much the score falls when a column's values are
// dealt out anew among the rows, mean over the repeats, the largest drop first.
// Rows that the forest has not grown on tell what it goes by; those that it has
// also tell what it knows by heart. What other columns say as well has little
// importance of its own: shuffle such columns as a group. With one class in y
// the score is the accuracy.
//
// Errors are those of NewForest's x and y, columns other than the forest's, and
// names or groups that are not one a column. An interrupt is an error.
func (f *Forest) Importance(x [][]float64, y []int, o ...ImportanceOptions) ([]Importance, error) {
	options := append(o, ImportanceOptions{})[0]
	groups, err := f.prepareImportance(x, y, &options)
	if err != nil {
		return nil, fmt.Errorf("failed to find importances: %w", err)
	}
	ctx := display.Context()
	base := f.score(x, y)
	var next atomic.Int64
	parallel(func() {
		rows := make([][]float64, len(x))
		for i := range x {
			rows[i] = slices.Clone(x[i])
		}
		for g := int(next.Add(1)) - 1; g < len(groups) && ctx.Err() == nil; g = int(next.Add(1)) - 1 {
			f.shuffled(x, rows, y, &groups[g], base, options.Repeats, rand.New(rand.NewPCG(options.Seed, uint64(g))))
		}
	})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("failed to find importances: %w", context.Cause(ctx))
	}
	out := make([]Importance, len(groups))
	for i, g := range groups {
		out[i] = g.Importance
	}
	byDrop(out)
	return out, nil
}

func byDrop(list []Importance) {
	slices.SortStableFunc(list, func(a, b Importance) int { return cmp.Compare(b.Drop, a.Drop) })
}

// columnGroup is what is shuffled together.
type columnGroup struct {
	columns []int
	Importance
}

func (f *Forest) prepareImportance(x [][]float64, y []int, o *ImportanceOptions) ([]columnGroup, error) {
	if err := checkRows(x, y, f.classes); err != nil && !errors.Is(err, errOneClass) {
		return nil, err
	}
	if len(x[0]) != f.columns {
		return nil, fmt.Errorf("the rows have %d columns, the forest grew on %d", len(x[0]), f.columns)
	}
	if o.Repeats < 0 {
		return nil, fmt.Errorf("classify.ImportanceOptions.Repeats is %d: it must not be negative", o.Repeats)
	}
	if o.Repeats == 0 {
		o.Repeats = 5
	}
	if o.Names != nil && len(o.Names) != f.columns {
		return nil, fmt.Errorf("classify.ImportanceOptions.Names has %d entries for %d columns", len(o.Names), f.columns)
	}
	if o.Groups != nil && len(o.Groups) != f.columns {
		return nil, fmt.Errorf("classify.ImportanceOptions.Groups has %d entries for %d columns", len(o.Groups), f.columns)
	}
	var groups []columnGroup
	index := map[string]int{}
	for c := range f.columns {
		name := fmt.Sprintf("column %d", c)
		switch {
		case o.Groups != nil:
			name = o.Groups[c]
		case o.Names != nil:
			name = o.Names[c]
		}
		at, seen := index[name]
		if !seen || o.Groups == nil { // equal names are no group
			at = len(groups)
			index[name] = at
			groups = append(groups, columnGroup{Importance: Importance{Name: name}})
		}
		groups[at].columns = append(groups[at].columns, c)
	}
	return groups, nil
}

// shuffled finds the importance of a group. rows are a copy of x and are so
// again afterwards.
func (f *Forest) shuffled(x, rows [][]float64, y []int, g *columnGroup, base float64, repeats int, rng *rand.Rand) {
	if !slices.ContainsFunc(f.trees, func(t *tree) bool { return t.uses(g.columns) }) {
		return
	}
	for repeat := range repeats {
		for i, from := range rng.Perm(len(x)) {
			for _, c := range g.columns {
				rows[i][c] = x[from][c]
			}
		}
		drop := base - f.score(rows, y)
		if repeat == 0 {
			g.Low, g.High = drop, drop
		}
		g.Low, g.High = min(g.Low, drop), max(g.High, drop)
		g.Drop += drop / float64(repeats)
	}
	for i := range rows {
		for _, c := range g.columns {
			rows[i][c] = x[i][c]
		}
	}
}

// score is the AUC of two classes, the accuracy of more, and of rows of one
// class.
func (f *Forest) score(x [][]float64, y []int) float64 {
	p := make([]float64, f.classes)
	scores, predicted := make([]float64, len(x)), make([]int, len(x))
	for i, row := range x {
		f.probabilities(row, p)
		predicted[i] = largest(p)
		scores[i] = p[min(1, f.classes-1)]
	}
	if f.classes != 2 {
		return accuracy(predicted, y)
	}
	return auc(scores, predicted, y)
}

func accuracy(predicted, y []int) float64 {
	right := 0
	for i, c := range y {
		if predicted[i] == c {
			right++
		}
	}
	return float64(right) / float64(len(y))
}

// auc is the AUC of class 1, or the accuracy where y has only one of the two.
func auc(scores []float64, predicted, y []int) float64 {
	positive := make([]bool, len(y))
	for i, c := range y {
		positive[i] = c == 1
	}
	if !slices.Contains(positive, true) || !slices.Contains(positive, false) {
		return accuracy(predicted, y)
	}
	return metrics.AUC(scores, positive)
}
