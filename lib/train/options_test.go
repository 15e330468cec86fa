package train

import (
	"math"
	"testing"
	"time"

	"trafficgpt/model"
)

// TestOptionsThatCannotBe holds what is said of each: the field, its value and
// what it may be.
func TestOptionsThatCannotBe(t *testing.T) {
	m := build(t, tiny())
	for want, o := range map[string]Options{
		"Steps is -1: it must not be negative":              {Steps: -1},
		"Budget is -1s: it must not be negative":            {Budget: -time.Second},
		"Batch is -2: it must not be negative":              {Batch: -2},
		"Accumulate is -3: it must not be negative":         {Accumulate: -3},
		"WarmUp is -4: it must not be negative":             {WarmUp: -4},
		"FlowTokens is -5: it must not be negative":         {FlowTokens: -5},
		"ValidateEvery is -6: it must not be negative":      {ValidateEvery: -6},
		"ValidationTokens is -7: it must not be negative":   {ValidationTokens: -7},
		"Patience is -8: it must not be negative":           {Patience: -8},
		"CheckpointEvery is -9: it must not be negative":    {CheckpointEvery: -9},
		"LearningRate is -0.1: it must not be negative":     {LearningRate: -0.1},
		"LearningRate is NaN: it must not be negative":      {LearningRate: math.NaN()},
		"FinalRate is 2: it must lie in [0, 1]":             {FinalRate: 2},
		"MaskRate is 1: it must lie in [0, 1)":              {MaskRate: 1},
		"Decay is not a number":                             {Decay: math.NaN()},
		"Clip is not a number":                              {Clip: math.NaN()},
		`Objective is "all": it must be "next" or "masked"`: {Objective: "all"},
	} {
		o.Quiet = true
		if _, err := Run(m, flows(2, 1), nil, o); err == nil || err.Error() != "failed to train: train.Options."+want {
			t.Errorf("the error of Run is %v, not of %s", err, want)
		}
		if _, err := FindRate(m, flows(2, 1), o); err == nil || err.Error() != "failed to find a learning rate: train.Options."+want {
			t.Errorf("the error of FindRate is %v, not of %s", err, want)
		}
	}
}

// TestModelsThatCannotTrain are refused before the first step.
func TestModelsThatCannotTrain(t *testing.T) {
	c := tiny()
	c.Vocabulary, c.Mark = 100, 0
	small := build(t, c)
	for want, m := range map[string]*model.Model{
		"failed to train: there is no model":                                        nil,
		"failed to train: the model's vocabulary is 100 tokens, and flows have 260": small,
	} {
		if _, err := Run(m, flows(2, 1), nil, Options{Quiet: true}); err == nil || err.Error() != want {
			t.Errorf("the error is %v, not %s", err, want)
		}
	}
}
