package classify_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/metrics"
)

// reference is what conformance/forest.py wrote.
type reference struct {
	Name   string
	X      [][]float64
	Y      []int
	Train  int
	Scores map[string]struct{ Mean, SD float64 }
	Top    []int
	Drops  []float64
}

func references(t *testing.T) []reference {
	t.Helper()
	text, err := os.ReadFile("testdata/forest.json")
	if err != nil {
		t.Fatal(err)
	}
	var sets []reference
	if err := json.Unmarshal(text, &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

// Over 20 seeds, the mean of each score is scikit-learn's: their difference is
// within three standard errors of the difference of two such means, three times
// √(2/20) of the deviation from seed to seed. Columns that scikit-learn finds
// to be clearly important come in its order, with drops within a fifth of its.
func TestForestIsScikitLearns(t *testing.T) {
	const seeds = 20
	for _, ref := range references(t) {
		t.Run(ref.Name, func(t *testing.T) {
			x, y := ref.X[:ref.Train], ref.Y[:ref.Train]
			test, truth := ref.X[ref.Train:], ref.Y[ref.Train:]
			classes := 1
			for _, c := range ref.Y {
				classes = max(classes, c+1)
			}
			got := map[string]float64{}
			drops := make([]float64, len(x[0]))
			for seed := range uint64(seeds) {
				f := must(classify.NewForest(x, y, classes, classify.ForestOptions{Seed: seed}))
				for name, v := range scores(f, test, truth) {
					got[name] += v / seeds
				}
				if seed >= 5 {
					continue
				}
				for _, im := range must(f.Importance(test, truth, classify.ImportanceOptions{Repeats: 10, Seed: seed})) {
					drops[columnOf(t, im.Name)] += im.Drop / 5
				}
			}
			for name, want := range ref.Scores {
				if bound := 3 * math.Sqrt(2./seeds) * want.SD; math.Abs(got[name]-want.Mean) > bound {
					t.Errorf("%s is %.4f, scikit-learn's %.4f ± %.4f", name, got[name], want.Mean, bound)
				}
			}
			for i, c := range ref.Top {
				if math.Abs(drops[c]-ref.Drops[i]) > ref.Drops[i]/5 {
					t.Errorf("without column %d the score drops by %.4f, scikit-learn's by %.4f", c, drops[c], ref.Drops[i])
				}
				for d, drop := range drops {
					if drop > drops[c] && !contains(ref.Top[:i], d) {
						t.Errorf("column %d has a drop of %.4f, more than column %d's %.4f", d, drop, c, drops[c])
					}
				}
			}
		})
	}
}

func contains(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

func columnOf(t *testing.T, name string) int {
	t.Helper()
	var c int
	if err := json.Unmarshal([]byte(strings.TrimPrefix(name, "column ")), &c); err != nil {
		t.Fatalf("%q is no name of a column", name)
	}
	return c
}

// scores are those that the reference has.
func scores(f *classify.Forest, x [][]float64, y []int) map[string]float64 {
	p := f.Probabilities(x)
	c := must(metrics.Score(names(y), names(f.Predict(x))))
	got := map[string]float64{"accuracy": c.Accuracy, "macroF1": c.MacroF1}
	if len(p[0]) == 2 {
		var one []float64
		var positive []bool
		for i := range p {
			one, positive = append(one, p[i][1]), append(positive, y[i] == 1)
		}
		got["auc"] = metrics.AUC(one, positive)
	}
	return got
}

func names(y []int) []string {
	out := make([]string, len(y))
	for i, c := range y {
		out[i] = string(rune('A' + c))
	}
	return out
}

// random are rows whose class is that of their first column, but for noise.
func random(rows, columns, classes int, seed uint64) ([][]float64, []int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	x, y := make([][]float64, rows), make([]int, rows)
	for i := range x {
		x[i], y[i] = make([]float64, columns), i%classes
		for j := range x[i] {
			x[i][j] = rng.NormFloat64()
		}
		x[i][0] += float64(y[i])
	}
	return x, y
}

// A tree without a bootstrap's luck: two values and two classes leave one split,
// half-way, and shares of 1 on either side.
func TestForestByHand(t *testing.T) {
	x, y := [][]float64{{1}, {1}, {1}, {1}, {3}, {3}, {3}, {3}}, []int{0, 0, 0, 0, 1, 1, 1, 1}
	f := must(classify.NewForest(x, y, 3))
	low, high := f.Probabilities([][]float64{{2}}), f.Probabilities([][]float64{{2.0001}})
	// A tree whose bootstrap has one class only (2 in 256) has no split.
	if low[0][0] < 0.9 || high[0][1] < 0.9 || low[0][0]+low[0][1] != 1 || low[0][2] != 0 {
		t.Errorf("at the middle %v, above it %v", low, high)
	}
	deep := must(classify.NewForest(x, y, 2, classify.ForestOptions{Leaf: 5}))
	if p := deep.Probabilities([][]float64{{1}, {3}}); !reflect.DeepEqual(p[0], p[1]) {
		t.Errorf("of 8 rows no two leaves have 5, yet a split: %v", p)
	}
	// An exclusive or has no first split that helps; it must be taken all the same.
	xor := [][]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
	var rows [][]float64
	var of []int
	for range 10 {
		rows, of = append(rows, xor...), append(of, 0, 1, 1, 0)
	}
	if got := must(classify.NewForest(rows, of, 2)).Predict(xor); !reflect.DeepEqual(got, []int{0, 1, 1, 0}) {
		t.Errorf("an exclusive or is %v", got)
	}
	stump := must(classify.NewForest(rows, of, 2, classify.ForestOptions{Depth: 1}))
	if p := stump.Probabilities(xor); math.Abs(p[0][0]-0.5) > 0.1 {
		t.Errorf("trees of depth 1 know an exclusive or: %v", p)
	}
}

func TestForestOfOddShapes(t *testing.T) {
	for _, c := range []struct {
		name    string
		rows    int
		classes int
	}{{"a row a class", 5, 5}, {"300 classes", 900, 300}, {"300 classes, a row each", 300, 300}} {
		x, y := random(c.rows, 3, c.classes, 1)
		f, err := classify.NewForest(x, y, c.classes)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		right := 0
		for i, p := range f.Predict(x) {
			if p == y[i] {
				right++
			}
		}
		if right < c.rows*9/10 {
			t.Errorf("%s: %d of %d rows that it grew on", c.name, right, c.rows)
		}
		for i, p := range f.Probabilities(x) {
			sum := 0.0
			for _, v := range p {
				sum += v
			}
			if len(p) != c.classes || math.Abs(sum-1) > 1e-9 {
				t.Fatalf("%s: row %d has %d probabilities that sum to %v", c.name, i, len(p), sum)
			}
		}
	}
	x, y := random(40, 2, 2, 1)
	f := must(classify.NewForest(x, y, 2))
	if p := f.Probabilities([][]float64{{1}, nil, {math.NaN(), math.NaN()}}); p[0][0] != 0.5 || p[1][1] != 0.5 || p[2][0]+p[2][1] < 0.999 {
		t.Errorf("rows that cannot be: %v", p)
	}
	if got := f.Probabilities(nil); len(got) != 0 {
		t.Errorf("no rows have %v", got)
	}
}

func TestForestErrors(t *testing.T) {
	x, y := random(40, 3, 2, 1)
	with := func(row, column int, v float64) [][]float64 {
		bad := make([][]float64, len(x))
		for i := range x {
			bad[i] = append([]float64(nil), x[i]...)
		}
		bad[row][column] = v
		return bad
	}
	uneven := with(0, 0, 0)
	uneven[7] = uneven[7][:2]
	for _, c := range []struct {
		x       [][]float64
		y       []int
		classes int
		o       classify.ForestOptions
		want    string
	}{
		{nil, nil, 2, classify.ForestOptions{}, "failed to grow a forest: there are no rows"},
		{x, make([]int, 40), 2, classify.ForestOptions{}, "failed to grow a forest: all 40 rows are of one class"},
		{x, y[:3], 2, classify.ForestOptions{}, "40 rows have 3 classes"},
		{x, y, 1, classify.ForestOptions{}, "row 1 is of class 1, and there are 1"},
		{uneven, y, 2, classify.ForestOptions{}, "row 7 has 2 columns, row 0 has 3"},
		{with(4, 2, math.NaN()), y, 2, classify.ForestOptions{}, "row 4, column 2 is NaN"},
		{with(5, 1, math.Inf(-1)), y, 2, classify.ForestOptions{}, "row 5, column 1 is -Inf"},
		{[][]float64{{}, {}}, []int{0, 1}, 2, classify.ForestOptions{}, "the rows have no columns"},
		{x, y, 2, classify.ForestOptions{Trees: -1}, "classify.ForestOptions.Trees is -1"},
	} {
		if _, err := classify.NewForest(c.x, c.y, c.classes, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
	f := must(classify.NewForest(x, y, 2))
	if _, err := f.Importance(x, y, classify.ImportanceOptions{Names: []string{"one"}}); err == nil || !strings.Contains(err.Error(), "Names has 1 entries for 3 columns") {
		t.Errorf("one name for three columns: %v", err)
	}
	if _, err := f.Importance([][]float64{{1}, {2}}, []int{0, 1}); err == nil || !strings.Contains(err.Error(), "the rows have 1 columns, the forest grew on 3") {
		t.Errorf("other columns: %v", err)
	}
}

// The same seed gives the same forest on one thread and on several, and another
// seed another one.
func TestForestFollowsItsSeed(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	x, y := random(300, 20, 3, 2)
	run := func(threads int, seed uint64) [][]float64 {
		runtime.GOMAXPROCS(threads)
		return must(classify.CrossScores(x, y, 3, nil, classify.FoldOptions{Forest: classify.ForestOptions{Trees: 20, Seed: seed}}))
	}
	one := run(1, 1)
	if !reflect.DeepEqual(one, run(2, 1)) {
		t.Error("two threads give other scores than one")
	}
	if reflect.DeepEqual(one, run(2, 2)) {
		t.Error("another seed gives the same scores")
	}
	f := must(classify.NewForest(x, y, 3))
	runtime.GOMAXPROCS(1)
	a := must(f.Importance(x, y))
	runtime.GOMAXPROCS(2)
	if !reflect.DeepEqual(a, must(f.Importance(x, y))) {
		t.Error("two threads give other importances than one")
	}
}

// late is a context that is cancelled when it has been asked a number of times.
type late struct {
	context.Context
	left int
}

func (c *late) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestInterruptedForest(t *testing.T) {
	x, y := random(200, 4, 2, 3)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	leave := display.Enter(ctx, nil)
	_, err := classify.NewForest(x, y, 2)
	_, scores := classify.CrossScores(x, y, 2, nil)
	leave()
	if err == nil || !strings.Contains(err.Error(), "interrupted before the first tree was grown") {
		t.Errorf("a forest of no trees: %v", err)
	}
	if scores == nil || !strings.Contains(scores.Error(), "fold 1 of 4") || strings.Count(scores.Error(), "failed") != 1 {
		t.Errorf("scores of no forest: %v", scores)
	}

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as late counts without a lock
	leave = display.Enter(&late{context.Background(), 500}, nil)
	f, err := classify.NewForest(x, y, 2)
	leave()
	if err != nil {
		t.Fatal(err)
	}
	if s := f.String(); strings.HasPrefix(s, "forest of 100 trees") || strings.HasPrefix(s, "forest of 0") {
		t.Errorf("an interrupt half-way leaves a %s", s)
	}
	if p := f.Probabilities(x[:1])[0]; math.Abs(p[0]+p[1]-1) > 1e-9 {
		t.Errorf("its probabilities are %v", p)
	}
}

// A column that the class hangs on counts, one that is noise does not; two
// columns that say the same count only together.
func TestImportance(t *testing.T) {
	x, y := random(400, 5, 2, 4)
	for i := range x {
		x[i][0] = float64(y[i])
		x[i][1] = x[i][0] + 5
	}
	f := must(classify.NewForest(x, y, 2, classify.ForestOptions{Tries: 5}))
	list := must(f.Importance(x, y, classify.ImportanceOptions{Groups: []string{"class", "class", "noise", "noise", "more noise"}}))
	if len(list) != 3 || list[0].Name != "class" || list[0].Drop < 0.4 || list[0].Low > list[0].Drop || list[0].High < list[0].Drop {
		t.Errorf("by groups: %+v", list)
	}
	for _, im := range list[1:] {
		if math.Abs(im.Drop) > 0.01 {
			t.Errorf("noise counts: %+v", im)
		}
	}
	single := must(f.Importance(x, y, classify.ImportanceOptions{Names: []string{"a", "b", "c", "c", "c"}}))
	if len(single) != 5 || single[0].Drop > list[0].Drop-0.05 {
		t.Errorf("alone, either of two columns that say the same counts as much as both: %+v", single)
	}
}

// Bench: 2,000 rows of 256 bytes, 100 trees.
func BenchmarkForest(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := make([][]float64, 2000), make([]int, 2000)
	for i := range x {
		y[i] = rng.IntN(2)
		for j := range 256 {
			x[i] = append(x[i], float64(rng.IntN(256-16*(j%2)*y[i])))
		}
	}
	for b.Loop() {
		must(classify.NewForest(x, y, 2))
	}
}
