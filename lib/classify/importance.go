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
// names or groups that are not one a column. An interrupt keeps the columns that
// are done; that none is is an error.
func (f *Forest) Importance(x [][]float64, y []int, o ...ImportanceOptions) ([]Importance, error) {
	options := append(o, ImportanceOptions{})[0]
	groups, err := f.prepareImportance(x, y, &options)
	if err != nil {
		return nil, fmt.Errorf("failed to find importances: %w", err)
	}
	ctx := display.Context()
	ways := f.ways(x)
	base := newShuffler(f, x, y, ways).score(0)
	var next atomic.Int64
	parallel(func() {
		s := newShuffler(f, x, y, ways)
		for g := int(next.Add(1)) - 1; g < len(groups) && ctx.Err() == nil; g = int(next.Add(1)) - 1 {
			s.shuffle(&groups[g], base, options.Repeats, rand.New(rand.NewPCG(options.Seed, uint64(g))))
		}
	})
	var out []Importance
	for _, g := range groups {
		if g.done {
			out = append(out, g.Importance)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("failed to find importances: interrupted before the first: %w", context.Cause(ctx))
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
	done    bool
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

// way is where a row falls in a tree, and by which columns (see tree.way).
type way struct {
	shares  []share
	columns uint64
}

// ways are those of all rows [row][tree]: a shuffled column sends few rows
// another way, so that most need not be sent again.
func (f *Forest) ways(x [][]float64) [][]way {
	out := make([][]way, len(x))
	for i, row := range x {
		out[i] = make([]way, len(f.trees))
		for j, t := range f.trees {
			out[i][j].shares, out[i][j].columns = t.way(row)
		}
	}
	return out
}

// shuffler shuffles columns of a copy of x.
type shuffler struct {
	f       *Forest
	ways    [][]way
	x, copy [][]float64
	y, rows []int
	p       [][]float64
}

func newShuffler(f *Forest, x [][]float64, y []int, ways [][]way) *shuffler {
	s := &shuffler{f: f, ways: ways, x: x, y: y}
	for i := range x {
		s.copy, s.rows, s.p = append(s.copy, slices.Clone(x[i])), append(s.rows, i), append(s.p, make([]float64, f.classes))
	}
	return s
}

// score is that of the copy, in which the columns of these bits are shuffled.
// It adds in the order of Forest.probabilities, so that what has not changed
// drops by exactly 0.
func (s *shuffler) score(columns uint64) float64 {
	for i, row := range s.copy {
		p := s.p[i]
		clear(p)
		for j, t := range s.f.trees {
			shares := s.ways[i][j].shares
			if s.ways[i][j].columns&columns != 0 {
				shares = t.leaf(row)
			}
			for _, sh := range shares {
				p[sh.class] += sh.share
			}
		}
		for c := range p {
			p[c] /= float64(len(s.f.trees))
		}
	}
	return score(s.p, s.y, s.rows)
}

// shuffle finds the importance of a group. The copy is as before afterwards.
func (s *shuffler) shuffle(g *columnGroup, base float64, repeats int, rng *rand.Rand) {
	g.done = true
	bits := uint64(0)
	for _, c := range g.columns {
		bits |= columnBit(c)
	}
	for repeat := range repeats {
		for i, from := range rng.Perm(len(s.x)) {
			for _, c := range g.columns {
				s.copy[i][c] = s.x[from][c]
			}
		}
		drop := base - s.score(bits)
		if repeat == 0 {
			g.Low, g.High = drop, drop
		}
		g.Low, g.High = min(g.Low, drop), max(g.High, drop)
		g.Drop += drop / float64(repeats)
	}
	for i := range s.copy {
		for _, c := range g.columns {
			s.copy[i][c] = s.x[i][c]
		}
	}
}

// score is the AUC of two classes, of the probabilities [row][class] of the
// rows named, and the accuracy of more; of rows of one class the accuracy too.
func score(p [][]float64, y, rows []int) float64 {
	scores, positive := make([]float64, len(rows)), make([]bool, len(rows))
	right, ones := 0, 0
	for i, r := range rows {
		if largest(p[r]) == y[r] {
			right++
		}
		if positive[i] = y[r] == 1; positive[i] {
			ones++
		}
		scores[i] = p[r][min(1, len(p[r])-1)]
	}
	if len(p[0]) == 2 && ones > 0 && ones < len(rows) {
		return metrics.AUC(scores, positive)
	}
	return float64(right) / float64(len(rows))
}
