package train

import (
	"math"
	"math/rand/v2"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
)

// FieldLoss is the loss over the tokens of one kind, in nats a token.
type FieldLoss struct {
	Kind    tokenizer.Kind
	Tokens  int
	Loss    float64
	Unigram float64 // entropy of the kind's own tokens: what a model that knew only their frequencies would lose
}

// validation is a fixed set of batches with the kind of every target.
type validation struct {
	scorer  *model.Scorer
	batches []*model.Batch
	kinds   [][]tokenizer.Kind // of each row's target
	counts  [tokenizer.Kinds][tokenizer.Vocabulary]int
}

// newValidation packs flows, in an order drawn from the seed, until
// o.ValidationTokens are reached. Its passes ask stop whether to go on.
func newValidation(m *model.Model, flows [][]uint16, o Options, stop func() bool) *validation {
	v := &validation{scorer: model.NewScorer(m, model.ScorerOptions{Stop: stop})}
	context, limit := m.Config().Context, o.ValidationTokens
	b, kinds := &model.Batch{}, []tokenizer.Kind(nil)
	total := 0
	flush := func() {
		if len(b.Tokens) == 0 || b.Counted() == 0 {
			return
		}
		if o.Objective == Masked {
			mask(b, o.MaskRate, o.Seed+1, len(v.batches))
		}
		v.count(b, kinds)
		v.batches, v.kinds = append(v.batches, b), append(v.kinds, kinds)
		b, kinds = &model.Batch{}, nil
	}
	for _, i := range rand.New(rand.NewPCG(o.Seed, 0x76616c)).Perm(len(flows)) {
		flow := flows[i]
		fields := tokenizer.Explain(flow)
		for from := 0; from < len(flow)-1 && total < limit; {
			to := min(from+context-len(b.Tokens), len(flow))
			b.AppendPart(m.Config(), flow, from, to)
			for at := from; at < to; at++ {
				target := at + 1
				if o.Objective == Masked {
					target = at
				}
				kinds = append(kinds, fields[min(target, len(flow)-1)].Kind)
			}
			total += to - from
			from = to
			if len(b.Tokens) >= context {
				flush()
			}
		}
		if total >= limit {
			break
		}
	}
	flush()
	return v
}

// count takes the batch's targets into the unigram tables.
func (v *validation) count(b *model.Batch, kinds []tokenizer.Kind) {
	for i, t := range b.Targets {
		if t != model.Ignore && t < tokenizer.Vocabulary {
			v.counts[kinds[i]][t]++
		}
	}
}

// run returns the mean loss and, by kind, what the report shows.
func (v *validation) run() (float64, []FieldLoss, error) {
	var sums [tokenizer.Kinds]float64
	for i, b := range v.batches {
		losses, err := v.scorer.Losses(b)
		if err != nil {
			return 0, nil, err
		}
		for j, l := range losses {
			sums[v.kinds[i][j]] += float64(l)
		}
	}
	var fields []FieldLoss
	total, n := 0.0, 0
	for k := range sums {
		count := 0
		for _, c := range v.counts[k] {
			count += c
		}
		if count == 0 {
			continue
		}
		total += sums[k]
		n += count
		fields = append(fields, FieldLoss{tokenizer.Kind(k), count, sums[k] / float64(count), entropy(v.counts[k][:])})
	}
	return total / float64(n), fields, nil
}

// unigram is the entropy of all targets together: no model that ignores its
// input does better on these tokens.
func (v *validation) unigram() float64 {
	var all [tokenizer.Vocabulary]int
	for _, c := range v.counts {
		for t, n := range c {
			all[t] += n
		}
	}
	return entropy(all[:])
}

// entropy of counts, in nats.
func entropy(counts []int) float64 {
	n := 0
	for _, c := range counts {
		n += c
	}
	h := 0.0
	for _, c := range counts {
		if c > 0 {
			p := float64(c) / float64(n)
			h -= p * math.Log(p)
		}
	}
	return h
}
