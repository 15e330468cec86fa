package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// answer is what one form makes of a problem: outputs, the last state, and the
// gradients of everything that went in.
type answer struct {
	o     matrix
	state []matrix
	naiveGrads
}

// forms are one mixer's three forms. Each goes forward, and back from gradients of
// the outputs and of the last state.
type forms struct {
	name      string
	positive  bool                                        // queries and keys are features
	kept      int                                         // rows of state, for windows
	forward   func(x naiveMix) (o matrix, state []matrix) // naive
	naive     func(x naiveMix, do matrix, dstate []matrix) answer
	chunked   func(x naiveMix, do matrix, dstate []matrix) answer
	recurrent func(x naiveMix, do matrix, dstate []matrix) answer
}

const testDim = 6

func narrow(x matrix) []float32 {
	var out []float32
	for _, row := range x {
		for _, v := range row {
			out = append(out, float32(v))
		}
	}
	return out
}

func widen(x []float32, cols int) matrix {
	out := newMatrix(len(x)/cols, cols)
	for i, v := range x {
		out[i/cols][i%cols] = float64(v)
	}
	return out
}

// rowOf is row i of a matrix without gaps.
func rowOf(x []float32, i, cols int) []float32 { return x[i*cols:][:cols] }

func scanForms(name string, chunk int, gamma float64, divide bool) forms {
	const d = testDim
	s := newScan(d, chunk, gamma, divide)
	truth := naiveScan{gamma: gamma, divide: divide}
	finish := func(o, state []float32, dq, dk, dv, dstate []float32) answer {
		parts := func(x []float32) []matrix { return []matrix{widen(x[:d*d], d), widen(x[d*d:], d)} }
		a := answer{o: widen(o, d), state: parts(state)}
		a.naiveMix = naiveMix{widen(dq, d), widen(dk, d), widen(dv, d), parts(dstate)}
		return a
	}
	return forms{name: name, positive: divide, forward: truth.forward,
		naive: func(x naiveMix, do matrix, dstate []matrix) answer {
			o, state := truth.forward(x)
			return answer{o, state, truth.backward(x, do, dstate)}
		},
		chunked: func(x naiveMix, do matrix, dstate []matrix) answer {
			n, size := len(x.q), s.stateSize()
			q, k, v := narrow(x.q), narrow(x.k), narrow(x.v)
			o, den, states, scratch := make([]float32, n*d), make([]float32, n), make([]float32, (s.chunks(n)+1)*size), make([]float32, s.scratchSize())
			if x.state != nil {
				copy(states, append(narrow(x.state[0]), narrow(x.state[1])...))
			} else {
				fill(states[:size], 7) // cleared when nothing is carried in
			}
			s.forward(n, q, k, v, d, o, d, den, states, x.state != nil, scratch)
			dq, dk, dv := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
			ds := append(narrow(dstate[0]), narrow(dstate[1])...)
			s.backward(n, q, k, v, d, o, narrow(do), d, den, states, ds, dq, dk, dv, scratch)
			return finish(o, states[s.chunks(n)*size:][:size], dq, dk, dv, ds)
		},
		recurrent: func(x naiveMix, do matrix, dstate []matrix) answer {
			n, size := len(x.q), s.stateSize()
			q, k, v, g := narrow(x.q), narrow(x.k), narrow(x.v), narrow(do)
			states := make([][]float32, n+1)
			states[0] = make([]float32, size)
			if x.state != nil {
				copy(states[0], append(narrow(x.state[0]), narrow(x.state[1])...))
			}
			o := make([]float32, n*d)
			for i := range n {
				states[i+1] = append([]float32(nil), states[i]...)
				s.step(rowOf(q, i, d), rowOf(k, i, d), rowOf(v, i, d), rowOf(o, i, d), states[i+1])
			}
			dq, dk, dv := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
			ds := append(narrow(dstate[0]), narrow(dstate[1])...)
			for i := n - 1; i >= 0; i-- {
				s.stepBack(rowOf(q, i, d), rowOf(k, i, d), rowOf(v, i, d), rowOf(o, i, d), rowOf(g, i, d), states[i+1], ds, rowOf(dq, i, d), rowOf(dk, i, d), rowOf(dv, i, d))
			}
			return finish(o, states[n], dq, dk, dv, ds)
		}}
}

func windowForms(name string, reach, block, kept int) forms {
	const d = testDim
	w := &window{d: d, reach: reach, block: block}
	truth := naiveWindow{reach: reach}
	finish := func(from int, o, k, v, dq, dk, dv []float32, dstate []matrix) answer {
		a := answer{o: widen(o, d), state: []matrix{widen(k, d), widen(v, d)}}
		dkeys, dvalues := widen(dk, d), widen(dv, d)
		addMatrix(dkeys, dstate[0])
		addMatrix(dvalues, dstate[1])
		a.naiveMix = naiveMix{widen(dq, d), dkeys[from:], dvalues[from:], []matrix{dkeys[:from], dvalues[:from]}}
		return a
	}
	return forms{name: name, kept: kept, forward: truth.forward,
		naive: func(x naiveMix, do matrix, dstate []matrix) answer {
			o, state := truth.forward(x)
			return answer{o, state, truth.backward(x, do, dstate)}
		},
		chunked: func(x naiveMix, do matrix, dstate []matrix) answer {
			all, values := truth.join(x)
			n := len(all)
			from := n - len(x.q)
			q, k, v := append(make([]float32, from*d), narrow(x.q)...), narrow(all), narrow(values)
			o, lse, scratch := make([]float32, n*d), make([]float32, n), make([]float32, w.scratchSize(n))
			w.forward(from, n, q, k, v, d, o, d, lse, scratch, 0)
			dq, dk, dv := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
			g := append(make([]float32, from*d), narrow(do)...)
			w.backward(from, n, q, k, v, d, g, d, lse, dq, dk, dv, scratch, 0)
			return finish(from, o[from*d:], k, v, dq[from*d:], dk, dv, dstate)
		},
		recurrent: func(x naiveMix, do matrix, dstate []matrix) answer {
			all, values := truth.join(x)
			n := len(all)
			from := n - len(x.q)
			q, k, v, g := narrow(x.q), narrow(all), narrow(values), narrow(do)
			o, dq, dk, dv := make([]float32, len(q)), make([]float32, len(q)), make([]float32, n*d), make([]float32, n*d)
			scratch := make([]float32, 2*n)
			for i := range len(x.q) { // what is kept for row i: the keys from first on
				first, end := w.first(from+i), from+i+1
				w.step(rowOf(q, i, d), k[first*d:end*d], v[first*d:end*d], end-first, rowOf(o, i, d), scratch)
			}
			for i := len(x.q) - 1; i >= 0; i-- {
				first, end := w.first(from+i), from+i+1
				w.stepBack(rowOf(q, i, d), k[first*d:end*d], v[first*d:end*d], end-first, rowOf(g, i, d), rowOf(dq, i, d), dk[first*d:end*d], dv[first*d:end*d], scratch)
			}
			return finish(from, o, k, v, dq, dk, dv, dstate)
		}}
}

// rwkvScale is the scale of the states that are carried into the forms of RWKV.
const rwkvScale = 0.3

func rwkvForms() forms {
	const d = testDim
	decay, bonus := make([]float32, d), make([]float32, d)
	for i := range d {
		decay[i], bonus[i] = float32(i)-3, 0.3*float32(i)-1
	}
	return rwkvFormsOf(decay, bonus)
}

func rwkvFormsOf(decay, bonus []float32) forms {
	d := len(decay)
	r := newRWKV(d)
	r.load(decay, bonus)
	truth := naiveRWKV{widen(decay, d)[0], widen(bonus, d)[0]}
	// begin is the first state: the true sums divided by e^scale.
	begin := func(x naiveMix, state []float32) {
		if x.state == nil {
			r.clearState(state)
			return
		}
		for c := range d {
			state[c] = float32(x.state[0][0][c] / math.Exp(rwkvScale))
			state[d+c] = float32(x.state[1][0][c] / math.Exp(rwkvScale))
			state[2*d+c] = rwkvScale
		}
	}
	// scaled multiplies a and b of a state, or of its gradient, by e^±p.
	scaled := func(ab, p []float32, sign float64) []matrix {
		out := []matrix{newMatrix(1, d), newMatrix(1, d)}
		for c := range d {
			f := math.Exp(sign * float64(p[c]))
			out[0][0][c], out[1][0][c] = float64(ab[c])*f, float64(ab[d+c])*f
		}
		return out
	}
	// enterGrad brings the gradient of the last state to that state's scale.
	enterGrad := func(dstate []matrix, last []float32) []float32 {
		x := scaled(append(narrow(dstate[0]), narrow(dstate[1])...), last[2*d:], 1)
		return append(narrow(x[0]), narrow(x[1])...)
	}
	finish := func(o, first, last, dq, dk, dv, ds, ddecay, dbonus []float32) answer {
		a := answer{o: widen(o, d), state: scaled(last, last[2*d:], 1)}
		a.naiveMix = naiveMix{widen(dq, d), widen(dk, d), widen(dv, d), scaled(ds, first[2*d:], -1)}
		a.decay, a.bonus = widen(ddecay, d)[0], widen(dbonus, d)[0]
		return a
	}
	return forms{name: "rwkv", forward: truth.forward,
		naive: func(x naiveMix, do matrix, dstate []matrix) answer {
			o, state := truth.forward(x)
			return answer{o, state, truth.backward(x, do, dstate)}
		},
		chunked: func(x naiveMix, do matrix, dstate []matrix) answer {
			n, size := len(x.q), r.stateSize()
			q, k, v := narrow(x.q), narrow(x.k), narrow(x.v)
			o, states, scratch := make([]float32, n*d), make([]float32, (r.chunks(n)+1)*size), make([]float32, r.scratchSize())
			begin(x, states)
			r.forward(n, q, k, v, d, o, d, states, x.state != nil, scratch)
			dq, dk, dv := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
			ddecay, dbonus := make([]float32, d), make([]float32, d)
			last := states[r.chunks(n)*size:][:size]
			ds := enterGrad(dstate, last)
			r.backward(n, q, k, v, d, narrow(do), d, states, ds, dq, dk, dv, ddecay, dbonus, decay, scratch)
			return finish(o, states[:size], last, dq, dk, dv, ds, ddecay, dbonus)
		},
		recurrent: func(x naiveMix, do matrix, dstate []matrix) answer {
			n, size := len(x.q), r.stateSize()
			q, k, v, g := narrow(x.q), narrow(x.k), narrow(x.v), narrow(do)
			o, scratch := make([]float32, n*d), make([]float32, r.scratchSize())
			states := make([][]float32, n+1)
			states[0] = make([]float32, size)
			begin(x, states[0])
			for i := range n {
				states[i+1] = append([]float32(nil), states[i]...)
				r.step(rowOf(q, i, d), rowOf(k, i, d), rowOf(v, i, d), rowOf(o, i, d), states[i+1], scratch)
			}
			dq, dk, dv := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
			dlambda, dgain := make([]float32, d), make([]float32, d)
			ds := enterGrad(dstate, states[n])
			for i := n - 1; i >= 0; i-- {
				r.stepBack(rowOf(q, i, d), rowOf(k, i, d), rowOf(v, i, d), rowOf(g, i, d), states[i], ds, rowOf(dq, i, d), rowOf(dk, i, d), rowOf(dv, i, d), dlambda, dgain, scratch)
			}
			for c := range d { // λ = e^(-e^decay), gain = e^bonus
				dlambda[c] *= -r.lambda[c] * float32(math.Exp(float64(decay[c])))
				dgain[c] *= r.gain[c]
			}
			return finish(o, states[0], states[n], dq, dk, dv, ds, dlambda, dgain)
		}}
}

func mixers() []forms {
	return []forms{
		scanForms("linear", 16, 1, true),
		scanForms("retention", 16, 1-1.0/32, false),
		windowForms("local", 9, 8, 8),
		windowForms("softmax", 0, 8, 11),
		rwkvForms(),
	}
}

// problem draws rows, a state to begin with if it is asked for, and gradients.
func (f forms) problem(n int, carried bool, seed uint64) (x naiveMix, do matrix, dstate []matrix) {
	rng := rand.New(rand.NewPCG(seed, 8))
	draw := func(rows int, positive bool) matrix {
		m := newMatrix(rows, testDim)
		for i := range m {
			for j := range m[i] {
				v := rng.NormFloat64()
				if positive {
					v = math.Exp(v)
				}
				m[i][j] = float64(float32(v))
			}
		}
		return m
	}
	x = naiveMix{q: draw(n, f.positive), k: draw(n, f.positive), v: draw(n, false)}
	if carried {
		switch {
		case f.kept > 0:
			x.state = []matrix{draw(f.kept, false), draw(f.kept, false)}
		case f.name == "rwkv":
			x.state = []matrix{draw(1, false), draw(1, true)}
		default:
			x.state = []matrix{draw(testDim, f.positive), draw(1, true)}
		}
	}
	do = draw(n, false)
	_, last := f.forward(x)
	for _, m := range last {
		dstate = append(dstate, draw(len(m), false))
	}
	if f.name == "retention" { // its state has no divisor
		clear(dstate[1][0])
		if carried {
			clear(x.state[1][0])
		}
	}
	return x, do, dstate
}

// TestThreeForms holds outputs, last states and gradients of the three forms
// against each other, at lengths around the borders of chunks and windows, for flows
// that begin and for flows that go on from a state; and the naive gradients against
// differences of the naive form.
func TestThreeForms(t *testing.T) {
	for _, f := range mixers() {
		for _, n := range []int{1, 2, 7, 15, 16, 17, 33, 64, 81} {
			for _, carried := range []bool{false, true} {
				x, do, dstate := f.problem(n, carried, uint64(n))
				want := f.naive(x, do, dstate)
				where := fmt.Sprintf("%s, %d rows, carried %v", f.name, n, carried)
				if f.name == "retention" {
					clear(want.state[1][0])
				}
				for form, run := range map[string]func(naiveMix, matrix, []matrix) answer{"chunked": f.chunked, "recurrent": f.recurrent} {
					got := run(x, do, dstate)
					if f.name == "retention" {
						clear(got.state[1][0])
					}
					if !carried { // nothing went in there
						got.naiveMix.state, want.naiveMix.state = nil, nil
					}
					sameAnswer(t, where+", "+form, got, want)
				}
				checkDifferences(t, where, f, x, do, dstate, want)
			}
		}
	}
}

// tolerance of float32 sums against float64 ones, relative to the largest element.
const tolerance = 2e-5

func sameAnswer(t *testing.T, where string, got, want answer) {
	t.Helper()
	same := func(what string, a, b matrix) {
		t.Helper()
		if len(a) != len(b) {
			t.Fatalf("%s: %s has %d rows, not %d", where, what, len(a), len(b))
		}
		scale := 1.0
		for _, row := range b {
			for _, v := range row {
				scale = max(scale, math.Abs(v))
			}
		}
		for i := range b {
			for j, v := range b[i] {
				if !(math.Abs(a[i][j]-v) <= tolerance*scale) {
					t.Fatalf("%s: %s %d,%d is %v, should be %v", where, what, i, j, a[i][j], v)
				}
			}
		}
	}
	same("output", got.o, want.o)
	same("gradient of q", got.q, want.q)
	same("gradient of k", got.k, want.k)
	same("gradient of v", got.v, want.v)
	same("gradients of decay and bonus", matrix{got.decay, got.bonus}, matrix{want.decay, want.bonus})
	for i := range want.state {
		same("last state", got.state[i], want.state[i])
	}
	for i := range want.naiveMix.state {
		same("gradient of the first state", got.naiveMix.state[i], want.naiveMix.state[i])
	}
}

// checkDifferences compares naive gradients with central differences, in float64.
func checkDifferences(t *testing.T, where string, f forms, x naiveMix, do matrix, dstate []matrix, want answer) {
	t.Helper()
	loss := func() float64 {
		o, last := f.forward(x)
		sum := 0.0
		for i := range o {
			sum += dot64(o[i], do[i])
		}
		for i := range last {
			for j := range last[i] {
				sum += dot64(last[i][j], dstate[i][j])
			}
		}
		return sum
	}
	rng := rand.New(rand.NewPCG(3, 9))
	in := append([]matrix{x.q, x.k, x.v}, x.state...)
	grads := append([]matrix{want.q, want.k, want.v}, want.naiveMix.state...)
	for which := range in {
		for range 4 {
			i := rng.IntN(len(in[which]))
			j := rng.IntN(len(in[which][i]))
			const h = 1e-5
			at := &in[which][i][j]
			kept := *at
			*at = kept + h
			up := loss()
			*at = kept - h
			down := loss()
			*at = kept
			slope := (up - down) / (2 * h)
			if got := grads[which][i][j]; !(math.Abs(got-slope) <= 1e-6*(1+math.Abs(slope))) {
				t.Fatalf("%s: naive gradient %d of element %d,%d is %v, by differences %v", where, which, i, j, got, slope)
			}
		}
	}
}
