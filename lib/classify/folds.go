package classify

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"trafficgpt/display"
)

// FoldOptions say how CrossScores folds. The zero value is four folds of
// default forests.
type FoldOptions struct {
	Folds  int           // default 4
	Forest ForestOptions // its Seed too
	Seed   uint64        // of the folds
}

// CrossScores gives every row's class probabilities [row][class] by a forest
// that has not seen its fold. groups has an entry a row, or is nil; rows of
// equal groups lie in one fold, a row without a group ("") stands for itself.
// The folds have like parts of every class, as far as groups allow.
//
// Beside what is an error of NewForest, a class must have two groups, and no
// class may lie in one fold alone, as its forest would not know it. What is
// interrupted is an error.
func CrossScores(x [][]float64, y []int, classes int, groups []string, o ...FoldOptions) ([][]float64, error) {
	options := append(o, FoldOptions{})[0]
	if options.Folds == 0 {
		options.Folds = 4
	}
	fold, err := foldsOf(x, y, classes, groups, options)
	if err != nil {
		return nil, fmt.Errorf("failed to score in folds: %w", err)
	}
	ctx := display.Context()
	out := make([][]float64, len(x))
	for k := range options.Folds {
		var train, test [][]float64
		var trainY, rows []int
		for i, row := range x {
			if fold[i] == k {
				test, rows = append(test, row), append(rows, i)
			} else {
				train, trainY = append(train, row), append(trainY, y[i])
			}
		}
		if len(test) == 0 { // fewer groups than folds
			continue
		}
		f, err := grow(ctx, train, trainY, classes, options.Forest)
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("failed to score in folds: fold %d of %d: %w", k+1, options.Folds, err)
		}
		for i, p := range f.Probabilities(test) {
			out[rows[i]] = p
		}
	}
	return out, nil
}

// foldsOf gives the fold of every row.
func foldsOf(x [][]float64, y []int, classes int, groups []string, o FoldOptions) ([]int, error) {
	if o.Folds < 2 {
		return nil, fmt.Errorf("classify.FoldOptions.Folds is %d: it must be at least 2", o.Folds)
	}
	if groups != nil && len(groups) != len(x) {
		return nil, fmt.Errorf("%d rows have %d groups", len(x), len(groups))
	}
	if err := checkRows(x, y, classes); err != nil {
		return nil, err
	}
	members := together(groups, len(x))
	total, of := make([]float64, classes), make([]int, classes) // rows and groups of a class
	for _, rows := range members {
		for c, n := range classCounts(rows, y) {
			total[c] += float64(n)
			of[c]++
		}
	}
	for c, n := range of {
		if n == 1 {
			return nil, fmt.Errorf("class %d is in one group only, %s: a forest that has not seen the group cannot know the class", c, groupName(groups, y, c))
		}
	}
	fold := assign(members, y, total, o)
	first, parted := map[int]int{}, map[int]bool{} // by class
	for i, k := range fold {
		if _, seen := first[y[i]]; !seen {
			first[y[i]] = k
		}
		parted[y[i]] = parted[y[i]] || k != first[y[i]]
	}
	for _, c := range y {
		if !parted[c] {
			return nil, fmt.Errorf("all groups of class %d lie in one fold: they hold too much of other classes to be parted", c)
		}
	}
	return fold, nil
}

// together lists the rows of every group, groups in the order of their first rows.
func together(groups []string, rows int) [][]int {
	var members [][]int
	index := map[string]int{}
	for i := range rows {
		if groups == nil || groups[i] == "" {
			members = append(members, []int{i})
			continue
		}
		k, seen := index[groups[i]]
		if !seen {
			k = len(members)
			index[groups[i]] = k
			members = append(members, nil)
		}
		members[k] = append(members[k], i)
	}
	return members
}

func groupName(groups []string, y []int, class int) string {
	row := slices.Index(y, class)
	if groups == nil || groups[row] == "" {
		return fmt.Sprintf("row %d", row)
	}
	return fmt.Sprintf("%q", groups[row])
}

func classCounts(rows, y []int) map[int]int {
	counts := map[int]int{}
	for _, r := range rows {
		counts[y[r]]++
	}
	return counts
}

// assign puts group after group, the largest first, into the fold that has
// least of its classes so far, and of equal ones into the one with fewest rows.
func assign(members [][]int, y []int, total []float64, o FoldOptions) []int {
	rng := rand.New(rand.NewPCG(o.Seed, 0x666f6c64))
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	slices.SortStableFunc(members, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	fold := make([]int, len(y))
	held := make([][]int, o.Folds) // [fold][class]
	rows := make([]int, o.Folds)
	for k := range held {
		held[k] = make([]int, len(total))
	}
	for _, group := range members {
		counts := classCounts(group, y)
		present := make([]int, 0, len(counts))
		for c := range counts {
			present = append(present, c)
		}
		slices.Sort(present) // sums of floats must not hang on the order of a map
		best, least := 0, 0.0
		for k := range held {
			load := 0.0
			for _, c := range present {
				load += float64(counts[c]) * float64(held[k][c]) / total[c]
			}
			if k == 0 || load < least || load == least && rows[k] < rows[best] {
				best, least = k, load
			}
		}
		for _, c := range present {
			held[best][c] += counts[c]
		}
		rows[best] += len(group)
		for _, r := range group {
			fold[r] = best
		}
	}
	return fold
}
