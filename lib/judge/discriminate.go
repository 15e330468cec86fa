package judge

import (
	"fmt"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/plots"
	"trafficgpt/tokenizer/pcap"
)

const (
	mostJudged = 1000 // flows a side, the paper's protocol
	firstBytes = 256
)

// duel is a competitor's flows and as many of the reference, in one list.
type duel struct {
	flows  []*pcap.Flow
	y      []int // 1 for the competitor's
	groups []string
	half   []bool // one of the two halves for the byte model
}

// discriminate trains classifiers to tell the competitors from the reference.
func (j *judgement) discriminate(a *Axis) error {
	best := measure("best discriminator: AUC", "", 3, .08, .2)
	a.Measures = []*Measure{best}
	kinds := []string{"forest on flow features", "forest on bytes", "byte model"}
	for _, kind := range kinds {
		for _, score := range []string{"AUC", "accuracy", "macro-F1"} {
			a.Measures = append(a.Measures, measure(kind+": "+score, "", 3, .08, .2))
		}
	}
	for _, m := range a.Measures {
		m.chance = .5
	}
	err := j.each(a, func(k int, flows []*pcap.Flow) error {
		d, err := j.duel(k, flows)
		if err != nil {
			return err
		}
		*best.at(k) = unknown
		for i, run := range []func(*Axis, int, *duel) ([]float64, []bool, error){j.byFeatures, j.byBytes, j.byModel} {
			scores, positive, err := run(a, k, d)
			if err != nil {
				a.Findings = append(a.Findings, fmt.Sprintf("%s, %s: %v.", kinds[i], competitorNames[k], err))
				continue
			}
			auc := of(metrics.AUCInterval(scores, positive, metrics.Options{Seed: j.Seed}))
			accuracy, f1 := j.decided(scores, positive)
			*a.Measure(kinds[i] + ": AUC").at(k) = auc
			*a.Measure(kinds[i] + ": accuracy").at(k), *a.Measure(kinds[i] + ": macro-F1").at(k) = accuracy, f1
			if k == generated {
				a.Figures = append(a.Figures, reliability(kinds[i], scores, positive))
			}
			if auc.Known() && (!best.at(k).Known() || auc.Value > best.at(k).Value) {
				*best.at(k) = auc
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !best.Generated.Known() {
		return fmt.Errorf("no discriminator could be trained: %s", firstOf(a.Findings))
	}
	a.Figures = slices.Insert(a.Figures, 0, barsOf("discriminators", "Area under the ROC curve, .5 is chance", a.Measures[:1:1], a.Measure(kinds[0]+": AUC"), a.Measure(kinds[1]+": AUC"), a.Measure(kinds[2]+": AUC")))
	return nil
}

// duel draws as many flows of both sides, at most 1,000, and joins near-duplicates
// of either side in groups, so that none is learned from and tested on.
func (j *judgement) duel(k int, flows []*pcap.Flow) (*duel, error) {
	n := min(len(flows), len(j.sides.reference), mostJudged)
	if n < 8 {
		return nil, fmt.Errorf("%d flows a side are too few to train on", n)
	}
	d := &duel{}
	d.flows = ungrouped(slices.Concat(j.sides.reference[:n], flows[:n]))
	alike, ok := grouped(d.flows)
	if !ok && k == generated {
		j.warn("most flows are near-duplicates of each other: the discriminators were trained and tested on flows that are alike")
	}
	for i := range d.flows {
		d.y = append(d.y, i/n)
		d.groups = append(d.groups, alike[i].Group)
	}
	d.split(j.Seed)
	return d, nil
}

// ungrouped are copies of flows without groups, to be grouped across both sides.
func ungrouped(flows []*pcap.Flow) []*pcap.Flow {
	out := make([]*pcap.Flow, len(flows))
	for i, f := range flows {
		g := *f
		g.Group = ""
		out[i] = &g
	}
	return out
}

// split halves the flows by groups, for the byte model.
func (d *duel) split(seed uint64) {
	set := &dataset.Set{}
	place := map[*pcap.Flow]int{}
	for i := range d.flows {
		f := &pcap.Flow{Label: fmt.Sprint(d.y[i]), Group: d.groups[i], Packets: d.flows[i].Packets}
		set.Flows = append(set.Flows, f)
		place[f] = i
	}
	_, other := set.Split(.5, seed)
	d.half = make([]bool, len(d.flows))
	for _, f := range other.Flows {
		d.half[place[f]] = true
	}
}

// crossed scores every flow by a forest that has not seen its group.
func (j *judgement) crossed(d *duel, x [][]float64) ([]float64, []bool, error) {
	p, err := classify.CrossScores(x, d.y, 2, d.groups, classify.FoldOptions{Seed: j.Seed, Forest: classify.ForestOptions{Seed: j.Seed}})
	if err != nil {
		return nil, nil, err
	}
	scores, positive := make([]float64, len(p)), make([]bool, len(p))
	for i := range p {
		scores[i], positive[i] = p[i][1], d.y[i] == 1
	}
	return scores, positive, nil
}

func (j *judgement) byFeatures(a *Axis, k int, d *duel) ([]float64, []bool, error) {
	x := vectors(d.flows)
	scores, positive, err := j.crossed(d, x)
	if err == nil && k == generated {
		names := classify.FeatureNames()
		kinds := make([]string, len(names))
		for i, n := range names {
			kinds[i] = featureKind(n)
		}
		a.looked(j.importance(d, x, kinds), "kinds", "What the forest on flow features looked at, by kind")
		a.looked(j.importance(d, x, names), "features", "What the forest on flow features looked at")
	}
	return scores, positive, err
}

// featureKind joins features that say much the same: one of them shuffled alone
// costs nothing.
func featureKind(name string) string {
	for _, kind := range []struct{ word, name string }{
		{"interval", "intervals and duration"}, {"duration", "intervals and duration"}, {"rate", "intervals and duration"},
		{"size", "sizes"}, {"bytes out", "sizes"}, {"bytes in", "sizes"}, {"burst", "order of directions"}, {"places", "order of directions"},
		{"concentration", "order of directions"}, {"packets with", "TCP flags"}, {"TTL", "TTL or hop limit"}, {"window", "TCP window"},
		{"protocol", "IP protocol"}, {"packets", "numbers of packets"},
	} {
		if strings.Contains(name, kind.word) {
			return kind.name
		}
	}
	return name
}

func (j *judgement) byBytes(a *Axis, k int, d *duel) ([]float64, []bool, error) {
	x := make([][]float64, len(d.flows))
	for i, f := range d.flows {
		x[i] = classify.FirstBytes(f, firstBytes)
	}
	scores, positive, err := j.crossed(d, x)
	if err == nil && k == generated {
		a.looked(j.importance(d, x, byteNames(d.flows)), "bytes", "What the forest on the first 256 bytes looked at")
	}
	return scores, positive, err
}

// byteNames names each of the first bytes by the field that it most often is.
func byteNames(flows []*pcap.Flow) []string {
	counts := make([]map[string]int, firstBytes)
	for _, f := range flows[:min(len(flows), 400)] {
		for i, name := range classify.ByteNames(f, firstBytes) {
			if counts[i] == nil {
				counts[i] = map[string]int{}
			}
			if name != "" {
				counts[i][name]++
			}
		}
	}
	out := make([]string, firstBytes)
	for i, c := range counts {
		best := 0
		for name, n := range c {
			if n > best || n == best && name < out[i] {
				out[i], best = name, n
			}
		}
	}
	return out
}

// importance is what a forest loses on flows it has not seen when a column, or all
// columns of one name, are shuffled.
func (j *judgement) importance(d *duel, x [][]float64, names []string) []classify.Importance {
	var train, test rows
	for i := range x {
		if d.half[i] {
			test.x, test.y = append(test.x, x[i]), append(test.y, d.y[i])
		} else {
			train.x, train.y = append(train.x, x[i]), append(train.y, d.y[i])
		}
	}
	f, err := classify.NewForest(train.x, train.y, 2, classify.ForestOptions{Seed: j.Seed})
	if err != nil || len(test.x) == 0 {
		return nil
	}
	drops, err := f.Importance(test.x, test.y, classify.ImportanceOptions{Names: names, Groups: names, Seed: j.Seed})
	if err != nil {
		return nil
	}
	return drops
}

// byModel trains the byte model on either half and scores the other.
func (j *judgement) byModel(a *Axis, k int, d *duel) ([]float64, []bool, error) {
	scores, positive := make([]float64, len(d.flows)), make([]bool, len(d.flows))
	for _, half := range []bool{true, false} {
		var train, test []*pcap.Flow
		var trainY, testY, at []int
		for i, f := range d.flows {
			positive[i] = d.y[i] == 1
			if d.half[i] == half {
				test, testY, at = append(test, f), append(testY, d.y[i]), append(at, i)
			} else {
				train, trainY = append(train, f), append(trainY, d.y[i])
			}
		}
		o := j.ByteModel
		o.Seed, o.Quiet = o.Seed+j.Seed, true
		m, err := classify.NewByteModel(train, trainY, 2, o)
		if err != nil {
			return nil, nil, err
		}
		p, err := m.Probabilities(test)
		if err != nil {
			return nil, nil, err
		}
		for i := range p {
			scores[at[i]] = p[i][1]
		}
		if k == generated && half {
			drops, err := m.Occlusion(some(test, mostHidden), some(testY, mostHidden))
			if err == nil { // one class alone among them: it says nothing
				a.looked(drops, "occlusion", "What the byte model loses when a field is hidden")
			}
		}
	}
	return scores, positive, nil
}

// mostHidden is the number of flows that are read again for each hidden field.
const mostHidden = 300

// some are n entries of a list, evenly over it.
func some[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// decided is accuracy and macro-F1 of scores taken as probabilities, each with its
// interval by bootstrap over the flows.
func (j *judgement) decided(scores []float64, positive []bool) (accuracy, f1 Value) {
	truth, said, right := make([]int, len(scores)), make([]int, len(scores)), make([]float64, len(scores))
	names := []string{"real", "generated"}
	var a, b []string
	for i := range scores {
		if positive[i] {
			truth[i] = 1
		}
		if scores[i] > .5 {
			said[i] = 1
		}
		if truth[i] == said[i] {
			right[i] = 1
		}
		a, b = append(a, names[truth[i]]), append(b, names[said[i]])
	}
	c, err := metrics.Score(a, b)
	if err != nil || c.N == 0 {
		return unknown, unknown
	}
	return j.quotient(right, slices.Repeat([]float64{1}, len(right)), 1), j.f1(c, truth, said)
}

// reliability draws whether a discriminator's probabilities are what they say.
func reliability(kind string, scores []float64, positive []bool) Figure {
	f := plots.Reliability(scores, positive, 10)
	f.Title = "How far to trust the " + kind
	return Figure{"reliability " + kind, f}
}

// looked adds what a discriminator looked at.
func (a *Axis) looked(drops []classify.Importance, name, title string) {
	if len(drops) == 0 {
		return
	}
	drops = drops[:min(len(drops), 12)]
	t := display.NewTable("", "AUC lost")
	t.Title = title
	for _, d := range drops {
		t.Row(d.Name, fmt.Sprintf("%.3f", d.Drop))
	}
	t.Align = "lr"
	a.Tables = append(a.Tables, t)
	a.Figures = append(a.Figures, importanceFigure(name, title, drops))
}
