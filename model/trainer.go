package model

import (
	"errors"
	"fmt"
	"math"

	"trafficgpt/model/f32"
)

// AdamW holds the constants of the optimiser (Loshchilov & Hutter 2019). The
// zero value is what language models of this size are trained with.
type AdamW struct {
	Beta1   float64 // memory of the first moment, default 0.9
	Beta2   float64 // memory of the second, default 0.95
	Epsilon float64 // keeps the division finite, default 1e-8
	Decay   float64 // of matrices, vectors do not decay; default 0.1, negative for none
	Clip    float64 // largest norm of all gradients together; default 1, negative for none
}

// complete fills defaults; "none" is 0 from here on, and in checkpoints.
func (a AdamW) complete() AdamW {
	set := func(x *float64, value float64) {
		if *x == 0 {
			*x = value
		}
	}
	set(&a.Beta1, 0.9)
	set(&a.Beta2, 0.95)
	set(&a.Epsilon, 1e-8)
	set(&a.Decay, 0.1)
	set(&a.Clip, 1)
	a.Decay, a.Clip = max(a.Decay, 0), max(a.Clip, 0)
	return a
}

// TrainerOptions say how a trainer takes its steps.
type TrainerOptions struct {
	Optimizer AdamW
	Seed      uint64 // of dropout
	Precision string // of products: PrecisionFP32, PrecisionBF16 or the default of PrecisionOf
	// Stop is asked between the parts of each layer; true abandons the step,
	// which then fails with ErrStopped and changes nothing. nil for never.
	Stop func() bool
}

// Trainer takes optimiser steps on a model. It holds gradients, moments and the
// memory of a step.
type Trainer struct {
	o      TrainerOptions
	m      *Model
	w      workspace
	m1, m2 []float32 // moments, laid out as the weights
	spans  []weightSpan
	steps  int
}

// NewTrainer returns a trainer of the model. The options may be left out. It panics when the precision is not known.
func NewTrainer(m *Model, options ...TrainerOptions) *Trainer {
	o := append(options, TrainerOptions{})[0]
	o.Optimizer = o.Optimizer.complete()
	return newTrainer(m, o)
}

// Precision is that of the products, PrecisionFP32 or PrecisionBF16.
func (t *Trainer) Precision() string { return t.o.Precision }

// newTrainer takes options that are complete.
func newTrainer(m *Model, o TrainerOptions) *Trainer {
	m.params.needGrads()
	var err error
	if o.Precision, err = PrecisionOf(o.Precision); err != nil {
		panic("model.NewTrainer: " + err.Error())
	}
	return &Trainer{o: o, m: m, m1: f32.Aligned(len(m.params.weights)), m2: f32.Aligned(len(m.params.weights)), spans: cutWeights(m.params)}
}

// Steps is the number of steps taken.
func (t *Trainer) Steps() int { return t.steps }

// Memory is what the trainer and its model hold in bytes: weights, gradients,
// moments and the arena of a step.
func (t *Trainer) Memory() int {
	n := 4 * (len(t.m.params.weights) + len(t.m.params.grads) + len(t.m1) + len(t.m2))
	if t.w.arena != nil {
		n += t.w.arena.Size()
	}
	n += t.m.narrow.bytes()
	return n
}

// StepInfo is what one step found.
type StepInfo struct {
	Step   int     // counted from 1
	Loss   float64 // mean over the counted tokens, nats
	Norm   float64 // of the gradients, before clipping
	Tokens int     // tokens that went through
}

// NumericError says where the first number that is not finite was found. The
// weights are those before the step.
type NumericError struct {
	Step  int
	Where string // a layer or a tensor
}

func (e *NumericError) Error() string {
	return fmt.Sprintf("training stopped at step %d: %s is not finite", e.Step, e.Where)
}

// ErrStopped is the error of a pass that was told to stop.
var ErrStopped = errors.New("stopped")

// stopped passes through the frames of a pass that is abandoned.
type stopped struct{}

// poll abandons the pass when it is told to stop.
func (p *pass) poll() {
	if p.stop != nil && p.stop() {
		panic(stopped{})
	}
}

// abandoned makes an abandoned pass an error; defer it.
func abandoned(err *error) {
	switch v := recover(); v {
	case nil:
	case stopped{}:
		*err = ErrStopped
	default:
		panic(v)
	}
}

// Step accumulates the gradients of all batches, each counted token with the
// same weight, clips them and moves the weights by AdamW with the given
// learning rate. When a number is not finite the weights stay as they were and
// the error is a *NumericError.
func (t *Trainer) Step(rate float64, batches ...*Batch) (info StepInfo, err error) {
	defer abandoned(&err)
	t.w.pass.stop, t.w.pass.narrow = t.o.Stop, t.o.Precision == PrecisionBF16
	info = StepInfo{Step: t.steps + 1}
	counted := 0
	for i, b := range batches {
		if err := b.check(t.m.cfg); err != nil {
			return info, fmt.Errorf("failed to take step %d: batch %d: %w", info.Step, i, err)
		}
		counted += b.Counted()
		info.Tokens += len(b.Tokens)
	}
	if counted == 0 {
		return info, fmt.Errorf("failed to take step %d: no row has a target", info.Step)
	}
	t.clearGrads()
	sum := 0.0
	for i, b := range batches {
		t.w.pass.fresh = t.w.pass.narrow && i == 0
		sum += t.w.gradients(t.m, b, float32(1/float64(counted)), t.dropout(i))
	}
	info.Loss = sum / float64(counted)
	info.Norm = math.Sqrt(f32.SumSquares(t.m.params.grads))
	if !finite(info.Loss) || !finite(info.Norm) {
		return info, &NumericError{info.Step, t.locate(batches)}
	}
	t.apply(rate, info.Norm)
	return info, nil
}

// clearGrads sets to zero what the first batch adds to.
func (t *Trainer) clearGrads() {
	if !t.w.pass.narrow {
		f32.Clear(t.m.params.grads)
		return
	}
	for _, x := range t.m.params.all {
		if !x.product {
			clear(x.g)
		}
	}
}

func (t *Trainer) dropout(batch int) dropout {
	d := dropout{rate: float32(t.m.cfg.Dropout), seed: t.o.Seed}
	return d.at(uint64(t.steps)<<16 | uint64(batch))
}

// apply clips and moves the weights.
func (t *Trainer) apply(rate, norm float64) {
	o := t.o.Optimizer
	clip := float32(1)
	if o.Clip > 0 && norm > o.Clip {
		clip = float32(o.Clip / norm)
	}
	t.steps++
	t1 := 1 - math.Pow(o.Beta1, float64(t.steps))
	t2 := 1 - math.Pow(o.Beta2, float64(t.steps))
	adamLoop.Run(len(t.spans), 1, adamArgs{t, clip, float32(rate), float32(t1), float32(t2)})
	t.m.changed()
}

// adamSpan is how many weights move at a time, on one thread.
const adamSpan = 1 << 14

// weightSpan is a piece of a tensor in the flat buffers.
type weightSpan struct {
	at, end int
	decay   bool
}

// cutWeights cuts all tensors in pieces.
func cutWeights(params *parameters) (spans []weightSpan) {
	for _, x := range params.all {
		end := x.at + len(x.w)
		for at := x.at; at < end; at += adamSpan {
			spans = append(spans, weightSpan{at, min(at+adamSpan, end), x.decay})
		}
	}
	return spans
}

type adamArgs struct {
	t                  *Trainer
	clip, rate, t1, t2 float32
}

var adamLoop = f32.NewLoop(func(a *adamArgs, lo, hi, _ int) {
	t, o, params := a.t, &a.t.o.Optimizer, a.t.m.params
	for _, s := range t.spans[lo:hi] {
		decay := float32(0)
		if s.decay {
			decay = float32(o.Decay)
		}
		f32.ClippedAdamW(a.clip, params.weights[s.at:s.end], params.grads[s.at:s.end], t.m1[s.at:s.end], t.m2[s.at:s.end],
			a.rate, float32(o.Beta1), float32(o.Beta2), float32(o.Epsilon), decay, a.t1, a.t2)
	}
})

// locate runs the batches once more, layer by layer, and names the first place
// whose numbers are not finite.
func (t *Trainer) locate(batches []*Batch) string {
	for _, x := range t.m.params.all {
		if !allFinite(x.w) {
			return "weight " + x.name
		}
	}
	for i, b := range batches {
		if where := t.w.locate(t.m, b, t.dropout(i)); where != "" {
			return where
		}
	}
	for i := len(t.m.params.all) - 1; i >= 0; i-- { // the order of the backward pass
		if x := t.m.params.all[i]; !allFinite(x.g) {
			return "the gradient of " + x.name
		}
	}
	return "the loss"
}

func (w *workspace) locate(m *Model, b *Batch, drop dropout) string {
	p := w.begin(m, b, false, drop)
	x1 := p.arena.Alloc(p.n * m.cfg.Width)
	p.embed(x1)
	var x2 []float32
	if m.cfg.Reversible {
		x2 = p.clone(x1)
	}
	var s layerSaved
	for i := range m.cfg.Layers {
		mark := p.arena.Mark()
		p.layerForward(i, x1, x2, x1, x2, &s)
		p.flush()
		p.arena.Release(mark)
		if !allFinite(x1) || !allFinite(x2) {
			return fmt.Sprintf("the output of layer %d", i)
		}
	}
	return ""
}

// allFinite reports whether no element is infinite or not a number.
func allFinite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
