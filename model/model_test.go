package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"trafficgpt/model/f32"
)

// testConfigs cover every mixer and every option of a block.
func testConfigs() []Config {
	base := Config{Layers: 2, Width: 12, Vocabulary: 11, Context: 40, HeadDim: 6, Window: 7, Chunk: 5, FeedForward: 10}
	with := func(name string, f func(*Config)) Config {
		c := base
		c.Name = name
		f(&c)
		return c
	}
	return []Config{
		with("local", func(c *Config) { c.LocalHeads = 2 }),
		with("linear-elu", func(c *Config) { c.LinearHeads = 2 }),
		with("linear-exp", func(c *Config) { c.LinearHeads, c.Features = 2, FeaturesExp }),
		with("softmax", func(c *Config) { c.SoftmaxHeads = 2 }),
		with("retention", func(c *Config) { c.RetentionHeads = 2 }),
		with("rwkv", func(c *Config) { c.RWKVHeads = 2 }),
		with("all", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.SoftmaxHeads, c.RetentionHeads, c.RWKVHeads = 1, 2, 1, 2, 1
			c.GLU, c.TokenShift, c.Positions = true, true, PositionsRotary
		}),
		with("axial-tied", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.Positions, c.AxialRows, c.AxialCols, c.Tied = 1, 1, PositionsAxial, 3, 4, true
		}),
		with("reversible", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.Features, c.TokenShift, c.GLU, c.Reversible = 2, 1, FeaturesExp, true, true, true
		}),
		with("reverse", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.Reversible, c.Memory = 2, 1, true, KeepNothing
		}),
		with("packets", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.Positions, c.Mark, c.Offsets, c.Copies = 1, 1, PositionsRotary, 3, 4, 2
		}),
		with("recompute", func(c *Config) {
			c.LocalHeads, c.RetentionHeads, c.Memory = 2, 1, KeepInputs
		}),
	}
}

// testBatch has segments of odd lengths, one of a single token.
func testBatch(vocabulary int, seed uint64) *Batch {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := &Batch{}
	for i, n := range []int{17, 1, 9, 5} {
		tokens := make([]uint16, n)
		for j := range tokens {
			tokens[j] = uint16(rng.IntN(vocabulary))
		}
		b.Append(tokens, 3*i)
	}
	b.Targets[4] = Ignore
	b.Segments[2].Before = []uint16{3, 1, 2, 3, 0, 3, 5, 6}
	return b
}

// roughen moves every weight, so that gains, biases and decays matter too.
func roughen(m *Model, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, t := range m.p.all {
		for i := range t.w {
			t.w[i] += float32(rng.NormFloat64() * 0.2)
		}
	}
	m.changed()
}

func testModel(t testing.TB, c Config) *Model {
	t.Helper()
	m, err := New(c, 7)
	if err != nil {
		t.Fatal(err)
	}
	roughen(m, 3)
	return m
}

// TestGradients holds the loss against the naive model in float64, and the
// gradients of weights from every tensor against central differences of it.
func TestGradients(t *testing.T) {
	for _, c := range testConfigs() {
		t.Run(c.Name, func(t *testing.T) {
			m := testModel(t, c)
			b := testBatch(c.Vocabulary, 5)
			var w workspace
			m.p.needGrads()
			sum := w.gradients(m, b, 1, dropout{})
			n := newNaive(m)
			if want := n.loss(b); math.Abs(sum-want) > 2e-5*want {
				t.Fatalf("loss is %v, naively %v", sum, want)
			}
			rng := rand.New(rand.NewPCG(1, 9))
			for _, x := range m.p.all {
				worst, scale := 0.0, 1e-3
				for range 6 {
					i := rng.IntN(len(x.w))
					want := difference(n, b, x.at+i)
					scale = max(scale, math.Abs(want))
					worst = max(worst, math.Abs(float64(x.g[i])-want))
				}
				if worst > 3e-4*scale+2e-5 {
					t.Errorf("%s: a gradient is off by %g of %g", x.name, worst, scale)
				}
			}
		})
	}
}

// difference is the central difference of the naive loss in one weight.
func difference(n *naiveModel, b *Batch, at int) float64 {
	const h = 1e-5
	x := n.w[at]
	n.w[at] = x + h
	up := n.loss(b)
	n.w[at] = x - h
	down := n.loss(b)
	n.w[at] = x
	return (up - down) / (2 * h)
}

// TestSameLossAnyThreads trains with several numbers of threads.
func TestSameLossAnyThreads(t *testing.T) {
	for _, c := range testConfigs() {
		c.Dropout = 0.1
		var want []string
		for _, threads := range []int{1, 2, 5} {
			losses := trainSteps(t, c, threads, 4)
			if want == nil {
				want = losses
			}
			for i := range losses {
				if losses[i] != want[i] {
					t.Errorf("%s: step %d gives %s on %d threads, %s on one", c.Name, i+1, losses[i], threads, want[i])
				}
			}
		}
	}
}

func trainSteps(t *testing.T, c Config, threads, steps int) []string {
	t.Helper()
	defer setThreads(threads)()
	m := testModel(t, c)
	tr := NewTrainer(m, DefaultAdamW(), 1)
	var out []string
	for i := range steps {
		info, err := tr.Step(1e-2, testBatch(c.Vocabulary, uint64(i%2)), testBatch(c.Vocabulary, 9))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%b", info.Loss))
	}
	return out
}

func TestLossGoesDown(t *testing.T) {
	for _, c := range testConfigs() {
		m := testModel(t, c)
		tr := NewTrainer(m, DefaultAdamW(), 1)
		b := testBatch(c.Vocabulary, 5)
		var first, last StepInfo
		for i := range 60 {
			info, err := tr.Step(1e-2, b)
			if err != nil {
				t.Fatal(c.Name, err)
			}
			if i == 0 {
				first = info
			}
			last = info
		}
		if last.Loss > 0.5*first.Loss {
			t.Errorf("%s: after 60 steps on one batch the loss is %.3f, at first %.3f", c.Name, last.Loss, first.Loss)
		}
	}
}

func setThreads(n int) (restore func()) {
	old := f32.SetThreads(n)
	return func() { f32.SetThreads(old) }
}
