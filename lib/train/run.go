// Package train trains models on flows: it packs their tokens, follows the
// loss on a live curve, validates by field, and stops where it is told to with
// whatever has been learned.
//
//	training, test := dataset.Lab().Split(0.2, 1)
//	m := must(model.New(model.Tiny(), 1))
//	must(train.Run(m, training.Flows, test.Flows, train.Options{Steps: 300, Seed: 1}))
//
// [Run] trains m in place; its report shows itself as a table by field.
// [Resume] goes on from a checkpoint, [FindRate] looks for a learning rate.
// Losses are in nats a token where they are numbers, and in bits where they are
// shown. A step is one move of the weights, of Accumulate passes over Batch
// sequences; an epoch is over when every flow has been seen.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Run trains the model on the training flows and validates on the others. An
// interrupt, an early stop or the end of the budget keep what was learned and
// give a report and no error. A number that is not finite stops with the
// report so far and an error that names step and layer; the weights are then
// those before the step.
func Run(m *model.Model, training, validation []*pcap.Flow, opts Options) (*Report, error) {
	ctx := display.Context()
	r, err := newRun(ctx, m, training, validation, opts)
	if err != nil {
		return nil, err
	}
	err = r.loop(ctx)
	r.show(true)
	return r.report, err
}

// run is one training run.
type run struct {
	m        *model.Model
	o        Options
	trainer  *model.Trainer
	feed     *feed
	valid    *validation // nil without validation flows
	report   *Report
	started  time.Time
	paused   time.Duration // spent on validation, not part of the speed
	smooth   average
	best     float64
	bestAt   []float32     // weights of the best validation, with Patience
	worse    int           // validations since
	data     string        // fingerprint of the training tokens
	savedAt  int           // step of the last checkpoint
	before   time.Duration // training time before a resume
	view     *display.Handle
	lastShow time.Time
}

func newRun(ctx context.Context, m *model.Model, training, validation []*pcap.Flow, opts Options) (*run, error) {
	if err := canTrain(m); err != nil {
		return nil, fmt.Errorf("failed to train: %w", err)
	}
	o, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("failed to train: %w", err)
	}
	if err := o.setLabels(m, training); err != nil {
		return nil, err
	}
	if m.Config().Bidirectional && o.Objective == NextToken {
		return nil, errors.New("failed to train: a bidirectional model sees the next token; its objective is Masked")
	}
	flows := o.encode(m, training)
	if len(flows) == 0 {
		return nil, errors.New("failed to train: there are no training flows with packets")
	}
	if err := o.openCheckpoints(); err != nil {
		return nil, err
	}
	r := &run{m: m, o: o, feed: newFeed(m.Config(), flows, o.Seed, Position{}),
		trainer: model.NewTrainer(m, model.TrainerOptions{Optimizer: model.AdamW{Decay: o.Decay, Clip: o.Clip}, Seed: o.Seed, Precision: o.Precision, Stop: over(ctx)}),
		best:    math.Inf(1), data: fingerprint(flows), report: &Report{options: o, Model: m.Config().Name, Parameters: m.Parameters(), Precision: o.Precision}}
	if held := o.encode(m, validation); len(held) > 0 {
		r.valid = newValidation(m, held, o, over(ctx))
		if len(r.valid.batches) == 0 {
			r.valid = nil
		} else {
			r.report.Unigram = r.valid.unigram()
		}
	}
	return r, nil
}

// canTrain says what is wrong with a model for tokens of flows.
func canTrain(m *model.Model) error {
	if m == nil {
		return errors.New("there is no model")
	}
	if v := m.Config().Vocabulary; v < tokenizer.Vocabulary {
		return fmt.Errorf("the model's vocabulary is %d tokens, and flows have %d", v, tokenizer.Vocabulary)
	}
	return nil
}

// over asks whether the cell was interrupted.
func over(ctx context.Context) func() bool { return func() bool { return ctx.Err() != nil } }

// loop steps until something says stop.
func (r *run) loop(ctx context.Context) error {
	r.started = time.Now()
	if r.trainer.Steps() == 0 {
		if err := r.validate(); err != nil && !errors.Is(err, model.ErrStopped) {
			return err
		}
	}
	for {
		if why := r.stop(ctx); why != "" {
			r.report.Stopped = why
			break
		}
		// A step or a validation that is interrupted is as if it had not begun.
		if err := r.step(); errors.Is(err, model.ErrStopped) {
			continue
		} else if err != nil {
			return err
		}
		if r.trainer.Steps()%r.o.ValidateEvery == 0 && !r.last() {
			if err := r.validate(); err != nil && !errors.Is(err, model.ErrStopped) {
				return err
			}
		}
		if r.trainer.Steps()%r.o.CheckpointEvery == 0 {
			if err := r.checkpoint(); err != nil {
				return err
			}
		}
		r.show(false)
	}
	r.report.Duration = r.elapsed()
	if err := r.checkpoint(); err != nil {
		return err
	}
	// An interrupt comes back at once.
	if err := r.validate(); err != nil && !errors.Is(err, model.ErrStopped) {
		return err
	}
	r.keepBest()
	r.report.Duration = r.elapsed()
	return nil
}

// elapsed is the time spent, with that before a resume.
func (r *run) elapsed() time.Duration { return r.before + time.Since(r.started) }

// last reports whether the final validation comes next anyway.
func (r *run) last() bool { return r.o.Steps > 0 && r.trainer.Steps() >= r.o.Steps }

func (r *run) stop(ctx context.Context) string {
	switch {
	case ctx.Err() != nil:
		return Interrupted
	case r.last():
		return Completed
	case r.o.Budget > 0 && r.elapsed() >= r.o.Budget:
		return OutOfTime
	case r.o.Patience > 0 && r.worse >= r.o.Patience:
		return NoBetter
	}
	return ""
}

// step takes one optimiser step.
func (r *run) step() error {
	rate := r.rate()
	batches, from := make([]*model.Batch, r.o.Accumulate), r.feed.at
	for i := range batches {
		draw := r.feed.at.Draws
		batches[i] = r.feed.next(r.o.Batch, r.m.Config().Context)
		if r.o.Objective == Masked {
			mask(batches[i], r.o.MaskRate, r.o.Seed, draw)
		}
	}
	info, err := r.trainer.Step(rate, batches...)
	if errors.Is(err, model.ErrStopped) {
		r.feed.at = from // nothing was learned from these
		return err
	}
	if err != nil { // no other is possible than a *model.NumericError
		r.report.Stopped = NotFinite
		r.report.Duration = r.elapsed()
		if r.savedAt > 0 {
			return fmt.Errorf("failed to train: %w; the last good checkpoint is of step %d, %s", err, r.savedAt, filepath.Join(r.o.Checkpoint, lastFile))
		}
		return fmt.Errorf("failed to train: %w", err)
	}
	r.report.Steps = info.Step
	r.report.Tokens += info.Tokens
	r.report.Loss = r.smooth.add(info.Loss)
	r.report.History = append(r.report.History, Point{Step: info.Step, Loss: info.Loss, Smooth: r.report.Loss, Norm: info.Norm, Rate: rate})
	return nil
}

// rate is the learning rate of the coming step: linear warm-up, then a cosine
// down to FinalRate at the end of the steps or of the budget. The warm-up of a
// budget ends after a tenth of it, however few steps that are.
func (r *run) rate() float64 {
	done := r.trainer.Steps()
	warm := float64(done+1) / float64(max(1, r.o.WarmUp))
	if r.o.Budget > 0 {
		warm = max(warm, 10*float64(r.elapsed())/float64(r.o.Budget))
	}
	if done < r.o.WarmUp && warm < 1 {
		return r.o.LearningRate * warm
	}
	progress := 0.0
	if r.o.Steps > 0 {
		progress = float64(done-r.o.WarmUp) / float64(max(1, r.o.Steps-r.o.WarmUp))
	}
	if r.o.Budget > 0 {
		progress = max(progress, float64(r.elapsed())/float64(r.o.Budget))
	}
	floor := r.o.FinalRate
	return r.o.LearningRate * (floor + (1-floor)*0.5*(1+math.Cos(math.Pi*max(0, min(progress, 1)))))
}

// validate measures the loss on the validation flows.
func (r *run) validate() error {
	n := len(r.report.Validations)
	again := n > 0 && r.report.Validations[n-1].Step == r.trainer.Steps()
	if r.valid == nil || again && r.report.Fields != nil {
		return nil
	}
	start := time.Now()
	loss, fields, err := r.valid.run()
	if err != nil {
		return fmt.Errorf("validation after step %d: %w", r.trainer.Steps(), err)
	}
	r.paused += time.Since(start)
	r.report.Validation, r.report.Fields = loss, fields
	if again { // measured before the resume already
		return nil
	}
	r.report.Validations = append(r.report.Validations, Point{Step: r.trainer.Steps(), Loss: loss})
	if r.o.Patience == 0 {
		return nil
	}
	if r.worse++; loss < r.best {
		r.best, r.worse = loss, 0
		r.bestAt = append(r.bestAt[:0], r.m.Weights()...)
		r.report.bestFields = fields
		if r.o.Checkpoint != "" {
			return r.m.Save(filepath.Join(r.o.Checkpoint, bestFile))
		}
	}
	return nil
}

// keepBest goes back to the weights of the best validation.
func (r *run) keepBest() {
	if r.bestAt == nil || r.best >= r.report.Validation {
		return
	}
	r.m.SetWeights(r.bestAt)
	r.report.Validation, r.report.Fields = r.best, r.report.bestFields
}

// average is a running mean that forgets with a half-life of about 14 values.
type average struct{ sum, weight float64 }

func (a *average) add(x float64) float64 {
	a.sum = 0.95*a.sum + x
	a.weight = 0.95*a.weight + 1
	return a.sum / a.weight
}
