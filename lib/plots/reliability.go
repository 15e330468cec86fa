package plots

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
)

// Reliability draws a reliability diagram: answers are sorted into so many equal
// bins (0 means 10, at most 50) by the probability that was given for them, and
// each bin has a point at its mean probability and the share that turned out
// positive, with the 95 % interval of Wilson. On the diagonal probabilities say
// what happens. Bars below count the answers of each bin. The subtitle has the expected
// calibration error, the mean over all answers of the distance between
// a bin's share and its mean probability (Guo et al. 2017, equation 3).
// Probabilities outside [0,1] are left out, and counted in the subtitle.
func Reliability(probabilities []float64, positive []bool, bins int) *Figure {
	f := NewFigure("Reliability", "probability given", "share that is positive")
	f.Width, f.Height = 480, 480
	r := reliabilityOf(probabilities, positive, bins)
	if r.n == 0 {
		f.words = nothing
		return f
	}
	f.Subtitle = fmt.Sprintf("expected calibration error %.4f over %s answers in %d bins", r.calibration(), display.Count(r.n), len(r.bins))
	if r.left > 0 {
		f.Subtitle += fmt.Sprintf("; %s left out", display.Count(r.left))
	}
	f.keys = []key{{name: "95 % interval (Wilson)", color: Color(0), glyph: draw.CircleGlyph{}},
		{name: "calibrated", color: grey, dash: true}, {name: "answers in the bin", color: pale, box: true}}
	p := f.Plot
	p.X.Min, p.X.Max, p.X.Padding = 0, 1, 0
	p.Y.Min, p.Y.Max, p.Y.Padding = -.2, 1.03, 0
	p.Y.Tick.Marker = from0{}
	p.Add(grid(true))
	p.Add(r)
	f.words = r.text
	return f
}

// from0 are the ticks of an axis that has something else below 0.
type from0 struct{}

func (from0) Ticks(_, high float64) []plot.Tick { return ticks{most: 7}.Ticks(0, high) }

type reliability struct {
	bins    []bin
	n, left int
}

// bin is one of equal width.
type bin struct {
	n, positive int
	sum         float64 // of the probabilities
}

func (b bin) mean() float64  { return b.sum / float64(b.n) }
func (b bin) share() float64 { return float64(b.positive) / float64(b.n) }

func (b bin) wilson() (low, high float64) {
	i := metrics.Wilson(b.positive, b.n)
	return i.Low, i.High
}

func reliabilityOf(probabilities []float64, positive []bool, bins int) *reliability {
	if bins <= 0 {
		bins = 10
	}
	r := &reliability{bins: make([]bin, min(bins, 50)), left: max(len(probabilities), len(positive))}
	for i := range min(len(probabilities), len(positive)) {
		p := probabilities[i]
		if !(p >= 0 && p <= 1) {
			continue
		}
		b := &r.bins[min(int(p*float64(len(r.bins))), len(r.bins)-1)]
		b.n, b.sum, r.n, r.left = b.n+1, b.sum+p, r.n+1, r.left-1
		if positive[i] {
			b.positive++
		}
	}
	return r
}

// calibration is the expected calibration error.
func (r *reliability) calibration() float64 {
	sum := 0.
	for _, b := range r.bins {
		if b.n > 0 {
			sum += float64(b.n) / float64(r.n) * math.Abs(b.share()-b.mean())
		}
	}
	return sum
}

func (r *reliability) Plot(c draw.Canvas, p *plot.Plot) {
	at := func(x, y float64) vg.Point { return vg.Point{X: c.X(p.X.Norm(x)), Y: c.Y(p.Y.Norm(y))} }
	line := func(st draw.LineStyle, from, to vg.Point) { c.StrokeLine2(st, from.X, from.Y, to.X, to.Y) }
	line(draw.LineStyle{Color: grey, Width: .9, Dashes: []vg.Length{4, 3}}, at(0, 0), at(1, 1))
	line(draw.LineStyle{Color: axis, Width: .6}, at(0, 0), at(1, 0))
	most := 0
	for _, b := range r.bins {
		most = max(most, b.n)
	}
	const base, height = -.19, .12
	for i, b := range r.bins {
		if b.n == 0 {
			continue
		}
		left, right := float64(i)/float64(len(r.bins)), float64(i+1)/float64(len(r.bins))
		inset := (right - left) * .06
		from, to := at(left+inset, base), at(right-inset, base+height*float64(b.n)/float64(most))
		c.FillPolygon(pale, []vg.Point{from, {X: from.X, Y: to.Y}, to, {X: to.X, Y: from.Y}})
		st := sans(7, false)
		st.Color, st.XAlign, st.YAlign = grey, draw.XCenter, draw.YBottom
		if s := display.Count(b.n); st.Width(s) < at(right, 0).X-at(left, 0).X {
			c.FillText(st, vg.Point{X: (from.X + to.X) / 2, Y: to.Y + 1}, s)
		}
		low, high := b.wilson()
		whisker := draw.LineStyle{Color: Color(0), Width: 1.1}
		x, end := b.mean(), vg.Length(2.5)
		line(whisker, at(x, low), at(x, high))
		for _, v := range []float64{low, high} {
			c.StrokeLine2(whisker, at(x, v).X-end, at(x, v).Y, at(x, v).X+end, at(x, v).Y)
		}
		c.DrawGlyph(draw.GlyphStyle{Color: Color(0), Radius: 3, Shape: draw.CircleGlyph{}}, at(x, b.share()))
	}
}

func (r *reliability) text() string {
	t := display.NewTable("bin", "answers", "mean probability", "positive", "95 % interval", "")
	for i, b := range r.bins {
		name := fmt.Sprintf("%.3g to %.3g", float64(i)/float64(len(r.bins)), float64(i+1)/float64(len(r.bins)))
		if b.n == 0 {
			t.Row(name, 0, "–", "–", "–", "")
			continue
		}
		low, high := b.wilson()
		t.Row(name, b.n, fmt.Sprintf("%.3f", b.mean()), fmt.Sprintf("%.3f", b.share()), fmt.Sprintf("%.3f–%.3f", low, high), strings.TrimSpace(hbar(b.share(), 20)))
	}
	t.Align = "lrrrrl"
	return t.String()
}
