package model

import (
	"encoding/json"
	"os"
	"testing"
)

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

// checkReference holds all three forms against the reference's values.
func checkReference(t *testing.T, name string, n, d int, gamma float64, c map[string][]float64) {
	rows := func(x []float64) matrix {
		m := newMatrix(n, d)
		for i, v := range x {
			m[i/d][i%d] = float64(float32(v))
		}
		return m
	}
	x, do := naiveMix{q: rows(c["q"]), k: rows(c["k"]), v: rows(c["v"])}, rows(c["do"])
	want := answer{o: rows(c["o"])}
	want.naiveMix = naiveMix{q: rows(c["dq"]), k: rows(c["dk"]), v: rows(c["dv"])}
	var f forms
	back := func(*answer) {}
	dstate := []matrix{newMatrix(d, d), newMatrix(1, d)}
	switch name {
	case "retention":
		f = scanForms(name, 4, gamma, false)
	case "rwkv":
		f = rwkvFormsOf(narrow(matrix{c["decay"]}), narrow(matrix{c["bonus"]}))
		want.decay, want.bonus = c["ddecay"], c["dbonus"]
		dstate[0] = newMatrix(1, d)
	default:
		features := FeaturesELU
		if name == "linear-exp" {
			features = FeaturesExp
		}
		m, err := New(Config{Layers: 1, Width: d, Context: n, HeadDim: d, LinearHeads: 1, FeedForward: 1, Features: features}, 1)
		if err != nil {
			t.Fatal(err)
		}
		projections := make([][]float32, n)
		for i := range n {
			projections[i] = append(append(narrow(x.q[i:i+1]), narrow(x.k[i:i+1])...), narrow(x.v[i:i+1])...)
			m.featureRow(projections[i])
			x.q[i], x.k[i] = widen(projections[i][:d], d)[0], widen(projections[i][d:2*d], d)[0]
		}
		back = func(a *answer) {
			for i := range n {
				drow := append(append(narrow(a.q[i:i+1]), narrow(a.k[i:i+1])...), narrow(a.v[i:i+1])...)
				m.featureRowBack(projections[i], drow)
				a.q[i], a.k[i] = widen(drow[:d], d)[0], widen(drow[d:2*d], d)[0]
			}
		}
		f = scanForms(name, 4, 1, true)
	}
	for form, run := range map[string]func(naiveMix, matrix, []matrix) answer{"naive": f.naive, "chunked": f.chunked, "recurrent": f.recurrent} {
		got := run(x, do, dstate)
		back(&got)
		got.naiveMix.state = nil
		sameAnswer(t, name+", "+form, got, want)
	}
}
