package sample

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestChoose draws many times and compares with the probabilities that the
// options promise.
func TestChoose(t *testing.T) {
	logits := make([]float32, 260)
	for i := range logits {
		logits[i] = -20
	}
	probs := map[uint16]float64{5: 0.5, 9: 0.3, 200: 0.15, 257: 0.05}
	for i, p := range probs {
		logits[i] = float32(math.Log(p))
	}
	var even set
	for i := 0; i < len(logits); i += 2 {
		even.add(i)
	}
	for _, c := range []struct {
		name    string
		o       Options
		allowed *set
		want    map[uint16]float64
	}{
		{"all", Options{TopK: -1}, nil, probs},
		{"top-k", Options{TopK: 2}, nil, map[uint16]float64{5: 0.625, 9: 0.375}},
		{"top-p", Options{TopK: -1, TopP: 0.9}, nil, map[uint16]float64{5: 0.5 / 0.95, 9: 0.3 / 0.95, 200: 0.15 / 0.95}},
		{"top-p of one", Options{TopK: -1, TopP: 0.45}, nil, map[uint16]float64{5: 1}},
		{"min-p", Options{TopK: -1, MinP: 0.25}, nil, map[uint16]float64{5: 0.5 / 0.95, 9: 0.3 / 0.95, 200: 0.15 / 0.95}},
		{"cold", Options{TopK: -1, Temperature: 0.5}, nil, map[uint16]float64{5: 0.25 / 0.365, 9: 0.09 / 0.365, 200: 0.0225 / 0.365, 257: 0.0025 / 0.365}},
		{"greedy", Options{Greedy: true}, nil, map[uint16]float64{5: 1}},
		{"allowed", Options{TopK: 1}, &even, map[uint16]float64{200: 1}},
	} {
		if c.o.Temperature == 0 {
			c.o.Temperature = 1
		}
		const n = 20000
		ch, rng := newChooser(c.o), rand.New(rand.NewPCG(1, 1))
		got := map[uint16]float64{}
		for range n {
			got[ch.choose(logits, c.allowed, rng)] += 1.0 / n
		}
		for id := range uint16(260) {
			if math.Abs(got[id]-c.want[id]) > 0.015 {
				t.Errorf("%s: token %d comes with frequency %.3f, not %.3f", c.name, id, got[id], c.want[id])
			}
		}
	}
	ch := newChooser(Options{TopK: 3, Temperature: 1})
	if got := ch.choose(logits, &nothing, rand.New(rand.NewPCG(1, 1))); got != 257 {
		t.Errorf("with nothing allowed the flow goes on with %d", got)
	}
}
