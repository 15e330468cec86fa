package classify

import (
	"context"
	"math/rand/v2"
	"slices"
)

// ranked is the training data as trees look at it: of every column, which of
// its different values a row has, in increasing order.
type ranked struct {
	values  [][]float64 // [column], increasing
	ranks   [][]uint32  // [column][row], indices of values
	y       []int
	classes int
}

func newRanked(x [][]float64, y []int, classes int) *ranked {
	d := &ranked{y: y, classes: classes}
	for c := range x[0] {
		values := make([]float64, len(x))
		for i, row := range x {
			values[i] = row[c]
		}
		slices.Sort(values)
		values = slices.Compact(values)
		ranks := make([]uint32, len(x))
		for i, row := range x {
			r, _ := slices.BinarySearch(values, row[c])
			ranks[i] = uint32(r)
		}
		d.values, d.ranks = append(d.values, slices.Clone(values)), append(d.ranks, ranks)
	}
	return d
}

// share is a class's part of a leaf.
type share struct {
	class int
	share float64
}

// node is a split, or, with column -1, a leaf. The left child comes right
// behind its parent; right is the other one.
type node struct {
	column    int
	threshold float64 // smaller or equal goes left
	right     int
	shares    []share // of a leaf, by class; without those that it has none of
}

type tree struct{ nodes []node }

// leaf gives the shares of the leaf that a row falls into.
func (t *tree) leaf(row []float64) []share {
	at := 0
	for t.nodes[at].column >= 0 {
		if n := &t.nodes[at]; row[n.column] <= n.threshold {
			at++
		} else {
			at = n.right
		}
	}
	return t.nodes[at].shares
}

// way gives the leaf that a row falls into and a bit for each column asked on
// the way, 64 columns apart sharing one.
func (t *tree) way(row []float64) (shares []share, columns uint64) {
	at := 0
	for t.nodes[at].column >= 0 {
		n := &t.nodes[at]
		columns |= columnBit(n.column)
		if row[n.column] <= n.threshold {
			at++
		} else {
			at = n.right
		}
	}
	return t.nodes[at].shares, columns
}

func columnBit(column int) uint64 { return 1 << (column % 64) }

// grower grows trees one after another; what it holds is used again.
type grower struct {
	ctx    context.Context
	d      *ranked
	o      ForestOptions
	rng    *rand.Rand
	weight []int    // [row], how often the bootstrap drew it
	rows   []uint32 // those drawn; each node has a run of them
	tried  []int    // columns, those tried at this node in front

	all, left []int // [class], weights of the node and of the left side of a split
	keys      []uint64
	counts    []int // [value][class]
	t         *tree
}

func newGrower(ctx context.Context, d *ranked, o ForestOptions) *grower {
	g := &grower{ctx: ctx, d: d, o: o, weight: make([]int, len(d.y)), all: make([]int, d.classes), left: make([]int, d.classes)}
	for c := range d.ranks {
		g.tried = append(g.tried, c)
	}
	return g
}

// tree grows tree i; nil when interrupted.
func (g *grower) tree(i uint64) *tree {
	g.rng, g.t = rand.New(rand.NewPCG(g.o.Seed, i)), &tree{}
	for c := range g.tried { // as the trees before left it would depend on who grew them
		g.tried[c] = c
	}
	clear(g.weight)
	for range g.weight {
		g.weight[g.rng.IntN(len(g.weight))]++
	}
	g.rows = g.rows[:0]
	for r, w := range g.weight {
		if w > 0 {
			g.rows = append(g.rows, uint32(r))
		}
	}
	if !g.grow(g.rows, 0) {
		return nil
	}
	return g.t
}

// split is between two values of a column that follow each other at a node.
type split struct {
	column    int
	low, high uint32 // ranks
	score     float64
}

// grow adds the node of the rows and all below it; false when interrupted.
func (g *grower) grow(rows []uint32, depth int) bool {
	if g.ctx.Err() != nil {
		return false
	}
	at := len(g.t.nodes)
	g.t.nodes = append(g.t.nodes, node{column: -1})
	clear(g.all)
	pure := true
	for _, r := range rows {
		g.all[g.d.y[r]] += g.weight[r]
		pure = pure && g.d.y[r] == g.d.y[rows[0]]
	}
	var s split
	if pure || depth >= g.o.Depth || len(rows) < 2*g.o.Leaf || !g.best(rows, &s) {
		g.t.nodes[at].shares = g.shares()
		return true
	}
	ranks, values := g.d.ranks[s.column], g.d.values[s.column]
	n := 0
	for i, r := range rows {
		if ranks[r] <= s.low {
			rows[i], rows[n] = rows[n], r
			n++
		}
	}
	threshold := values[s.low]/2 + values[s.high]/2
	if threshold < values[s.low] || threshold >= values[s.high] { // no number lies between, or it was rounded
		threshold = values[s.low]
	}
	if !g.grow(rows[:n], depth+1) {
		return false
	}
	g.t.nodes[at] = node{column: s.column, threshold: threshold, right: len(g.t.nodes)}
	return g.grow(rows[n:], depth+1)
}

// shares are those of the node at hand.
func (g *grower) shares() []share {
	total := 0
	for _, w := range g.all {
		total += w
	}
	var out []share
	for c, w := range g.all {
		if w > 0 {
			out = append(out, share{c, float64(w) / float64(total)})
		}
	}
	return out
}

// best finds the best split of the node among Tries columns drawn at random,
// and goes on to more of them while none has two values here, as scikit-learn
// does. False when there is none.
func (g *grower) best(rows []uint32, best *split) bool {
	best.score = -1
	for i := range g.tried {
		if i >= g.o.Tries && best.score >= 0 {
			break
		}
		j := i + g.rng.IntN(len(g.tried)-i)
		g.tried[i], g.tried[j] = g.tried[j], g.tried[i]
		c := g.tried[i]
		// Both find the same split; counting is faster where it has little to clear.
		if len(g.d.values[c])*g.d.classes <= 4*len(rows) {
			g.bestCounted(rows, c, best)
		} else {
			g.bestSorted(rows, c, best)
		}
	}
	return best.score >= 0
}

// sweep moves rows of a node from the right side of a split to the left and
// keeps the sums of squares that Gini impurity is made of.
type sweep struct {
	rows      [2]int // different ones, left and right
	weight    [2]int
	squares   [2]int // of the classes' weights
	all, left []int
	leaf      int
}

func (g *grower) sweep(rows []uint32) sweep {
	clear(g.left)
	s := sweep{all: g.all, left: g.left, leaf: g.o.Leaf}
	s.rows[1] = len(rows)
	for _, w := range g.all {
		s.weight[1] += w
		s.squares[1] += w * w
	}
	return s
}

// move takes weight w of a class to the left.
func (s *sweep) move(class, w int) {
	l, r := s.left[class], s.all[class]-s.left[class]
	s.left[class] = l + w
	s.squares[0] += w * (2*l + w)
	s.squares[1] -= w * (2*r - w)
	s.weight[0] += w
	s.weight[1] -= w
}

// offer takes a split that is better than the best so far. The score falls with
// the weighted Gini impurity: Σ over the sides of Σ weight(class)²/weight.
func (s *sweep) offer(column int, low, high uint32, best *split) {
	if s.rows[0] < s.leaf || s.rows[1] < s.leaf {
		return
	}
	score := float64(s.squares[0])/float64(s.weight[0]) + float64(s.squares[1])/float64(s.weight[1])
	if score > best.score {
		*best = split{column, low, high, score}
	}
}

// bestSorted goes through the rows in the order of the column's values.
func (g *grower) bestSorted(rows []uint32, column int, best *split) {
	ranks := g.d.ranks[column]
	g.keys = g.keys[:0]
	for _, r := range rows {
		g.keys = append(g.keys, uint64(ranks[r])<<32|uint64(r))
	}
	slices.Sort(g.keys)
	if g.keys[0]>>32 == g.keys[len(g.keys)-1]>>32 {
		return
	}
	s := g.sweep(rows)
	for i, k := range g.keys {
		if i > 0 && k>>32 != g.keys[i-1]>>32 {
			s.offer(column, uint32(g.keys[i-1]>>32), uint32(k>>32), best)
		}
		r := uint32(k)
		s.move(g.d.y[r], g.weight[r])
		s.rows[0]++
		s.rows[1]--
	}
}

// bestCounted goes through the column's values with the weights of the classes at each.
func (g *grower) bestCounted(rows []uint32, column int, best *split) {
	ranks, stride := g.d.ranks[column], g.d.classes+1 // the last counts rows
	n := len(g.d.values[column]) * stride
	g.counts = slices.Grow(g.counts[:0], n)[:n]
	clear(g.counts)
	for _, r := range rows {
		at := g.counts[int(ranks[r])*stride:][:stride]
		at[g.d.y[r]] += g.weight[r]
		at[stride-1]++
	}
	s, last := g.sweep(rows), -1
	for v := range len(g.d.values[column]) {
		at := g.counts[v*stride:][:stride]
		n := at[stride-1]
		if n == 0 {
			continue
		}
		if last >= 0 {
			s.offer(column, uint32(last), uint32(v), best)
		}
		last = v
		for c, w := range at[:stride-1] {
			if w > 0 {
				s.move(c, w)
			}
		}
		s.rows[0] += n
		s.rows[1] -= n
	}
}
