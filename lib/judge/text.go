package judge

import (
	"fmt"
	"math"
	"math/rand/v2"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/sample"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

const (
	textTokens = 512 // of each flow that text metrics look at
	modelFlows = 200 // a side that Options.Model scores
)

// text gives what the metrics of language models say, beside what they say of real
// flows and of real flows whose bytes were shuffled within each packet. They
// are shown and not judged: docs/judge.md says why.
func (j *judgement) text(a *Axis) error {
	perplexity := measure("perplexity by 4-grams of real flows", "", 2, 0, 0)
	perByte := measure("bits a byte by 4-grams of real flows", "", 3, 0, 0)
	byModel := measure("perplexity by the model given", "", 2, 0, 0)
	bytesByModel := measure("bits a byte by the model given", "", 3, 0, 0)
	bleu := measure("BLEU-4", "", 3, 0, 0)
	r1, r2, rl := measure("ROUGE-1", "", 3, 0, 0), measure("ROUGE-2", "", 3, 0, 0), measure("ROUGE-L", "", 3, 0, 0)
	all := []*Measure{perplexity, perByte, bleu, r1, r2, rl}
	if j.Model != nil {
		all = append(all, byModel, bytesByModel)
	}
	for _, m := range all {
		m.Higher = m == bleu || m == r1 || m == r2 || m == rl
	}
	a.Measures = all
	reference := tokens(j.sides.reference)
	grams, err := metrics.NewNGram(4, reference)
	if err != nil {
		return err
	}
	fill := func(put func(*Measure) *Value, flows []*pcap.Flow, sequences [][]uint16) error {
		bits := grams.Bits(sequences)
		*put(perplexity), *put(perByte) = exactly(math.Exp2(bits)), exactly(bits*float64(count(sequences))/float64(max(bytesIn(sequences), 1)))
		r, err := metrics.Text(sequences, reference, metrics.TextOptions{Seed: j.Seed, Tokens: textTokens})
		if err != nil {
			return err
		}
		*put(bleu), *put(r1), *put(r2), *put(rl) = exactly(r.BLEU), exactly(r.ROUGE1), exactly(r.ROUGE2), exactly(r.ROUGEL)
		if j.Model == nil {
			return nil
		}
		scored, err := sample.ScoreAll(j.Model, flows[:min(len(flows), modelFlows)])
		if err != nil {
			return err
		}
		total, n := 0., 0
		for _, s := range scored {
			total, n = total+s.Total, n+len(s.Tokens)-1
		}
		if n > 0 {
			*put(byModel), *put(bytesByModel) = exactly(math.Exp2(total/float64(n))), exactly(scored.PerByte())
		}
		return nil
	}
	err = j.each(a, func(k int, flows []*pcap.Flow) error {
		return fill(func(m *Measure) *Value { return m.at(k) }, flows, tokens(flows))
	})
	if err != nil {
		return err
	}
	mixed := shuffled(j.sides.flows[floor], j.Seed)
	said := map[*Measure]*Value{}
	err = fill(func(m *Measure) *Value {
		if said[m] == nil {
			said[m] = &Value{}
		}
		return said[m]
	}, mixed, tokens(mixed))
	if err != nil {
		return err
	}
	t := display.NewTable("", "generated", "real against real", "real, bytes shuffled", "copying machine", "independent fields")
	t.Title = "Text metrics beside what they say of traffic that is no traffic"
	for _, m := range all {
		t.Row(m.Name, m.text(m.Generated), m.text(m.Floor), m.text(*said[m]), m.text(m.Copying), m.text(m.Independent))
	}
	t.Align = "lrrrrr"
	t.Note = "Shuffled: the bytes of each packet behind its link header in random order. No receiver would take one of them."
	a.Tables = append(a.Tables, t)
	a.Verdict = Verdict{Unjudged, "shown, not judged"}
	a.Findings = append(a.Findings, fmt.Sprintf("With the bytes of every packet shuffled, real flows have ROUGE-1 %s; as they are, %s: such metrics do not tell traffic from noise.", r1.text(*said[r1]), r1.text(r1.Floor)))
	return nil
}

// tokens are the first tokens of each flow.
func tokens(flows []*pcap.Flow) [][]uint16 {
	out := make([][]uint16, len(flows))
	for i, f := range flows {
		// Each packet has ten tokens at least: no more of them are encoded than are looked at.
		short := *f
		short.Packets = short.Packets[:min(len(short.Packets), textTokens/10+1)]
		t := tokenizer.Encode(&short)
		out[i] = t[:min(len(t), textTokens)]
	}
	return out
}

func count(sequences [][]uint16) int {
	n := 0
	for _, s := range sequences {
		n += len(s)
	}
	return n
}

// bytesIn are the captured bytes among tokens: what is no start, link type,
// interval or end.
func bytesIn(sequences [][]uint16) int {
	n := 0
	for _, s := range sequences {
		for _, f := range tokenizer.Explain(s) {
			if f.Kind >= tokenizer.KindEthernet && f.Kind <= tokenizer.KindPayload {
				n++
			}
		}
	}
	return n
}

// shuffled are copies of flows with the bytes of each packet behind its link
// header in random order.
func shuffled(flows []*pcap.Flow, seed uint64) []*pcap.Flow {
	rng := rand.New(rand.NewPCG(seed, 0x73687566))
	out := make([]*pcap.Flow, len(flows))
	for i, f := range flows {
		g := *f
		g.Packets = append([]pcap.Packet(nil), f.Packets...)
		for k := range g.Packets {
			p := &g.Packets[k]
			b := append([]byte(nil), p.Data...)
			tail := b[max(p.Headers().Network, 0):]
			rng.Shuffle(len(tail), func(x, y int) { tail[x], tail[y] = tail[y], tail[x] })
			p.Data = b
		}
		out[i] = &g
	}
	return out
}
