package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer/pcap"
)

// leastOfClass is how many flows of a class the reference must have, and the
// floor's half, for the class to be scored.
const leastOfClass = 5

// utility trains a forest on flow features, without addresses and ports, on one
// side and tests it on the other.
func (j *judgement) utility(a *Axis) error {
	classes, err := j.classes()
	if err != nil {
		return err
	}
	onReal := measure("macro-F1, synthetic → real", "", 3, .05, .15)
	onMade := measure("macro-F1, real → synthetic", "", 3, .05, .15)
	accuracy := measure("accuracy, synthetic → real", "", 3, .05, .15)
	shares := []float64{.01, .05, .1}
	var gains, alone []*Measure
	for _, s := range shares {
		gains = append(gains, measure(fmt.Sprintf("macro-F1, synthetic and %.0f %% real → real", 100*s), "", 3, .05, .15))
		alone = append(alone, measure(fmt.Sprintf("macro-F1, %.0f %% real → real", 100*s), "", 3, 0, 0))
	}
	a.Measures = slices.Concat([]*Measure{onReal, accuracy, onMade}, interleave(gains, alone))
	for _, m := range a.Measures {
		m.Higher = true
	}
	test, rest := classes.rows(j.sides.reference), classes.rows(j.sides.flows[floor])
	var byClass *metrics.Classification
	err = j.each(a, func(k int, flows []*pcap.Flow) error {
		made := classes.rows(flows)
		c, score, err := j.trained(made, test, classes)
		if err != nil {
			a.Findings = append(a.Findings, fmt.Sprintf("%s: %v.", competitorNames[k], err))
			return nil
		}
		*onReal.at(k), *accuracy.at(k) = score, exactly(c.Accuracy)
		if k == generated {
			byClass = c
		}
		if _, score, err := j.trained(test, made, classes); err == nil {
			*onMade.at(k) = score
		}
		for i, s := range shares {
			few := j.few(rest, s)
			if _, score, err := j.trained(few.with(made), test, classes); err == nil {
				*gains[i].at(k) = score
			}
			if _, score, err := j.trained(few, test, classes); err == nil {
				*alone[i].at(k) = score
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.Findings = append(a.Findings, fmt.Sprintf("%d classes, %s flows to test on; classes of fewer than %d real flows on either half are left out.", len(classes.names), display.Count(len(test.x)), leastOfClass))
	if byClass != nil {
		a.Tables = append(a.Tables, byClass.Table())
		if len(classes.names) <= 40 {
			a.Figures = append(a.Figures, confusion(byClass))
		}
	}
	if !onReal.Generated.Known() {
		return fmt.Errorf("no classifier can be trained on the generated flows: %s", firstOf(a.Findings))
	}
	return nil
}

func firstOf(s []string) string {
	if len(s) == 0 {
		return "they have no labels that real flows have"
	}
	return s[0]
}

func interleave(a, b []*Measure) (out []*Measure) {
	for i := range a {
		out = append(out, a[i], b[i])
	}
	return out
}

// labels are the classes that are scored.
type labels struct {
	names []string
	index map[string]int
}

// classes are those that both halves of the real flows have enough of.
func (j *judgement) classes() (*labels, error) {
	count := map[string][2]int{}
	for side, flows := range [][]*pcap.Flow{j.sides.reference, j.sides.flows[floor]} {
		for _, f := range flows {
			if f.Label != "" {
				c := count[f.Label]
				c[side]++
				count[f.Label] = c
			}
		}
	}
	made := map[string]bool{}
	for _, f := range j.sides.flows[generated] {
		made[f.Label] = true
	}
	l := &labels{index: map[string]int{}}
	shared := 0
	for name, c := range count {
		if c[0] >= leastOfClass && c[1] >= leastOfClass {
			l.names = append(l.names, name)
			if made[name] {
				shared++
			}
		}
	}
	slices.Sort(l.names)
	for i, n := range l.names {
		l.index[n] = i
	}
	switch {
	case len(count) == 0:
		return nil, fmt.Errorf("the real flows have no labels (a folder with a sub-folder a class has them)")
	case len(count) == 1:
		return nil, fmt.Errorf("the real flows are all of one class, %s", l.only(count))
	case len(l.names) < 2:
		return nil, fmt.Errorf("of %d classes of real flows %d have %d flows on either half: two are needed", len(count), len(l.names), leastOfClass)
	case shared == 0 && len(made) == 1 && made[""]:
		return nil, fmt.Errorf("the generated flows have no labels")
	case shared == 0:
		return nil, fmt.Errorf("no class of the generated flows is one of the real ones")
	case shared == 1:
		return nil, fmt.Errorf("only one class of the generated flows is one of the real ones")
	}
	return l, nil
}

func (l *labels) only(count map[string][2]int) string {
	for name := range count {
		return name
	}
	return ""
}

// rows are flows as vectors and class numbers.
type rows struct {
	x [][]float64
	y []int
}

func (l *labels) rows(flows []*pcap.Flow) rows {
	var r rows
	for _, f := range flows {
		if i, ok := l.index[f.Label]; ok {
			r.x, r.y = append(r.x, classify.Features(f)), append(r.y, i)
		}
	}
	return r
}

func (r rows) with(o rows) rows {
	return rows{slices.Concat(r.x, o.x), slices.Concat(r.y, o.y)}
}

// few draws a share of the rows of each class, one at least.
func (j *judgement) few(r rows, share float64) rows {
	rng := rand.New(rand.NewPCG(j.Seed, 0x666577))
	byClass := map[int][]int{}
	for i, y := range r.y {
		byClass[y] = append(byClass[y], i)
	}
	var out rows
	for y := range slices.Max(r.y) + 1 {
		n := int(math.Ceil(share * float64(len(byClass[y]))))
		for _, i := range rng.Perm(len(byClass[y]))[:n] {
			k := byClass[y][i]
			out.x, out.y = append(out.x, r.x[k]), append(out.y, y)
		}
	}
	return out
}

// trained is how well a forest that learned from some rows does on others.
func (j *judgement) trained(train, test rows, l *labels) (*metrics.Classification, Value, error) {
	if len(test.x) == 0 {
		return nil, unknown, fmt.Errorf("there is nothing to test on")
	}
	f, err := classify.NewForest(train.x, train.y, len(l.names), classify.ForestOptions{Seed: j.Seed})
	if err != nil {
		return nil, unknown, err
	}
	said := f.Predict(test.x)
	truth, guess := make([]string, len(said)), make([]string, len(said))
	for i, p := range said {
		truth[i], guess[i] = l.names[test.y[i]], l.names[p]
	}
	c, err := metrics.Score(truth, guess)
	if err != nil {
		return nil, unknown, err
	}
	return c, j.f1(c, test.y, said), nil
}

// f1 is macro-F1 with its interval by bootstrap over the test flows.
func (j *judgement) f1(c *metrics.Classification, truth, said []int) Value {
	rng := rand.New(rand.NewPCG(j.Seed, 0x6631))
	classes := max(slices.Max(truth), slices.Max(said)) + 1
	draws := make([]float64, resamples)
	hit, support, called := make([]int, classes), make([]int, classes), make([]int, classes)
	for r := range draws {
		clear(hit)
		clear(support)
		clear(called)
		for range truth {
			i := rng.IntN(len(truth))
			support[truth[i]]++
			called[said[i]]++
			if truth[i] == said[i] {
				hit[truth[i]]++
			}
		}
		n := 0
		for k := range classes {
			if support[k] > 0 {
				draws[r] += 2 * float64(hit[k]) / float64(support[k]+called[k])
				n++
			}
		}
		draws[r] /= float64(n)
	}
	slices.Sort(draws)
	return Value{c.MacroF1, draws[resamples/40], draws[resamples-1-resamples/40]}
}
