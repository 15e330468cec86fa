package sample

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"trafficgpt/tokenizer"
)

// chooser draws tokens from logits.
type chooser struct {
	o     Options
	keys  []uint64 // of the tokens to choose from, the likeliest first
	probs []float64
}

func newChooser(o Options) *chooser {
	return &chooser{o: o, keys: make([]uint64, 0, tokenizer.Vocabulary), probs: make([]float64, 0, tokenizer.Vocabulary)}
}

// choose draws one token of a row of logits. Where allowed is not nil, only
// tokens it holds are drawn.
func (c *chooser) choose(logits []float32, allowed *set, rng *rand.Rand) uint16 {
	c.best(logits, allowed)
	if len(c.keys) == 0 {
		return tokenizer.End // a beginning that the grammar cannot bring to an end
	}
	first := tokenOf(c.keys[0])
	if c.o.Greedy {
		return first
	}
	if len(c.keys) == 1 { // all the same the source goes on
		rng.Float64()
		return first
	}
	c.probs = c.probs[:0]
	sum := 0.0
	for _, key := range c.keys {
		p := math.Exp(float64(logits[tokenOf(key)]-logits[first]) / c.o.Temperature)
		c.probs = append(c.probs, p)
		sum += p
	}
	sum = c.cut(sum)
	x := rng.Float64() * sum
	for i, p := range c.probs {
		if x -= p; x < 0 {
			return tokenOf(c.keys[i])
		}
	}
	return tokenOf(c.keys[len(c.probs)-1])
}

// A key is smaller, the likelier its token is; of equally likely ones that with the smaller
// number comes first, so that seeds repeat. Whole numbers side by side are compared faster
// than logits that have to be looked up.
func keyOf(token int, logit float32) uint64 {
	b := math.Float32bits(logit + 0) // -0 is 0
	if int32(b) >= 0 {               // the larger a positive number's bits, the likelier; a negative one's come behind as they are
		b ^= 1<<31 - 1
	}
	return uint64(b)<<16 | uint64(token)
}

func tokenOf(key uint64) uint16 { return uint16(key) }

// best fills c.keys with the tokens to choose from. What is not a number is none of them.
func (c *chooser) best(logits []float32, allowed *set) {
	c.keys = c.keys[:0]
	if allowed == nil {
		for i, x := range logits {
			if x == x {
				c.keys = append(c.keys, keyOf(i, x))
			}
		}
	} else {
		for w, word := range allowed {
			for ; word != 0; word &= word - 1 {
				i := w<<6 + bits.TrailingZeros64(word)
				if x := logits[i]; x == x {
					c.keys = append(c.keys, keyOf(i, x))
				}
			}
		}
	}
	most := c.o.TopK
	if c.o.Greedy {
		most = 1
	} else if most < 0 {
		most = len(logits)
	}
	c.keys = smallest(c.keys, most)
}

// insertMost is how many keys are put in their places one by one; more are sorted.
const insertMost = 64

// smallest sorts the smallest keys, most of them, to the front and returns them.
func smallest(keys []uint64, most int) []uint64 {
	if min(most, len(keys)) > insertMost {
		slices.Sort(keys)
		return keys[:min(most, len(keys))]
	}
	for i, key := range keys {
		at := i
		if i >= most {
			if key > keys[most-1] {
				continue
			}
			at = most - 1
		}
		for at > 0 && keys[at-1] > key {
			keys[at] = keys[at-1]
			at--
		}
		keys[at] = key
	}
	return keys[:min(most, len(keys))]
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
