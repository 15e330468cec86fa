package sample

import (
	"context"
	"math"
	"slices"
	"testing"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
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

// countdown is a context that is over when it was asked so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestScoreAllKeeps breaks off the scoring of flows everywhere: what was scored
// until then is there, each flow as it is alone, and in order.
func TestScoreAllKeeps(t *testing.T) {
	defer func(n int) { wholeFlow = n }(wholeFlow)
	wholeFlow = 2000
	m := untrained(t)
	r, err := Flows(m, Options{Constrained: true, Flows: 12, Quiet: true, MaxTokens: 1500, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	long := *r.Flows[0] // scored in a stream of its own
	for tokens := 0; tokens <= wholeFlow; tokens = tokenizer.Length(&long) {
		long.Packets = append(long.Packets, r.Flows[len(long.Packets)%len(r.Flows)].Packets...)
	}
	flows := append([]*pcap.Flow{&long}, r.Flows...)
	all, err := ScoreAll(m, flows)
	if err != nil || len(all) != len(flows) {
		t.Fatalf("%d of %d flows, %v", len(all), len(flows), err)
	}
	same := func(got, want Surprises) bool {
		return slices.EqualFunc(got, want, func(a, b *Surprise) bool {
			return a.Flow == b.Flow && a.Total == b.Total && slices.Equal(a.Bits, b.Bits)
		})
	}
	seen := map[int]bool{}
	for left := 0; ; left += 3 {
		ctx := &countdown{t.Context(), left}
		leave := display.Enter(ctx, discard{})
		got, err := ScoreAll(m, flows)
		leave()
		if err != nil || len(got) > len(all) || !same(got, all[:len(got)]) {
			t.Fatalf("interrupted when asked for the %d. time: %d flows, %v", left+1, len(got), err)
		}
		seen[len(got)] = true
		if len(got) == len(all) {
			break
		}
	}
	if len(seen) < 4 { // nothing, the long flow, a batch or two, and all
		t.Errorf("interrupts gave %v flows", seen)
	}
	leave := display.Enter(&countdown{t.Context(), 1}, discard{})
	if s, err := Score(m, flows[0]); err == nil || s != nil {
		t.Errorf("one flow, interrupted: %v, %v", s, err)
	}
	leave()
	got, err := ScoreAll(m, append(slices.Clone(flows[:5]), &pcap.Flow{}, flows[5]))
	if err == nil || err.Error() != "failed to score flows: flow 5 has no packets" || !same(got, all[:5]) {
		t.Errorf("behind a flow without packets: %d flows, %v", len(got), err)
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
		e, err := Embed(m, r.Flows, EmbedOptions{Layer: layer})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Vectors) != 3 || len(e.Vectors[0]) != m.Config().Width {
			t.Fatalf("%s", e)
		}
		seen[e.Vectors[0][0]] = true
	}
	if len(seen) != m.Config().Layers+1 { // 0 and the last are the same
		t.Errorf("%d different embeddings of %d layers", len(seen), m.Config().Layers)
	}
	if _, err := Embed(m, r.Flows, EmbedOptions{Layer: 99}); err == nil || err.Error() != "failed to embed flows: sample.EmbedOptions.Layer is 99: the model has 2 layers" {
		t.Errorf("layer 99: %v", err)
	}
}
