package train

import (
	"fmt"
	"math"
	"time"

	"trafficgpt/display"
	"trafficgpt/lib/plots"
)

// Why a run stopped.
const (
	Completed   = "all steps taken"
	OutOfTime   = "the time budget is spent"
	NoBetter    = "validation got no better"
	Interrupted = "interrupted"
	NotFinite   = "a number was not finite"
)

// Point is one value of a curve. Losses are in nats a token.
type Point struct {
	Step   int
	Loss   float64
	Smooth float64 // running mean of Loss
	Norm   float64 // of the gradients
	Rate   float64 // learning rate
}

// Report says what a run did. It shows itself as a table by field; Curve is its
// figure.
type Report struct {
	Model       string
	Parameters  int
	Precision   string // of products, "bf16" or "fp32"
	Steps       int
	Tokens      int
	Duration    time.Duration
	Stopped     string
	Loss        float64 // of training, running mean, nats a token
	Validation  float64 // nats a token; 0 without validation flows
	Unigram     float64 // entropy of the validation tokens, nats: the baseline that ignores all context
	Fields      []FieldLoss
	History     []Point
	Validations []Point

	options    Options
	bestFields []FieldLoss
}

// Bits is the validation loss in bits a token.
func (r *Report) Bits() float64 { return r.Validation / math.Ln2 }

// Gain is how far the validation loss lies below the unigram entropy, as a
// fraction: 0.25 is 25 % below.
func (r *Report) Gain() float64 {
	if r.Unigram == 0 {
		return 0
	}
	return 1 - r.Validation/r.Unigram
}

// String says it in one line.
func (r *Report) String() string {
	s := fmt.Sprintf("%d steps, %s tokens in %s (%s, %s): training loss %.3f nats", r.Steps, display.Count(r.Tokens),
		display.Duration(r.Duration), r.Precision, r.Stopped, r.Loss)
	if r.Unigram > 0 && len(r.Validations) > 0 {
		s += fmt.Sprintf("; validation %.3f nats = %.3f bits a token, %.1f %% below the unigram entropy of %.3f bits",
			r.Validation, r.Bits(), 100*r.Gain(), r.Unigram/math.Ln2)
	}
	return s
}

// MIME shows the loss by field beside what token frequencies alone would give.
func (r *Report) MIME() display.Bundle {
	t := display.NewTable("Field", "Tokens", "Share", "Unigram, bits", "Model, bits", "Gain")
	t.Title = r.String()
	n := 0
	for _, f := range r.Fields {
		n += f.Tokens
	}
	row := func(name string, tokens int, unigram, loss float64) {
		gain := "–"
		if unigram > 1e-9 {
			gain = fmt.Sprintf("%.1f %%", 100*(1-loss/unigram))
		}
		t.Row(name, tokens, fmt.Sprintf("%.1f %%", 100*float64(tokens)/float64(max(n, 1))),
			fmt.Sprintf("%.3f", unigram/math.Ln2), fmt.Sprintf("%.3f", loss/math.Ln2), gain)
	}
	for _, f := range r.Fields {
		row(f.Kind.String(), f.Tokens, f.Unigram, f.Loss)
	}
	if r.Unigram > 0 && len(r.Validations) > 0 {
		row("all", n, r.Unigram, r.Validation)
		t.Note = "Unigram: the entropy of the field's own token frequencies, the best a model without context could reach. Encrypted payload stays near 8 bits for any model."
	}
	return t.MIME()
}

// Curve draws training and validation loss over the steps, with the unigram
// entropy as a dashed line.
func (r *Report) Curve() *plots.Figure {
	var x, raw, smooth, vx, vy []float64
	for i, p := range r.History {
		// At most 400 points: more cannot be seen and costs time on every update.
		if stride := len(r.History)/400 + 1; i%stride != 0 && i != len(r.History)-1 {
			continue
		}
		x, raw, smooth = append(x, float64(p.Step)), append(raw, p.Loss/math.Ln2), append(smooth, p.Smooth/math.Ln2)
	}
	for _, p := range r.Validations {
		vx, vy = append(vx, float64(p.Step)), append(vy, p.Loss/math.Ln2)
	}
	series := []plots.Series{{Name: "each step", X: x, Y: raw, Faint: true}, {Name: "training", X: x, Y: smooth}}
	if len(vx) > 0 {
		series = append(series, plots.Series{Name: "validation", X: vx, Y: vy, Points: true})
	}
	f := plots.Curves("Loss of "+r.name(), "step", "bits per token", series...)
	if r.Unigram > 0 {
		f.HLine(r.Unigram/math.Ln2, "unigram entropy")
	}
	return f
}

func (r *Report) name() string {
	if r.Model == "" {
		return "the model"
	}
	return r.Model
}
