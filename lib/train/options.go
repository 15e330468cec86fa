package train

import (
	"errors"
	"fmt"
	"time"

	"trafficgpt/model"
)

// Objectives.
const (
	NextToken = "next"   // predict the token that follows
	Masked    = "masked" // predict tokens hidden from the input; from both sides with model.Config.Bidirectional
)

// Options say how to train. The zero value trains 300 steps with settings that
// suit models up to a few million parameters.
type Options struct {
	Steps  int           // optimiser steps; default 300, or no limit when there is a Budget
	Budget time.Duration // wall-clock time; how many steps fit depends on the machine
	Batch  int           // sequences of the model's context in one step, default 1
	// Accumulate splits a step in that many passes of Batch sequences: larger
	// batches in the same memory. Default 1.
	Accumulate int

	LearningRate float64 // the highest; default 1e-3
	WarmUp       int     // steps of linear growth to it; default a twentieth of the steps, 10 to 1000
	FinalRate    float64 // where the cosine ends, as a fraction; default 0.05
	Decay        float64 // AdamW's, of matrices; default 0.1, negative for none
	Clip         float64 // largest gradient norm; default 1, negative for none
	Seed         uint64  // order of flows, dropout, masks

	// Precision of matrix products: "bf16" takes half the time where the processor has instructions for bfloat16, and is
	// the default there; "fp32" elsewhere. Weights and sums are float32 in both. TRAFFICGPT_PRECISION is another default.
	Precision string

	// FlowTokens is how much of each flow is used, in training and validation;
	// 0 for all. A few long flows are most of a corpus's tokens, so a short run
	// sees few beginnings, and sampling starts with one. A cut falls between
	// packets, and the flow has no end mark then.
	FlowTokens int

	// Labels tells the model what each flow is, by a token in front of it, so
	// that sampling may ask for flows of a label.
	Labels bool

	Objective string  // NextToken (default) or Masked
	MaskRate  float64 // share of hidden tokens of Masked, default 0.15

	ValidateEvery    int // steps; default a tenth of the steps, or 50
	ValidationTokens int // at most so many are looked at each time; default 32,768
	Patience         int // stop after so many validations without a better one, and keep the best; 0 never

	Checkpoint      string // folder for checkpoints; empty for none
	CheckpointEvery int    // steps; default as ValidateEvery
	Quiet           bool   // no live curve
}

func (o Options) complete() (Options, error) {
	for _, f := range []struct {
		field string
		value int
	}{{"Steps", o.Steps}, {"Batch", o.Batch}, {"Accumulate", o.Accumulate}, {"WarmUp", o.WarmUp}, {"FlowTokens", o.FlowTokens}, {"ValidateEvery", o.ValidateEvery},
		{"ValidationTokens", o.ValidationTokens}, {"Patience", o.Patience}, {"CheckpointEvery", o.CheckpointEvery}} {
		if f.value < 0 {
			return o, fmt.Errorf("train.Options.%s is %d: it must not be negative", f.field, f.value)
		}
	}
	switch {
	case o.Budget < 0:
		return o, fmt.Errorf("train.Options.Budget is %s: it must not be negative", o.Budget)
	case !(o.LearningRate >= 0):
		return o, fmt.Errorf("train.Options.LearningRate is %g: it must not be negative", o.LearningRate)
	case !(o.FinalRate >= 0 && o.FinalRate <= 1):
		return o, fmt.Errorf("train.Options.FinalRate is %g: it must lie in [0, 1]", o.FinalRate)
	case !(o.MaskRate >= 0 && o.MaskRate < 1):
		return o, fmt.Errorf("train.Options.MaskRate is %g: it must lie in [0, 1)", o.MaskRate)
	case o.Decay != o.Decay:
		return o, errors.New("train.Options.Decay is not a number")
	case o.Clip != o.Clip:
		return o, errors.New("train.Options.Clip is not a number")
	}
	var err error
	if o.Precision, err = model.PrecisionOf(o.Precision); err != nil {
		return o, fmt.Errorf("train.Options: %w", err)
	}
	if o.Steps == 0 && o.Budget == 0 {
		o.Steps = 300
	}
	set(&o.Batch, 1)
	set(&o.Accumulate, 1)
	set(&o.LearningRate, 1e-3)
	set(&o.FinalRate, 0.05)
	set(&o.Decay, 0.1)
	set(&o.Clip, 1)
	set(&o.MaskRate, 0.15)
	set(&o.ValidationTokens, 1<<15)
	if o.Steps > 0 {
		set(&o.WarmUp, min(max(o.Steps/20, 10), 1000))
		set(&o.ValidateEvery, max(o.Steps/10, 1))
	}
	set(&o.WarmUp, 30)
	set(&o.ValidateEvery, 50)
	set(&o.CheckpointEvery, o.ValidateEvery)
	if o.Objective == "" {
		o.Objective = NextToken
	}
	if o.Objective != NextToken && o.Objective != Masked {
		return o, fmt.Errorf("train.Options.Objective is %q: it must be %q or %q", o.Objective, NextToken, Masked)
	}
	return o, nil
}

func set[T int | float64](x *T, value T) {
	if *x == 0 {
		*x = value
	}
}
