package model

import "testing"

// TestStepAllocatesLittle holds the promise that a step lives in its arena:
// what is left for the collector is a few closures, the same for any length.
func TestStepAllocatesLittle(t *testing.T) {
	c := Config{Layers: 2, Width: 32, Context: 512, HeadDim: 8, LocalHeads: 1, LinearHeads: 1, SoftmaxHeads: 1, RetentionHeads: 1, RWKVHeads: 1,
		FeedForward: 32, Window: 32, Chunk: 16, GLU: true, TokenShift: true, Positions: PositionsRotary}
	m, err := New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTrainer(m, DefaultAdamW(), 1)
	b := randomBatch(512, 1)
	got := testing.AllocsPerRun(5, func() {
		if _, err := tr.Step(1e-3, b); err != nil {
			t.Fatal(err)
		}
	})
	if got > 6000 { // about one a matrix product
		t.Errorf("a step makes %.0f allocations", got)
	}
	t.Logf("%.0f allocations a step", got)
}
