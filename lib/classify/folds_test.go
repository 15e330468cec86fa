package classify_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"trafficgpt/lib/classify"
)

// A column that names the group gives the class away to whoever has seen the
// group. Folds that keep groups together get nothing from it: half of the rows.
func TestCrossScoresKeepGroups(t *testing.T) {
	var x [][]float64
	var y []int
	var groups []string
	rng := rand.New(rand.NewPCG(1, 1))
	places, classes := rng.Perm(60), rng.Perm(60)
	for g := range 60 {
		for range 10 {
			x = append(x, []float64{float64(places[g])})
			y = append(y, classes[g]%2)
			groups = append(groups, fmt.Sprint("group ", g))
		}
	}
	right := func(groups []string) float64 {
		n := 0
		for i, p := range must(classify.CrossScores(x, y, 2, groups)) {
			if len(p) != 2 {
				t.Fatalf("row %d has probabilities %v", i, p)
			}
			if p[y[i]] > 0.5 {
				n++
			}
		}
		return float64(n) / float64(len(x))
	}
	if alone, kept := right(nil), right(groups); alone < 0.95 || kept > 0.7 {
		t.Errorf("%.2f of the rows with each its own group, %.2f with groups kept together", alone, kept)
	}
}

func TestCrossScoresErrors(t *testing.T) {
	x, y := random(12, 2, 3, 1)
	for _, c := range []struct {
		y      []int
		groups []string
		o      classify.FoldOptions
		want   string
	}{
		{[]int{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2}, nil, classify.FoldOptions{}, "class 2 is in one group only, row 11"},
		{y, []string{"", "b", "", "", "b", "", "", "b", "", "", "b", ""}, classify.FoldOptions{}, `class 1 is in one group only, "b"`},
		{y, []string{"a"}, classify.FoldOptions{}, "12 rows have 1 groups"},
		{y, nil, classify.FoldOptions{Folds: 1}, "classify.FoldOptions.Folds is 1"},
		{make([]int, 12), nil, classify.FoldOptions{}, "all 12 rows are of one class"},
	} {
		_, err := classify.CrossScores(x, c.y, 3, c.groups, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), "failed to score in folds: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
	// The third group has a row of either class: one of them lies with its other group.
	_, err := classify.CrossScores(x[:10], []int{0, 0, 0, 0, 1, 1, 1, 1, 0, 1}, 2, strings.Split("aaaabbbbcc", ""), classify.FoldOptions{Folds: 2})
	if err == nil || !strings.Contains(err.Error(), "lie in one fold") {
		t.Errorf("a class in one fold: %v", err)
	}
	if _, err := classify.CrossScores(x[:3], y[:3], 3, nil); err == nil || !strings.Contains(err.Error(), "class 0 is in one group only, row 0") {
		t.Errorf("a row a class: %v", err)
	}
	if p, err := classify.CrossScores(x[:6], y[:6], 3, nil); err != nil || len(p) != 6 || len(p[5]) != 3 {
		t.Errorf("two rows a class: %v, %v", p, err)
	}
}
