package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
)

// Surprise draws what each token of a flow cost a model, in bits, -log2 of its
// probability: the mean over a window around each, before the single values, which are
// faint, with lines where packets begin. sample.Surprise has both lists, one entry a
// token; what is not finite is a gap, and does not count in the mean.
func Surprise(tokens []uint16, bits []float64) *Figure {
	n := min(len(tokens), len(bits))
	tokens, bits = tokens[:n], bits[:n]
	f := NewFigure("Surprise along the flow", "token", "bits a token")
	var starts borders
	sum, given, packets := 0., 0, 0
	for i, b := range bits {
		if tokens[i] == tokenizer.Start {
			packets++
			if i > 0 { // where the axis stands already
				starts = append(starts, float64(i))
			}
		}
		if finite(b) {
			sum, given = sum+b, given+1
		}
	}
	if given == 0 {
		f.words = nothing
		return f
	}
	window := max(9, n/40) | 1
	f.Plot.Add(starts)
	curves(f, false, []Series{{Name: "each token", Y: bits, Faint: true},
		{Name: fmt.Sprintf("mean of %d tokens", window), Y: smooth(bits, window)}})
	f.keys = append(f.keys, key{name: "single tokens", color: fade(Color(0), .35)})
	if len(starts) <= mostBorders {
		f.keys = append(f.keys, key{name: "a packet begins", color: grey, glyph: upright{}})
	}
	f.Subtitle = fmt.Sprintf("mean %.3g bits a token over %s tokens · %s", sum/float64(given), display.Count(given), counted(packets, "packet"))
	f.Plot.Y.Min, f.Plot.Y.Max = math.Min(0, f.Plot.Y.Min), f.Plot.Y.Max*1.05
	return f
}

// smooth is the mean over a window around each value; what is not finite does not count.
func smooth(v []float64, window int) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		sum, n := 0., 0
		for _, x := range v[max(0, i-window/2):min(len(v), i+window/2+1)] {
			if finite(x) {
				sum, n = sum+x, n+1
			}
		}
		out[i] = sum / float64(n) // NaN, a gap, where there is none
	}
	return out
}

// borders are upright lines where packets begin.
type borders []float64

// mostBorders is how many packets' borders can be told apart.
const mostBorders = 120

func (b borders) Plot(c draw.Canvas, p *plot.Plot) {
	if len(b) > mostBorders {
		return
	}
	for _, at := range b {
		x := c.X(p.X.Norm(at))
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: .6}, x, c.Min.Y, x, c.Max.Y)
	}
}
