package sample

import (
	"math"
	"testing"

	"trafficgpt/tokenizer/pcap"
)

// TestSurpriseForms scores flows packed in batches and token by token: the same
// bits must come out.
func TestSurpriseForms(t *testing.T) {
	m := untrained(t)
	r, err := Flows(m, Options{Constrained: true, Flows: 5, Quiet: true, MaxTokens: 700, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	all, err := ScoreAll(m, r.Flows)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		meter := NewMeter(m)
		sum := 0.0
		for j, tok := range s.Tokens {
			bits, err := meter.Next(tok)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(bits-s.Bits[j]) > 1e-3 {
				t.Fatalf("flow %d token %d costs %v bits as it comes, %v in a batch", i, j, bits, s.Bits[j])
			}
			sum += bits
		}
		if got := s.PerByte() * float64(s.Bytes); math.Abs(got-sum) > 1e-2*sum {
			t.Errorf("flow %d: %v bits in all, should be %v", i, got, sum)
		}
		fields, packets := 0.0, 0.0
		for _, f := range s.Fields() {
			fields += f.Bits * float64(f.Tokens)
		}
		for _, p := range s.PerPacket() {
			packets += p
		}
		if math.Abs(fields-s.Total) > 1e-6*s.Total || packets > s.Total+1e-6 || packets < 0.9*s.Total {
			t.Errorf("flow %d: fields %v, packets %v and all %v do not agree", i, fields, packets, s.Total)
		}
	}
	ranked := all.Ranked()
	for i := 1; i < len(ranked); i++ {
		if ranked[i].PerByte() > ranked[i-1].PerByte() {
			t.Error("the ranking is out of order")
		}
	}
	if _, err := Score(m, &pcap.Flow{}); err == nil {
		t.Error("a flow without packets was scored")
	}
}

func TestEmbed(t *testing.T) {
	m := untrained(t)
	r, err := Flows(m, Options{Constrained: true, Flows: 3, Quiet: true, MaxTokens: 300})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]bool{}
	for layer := -1; layer <= m.Config().Layers; layer++ {
		e, err := Embed(m, r.Flows, layer)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Vectors) != 3 || len(e.Vectors[0]) != m.Config().Width {
			t.Fatalf("%s", e)
		}
		seen[e.Vectors[0][0]] = true
	}
	if len(seen) != m.Config().Layers+1 { // -1 and the last are the same
		t.Errorf("%d different embeddings of %d layers", len(seen), m.Config().Layers)
	}
	if _, err := Embed(m, r.Flows, 99); err == nil {
		t.Error("layer 99 was taken")
	}
}
