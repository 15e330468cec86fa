package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
)

// Bars draws a group of bars for each name, one bar of it for each series:
// Y holds its values, Low and High, when given, the ends of its whiskers. Names
// too long to stand side by side make the bars lie.
func Bars(title, xlabel, ylabel string, names []string, series ...Series) *Figure {
	f := NewFigure(title, xlabel, ylabel)
	b := &bars{names: names, series: series}
	for i, s := range series {
		b.colors = append(b.colors, Color(i))
		f.keys = append(f.keys, key{name: s.Name, color: Color(i), box: true})
	}
	if len(series) == 1 {
		f.keys = nil
	}
	return barFigure(f, b)
}

func barFigure(f *Figure, b *bars) *Figure {
	width := vg.Length(0)
	st := sans(8.5, false)
	for _, n := range b.names {
		width = max(width, st.Width(n)+8)
	}
	b.lying = b.lying || width*vg.Length(len(b.names)) > vg.Length(f.Width*pt*.88)
	p := f.Plot
	low, high := b.extent()
	values, places := &p.Y, &p.X
	if b.lying {
		values, places = &p.X, &p.Y
		p.X.Label.Text, p.Y.Label.Text = p.Y.Label.Text, p.X.Label.Text
		p.X.Tick.Length = 0
		f.Height = math.Max(150, 110+float64(len(b.names))*math.Max(22, 13*float64(len(b.series))))
	}
	values.Min, values.Max = low, high
	values.Padding = 0
	places.Min, places.Max = -.5, float64(len(b.names))-.5
	places.Padding, places.Tick.LineStyle.Width, places.Tick.Length = 0, 0, 3
	places.Tick.Marker = names(b.names)
	if b.lying {
		places.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	}
	if len(b.names) == 0 {
		places.Min = math.Inf(1)
	}
	g := grid(b.lying)
	if b.lying {
		g.Horizontal.Color = nil
	}
	p.Add(g)
	p.Add(b)
	f.ys = []float64{low, high}
	f.words = b.text
	return f
}

// names are ticks at 0, 1, 2, ….
type names []string

func (n names) Ticks(_, _ float64) []plot.Tick {
	out := make([]plot.Tick, len(n))
	for i, s := range n {
		out[i] = plot.Tick{Value: float64(i), Label: s}
	}
	return out
}

// upright turns the names of an axis where they would run into one another.
func (n names) upright(a *plot.Axis, c draw.Canvas) {
	widest := vg.Length(0)
	for _, s := range n {
		widest = max(widest, a.Tick.Label.Width(s))
	}
	if widest+2 > (c.Max.X-c.Min.X)/vg.Length(max(len(n), 1)) {
		a.Tick.Label.Rotation, a.Tick.Label.XAlign, a.Tick.Label.YAlign = math.Pi/2, draw.XRight, draw.YCenter
	}
}

type bars struct {
	names  []string
	series []Series
	colors []color.Color
	marks  []mark
	lying  bool
	column bool // numbers stand at the right end, clear of marks
}

// mark is a sign on the bars of one series, of a value that belongs beside theirs.
type mark struct {
	series int
	values []float64
	glyph  draw.GlyphDrawer
	aside  float64 // from the middle of the bar, in parts of its width
}

// value is entry i of v, NaN when there is none.
func value(v []float64, i int) float64 {
	if i < len(v) {
		return v[i]
	}
	return math.NaN()
}

// extent is the axis: from 0, with room for whiskers and numbers.
func (b *bars) extent() (low, high float64) {
	var lists [][]float64
	for _, s := range b.series {
		lists = append(lists, s.Y, s.Low, s.High)
	}
	for _, m := range b.marks {
		lists = append(lists, m.values)
	}
	for _, vs := range lists {
		for _, v := range vs {
			if finite(v) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
	}
	if low == high {
		high = 1
	}
	room := (high - low) * .1
	if b.column {
		room *= 2
	}
	if low < 0 {
		low -= room
	}
	return low, high + room
}

func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	n := len(b.series)
	numbers := n*len(b.names) <= 40
	for i := range b.names {
		for k, s := range b.series {
			v, top := value(s.Y, i), math.Inf(-1)
			gap := .78 / float64(n)
			left := float64(i) - .39 + gap*float64(k)
			right := left + gap*.94
			if finite(v) {
				b.bar(c, p, left, right, v, b.colors[k])
				top = v
			}
			if lo, hi := value(s.Low, i), value(s.High, i); finite(lo) && finite(hi) {
				b.whisker(c, p, (left+right)/2, (right-left)*.22, lo, hi)
				top = math.Max(top, hi)
			}
			for _, m := range b.marks {
				if at := value(m.values, i); m.series == k && finite(at) {
					b.mark(c, p, m.glyph, (left+right)/2+m.aside*(right-left), at)
					top = math.Max(top, at)
				}
			}
			if numbers && finite(v) {
				b.number(c, p, (left+right)/2, v, top)
			}
		}
	}
	zero := draw.LineStyle{Color: axis, Width: .6}
	from, to := b.at(c, p, -.5, 0), b.at(c, p, float64(len(b.names))-.5, 0)
	c.StrokeLine2(zero, from.X, from.Y, to.X, to.Y)
}

// at is the point of a value at a place along the names.
func (b *bars) at(c draw.Canvas, p *plot.Plot, place, v float64) vg.Point {
	if b.lying {
		return vg.Point{X: c.X(p.X.Norm(v)), Y: c.Y(p.Y.Norm(place))}
	}
	return vg.Point{X: c.X(p.X.Norm(place)), Y: c.Y(p.Y.Norm(v))}
}

func (b *bars) bar(c draw.Canvas, p *plot.Plot, left, right, v float64, colour color.Color) {
	floor := math.Max(0, axisMin(b.lying, p))
	from, to := b.at(c, p, left, floor), b.at(c, p, right, v)
	c.FillPolygon(colour, []vg.Point{from, {X: from.X, Y: to.Y}, to, {X: to.X, Y: from.Y}})
}

// axisMin is the low end of the values' axis when it is above 0, as on a
// logarithmic one.
func axisMin(lying bool, p *plot.Plot) float64 {
	if lying {
		return p.X.Min
	}
	return p.Y.Min
}

func (b *bars) whisker(c draw.Canvas, p *plot.Plot, place, half, lo, hi float64) {
	st := draw.LineStyle{Color: ink, Width: .9}
	line := func(p0, p1 vg.Point) { c.StrokeLine2(st, p0.X, p0.Y, p1.X, p1.Y) }
	line(b.at(c, p, place, lo), b.at(c, p, place, hi))
	for _, v := range []float64{lo, hi} {
		line(b.at(c, p, place-half, v), b.at(c, p, place+half, v))
	}
}

// mark draws a sign on a disc of the card's colour, so that it stands out on bars.
func (b *bars) mark(c draw.Canvas, p *plot.Plot, glyph draw.GlyphDrawer, place, v float64) {
	at := b.at(c, p, place, v)
	size := vg.Length(2.8)
	if b.column {
		size = 3.4
	}
	if _, long := glyph.(upright); long {
		size *= 1.8
	} else {
		c.DrawGlyph(draw.GlyphStyle{Color: card, Radius: size + .9, Shape: draw.CircleGlyph{}}, at)
	}
	c.DrawGlyph(draw.GlyphStyle{Color: ink, Radius: size, Shape: glyph}, at)
}

func (b *bars) number(c draw.Canvas, p *plot.Plot, place, v, top float64) {
	st := sans(7, false)
	st.Color = grey
	at := b.at(c, p, place, math.Max(top, 0))
	switch {
	case b.column:
		st = sans(8, false)
		st.XAlign, st.YAlign = draw.XRight, draw.YCenter
		at.X = c.Max.X - 2
	case b.lying:
		st.XAlign, st.YAlign = draw.XLeft, draw.YCenter
		at.X += 3
	default:
		st.XAlign, st.YAlign = draw.XCenter, draw.YBottom
		at.Y += 1.5
	}
	c.FillText(st, at, short(v))
}

// short writes a value in three digits.
func short(v float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 1000:
		return display.Number(math.Round(v))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a < .001:
		return fmt.Sprintf("%.1g", v)
	case a < 1:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func (b *bars) text() string {
	wide, wideName := 0, 0
	_, high := b.extent()
	for _, n := range b.names {
		wide = max(wide, display.Width(n))
	}
	for _, s := range b.series {
		wideName = max(wideName, display.Width(s.Name))
	}
	if len(b.series) == 1 {
		wideName = 0
	}
	var out strings.Builder
	for i, n := range b.names {
		for k, s := range b.series {
			if k > 0 {
				n = ""
			}
			fmt.Fprintf(&out, "%s%s  ", n, strings.Repeat(" ", wide-display.Width(n)))
			if wideName > 0 {
				fmt.Fprintf(&out, "%s%s  ", s.Name, strings.Repeat(" ", wideName-display.Width(s.Name)))
			}
			v := value(s.Y, i)
			if !finite(v) {
				out.WriteString("–\n")
				continue
			}
			fmt.Fprintf(&out, "%7s %s", short(v), hbar(v/high, 36))
			if lo, hi := value(s.Low, i), value(s.High, i); finite(lo) && finite(hi) {
				fmt.Fprintf(&out, "  (%s–%s)", short(lo), short(hi))
			}
			out.WriteByte('\n')
		}
	}
	if out.Len() == 0 {
		return "no data"
	}
	return out.String()
}

// JSD draws a report of divergences: a bar for each field with the bootstrap
// interval, and beside it what real traffic differs from itself, with the range
// of 95 % of the splits. The ring says what the generated flows have in samples
// of the floor's size; only it may be compared with the floor.
func JSD(r *metrics.JSDReport) *Figure {
	f := NewFigure(r.Title, "", "JSD ("+r.Unit+")")
	name := cmp.Or(r.Generated, "generated")
	b := &bars{colors: []color.Color{Color(0), pale}, series: []Series{{Name: name}, {Name: "real against real (floor)"}}}
	ring := make([]float64, 0, len(r.Rows)+1)
	add := func(row metrics.JSDRow) {
		b.names = append(b.names, row.Name)
		g, fl := &b.series[0], &b.series[1]
		g.Y, g.Low, g.High = append(g.Y, row.JSD), append(g.Low, row.Low), append(g.High, row.High)
		fl.Y, fl.Low, fl.High = append(fl.Y, row.Floor), append(fl.Low, row.FloorLow), append(fl.High, row.FloorHigh)
		ring = append(ring, row.Matched)
	}
	for _, row := range r.Rows {
		add(row)
	}
	add(r.Mean)
	b.marks = []mark{{values: ring, glyph: draw.RingGlyph{}}}
	f.keys = []key{{name: name + ", 95 % interval", color: b.colors[0], box: true}}
	if r.Splits > 0 {
		f.keys = append(f.keys,
			key{name: b.series[1].Name, color: b.colors[1], box: true},
			key{name: name + ", in samples of the floor's size", color: ink, glyph: draw.RingGlyph{}})
	} else {
		b.series, b.marks = b.series[:1], nil
	}
	f.Subtitle = fmt.Sprintf("0 equal, %.3g disjoint · %s real and %s %s flows", r.Most, display.Count(r.Flows[0]), display.Count(r.Flows[1]), name)
	return barFigure(f, b)
}
