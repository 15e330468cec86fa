package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
)

// Floors draws a divergence by field as lying bars, each with its interval (low
// to high) and with what it must be read beside: the floor, which is what real
// traffic has from other real traffic; what a machine gets that only copies its
// training flows; and what one gets that draws each field independently. All
// lists are as long as names; one that is nil is left out, with its place in the
// key, and NaN leaves out one field's.
func Floors(title, ylabel string, names []string, values, low, high, floor, copying, independent []float64) *Figure {
	f := NewFigure(title, "", ylabel)
	b := &bars{names: names, lying: true, column: true, colors: []color.Color{fade(Color(0), .7)}, series: []Series{{Y: values, Low: low, High: high}}}
	value := "value"
	if low != nil && high != nil {
		value += " and interval"
	}
	f.keys = []key{{name: value, color: b.colors[0], box: true}}
	t := display.NewTable("", "value", "from", "to")
	columns := [][]float64{values, low, high}
	for _, m := range []struct {
		name   string
		values []float64
		glyph  draw.GlyphDrawer
		aside  float64
	}{
		{"floor: real against real", floor, upright{}, 0},
		{"copying machine", copying, draw.PyramidGlyph{}, -.24},
		{"independent fields", independent, draw.CrossGlyph{}, .24},
	} {
		if m.values == nil {
			continue
		}
		b.marks = append(b.marks, mark{values: m.values, glyph: m.glyph, aside: m.aside})
		f.keys = append(f.keys, key{name: m.name, color: ink, glyph: m.glyph})
		t.Header, columns = append(t.Header, m.name), append(columns, m.values)
	}
	barFigure(f, b)
	f.Height = math.Max(150, 104+36*float64(len(names)))
	f.words = func() string {
		t := *t
		for i, n := range names {
			row := []any{n}
			for _, c := range columns {
				row = append(row, numberOr(c, i))
			}
			t.Row(row...)
		}
		return t.String() + "\n" + b.text()
	}
	return f
}

// numberOr is entry i of v in three digits, a dash when there is none.
func numberOr(v []float64, i int) string {
	if x := value(v, i); finite(x) {
		return short(x)
	}
	return "–"
}

// upright is a stroke across a lying bar.
type upright struct{}

func (upright) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	half := sty.Radius * 1.6
	c.StrokeLine2(draw.LineStyle{Color: card, Width: 3.4}, at.X, at.Y-half, at.X, at.Y+half)
	c.StrokeLine2(draw.LineStyle{Color: sty.Color, Width: 1.7}, at.X, at.Y-half, at.X, at.Y+half)
}
