package train_test

import (
	"fmt"
	"log"
	"math"
	"os"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/train"
	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// must is what cells have predeclared.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// small is a model that an example trains in no time; use model.Tiny.
func small() *model.Model {
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Context, c.Window, c.Chunk = 32, 8, 32, 128, 32, 16
	return must(model.New(c, 1))
}

// flows are some of the lab's, to train and to validate on.
func flows() (training, validation []*pcap.Flow) {
	a, b := dataset.Lab().Only("dns", "ntp").Split(0.2, 1)
	return a.Flows, b.Flows
}

// Run trains a model in place. In a notebook its curve moves while it runs, and the
// report is a table of what was learned by field.
func ExampleRun() {
	training, validation := flows()
	m := small()
	r := must(train.Run(m, training, validation, train.Options{Steps: 60, Seed: 1, LearningRate: 5e-3, ValidationTokens: 2000, Quiet: true}))
	fmt.Println(r.Steps, "steps:", r.Stopped)
	fmt.Println("better than token frequencies alone:", r.Validation < r.Unigram)
	fmt.Println("points of the curve:", len(r.History))
	// Output:
	// 60 steps: all steps taken
	// better than token frequencies alone: true
	// points of the curve: 60
}

// With Patience a run ends when validation gets no better, and the model is the best
// of all that were validated.
func ExampleOptions() {
	training, validation := flows()
	r := must(train.Run(small(), training, validation, train.Options{
		Steps:            1000,
		LearningRate:     0.3, // far too high: it soon gets worse
		ValidateEvery:    2,
		ValidationTokens: 500,
		Patience:         2,
		Quiet:            true,
	}))
	fmt.Println(r.Stopped, "·", r.Steps < 1000)

	_, err := train.Run(small(), training, nil, train.Options{Steps: -1})
	fmt.Println(err)
	// Output:
	// validation got no better · true
	// failed to train: train.Options.Steps is -1: it must not be negative
}

// A run with a Checkpoint folder goes on from there after a kill, with the losses it
// would have had.
func ExampleResume() {
	dir := must(os.MkdirTemp("", "example"))
	defer os.RemoveAll(dir)
	training, validation := flows()
	o := train.Options{Steps: 20, Checkpoint: dir, CheckpointEvery: 10, ValidationTokens: 500, Quiet: true}
	before := must(train.Run(small(), training, validation, o))

	m, after, err := train.Resume(dir, training, validation) // nothing is left to do here
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Config().Name, "after", after.Steps, "steps, the same loss:", after.Loss == before.Loss)
	// Output:
	// tiny after 20 steps, the same loss: true
}

// FindRate tries learning rates before a long run; its curve shows what it found.
func ExampleFindRate() {
	training, _ := flows()
	rates := must(train.FindRate(small(), training, train.Options{}))
	fmt.Println("between 0.0001 and 1:", rates.Suggested > 1e-4 && rates.Suggested < 1)
	// Output:
	// between 0.0001 and 1: true
}

// Fields of a report say what each kind of token costs the model, beside what its
// own frequencies alone would give: headers are learned, encrypted payload is not.
func ExampleReport() {
	training, validation := flows()
	r := must(train.Run(small(), training, validation, train.Options{Steps: 20, LearningRate: 5e-3, ValidationTokens: 2000, Quiet: true}))
	whole, tokens := 0.0, 0
	for _, f := range r.Fields {
		whole += f.Loss * float64(f.Tokens)
		tokens += f.Tokens
	}
	fmt.Println("the first field is the", r.Fields[0].Kind, "of a packet")
	fmt.Println("all of them are the validation loss:", math.Abs(whole/float64(tokens)-r.Validation) < 1e-9)
	fmt.Println("the figure:", r.Curve().Title)
	// Output:
	// the first field is the start of a packet
	// all of them are the validation loss: true
	// the figure: Loss of tiny
}
