package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestPrompt wants of a prompt, at the beginning of a flow and within it, what token by token comes out, and the same
// of the tokens behind it; and the same bits whatever other lanes do and however many threads there are.
func TestPrompt(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, c := range streamed() {
			m, v, rng := testModel(t, c), c.Vocabulary, rand.New(rand.NewPCG(11, 12))
			s, plain := NewStream(m, 3), NewStream(m, 1)
			tokens := func(n int) []uint16 {
				out := make([]uint16, n)
				for i := range out {
					out[i] = uint16(rng.IntN(v))
				}
				return out
			}
			for _, n := range []int{1, 3, 40, 2, promptRows + 30, 17} {
				if _, err := s.Step([]int{0, 2}, []uint16{1, 2}); err != nil {
					t.Fatal(err)
				}
				in := tokens(n)
				got, err := s.Prompt(1, in)
				if err != nil {
					t.Fatal(err)
				}
				var want []float32
				for _, x := range in {
					if want, err = plain.Step([]int{0}, []uint16{x}); err != nil {
						t.Fatal(err)
					}
				}
				nearRow(t, fmt.Sprintf("%s: %d tokens", c.Name, n), got, want)
				if s.Position(1) != plain.Position(0) {
					t.Fatalf("%s: at %d, not %d", c.Name, s.Position(1), plain.Position(0))
				}
				for i := range 12 {
					x := uint16(rng.IntN(v))
					got, err := s.Step([]int{1, 0}, []uint16{x, 0})
					if err != nil {
						t.Fatal(err)
					}
					if want, err = plain.Step([]int{0}, []uint16{x}); err != nil {
						t.Fatal(err)
					}
					nearRow(t, fmt.Sprintf("%s: token %d behind %d", c.Name, i, n), got[:v], want)
				}
			}
		}
	})
}

func nearRow(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d logits, not %d", what, len(got), len(want))
	}
	for i, x := range want {
		if d := math.Abs(float64(got[i] - x)); !(d <= 2e-4*(1+math.Abs(float64(x)))) {
			t.Fatalf("%s: logit %d is %v, token by token %v", what, i, got[i], x)
		}
	}
}

// TestPromptBits wants the same bits of a prompt for any number of threads and whatever its lane or others did before.
func TestPromptBits(t *testing.T) {
	for _, c := range append(streamed(), peerConfig(2, 64, 512)) {
		m := testModel(t, c)
		c = m.Config()
		in := make([]uint16, 150)
		for i := range in {
			in[i] = uint16(i * 7 % c.Vocabulary)
		}
		var want []float32
		for _, threads := range []int{1, 2, 3} {
			done := setThreads(threads)
			s := NewStream(m, 2)
			for i := range threads {
				if _, err := s.Step([]int{1, 0}, []uint16{uint16(i), 1}); err != nil {
					t.Fatal(err)
				}
			}
			s.Reset(1)
			got, err := s.Prompt(1, in)
			if err != nil {
				t.Fatal(err)
			}
			got = append([]float32(nil), got...)
			next, err := s.Step([]int{0, 1}, []uint16{1, 2})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, next[c.Vocabulary:]...)
			if want == nil {
				want = got
			}
			sameBits(t, fmt.Sprintf("%s with %d threads", c.Name, threads), got, want)
			done()
		}
	}
}

func TestPromptRefuses(t *testing.T) {
	m := testModel(t, testConfigs()[0])
	s := NewStream(m, 1)
	for what, err := range map[string]error{
		"no tokens":  second(s.Prompt(0, nil)),
		"lane 1":     second(s.Prompt(1, []uint16{1})),
		"token 999":  second(s.Prompt(0, []uint16{1, 999})),
		"both sides": second(NewStream(testModel(t, testConfigs()[11]), 1).Prompt(0, []uint16{1})),
	} {
		if err == nil {
			t.Errorf("a prompt with %s was taken", what)
		}
	}
	if s.Position(0) != 0 {
		t.Errorf("a refused prompt left the lane at %d", s.Position(0))
	}
}

func second(_ []float32, err error) error { return err }

// BenchmarkPrompt has a long prompt, the same tokens in steps of 64, and the forward pass of training; "small" is the
// peer's architecture, "preset" the one of that name, half of whose heads are local.
func BenchmarkPrompt(b *testing.B) {
	const n = 3072
	benchmarkPrompt(b, "small/3072", peerConfig(4, 256, n), n)
	benchmarkPrompt(b, "preset/3072", Small(), n)
}

func benchmarkPrompt(b *testing.B, name string, c Config, n int) {
	m, err := New(c, 1)
	if err != nil {
		b.Fatal(err)
	}
	tokens := randomBatch(n, 1).Tokens
	c.Context = n
	flops := c.FlopsPerToken() * float64(n)
	for kind, o := range map[string]StreamOptions{"": {}, "-half": {Half: true}, "-bf16": {BF16: true}} {
		b.Run(name+kind, func(b *testing.B) {
			s := NewStream(m, 1, o)
			measure(b, n, flops, func() {
				s.Reset(0)
				if _, err := s.Prompt(0, tokens); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	b.Run(name+"-steps", func(b *testing.B) {
		s, lanes := NewStream(m, 1), make([]int, 64)
		measure(b, n, flops, func() {
			s.Reset(0)
			for i := 0; i < n; i += 64 {
				if _, err := s.Step(lanes, tokens[i:i+64]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run(name+"-forward", func(b *testing.B) {
		s, batch := NewScorer(m), NewBatch(tokens)
		measure(b, n, flops, func() {
			if _, err := s.Loss(batch); err != nil {
				b.Fatal(err)
			}
		})
	})
}
