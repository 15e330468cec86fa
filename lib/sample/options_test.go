package sample

import (
	"math"
	"testing"

	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// TestOptionsThatCannotBe holds what is said of each: the field, its value and
// what it may be.
func TestOptionsThatCannotBe(t *testing.T) {
	m := untrained(t)
	for want, o := range map[string]Options{
		"Flows is -1: it must not be negative":                                   {Flows: -1},
		"PromptPackets is -2: it must not be negative":                           {PromptPackets: -2},
		"MaxTokens is -3: it must not be negative":                               {MaxTokens: -3},
		"MaxPackets is -4: it must not be negative":                              {MaxPackets: -4},
		"MaxRejects is -5: it must not be negative":                              {MaxRejects: -5},
		"Lanes is -6: it must not be negative":                                   {Lanes: -6},
		"Temperature is -0.5: it must not be negative":                           {Temperature: -0.5},
		"Temperature is NaN: it must not be negative":                            {Temperature: math.NaN()},
		"TopP is 1.5: it must lie in [0, 1]":                                     {TopP: 1.5},
		"MinP is -1: it must lie in [0, 1]":                                      {MinP: -1},
		`Precision is "fp8": it must be "fp32" or "bf16"`:                        {Precision: "fp8"},
		`Half and Precision "bf16" are both set: weights are rounded in one way`: {Precision: model.PrecisionBF16, Half: true},
		"Prompt and PromptFlow are both set: a flow has one beginning":           {Prompt: []uint16{256}, PromptFlow: &pcap.Flow{}},
	} {
		o.Quiet = true
		want = "failed to sample: sample.Options." + want
		if _, err := Flows(m, o); err == nil || err.Error() != want {
			t.Errorf("the error is %v, not %s", err, want)
		}
	}
}

// TestModelsThatCannotWrite are refused before anything is sampled or scored.
func TestModelsThatCannotWrite(t *testing.T) {
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Window = 16, 4, 16, 16
	c.Bidirectional = true
	both, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	const want = "failed to sample: a bidirectional model sees what follows, so it cannot go token by token"
	if _, err := Flows(both, Options{Quiet: true}); err == nil || err.Error() != want {
		t.Errorf("a bidirectional model: %v", err)
	}
	const step = "failed to step: token 999 on lane 0, of 260 tokens and 1 lanes"
	if _, err := NewMeter(untrained(t)).Next(999); err == nil || err.Error() != step {
		t.Errorf("a token that is none: %v", err)
	}
}
