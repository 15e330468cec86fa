package model

import "math"

// The mixers as their formulas, one head of one flow, with the state they begin
// with, the state they end with, and the gradients of both.

// naiveMix is what a mixer is given: rows of queries (RWKV: receptances), keys
// and values, and the state before the first row, a list of matrices of the mixer's
// own; without one the flow begins here.
type naiveMix struct {
	q, k, v matrix
	state   []matrix
}

// naiveGrads are gradients of a naiveMix, and of the mixer's own parameters.
type naiveGrads struct {
	naiveMix
	decay, bonus []float64 // of RWKV
}

func zeroLike(x []matrix) []matrix {
	if x == nil {
		return nil
	}
	out := make([]matrix, len(x))
	for i, m := range x {
		out[i] = make(matrix, len(m))
		for j := range m {
			out[i][j] = make([]float64, len(m[j]))
		}
	}
	return out
}

func (x naiveMix) zeroGrads() naiveGrads {
	z := zeroLike([]matrix{x.q, x.k, x.v})
	return naiveGrads{naiveMix: naiveMix{z[0], z[1], z[2], zeroLike(x.state)}}
}

// naiveScan is linear attention (γ = 1, with the division) and retention:
//
//	o_i = (γ^(i+1) q_i S₀ + Σ_{j≤i} γ^(i-j) (q_i·k_j) v_j)  [ / (q_i·z₀ + Σ_{j≤i} q_i·k_j + ε) ]
//	S = γ^n S₀ + Σ γ^(n-1-j) k_jᵀ v_j,  z = z₀ + Σ k_j
//
// q and k are features already; the state is S and z (one row). With both, j goes
// over all rows.
type naiveScan struct {
	gamma        float64
	divide, both bool
}

func (s naiveScan) begin(x naiveMix) (state, z matrix) {
	if x.state != nil {
		return x.state[0], x.state[1]
	}
	return newMatrix(len(x.k[0]), len(x.v[0])), newMatrix(1, len(x.k[0]))
}

// weight is what row i takes of row j.
func (s naiveScan) weight(x naiveMix, i, j int) float64 {
	if j > i && !s.both {
		return 0
	}
	return math.Pow(s.gamma, float64(i-j)) * dot64(x.q[i], x.k[j])
}

func (s naiveScan) divisor(x naiveMix, z matrix, i int) float64 {
	if !s.divide {
		return 1
	}
	sum := dot64(x.q[i], z[0]) + scanEpsilon
	for j := range x.k {
		sum += s.weight(x, i, j)
	}
	return sum
}

func (s naiveScan) forward(x naiveMix) (o matrix, state []matrix) {
	first, z := s.begin(x)
	n := len(x.q)
	o = newMatrix(n, len(x.v[0]))
	for i := range o {
		for c, q := range x.q[i] {
			axpy64(o[i], math.Pow(s.gamma, float64(i+1))*q, first[c])
		}
		for j := range x.v {
			axpy64(o[i], s.weight(x, i, j), x.v[j])
		}
		den := s.divisor(x, z, i)
		for c := range o[i] {
			o[i][c] /= den
		}
	}
	last := newMatrix(len(first), len(first[0]))
	sum := append([]float64(nil), z[0]...)
	for c := range last {
		axpy64(last[c], math.Pow(s.gamma, float64(n)), first[c])
		for j := range x.k {
			axpy64(last[c], math.Pow(s.gamma, float64(n-1-j))*x.k[j][c], x.v[j])
		}
	}
	for j := range x.k {
		axpy64(sum, 1, x.k[j])
	}
	return o, []matrix{last, {sum}}
}

// backward gives the gradients of x from those of the outputs and of the last
// state.
func (s naiveScan) backward(x naiveMix, do matrix, dstate []matrix) naiveGrads {
	first, z := s.begin(x)
	x.state = []matrix{first, z}
	o, _ := s.forward(x)
	g := x.zeroGrads()
	n := len(x.q)
	for i := range o {
		den := s.divisor(x, z, i)
		dnum, dden := make([]float64, len(o[i])), 0.0
		axpy64(dnum, 1/den, do[i])
		if s.divide {
			dden = -dot64(do[i], o[i]) / den
		}
		for j := range x.k {
			if j > i && !s.both {
				break
			}
			dw := math.Pow(s.gamma, float64(i-j)) * (dot64(dnum, x.v[j]) + dden)
			axpy64(g.q[i], dw, x.k[j])
			axpy64(g.k[j], dw, x.q[i])
			axpy64(g.v[j], s.weight(x, i, j), dnum)
		}
		for c, q := range x.q[i] {
			decay := math.Pow(s.gamma, float64(i+1))
			g.q[i][c] += decay*dot64(first[c], dnum) + dden*z[0][c]
			axpy64(g.state[0][c], decay*q, dnum)
			g.state[1][0][c] += dden * q
		}
	}
	for c := range first {
		axpy64(g.state[0][c], math.Pow(s.gamma, float64(n)), dstate[0][c])
		g.state[1][0][c] += dstate[1][0][c]
		for j := range x.k {
			decay := math.Pow(s.gamma, float64(n-1-j))
			g.k[j][c] += decay*dot64(dstate[0][c], x.v[j]) + dstate[1][0][c]
			axpy64(g.v[j], decay*x.k[j][c], dstate[0][c])
		}
	}
	return g
}

// naiveWindow is softmax attention over the last reach rows, all when 0; with
// both, over as many that follow too. Its state is the keys and the values before
// the first row; the last one is all it was given behind them.
type naiveWindow struct {
	reach int
	both  bool
}

// join puts the state's keys and values in front of the rows'.
func (w naiveWindow) join(x naiveMix) (k, v matrix) {
	if x.state == nil {
		return x.k, x.v
	}
	return append(x.state[0][:len(x.state[0]):len(x.state[0])], x.k...), append(x.state[1][:len(x.state[1]):len(x.state[1])], x.v...)
}

// probabilities of row i, which is the at-th of all keys.
func (w naiveWindow) probabilities(q []float64, k matrix, at int) []float64 {
	p, sum := make([]float64, len(k)), 0.0
	for j := range k {
		if j > at && !w.both || w.reach > 0 && max(at-j, j-at) >= w.reach {
			continue
		}
		p[j] = math.Exp(dot64(q, k[j]) / math.Sqrt(float64(len(q))))
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

func (w naiveWindow) forward(x naiveMix) (o matrix, state []matrix) {
	k, v := w.join(x)
	o = newMatrix(len(x.q), len(v[0]))
	for i := range o {
		for j, p := range w.probabilities(x.q[i], k, len(k)-len(x.k)+i) {
			axpy64(o[i], p, v[j])
		}
	}
	return o, []matrix{k, v}
}

func (w naiveWindow) backward(x naiveMix, do matrix, dstate []matrix) naiveGrads {
	k, v := w.join(x)
	g := x.zeroGrads()
	before := len(k) - len(x.k)
	dk, dv := w.join(g.naiveMix)
	for i := range do {
		p := w.probabilities(x.q[i], k, before+i)
		mean := 0.0
		for j := range p {
			mean += p[j] * dot64(do[i], v[j])
		}
		for j := range p {
			ds := p[j] * (dot64(do[i], v[j]) - mean) / math.Sqrt(float64(len(x.q[i])))
			axpy64(g.q[i], ds, k[j])
			axpy64(dk[j], ds, x.q[i])
			axpy64(dv[j], p[j], do[i])
		}
	}
	for j := range dk {
		axpy64(dk[j], 1, dstate[0][j])
		axpy64(dv[j], 1, dstate[1][j])
	}
	return g
}

// naiveRWKV is the time mixing of RWKV-4, w = e^decay and u = bonus:
//
//	o_t = σ(r_t) · (e^(-tw) a₀ + Σ_{i<t} e^(-(t-1-i)w+k_i) v_i + e^(u+k_t) v_t) / (the same of b₀, without v)
//	a = e^(-nw) a₀ + Σ e^(-(n-1-i)w+k_i) v_i,  b = the same of b₀, without v
//
// The state is a and b, one row each.
type naiveRWKV struct{ decay, bonus []float64 }

func (r naiveRWKV) begin(x naiveMix) (a, b []float64) {
	if x.state != nil {
		return x.state[0][0], x.state[1][0]
	}
	return make([]float64, len(r.decay)), make([]float64, len(r.decay))
}

// weight of row i for row t in channel c.
func (r naiveRWKV) weight(x naiveMix, t, i, c int) float64 {
	if i == t {
		return math.Exp(r.bonus[c] + x.k[t][c])
	}
	return math.Exp(-float64(t-1-i)*math.Exp(r.decay[c]) + x.k[i][c])
}

// sums are numerator and divisor of row t; row n gives the last state, in which
// nothing has a bonus.
func (r naiveRWKV) sums(x naiveMix, a, b []float64, t, c int) (num, den float64) {
	fade := math.Exp(-float64(t) * math.Exp(r.decay[c]))
	num, den = fade*a[c], fade*b[c]
	for i := 0; i <= t && i < len(x.k); i++ {
		e := r.weight(x, t, i, c)
		num += e * x.v[i][c]
		den += e
	}
	return num, den
}

func (r naiveRWKV) forward(x naiveMix) (o matrix, state []matrix) {
	a, b := r.begin(x)
	n := len(x.q)
	o = newMatrix(n, len(a))
	state = []matrix{newMatrix(1, len(a)), newMatrix(1, len(a))}
	for c := range a {
		for t := range o {
			num, den := r.sums(x, a, b, t, c)
			o[t][c] = num / den / (1 + math.Exp(-x.q[t][c]))
		}
		state[0][0][c], state[1][0][c] = r.sums(x, a, b, n, c)
	}
	return o, state
}

func (r naiveRWKV) backward(x naiveMix, do matrix, dstate []matrix) naiveGrads {
	a, b := r.begin(x)
	x.state = []matrix{{a}, {b}}
	g := x.zeroGrads()
	g.decay, g.bonus = make([]float64, len(a)), make([]float64, len(a))
	for c := range a {
		w := math.Exp(r.decay[c])
		for t := range len(x.q) + 1 {
			dnum, dden := dstate[0][0][c], dstate[1][0][c]
			if t < len(x.q) {
				num, den := r.sums(x, a, b, t, c)
				s := 1 / (1 + math.Exp(-x.q[t][c]))
				g.q[t][c] = do[t][c] * num / den * s * (1 - s)
				dnum = do[t][c] * s / den
				dden = -dnum * num / den
			}
			fade := math.Exp(-float64(t) * w)
			g.state[0][0][c] += fade * dnum
			g.state[1][0][c] += fade * dden
			g.decay[c] -= float64(t) * w * fade * (a[c]*dnum + b[c]*dden)
			for i := 0; i <= t && i < len(x.k); i++ {
				e := r.weight(x, t, i, c)
				de := e * (dnum*x.v[i][c] + dden)
				g.k[i][c] += de
				g.v[i][c] += e * dnum
				if i == t {
					g.bonus[c] += de
				} else {
					g.decay[c] -= float64(t-1-i) * w * de
				}
			}
		}
	}
	return g
}
