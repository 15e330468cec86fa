package metrics

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func randomTokens(r *rand.Rand, n, kinds int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(r.IntN(kinds))
	}
	return out
}

// Bits in parallel give what the table of the textbook gives.
func TestLongestCommonSubsequence(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	for range 300 {
		kinds := 1 + r.IntN(12)
		a, b := randomTokens(r, r.IntN(200), kinds), randomTokens(r, r.IntN(200), kinds)
		table := make([][]int, len(a)+1)
		for i := range table {
			table[i] = make([]int, len(b)+1)
			for j := 1; i > 0 && j <= len(b); j++ {
				table[i][j] = max(table[i-1][j], table[i][j-1])
				if a[i-1] == b[j-1] {
					table[i][j] = table[i-1][j-1] + 1
				}
			}
		}
		if got, want := newLCS(a).length(b), table[len(a)][len(b)]; got != want {
			t.Fatalf("longest common subsequence of %v and %v: %d, want %d", a, b, got, want)
		}
	}
}

func TestTextByHand(t *testing.T) {
	// "the the the …" of Papineni et al. 2002, 3.1: two of seven unigrams count.
	the, cat, is, on, mat := uint16(1), uint16(2), uint16(3), uint16(4), uint16(5)
	reference := []uint16{the, cat, is, on, the, mat}
	r, err := Text([][]uint16{{the, the, the, the, the, the, the}}, [][]uint16{reference}, TextOptions{Order: 1})
	if err != nil || math.Abs(r.BLEU-2./7) > 1e-15 {
		t.Errorf("BLEU %+v, %v, want 2/7", r, err)
	}
	// One of three bigrams, no two tokens out of order: precision ¾ and ⅓.
	r, err = Text([][]uint16{{the, cat, the, is}}, [][]uint16{{the, cat, is}})
	if err != nil || math.Abs(r.ROUGE1-6./7) > 1e-15 || math.Abs(r.ROUGE2-2./5) > 1e-15 || math.Abs(r.ROUGEL-6./7) > 1e-15 {
		t.Errorf("ROUGE %+v, %v", r, err)
	}
	// References are those of the candidates; the mean of 1 and 0.
	r, err = Text([][]uint16{reference, {}}, [][]uint16{{mat}, reference})
	if err != nil || r.BLEU != .5 || r.ROUGE1 != .5 || r.ROUGE2 != .5 || r.ROUGEL != .5 || r.N != [2]int{2, 2} {
		t.Errorf("one copy and one empty candidate: %+v, %v", r, err)
	}
	// Of references that are as near in length the shorter one counts: no penalty.
	r, err = Text([][]uint16{{the, cat, is, on}}, [][]uint16{{the, cat, is, on, the, mat}, {the, cat}}, TextOptions{Order: 1})
	if err != nil || r.BLEU != 1 {
		t.Errorf("two closest references: %+v, %v", r, err)
	}
	// Only the start is compared.
	r, err = Text([][]uint16{{the, cat, is, 90, 91}}, [][]uint16{{the, cat, is, 80}}, TextOptions{Tokens: 3, Order: 3})
	if err != nil || r.BLEU != 1 || r.ROUGEL != 1 || r.Tokens != 3 {
		t.Errorf("equal starts: %+v, %v", r, err)
	}
}

func TestTextDraws(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	var a, b [][]uint16
	for range 30 {
		a, b = append(a, randomTokens(r, 40, 9)), append(b, randomTokens(r, 40, 9))
	}
	o := TextOptions{Candidates: 10, References: 5, Seed: 1}
	x, err := Text(a, b, o)
	if err != nil || x.N != [2]int{10, 5} {
		t.Fatalf("%+v, %v", x, err)
	}
	if y, _ := Text(a, b, o); !reflect.DeepEqual(x, y) {
		t.Errorf("two runs: %+v, %+v", x, y)
	}
	if y, _ := Text(a, b, TextOptions{Candidates: 10, References: 5, Seed: 2}); reflect.DeepEqual(x, y) {
		t.Error("another seed draws the same")
	}
}

func TestTextOfNothing(t *testing.T) {
	one := [][]uint16{{1, 2}}
	for _, c := range []struct {
		candidates, references [][]uint16
		o                      TextOptions
		want                   string
	}{
		{nil, one, TextOptions{}, "failed to compare: there are no candidates"},
		{one, nil, TextOptions{}, "failed to compare: there are no references"},
		{one, one, TextOptions{Order: -1}, "metrics.TextOptions.Order is -1"},
		{one, one, TextOptions{Tokens: -3}, "metrics.TextOptions.Tokens is -3"},
	} {
		if _, err := Text(c.candidates, c.references, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if r, err := Text([][]uint16{nil}, [][]uint16{nil}); err != nil || r.BLEU != 0 || r.ROUGEL != 0 {
		t.Errorf("empty sequences: %+v, %v", r, err)
	}
}

func TestNGramByHand(t *testing.T) {
	// 1 twice, 2 once: P(1) = (2 + 2/260)/5, P(2) = (1 + 2/260)/5, P(3) = (2/260)/5.
	g, err := NewNGram(1, [][]uint16{{1, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	p1, p2, p3 := (2+2./260)/5, (1+2./260)/5, 2./260/5
	if got, want := g.Bits([][]uint16{{1, 2}, {3, 300}}), -math.Log2(p1*p2*p3)/3; math.Abs(got-want) > 1e-14 {
		t.Errorf("bits %v, want %v", got, want)
	}
	// After 1 came 1 and 2, once each: P(2|1) = (1 + 2·P(2))/4. After 2 came nothing.
	if g, err = NewNGram(2, [][]uint16{{1, 999, 1, 2}}); err != nil {
		t.Fatal(err)
	}
	if got, want := g.Bits([][]uint16{{1, 2, 1}}), -math.Log2(p1*(1+2*p2)/4*p1)/3; math.Abs(got-want) > 1e-14 {
		t.Errorf("bits %v, want %v", got, want)
	}
}

func TestNGramIsADistribution(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	g, err := NewNGram(0, [][]uint16{randomTokens(r, 300, 6), {257}, randomTokens(r, 5, 260)})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		history := []uint32{0}
		for _, w := range randomTokens(r, r.IntN(6), 7) {
			history = g.after(history, w, nil)
		}
		sum := 0.
		for w := range uint16(260) {
			p := g.probability(history, w)
			if !(p > 0) {
				t.Fatalf("P(%d) = %v", w, p)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("probabilities sum to %v", sum)
		}
	}
	if !math.IsNaN(g.Bits(nil)) || !math.IsNaN(g.Bits([][]uint16{{}, {400}})) {
		t.Error("bits of nothing are a number")
	}
	for _, s := range [][][]uint16{nil, {{}}, {{260}}} {
		if _, err := NewNGram(3, s); err == nil || err.Error() != "failed to count n-grams: there are no tokens" {
			t.Errorf("n-grams of %v: %v", s, err)
		}
	}
	if _, err := NewNGram(-1, [][]uint16{{1}}); err == nil {
		t.Error("order -1")
	}
}
