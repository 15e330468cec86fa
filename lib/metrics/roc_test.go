package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTPRAt(t *testing.T) {
	nan := math.NaN()
	scores := []float64{9, 8, 7, 7, 6, 5, 5, nan, 3, nan}
	positive := []bool{true, true, true, false, true, false, true, false, false, true}
	// From the top: 2 positives free, then a tie of 1 and 1, 1 positive, a tie of
	// 1 and 1, a negative, and the two that have no score.
	for fpr, want := range map[float64]float64{-1: 0, 0: 2. / 6, .24: 2. / 6, .25: 4. / 6, .5: 5. / 6, .75: 5. / 6, .99: 5. / 6, 1: 1, 2: 1} {
		if got := TPRAt(scores, positive, fpr); got != want {
			t.Errorf("TPR at %v is %v, want %v", fpr, got, want)
		}
	}
	if got := TPRAt([]float64{1, 1}, []bool{true, false}, .9); got != 0 {
		t.Errorf("one score for all finds %v of the positives", got)
	}
	if !math.IsNaN(TPRAt(nil, nil, .1)) || !math.IsNaN(TPRAt([]float64{1}, []bool{true}, .1)) || !math.IsNaN(TPRAt(scores, positive, nan)) {
		t.Error("TPR without negatives is a number")
	}
}

func TestAUCInterval(t *testing.T) {
	if i := AUCInterval([]float64{1, 2}, []bool{true, true}); !math.IsNaN(i.Value) || !math.IsNaN(i.Low) || i.String() != "–" {
		t.Errorf("without negatives: %+v %s", i, i)
	}
	scores, positive := []float64{1, 2, 3, 4, 5, 6}, []bool{false, true, false, true, false, true}
	if i := AUCInterval(scores, positive, Options{Resamples: -1}); i.Value != AUC(scores, positive) || !math.IsNaN(i.Low) {
		t.Errorf("without resamples: %+v", i)
	}
	i := AUCInterval(scores, positive, Options{Seed: 1})
	if i != AUCInterval(scores, positive, Options{Seed: 1}) || !(i.Low < i.Value && i.Value < i.High && i.Low >= 0 && i.High <= 1) {
		t.Errorf("interval %+v", i)
	}
	if i := AUCInterval([]float64{1, 2, 3, 4}, []bool{false, false, true, true}); i != (Interval{1, 1, 1}) {
		t.Errorf("classes apart: %+v", i)
	}
}

// The interval encloses the truth about 95 times of 100.
func TestAUCIntervalEnclosesTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for shift, truth := range map[float64]float64{0: .5, 1: .5 + .5*math.Erf(.5)} { // Φ(1/√2)
		hit := 0
		for range 200 {
			scores, positive := make([]float64, 120), make([]bool, 120)
			for i := range scores {
				scores[i] = r.NormFloat64()
				if positive[i] = i%3 == 0; positive[i] {
					scores[i] += shift
				}
			}
			if i := AUCInterval(scores, positive); i.Low <= truth && truth <= i.High {
				hit++
			}
		}
		if hit < 178 || hit == 200 {
			t.Errorf("AUC %.3f: in %d of 200 intervals", truth, hit)
		}
	}
}
