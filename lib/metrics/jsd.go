// Package metrics says how far generated traffic is from real traffic: the
// Jensen-Shannon divergence of header fields and flow features, entropies of
// tokens, validity of packets, and scores of classifiers.
//
// Every divergence comes with what it takes to read it: sample sizes, a
// bootstrap interval, and the floor, which is the divergence that real traffic
// has from other real traffic in samples of the same size.
//
//	metrics.HeaderJSD(real, generated)        // ports, addresses, lengths, TTL
//	metrics.FlowJSD(real, generated)          // the paper's flow features
//	metrics.ValidityBeside(real, generated)   // rules of packets and of TCP
//	metrics.KS(x, y)                          // samples of numbers; Wasserstein in their unit; Times takes them out of flows
//	metrics.MMD(points, others)               // points of features, after Standardize; Neighbourhoods for what is missing
//	metrics.Text(candidates, references)      // BLEU and ROUGE of tokens, NewNGram for perplexity: what misleads
//	metrics.FindCopiedTimes(generated, real)  // was timing made, or copied
//	metrics.HeaderJSD(real, generated, metrics.Options{Distance: true}) // scipy's unit
package metrics

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

// JSD is the Jensen-Shannon divergence of two histograms over the same bins,
// base 2, so that it lies in [0,1]: 0 for equal shares, 1 for disjoint ones.
//
//	JSD(P,Q) = ½ Σ p log2(p/m) + ½ Σ q log2(q/m),  m = (p+q)/2
//
// p and q hold counts or shares; each is divided by its sum. Where one is
// longer, the other has zeros. NaN when either sums to nothing, or holds a
// negative or infinite number.
func JSD(p, q []float64) float64 {
	sp, sq := total(p), total(q)
	if !(sp > 0) || !(sq > 0) {
		return math.NaN()
	}
	d := 0.
	for i := range max(len(p), len(q)) {
		a, b := 0., 0.
		if i < len(p) {
			a = p[i] / sp
		}
		if i < len(q) {
			b = q[i] / sq
		}
		m := (a + b) / 2
		// The two terms are added to each other first: the order of p and q
		// then makes no difference, not even in rounding.
		x, y := 0., 0.
		if a > 0 {
			x = a * math.Log2(a/m)
		}
		if b > 0 {
			y = b * math.Log2(b/m)
		}
		d += x + y
	}
	return math.Max(0, math.Min(1, d/2))
}

func total(p []float64) float64 {
	s := 0.
	for _, v := range p {
		if !(v >= 0) || math.IsInf(v, 0) {
			return math.NaN()
		}
		s += v
	}
	return s
}

// JSDInt is JSD of two lists of numbers, every number a bin of its own.
func JSDInt(real, generated []int) float64 {
	bin := map[int]int{}
	count := func(values []int) []float64 {
		var c []float64
		for _, v := range values {
			i, ok := bin[v]
			if !ok {
				i = len(bin)
				bin[v] = i
			}
			for len(c) <= i {
				c = append(c, 0)
			}
			c[i]++
		}
		return c
	}
	return JSD(count(real), count(generated))
}

// Options of a comparison. The zero value is what the tables of this project use.
type Options struct {
	Nats      bool   // natural logarithm: at most ln 2
	Distance  bool   // the square root, a metric; scipy's jensenshannon returns this
	Resamples int    // of the bootstrap; 0 means 200, negative none
	Splits    int    // of the real flows for the floor; 0 means 20, negative none
	Seed      uint64 // of both
}

// options are those given, or the tables'.
func options(o []Options) Options { return append(o, Options{})[0] }

// Unit names what the options make of a divergence.
func (o Options) Unit() string {
	switch {
	case o.Distance && o.Nats:
		return "distance, base e"
	case o.Distance:
		return "distance, base 2"
	case o.Nats:
		return "nats"
	}
	return "bits"
}

func (o Options) scale(d float64) float64 {
	if o.Nats {
		d *= math.Ln2
	}
	if o.Distance {
		d = math.Sqrt(d)
	}
	return d
}

func count(given, otherwise int) int {
	if given == 0 {
		return otherwise
	}
	return max(given, 0)
}

// field is one thing that is compared.
type field struct {
	name   string
	ranked bool // compare by rank of frequency, not by value
}

// absent is the bin of packets that do not have the field.
const absent = math.MinInt64

// tally is how often a flow has something in a bin.
type tally struct {
	bin int32
	n   int32
}

// sample is a set of flows, each with its tallies by field.
type sample struct {
	flows  [][][]tally // flow, field
	groups [][]int     // flows that belong together
	counts []int       // observations by field
}

// bins number the values of each field in the order they are met.
type bins []map[int64]int32

// add takes one flow: its values by field.
func (s *sample) add(b bins, values [][]int64) {
	flow := make([][]tally, len(values))
	for k, vs := range values {
		n := map[int32]int32{}
		for _, v := range vs {
			id, ok := b[k][v]
			if !ok {
				id = int32(len(b[k]))
				b[k][v] = id
			}
			n[id]++
		}
		for id, c := range n {
			flow[k] = append(flow[k], tally{id, c})
		}
		slices.SortFunc(flow[k], func(a, b tally) int { return int(a.bin - b.bin) })
		s.counts[k] += len(vs)
	}
	s.flows = append(s.flows, flow)
}

func newSample(flows []*pcap.Flow, fields int) *sample {
	s := &sample{counts: make([]int, fields)}
	named := map[string]int{}
	for i, f := range flows {
		if g, ok := named[f.Group]; ok && f.Group != "" {
			s.groups[g] = append(s.groups[g], i)
			continue
		}
		named[f.Group] = len(s.groups)
		s.groups = append(s.groups, []int{i})
	}
	return s
}

// comparison holds two samples over common bins and room to count in.
type comparison struct {
	fields []field
	bins   bins
	a, b   *sample
	pa, pb []float64
}

func newComparison(fields []field, real, generated []*pcap.Flow, values func(*pcap.Flow) [][]int64) *comparison {
	c := &comparison{fields: fields, a: newSample(real, len(fields)), b: newSample(generated, len(fields))}
	for range fields {
		c.bins = append(c.bins, map[int64]int32{})
	}
	for _, f := range real {
		c.a.add(c.bins, values(f))
	}
	for _, f := range generated {
		c.b.add(c.bins, values(f))
	}
	return c
}

// jsd compares the flows with these indices, field by field.
func (c *comparison) jsd(a *sample, ai []int, b *sample, bi []int) []float64 {
	out := make([]float64, len(c.fields))
	for k, f := range c.fields {
		n := len(c.bins[k])
		c.pa, c.pb = fill(c.pa, n, a, ai, k), fill(c.pb, n, b, bi, k)
		pa, pb := c.pa, c.pb
		if f.ranked {
			pa, pb = byRank(pa), byRank(pb)
		}
		out[k] = JSD(pa, pb)
	}
	return out
}

func fill(p []float64, n int, s *sample, index []int, k int) []float64 {
	if cap(p) < n {
		p = make([]float64, n)
	}
	p = p[:n]
	clear(p)
	for _, i := range index {
		for _, t := range s.flows[i][k] {
			p[t.bin] += float64(t.n)
		}
	}
	return p
}

// byRank sorts counts, the largest first, and joins the ranks beyond 64 by
// powers of two.
func byRank(p []float64) []float64 {
	slices.SortFunc(p, func(a, b float64) int { return cmp.Compare(b, a) })
	out := make([]float64, 64+32)
	for r, n := range p {
		out[countBin(r)] += n
	}
	return out
}

// countBin is exact to 64, then one bin a power of two: 65…128, 129…256, ….
func countBin(n int) int64 {
	if n <= 64 {
		return int64(n)
	}
	return 64 + int64(math.Ceil(math.Log2(float64(n)/64)))
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// resample draws groups with replacement until there are as many flows as before.
func (s *sample) resample(r *rand.Rand, out []int) []int {
	out = out[:0]
	for len(out) < len(s.flows) {
		out = append(out, s.groups[r.IntN(len(s.groups))]...)
	}
	return out[:len(s.flows)]
}

// halves splits the groups at random into at most na and nb flows.
func (s *sample) halves(r *rand.Rand, na, nb int) (a, b []int) {
	for _, g := range r.Perm(len(s.groups)) {
		// The side that lacks the larger share of its flows gets the group.
		if len(b)*na < len(a)*nb {
			b = append(b, s.groups[g]...)
		} else {
			a = append(a, s.groups[g]...)
		}
		if len(a) >= na && len(b) >= nb {
			break
		}
	}
	return a[:min(len(a), na)], b[:min(len(b), nb)]
}

// floorSizes are the sizes of the two parts that real flows are split into,
// as near to those of the comparison as there are flows.
func floorSizes(real, generated int) (a, b int) {
	b = min(generated, real/2)
	return real - b, b
}

// choose draws n of all indices without replacement.
func (s *sample) choose(r *rand.Rand, n int) []int {
	return r.Perm(len(s.flows))[:min(n, len(s.flows))]
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := 0.
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

// quantile of sorted values, interpolated (type 7, as R and numpy).
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
