// Package classify tells classes of flows apart: by a random forest over
// features or bytes, and by a small model that reads a flow's tokens.
//
//	x := make([][]float64, len(flows))
//	for i, f := range flows {
//		x[i] = classify.Features(f) // or classify.FirstBytes(f, 256)
//	}
//	scores := must(classify.CrossScores(x, y, 2, groups))   // out of fold
//	forest := must(classify.NewForest(x, y, 2))             // on all rows
//	forest.Importance(x, y, classify.ImportanceOptions{Names: classify.FeatureNames()})
//	bytes := must(classify.NewByteModel(flows, y, 2))       // the paper's way
//
// Classes are numbers from 0; the caller keeps their names. A row is a sample,
// a column a feature of it. The same seed gives the same result, whatever the
// number of threads, unless a result says otherwise.
//
// Words:
//
//   - group: rows that may not be parted, near-duplicates for one; a fold takes
//     all of a group or nothing. Columns have groups too, shuffled together;
//   - share: of a leaf's training rows, the part that is of a class;
//   - drop: how much worse a score gets when the classifier cannot use
//     something.
package classify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"trafficgpt/display"
)

// ForestOptions say how a forest grows. The zero value is scikit-learn's
// default, but for Tries, which rounds up.
type ForestOptions struct {
	Trees int    // default 100
	Depth int    // of a tree at most; 0 is no limit
	Leaf  int    // different rows of a leaf at least, default 1
	Tries int    // columns tried at a split, default ⌈√columns⌉
	Seed  uint64 // of bootstrap samples and tried columns
}

// Forest is a random forest.
type Forest struct {
	trees   []*tree
	columns int
	classes int
}

// NewForest grows a random forest (Breiman 2001): every tree on a bootstrap
// sample of the rows, splits by Gini impurity. x holds samples [row][column],
// y their classes 0 to classes-1. Splits are exact, between any two different
// values of a column, as scikit-learn's are.
//
// It is an error for x to have no rows or no columns, rows of different
// lengths, or numbers that are not finite, and for y to have one class only or
// one out of range. An interrupted forest has the trees grown so far; that
// there is none is an error.
func NewForest(x [][]float64, y []int, classes int, o ...ForestOptions) (*Forest, error) {
	f, err := grow(display.Context(), x, y, classes, append(o, ForestOptions{})[0])
	if err != nil {
		return nil, fmt.Errorf("failed to grow a forest: %w", err)
	}
	return f, nil
}

func grow(ctx context.Context, x [][]float64, y []int, classes int, o ForestOptions) (*Forest, error) {
	options, err := o.complete(x)
	if err == nil {
		err = checkRows(x, y, classes)
	}
	if err != nil {
		return nil, err
	}
	f := &Forest{columns: len(x[0]), classes: classes}
	data := newRanked(x, y, classes)
	grown := make([]*tree, options.Trees)
	var next atomic.Int64
	parallel(func() {
		g := newGrower(ctx, data, options)
		for i := int(next.Add(1)) - 1; i < len(grown); i = int(next.Add(1)) - 1 {
			if grown[i] = g.tree(uint64(i)); grown[i] == nil {
				return
			}
		}
	})
	for _, t := range grown {
		if t != nil {
			f.trees = append(f.trees, t)
		}
	}
	if len(f.trees) == 0 {
		return nil, fmt.Errorf("interrupted before the first tree was grown: %w", context.Cause(ctx))
	}
	return f, nil
}

func (o ForestOptions) complete(x [][]float64) (ForestOptions, error) {
	for _, f := range []struct {
		field string
		value int
	}{{"Trees", o.Trees}, {"Depth", o.Depth}, {"Leaf", o.Leaf}, {"Tries", o.Tries}} {
		if f.value < 0 {
			return o, fmt.Errorf("classify.ForestOptions.%s is %d: it must not be negative", f.field, f.value)
		}
	}
	if o.Trees == 0 {
		o.Trees = 100
	}
	if o.Leaf == 0 {
		o.Leaf = 1
	}
	if o.Depth == 0 {
		o.Depth = math.MaxInt
	}
	if o.Tries == 0 && len(x) > 0 {
		o.Tries = int(math.Ceil(math.Sqrt(float64(len(x[0])))))
	}
	return o, nil
}

// checkRows says what is wrong with samples and their classes.
func checkRows(x [][]float64, y []int, classes int) error {
	switch {
	case len(x) == 0:
		return errors.New("there are no rows")
	case len(y) != len(x):
		return fmt.Errorf("%d rows have %d classes", len(x), len(y))
	case len(x[0]) == 0:
		return errors.New("the rows have no columns")
	}
	for i, row := range x {
		if len(row) != len(x[0]) {
			return fmt.Errorf("row %d has %d columns, row 0 has %d", i, len(row), len(x[0]))
		}
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("row %d, column %d is %v", i, j, v)
			}
		}
	}
	return checkClasses("row", y, classes)
}

// checkClasses says what is wrong with the classes of rows or flows, of which
// there are some.
func checkClasses(of string, y []int, classes int) error {
	one := true
	for i, c := range y {
		if c < 0 || c >= classes {
			return fmt.Errorf("%s %d is of class %d, and there are %d", of, i, c, classes)
		}
		one = one && c == y[0]
	}
	if one {
		return fmt.Errorf("all %d %ss are of %w", len(y), of, errOneClass)
	}
	return nil
}

var errOneClass = errors.New("one class")

// parallel runs work on every processor and waits for all.
func parallel(work func()) {
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(work)
	}
	wait.Wait()
}

// Probabilities gives each row's probabilities [row][class]: the mean over the
// trees of the shares in the leaf that the row falls into. A number that is
// missing (NaN) counts as larger than all; of a row that has another number of
// columns than the forest nothing is known, so all classes are equally likely.
func (f *Forest) Probabilities(x [][]float64) [][]float64 {
	out := make([][]float64, len(x))
	var next atomic.Int64
	parallel(func() {
		for i := int(next.Add(1)) - 1; i < len(x); i = int(next.Add(1)) - 1 {
			out[i] = f.probabilities(x[i], make([]float64, f.classes))
		}
	})
	return out
}

// probabilities fills p.
func (f *Forest) probabilities(row, p []float64) []float64 {
	clear(p)
	if len(row) != f.columns {
		for c := range p {
			p[c] = 1 / float64(f.classes)
		}
		return p
	}
	for _, t := range f.trees {
		for _, s := range t.leaf(row) {
			p[s.class] += s.share
		}
	}
	for c := range p {
		p[c] /= float64(len(f.trees))
	}
	return p
}

// Predict gives each row's most probable class; of equally probable ones the
// first.
func (f *Forest) Predict(x [][]float64) []int {
	out := make([]int, len(x))
	for i, p := range f.Probabilities(x) {
		out[i] = largest(p)
	}
	return out
}

// largest is the index of the first of the largest numbers.
func largest(p []float64) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

// String says in one line what the forest is.
func (f *Forest) String() string {
	nodes := 0
	for _, t := range f.trees {
		nodes += len(t.nodes)
	}
	return fmt.Sprintf("forest of %s trees with %s nodes, over %s columns, for %s classes",
		display.Count(len(f.trees)), display.Count(nodes), display.Count(f.columns), display.Count(f.classes))
}

// MIME says it in one line.
func (f *Forest) MIME() display.Bundle { return display.AsText(f.String()) }
