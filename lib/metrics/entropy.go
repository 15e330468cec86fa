package metrics

import (
	"fmt"
	"math"
	"slices"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// EntropyRow is the entropy of the tokens of one kind or field.
type EntropyRow struct {
	Name     string
	Tokens   int
	Distinct int     // different tokens
	Bits     float64 // entropy of a token, given that it is of this kind or field
}

// EntropyReport says how much a model that knows frequencies alone can save.
// All entropies are in bits a token.
type EntropyReport struct {
	Flows, Tokens int
	Unigram       float64      // of a token, nothing known
	GivenKind     float64      // knowing what kind of token comes, as by Kinds
	GivenField    float64      // knowing the field and the byte within it
	Kinds         []EntropyRow // in the order they come in a packet
	Fields        []EntropyRow // by layer and name, those with most bits in all first
}

// Nats is the unigram entropy in nats, the unit of a cross-entropy loss.
func (r *EntropyReport) Nats() float64 { return r.Unigram * math.Ln2 }

// Entropy measures the tokens of flows.
func Entropy(flows []*pcap.Flow) *EntropyReport {
	sequences := make([][]uint16, len(flows))
	for i, f := range flows {
		sequences[i] = tokenizer.Encode(f)
	}
	return TokenEntropy(sequences)
}

type histogram struct {
	counts [tokenizer.Vocabulary]int
	n      int
}

func (h *histogram) add(t uint16) {
	if int(t) < len(h.counts) {
		h.counts[t]++
		h.n++
	}
}

// entropy is in bits, and how many different tokens there are.
func (h *histogram) entropy() (bits float64, distinct int) {
	for _, c := range h.counts {
		if c > 0 {
			p := float64(c) / float64(h.n)
			bits -= p * math.Log2(p)
			distinct++
		}
	}
	return bits, distinct
}

type position struct {
	layer, name string
	offset      int // within the field, at most 15
}

// TokenEntropy measures token sequences, one a flow. Tokens outside the
// vocabulary are left out.
func TokenEntropy(sequences [][]uint16) *EntropyReport {
	r := &EntropyReport{Flows: len(sequences)}
	var total histogram
	var kinds [tokenizer.Kinds]histogram
	fields := map[[2]string]*histogram{}
	places := map[position]*histogram{}
	for _, tokens := range sequences {
		within := 0
		var last tokenizer.Field
		for i, f := range tokenizer.Explain(tokens) {
			if i == 0 || f.Layer != last.Layer || f.Name != last.Name || f.Packet != last.Packet {
				within = 0
			}
			last = f
			t := tokens[i]
			total.add(t)
			kinds[f.Kind].add(t)
			add(fields, [2]string{f.Layer, f.Name}, t)
			add(places, position{f.Layer, f.Name, min(within, 15)}, t)
			within++
		}
	}
	r.Tokens = total.n
	r.Unigram, _ = total.entropy()
	r.GivenField = weighted(places, total.n)
	for k := range kinds {
		if h := &kinds[k]; h.n > 0 {
			row := EntropyRow{Name: tokenizer.Kind(k).String(), Tokens: h.n}
			row.Bits, row.Distinct = h.entropy()
			r.GivenKind += row.Bits * float64(h.n) / float64(total.n)
			r.Kinds = append(r.Kinds, row)
		}
	}
	slices.SortStableFunc(r.Kinds, func(a, b EntropyRow) int { return order(a.Name) - order(b.Name) })
	for name, h := range fields {
		row := EntropyRow{Name: name[0] + " · " + name[1], Tokens: h.n}
		row.Bits, row.Distinct = h.entropy()
		r.Fields = append(r.Fields, row)
	}
	slices.SortFunc(r.Fields, func(a, b EntropyRow) int {
		if x, y := a.Bits*float64(a.Tokens), b.Bits*float64(b.Tokens); x != y {
			if x > y {
				return -1
			}
			return 1
		}
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return r
}

// order puts the kinds as they come: special ones last.
func order(kind string) int {
	for k := range tokenizer.Kinds {
		if tokenizer.Kind(k).String() == kind {
			return k
		}
	}
	return tokenizer.Kinds
}

func add[K comparable](m map[K]*histogram, k K, t uint16) {
	h := m[k]
	if h == nil {
		h = &histogram{}
		m[k] = h
	}
	h.add(t)
}

// weighted is the entropy given the key. The sum goes over sorted terms, so
// that it is the same every time.
func weighted(m map[position]*histogram, n int) float64 {
	var terms []float64
	for _, h := range m {
		bits, _ := h.entropy()
		terms = append(terms, bits*float64(h.n))
	}
	slices.Sort(terms)
	s := 0.
	for _, t := range terms {
		s += t
	}
	if n == 0 {
		return 0
	}
	return s / float64(n)
}

// CrossEntropy is what a unigram model of the training flows costs on the test
// flows, in bits a token; every token of the vocabulary counts once more than
// it was seen, so that none is impossible.
func CrossEntropy(training, test []*pcap.Flow) float64 {
	var train, on histogram
	for _, f := range training {
		for _, t := range tokenizer.Encode(f) {
			train.add(t)
		}
	}
	for _, f := range test {
		for _, t := range tokenizer.Encode(f) {
			on.add(t)
		}
	}
	if on.n == 0 {
		return math.NaN()
	}
	bits := 0.
	for t, c := range on.counts {
		p := float64(train.counts[t]+1) / float64(train.n+len(train.counts))
		bits -= float64(c) * math.Log2(p)
	}
	return bits / float64(on.n)
}

func entropyTable(title string, rows []EntropyRow, tokens int) *display.Table {
	t := display.NewTable("tokens that are", "tokens", "share", "different", "bits a token", "bits in all")
	t.Title = title
	for _, row := range rows {
		t.Row(row.Name, row.Tokens, fmt.Sprintf("%.1f %%", 100*float64(row.Tokens)/float64(max(tokens, 1))),
			row.Distinct, fmt.Sprintf("%.3f", row.Bits), int(row.Bits*float64(row.Tokens)+.5))
	}
	return t
}

// MIME shows the entropies by kind.
func (r *EntropyReport) MIME() display.Bundle {
	title := fmt.Sprintf("Entropy of %s tokens of %s flows: %.3f bits a token (%.3f nats)",
		display.Count(r.Tokens), display.Count(r.Flows), r.Unigram, r.Nats())
	t := entropyTable(title, r.Kinds, r.Tokens)
	t.Note = fmt.Sprintf("Knowing the kind of token that comes: %.3f bits. Knowing its field and byte: %.3f bits. "+
		"Encrypted payload costs nearly 8 bits a byte whatever the model.", r.GivenKind, r.GivenField)
	return t.MIME()
}

// ByField is the table of the fields, those that cost most first.
func (r *EntropyReport) ByField() *display.Table {
	t := entropyTable("Entropy by field", r.Fields, r.Tokens)
	t.Limit = 30
	return t
}
