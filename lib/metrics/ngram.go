package metrics

import (
	"errors"
	"fmt"
	"math"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
)

// NGram is a model of token sequences that knows the last few tokens: the simplest
// that perplexity can praise.
type NGram struct {
	order int
	next  map[edge]uint32 // from the root, 0, to all n-grams
	nodes []gramNode
}

// gramNode is an n-gram: how often it came, how many tokens followed it, and how
// many different ones.
type gramNode struct{ seen, followed, different uint32 }

// NewNGram counts the n-grams of sequences up to the order (0 means 4: three
// tokens of history). Tokens outside the vocabulary are left out, as by
// TokenEntropy. Memory is some 40 bytes for each different n-gram. It is an error
// for there to be no tokens.
//
// Probabilities are smoothed by Witten and Bell (1991), interpolated: with c the
// counts, h a history, h' the same without its oldest token and T(h) the different
// tokens seen after it,
//
//	P(w|h) = (c(h,w) + T(h)·P(w|h')) / (c(h) + T(h))
//
// down to 1/260 for each token of the vocabulary. A history that was not seen adds
// nothing. A sequence starts with an empty history.
func NewNGram(order int, sequences [][]uint16) (*NGram, error) {
	if order < 0 {
		return nil, fmt.Errorf("failed to count n-grams: order %d, want 0 (4) or more", order)
	}
	g := &NGram{order: count(order, 4), next: map[edge]uint32{}, nodes: make([]gramNode, 1)}
	ctx := display.Context()
	for _, s := range sequences {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("failed to count n-grams: %w", ctx.Err())
		}
		g.add(s)
	}
	if g.nodes[0].followed == 0 {
		return nil, errors.New("failed to count n-grams: there are no tokens")
	}
	return g, nil
}

func (g *NGram) add(s []uint16) {
	history, after := []uint32{0}, []uint32{} // the nodes of the last 0, 1, 2 … tokens
	for _, t := range s {
		if t >= tokenizer.Vocabulary {
			continue
		}
		after = append(after[:0], 0)
		for _, from := range history {
			to, ok := g.next[edge{from, t}]
			if !ok {
				to = uint32(len(g.nodes))
				g.next[edge{from, t}] = to
				g.nodes = append(g.nodes, gramNode{})
				g.nodes[from].different++
			}
			g.nodes[from].followed++
			g.nodes[to].seen++
			after = append(after, to)
		}
		history, after = after[:min(len(after), g.order)], history
	}
}

// Bits is the mean cost of a token of the sequences in bits; perplexity is 2 to
// its power. Tokens outside the vocabulary are left out; NaN when none is left.
//
// Of the distribution that was counted, other sequences cost its cross-entropy
// under the model, which is above 0 (encrypted payload costs nearly 8 bits): read
// it beside that of other real sequences. Sequences that were counted cost less,
// and those that repeat what is frequent least, however unlike traffic they are.
func (g *NGram) Bits(sequences [][]uint16) float64 {
	bits, tokens := make([]float64, len(sequences)), make([]int, len(sequences))
	// Interrupted: the mean of those done.
	_ = each(display.Context(), len(sequences), func(i int) {
		bits[i], tokens[i] = g.cost(sequences[i])
	})
	sum, n := 0., 0
	for i := range bits {
		sum += bits[i]
		n += tokens[i]
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// cost is that of a sequence in bits, and of how many tokens.
func (g *NGram) cost(s []uint16) (bits float64, tokens int) {
	history, after := []uint32{0}, []uint32{}
	for _, t := range s {
		if t >= tokenizer.Vocabulary {
			continue
		}
		bits -= math.Log2(g.probability(history, t))
		tokens++
		history, after = g.after(history, t, after[:0]), history
	}
	return bits, tokens
}

// probability of a token after the nodes of a history.
func (g *NGram) probability(history []uint32, t uint16) float64 {
	p := 1. / tokenizer.Vocabulary
	for _, h := range history {
		n := g.nodes[h]
		if n.followed == 0 {
			break
		}
		c := float64(0)
		if to, ok := g.next[edge{h, t}]; ok {
			c = float64(g.nodes[to].seen)
		}
		p = (c + float64(n.different)*p) / float64(n.followed+n.different)
	}
	return p
}

// after is the history when t has come, appended to out: the nodes that there are.
func (g *NGram) after(history []uint32, t uint16, out []uint32) []uint32 {
	out = append(out, 0)
	for _, h := range history[:min(len(history), g.order-1)] {
		to, ok := g.next[edge{h, t}]
		if !ok {
			break
		}
		out = append(out, to)
	}
	return out
}

// String says what the model has seen.
func (g *NGram) String() string {
	return fmt.Sprintf("n-grams of up to %d tokens: %s different ones of %s tokens", g.order,
		display.Count(len(g.nodes)-1), display.Count(int(g.nodes[0].followed)))
}
