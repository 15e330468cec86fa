package train

import (
	"errors"
	"fmt"
	"math"

	"trafficgpt/display"
	"trafficgpt/lib/plots"
	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// Rates is what FindRate found; it shows itself as a curve.
type Rates struct {
	Suggested float64   // learning rate for Options
	Tried     []float64 // rates, growing
	Losses    []float64 // smoothed, nats a token
}

// Limits of the sweep.
const (
	lowestRate  = 1e-6
	highestRate = 1.0
	rateSteps   = 100
)

// FindRate sweeps the learning rate upwards, one step each, until the loss runs
// away (Smith 2017), and suggests a third of the rate of the least loss. The
// model gets its weights back.
func FindRate(m *model.Model, training []*pcap.Flow, opts Options) (*Rates, error) {
	if err := canTrain(m); err != nil {
		return nil, fmt.Errorf("failed to find a learning rate: %w", err)
	}
	o, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("failed to find a learning rate: %w", err)
	}
	flows := o.encode(m, training)
	if len(flows) == 0 {
		return nil, errors.New("failed to find a learning rate: there are no training flows with packets")
	}
	kept := append([]float32(nil), m.Weights()...)
	defer m.SetWeights(kept)
	tr := model.NewTrainer(m, model.TrainerOptions{Seed: o.Seed, Precision: o.Precision})
	feed := newFeed(m.Config(), flows, o.Seed, Position{})
	out := &Rates{}
	var smooth average
	least := math.Inf(1)
	ctx := display.Context()
	for i := 0; i < rateSteps && ctx.Err() == nil; i++ {
		rate := lowestRate * math.Pow(highestRate/lowestRate, float64(i)/(rateSteps-1))
		info, err := tr.Step(rate, feed.next(o.Batch, m.Config().Context))
		var notFinite *model.NumericError
		if errors.As(err, &notFinite) {
			break
		}
		if err != nil {
			return nil, err
		}
		loss := smooth.add(info.Loss)
		out.Tried, out.Losses = append(out.Tried, rate), append(out.Losses, loss)
		if loss < least {
			least, out.Suggested = loss, rate/3
		}
		if loss > 1.5*least {
			break
		}
	}
	if out.Suggested == 0 {
		return out, errors.New("failed to find a learning rate: no step gave a finite loss")
	}
	return out, nil
}

// String says it in one line.
func (r *Rates) String() string {
	return fmt.Sprintf("suggested learning rate %.1e, from %d steps between %.0e and %.0e", r.Suggested, len(r.Tried), r.Tried[0], r.Tried[len(r.Tried)-1])
}

// MIME shows the loss over the rates.
func (r *Rates) MIME() display.Bundle {
	bits := make([]float64, len(r.Losses))
	for i, l := range r.Losses {
		bits[i] = l / math.Ln2
	}
	f := plots.Curves("Learning rates", "learning rate", "bits per token", plots.Series{Name: "loss", X: r.Tried, Y: bits})
	f.LogX().VLine(r.Suggested, fmt.Sprintf("suggested %.1e", r.Suggested))
	f.Sub(r.String())
	return f.MIME()
}
