package metrics

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// step is how many positives and negatives have one score.
type step struct{ pos, neg float64 }

// ladder is the scores from the lowest to the highest, and the step that each
// sample of a class stands on.
type ladder struct {
	steps    []step
	pos, neg []int
}

func newLadder(scores []float64, positive []bool) *ladder {
	n := min(len(scores), len(positive))
	index := all(n)
	slices.SortFunc(index, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	l := &ladder{}
	for k, i := range index {
		if k == 0 || cmp.Compare(scores[index[k-1]], scores[i]) != 0 {
			l.steps = append(l.steps, step{})
		}
		at := len(l.steps) - 1
		if positive[i] {
			l.pos = append(l.pos, at)
			l.steps[at].pos++
		} else {
			l.neg = append(l.neg, at)
			l.steps[at].neg++
		}
	}
	return l
}

// area is under the ROC curve of the steps.
func area(steps []step) float64 {
	below, wins, pos := 0., 0., 0.
	for _, s := range steps {
		wins += s.pos * (below + s.neg/2)
		below += s.neg
		pos += s.pos
	}
	if pos == 0 || below == 0 {
		return math.NaN()
	}
	return wins / (pos * below)
}

// AUC is the area under the ROC curve: the chance that a positive has the higher
// score than a negative, ties counting half, NaN the lowest score. ½ for equal
// distributions. NaN without both kinds.
func AUC(scores []float64, positive []bool) float64 { return area(newLadder(scores, positive).steps) }

// Interval is a value and what encloses it; Low and High are NaN where nothing is
// known of them.
type Interval struct{ Value, Low, High float64 }

// String is the value with its interval.
func (i Interval) String() string {
	if math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return number(i.Value)
	}
	return fmt.Sprintf("%s (%s–%s)", number(i.Value), number(i.Low), number(i.High))
}

// AUCInterval is AUC with its 95 % interval: the percentiles of a bootstrap that
// draws positives among positives and negatives among negatives. ½ lies in it for
// equal distributions, 95 times of 100. It takes samples as independent:
// near-duplicates make it too narrow. At 0 and 1 it has no width, which says
// nothing.
//
// Of the options, Resamples and Seed count. NaN without both kinds.
func AUCInterval(scores []float64, positive []bool, o ...Options) Interval {
	l, nan := newLadder(scores, positive), math.NaN()
	out := Interval{area(l.steps), nan, nan}
	n := count(options(o).Resamples, 200)
	if n == 0 || math.IsNaN(out.Value) {
		return out
	}
	rng := rand.New(rand.NewPCG(options(o).Seed, 3))
	draws, steps := make([]float64, n), make([]step, len(l.steps))
	for k := range draws {
		clear(steps)
		for range l.pos {
			steps[l.pos[rng.IntN(len(l.pos))]].pos++
		}
		for range l.neg {
			steps[l.neg[rng.IntN(len(l.neg))]].neg++
		}
		draws[k] = area(steps)
	}
	slices.Sort(draws)
	out.Low, out.High = quantile(draws, .025), quantile(draws, .975)
	return out
}

// TPRAt is the largest share of positives that a threshold on the score finds
// while it takes at most the share fpr of the negatives with them. Samples of one
// score go together: all or none. NaN scores are the lowest. For equal
// distributions it is about fpr. NaN without both kinds, or when fpr is.
func TPRAt(scores []float64, positive []bool, fpr float64) float64 {
	l := newLadder(scores, positive)
	if len(l.pos) == 0 || len(l.neg) == 0 || math.IsNaN(fpr) {
		return math.NaN()
	}
	found, taken := 0., 0.
	for _, s := range slices.Backward(l.steps) {
		if taken += s.neg; taken/float64(len(l.neg)) > fpr {
			break
		}
		found += s.pos
	}
	return found / float64(len(l.pos))
}
