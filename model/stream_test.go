package model

import (
	"math"
	"os"
	"testing"

	"trafficgpt/model/f32"
)

// TestStreamEqualsBatch holds the recurrent form against the chunked form and
// the naive model, with lanes of different lengths side by side.
func TestStreamEqualsBatch(t *testing.T) {
	for _, c := range testConfigs() {
		if c.Bidirectional {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			m := testModel(t, c)
			b := testBatch(c.Vocabulary, 5)
			for i := range b.Segments {
				b.Segments[i].Position, b.Segments[i].Before = 0, nil // a stream begins at the flow's beginning
			}
			want := newNaive(m).logits(b)
			var w workspace
			var f final
			w.begin(m, b, false, dropout{}).forward(&f)
			s := NewStream(m, len(b.Segments))
			v := c.Vocabulary
			for i := 0; ; i++ {
				var lanes []int
				var tokens []uint16
				for j, g := range b.Segments {
					if g.Start+i < g.End {
						lanes, tokens = append(lanes, j), append(tokens, b.Tokens[g.Start+i])
					}
				}
				if len(lanes) == 0 {
					break
				}
				got, err := s.Step(lanes, tokens)
				if err != nil {
					t.Fatal(err)
				}
				for r, j := range lanes {
					at := b.Segments[j].Start + i
					sameRow(t, "recurrent", got[r*v:][:v], want[at])
					sameRow(t, "chunked", f.logits[at*v:][:v], want[at])
				}
			}
		})
	}
}

func sameRow(t *testing.T, form string, got []float32, want []float64) {
	t.Helper()
	for i, x := range got {
		if d := math.Abs(float64(x) - want[i]); !(d <= 2e-4*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: logit %d is %v, naively %v", form, i, x, want[i])
		}
	}
}

// TestSnapshot goes back and forth and must see the same logits.
func TestSnapshot(t *testing.T) {
	for _, c := range testConfigs() {
		if c.Bidirectional {
			continue
		}
		m := testModel(t, c)
		s := NewStream(m, 1)
		step := func(tok uint16) []float32 {
			x, err := s.Step([]int{0}, []uint16{tok})
			if err != nil {
				t.Fatal(err)
			}
			return append([]float32(nil), x...)
		}
		for i := range 9 {
			step(uint16(i % c.Vocabulary))
		}
		var snap Snapshot
		s.Save(0, &snap)
		first := step(3)
		for i := range 11 {
			step(uint16(i % 5))
		}
		s.Restore(0, &snap)
		for i, x := range step(3) {
			if x != first[i] {
				t.Fatalf("%s: logit %d is %v after going back, %v before", c.Name, i, x, first[i])
			}
		}
		s.Reset(0)
		if s.Position(0) != 0 {
			t.Fatalf("%s: a reset lane is at position %d", c.Name, s.Position(0))
		}
	}
}

// TestHalf holds a stream with weights in 16 bits near the exact one.
func TestHalf(t *testing.T) {
	for _, c := range testConfigs() {
		m := testModel(t, c)
		if c.Bidirectional {
			if _, err := NewStream(m, 1).Step([]int{0}, []uint16{1}); err == nil {
				t.Error("a bidirectional model went token by token")
			}
			continue
		}
		exact, rounded := NewStream(m, 2), NewStream(m, 2, StreamOptions{Half: true})
		for i := range 20 {
			in := []uint16{uint16(i % c.Vocabulary), uint16(3 * i % c.Vocabulary)}
			want, err := exact.Step([]int{0, 1}, in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rounded.Step([]int{0, 1}, in)
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for j, x := range got {
				worst = max(worst, math.Abs(float64(x-want[j])))
			}
			if !(worst < 0.05) || worst == 0 {
				t.Fatalf("%s: token %d: a logit is off by %v", c.Name, i, worst)
			}
		}
	}
}

// TestBF16 holds a stream in bfloat16 near the exact one, where the processor has the instructions away from it, and a prompt
// near its tokens one by one.
func TestBF16(t *testing.T) {
	for _, c := range append(streamed(), peerConfig(2, 64, 512)) {
		m := testModel(t, c)
		c = m.Config()
		exact, rounded, prompted := NewStream(m, 1), NewStream(m, 1, StreamOptions{BF16: true}), NewStream(m, 1, StreamOptions{BF16: true})
		var tokens []uint16
		for i := range 20 {
			tokens = append(tokens, uint16(i*i%c.Vocabulary))
			want, err := exact.Step([]int{0}, tokens[i:])
			if err != nil {
				t.Fatal(err)
			}
			got, err := rounded.Step([]int{0}, tokens[i:])
			if err != nil {
				t.Fatal(err)
			}
			if worst := furthest(got, want); !(worst < 0.3) || worst == 0 {
				t.Fatalf("%s: token %d: a logit is off by %v", c.Name, i, worst)
			}
			if i == 19 {
				at, err := prompted.Prompt(0, tokens)
				if err != nil {
					t.Fatal(err)
				}
				if worst := furthest(at, got); !(worst < 0.3) {
					t.Fatalf("%s: a logit behind a prompt is off by %v", c.Name, worst)
				}
			}
		}
	}
}

func furthest(a, b []float32) (worst float64) {
	for i, x := range a {
		worst = max(worst, math.Abs(float64(x-b[i])))
	}
	return worst
}

func TestStreamRefusesBadTokens(t *testing.T) {
	m := testModel(t, testConfigs()[0])
	s := NewStream(m, 2)
	for _, bad := range []struct {
		lanes  []int
		tokens []uint16
	}{{[]int{0}, []uint16{999}}, {[]int{2}, []uint16{1}}, {[]int{0}, nil}, {[]int{-1}, []uint16{1}}, {[]int{0, 1, 0}, []uint16{1, 1, 1}}} {
		if _, err := s.Step(bad.lanes, bad.tokens); err == nil {
			t.Errorf("tokens %v on lanes %v were taken", bad.tokens, bad.lanes)
		}
	}
}

// TestConstantMemory runs a lane far beyond the model's context: its state keeps
// its size, and its logits stay finite.
func TestConstantMemory(t *testing.T) {
	c := testConfigs()[6]
	c.SoftmaxHeads = 0
	m := testModel(t, c)
	s := NewStream(m, 1)
	size := s.StateBytes(0)
	tokens := 20000
	if os.Getenv("TRAFFICGPT_LONG") != "" {
		tokens = 1_000_000
	}
	for i := range tokens {
		logits, err := s.Step([]int{0}, []uint16{uint16(i * 7 % c.Vocabulary)})
		if err != nil {
			t.Fatal(err)
		}
		if i%5000 == 4999 && !finite(f32.SumSquares(logits)) {
			t.Fatalf("the logits at token %d are not finite", i)
		}
	}
	if got := s.StateBytes(0); got != size {
		t.Errorf("the state takes %d bytes after %d tokens, %d at first", got, tokens, size)
	}
	if !c.aware() { // with packets told, their tokens are kept
		lanes, in := []int{0}, []uint16{1}
		if allocs := allocations(func() { _, _ = s.Step(lanes, in) }); allocs > 0 {
			t.Errorf("a token makes %v allocations", allocs)
		}
	}
}
