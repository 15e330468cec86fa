package model

import (
	"math"

	"trafficgpt/model/f32"
)

// rwkv is the time mixing of RWKV-4 (Peng et al. 2023), channel by channel:
//
//	wkv_t = (Σ_{i<t} e^(-(t-1-i)w + k_i) v_i + e^(u+k_t) v_t) / (the same without v)
//	o_t   = σ(r_t) wkv_t
//
// with w = e^decay > 0 and u learned. The state is the numerator a and the
// divisor b, both scaled by e^-p. A chunk takes the largest of its keys as its
// scale, so that exponentials are vectors and the scan itself only multiplies
// and adds.
type rwkv struct {
	d, chunk     int
	lambda, gain []float32 // e^-w and e^u of the head's channels
}

// rwkvEpsilon keeps the division finite when every weight underflows.
const rwkvEpsilon = 1e-30

const rwkvChunk = 32

func newRWKV(d int) *rwkv {
	return &rwkv{d: d, chunk: rwkvChunk, lambda: make([]float32, d), gain: make([]float32, d)}
}

// load takes one head's parameters.
func (r *rwkv) load(decay, bonus []float32) {
	for i := range r.d {
		r.lambda[i] = float32(math.Exp(-math.Exp(float64(decay[i]))))
		r.gain[i] = float32(math.Exp(float64(bonus[i])))
	}
}

// stateSize is a, b and p.
func (r *rwkv) stateSize() int   { return 3 * r.d }
func (r *rwkv) chunks(n int) int { return (n + r.chunk - 1) / r.chunk }
func (r *rwkv) scratchSize() int { return 3*r.chunk*r.d + 8*r.d }

func (r *rwkv) clearState(state []float32) {
	clear(state[:2*r.d])
	fill(state[2*r.d:3*r.d], rwkvFloor)
}

// rwkvFloor is the scale of an empty state: low, yet finite.
const rwkvFloor = -1e30

// enter brings the state to the scale of a chunk of m keys and writes e^(k-p).
func (r *rwkv) enter(m int, k []float32, ld int, state, e []float32) {
	d := r.d
	a, b, p := state[:d], state[d:2*d], state[2*d:3*d]
	for c := range d {
		top := p[c]
		for i := range m {
			top = max(top, k[i*ld+c])
		}
		if top != p[c] {
			f := float32(math.Exp(float64(p[c] - top)))
			a[c] *= f
			b[c] *= f
			p[c] = top
		}
	}
	for i := range m {
		row := e[i*d:][:d]
		f32.Sub(row, k[i*ld:][:d], p)
	}
	f32.Exp(e[:m*d], e[:m*d])
}

// forward computes n rows of one head of one flow; q holds receptances.
// states receives the state before each chunk and, last, after all; the first of
// them is empty unless it was carried in.
func (r *rwkv) forward(n int, q, k, v []float32, ld int, o []float32, ldo int, states []float32, carried bool, scratch []float32) {
	d, size := r.d, r.stateSize()
	e := scratch[:r.chunk*d]
	if !carried {
		r.clearState(states[:size])
	}
	for c, at := 0, 0; at < n; c, at = c+1, at+r.chunk {
		m := min(r.chunk, n-at)
		next := states[(c+1)*size:][:size]
		copy(next, states[c*size:][:size])
		r.enter(m, k[at*ld:], ld, next, e)
		a, b := next[:d], next[d:2*d]
		for i := range m {
			row := (at + i) * ld
			q, v, o, e := q[row:][:d], v[row:][:d], o[(at+i)*ldo:][:d], e[i*d:][:d]
			for c, x := range e {
				g := r.gain[c] * x
				o[c] = (a[c] + g*v[c]) / (b[c] + g + rwkvEpsilon) * sigmoid(q[c])
				a[c] = r.lambda[c]*a[c] + x*v[c]
				b[c] = r.lambda[c]*b[c] + x
			}
		}
	}
}

// backward writes the gradients of q, k, v and adds those of decay and bonus.
// dstate, where it is not nil, holds the gradients of a and b of the state after all
// rows and becomes those of the state before the first, each at the scale of its state.
func (r *rwkv) backward(n int, q, k, v []float32, ld int, do []float32, ldo int, states, dstate, dq, dk, dv, ddecay, dbonus, decay, scratch []float32) {
	d, size := r.d, r.stateSize()
	e := scratch[:r.chunk*d]
	as := scratch[r.chunk*d:][:r.chunk*d]
	bs := scratch[2*r.chunk*d:][:r.chunk*d]
	rest := scratch[3*r.chunk*d:]
	state := rest[:size]
	ga, gb := rest[size:][:d], rest[size+d:][:d] // gradients of a and b after the row
	dlambda, dgain := rest[size+2*d:][:d], rest[size+3*d:][:d]
	clear(rest[size : size+4*d])
	if dstate != nil {
		copy(ga, dstate[:d])
		copy(gb, dstate[d:2*d])
	}
	for c := r.chunks(n) - 1; c >= 0; c-- {
		at := c * r.chunk
		m := min(r.chunk, n-at)
		before := states[c*size:][:size]
		copy(state, before)
		r.enter(m, k[at*ld:], ld, state, e)
		r.replay(m, v[at*ld:], ld, state, e, as, bs)
		for i := m - 1; i >= 0; i-- {
			row := (at + i) * ld
			q, v, do := q[row:][:d], v[row:][:d], do[(at+i)*ldo:][:d]
			dq, dk, dv := dq[row:][:d], dk[row:][:d], dv[row:][:d]
			e, a, b := e[i*d:][:d], as[i*d:][:d], bs[i*d:][:d]
			r.rowBack(q, v, do, e, a, b, ga, gb, dq, dk, dv, dlambda, dgain)
		}
		r.rescale(before, state, ga, gb)
	}
	if dstate != nil {
		copy(dstate, ga)
		copy(dstate[d:], gb)
	}
	for c := range d {
		ddecay[c] -= dlambda[c] * r.lambda[c] * float32(math.Exp(float64(decay[c])))
		dbonus[c] += dgain[c] * r.gain[c]
	}
}

// replay computes the states before each row of a chunk once more.
func (r *rwkv) replay(m int, v []float32, ld int, state, e, as, bs []float32) {
	d := r.d
	a, b := state[:d], state[d:2*d]
	for i := range m {
		copy(as[i*d:], a)
		copy(bs[i*d:], b)
		row, v := e[i*d:][:d], v[i*ld:][:d]
		for c, x := range row {
			a[c] = r.lambda[c]*a[c] + x*v[c]
			b[c] = r.lambda[c]*b[c] + x
		}
	}
}

// step is the recurrent form: one row of one head, the state in place.
func (r *rwkv) step(q, k, v, o, state, scratch []float32) {
	e := scratch[:r.d]
	r.enter(1, k, r.d, state, e)
	a, b := state[:r.d], state[r.d:2*r.d]
	for c, x := range e {
		g := r.gain[c] * x
		o[c] = (a[c] + g*v[c]) / (b[c] + g + rwkvEpsilon) * sigmoid(q[c])
		a[c] = r.lambda[c]*a[c] + x*v[c]
		b[c] = r.lambda[c]*b[c] + x
	}
}

// stepBack is the gradient of step. before is the state before the row; dstate
// holds the gradients of a and b after the row and becomes those before it, each at
// the scale of its state. dlambda and dgain are added to.
func (r *rwkv) stepBack(q, k, v, do, before, dstate, dq, dk, dv, dlambda, dgain, scratch []float32) {
	d := r.d
	e, state := scratch[:d], scratch[d:4*d]
	copy(state, before)
	r.enter(1, k, d, state, e)
	a, b := state[:d], state[d:2*d]
	ga, gb := dstate[:d], dstate[d:2*d]
	r.rowBack(q, v, do, e, a, b, ga, gb, dq, dk, dv, dlambda, dgain)
	r.rescale(before, state, ga, gb)
}

// rowBack is the gradient of one row: a and b are the state before it, e the
// exponentials of its keys; ga and gb go from the state after the row to the one
// before, at the same scale. dlambda and dgain are added to.
func (r *rwkv) rowBack(q, v, do, e, a, b, ga, gb, dq, dk, dv, dlambda, dgain []float32) {
	for c, x := range e {
		g := r.gain[c] * x
		inv := 1 / (b[c] + g + rwkvEpsilon)
		wkv := (a[c] + g*v[c]) * inv
		s := sigmoid(q[c])
		dq[c] = do[c] * wkv * s * (1 - s)
		dnum := do[c] * s * inv
		dden := -dnum * wkv
		dev := r.gain[c]*dnum + ga[c]
		dv[c] = x * dev
		dk[c] = x * (v[c]*dev + r.gain[c]*dden + gb[c])
		dgain[c] += x * (v[c]*dnum + dden)
		dlambda[c] += ga[c]*a[c] + gb[c]*b[c]
		ga[c] = dnum + r.lambda[c]*ga[c]
		gb[c] = dden + r.lambda[c]*gb[c]
	}
}

// rescale takes gradients of a state from its scale to that of the one before.
func (r *rwkv) rescale(before, state, ga, gb []float32) {
	for c := range r.d {
		f := float32(math.Exp(float64(before[2*r.d+c] - state[2*r.d+c])))
		ga[c] *= f
		gb[c] *= f
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
