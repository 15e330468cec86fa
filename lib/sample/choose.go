package sample

import (
	"math"
	"math/rand/v2"

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
	c.best(logits, allowed)
	if len(c.ids) == 0 {
		return tokenizer.End // a beginning that the grammar cannot bring to an end
	}
	if c.o.Greedy {
		return c.ids[0]
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

// best fills c.ids with the tokens to choose from, the likeliest first; equal
// ones come in the order of their numbers, so that seeds repeat.
func (c *chooser) best(logits []float32, allowed []bool) {
	most := c.o.TopK
	if c.o.Greedy {
		most = 1
	} else if most < 0 {
		most = len(logits)
	}
	c.ids = c.ids[:0]
	for i, x := range logits {
		if allowed != nil && !allowed[i] || x != x {
			continue
		}
		at := len(c.ids)
		if at == most {
			if x <= logits[c.ids[at-1]] {
				continue
			}
			at--
		} else {
			c.ids = append(c.ids, 0)
		}
		for at > 0 && logits[c.ids[at-1]] < x {
			c.ids[at] = c.ids[at-1]
			at--
		}
		c.ids[at] = uint16(i)
	}
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
