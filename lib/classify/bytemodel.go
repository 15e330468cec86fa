package classify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// ByteModelOptions say how a byte model is made and trained. The zero value
// takes about half a minute for 1,500 flows on two cores.
type ByteModelOptions struct {
	Tokens int            // of a flow that are read, the first ones; default 256
	Mask   tokenizer.Mask // what the model may not see: set to 0; default M0, nothing
	Epochs int            // times that each flow is seen; default 6, and more for fewer than 500 flows
	Width  int            // channels, a multiple of 8; default 64
	Layers int            // default 2
	Rate   float64        // the highest learning rate; default 3e-3
	Seed   uint64         // of weights and order
	// Time stops the training after about so long; 0 is no limit. What is
	// learned then depends on the machine too.
	Time  time.Duration
	Quiet bool // no progress bars
}

const (
	batchFlows = 8    // of a step in training
	lanes      = 16   // flows that are classified side by side
	leastFlows = 3000 // flow passes of a default training, however few flows there are
	// asked is the part of the rows before [cls] that are asked for the class
	// too, drawn anew each time: one answer a flow teaches too little.
	asked = 0.1
	// blanked is the part of the bytes that are 0 in training, drawn anew each
	// time: no single byte is learned by heart, and what Occlusion does is
	// nothing new.
	blanked = 0.1
	heads   = 4
)

// ByteModel reads the first tokens of a flow, then [cls], and says the class as
// the next token: the paper's discriminator and classifier, with a small model
// of its own. It may be used from one goroutine at a time.
type ByteModel struct {
	o       ByteModelOptions
	m       *model.Model
	classes int
	epochs  float64 // seen
	stopped string  // why before the end; "" at the end
}

// NewByteModel trains a model on flows whose classes y are 0 to classes-1, at
// most 256. A flow without packets, nil too, is only its end mark.
//
// It is an error for there to be no flows, one class only, or a class out of
// range. An interrupt keeps what has been learned; that nothing has is an error.
func NewByteModel(flows []*pcap.Flow, y []int, classes int, o ...ByteModelOptions) (*ByteModel, error) {
	b := &ByteModel{classes: classes}
	err := b.begin(flows, y, append(o, ByteModelOptions{})[0])
	if err == nil {
		err = b.train(display.Context(), flows, y)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to train a byte model: %w", err)
	}
	return b, nil
}

// begin checks everything and makes a model that knows nothing.
func (b *ByteModel) begin(flows []*pcap.Flow, y []int, o ByteModelOptions) error {
	switch {
	case len(flows) == 0:
		return errors.New("there are no flows")
	case len(y) != len(flows):
		return fmt.Errorf("%d flows have %d classes", len(flows), len(y))
	case b.classes > 256:
		return fmt.Errorf("%d classes are more than the 256 that a byte tells", b.classes)
	}
	if err := checkClasses("flow", y, b.classes); err != nil {
		return err
	}
	var err error
	if b.o, err = o.complete(len(flows)); err != nil {
		return err
	}
	// A byte's place in its packet says most of what it is, and rotary positions
	// are known to the local heads alone; so rows are told it.
	c := model.Config{Name: "byte model", Layers: b.o.Layers, Width: b.o.Width, Vocabulary: tokenizer.Vocabulary, Context: b.o.Tokens + 1,
		HeadDim: b.o.Width / heads, LocalHeads: heads / 2, LinearHeads: heads / 2, Window: 128, Chunk: 64, Features: model.FeaturesELU,
		FeedForward: 2 * b.o.Width, GLU: true, TokenShift: true, Positions: model.PositionsRotary,
		Mark: tokenizer.Start, Offsets: b.o.Tokens + 1}
	b.m, err = model.New(c, b.o.Seed)
	return err
}

func (o ByteModelOptions) complete(flows int) (ByteModelOptions, error) {
	for _, f := range []struct {
		field   string
		value   *int
		missing int
	}{{"Tokens", &o.Tokens, 256}, {"Epochs", &o.Epochs, max(6, (leastFlows+flows-1)/flows)}, {"Width", &o.Width, 64}, {"Layers", &o.Layers, 2}} {
		if *f.value < 0 {
			return o, fmt.Errorf("classify.ByteModelOptions.%s is %d: it must not be negative", f.field, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.missing
		}
	}
	if o.Rate == 0 {
		o.Rate = 3e-3
	}
	switch {
	case o.Width%(2*heads) != 0: // rotary positions turn pairs of a head's features
		return o, fmt.Errorf("classify.ByteModelOptions.Width is %d: it must be a multiple of %d", o.Width, 2*heads)
	case !(o.Rate > 0) || math.IsInf(o.Rate, 0):
		return o, fmt.Errorf("classify.ByteModelOptions.Rate is %v: it must be a positive number", o.Rate)
	case o.Time < 0:
		return o, fmt.Errorf("classify.ByteModelOptions.Time is %s: it must not be negative", o.Time)
	}
	return o, nil
}

// read gives what the model reads of a flow, [cls] last, and, if asked for,
// which field each token before it is.
func (b *ByteModel) read(f *pcap.Flow, explain bool) ([]uint16, []tokenizer.Field) {
	start := &pcap.Flow{}
	if f != nil {
		// Some packets more than are read, so that names and masks know the whole
		// of what is cut.
		room := 4 * b.o.Tokens
		for i := 0; i < len(f.Packets) && room > 0; i++ {
			start.Packets = append(start.Packets, f.Packets[i])
			room -= tokenizer.Overhead + len(f.Packets[i].Data)
		}
	}
	tokens := tokenizer.Encode(start)
	if f != nil && len(start.Packets) < len(f.Packets) {
		tokens = tokens[:len(tokens)-1] // the flow does not end here
	}
	n := min(len(tokens), b.o.Tokens)
	var fields []tokenizer.Field
	if explain {
		fields = tokenizer.Explain(tokens)[:n]
	}
	return append(tokenizer.Masked(tokens, b.o.Mask)[:n:n], tokenizer.Cls), fields
}

// train shows the model all flows, epoch after epoch.
func (b *ByteModel) train(ctx context.Context, flows []*pcap.Flow, y []int) error {
	tokens := make([][]uint16, len(flows))
	for i, f := range flows {
		tokens[i], _ = b.read(f, false)
	}
	var bar *display.Bar
	if len(flows) > 200 && !b.o.Quiet {
		bar = display.Progress("training a byte model", b.o.Epochs*len(flows), display.ProgressOptions{Unit: "flows"})
		defer bar.Done()
	}
	trainer := model.NewTrainer(b.m, model.TrainerOptions{Seed: b.o.Seed, Stop: func() bool { return ctx.Err() != nil }})
	rng := rand.New(rand.NewPCG(b.o.Seed, 0x62797465))
	began, seen, all := time.Now(), 0, b.o.Epochs*len(flows)
	for range b.o.Epochs {
		order := rng.Perm(len(flows))
		for at := 0; at < len(order); at += batchFlows {
			progress := float64(seen) / float64(all)
			if b.o.Time > 0 {
				progress = max(progress, time.Since(began).Seconds()/b.o.Time.Seconds())
			}
			if progress >= 1 && seen > 0 {
				b.stopped = "out of time"
				return nil
			}
			batch := &model.Batch{}
			for _, i := range order[at:min(at+batchFlows, len(order))] {
				b.ask(batch, tokens[i], y[i], rng)
			}
			_, err := trainer.Step(b.o.Rate*schedule(progress), batch)
			if errors.Is(err, model.ErrStopped) && seen > 0 {
				b.stopped = "interrupted"
				return nil
			}
			if err != nil {
				return err
			}
			seen += len(batch.Segments)
			b.epochs = float64(seen) / float64(len(flows))
			if bar != nil {
				bar.Set(seen)
			}
		}
	}
	return nil
}

// schedule is the part of the highest rate: a tenth of the training it grows,
// then it falls as a cosine to a twentieth.
func schedule(progress float64) float64 {
	progress = min(progress, 1)
	return min(1, progress*10+0.02) * (0.05 + 0.95*0.5*(1+math.Cos(math.Pi*progress)))
}

// ask adds a flow to a batch: the class is the target of [cls], and of some of
// the rows before it.
func (b *ByteModel) ask(batch *model.Batch, tokens []uint16, class int, rng *rand.Rand) {
	from := len(batch.Tokens)
	batch.Append(tokens, 0)
	rows, targets := batch.Tokens[from:], batch.Targets[from:]
	for i := range rows {
		targets[i] = model.Ignore
		if rng.Float64() < asked || i == len(rows)-1 {
			targets[i] = class
		}
		if rows[i] < 256 && rng.Float64() < blanked {
			rows[i] = 0
		}
	}
}

// Probabilities gives each flow's probabilities [flow][class]. An interrupt is
// an error, with the flows so far.
func (b *ByteModel) Probabilities(flows []*pcap.Flow) ([][]float64, error) {
	tokens := make([][]uint16, len(flows))
	for i, f := range flows {
		tokens[i], _ = b.read(f, false)
	}
	p, err := b.probabilities(display.Context(), tokens)
	if err != nil {
		return p, fmt.Errorf("failed to classify flows: %w", err)
	}
	return p, nil
}

func (b *ByteModel) probabilities(ctx context.Context, tokens [][]uint16) ([][]float64, error) {
	s := model.NewStream(b.m, lanes)
	out := make([][]float64, 0, len(tokens))
	for at := 0; at < len(tokens); at += lanes {
		if ctx.Err() != nil {
			return out, fmt.Errorf("stopped after %d of %d: %w", len(out), len(tokens), context.Cause(ctx))
		}
		var rows []int // the lane of each
		var step []uint16
		var ends []int // behind each flow's rows
		for lane, t := range tokens[at:min(at+lanes, len(tokens))] {
			s.Reset(lane)
			for range t {
				rows = append(rows, lane)
			}
			step = append(step, t...)
			ends = append(ends, len(step))
		}
		logits, err := s.Step(rows, step)
		if err != nil {
			return out, err
		}
		for _, end := range ends {
			out = append(out, softmax(logits[(end-1)*tokenizer.Vocabulary:][:b.classes]))
		}
	}
	return out, nil
}

// softmax leaves out all tokens that are no class.
func softmax(logits []float32) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	most := float64(logits[0])
	for _, v := range logits {
		most = max(most, float64(v))
	}
	for i, v := range logits {
		p[i] = math.Exp(float64(v) - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// String says in one line what the model is.
func (b *ByteModel) String() string {
	s := fmt.Sprintf("byte model of %s parameters, %d layers of width %d, reads %d tokens under mask %v, for %d classes; trained for %.3g epochs",
		display.Count(b.m.Parameters()), b.o.Layers, b.o.Width, b.o.Tokens, b.o.Mask, b.classes, b.epochs)
	if b.stopped != "" {
		s += ", then " + b.stopped
	}
	return s
}

// MIME says it in one line.
func (b *ByteModel) MIME() display.Bundle { return display.AsText(b.String()) }
