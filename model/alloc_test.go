package model

import (
	"runtime"
	"testing"
)

// TestNothingIsAllocated holds the promise that a step lives in its arena: after
// the first steps, neither training nor generation leaves anything to the
// collector, with every kind of head and in every way to keep activations.
func TestNothingIsAllocated(t *testing.T) {
	defer setThreads(2)()
	mixed := Config{Layers: 2, Width: 32, Context: 512, HeadDim: 8, LocalHeads: 1, LinearHeads: 1, SoftmaxHeads: 1, RetentionHeads: 1, RWKVHeads: 1,
		FeedForward: 32, Window: 32, Chunk: 16, GLU: true, TokenShift: true, Positions: PositionsRotary}
	paper := mixed
	paper.RetentionHeads, paper.RWKVHeads, paper.Features, paper.Positions, paper.AxialRows, paper.AxialCols = 0, 0, FeaturesExp, PositionsAxial, 4, 128
	paper.Dropout, paper.Reversible, paper.Memory = 0.1, true, KeepNothing
	both := mixed
	both.RetentionHeads, both.RWKVHeads, both.Bidirectional, both.Memory, both.Tied = 0, 0, true, KeepInputs, true
	for name, c := range map[string]Config{"mixed": mixed, "paper": paper, "both": both, "peer": peerConfig(2, 64, 1024)} {
		m, err := New(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		tr := NewTrainer(m, TrainerOptions{Seed: 1})
		tokens := randomBatch(c.Context, 1).Tokens
		b := NewBatch(tokens[:100], tokens[100:101], tokens[101:])
		step := func() {
			if _, err := tr.Step(1e-3, b, b); err != nil {
				t.Fatal(err)
			}
		}
		if got := allocations(step); got != 0 {
			t.Errorf("%s: a training step makes %v allocations", name, got)
		}
		scorer := NewScorer(m)
		if got := allocations(func() { _, _ = scorer.Loss(b) }); got != 0 {
			t.Errorf("%s: scoring makes %v allocations", name, got)
		}
		if c.Bidirectional {
			continue
		}
		for kind, o := range map[string]StreamOptions{"float32": {}, "16 bits": {Half: true}, "bfloat16": {BF16: true}} {
			s := NewStream(m, 3, o)
			ids, in := []int{0, 1, 2}, []uint16{1, 2, 3}
			for range 600 { // softmax heads keep all keys: their memory doubles now and then
				if _, err := s.Step(ids, in); err != nil {
					t.Fatal(err)
				}
			}
			if got := allocations(func() { _, _ = s.Step(ids, in) }); got != 0 {
				t.Errorf("%s: a token in %s makes %v allocations", name, kind, got)
			}
		}
	}
}

// allocations are those of one call once memory has grown to what is needed: which
// of the kept buffers a helper takes is chance, so it may take some calls until all
// have grown. What every call allocates never becomes zero.
func allocations(f func()) float64 {
	if raced {
		return 0
	}
	// AllocsPerRun measures on one processor, and a change of their number empties
	// the pools of the runtime.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	got := 0.0
	for range 12 {
		if got = testing.AllocsPerRun(10, f); got == 0 {
			break
		}
	}
	return got
}
