package metrics

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"testing"
)

// reference is what conformance/reference.py wrote: inputs, and what other
// programs make of them.
type reference struct {
	Divergences []struct {
		P, Q []float64
		JSD  float64
	}
	Samples []struct {
		X, Y                       []float64
		KS, Wasserstein, P, SciPyP float64
	}
	Classes struct {
		Truth, Predicted, Labels []string
		Confusion                [][]int
		Accuracy, MacroF1        float64
		F1                       []float64
	}
	Scores []struct {
		Scores         []float64
		Positive       []bool
		AUC, Low, High float64
		FPR, TPR       []float64
	}
	Points []struct {
		Real, Generated, A, B                []([]float64)
		K                                    int
		Bandwidth, MMD, MMDOf2, P            float64
		Precision, Recall, Density, Coverage float64
	}
	Text struct {
		References [][]uint16
		Cases      []struct {
			Candidate                           []uint16
			BLEU, BLEU2, ROUGE1, ROUGE2, ROUGEL float64
		}
	}
	NGrams struct {
		Training, Test [][]uint16
		Bits           []struct {
			Order          int
			Training, Test float64
		}
	}
}

func readReference(t *testing.T) *reference {
	t.Helper()
	data, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{}
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	if len(r.Divergences) < 5 || len(r.Samples) < 5 || len(r.Points) < 3 || len(r.Scores) < 2 || len(r.Text.Cases) < 5 || len(r.NGrams.Bits) < 3 {
		t.Fatalf("the reference lacks cases: %d divergences, %d samples, %d sets of points, %d of scores, %d texts, %d orders",
			len(r.Divergences), len(r.Samples), len(r.Points), len(r.Scores), len(r.Text.Cases), len(r.NGrams.Bits))
	}
	return r
}

// agree says so when a value is not the reference's to 12 digits, or to 1e-12
// where it is below 1.
func agree(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, the reference %.15g", what, got, want)
	}
}

// near is for what comes from random draws of another generator, or from
// another approximation.
func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.4f, the reference %.4f", what, got, want)
	}
}

func TestSamplesAgreeWithSciPy(t *testing.T) {
	r := readReference(t)
	for _, c := range r.Divergences {
		agree(t, "JSD", JSD(c.P, c.Q), c.JSD)
	}
	for _, c := range r.Samples {
		n, m := len(c.X), len(c.Y)
		agree(t, "KS", KS(c.X, c.Y), c.KS)
		agree(t, "KS, sides changed", KS(c.Y, c.X), c.KS)
		agree(t, "p of KS", KSPValue(c.KS, n, m), c.P)
		if n > 20 {
			near(t, "p of KS by another approximation", KSPValue(c.KS, n, m), c.SciPyP, .05)
		}
		agree(t, "Wasserstein", Wasserstein(c.X, c.Y), c.Wasserstein)
	}
}

func TestScoresAgreeWithScikitLearn(t *testing.T) {
	r := readReference(t)
	c, err := Score(r.Classes.Truth, r.Classes.Predicted)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Labels, r.Classes.Labels) || !reflect.DeepEqual(c.Confusion, r.Classes.Confusion) {
		t.Errorf("confusion %v %v, the reference %v %v", c.Labels, c.Confusion, r.Classes.Labels, r.Classes.Confusion)
	}
	agree(t, "accuracy", c.Accuracy, r.Classes.Accuracy)
	agree(t, "macro-F1", c.MacroF1, r.Classes.MacroF1)
	for i, f := range r.Classes.F1 {
		agree(t, "F1 of "+c.Labels[i], c.Classes[i].F1, f)
	}
	for _, s := range r.Scores {
		agree(t, "AUC", AUC(s.Scores, s.Positive), s.AUC)
		for i, f := range s.FPR {
			agree(t, "TPR", TPRAt(s.Scores, s.Positive, f), s.TPR[i])
		}
		i := AUCInterval(s.Scores, s.Positive, Options{Resamples: 4000})
		agree(t, "AUC of the interval", i.Value, s.AUC)
		near(t, "low end", i.Low, s.Low, .005)
		near(t, "high end", i.High, s.High, .005)
	}
}

func TestPointsAgreeWithNumPy(t *testing.T) {
	for _, c := range readReference(t).Points {
		scaled := Standardize(c.Real, c.Generated)
		for s, want := range [][][]float64{c.A, c.B} {
			for i, row := range want {
				for j, v := range row {
					if math.Abs(scaled[s][i][j]-v) > 1e-9 { // the reference has nine decimals
						t.Fatalf("standardized %v, the reference %v", scaled[s][i], row)
					}
				}
			}
		}
		r, err := MMD(c.A, c.B, MMDOptions{Permutations: 4000})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "bandwidth", r.Bandwidth, c.Bandwidth)
		agree(t, "MMD²", r.Squared, c.MMD)
		near(t, "p", r.P, c.P, .03)
		if r, err = MMD(c.A, c.B, MMDOptions{Bandwidth: 2, Permutations: -1}); err != nil {
			t.Fatal(err)
		}
		agree(t, "MMD² of bandwidth 2", r.Squared, c.MMDOf2)
		if !math.IsNaN(r.P) {
			t.Errorf("p without permutations is %v", r.P)
		}
		m, err := Neighbourhoods(c.A, c.B, c.K)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "precision", m.Precision, c.Precision)
		agree(t, "recall", m.Recall, c.Recall)
		agree(t, "density", m.Density, c.Density)
		agree(t, "coverage", m.Coverage, c.Coverage)
	}
}

func TestTextAgreesWithNLTK(t *testing.T) {
	r := readReference(t)
	for i, c := range r.Text.Cases {
		got, err := Text([][]uint16{c.Candidate}, r.Text.References)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Text([][]uint16{c.Candidate}, r.Text.References, TextOptions{Order: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("case %d: %+v", i, *got)
		agree(t, "BLEU", got.BLEU, c.BLEU)
		agree(t, "BLEU of bigrams", two.BLEU, c.BLEU2)
		agree(t, "ROUGE-1", got.ROUGE1, c.ROUGE1)
		agree(t, "ROUGE-2", got.ROUGE2, c.ROUGE2)
		agree(t, "ROUGE-L", got.ROUGEL, c.ROUGEL)
	}
	for _, b := range r.NGrams.Bits {
		g, err := NewNGram(b.Order, r.NGrams.Training)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, "bits of training", g.Bits(r.NGrams.Training), b.Training)
		agree(t, "bits of test", g.Bits(r.NGrams.Test), b.Test)
	}
}
