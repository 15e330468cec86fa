package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"trafficgpt/display"
)

// TextOptions of Text. The zero value is the default.
type TextOptions struct {
	Order      int    // of BLEU's longest n-gram; 0 means 4
	References int    // that each candidate is compared with, the same for all, drawn by Seed; 0 means 50
	Candidates int    // drawn by Seed; 0 means 200
	Tokens     int    // of each sequence, from its start; 0 means 512
	Seed       uint64 // of both draws
}

// TextReport is what metrics of text say of token sequences.
type TextReport struct {
	BLEU                   float64 // mean over the candidates
	ROUGE1, ROUGE2, ROUGEL float64 // F1 with the best reference, mean over the candidates
	N                      [2]int  // candidates and references compared
	Tokens                 int     // of each sequence, at most
}

// Text compares token sequences, candidates with references, as machine
// translations and summaries are compared. All values lie in [0,1]; 1 for a
// candidate that is one of the references (BLEU: when it has Order tokens).
//
// BLEU is the sentence BLEU of a candidate against all references at once
// (Papineni et al. 2002): the geometric mean of the shares of its n-grams, n = 1
// to Order, that some reference has as often, times exp(1 - r/c) where the
// reference of the closest length r is longer than the candidate's c. Shares for n
// > 1 are smoothed, (hits+1)/(n-grams+1) (Lin and Och 2004; nltk's method2).
//
// ROUGE-1 and ROUGE-2 are the F1 of common n-grams, ROUGE-L that of the longest
// common subsequence (Lin 2004), each with the reference that gives the most.
//
// For equal distributions none of them is 1: they are what real sequences have
// with other real sequences, which takes the same call with real candidates to
// know, and a generator that repeats the most frequent bytes can have more.
// Nothing here speaks of distributions: that is why they mislead for traffic.
//
// It is an error for a side to be empty. An empty sequence has 0.
func Text(candidates, references [][]uint16, o ...TextOptions) (*TextReport, error) {
	opt := append(o, TextOptions{})[0]
	if err := opt.fill(); err != nil {
		return nil, err
	}
	if len(candidates) == 0 {
		return nil, errors.New("failed to compare: there are no candidates")
	}
	if len(references) == 0 {
		return nil, errors.New("failed to compare: there are no references")
	}
	candidates = cut(draw(candidates, opt.Candidates, opt.Seed, 6), opt.Tokens)
	references = cut(draw(references, opt.References, opt.Seed, 7), opt.Tokens)
	union := newUnion(references, opt.Order)
	var grams [2][][]uint32
	for _, r := range references {
		grams[0], grams[1] = append(grams[0], ngrams(r, 1)), append(grams[1], ngrams(r, 2))
	}
	scores := make([][4]float64, len(candidates))
	err := each(display.Context(), len(candidates), func(i int) {
		c, s := candidates[i], &scores[i]
		s[0] = union.bleu(c)
		for n := range grams {
			mine := ngrams(c, n+1)
			for _, g := range grams[n] {
				s[1+n] = math.Max(s[1+n], f1(common(mine, g), len(mine), len(g)))
			}
		}
		l := newLCS(c)
		for _, r := range references {
			s[3] = math.Max(s[3], f1(l.length(r), len(c), len(r)))
		}
	})
	if err != nil {
		return nil, err
	}
	t := &TextReport{N: [2]int{len(candidates), len(references)}, Tokens: opt.Tokens}
	for i, v := range []*float64{&t.BLEU, &t.ROUGE1, &t.ROUGE2, &t.ROUGEL} {
		for _, s := range scores {
			*v += s[i] / float64(len(scores))
		}
	}
	return t, nil
}

// fill puts in what a zero means.
func (o *TextOptions) fill() error {
	for _, f := range []struct {
		name  string
		value *int
		zero  int
	}{{"Order", &o.Order, 4}, {"References", &o.References, 50}, {"Candidates", &o.Candidates, 200}, {"Tokens", &o.Tokens, 512}} {
		if *f.value < 0 {
			return fmt.Errorf("failed to compare: metrics.TextOptions.%s is %d, want 0 (%d) or more", f.name, *f.value, f.zero)
		}
		*f.value = count(*f.value, f.zero)
	}
	return nil
}

// cut shortens the sequences.
func cut(sequences [][]uint16, tokens int) [][]uint16 {
	for i, s := range sequences {
		sequences[i] = s[:min(len(s), tokens)]
	}
	return sequences
}

// f1 of what two lists of a and b things have in common.
func f1(common, a, b int) float64 { return share(2*common, a+b) }

// ngrams are the unigrams or bigrams of a sequence, as numbers, sorted.
func ngrams(s []uint16, n int) []uint32 {
	out := make([]uint32, 0, len(s))
	for i := n - 1; i < len(s); i++ {
		g := uint32(s[i])
		if n == 2 {
			g |= uint32(s[i-1]) << 16
		}
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

// common counts what two sorted lists share.
func common(a, b []uint32) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch cmp.Compare(a[i], b[j]) {
		case -1:
			i++
		case 1:
			j++
		default:
			n, i, j = n+1, i+1, j+1
		}
	}
	return n
}

// edge leads from one n-gram to that which is one token longer.
type edge struct {
	from  uint32
	token uint16
}

// union has the n-grams of all references and how often the one that has it most
// does.
type union struct {
	order   int
	next    map[edge]uint32 // 0 is the empty n-gram
	most    []int
	lengths []int
}

func newUnion(references [][]uint16, order int) *union {
	u := &union{order: order, next: map[edge]uint32{}, most: []int{0}}
	counts := []int{0}
	for _, r := range references {
		u.lengths = append(u.lengths, len(r))
		clear(counts)
		for i := range r {
			at := uint32(0)
			for _, t := range r[i:min(i+order, len(r))] {
				e := edge{at, t}
				if at = u.next[e]; at == 0 {
					at = uint32(len(counts))
					u.next[e] = at
					counts, u.most = append(counts, 0), append(u.most, 0)
				}
				counts[at]++
				u.most[at] = max(u.most[at], counts[at])
			}
		}
	}
	return u
}

// bleu is the smoothed sentence BLEU of a candidate.
func (u *union) bleu(c []uint16) float64 {
	hits, seen := make([]int, u.order), map[uint32]int{}
	for i := range c {
		at := uint32(0)
		for n, t := range c[i:min(i+u.order, len(c))] {
			if at = u.next[edge{at, t}]; at == 0 {
				break
			}
			if seen[at]++; seen[at] <= u.most[at] {
				hits[n]++
			}
		}
	}
	if hits[0] == 0 {
		return 0
	}
	closest := slices.MinFunc(u.lengths, func(a, b int) int {
		return cmp.Or(cmp.Compare(distance(a, len(c)), distance(b, len(c))), cmp.Compare(a, b))
	})
	logs := math.Log(float64(hits[0]) / float64(len(c)))
	for n := 1; n < u.order; n++ {
		logs += math.Log(float64(hits[n]+1) / float64(max(1, len(c)-n)+1))
	}
	short := math.Min(0, 1-float64(closest)/float64(len(c)))
	return math.Exp(short + logs/float64(u.order))
}

func distance(a, b int) int { return max(a-b, b-a) }

// lcs finds longest common subsequences with one sequence, 64 of its tokens at a
// time (Hyyrö 2004).
type lcs struct {
	n     int
	masks map[uint16][]uint64 // of a token: where the sequence has it
	row   []uint64
}

func newLCS(s []uint16) *lcs {
	l := &lcs{n: len(s), masks: map[uint16][]uint64{}, row: make([]uint64, (len(s)+63)/64)}
	for i, t := range s {
		if l.masks[t] == nil {
			l.masks[t] = make([]uint64, len(l.row))
		}
		l.masks[t][i/64] |= 1 << (i % 64)
	}
	return l
}

// length is that of the longest common subsequence with s.
func (l *lcs) length(s []uint16) int {
	for i := range l.row {
		l.row[i] = math.MaxUint64
	}
	for _, t := range s {
		mask := l.masks[t]
		if mask == nil {
			continue
		}
		carry := uint64(0)
		for i, v := range l.row {
			u := v & mask[i]
			var sum uint64
			sum, carry = bits.Add64(v, u, carry)
			l.row[i] = sum | (v - u)
		}
	}
	// Bits that became 0 are the length; those behind the sequence never do.
	n := 0
	for _, v := range l.row {
		n += bits.OnesCount64(^v)
	}
	return n
}

// Table is the report in one row.
func (r *TextReport) Table() *display.Table {
	return figures("Metrics of text",
		fmt.Sprintf("At most %s tokens of each sequence. Mean over the candidates; read it beside that of real candidates.",
			display.Count(r.Tokens)),
		[]string{"BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L", "candidates", "references"},
		number(r.BLEU), number(r.ROUGE1), number(r.ROUGE2), number(r.ROUGEL), r.N[0], r.N[1])
}

// MIME shows the report as a table.
func (r *TextReport) MIME() display.Bundle { return r.Table().MIME() }

// String is the report as text.
func (r *TextReport) String() string { return r.Table().String() }
