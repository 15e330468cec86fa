package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
)

// mostPoints is how many points of an embedding are drawn.
const mostPoints = 4000

// shapes tell labels of one colour apart.
var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{}}

// Embedding draws vectors, such as those of sample.Embed, on their two first
// principal components, a point each, coloured by label; labels may be nil. The axes
// say which share of all variance they show. Labels beyond the eight colours in
// three shapes, the rarest, are "other". A component has the sign that makes its
// largest loading positive, so that the same vectors always make the same map.
// Vectors that are not finite (or beyond 1e100), or not as long as the first, are
// left out, and counted in the subtitle.
func Embedding(vectors [][]float64, labels []string) *Figure {
	f := NewFigure("Embeddings", "", "")
	f.Height = 460
	e := &embedding{}
	var rows []int
	for i, v := range vectors {
		if len(v) > 0 && len(v) == len(vectors[0]) && !slices.ContainsFunc(v, func(x float64) bool { return !(math.Abs(x) < 1e100) }) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		f.words = nothing
		return f
	}
	shares := e.project(vectors, rows)
	f.Plot.X.Label.Text = fmt.Sprintf("first component (%.1f %% of the variance)", 100*shares[0])
	f.Plot.Y.Label.Text = fmt.Sprintf("second component (%.1f %% of the variance)", 100*shares[1])
	f.Subtitle = fmt.Sprintf("%s of %s", counted(len(rows), "vector"), counted(len(vectors[0]), "dimension"))
	if left := len(vectors) - len(rows); left > 0 {
		f.Subtitle += fmt.Sprintf("; %s left out: not finite, or of another length", display.Count(left))
	}
	if len(rows) > mostPoints {
		f.Subtitle += fmt.Sprintf("; %s of them drawn", display.Count(mostPoints))
	}
	if labels != nil {
		f.keys = e.color(rows, labels)
	}
	f.Plot.Add(grid(true))
	f.Plot.Add(e)
	for _, a := range []*plot.Axis{&f.Plot.X, &f.Plot.Y} {
		room := .04 * (a.Max - a.Min)
		a.Min, a.Max, a.Padding = a.Min-room, a.Max+room, 0
	}
	f.words = func() string {
		s := Series{}
		for _, p := range e.points {
			s.X, s.Y = append(s.X, p.x), append(s.Y, p.y)
		}
		return braille(f, []Series{s}, true)
	}
	return f
}

type embedding struct{ points []dot }

// dot is one vector on the map.
type dot struct {
	x, y  float64
	color color.Color
	shape draw.GlyphDrawer
}

// project puts the vectors of these rows on the map, and says which shares of the
// variance the axes have.
func (e *embedding) project(vectors [][]float64, rows []int) (shares [2]float64) {
	n, d := len(rows), len(vectors[0])
	e.points = make([]dot, n)
	for i := range e.points {
		e.points[i] = dot{color: Color(0), shape: shapes[0]}
	}
	data := mat.NewDense(n, d, nil)
	for i, r := range rows {
		data.SetRow(i, vectors[r])
	}
	for j := range d { // the map is centred
		mean := stat.Mean(mat.Col(nil, j, data), nil)
		for i := range n {
			data.Set(i, j, data.At(i, j)-mean)
		}
	}
	var pc stat.PC
	if n < 2 || !pc.PrincipalComponents(data, nil) {
		return shares
	}
	var axes, places mat.Dense
	pc.VectorsTo(&axes)
	places.Mul(data, &axes)
	variances := pc.VarsTo(nil)
	total := floats.Sum(variances)
	for k := range min(2, len(variances)) {
		loadings := mat.Col(nil, k, &axes)
		largest := 0
		for j, x := range loadings {
			// Of such as large but for rounding, the first.
			if math.Abs(x) > math.Abs(loadings[largest])*(1+1e-9) {
				largest = j
			}
		}
		sign := math.Copysign(1, loadings[largest])
		if total > 0 {
			shares[k] = variances[k] / total
		}
		for i := range e.points {
			if x := sign * places.At(i, k); k == 0 {
				e.points[i].x = x
			} else {
				e.points[i].y = x
			}
		}
	}
	return shares
}

// color gives labels their colours and shapes, the most frequent first, and is the key.
func (e *embedding) color(rows []int, labels []string) []key {
	label := func(i int) string {
		if rows[i] < len(labels) && labels[rows[i]] != "" {
			return labels[rows[i]]
		}
		return "no label"
	}
	counts := map[string]int{}
	for i := range rows {
		counts[label(i)]++
	}
	names := make([]string, 0, len(counts))
	for l := range counts {
		names = append(names, l)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var keys []key
	place := map[string]int{}
	most := len(Palette) * len(shapes)
	for k, l := range names {
		if place[l] = k; k < most {
			keys = append(keys, key{name: fmt.Sprintf("%s (%s)", cut(l, 24), display.Count(counts[l])), color: Color(k), glyph: shapes[k/len(Palette)]})
		}
	}
	if rest := len(names) - most; rest > 0 {
		keys = append(keys, key{name: "other (" + counted(rest, "label") + ")", color: pale, glyph: draw.RingGlyph{}})
	}
	for i := range rows {
		p, k := &e.points[i], place[label(i)]
		if k < most {
			p.color, p.shape = Color(k), shapes[k/len(Palette)]
		} else {
			p.color, p.shape = pale, draw.RingGlyph{}
		}
	}
	return keys
}

func (e *embedding) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin, xmax, ymax = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range e.points {
		xmin, xmax = math.Min(xmin, p.x), math.Max(xmax, p.x)
		ymin, ymax = math.Min(ymin, p.y), math.Max(ymax, p.y)
	}
	return
}

func (e *embedding) Plot(c draw.Canvas, p *plot.Plot) {
	n := min(len(e.points), mostPoints)
	radius := vg.Length(math.Max(1.5, math.Min(2.6, 60/math.Sqrt(float64(n)))))
	for i := range n {
		d := e.points[i*len(e.points)/n]
		c.DrawGlyph(draw.GlyphStyle{Color: fade(d.color, .8), Radius: radius, Shape: d.shape},
			vg.Point{X: c.X(p.X.Norm(d.x)), Y: c.Y(p.Y.Norm(d.y))})
	}
}
