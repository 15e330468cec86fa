package plots

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is one named line. X may be nil: then it is 0, 1, 2, ….
// NaN and infinite values leave a gap.
type Series struct {
	Name   string
	X, Y   []float64
	Dashed bool // for references and floors
	Faint  bool // for raw values under a smooth line; left out of the key
	Points bool // draw the points too
	// Low and High, as long as Y, are drawn as a band around a curve and as
	// whiskers on bars. They may be nil.
	Low, High []float64
}

// Curves draws lines over a common x axis. Labels carry their units.
func Curves(title, xlabel, ylabel string, series ...Series) *Figure {
	return curves(NewFigure(title, xlabel, ylabel), false, series)
}

// Scatter draws points.
func Scatter(title, xlabel, ylabel string, series ...Series) *Figure {
	return curves(NewFigure(title, xlabel, ylabel), true, series)
}

func curves(f *Figure, bare bool, series []Series) *Figure {
	f.Plot.Add(grid(true))
	n := 0
	for _, s := range series {
		if len(s.Low) > 0 && len(s.High) > 0 {
			f.Plot.Add(&band{Series: s, color: fade(Color(n), .18)})
		}
		l := &lines{Series: s, color: Color(n), bare: bare}
		l.X, l.Y = pairs(s)
		if s.Faint {
			l.color = fade(l.color, .35)
		} else {
			f.keys = append(f.keys, key{name: s.Name, color: l.color, dash: s.Dashed, box: bare})
			n++
		}
		f.xs, f.ys = append(f.xs, l.X...), append(f.ys, l.Y...)
		f.Plot.Add(l)
	}
	if len(f.keys) == 1 && f.keys[0].name == "" {
		f.keys = nil
	}
	f.words = func() string { return braille(f, series, bare) }
	return f
}

func pairs(s Series) (x, y []float64) {
	y = s.Y
	x = s.X
	if x == nil {
		x = make([]float64, len(y))
		for i := range x {
			x[i] = float64(i)
		}
	}
	n := min(len(x), len(y))
	return thin(x[:n], y[:n], 700)
}

// thin keeps the lowest and highest point of each of n stretches: a curve of a
// million points looks the same and the file stays small.
func thin(x, y []float64, n int) ([]float64, []float64) {
	if len(x) <= 2*n {
		return x, y
	}
	var tx, ty []float64
	for i := range n {
		from, to := i*len(x)/n, (i+1)*len(x)/n
		low, high := from, from
		for j := from; j < to; j++ {
			if y[j] < y[low] || math.IsNaN(y[low]) {
				low = j
			}
			if y[j] > y[high] || math.IsNaN(y[high]) {
				high = j
			}
		}
		for _, j := range []int{min(low, high), max(low, high)} {
			tx, ty = append(tx, x[j]), append(ty, y[j])
		}
	}
	return tx, ty
}

func grid(vertical bool) *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal = draw.LineStyle{Color: faint, Width: .6}
	g.Vertical = g.Horizontal
	if !vertical {
		g.Vertical.Color = nil
	}
	return g
}

// lines draws a Series.
type lines struct {
	Series
	color color.Color
	bare  bool // points without lines
}

func (l *lines) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin = math.Inf(1), math.Inf(1)
	xmax, ymax = math.Inf(-1), math.Inf(-1)
	for i, y := range l.Y {
		if x := l.X[i]; finite(x) && finite(y) {
			xmin, xmax = math.Min(xmin, x), math.Max(xmax, x)
			ymin, ymax = math.Min(ymin, y), math.Max(ymax, y)
		}
	}
	return
}

func (l *lines) Plot(c draw.Canvas, p *plot.Plot) {
	style := draw.LineStyle{Color: l.color, Width: 1.6}
	if l.Faint {
		style.Width = .8
	}
	if l.Dashed {
		style.Dashes = []vg.Length{4, 3}
	}
	dot := draw.GlyphStyle{Color: l.color, Radius: 2.2, Shape: draw.CircleGlyph{}}
	var run []vg.Point
	end := func() {
		if len(run) == 1 && !l.Points && !l.bare {
			c.DrawGlyph(dot, run[0])
		} else if len(run) > 1 && !l.bare {
			c.StrokeLines(style, c.ClipLinesXY(run)...)
		}
		run = nil
	}
	for i, y := range l.Y {
		x := l.X[i]
		if !finite(x) || !finite(y) {
			end()
			continue
		}
		at := vg.Point{X: c.X(p.X.Norm(x)), Y: c.Y(p.Y.Norm(y))}
		run = append(run, at)
		if l.Points || l.bare {
			c.DrawGlyph(dot, at)
		}
	}
	end()
}

// band fills the space between Low and High.
type band struct {
	Series
	color color.Color
}

func (b *band) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin, xmax, ymax = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, ys := range [][]float64{b.Low, b.High} {
		l := lines{Series: Series{X: b.X, Y: ys}}
		l.X, l.Y = pairs(l.Series)
		x0, x1, y0, y1 := l.DataRange()
		xmin, xmax, ymin, ymax = math.Min(xmin, x0), math.Max(xmax, x1), math.Min(ymin, y0), math.Max(ymax, y1)
	}
	return
}

func (b *band) Plot(c draw.Canvas, p *plot.Plot) {
	var above, below []vg.Point
	for i := range min(len(b.Low), len(b.High)) {
		x := float64(i)
		if b.X != nil {
			x = value(b.X, i)
		}
		if !finite(x) || !finite(b.Low[i]) || !finite(b.High[i]) {
			continue
		}
		at := c.X(p.X.Norm(x))
		above = append(above, vg.Point{X: at, Y: c.Y(p.Y.Norm(b.High[i]))})
		below = append(below, vg.Point{X: at, Y: c.Y(p.Y.Norm(b.Low[i]))})
	}
	slices.Reverse(below)
	if len(above) > 1 {
		c.FillPolygon(b.color, c.ClipPolygonXY(append(above, below...)))
	}
}
