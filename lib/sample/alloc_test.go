package sample

import (
	"context"
	"slices"
	"testing"

	"trafficgpt/model"
)

// TestTokensAllocateNothing writes the headers and the payload of one packet on each lane,
// so long that none ends meanwhile: neither drawing, nor grammar, nor dialog leaves
// anything to the collector.
func TestTokensAllocateNothing(t *testing.T) {
	ctx := context.Background()
	syn, answer := synPacket(), synPacket()
	answer.Data[16], answer.Data[17] = 2000>>8, 2000&255
	prompt := append(within(syn, len(syn.Data)), within(answer, 18)...)
	// A model whose own memory does not grow with the flow.
	m, err := model.New(model.Config{Layers: 1, Width: 16, HeadDim: 8, LinearHeads: 2, FeedForward: 16, Context: 64}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"constrained": {Constrained: true}, "dialog": {Dialog: true}, "all tokens": {Dialog: true, TopK: -1, TopP: 0.99}} {
		o.Flows, o.Lanes, o.Quiet, o.Prompt = 3, 3, true, prompt
		o, err := o.complete()
		if err != nil {
			t.Fatal(err)
		}
		r, err := newRun(m, o)
		if err != nil {
			t.Fatal(err)
		}
		r.fill()
		round := func() {
			if _, err := r.round(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for slices.ContainsFunc(r.lanes, func(l *lane) bool { return len(l.tokens) == len(prompt) }) {
			round()
		}
		// A mean over many rounds is rounded down, so those of the headers are counted one by one.
		runs := append(slices.Repeat([]int{1}, 30), 500)
		for _, n := range runs {
			if got := testing.AllocsPerRun(n, round); got != 0 && !raced {
				t.Errorf("%s: a round behind %d tokens makes %v allocations", name, len(r.lanes[0].tokens), got)
			}
		}
		if r.result.Tried > 0 {
			t.Errorf("%s: a packet has ended", name)
		}
	}
}
