package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"trafficgpt/display"
)

// headConfigs are the configurations of the other tests, and one more for what they do
// not have together. RWKV heads of one channel are those whose map says all.
func headConfigs() []Config {
	axial := Config{Name: "axial-all", Layers: 3, Width: 12, Vocabulary: 11, Context: 40, HeadDim: 6, Window: 4, Chunk: 5, FeedForward: 10,
		LocalHeads: 1, LinearHeads: 1, SoftmaxHeads: 1, RetentionHeads: 2, TokenShift: true, Positions: PositionsAxial, AxialRows: 3, AxialCols: 8}
	narrow := axial
	narrow.Name, narrow.HeadDim, narrow.LocalHeads, narrow.RetentionHeads, narrow.RWKVHeads = "narrow", 1, 1, 0, 3
	return append(testConfigs(), axial, narrow)
}

func someTokens(n, vocabulary int) []uint16 {
	rng := rand.New(rand.NewPCG(uint64(n), 4))
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(rng.IntN(vocabulary))
	}
	return out
}

// projections are the queries, keys, values and gates of every head of a layer, in
// float64, of the hidden states x that it reads: [head][row][feature], and the gates of
// retention heads alone.
func (n *naiveModel) projections(l int, x matrix) (q, k, v, gate []matrix) {
	c, layer := n.m.cfg, &n.m.params.layers[l]
	y := n.linear(n.shift(n.norm(x, &layer.norm1Gain, &layer.norm1Bias)), &layer.qkv, &layer.qkvBias)
	part := func(from int) matrix {
		out := newMatrix(len(x), c.HeadDim)
		for i := range out {
			copy(out[i], y[i][from:])
		}
		return out
	}
	for h := range c.Heads() {
		at := h * c.HeadDim
		q, k, v = append(q, part(at)), append(k, part(c.inner()+at)), append(v, part(2*c.inner()+at))
		switch c.kind(h) {
		case linearHead:
			n.features(q[h], k[h])
		case localHead, softmaxHead, retentionHead:
			n.rotate(q[h])
			n.rotate(k[h])
		}
	}
	for g := range c.RetentionHeads {
		gate = append(gate, part(3*c.inner()+g*c.HeadDim))
	}
	return q, k, v, gate
}

// TestAttentionIsTheModels computes what each layer's attention adds from the maps, and
// values, gates and the last product in float64, and wants what the model adds, on every path.
func TestAttentionIsTheModels(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, c := range headConfigs() {
			m, tokens := testModel(t, c), someTokens(17, c.Vocabulary)
			for l := range c.Layers {
				maps, err := m.Attention(tokens, l)
				if err != nil {
					t.Fatal(err)
				}
				checkMaps(t, m.cfg, maps, l, len(tokens))
				// What the model reads there, and what it makes of that.
				s := NewScorer(m)
				p, x1, x2 := s.through(NewBatch(tokens), l)
				if c.Reversible {
					x1 = x2
				}
				x, zero, got := widen(x1, c.Width), make([]float32, len(x1)), make([]float32, len(x1))
				p.attention(l, x1, zero, got, 1, &attnSaved{})
				want := newNaive(m).fromMaps(maps, l, x)
				for i, row := range widen(got, c.Width) {
					for j, y := range row {
						if d := math.Abs(y - want[i][j]); !(d <= 1e-4) {
							t.Fatalf("%s, layer %d: channel %d of row %d is %v, from the maps %v", c.Name, l, j, i, y, want[i][j])
						}
					}
				}
			}
		}
	})
}

// fromMaps is the attention branch of a layer, from its maps and the states x it reads.
func (n *naiveModel) fromMaps(maps []HeadMap, l int, x matrix) matrix {
	c, layer := n.m.cfg, &n.m.params.layers[l]
	q, k, v, gate := n.projections(l, x)
	o := newMatrix(len(x), c.inner())
	for h, head := range maps {
		r := newMatrix(len(x), c.HeadDim)
		for i := range r {
			for j, w := range head.Weights[i] {
				axpy64(r[i], w, v[h][j])
			}
		}
		switch c.kind(h) {
		case retentionHead:
			for i := range r {
				naiveGate(r[i], gate[h-c.firstRetention()][i])
			}
		case rwkvHead:
			g := h - c.firstRWKV()
			if c.HeadDim > 1 { // its map is a mean, which does not say the output
				r, _ = naiveRWKV{n.row(&layer.rwkvDecay, g), n.row(&layer.rwkvBonus, g)}.forward(naiveMix{q: q[h], k: k[h], v: v[h]})
				break
			}
			for i := range r {
				r[i][0] /= 1 + math.Exp(-q[h][i][0])
			}
		}
		for i := range r {
			copy(o[i][h*c.HeadDim:], r[i])
		}
	}
	return n.linear(o, &layer.proj, &layer.projBias)
}

// checkMaps wants heads in order, rows that add up to 1, and zeros where a head does not see.
func checkMaps(t *testing.T, c Config, maps []HeadMap, layer, n int) {
	t.Helper()
	if len(maps) != c.Heads() {
		t.Fatalf("%s: %d maps of %d heads", c.Name, len(maps), c.Heads())
	}
	for h, m := range maps {
		if m.Head != h || m.Layer != layer || m.Kind != headNames[c.kind(h)] || len(m.Weights) != n {
			t.Fatalf("%s: map %d of layer %d is %v", c.Name, h, layer, m)
		}
		for i, row := range m.Weights {
			sum := 0.0
			for j, w := range row {
				sum += w
				hidden := j > i && !c.Bidirectional || m.Kind == "local" && max(i-j, j-i) >= c.Window
				if hidden && w != 0 || !hidden && w == 0 {
					t.Fatalf("%s, %v: row %d takes %v of row %d", c.Name, m, i, w, j)
				}
			}
			if m.Kind != "retention" && !(math.Abs(sum-1) < 1e-9 || m.Kind == "linear" && sum < 1 && sum > .999) {
				t.Errorf("%s, %v: row %d adds up to %v", c.Name, m, i, sum)
			}
		}
	}
}

// TestAttentionByHand sets every query to (1,1,1,1) and every key to (2,2,2,2).
func TestAttentionByHand(t *testing.T) {
	m, err := New(Config{Layers: 1, Width: 8, Context: 8, HeadDim: 4, FeedForward: 4, Window: 2, LocalHeads: 1, LinearHeads: 1, SoftmaxHeads: 1,
		RetentionHeads: 1, RWKVHeads: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := &m.params.layers[0]
	clear(l.qkv.w)
	fill(l.qkvBias.w[:20], 1)
	fill(l.qkvBias.w[20:40], 2)
	clear(l.rwkvDecay.w) // w = e^0
	fill(l.rwkvBonus.w, float32(math.Log(2)))
	maps, err := m.Attention([]uint16{256, 1, 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := math.Exp(-1)
	want := []matrix{
		{{1, 0, 0}, {.5, .5, 0}, {0, .5, .5}},
		{{1, 0, 0}, {.5, .5, 0}, {1. / 3, 1. / 3, 1. / 3}}, // q·k is 4·2·3 for all
		{{1, 0, 0}, {.5, .5, 0}, {1. / 3, 1. / 3, 1. / 3}},
		{{8, 0, 0}, {7.75, 8, 0}, {7.5078125, 7.75, 8}},                           // 8·(31/32)^(i-j)
		{{1, 0, 0}, {1. / 3, 2. / 3, 0}, {e / (e + 3), 1 / (e + 3), 2 / (e + 3)}}, // e^u = 2
	}
	for h, w := range want {
		near(t, maps[h].String(), maps[h].Weights, w)
	}
	// Features of the paper's, keys of -10: q is 1/4 each, times 4^-1/2, so that q·k is
	// 4·(1/8)·e^-10, about 23 times the 1e-6 that is added to the divisor.
	if m, err = New(Config{Layers: 1, Width: 8, Context: 8, HeadDim: 4, FeedForward: 4, LinearHeads: 1, Features: FeaturesExp}, 1); err != nil {
		t.Fatal(err)
	}
	clear(m.params.layers[0].qkv.w)
	fill(m.params.layers[0].qkvBias.w[4:8], -10)
	if maps, err = m.Attention([]uint16{256, 1}, 0); err != nil {
		t.Fatal(err)
	}
	near(t, "small features", maps[0].Weights, matrix{{.957806, 0}, {.489224, .489224}})
}

// TestState holds the states of a stream against sums over keys and values in float64, and
// the maps against what the last token reads from these states.
func TestState(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, c := range headConfigs() {
			if c.Bidirectional {
				continue
			}
			m, n := testModel(t, c), newNaive(testModel(t, c))
			for _, count := range []int{0, 1, 3, 7, 17} {
				tokens := someTokens(count, c.Vocabulary)
				s := NewStream(m, 2)
				for _, tok := range tokens {
					if _, err := s.Step([]int{1}, []uint16{tok}); err != nil {
						t.Fatal(err)
					}
				}
				for l := range c.Layers {
					var q, k, v []matrix
					var maps []HeadMap
					if count > 0 {
						_, x1, x2 := NewScorer(m).through(NewBatch(tokens), l)
						if c.Reversible {
							x1 = x2
						}
						q, k, v, _ = n.projections(l, widen(x1, c.Width))
						var err error
						if maps, err = m.Attention(tokens, l); err != nil {
							t.Fatal(err)
						}
					} else {
						q, k, v = make([]matrix, c.Heads()), make([]matrix, c.Heads()), make([]matrix, c.Heads())
					}
					for h := range c.Heads() {
						what := fmt.Sprintf("%s, %d tokens, layer %d, head %d", c.Name, count, l, h)
						got, err := s.State(1, l, h)
						if err != nil {
							t.Fatal(err)
						}
						near(t, what, got, n.state(l, h, k[h], v[h]))
						if kind := c.kind(h); count > 0 && (kind == linearHead || kind == retentionHead) {
							reads(t, what, got, q[h][count-1], k[h], v[h], maps[h].Weights[count-1], kind == linearHead)
						}
					}
				}
			}
		}
	})
}

// state is what a head keeps of these keys and values.
func (n *naiveModel) state(l, h int, k, v matrix) matrix {
	c, layer := n.m.cfg, &n.m.params.layers[l]
	switch c.kind(h) {
	case localHead:
		return k[max(0, len(k)-c.Window):]
	case softmaxHead:
		return k
	case rwkvHead:
		g := h - c.firstRWKV()
		out := newMatrix(2, c.HeadDim)
		fill64(out[1], math.Inf(-1))
		if len(k) > 0 {
			_, s := naiveRWKV{n.row(&layer.rwkvDecay, g), n.row(&layer.rwkvBonus, g)}.forward(naiveMix{q: k, k: k, v: v})
			for i, b := range s[1][0] {
				out[0][i], out[1][i] = s[0][0][i]/b, math.Log(b)
			}
		}
		return out
	}
	gamma := 1.
	if c.kind(h) == retentionHead {
		gamma = 1 - math.Exp2(-5-float64(h-c.firstRetention()))
	}
	out := newMatrix(c.HeadDim, c.HeadDim)
	for j := range k {
		for i, x := range k[j] {
			axpy64(out[i], math.Pow(gamma, float64(len(k)-1-j))*x, v[j])
		}
	}
	return out
}

func fill64(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}

// reads wants of q·S what the weights of the last row make of the values.
func reads(t *testing.T, what string, state matrix, q []float64, k, v matrix, weights []float64, divided bool) {
	t.Helper()
	got, want, divisor := make([]float64, len(q)), make([]float64, len(q)), 1.
	if divided {
		divisor = scanEpsilon
		for j := range k {
			divisor += dot64(q, k[j])
		}
	}
	for i, x := range q {
		axpy64(got, x/divisor, state[i])
	}
	for j, w := range weights {
		axpy64(want, w, v[j])
	}
	near(t, what+", as it is read", matrix{got}, matrix{want})
}

func near(t *testing.T, what string, got, want matrix) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, not %d", what, len(got), len(want))
	}
	for i := range want {
		for j, w := range want[i] {
			if g := got[i][j]; g != w && !(math.Abs(g-w) <= 1e-4*(1+math.Abs(w))) {
				t.Fatalf("%s: row %d has %v, not %v", what, i, got[i], want[i])
			}
		}
	}
}

// TestStateIsACopy reads states of a lane that has looked ahead: they are those of the tokens
// it was told, and what becomes of them changes nothing.
func TestStateIsACopy(t *testing.T) {
	defer func(n int) { aheadFrom = n }(aheadFrom)
	aheadFrom = 0
	for _, c := range streamed() {
		m, tokens := testModel(t, c), someTokens(20, c.Vocabulary)
		plain, ahead := NewStream(m, 1), NewStream(m, 1)
		for i, tok := range tokens {
			if _, err := plain.Step([]int{0}, []uint16{tok}); err != nil {
				t.Fatal(err)
			}
			// It foresees what will not come.
			if _, err := ahead.StepAhead(0, tok, func([]float32) (uint16, bool) { return 1, true }); err != nil {
				t.Fatal(err)
			}
			if i%6 != 2 {
				continue
			}
			for h := range c.Heads() {
				want, err := plain.State(0, 1, h)
				if err != nil {
					t.Fatal(err)
				}
				got, err := ahead.State(0, 1, h)
				if err != nil {
					t.Fatal(err)
				}
				for k := range want {
					for j := range want[k] {
						if got[k][j] != want[k][j] {
							t.Fatalf("%s, head %d after %d tokens: %v, not %v", c.Name, h, i+1, got[k][j], want[k][j])
						}
						got[k][j] = 99
					}
				}
			}
		}
	}
}

// TestHeadsOfNothing asks for what there is not.
func TestHeadsOfNothing(t *testing.T) {
	m, err := New(Config{Layers: 2, Width: 4, Context: 8, HeadDim: 2, FeedForward: 4, LinearHeads: 1, SoftmaxHeads: 1, Window: 4, Chunk: 64}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStream(m, 1)
	of := func(tokens []uint16, layer int) func() error {
		return func() error { _, err := m.Attention(tokens, layer); return err }
	}
	state := func(lane, layer, head int) func() error {
		return func() error { _, err := s.State(lane, layer, head); return err }
	}
	for want, f := range map[string]func() error{
		"no tokens":          of(nil, 0),
		"token 260 at row 1": of([]uint16{1, 260}, 0),
		"layer 2":            of([]uint16{1}, 2),
		"layer -1":           of([]uint16{1}, -1),
		"1025 tokens, and maps are for at most 1024": of(make([]uint16, 1025), 0),
		"lane 1 of 1":   state(1, 0, 0),
		"lane -1":       state(-1, 0, 0),
		"layer 2 of 2":  state(0, 2, 0),
		"head 2 of 2":   state(0, 1, 2),
		"head -1 of 2,": state(0, 1, -1),
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, and does not say %q", err, want)
		}
	}
	if maps, err := m.Attention(make([]uint16, 1024), 1); err != nil || len(maps[1].Weights[1023]) != 1024 {
		t.Errorf("a flow of 1,024 tokens: %v", err)
	}
	m.params.layers[1].qkvBias.w[0] = float32(math.NaN())
	if _, err := m.Attention([]uint16{1, 2}, 1); err == nil || !strings.Contains(err.Error(), "head 0 of layer 1") {
		t.Errorf("weights that are not numbers: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer display.Enter(ctx, nil)()
	stop()
	if _, err := m.Attention([]uint16{1, 2}, 0); !errors.Is(err, ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
}
