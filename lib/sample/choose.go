package sample

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"trafficgpt/tokenizer"
)

// chooser draws tokens from logits.
type chooser struct {
	o     Options
	keys  []uint64 // of the tokens to choose from, the likeliest first
	probs []float64

	tokens []uint16      // that are allowed
	on     []uint8       // which step each of them lies on
	ends   [steps]uint16 // where the keys of each step end
}

func newChooser(o Options) *chooser {
	const n = tokenizer.Vocabulary
	return &chooser{o: o, keys: make([]uint64, 0, n), probs: make([]float64, 0, n), tokens: make([]uint16, 0, n), on: make([]uint8, n)}
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
func keyOf(token uint16, logit float32) uint64 {
	b := math.Float32bits(logit + 0) // -0 is 0
	if int32(b) >= 0 {               // the larger a positive number's bits, the likelier; a negative one's come behind as they are
		b ^= 1<<31 - 1
	}
	return uint64(b)<<16 | uint64(token)
}

func tokenOf(key uint64) uint16 { return uint16(key) }

// best fills c.keys with the tokens to choose from. What is not a number is none of them.
func (c *chooser) best(logits []float32, allowed *set) {
	tokens := everyToken[:]
	if allowed != nil {
		tokens = c.tokens[:0]
		for w, word := range allowed {
			for ; word != 0; word &= word - 1 {
				tokens = append(tokens, uint16(w<<6+bits.TrailingZeros64(word)))
			}
		}
	}
	most := c.o.TopK
	switch {
	case c.o.Greedy:
		most = 1
	case most < 0:
		most = len(logits)
	}
	if most <= fewKeys || len(tokens) <= fewKeys || !c.spread(logits, tokens, most) {
		c.keys = c.keys[:0]
		for _, t := range tokens {
			if x := logits[t]; x == x {
				c.keys = append(c.keys, keyOf(t, x))
			}
		}
	}
	c.keys = smallest(c.keys, most)
}

var everyToken = func() (tokens [tokenizer.Vocabulary]uint16) {
	for t := range tokens {
		tokens[t] = uint16(t)
	}
	return tokens
}()

// fewKeys are sorted as they are.
const fewKeys = 8

// steps is how many there are between the likeliest and the unlikeliest token.
const steps = 256

// spread fills c.keys in about the right order, by counting how many logits lie on each
// step, and leaves out those behind the last step that counts. It is false where it cannot:
// not all are finite numbers, or all are equal.
func (c *chooser) spread(logits []float32, tokens []uint16, most int) bool {
	top, bottom := logits[tokens[0]], logits[tokens[0]]
	for _, t := range tokens {
		x := logits[t]
		if x > top {
			top = x
		}
		if x < bottom {
			bottom = x
		}
		if x != x {
			return false
		}
	}
	scale := (steps - 1) / (top - bottom)
	if !(scale > 0 && scale < math.MaxFloat32) {
		return false
	}
	clear(c.ends[:])
	on := c.on[:len(tokens)]
	for i, t := range tokens {
		step := uint8(int32((top - logits[t]) * scale))
		on[i] = step
		c.ends[step]++
	}
	sum, last := 0, 0
	for step, n := range c.ends {
		c.ends[step] = uint16(sum)
		sum += int(n)
		if last = step; sum >= most {
			break
		}
	}
	c.keys = c.keys[:sum]
	for i, t := range tokens {
		if step := on[i]; int(step) <= last {
			c.keys[c.ends[step]] = keyOf(t, logits[t])
			c.ends[step]++
		}
	}
	return true
}

// smallest sorts the smallest keys, most of them, to the front and returns them.
func smallest(keys []uint64, most int) []uint64 {
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
