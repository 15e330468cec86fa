package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
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
		with("both", func(c *Config) {
			c.LocalHeads, c.LinearHeads, c.SoftmaxHeads, c.Bidirectional, c.TokenShift = 1, 2, 1, true, true
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
	for _, t := range m.params.all {
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
			m.params.needGrads()
			sum := w.gradients(m, b, 1, dropout{})
			n := newNaive(m)
			if want := n.loss(b); math.Abs(sum-want) > 2e-5*want {
				t.Fatalf("loss is %v, naively %v", sum, want)
			}
			rng := rand.New(rand.NewPCG(1, 9))
			for _, x := range m.params.all {
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
	tr := NewTrainer(m, TrainerOptions{Seed: 1})
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
		tr := NewTrainer(m, TrainerOptions{Seed: 1})
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

// TestAccumulation holds several passes of one step against one pass of all.
func TestAccumulation(t *testing.T) {
	for _, c := range testConfigs() {
		one, two := testModel(t, c), testModel(t, c)
		a, b := testBatch(c.Vocabulary, 5), testBatch(c.Vocabulary, 6)
		joined := &Batch{Tokens: append(append([]uint16(nil), a.Tokens...), b.Tokens...), Targets: append(append([]int(nil), a.Targets...), b.Targets...), Segments: append([]Segment(nil), a.Segments...)}
		for _, s := range b.Segments {
			s.Start, s.End = s.Start+len(a.Tokens), s.End+len(a.Tokens)
			joined.Segments = append(joined.Segments, s)
		}
		x, err := NewTrainer(one, TrainerOptions{Seed: 1}).Step(1e-3, a, b)
		if err != nil {
			t.Fatal(err)
		}
		y, err := NewTrainer(two, TrainerOptions{Seed: 1}).Step(1e-3, joined)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(x.Loss-y.Loss) > 1e-5 || math.Abs(x.Norm-y.Norm) > 1e-3*y.Norm {
			t.Errorf("%s: in two passes loss %v and norm %v, in one %v and %v", c.Name, x.Loss, x.Norm, y.Loss, y.Norm)
		}
	}
}

// TestMemoryModesAgree trains with every memory mode: recomputation changes
// nothing at all, rebuilding from outputs only the last digits.
func TestMemoryModesAgree(t *testing.T) {
	for _, reversible := range []bool{false, true} {
		var want []float64
		for _, memory := range []string{KeepAll, KeepInputs, KeepNothing} {
			if memory == KeepNothing && !reversible {
				continue
			}
			c := testConfigs()[6]
			c.Memory, c.Reversible, c.Dropout = memory, reversible, 0.1
			m := testModel(t, c)
			tr := NewTrainer(m, TrainerOptions{Seed: 1})
			for i := range 5 {
				info, err := tr.Step(1e-3, testBatch(c.Vocabulary, uint64(i)))
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case memory == KeepAll:
					want = append(want, info.Loss, info.Norm)
				case memory == KeepInputs && (info.Loss != want[2*i] || info.Norm != want[2*i+1]):
					t.Errorf("reversible %v, step %d: %+v with %s, %v with all kept", reversible, i+1, info, memory, want[2*i:2*i+2])
				case math.Abs(info.Loss-want[2*i]) > 1e-4 || math.Abs(info.Norm-want[2*i+1]) > 1e-3*info.Norm:
					t.Errorf("reversible %v, step %d: %+v with %s, %v with all kept", reversible, i+1, info, memory, want[2*i:2*i+2])
				}
			}
		}
	}
}

// TestBorders changes one flow of a batch after another: nothing may change in the
// others, before or behind it, neither losses nor the gradients they give.
func TestBorders(t *testing.T) {
	for _, c := range testConfigs() {
		m := testModel(t, c)
		s := NewScorer(m)
		first, err := s.Losses(testBatch(c.Vocabulary, 5))
		if err != nil {
			t.Fatal(err)
		}
		before := append([]float32(nil), first...)
		for which := range testBatch(c.Vocabulary, 5).Segments {
			b := testBatch(c.Vocabulary, 5)
			g := b.Segments[which]
			for i := g.Start; i < g.End; i++ {
				b.Tokens[i] = (b.Tokens[i] + 1) % uint16(c.Vocabulary)
			}
			after, err := s.Losses(b)
			if err != nil {
				t.Fatal(err)
			}
			changed := g.End == g.Start+1 // a flow of one token predicts nothing
			for i := range after {
				if (i < g.Start || i >= g.End) && after[i] != before[i] {
					t.Fatalf("%s: flow %d changed, and with it row %d of another, from %v to %v", c.Name, which, i, before[i], after[i])
				}
				changed = changed || after[i] != before[i]
			}
			if !changed {
				t.Errorf("%s: flow %d: nothing changed", c.Name, which)
			}
		}
	}
}

// TestClip looks at the first moments behind one step: a tenth of the gradients, as
// they were clipped.
func TestClip(t *testing.T) {
	for _, clip := range []float64{-1, 1e-3, 1e6} {
		m := testModel(t, testConfigs()[6])
		tr := NewTrainer(m, TrainerOptions{Optimizer: AdamW{Clip: clip}, Seed: 1})
		info, err := tr.Step(1e-3, testBatch(m.cfg.Vocabulary, 5))
		if err != nil {
			t.Fatal(err)
		}
		want := info.Norm
		if clip > 0 {
			want = min(want, clip)
		}
		if got := math.Sqrt(f32.SumSquares(tr.m1)) / (1 - tr.o.Optimizer.Beta1); math.Abs(got-want) > 1e-4*want {
			t.Errorf("clipped at %g, gradients of norm %g went in with norm %g", clip, info.Norm, got)
		}
	}
}

// TestDropoutGradients checks, with dropout on, the loss's slope along its
// gradient against differences of the loss itself.
func TestDropoutGradients(t *testing.T) {
	for _, c := range testConfigs() {
		m := testModel(t, c)
		b := testBatch(c.Vocabulary, 5)
		drop := dropout{rate: 0.2, seed: 9}
		var w workspace
		m.params.needGrads()
		without := w.gradients(m, b, 1, dropout{})
		clear(m.params.grads)
		with := w.gradients(m, b, 1, drop)
		if with == without {
			t.Errorf("%s: dropout changes nothing", c.Name)
		}
		norm := math.Sqrt(f32.SumSquares(m.params.grads))
		g := append([]float32(nil), m.params.grads...)
		kept := append([]float32(nil), m.params.weights...)
		h := 0.02 / norm
		loss := func(sign float64) float64 {
			for i := range kept {
				m.params.weights[i] = kept[i] + float32(sign*h/norm)*g[i]
			}
			return w.gradients(m, b, 1, drop)
		}
		slope := (loss(1) - loss(-1)) / (2 * h)
		if math.Abs(slope-norm) > 2e-2*norm {
			t.Errorf("%s: the slope is %v, the gradient's norm %v", c.Name, slope, norm)
		}
	}
}

// TestEveryPath runs every configuration on every kernel this processor has,
// plain Go included: losses and gradients must agree up to rounding.
func TestEveryPath(t *testing.T) {
	defer func(old string) { _ = f32.SetPath(old) }(f32.Path())
	for _, c := range testConfigs() {
		var loss, norm float64
		for i, path := range f32.Paths() {
			if err := f32.SetPath(path); err != nil {
				t.Fatal(err)
			}
			m := testModel(t, c)
			m.params.needGrads()
			var w workspace
			l := w.gradients(m, testBatch(c.Vocabulary, 5), 1, dropout{})
			n := math.Sqrt(f32.SumSquares(m.params.grads))
			if i == 0 {
				loss, norm = l, n
			}
			if math.Abs(l-loss) > 1e-5*loss || math.Abs(n-norm) > 1e-4*norm {
				t.Errorf("%s: %s gives loss %v and norm %v, plain Go %v and %v", c.Name, path, l, n, loss, norm)
			}
		}
	}
}

// TestWhereItBroke spoils a model in different places; the error must name the
// place, and the weights must stay as they were.
func TestWhereItBroke(t *testing.T) {
	nan := float32(math.NaN())
	for want, spoil := range map[string]func(m *Model){
		"weight layers.1.fc1.weight": func(m *Model) { m.params.layers[1].fc1.w[3] = nan },
		"output of layer 1":          func(m *Model) { fill(m.params.layers[1].fc2.w, 1e38) },
		"step 1":                     func(m *Model) { m.params.embed.w[0] = float32(math.Inf(1)) },
	} {
		m := testModel(t, testConfigs()[0])
		spoil(m)
		before := append([]float32(nil), m.Weights()...)
		_, err := NewTrainer(m, TrainerOptions{Seed: 1}).Step(1e-3, testBatch(m.cfg.Vocabulary, 5))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, and does not name %s", err, want)
		}
		for i, w := range m.Weights() {
			if w != before[i] && w == w {
				t.Fatalf("%s: weight %d changed", want, i)
			}
		}
	}
}
