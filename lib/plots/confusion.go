package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
)

// mostClasses is how many classes a confusion matrix shows.
const mostClasses = 40

// Confusion draws a confusion matrix: a row for each true class, a column for each
// predicted one, shaded by the share of the row's flows, with their number where
// it fits. Of more than 40 classes it shows the 40 with most confusions, as
// the true class or the predicted one.
func Confusion(c *metrics.Classification) *Figure {
	f := NewFigure("Confusion", "predicted class", "true class")
	if c == nil || len(c.Labels) == 0 {
		f.words = nothing
		return f
	}
	m := matrixOf(c)
	n := len(m.labels)
	f.Title = fmt.Sprintf("Confusion: accuracy %.4f, macro-F1 %.4f", c.Accuracy, c.MacroF1)
	f.Subtitle = fmt.Sprintf("%s flows of %s classes; shade: share of the true class", display.Count(c.N), display.Count(len(c.Labels)))
	if n < len(c.Labels) {
		f.Subtitle += fmt.Sprintf("; shown are the %d with most confusions", n)
	}
	f.keys = []key{{name: "right", color: Color(0), box: true}, {name: "wrong", color: Color(1), box: true}}
	st, label := sans(8.5, false), vg.Length(0)
	shown := make(names, n)
	for i, l := range m.labels {
		shown[i] = cut(l, 22)
		label = max(label, st.Width(shown[i]))
	}
	p := f.Plot
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Min, a.Max, a.Padding = -.5, float64(n)-.5, 0
		a.Tick.Marker, a.Tick.LineStyle.Color, a.LineStyle.Width = shown, color.Transparent, 0
		if n > 30 {
			a.Tick.Label.Font.Size = 7
		}
	}
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	side := math.Max(15, math.Min(40, 330/float64(n))) // of a cell, in CSS pixels
	wide, room := math.Max(side, math.Min(60, 480/float64(n))), float64(label)/pt
	f.Width = math.Max(360, 60+room+wide*float64(n))
	f.Height = 100 + side*float64(n) + 12
	if room+3 > wide { // they stand upright then
		f.Height += room - 8
	}
	f.Width, f.Height = math.Ceil(f.Width), math.Ceil(f.Height)
	p.Add(m)
	f.words = func() string { return m.text(c) }
	return f
}

// cut shortens s to n letters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// matrix is the part of a confusion matrix that is shown.
type matrix struct {
	labels []string
	counts [][]int
	shares [][]float64 // of the true class, also of its flows that are not shown
}

func matrixOf(c *metrics.Classification) *matrix {
	count := func(i, j int) int {
		if i < len(c.Confusion) && j < len(c.Confusion[i]) {
			return c.Confusion[i][j]
		}
		return 0
	}
	support, wrong, shown := make([]int, len(c.Labels)), make([]int, len(c.Labels)), make([]int, len(c.Labels))
	for i := range c.Labels {
		shown[i] = i
		for j := range c.Labels {
			support[i] += count(i, j)
			if i != j {
				wrong[i], wrong[j] = wrong[i]+count(i, j), wrong[j]+count(i, j)
			}
		}
	}
	if len(shown) > mostClasses {
		slices.SortStableFunc(shown, func(a, b int) int { return cmp.Compare(wrong[b], wrong[a]) })
		shown = shown[:mostClasses]
		slices.Sort(shown)
	}
	m := &matrix{}
	for _, i := range shown {
		counts, shares := make([]int, len(shown)), make([]float64, len(shown))
		for k, j := range shown {
			counts[k] = count(i, j)
			shares[k] = float64(counts[k]) / float64(max(support[i], 1))
		}
		m.labels, m.counts, m.shares = append(m.labels, c.Labels[i]), append(m.counts, counts), append(m.shares, shares)
	}
	return m
}

func (m *matrix) Plot(c draw.Canvas, p *plot.Plot) {
	edge := func(i int) (x, y vg.Length) {
		return c.X(p.X.Norm(float64(i) - .5)), c.Y(p.Y.Norm(float64(i) - .5))
	}
	x0, y0 := edge(0)
	x1, y1 := edge(len(m.labels))
	for i := range len(m.labels) + 1 {
		x, y := edge(i)
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: .5}, x, y0, x, y1)
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: .5}, x0, y, x1, y)
	}
	for i, row := range m.counts {
		for j, n := range row {
			if n == 0 {
				continue
			}
			left, _ := edge(j)
			right, _ := edge(j + 1)
			_, top := edge(i)
			_, bottom := edge(i + 1)
			colour := Color(1)
			if i == j {
				colour = Color(0)
			}
			shade := .1 + .9*m.shares[i][j]
			c.FillPolygon(fade(colour, shade), []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
			s := strconv.Itoa(n)
			st := within(sans(math.Min(8.5, float64(top-bottom)*.6), false), s, right-left-1.5)
			if shade > .6 {
				st.Color = card
			}
			st.XAlign, st.YAlign = draw.XCenter, draw.YCenter
			if st.Font.Size >= 4.5 {
				c.FillText(st, vg.Point{X: (left + right) / 2, Y: (top + bottom) / 2}, s)
			}
		}
	}
}

// text is the matrix where it fits a terminal, and else the most frequent confusions.
func (m *matrix) text(c *metrics.Classification) string {
	if len(m.labels) <= 10 {
		t := display.NewTable(append([]string{"true \\ predicted"}, m.labels...)...)
		for i, l := range m.labels {
			row := []any{l}
			for _, n := range m.counts[i] {
				row = append(row, n)
			}
			t.Row(row...)
		}
		return t.String()
	}
	type confusion struct{ i, j int }
	var all []confusion
	for i, row := range m.counts {
		for j, n := range row {
			if i != j && n > 0 {
				all = append(all, confusion{i, j})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b confusion) int { return cmp.Compare(m.counts[b.i][b.j], m.counts[a.i][a.j]) })
	t := display.NewTable("true class", "predicted class", "flows", "of the true class (%)")
	for _, x := range all[:min(len(all), 20)] {
		t.Row(m.labels[x.i], m.labels[x.j], m.counts[x.i][x.j], fmt.Sprintf("%.1f", 100*m.shares[x.i][x.j]))
	}
	t.More = max(len(all)-20, 0)
	return t.String()
}
