package plots

import (
	"image"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// viridis at equal steps; it stays ordered in grey and for colour-blind eyes.
var viridis = []color.NRGBA{
	rgb(0x440154), rgb(0x472d7b), rgb(0x3b528b), rgb(0x2c728e), rgb(0x21918c),
	rgb(0x28ae80), rgb(0x5ec962), rgb(0xaddc30), rgb(0xfde725),
}

// Shade is the colour of t in [0,1], from dark violet to yellow.
func Shade(t float64) color.NRGBA {
	if !(t > 0) {
		return viridis[0]
	}
	x := math.Min(t, 1) * float64(len(viridis)-1)
	i := min(int(x), len(viridis)-2)
	a, b, f := viridis[i], viridis[i+1], x-float64(i)
	mix := func(u, v uint8) uint8 { return uint8(float64(u) + f*(float64(v)-float64(u)) + .5) }
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 255}
}

// Heatmap draws a matrix, row 0 at the top; values is [row][column] and NaN
// leaves the card as it is. Names may be nil: then rows and columns are numbered.
func Heatmap(title, xlabel, ylabel, unit string, values [][]float64, rows, columns []string) *Figure {
	f := NewFigure(title, xlabel, ylabel)
	h := &heat{values: values, low: math.Inf(1), high: math.Inf(-1)}
	for _, row := range values {
		h.columns = max(h.columns, len(row))
		for _, v := range row {
			if finite(v) {
				h.low, h.high = math.Min(h.low, v), math.Max(h.high, v)
			}
		}
	}
	p := f.Plot
	if h.columns == 0 {
		return f
	}
	p.X.Min, p.X.Max = -.5, float64(h.columns)-.5
	p.Y.Min, p.Y.Max = -.5, float64(len(values))-.5
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	p.X.Padding, p.Y.Padding = 0, 0
	if rows != nil {
		p.Y.Tick.Marker = names(rows)
	}
	if columns != nil {
		p.X.Tick.Marker = names(columns)
	}
	p.Add(h)
	f.keyRow = func(c draw.Canvas) vg.Length { return h.scale(c, unit) }
	f.words = h.text
	return f
}

type heat struct {
	values    [][]float64
	columns   int
	low, high float64
}

func (h *heat) norm(v float64) float64 {
	if h.low == h.high {
		return .5
	}
	return (v - h.low) / (h.high - h.low)
}

func (h *heat) color(row, col int) color.NRGBA {
	if v := value(h.values[row], col); finite(v) {
		return Shade(h.norm(v))
	}
	return color.NRGBA{}
}

func (h *heat) Plot(c draw.Canvas, p *plot.Plot) {
	// One image: cells never leave hairlines between them, and the file stays
	// small. Enough pixels a cell that smoothing does not blur it.
	n := max(1, 900/max(h.columns, len(h.values)))
	img := image.NewNRGBA(image.Rect(0, 0, h.columns*n, len(h.values)*n))
	for y := range img.Rect.Max.Y {
		for x := range img.Rect.Max.X {
			img.SetNRGBA(x, y, h.color(y/n, x/n))
		}
	}
	c.DrawImage(c.Rectangle, img)
}

// scale draws the colours from low to high in place of a key.
func (h *heat) scale(c draw.Canvas, unit string) vg.Length {
	if h.low > h.high {
		return 0
	}
	st := sans(8.5, false)
	st.YAlign = draw.YCenter
	y, x := c.Max.Y-6, c.Min.X
	low, high := tickLabel(h.low, (h.high-h.low)/100), tickLabel(h.high, (h.high-h.low)/100)
	c.FillText(st, vg.Point{X: x, Y: y}, low)
	x += st.Width(low) + 4
	const steps, width = 96, 96
	img := image.NewNRGBA(image.Rect(0, 0, steps, 1))
	for i := range steps {
		img.SetNRGBA(i, 0, Shade(float64(i)/(steps-1)))
	}
	c.DrawImage(vg.Rectangle{Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + width, Y: y + 4}}, img)
	x += width
	c.FillText(st, vg.Point{X: x + 4, Y: y}, strings.TrimSpace(high+" "+unit))
	return 12
}

// text is the matrix in shades, at most 72 columns and 24 rows of it.
func (h *heat) text() string {
	rows, cols := min(len(h.values), 24), min(h.columns, 72)
	var b strings.Builder
	for r := range rows {
		for c := range cols {
			v := value(h.values[r*len(h.values)/rows], c*h.columns/cols)
			if !finite(v) {
				b.WriteByte(' ')
				continue
			}
			b.WriteRune([]rune("·░▒▓█")[min(4, int(h.norm(v)*5))])
		}
		b.WriteByte('\n')
	}
	return b.String() + "from " + tickLabel(h.low, 0) + " (·) to " + tickLabel(h.high, 0) + " (█)"
}
