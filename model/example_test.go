package model_test

import (
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"

	"trafficgpt/model"
)

// must is what cells have predeclared.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A preset is a Config like any other: change what you like before you build it.
func ExampleNew() {
	c := model.Tiny()
	c.Name, c.Context = "mine", 1024
	m := must(model.New(c, 1))
	fmt.Println(m)

	c.LinearHeads, c.RetentionHeads = 0, 2
	fmt.Println(must(model.New(c, 1)))

	c.HeadDim = 33
	_, err := model.New(c, 1)
	fmt.Println(err)
	// Output:
	// mine: 481,798 parameters, 2 layers of width 128, heads 2 local + 2 linear of 32, context 1024
	// mine: 498,310 parameters, 2 layers of width 128, heads 2 local + 2 retention of 32, context 1024
	// failed to build model "mine": model.Config.HeadDim is 33: it must be even, as rotary positions turn pairs of features
}

// small is a model that an example trains in no time.
func small() model.Config {
	return model.Config{Name: "small", Layers: 1, Width: 16, Context: 64, HeadDim: 8, LocalHeads: 1, LinearHeads: 1, FeedForward: 32}
}

// A Trainer takes one optimiser step at a time. lib/train does that for flows,
// with a curve, validation and checkpoints.
func ExampleTrainer() {
	m := must(model.New(small(), 1))
	b := model.NewBatch([]uint16{256, 1, 2, 3, 1, 2, 3, 1, 2, 3, 257})
	t := model.NewTrainer(m)
	first := must(t.Step(1e-2, b))
	for range 30 {
		must(t.Step(1e-2, b))
	}
	last := must(t.Step(1e-2, b))
	fmt.Printf("step %d of %d tokens: the loss is less than a tenth: %v\n", last.Step, last.Tokens, last.Loss < first.Loss/10)
	// Output:
	// step 32 of 11 tokens: the loss is less than a tenth: true
}

// A Stream goes token by token with a state that does not grow, many flows side by
// side. lib/sample makes packets of that.
func ExampleStream() {
	m := must(model.New(small(), 1))
	s := model.NewStream(m, 2)
	before := s.StateBytes(0)
	for t := range uint16(1000) {
		logits := must(s.Step([]int{0, 1}, []uint16{t % 256, 7}))
		if len(logits) != 2*260 {
			log.Fatal("a row of 260 for each lane")
		}
	}
	fmt.Println(s.Position(0), "tokens, and the state has grown by", s.StateBytes(0)-before, "bytes")

	var at model.Snapshot
	s.Save(0, &at)
	must(s.Step([]int{0}, []uint16{256}))
	s.Restore(0, &at)
	fmt.Println("back at", s.Position(0))
	// Output:
	// 1000 tokens, and the state has grown by 0 bytes
	// back at 1000
}

// With weights of 16 bits a single flow goes faster, and logits are nearly those
// of the exact weights.
func ExampleStreamOptions() {
	m := must(model.New(small(), 1))
	exact := slices.Clone(must(model.NewStream(m, 1).Step([]int{0}, []uint16{256})))
	half := must(model.NewStream(m, 1, model.StreamOptions{Half: true}).Step([]int{0}, []uint16{256}))
	worst := float32(0)
	for i, x := range exact {
		worst = max(worst, x-half[i], half[i]-x)
	}
	fmt.Println("apart by less than 0.001:", worst < 1e-3)
	// Output:
	// apart by less than 0.001: true
}

// A Scorer says what a model makes of tokens; a model that knows nothing needs about
// log2 260, 8 bits, for each.
func ExampleScorer() {
	m := must(model.New(small(), 1))
	s := model.NewScorer(m)
	loss := must(s.Loss(model.NewBatch([]uint16{256, 69, 0, 0, 40, 257})))
	fmt.Printf("%.0f bits a token\n", loss/math.Ln2)
	states := must(s.Hidden(model.NewBatch([]uint16{256, 69, 0}), 1))
	fmt.Println(len(states), "numbers: 3 rows of width 16")
	// Output:
	// 8 bits a token
	// 48 numbers: 3 rows of width 16
}

// Models are files in the safetensors format, which Python reads as well.
func ExampleModel_Save() {
	dir := must(os.MkdirTemp("", "example"))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "m.safetensors")
	m := must(model.New(small(), 1))
	if err := m.Save(path); err != nil {
		log.Fatal(err)
	}
	again := must(model.Load(path))
	fmt.Println(again)
	fmt.Println("the same weights:", slices.Equal(m.Weights(), again.Weights()))
	// Output:
	// small: 10,836 parameters, 1 layers of width 16, heads 1 local + 1 linear of 8, context 64
	// the same weights: true
}

// What a token costs in generation; training costs three times as much.
func ExampleConfig_FlopsPerToken() {
	for _, c := range []model.Config{model.Tiny(), model.Small(), model.Paper3K()} {
		fmt.Printf("%-8s %4.0f million operations\n", c.Name, c.FlopsPerToken()/1e6)
	}
	// Output:
	// tiny        1 million operations
	// small       7 million operations
	// paper3k   478 million operations
}

// Attention says from which tokens of a flow each head of a layer takes what. A model
// that knows nothing spreads its weight over all that a head sees.
func ExampleModel_Attention() {
	m := must(model.New(small(), 1))
	maps := must(m.Attention([]uint16{256, 69, 0, 0, 40, 257}, 0))
	for _, head := range maps {
		last, sum := head.Weights[5], 0.0
		for _, w := range last {
			sum += w
		}
		fmt.Printf("%s: the last takes %.2f in all of %d tokens\n", head, sum, len(last))
	}
	// Output:
	// layer 0, head 0 (local), 6 tokens: the last takes 1.00 in all of 6 tokens
	// layer 0, head 1 (linear), 6 tokens: the last takes 1.00 in all of 6 tokens
}

// What a linear head knows of a flow has one size, however long the flow is; a local head
// keeps keys.
func ExampleStream_State() {
	m := must(model.New(small(), 1))
	s := model.NewStream(m, 1)
	for t := range uint16(100) {
		must(s.Step([]int{0}, []uint16{t}))
	}
	for head, kind := range []string{"local", "linear"} {
		state := must(s.State(0, 0, head))
		fmt.Println(kind, len(state), "rows of", len(state[0]))
	}
	// Output:
	// local 100 rows of 8
	// linear 8 rows of 8
}
