package model

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// mixer is one head's mixing in its forms, on rows without gaps. Queries and
// keys of linear attention are features already.
type mixer struct {
	name     string
	positive bool // takes features
	naive    func(q, k, v matrix) matrix
	forward  func(n int, x []float32) (o, kept []float32) // chunked; x is q, k, v side by side
	backward func(n int, x, o, do, kept []float32) (dx []float32)
	step     func() func(q, k, v, o []float32) (state []float32) // recurrent, from an empty state
	final    func(n int, kept []float32) []float32               // the chunked form's last state, nil if it keeps none
}

func scanMixer(name string, d, chunk int, gamma float64, divide bool) mixer {
	s := newScan(d, chunk, gamma, divide)
	scratch := make([]float32, s.scratchSize())
	size := s.stateSize()
	den := make([]float32, 4096)
	return mixer{name: name, positive: divide,
		naive: func(q, k, v matrix) matrix {
			if divide {
				return naiveLinearAttention(q, k, v, false)
			}
			return naiveRetention(q, k, v, gamma)
		},
		forward: func(n int, x []float32) (o, kept []float32) {
			o, kept = make([]float32, n*d), make([]float32, (s.chunks(n)+1)*size)
			s.forward(n, x, x[d:], x[2*d:], 3*d, o, d, den, kept, scratch)
			return o, kept
		},
		backward: func(n int, x, o, do, kept []float32) []float32 {
			dx := make([]float32, len(x))
			s.backward(n, x, x[d:], x[2*d:], 3*d, o, append([]float32(nil), do...), d, den, kept, dx, dx[d:], dx[2*d:], scratch)
			return dx
		},
		step: func() func(q, k, v, o []float32) []float32 {
			state := make([]float32, size)
			return func(q, k, v, o []float32) []float32 { s.step(q, k, v, o, state); return state }
		},
		final: func(n int, kept []float32) []float32 { return kept[s.chunks(n)*size:][:size] },
	}
}

func windowMixer(name string, d, reach, block int) mixer {
	w := &window{d: d, reach: reach, block: block}
	scratch := make([]float32, 2*block*4096)
	return mixer{name: name,
		naive: func(q, k, v matrix) matrix { return naiveWindow(q, k, v, reach, false) },
		forward: func(n int, x []float32) (o, kept []float32) {
			o, kept = make([]float32, n*d), make([]float32, n)
			w.forward(n, x, x[d:], x[2*d:], 3*d, o, d, kept, scratch, 0)
			return o, kept
		},
		backward: func(n int, x, _, do, kept []float32) []float32 {
			dx := make([]float32, len(x))
			w.backward(n, x, x[d:], x[2*d:], 3*d, do, d, kept, dx, dx[d:], dx[2*d:], scratch, 0)
			return dx
		},
		step: func() func(q, k, v, o []float32) []float32 {
			var keys, values []float32
			return func(q, k, v, o []float32) []float32 {
				keys, values = append(keys, k...), append(values, v...)
				if n := len(keys) / d; reach > 0 && n > reach {
					keys, values = keys[d:], values[d:]
				}
				w.step(q, keys, values, len(keys)/d, o, scratch)
				return nil
			}
		},
		final: func(int, []float32) []float32 { return nil },
	}
}

func rwkvMixer(d int) mixer {
	r := newRWKV(d)
	decay, bonus := make([]float32, d), make([]float32, d)
	for i := range d {
		decay[i], bonus[i] = float32(i)-3, 0.3*float32(i)-1
	}
	r.load(decay, bonus)
	size := r.stateSize()
	scratch := make([]float32, r.scratchSize())
	wide := func(x []float32) []float64 {
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = float64(v)
		}
		return out
	}
	return mixer{name: "rwkv",
		naive: func(q, k, v matrix) matrix { return naiveRWKV(q, k, v, wide(decay), wide(bonus)) },
		forward: func(n int, x []float32) (o, kept []float32) {
			o, kept = make([]float32, n*d), make([]float32, (r.chunks(n)+1)*size)
			r.forward(n, x, x[d:], x[2*d:], 3*d, o, d, kept, scratch)
			return o, kept
		},
		backward: func(n int, x, _, do, kept []float32) []float32 {
			dx := make([]float32, len(x))
			r.backward(n, x, x[d:], x[2*d:], 3*d, do, d, kept, dx, dx[d:], dx[2*d:], make([]float32, d), make([]float32, d), decay, scratch)
			return dx
		},
		step: func() func(q, k, v, o []float32) []float32 {
			state := make([]float32, size)
			r.clearState(state)
			return func(q, k, v, o []float32) []float32 { r.step(q, k, v, o, state, scratch); return state }
		},
		final: func(n int, kept []float32) []float32 { return kept[r.chunks(n)*size:][:size] },
	}
}

func mixers() []mixer {
	return []mixer{
		scanMixer("linear", 6, 16, 1, true),
		scanMixer("retention", 6, 16, 1-1.0/32, false),
		windowMixer("local", 6, 9, 8),
		windowMixer("softmax", 6, 0, 8),
		rwkvMixer(6),
	}
}

const testDim = 6

// TestThreeForms holds outputs, last states and gradients of the forms against
// each other, at lengths around the borders of chunks and windows.
func TestThreeForms(t *testing.T) {
	for _, mx := range mixers() {
		for _, n := range []int{1, 2, 7, 15, 16, 17, 33, 64, 81} {
			rng := rand.New(rand.NewPCG(uint64(n), 8))
			x := make([]float32, n*3*testDim)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
				if mx.positive && i%(3*testDim) < 2*testDim {
					x[i] = float32(math.Exp(float64(x[i])))
				}
			}
			o, kept := mx.forward(n, x)
			q, k, v := split(x, n)
			want := mx.naive(q, k, v)
			step := mx.step()
			var state []float32
			row := make([]float32, testDim)
			for i := range n {
				at := x[i*3*testDim:]
				state = step(at[:testDim], at[testDim:2*testDim], at[2*testDim:3*testDim], row)
				close64(t, mx.name, "chunked output", n, o[i*testDim:][:testDim], want[i])
				close64(t, mx.name, "recurrent output", n, row, want[i])
			}
			if final := mx.final(n, kept); final != nil {
				sameState(t, mx, n, final, state)
			}
			do := make([]float32, n*testDim)
			for i := range do {
				do[i] = float32(rng.NormFloat64())
			}
			checkGradient(t, mx, n, x, mx.backward(n, x, o, do, kept), do, rng)
		}
	}
}

// sameState compares last states; RWKV's are brought to one scale first.
func sameState(t *testing.T, mx mixer, n int, a, b []float32) {
	t.Helper()
	wide := make([]float64, len(b))
	for i, x := range b {
		wide[i] = float64(x)
	}
	if mx.name == "rwkv" {
		for i := range testDim {
			f := math.Exp(wide[2*testDim+i] - float64(a[2*testDim+i]))
			wide[i], wide[testDim+i], wide[2*testDim+i] = wide[i]*f, wide[testDim+i]*f, float64(a[2*testDim+i])
		}
	}
	if mx.name == "retention" { // the divisor's sum is not kept
		a, wide = a[:testDim*testDim], wide[:testDim*testDim]
	}
	close64(t, mx.name, "state", n, a, wide)
}

func split(x []float32, n int) (q, k, v matrix) {
	parts := [3]matrix{}
	for p := range parts {
		parts[p] = newMatrix(n, testDim)
		for i := range n {
			for j := range testDim {
				parts[p][i][j] = float64(x[(3*i+p)*testDim+j])
			}
		}
	}
	return parts[0], parts[1], parts[2]
}

func close64(t *testing.T, mixer, what string, n int, got []float32, want []float64) {
	t.Helper()
	for i, x := range got {
		if d := math.Abs(float64(x) - want[i]); !(d <= 2e-5*(1+math.Abs(want[i]))) {
			t.Fatalf("%s, %d rows: %s %d is %v, should be %v", mixer, n, what, i, x, want[i])
		}
	}
}

// checkGradient compares with central differences of the naive form.
func checkGradient(t *testing.T, mx mixer, n int, x, dx, do []float32, rng *rand.Rand) {
	t.Helper()
	loss := func() float64 {
		q, k, v := split(x, n)
		sum := 0.0
		for i, row := range mx.naive(q, k, v) {
			for j, o := range row {
				sum += o * float64(do[i*testDim+j])
			}
		}
		return sum
	}
	for range min(60, len(x)) {
		i := rng.IntN(len(x))
		kept := x[i]
		h := float32(1.0 / 1024)
		x[i] = kept + h
		up, above := loss(), float64(x[i])
		x[i] = kept - h
		down, below := loss(), float64(x[i])
		x[i] = kept
		want := (up - down) / (above - below)
		if d := math.Abs(float64(dx[i]) - want); !(d <= 1e-3*(0.2+math.Abs(want))) {
			t.Fatalf("%s, %d rows: gradient %d is %v, by differences %v", mx.name, n, i, dx[i], want)
		}
	}
}

// TestPythonReference compares with values that testdata/reference.py computed
// with PyTorch.
func TestPythonReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var head struct {
		Rows, Dim int
		Gamma     float64
	}
	var cases map[string]json.RawMessage
	if err := json.Unmarshal(text, &head); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"linear-elu", "linear-exp", "retention", "rwkv"} {
		var c map[string][]float64
		if err := json.Unmarshal(cases[name], &c); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { checkReference(t, name, head.Rows, head.Dim, head.Gamma, c) })
	}
}

func checkReference(t *testing.T, name string, n, d int, gamma float64, c map[string][]float64) {
	x := make([]float32, n*3*d)
	for i := range n * d {
		row, col := i/d, i%d
		x[row*3*d+col], x[row*3*d+d+col], x[row*3*d+2*d+col] = float32(c["q"][i]), float32(c["k"][i]), float32(c["v"][i])
	}
	do := make([]float32, n*d)
	for i, v := range c["do"] {
		do[i] = float32(v)
	}
	var o, dx []float32
	switch name {
	case "retention":
		mx := scanMixer(name, d, 4, gamma, false)
		var kept []float32
		o, kept = mx.forward(n, x)
		dx = mx.backward(n, x, o, do, kept)
	case "rwkv":
		r := newRWKV(d)
		decay, bonus := make([]float32, d), make([]float32, d)
		for i := range d {
			decay[i], bonus[i] = float32(c["decay"][i]), float32(c["bonus"][i])
		}
		r.load(decay, bonus)
		states, scratch := make([]float32, (r.chunks(n)+1)*r.stateSize()), make([]float32, r.scratchSize())
		o, dx = make([]float32, n*d), make([]float32, len(x))
		ddecay, dbonus := make([]float32, d), make([]float32, d)
		r.forward(n, x, x[d:], x[2*d:], 3*d, o, d, states, scratch)
		r.backward(n, x, x[d:], x[2*d:], 3*d, do, d, states, dx, dx[d:], dx[2*d:], ddecay, dbonus, decay, scratch)
		close64(t, name, "gradient of decay", n, ddecay, c["ddecay"])
		close64(t, name, "gradient of bonus", n, dbonus, c["dbonus"])
	default:
		features := FeaturesELU
		if name == "linear-exp" {
			features = FeaturesExp
		}
		m, err := New(Config{Layers: 1, Width: d, Context: n, HeadDim: d, LinearHeads: 1, FeedForward: 1, Features: features}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			m.featureRow(x[i*3*d:][:3*d])
		}
		mx := scanMixer(name, d, 4, 1, true)
		var kept []float32
		o, kept = mx.forward(n, x)
		dx = mx.backward(n, x, o, do, kept)
		for i := range n {
			m.featureRowBack(x[i*3*d:][:3*d], dx[i*3*d:][:3*d])
		}
	}
	for i := range n {
		row := dx[i*3*d:]
		close64(t, name, "output", n, o[i*d:][:d], c["o"][i*d:][:d])
		close64(t, name, "gradient of q", n, row[:d], c["dq"][i*d:][:d])
		close64(t, name, "gradient of k", n, row[d:2*d], c["dk"][i*d:][:d])
		close64(t, name, "gradient of v", n, row[2*d:3*d], c["dv"][i*d:][:d])
	}
}
