package model

import (
	"errors"
	"slices"
	"testing"
)

// A step that is told to stop, wherever that is, leaves no trace: the next one
// is the one that would have been taken, bit for bit.
func TestStopLeavesNoTrace(t *testing.T) {
	for i, cfg := range testConfigs() {
		a, b := testBatch(cfg.Vocabulary, 1), testBatch(cfg.Vocabulary, 2)
		want, plain := testModel(t, cfg), 0
		tr := NewTrainer(want, TrainerOptions{Seed: 3, Stop: func() bool { plain++; return false }})
		first, err := tr.Step(1e-3, a, b)
		if err != nil {
			t.Fatal(err)
		}
		if plain < 4*cfg.Layers {
			t.Errorf("configuration %d: asked %d times in %d layers", i, plain, cfg.Layers)
		}
		got := testModel(t, cfg)
		before := slices.Clone(got.Weights())
		n, at := 0, 1
		tr = NewTrainer(got, TrainerOptions{Seed: 3, Stop: func() bool { n++; return n == at }})
		for ; at <= plain; at += 3 {
			n = 0
			if _, err := tr.Step(1e-3, a, b); !errors.Is(err, ErrStopped) {
				t.Fatalf("configuration %d, stopped at %d: %v", i, at, err)
			}
			if tr.Steps() != 0 || !slices.Equal(before, got.Weights()) {
				t.Fatalf("configuration %d, stopped at %d: the model changed", i, at)
			}
		}
		at = 0 // never
		again, err := tr.Step(1e-3, a, b)
		if err != nil || again != first || !slices.Equal(got.Weights(), want.Weights()) {
			t.Errorf("configuration %d: the step after is %v, not %v (%v)", i, again, first, err)
		}
	}
	cfg := testConfigs()[0]
	s := NewScorer(testModel(t, cfg), ScorerOptions{Stop: func() bool { return true }})
	if _, err := s.Losses(testBatch(cfg.Vocabulary, 1)); !errors.Is(err, ErrStopped) {
		t.Errorf("a scorer that is told to stop: %v", err)
	}
	if _, err := s.Hidden(testBatch(cfg.Vocabulary, 1), 1); !errors.Is(err, ErrStopped) {
		t.Errorf("states of a scorer that is told to stop: %v", err)
	}
}
