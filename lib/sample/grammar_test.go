package sample

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// walker writes flows without a model, and asks grammar and dialog and their naive forms at
// every token.
type walker struct {
	t     *testing.T
	rng   *rand.Rand
	o     Options
	lane  *lane
	rules naiveGrammar
	talk  naiveDialog
	sets  int // that were compared
}

// naive is what the slow truth allows. With a beginning that is no packet at all it may
// read beyond the packet's end; nothing is compared then.
func (w *walker) naive() (allowed []bool, ok bool) {
	defer func() { ok = recover() == nil }()
	l := w.lane
	last := l.starts[len(l.starts)-1]
	w.rules.tcp = nil
	if w.o.Dialog {
		w.talk.read(l.tokens, l.starts)
		w.rules.tcp = &w.talk
	}
	return w.rules.next(l.tokens[last:], w.o.MaxTokens-len(l.tokens)-1, last == l.starts[0]), true
}

// compare asks both for the lane's next token and returns what they allow.
func (w *walker) compare() []int {
	got := w.lane.allowed(w.o)
	want, ok := w.naive()
	var tokens []int
	for t := range tokenizer.Vocabulary {
		if ok && got.has(t) != want[t] {
			w.t.Fatalf("dialog %v: token %d is allowed %v, by the naive form %v, behind %d", w.o.Dialog, t, got.has(t), want[t], w.lane.tokens)
		}
		if got.has(t) {
			tokens = append(tokens, t)
		}
	}
	w.sets++
	return tokens
}

// pick prefers short packets and long flows.
func (w *walker) pick(tokens []int) uint16 {
	switch {
	case slices.Contains(tokens, tokenizer.Start) && w.rng.IntN(12) > 0:
		return tokenizer.Start
	case tokens[0] < 2 && w.rng.IntN(8) > 0:
		return uint16(tokens[0])
	}
	return uint16(tokens[w.rng.IntN(len(tokens))])
}

// append puts a token behind the lane's, as judge does.
func (w *walker) append(t uint16) {
	l := w.lane
	if t == tokenizer.Start {
		l.starts = append(l.starts, len(l.tokens))
		l.rules.forget()
	}
	l.tokens = append(l.tokens, t)
}

// ahead looks ahead some tokens and takes them back.
func (w *walker) ahead() {
	l := w.lane
	n, rules := len(l.tokens), l.rules
	for range w.rng.IntN(16) {
		tokens := w.compare()
		if len(tokens) == 0 || len(l.tokens) >= w.o.MaxTokens-1 {
			break
		}
		t := w.pick(tokens)
		if t >= tokenizer.Start {
			break
		}
		l.tokens = append(l.tokens, t)
	}
	l.tokens, l.rules = l.tokens[:n], rules
}

// flow writes one flow behind a beginning and returns its packets.
func (w *walker) flow(beginning []uint16) int {
	w.lane = &lane{tokens: slices.Clone(beginning), fixed: len(beginning)}
	for i, t := range beginning {
		if t == tokenizer.Start {
			w.lane.starts = append(w.lane.starts, i)
		}
	}
	for len(w.lane.tokens) < w.o.MaxTokens {
		switch w.rng.IntN(300) {
		case 0:
			w.lane.cut()
			continue
		case 1, 2, 3, 4, 5, 6:
			w.ahead()
		}
		tokens := w.compare()
		if len(tokens) == 0 {
			break
		}
		t := w.pick(tokens)
		if t == tokenizer.End {
			break
		}
		w.append(t)
	}
	return len(w.lane.starts)
}

// TestGrammar writes flows at random, from the beginning and behind real ones that are cut
// or damaged anywhere, goes back and looks ahead now and then, and holds each set of tokens
// to that of the naive form.
func TestGrammar(t *testing.T) {
	real := dataset.Lab().Flows
	for _, dialog := range []bool{false, true} {
		w := &walker{t: t, rng: rand.New(rand.NewPCG(4, 4)), o: Options{Constrained: true, Dialog: dialog}}
		most := 0
		for i := range some(320) {
			w.o.MaxTokens = 200 + w.rng.IntN(1400)
			beginning := []uint16{tokenizer.Start}
			if i%3 > 0 {
				beginning = w.beginning(real)
			}
			most = max(most, w.flow(beginning))
		}
		t.Logf("dialog %v: %d sets, at most %d packets", dialog, w.sets, most)
		if most < 8 {
			t.Errorf("no flow has more than %d packets", most)
		}
	}
}

// beginning is that of a flow that is real, but for some tokens.
func (w *walker) beginning(flows []*pcap.Flow) []uint16 {
	f := *flows[w.rng.IntN(len(flows))]
	f.Packets = f.Packets[:min(len(f.Packets), 1+w.rng.IntN(6))]
	tokens := tokenizer.Encode(&f)
	tokens = tokens[:1+w.rng.IntN(min(len(tokens)-1, w.o.MaxTokens/2))]
	if w.rng.IntN(2) == 0 {
		for range 1 + w.rng.IntN(4) {
			if i := w.rng.IntN(len(tokens)); tokens[i] < tokenizer.Start {
				tokens[i] = uint16(w.rng.IntN(256))
			}
		}
	}
	return tokens
}

// TestChooseAsNaive draws from logits with equal and infinite ones, and such that are no
// numbers, in every way: tokens and the state of the source must be the naive form's.
func TestChooseAsNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(-1)), 1, -1, 3e38, -3e38, 1e-40, float32(math.Inf(1))}
	logits := make([]float32, tokenizer.Vocabulary)
	for n := range some(40000) {
		for i := range logits {
			logits[i] = float32(rng.NormFloat64() * 3)
			switch n % 4 {
			case 1:
				logits[i] = float32(math.Round(float64(logits[i])))
			case 2:
				if rng.IntN(3) == 0 {
					logits[i] = special[rng.IntN(1+n/4%len(special))]
				}
			}
		}
		o := Options{TopK: []int{25, -1, 1, 2, 64, 65, 200, 1000}[rng.IntN(8)], Temperature: []float64{1, 0.1, 3, 1e-9}[rng.IntN(4)], Greedy: rng.IntN(9) == 0}
		if rng.IntN(3) == 0 {
			o.TopP = rng.Float64()
		}
		if rng.IntN(3) == 0 {
			o.MinP = rng.Float64() * rng.Float64()
		}
		var allowed *set
		var mask []bool
		if count := rng.IntN(4); count > 0 {
			allowed, mask = new(set), make([]bool, len(logits))
			for i := range logits {
				if []bool{i == n%260, i < 256, rng.IntN(4) == 0}[count-1] {
					allowed.add(i)
					mask[i] = true
				}
			}
		}
		seed := rng.Uint64()
		a, b := rand.NewPCG(seed, 1), rand.NewPCG(seed, 1)
		naive := naiveChooser{o: o}
		got, want := newChooser(o).choose(logits, allowed, rand.New(a)), naive.choose(logits, mask, rand.New(b))
		if got != want || *a != *b {
			t.Fatalf("draw %d, %+v: token %d, not %d", n, o, got, want)
		}
	}
}
