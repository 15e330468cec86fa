package model

import (
	"math"
	"testing"
)

// TestNarrowGradients holds a narrow pass against one in float32: loss and gradients of every tensor differ by what
// rounding to 8 bits explains.
func TestNarrowGradients(t *testing.T) {
	for _, c := range testConfigs() {
		c.Width, c.HeadDim, c.FeedForward, c.Vocabulary = 96, 32, 128, 97 // of tiny vectors rounding says much
		for _, drop := range []float32{0, 0.2} {
			t.Run(c.Name, func(t *testing.T) {
				m, err := New(c, 7)
				if err != nil {
					t.Fatal(err)
				}
				b := testBatch(c.Vocabulary, 5)
				d := dropout{rate: drop, seed: 3}
				m.params.needGrads()
				var w workspace
				clear(m.params.grads)
				want := w.gradients(m, b, 1, d)
				grads := append([]float32(nil), m.params.grads...)
				clear(m.params.grads)
				w.pass.narrow = true
				got := w.gradients(m, b, 1, d)
				if !(math.Abs(got-want) < 0.01*want) {
					t.Fatalf("loss is %v, in float32 %v", got, want)
				}
				for _, x := range m.params.all {
					var norm, off float64
					for i, g := range x.g {
						y := float64(grads[x.at+i])
						norm += y * y
						off += (float64(g) - y) * (float64(g) - y)
					}
					if norm, off = math.Sqrt(norm), math.Sqrt(off); !(off <= 0.04*norm+1e-3) {
						t.Errorf("%s: the gradient of norm %.4g is off by %.4g", x.name, norm, off)
					}
				}
			})
		}
	}
}
