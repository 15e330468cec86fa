package model

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"trafficgpt/model/f32"
)

// onEveryPath runs f with each set of kernels this processor has.
func onEveryPath(t *testing.T, f func(t *testing.T)) {
	old := f32.Path()
	defer func() { _ = f32.SetPath(old) }()
	for _, name := range f32.Paths() {
		if err := f32.SetPath(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

// streamed are the configurations that go token by token.
func streamed() []Config {
	var out []Config
	for _, c := range testConfigs() {
		if !c.Bidirectional {
			out = append(out, c)
		}
	}
	return out
}

// TestSeveralTokensOfALane steps lanes by runs of tokens of all lengths, side by
// side, and wants to the last bit what each gives alone and token by token.
func TestSeveralTokensOfALane(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for i, c := range append(streamed(), streamed()...) {
			o := StreamOptions{BF16: i >= len(streamed())}
			m, v, rng := testModel(t, c), c.Vocabulary, rand.New(rand.NewPCG(7, 8))
			s, alone := NewStream(m, 3, o), []*Stream{NewStream(m, 1, o), NewStream(m, 1, o), NewStream(m, 1, o)}
			for range 12 {
				var lanes []int
				var tokens []uint16
				for _, id := range rng.Perm(3)[:1+rng.IntN(3)] {
					for range 1 + rng.IntN(20) {
						lanes, tokens = append(lanes, id), append(tokens, uint16(rng.IntN(v)))
					}
				}
				got, err := s.Step(lanes, tokens)
				if err != nil {
					t.Fatal(err)
				}
				for i, id := range lanes {
					want, err := alone[id].Step([]int{0}, tokens[i:i+1])
					if err != nil {
						t.Fatal(err)
					}
					sameBits(t, fmt.Sprintf("%s: row %d, lane %d", c.Name, i, id), got[i*v:][:v], want)
				}
			}
			for id := range alone {
				if s.Position(id) != alone[id].Position(0) {
					t.Fatalf("%s: lane %d is at %d, not %d", c.Name, id, s.Position(id), alone[id].Position(0))
				}
			}
		}
	})
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, x := range got {
		if x != want[i] {
			t.Fatalf("%s: logit %d is %v, want %v", what, i, x, want[i])
		}
	}
}

// TestStepAhead follows a lane that looks ahead with one that does not, through
// right and wrong guesses, stops, snapshots, ways back, other lanes and resets.
func TestStepAhead(t *testing.T) {
	defer func(n int) { aheadFrom = n }(aheadFrom)
	aheadFrom = 0
	onEveryPath(t, func(t *testing.T) {
		for _, c := range streamed() {
			m, v, rng := testModel(t, c), c.Vocabulary, rand.New(rand.NewPCG(9, 10))
			s, plain := NewStream(m, 2), NewStream(m, 2)
			token, next := uint16(1), []int{3, 3}
			guess := func(logits []float32) (uint16, bool) {
				if rng.IntN(12) == 0 {
					return uint16(rng.IntN(v)), true
				}
				return uint16(top(logits)), rng.IntN(20) > 0
			}
			var snaps [2]Snapshot
			saved := false
			for i := range 400 {
				got, err := s.StepAhead(0, token, guess)
				if err != nil {
					t.Fatal(err)
				}
				want, err := plain.Step([]int{0}, []uint16{token})
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, fmt.Sprintf("%s: token %d", c.Name, i), got, want)
				token = uint16(top(want))
				if s.Position(0) != plain.Position(0) {
					t.Fatalf("%s: token %d: at %d, not %d", c.Name, i, s.Position(0), plain.Position(0))
				}
				switch rng.IntN(25) {
				case 0:
					s.Save(0, &snaps[0])
					plain.Save(0, &snaps[1])
					saved = true
				case 1:
					if saved && snaps[1].position <= plain.Position(0) {
						s.Restore(0, &snaps[0])
						plain.Restore(0, &snaps[1])
						token = uint16(rng.IntN(v))
					}
				case 2: // another lane, alone or with this one
					next[1] = rng.IntN(v)
					lanes, tokens := []int{1, 0}[:1+rng.IntN(2)], []uint16{uint16(next[1]), token}
					got, err := s.Step(lanes, tokens[:len(lanes)])
					if err != nil {
						t.Fatal(err)
					}
					want, err := plain.Step(lanes, tokens[:len(lanes)])
					if err != nil {
						t.Fatal(err)
					}
					sameBits(t, c.Name+": another lane", got, want)
				case 3: // the other lane looks ahead
					for range 3 {
						got, err := s.StepAhead(1, 2, guess)
						if err != nil {
							t.Fatal(err)
						}
						want, _ := plain.Step([]int{1}, []uint16{2})
						sameBits(t, c.Name+": the other lane", got, want)
					}
				case 4:
					if rng.IntN(3) == 0 {
						s.Reset(0)
						plain.Reset(0)
						saved = false
					}
				}
			}
		}
	})
}
