package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
)

// Histogram draws how the values (Y) of each series are distributed over n
// equal bins, common to all; 0 bins means 40. The y axis is the share of the
// series' values, so that series of different length compare.
func Histogram(title, xlabel string, n int, series ...Series) *Figure {
	return histogram(title, xlabel, n, series, false)
}

// LogHistogram is Histogram with bins of equal ratio. What is not positive is
// counted in the title line, not drawn.
func LogHistogram(title, xlabel string, n int, series ...Series) *Figure {
	return histogram(title, xlabel, n, series, true)
}

func histogram(title, xlabel string, n int, series []Series, log bool) *Figure {
	f := NewFigure(title, xlabel, "share of values (%)")
	if n <= 0 {
		n = 40
	}
	n = min(n, 500)
	low, high, left := math.Inf(1), math.Inf(-1), 0
	usable := func(v float64) bool { return finite(v) && (!log || v > 0) }
	for _, s := range series {
		for _, v := range s.Y {
			if !usable(v) {
				left++
				continue
			}
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if left > 0 {
		f.Subtitle = fmt.Sprintf("%s values cannot be drawn here (not finite, or not positive on a logarithmic axis)", display.Count(left))
	}
	if low > high {
		f.words = nothing
		return f
	}
	if low == high {
		if log {
			low, high = low/2, high*2
		} else {
			low, high = low-.5, high+.5
		}
	}
	to := func(v float64) float64 { return (v - low) / (high - low) }
	from := func(t float64) float64 { return low + t*(high-low) }
	if log {
		to = func(v float64) float64 { return math.Log(v/low) / math.Log(high/low) }
		from = func(t float64) float64 { return low * math.Pow(high/low, t) }
	}
	f.Plot.Add(grid(true))
	h := &steps{}
	for i := range n + 1 {
		h.edges = append(h.edges, from(float64(i)/float64(n)))
	}
	most := 0.
	for k, s := range series {
		share := h.shareOf(slices.DeleteFunc(slices.Clone(s.Y), func(v float64) bool { return !usable(v) }), to)
		most = math.Max(most, slices.Max(share))
		h.shares = append(h.shares, share)
		h.colors = append(h.colors, Color(k))
		f.keys = append(f.keys, key{name: fmt.Sprintf("%s (n = %s)", cmp.Or(s.Name, "values"), display.Count(len(s.Y))), color: Color(k), box: true})
	}
	p := f.Plot
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, 0, most*1.05
	p.X.Padding, p.Y.Padding = 0, 0
	if log {
		p.X.Scale, p.X.Tick.Marker = logScale{}, logTicks{}
	}
	p.Add(h)
	f.words = func() string { return h.text(series) }
	return f
}

// steps draws histograms over common edges.
type steps struct {
	edges  []float64
	shares [][]float64
	colors []color.Color
}

// shareOf is the percentage of values in each bin; to takes the axis to [0,1].
func (h *steps) shareOf(values []float64, to func(float64) float64) []float64 {
	n := len(h.edges) - 1
	share := make([]float64, n)
	for _, v := range values {
		share[min(n-1, max(0, int(to(v)*float64(n))))] += 100 / float64(len(values))
	}
	return share
}

func (h *steps) Plot(c draw.Canvas, p *plot.Plot) {
	for k, share := range h.shares {
		base := c.Y(p.Y.Norm(0))
		line := []vg.Point{{X: c.X(p.X.Norm(h.edges[0])), Y: base}}
		for i, s := range share {
			y := c.Y(p.Y.Norm(s))
			line = append(line, vg.Point{X: c.X(p.X.Norm(h.edges[i])), Y: y}, vg.Point{X: c.X(p.X.Norm(h.edges[i+1])), Y: y})
		}
		line = append(line, vg.Point{X: line[len(line)-1].X, Y: base})
		c.FillPolygon(fade(h.colors[k], .28), line)
		c.StrokeLines(draw.LineStyle{Color: h.colors[k], Width: 1.2}, line)
	}
}

func (h *steps) text(series []Series) string {
	const height = 6
	var b strings.Builder
	most := 0.
	for _, s := range h.shares {
		most = math.Max(most, slices.Max(s))
	}
	for k, share := range h.shares {
		fmt.Fprintf(&b, "%s: n = %s, highest %.3g %%\n", cmp.Or(series[k].Name, "values"), display.Count(len(series[k].Y)), slices.Max(share))
		for row := height - 1; row >= 0; row-- {
			for _, s := range share {
				level := int(math.Round(s / most * height * 8))
				b.WriteRune([]rune(" ▁▂▃▄▅▆▇█")[max(0, min(8, level-row*8))])
			}
			b.WriteByte('\n')
		}
	}
	left, right := tickLabel(h.edges[0], 0), tickLabel(h.edges[len(h.edges)-1], 0)
	b.WriteString(left + strings.Repeat(" ", max(1, len(h.edges)-1-len(left)-len(right))) + right)
	return b.String()
}

// Box draws a box for each name: quartiles and median of its values, whiskers
// to the last value within one and a half times the box, and what lies beyond.
func Box(title, ylabel string, named []string, values [][]float64) *Figure {
	f := NewFigure(title, "", ylabel)
	b := &boxes{}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range min(len(named), len(values)) {
		v := slices.Clone(values[i])
		v = slices.DeleteFunc(v, func(x float64) bool { return !finite(x) })
		slices.Sort(v)
		b.names, b.values = append(b.names, named[i]), append(b.values, v)
		if len(v) > 0 {
			low, high = math.Min(low, v[0]), math.Max(high, v[len(v)-1])
			f.ys = append(f.ys, v[0], v[len(v)-1])
		}
	}
	p := f.Plot
	p.Add(grid(false))
	p.X.Min, p.X.Max, p.X.Padding, p.X.Tick.LineStyle.Width = -.5, float64(len(b.names))-.5, 0, 0
	p.X.Tick.Marker = names(b.names)
	if low == high {
		low, high = low-1, high+1
	}
	p.Y.Min, p.Y.Max = low, high
	p.Y.Padding = 4
	p.Add(b)
	f.words = b.text
	return f
}

type boxes struct {
	names  []string
	values [][]float64 // sorted
}

func at(sorted []float64, q float64) float64 {
	x := q * float64(len(sorted)-1)
	i := int(x)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (x-float64(i))*(sorted[i+1]-sorted[i])
}

func (b *boxes) Plot(c draw.Canvas, p *plot.Plot) {
	for i, v := range b.values {
		if len(v) == 0 {
			continue
		}
		x := func(d float64) vg.Length { return c.X(p.X.Norm(float64(i) + d)) }
		y := func(q float64) vg.Length { return c.Y(p.Y.Norm(q)) }
		q1, q2, q3 := at(v, .25), at(v, .5), at(v, .75)
		reach := 1.5 * (q3 - q1)
		in := slices.DeleteFunc(slices.Clone(v), func(x float64) bool { return x < q1-reach || x > q3+reach })
		colour := Color(0)
		thin := draw.LineStyle{Color: colour, Width: 1}
		for _, end := range []float64{in[0], in[len(in)-1]} {
			near := q1
			if end > q2 {
				near = q3
			}
			c.StrokeLine2(thin, x(0), y(near), x(0), y(end))
			c.StrokeLine2(thin, x(-.12), y(end), x(.12), y(end))
		}
		rect := []vg.Point{{X: x(-.28), Y: y(q1)}, {X: x(.28), Y: y(q1)}, {X: x(.28), Y: y(q3)}, {X: x(-.28), Y: y(q3)}, {X: x(-.28), Y: y(q1)}}
		c.FillPolygon(fade(colour, .25), rect)
		c.StrokeLines(thin, rect)
		c.StrokeLine2(draw.LineStyle{Color: colour, Width: 2}, x(-.28), y(q2), x(.28), y(q2))
		var out []float64
		for _, o := range v {
			if o < q1-reach || o > q3+reach {
				out = append(out, o)
			}
		}
		step := max(1, len(out)/60)
		for j := 0; j < len(out); j += step {
			c.DrawGlyph(draw.GlyphStyle{Color: fade(colour, .6), Radius: 1.6, Shape: draw.CircleGlyph{}}, vg.Point{X: x(0), Y: y(out[j])})
		}
	}
}

func (b *boxes) text() string {
	t := display.NewTable("", "n", "least", "quarter", "median", "three quarters", "most")
	for i, v := range b.values {
		if len(v) == 0 {
			t.Row(b.names[i], 0)
			continue
		}
		t.Row(b.names[i], len(v), v[0], at(v, .25), at(v, .5), at(v, .75), v[len(v)-1])
	}
	return t.String()
}
