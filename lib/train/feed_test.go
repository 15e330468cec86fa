package train

import (
	"math"
	"testing"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
)

// TestMask hides about the share of tokens that is asked for; hidden ones alone are
// targets, each with the token that was there.
func TestMask(t *testing.T) {
	for _, rate := range []float64{0.15, 0.5, 1e-9} {
		tokens := make([]uint16, 20000)
		for i := range tokens {
			tokens[i] = uint16(i % 256)
		}
		b := model.NewBatch(append([]uint16(nil), tokens...))
		mask(b, rate, 3, 4)
		hidden := 0
		for i, was := range tokens {
			switch {
			case b.Targets[i] == model.Ignore && b.Tokens[i] == was:
			case b.Targets[i] == int(was) && b.Tokens[i] == tokenizer.Pad:
				hidden++
			default:
				t.Fatalf("row %d: token %d became %d with target %d", i, was, b.Tokens[i], b.Targets[i])
			}
		}
		if want := rate * float64(len(tokens)); hidden == 0 || math.Abs(float64(hidden)-want) > 5*math.Sqrt(want)+1 {
			t.Errorf("rate %g hides %d of %d tokens", rate, hidden, len(tokens))
		}
		again := model.NewBatch(append([]uint16(nil), tokens...))
		mask(again, rate, 3, 5)
		same := true
		for i := range again.Tokens {
			same = same && again.Tokens[i] == b.Tokens[i]
		}
		if same && rate > 0.01 {
			t.Error("another draw hides the same tokens")
		}
	}
}

// TestFeed packs an epoch: every batch is full, every flow's tokens are predicted
// once but for the first, and every segment is a piece of one flow.
func TestFeed(t *testing.T) {
	c := tiny()
	m := build(t, c)
	all := Options{}.encode(m, flows(30, 1))
	want := 0
	for _, f := range all {
		want += len(f) - 1
	}
	f := newFeed(m.Config(), all, 1, Position{})
	seen := map[[2]int]int{}
	for f.at.Epoch == 0 {
		from := f.at
		b := f.next(1, c.Context)
		if len(b.Tokens) != c.Context {
			t.Fatalf("a batch of %d tokens in a context of %d", len(b.Tokens), c.Context)
		}
		order := newFeed(m.Config(), all, 1, from)
		for _, s := range b.Segments {
			flow := order.order[order.at.Flow]
			for i := s.Start; i < s.End; i++ {
				at := s.Position + i - s.Start
				if b.Tokens[i] != all[flow][at] {
					t.Fatalf("flow %d, token %d: %d, not %d", flow, at, b.Tokens[i], all[flow][at])
				}
				if at+1 < len(all[flow]) && order.at.Epoch == 0 {
					if b.Targets[i] != int(all[flow][at+1]) {
						t.Fatalf("flow %d, token %d is to predict %d", flow, at, b.Targets[i])
					}
					seen[[2]int{flow, at}]++
				} else if at+1 == len(all[flow]) && b.Targets[i] != model.Ignore {
					t.Fatalf("flow %d: its last token is to predict %d", flow, b.Targets[i])
				}
			}
			order.next(1, s.End-s.Start)
		}
	}
	for at, n := range seen {
		if n != 1 {
			t.Errorf("flow %d, token %d is predicted %d times", at[0], at[1], n)
		}
	}
	if len(seen) != want {
		t.Errorf("%d tokens are predicted in an epoch, of %d", len(seen), want)
	}
}
