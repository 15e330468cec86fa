package model

import "trafficgpt/model/f32"

// A scan is the common core of linear attention and retention, head by head:
//
//	o_i = Σ_{j≤i} γ^(i-j) (q_i·k_j) v_j  [ / (Σ_{j≤i} q_i·k_j + ε) ]
//
// Linear attention has γ = 1 and the division; retention has γ < 1 and none.
// The state after row i is S = Σ γ^(i-j) k_jᵀ v_j and z = Σ k_j, so the rows
// may be done one by one (recurrent), or in chunks: products inside a chunk
// as a masked square, everything before it through the state.
type scan struct {
	d, chunk int
	gamma    float32
	divide   bool
	both     bool      // rows see what follows too; only with γ = 1
	powers   []float32 // γ^0 … γ^chunk
	ones     []float32
}

// scanEpsilon keeps the division of linear attention finite.
const scanEpsilon = 1e-6

func newScan(d, chunk int, gamma float64, divide bool) *scan {
	s := &scan{d: d, chunk: chunk, gamma: float32(gamma), divide: divide, powers: make([]float32, chunk+1), ones: make([]float32, chunk)}
	fill(s.ones, 1)
	power := 1.0
	for i := range s.powers {
		s.powers[i] = float32(power)
		power *= gamma
	}
	return s
}

// stateSize is the number of floats of one state: S, then z.
func (s *scan) stateSize() int { return s.d*s.d + s.d }

// chunks is the number of chunks of n rows.
func (s *scan) chunks(n int) int { return (n + s.chunk - 1) / s.chunk }

// scratchSize is what forward and backward need of a worker's scratch.
func (s *scan) scratchSize() int { return 2*s.chunk*s.chunk + 3*s.chunk*s.d + s.stateSize() }

// forward computes n rows of one head of one flow. q, k, v have row distance
// ld, o has ldo. states begins with the state before the first row and receives
// the state before each further chunk and, last, the state after all rows:
// (chunks+1)·stateSize floats. carried says that the first is not zero; without it
// it is cleared here. den receives the divisors.
func (s *scan) forward(n int, q, k, v []float32, ld int, o []float32, ldo int, den, states []float32, carried bool, scratch []float32) {
	if s.both {
		s.forwardBoth(n, q, k, v, ld, o, ldo, den, states, scratch)
		return
	}
	d, size := s.d, s.stateSize()
	att := scratch[:s.chunk*s.chunk]
	scaled := scratch[s.chunk*s.chunk:][:s.chunk*d]
	if !carried {
		clear(states[:size])
	}
	for c, at := 0, 0; at < n; c, at = c+1, at+s.chunk {
		m := min(s.chunk, n-at)
		q, k, v, o := q[at*ld:], k[at*ld:], v[at*ld:], o[at*ldo:]
		state, next := states[c*size:][:size], states[(c+1)*size:][:size]
		f32.GemmSerial(false, true, m, m, d, 1, q, ld, k, ld, 0, att, m)
		s.mask(att, m)
		f32.GemmSerial(false, false, m, d, m, 1, att, m, v, ld, 0, o, ldo)
		if c > 0 || carried {
			qs, ldq := s.scale(scaled, q, ld, m, 1)
			f32.GemmSerial(false, false, m, d, d, 1, qs, ldq, state, d, 1, o, ldo)
		}
		if s.divide {
			s.normalise(m, q, ld, o, ldo, att, state[d*d:], den[at:])
		}
		s.advance(m, k, v, ld, state, next, scaled)
	}
}

// mask clears what lies above the diagonal of att [m,m] and applies the decay
// below it.
func (s *scan) mask(att []float32, m int) {
	for i := range m {
		row := att[i*m : (i+1)*m]
		clear(row[i+1:])
		if s.gamma != 1 {
			for j := range i {
				row[j] *= s.powers[i-j]
			}
		}
	}
}

// scale returns rows multiplied by γ^first, γ^(first+1), … (first ≥ 0) or, for
// first < 0, by γ^(m-1), …, γ^0; with γ = 1 the rows themselves.
func (s *scan) scale(dst, x []float32, ld, m, first int) ([]float32, int) {
	if s.gamma == 1 {
		return x, ld
	}
	for i := range m {
		power := s.powers[max(0, m-1-i)]
		if first >= 0 {
			power = s.powers[first+i]
		}
		row, out := x[i*ld:][:s.d], dst[i*s.d:][:s.d]
		for j, v := range row {
			out[j] = v * power
		}
	}
	return dst, s.d
}

// normalise divides row i of o by its divisor Σ_j q_i·k_j + ε.
func (s *scan) normalise(m int, q []float32, ld int, o []float32, ldo int, att, z, den []float32) {
	for i := range m {
		sum := f32.Sum(att[i*m:][:i+1]) + f32.Dot(q[i*ld:][:s.d], z[:s.d]) + scanEpsilon
		den[i] = sum
		row := o[i*ldo:][:s.d]
		f32.Scale(row, 1/sum, row)
	}
}

// advance computes the state after m rows.
func (s *scan) advance(m int, k, v []float32, ld int, state, next, scaled []float32) {
	d := s.d
	f32.Scale(next, s.powers[m], state)
	ks, ldk := s.scale(scaled, k, ld, m, -1)
	f32.GemmSerial(true, false, d, d, m, 1, ks, ldk, v, ld, 1, next, d)
	if s.divide {
		z := next[d*d:]
		for i := range m {
			f32.Add(z, z, k[i*ld:][:d])
		}
	}
}

// backward takes the gradient of o in do (row distance ldo; with a division it
// is overwritten) and writes the gradients of q, k and v with row distance ld.
// dstate, where it is not nil, holds the gradient of the state after all rows and
// becomes that of the state before the first, which was carried in.
func (s *scan) backward(n int, q, k, v []float32, ld int, o, do []float32, ldo int, den, states, dstate []float32, dq, dk, dv, scratch []float32) {
	if s.both {
		s.backwardBoth(n, q, k, v, ld, o, do, ldo, den, states, dq, dk, dv, scratch)
		return
	}
	d, size := s.d, s.stateSize()
	att := scratch[:s.chunk*s.chunk]
	datt := scratch[s.chunk*s.chunk:][:s.chunk*s.chunk]
	rest := scratch[2*s.chunk*s.chunk:]
	s1, s2 := rest[:s.chunk*d], rest[s.chunk*d:][:s.chunk*d]
	dden := rest[2*s.chunk*d:][:s.chunk]
	carried := dstate != nil
	if !carried {
		dstate = rest[3*s.chunk*d:][:size] // gradient of the state after this chunk
		clear(dstate)
	}
	last := s.chunks(n) - 1
	for c := last; c >= 0; c-- {
		at := c * s.chunk
		m := min(s.chunk, n-at)
		q, k, v, do := q[at*ld:], k[at*ld:], v[at*ld:], do[at*ldo:]
		dq, dk, dv := dq[at*ld:], dk[at*ld:], dv[at*ld:]
		state := states[c*size:][:size]
		if s.divide {
			s.backDivision(m, o[at*ldo:], do, ldo, den[at:], dden)
		}
		f32.GemmSerial(false, true, m, m, d, 1, q, ld, k, ld, 0, att, m)
		s.mask(att, m)
		f32.GemmSerial(false, true, m, m, d, 1, do, ldo, v, ld, 0, datt, m)
		if s.divide {
			for i := range m {
				row := datt[i*m:][:i+1]
				f32.AddScaled(row, dden[i], s.ones[:i+1])
			}
		}
		s.mask(datt, m)
		dos, lddos := s.scale(s1, do, ldo, m, 1)
		f32.GemmSerial(false, false, m, d, m, 1, datt, m, k, ld, 0, dq, ld)
		f32.GemmSerial(true, false, m, d, m, 1, datt, m, q, ld, 0, dk, ld)
		f32.GemmSerial(true, false, m, d, m, 1, att, m, do, ldo, 0, dv, ld)
		if c > 0 || carried {
			f32.GemmSerial(false, true, m, d, d, 1, dos, lddos, state, d, 1, dq, ld)
		}
		if c < last || carried {
			vs, ldv := s.scale(s2, v, ld, m, -1)
			f32.GemmSerial(false, true, m, d, d, 1, vs, ldv, dstate, d, 1, dk, ld)
			ks, ldk := s.scale(s2, k, ld, m, -1)
			f32.GemmSerial(false, false, m, d, d, 1, ks, ldk, dstate, d, 1, dv, ld)
			f32.Scale(dstate[:d*d], s.powers[m], dstate[:d*d])
		}
		if s.divide {
			s.backDivisor(m, q, dq, dk, ld, state[d*d:], dstate[d*d:], dden)
		}
		f32.GemmSerial(true, false, d, d, m, 1, q, ld, dos, lddos, 1, dstate, d)
	}
}

// backDivision turns do into the gradient of the numerator and writes the
// gradient of the divisor.
func (s *scan) backDivision(m int, o, do []float32, ldo int, den, dden []float32) {
	for i := range m {
		row := do[i*ldo:][:s.d]
		inv := 1 / den[i]
		dden[i] = -f32.Dot(row, o[i*ldo:][:s.d]) * inv
		f32.Scale(row, inv, row)
	}
}

// backDivisor adds what flows through z; dz is the gradient of z after the
// chunk and becomes that before it.
func (s *scan) backDivisor(m int, q, dq, dk []float32, ld int, z, dz, dden []float32) {
	for i := range m {
		f32.AddScaled(dq[i*ld:][:s.d], dden[i], z)
		row := dk[i*ld:][:s.d]
		f32.Add(row, row, dz)
	}
	for i := range m {
		f32.AddScaled(dz, dden[i], q[i*ld:][:s.d])
	}
}

// forwardBoth lets every row see all: o = q·S / (q·z + ε) with the state of the
// whole flow, which states keeps.
func (s *scan) forwardBoth(n int, q, k, v []float32, ld int, o []float32, ldo int, den, states, scratch []float32) {
	d, size := s.d, s.stateSize()
	state, next := states[:size], scratch[:size]
	clear(state)
	for at := 0; at < n; at += s.chunk {
		s.advance(min(s.chunk, n-at), k[at*ld:], v[at*ld:], ld, state, next, nil)
		copy(state, next)
	}
	f32.GemmSerial(false, false, n, d, d, 1, q, ld, state, d, 0, o, ldo)
	for i := range n {
		den[i] = f32.Dot(q[i*ld:][:d], state[d*d:]) + scanEpsilon
		row := o[i*ldo:][:d]
		f32.Scale(row, 1/den[i], row)
	}
}

func (s *scan) backwardBoth(n int, q, k, v []float32, ld int, o, do []float32, ldo int, den, states []float32, dq, dk, dv, scratch []float32) {
	d, size := s.d, s.stateSize()
	state, dstate := states[:size], scratch[:size]
	z, dz := state[d*d:], dstate[d*d:]
	clear(dstate)
	for i := range n {
		s.backDivision(1, o[i*ldo:], do[i*ldo:], ldo, den[i:], den[i:])
		f32.AddScaled(dz, den[i], q[i*ld:][:d]) // den holds its own gradient now
	}
	f32.GemmSerial(true, false, d, d, n, 1, q, ld, do, ldo, 0, dstate, d)
	f32.GemmSerial(false, true, n, d, d, 1, do, ldo, state, d, 0, dq, ld)
	f32.GemmSerial(false, true, n, d, d, 1, v, ld, dstate, d, 0, dk, ld)
	f32.GemmSerial(false, false, n, d, d, 1, k, ld, dstate, d, 0, dv, ld)
	for i := range n {
		f32.AddScaled(dq[i*ld:][:d], den[i], z)
		f32.Add(dk[i*ld:][:d], dk[i*ld:][:d], dz)
	}
}

// stepBack is the gradient of step. state is the one after the row, do the
// gradient of o (overwritten); dstate holds the gradient of the state after the row
// and becomes that of the state before it.
func (s *scan) stepBack(q, k, v, o, do, state, dstate, dq, dk, dv []float32) {
	d := s.d
	dz := dstate[d*d:][:d]
	dden := float32(0)
	if s.divide {
		inv := 1 / (f32.Dot(q, state[d*d:][:d]) + scanEpsilon)
		dden = -f32.Dot(do, o) * inv
		f32.Scale(do, inv, do)
	}
	f32.GemmSerial(false, true, 1, d, d, 1, do, d, state, d, 0, dq, d)  // o = q·S
	f32.GemmSerial(true, false, d, d, 1, 1, q, d, do, d, 1, dstate, d)  //
	f32.GemmSerial(false, true, 1, d, d, 1, v, d, dstate, d, 0, dk, d)  // S = γS + kᵀv
	f32.GemmSerial(false, false, 1, d, d, 1, k, d, dstate, d, 0, dv, d) //
	f32.Scale(dstate[:d*d], s.gamma, dstate[:d*d])
	if s.divide { // o / (q·z + ε), z = z + k
		f32.AddScaled(dq, dden, state[d*d:][:d])
		f32.AddScaled(dz, dden, q)
		f32.Add(dk, dk, dz)
	}
}

// step is the recurrent form: one row of one head, the state in place.
func (s *scan) step(q, k, v, o, state []float32) {
	d := s.d
	f32.Recur(o, q, k, v, state[:d*d], s.gamma)
	if s.divide {
		z := state[d*d:][:d]
		f32.Add(z, z, k)
		f32.Scale(o, 1/(f32.Dot(q, z)+scanEpsilon), o)
	}
}
