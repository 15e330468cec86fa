package sample

import (
	"math"
	"math/rand/v2"
	"slices"

	"trafficgpt/tokenizer"
)

// chooser draws tokens from logits.
type chooser struct {
	o     Options
	ids   []uint16
	probs []float64
}

// choose draws one token of a row of logits. Where allowed is not nil, only
// tokens it holds are drawn.
func (c *chooser) choose(logits []float32, allowed []bool, rng *rand.Rand) uint16 {
	c.ids = c.ids[:0]
	for i := range logits {
		if allowed == nil || allowed[i] {
			c.ids = append(c.ids, uint16(i))
		}
	}
	if len(c.ids) == 0 {
		return tokenizer.End // a beginning that the grammar cannot bring to an end
	}
	slices.SortFunc(c.ids, func(a, b uint16) int {
		switch x, y := logits[a], logits[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return int(a) - int(b) // equal logits: a fixed order, so that seeds repeat
	})
	if c.o.Greedy {
		return c.ids[0]
	}
	if c.o.TopK > 0 && len(c.ids) > c.o.TopK {
		c.ids = c.ids[:c.o.TopK]
	}
	c.probs = c.probs[:0]
	sum := 0.0
	for _, id := range c.ids {
		p := math.Exp(float64(logits[id]-logits[c.ids[0]]) / c.o.Temperature)
		c.probs = append(c.probs, p)
		sum += p
	}
	sum = c.cut(sum)
	x := rng.Float64() * sum
	for i, p := range c.probs {
		if x -= p; x < 0 {
			return c.ids[i]
		}
	}
	return c.ids[len(c.probs)-1]
}

// cut drops the unlikely tail by MinP and TopP and returns the new sum.
func (c *chooser) cut(sum float64) float64 {
	if c.o.MinP == 0 && c.o.TopP == 0 {
		return sum
	}
	kept := 0.0
	for i, p := range c.probs {
		if i > 0 && (p < c.o.MinP*c.probs[0] || c.o.TopP > 0 && kept >= c.o.TopP*sum) {
			c.probs = c.probs[:i]
			break
		}
		kept += p
	}
	return kept
}
