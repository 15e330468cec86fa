package plots

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
)

// mostHeads is how many panels are drawn.
const mostHeads = 24

// Heads draws what heads of a model attend to, a panel a head: maps[head][query][key], as
// model.Attention has them, with lines where the packets of tokens begin. With tokens nil
// it draws any matrices, such as the states of model.Stream.State.
//
// Panels whose names differ by numbers alone ("local 0", "local 1") are of one kind and have
// one scale; those without names are too. Of a kind without negative values it is
// logarithmic, over three decades at most; what is 0, as what a head does not see, stays
// blank. Of others it has a colour for each sign, the stronger the further from 0. What is
// not finite stays blank too. In matrices with more values than pixels a pixel shows the
// largest, in size, of its values. Of more than 24 heads the first 24 are drawn.
func Heads(title string, maps [][][]float64, names []string, tokens []uint16) *Figure {
	f := NewFigure(title, "column", "row")
	h := headsOf(maps, names)
	if len(h.scales) == 0 {
		f.words = nothing
		return f
	}
	f.Subtitle = counted(len(maps), "head")
	if n := len(h.panels); n < len(maps) {
		f.Subtitle += fmt.Sprintf(", the first %d drawn", n)
	}
	if tokens != nil {
		f.Plot.X.Label.Text, f.Plot.Y.Label.Text = "key (token)", "query (token)"
		for i, t := range tokens {
			if t == tokenizer.Start {
				h.starts = append(h.starts, i)
			}
		}
		f.Subtitle += " · " + counted(len(tokens), "token") + " · " + counted(len(h.starts), "packet")
	}
	if h.large() {
		f.Subtitle += " · a pixel shows the largest of its values"
	}
	p := f.Plot
	p.HideAxes()
	p.X.Min, p.X.Max, p.X.Padding = 0, 1, 0
	p.Y.Min, p.Y.Max, p.Y.Padding = 0, 1, 0
	p.Add(h)
	f.keyRow = h.keys
	f.words = h.text
	f.Width, f.Height = h.size()
	return f
}

// headPanels are the panels of a figure, and where the packets of the flow begin.
type headPanels struct {
	panels []headPanel
	scales []*headScale // one a kind, of those that have anything to show
	starts []int
	alike  bool // all panels have one shape, so one row and one column of numbers is enough
}

type headPanel struct {
	name          string
	values        [][]float64
	rows, columns int
	scale         *headScale
}

// headScale is what colours mean in the panels of a kind: values from low to high on a
// logarithmic scale or, with negative ones, from -high to high on a linear one.
type headScale struct {
	kind      string
	low, high float64
	signed    bool
	cut       bool // there are values below low
	given     bool // there are values, if only zeros
}

// headDecades is how far a logarithmic scale goes down.
const headDecades = 1e3

func headsOf(maps [][][]float64, names []string) *headPanels {
	h := &headPanels{alike: true}
	kinds := map[string]*headScale{}
	for i, values := range maps[:min(len(maps), mostHeads)] {
		p := headPanel{name: fmt.Sprintf("head %d", i), values: values, rows: len(values)}
		if i < len(names) && strings.TrimSpace(names[i]) != "" {
			p.name = names[i]
		}
		kind := kindOf(p.name)
		if kinds[kind] == nil {
			kinds[kind] = &headScale{kind: kind, low: math.Inf(1)}
			h.scales = append(h.scales, kinds[kind])
		}
		p.scale = kinds[kind]
		for _, row := range values {
			p.columns = max(p.columns, len(row))
			for _, v := range row {
				p.scale.take(v)
			}
		}
		h.panels = append(h.panels, p)
		h.alike = h.alike && p.rows == h.panels[0].rows && p.columns == h.panels[0].columns
	}
	for _, s := range h.scales {
		if s.low < s.high/headDecades {
			s.low, s.cut = s.high/headDecades, true
		}
	}
	h.scales = slices.DeleteFunc(h.scales, func(s *headScale) bool { return !s.given })
	return h
}

// kindOf is a name without its numbers.
func kindOf(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }), " ")
}

func (s *headScale) take(v float64) {
	if !finite(v) {
		return
	}
	s.given = true
	if v == 0 {
		return
	}
	s.signed = s.signed || v < 0
	s.low, s.high = math.Min(s.low, math.Abs(v)), math.Max(s.high, math.Abs(v))
}

// headShades is how many shades a scale has, of each sign if there are two.
const headShades = 24

// shade is the shade of a value: 0 for a blank, 1…headShades, and below 0 for negative ones.
func (s *headScale) shade(v float64) int {
	switch {
	case !finite(v) || v == 0:
		return 0
	case s.signed: // the palest is a blank
		return int(math.Round(v / s.high * headShades))
	case s.low == s.high:
		return headShades
	}
	t := math.Log(v/s.low) / math.Log(s.high/s.low)
	return 1 + int(math.Round(math.Max(0, math.Min(t, 1))*(headShades-1)))
}

// palette are the colours of the shades, on a light or a dark card; negative
// ones stand behind the others.
func (s *headScale) palette(c draw.Canvas) color.Palette {
	night := isDark(c)
	out := color.Palette{color.NRGBA{}}
	for i := range 2 * headShades {
		t := float64(i%headShades) / (headShades - 1)
		if !s.signed {
			out = append(out, Shade(t))
			continue
		}
		col := color.NRGBAModel.Convert(Color(1 - i/headShades)).(color.NRGBA)
		if night {
			col = dark[col]
		}
		out = append(out, fade(col, float64(i%headShades+1)/headShades))
	}
	return out
}

// isDark says whether a canvas, which may be a part of another, is one of a dark page.
func isDark(c vg.Canvas) bool {
	for {
		part, ok := c.(draw.Canvas)
		if !ok {
			_, ok = c.(onDark)
			return ok
		}
		c = part.Canvas
	}
}

func shadeIndex(shade int) uint8 {
	if shade < 0 {
		shade = headShades - shade
	}
	return uint8(shade)
}

// Places of the figure, in points.
const (
	headLeft   = 24 // numbers of queries
	headBottom = 12 // numbers of keys
	headName   = 12
	headGap    = 9
)

// columns is how many panels stand side by side.
func (h *headPanels) columns() int {
	switch n := len(h.panels); {
	case n == 4:
		return 2
	case n <= 3:
		return n
	case n <= 6 || n == 9:
		return 3
	case n <= 12:
		return 4
	}
	return 6
}

// margins are what a panel needs beside and below itself, the gap included.
func (h *headPanels) margins() (beside, below float64) {
	if h.alike {
		return headGap, headName
	}
	return headGap + headLeft, headName + headBottom
}

// side is that of a panel, in points, in a figure of its own size.
func (h *headPanels) side() float64 {
	columns := float64(h.columns())
	beside, _ := h.margins()
	return math.Min(210, (520-columns*beside)/columns)
}

// large says whether a panel has more rows or columns than pixels.
func (h *headPanels) large() bool {
	most := int(h.side() / headPixel)
	return slices.ContainsFunc(h.panels, func(p headPanel) bool { return max(p.rows, p.columns) > most })
}

// size is that of the figure, in CSS pixels.
func (h *headPanels) size() (width, height float64) {
	rows := math.Ceil(float64(len(h.panels)) / float64(h.columns()))
	beside, below := h.margins()
	width = math.Max(42+headLeft+float64(h.columns())*(h.side()+beside), 290)
	_, lines := h.places(vg.Length(width) - 24)
	height = 64 + headBottom + 12*float64(lines) + rows*(h.side()+below)
	return math.Ceil(width / pt), 2 * math.Ceil(height/pt/2) // of an even number a PNG has whole pixels
}

func (h *headPanels) Plot(c draw.Canvas, _ *plot.Plot) {
	columns := h.columns()
	rows := (len(h.panels) + columns - 1) / columns
	b, u := h.margins()
	beside, below := vg.Length(b), vg.Length(u)
	left, bottom := c.Min.X, vg.Length(0)
	if h.alike {
		left, bottom = left+headLeft, headBottom
	}
	side := min((c.Max.X-left)/vg.Length(columns)-beside, (c.Max.Y-c.Min.Y-bottom)/vg.Length(rows)-below)
	if side = snap(side); side <= 0 {
		return
	}
	for i := range h.panels {
		at := vg.Point{X: left + vg.Length(i%columns)*(side+beside), Y: c.Max.Y - headName - side - vg.Length(i/columns)*(side+below)}
		if !h.alike {
			at.X += headLeft
		}
		outer := !h.alike || i%columns == 0
		lowest := !h.alike || i+columns >= len(h.panels)
		at.X, at.Y = snap(at.X), snap(at.Y)
		r := vg.Rectangle{Min: at, Max: vg.Point{X: at.X + side, Y: at.Y + side}}
		h.panels[i].draw(c, r)
		h.panels[i].borders(c, r, h.starts)
		h.panels[i].numbers(c, r, outer, lowest)
	}
}

// headPixel is a pixel of a PNG of half as many again as CSS pixels, in points.
const headPixel = .5

// snap moves a length to where pixels of such a PNG and CSS pixels begin: there panels are
// not smoothed.
func snap(x vg.Length) vg.Length {
	return 3 * headPixel * vg.Length(math.Floor(float64(x)/(3*headPixel)))
}

// draw draws a panel into r.
func (p *headPanel) draw(c draw.Canvas, r vg.Rectangle) {
	name := cut(p.name, 40)
	st := within(sans(8.5, false), name, r.Max.X-r.Min.X)
	st.XAlign, st.YAlign = draw.XLeft, draw.YBottom
	c.FillText(st, vg.Point{X: r.Min.X, Y: r.Max.Y + 2}, name)
	if p.rows == 0 || p.columns == 0 {
		st.Color, st.XAlign, st.YAlign = grey, draw.XCenter, draw.YCenter
		c.FillText(st, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, "no data")
	} else {
		c.DrawImage(r, p.image(c, int(math.Round(float64(r.Max.X-r.Min.X)/headPixel))))
	}
	c.StrokeLines(draw.LineStyle{Color: axis, Width: .5}, []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min})
}

// numbers writes those of rows and of columns beside a panel, where they are asked for.
func (p *headPanel) numbers(c draw.Canvas, r vg.Rectangle, rows, columns bool) {
	side := r.Max.X - r.Min.X
	line, st := draw.LineStyle{Color: axis, Width: .5}, sans(7, false)
	st.Color = grey
	if rows {
		st.XAlign, st.YAlign = draw.XRight, draw.YCenter
		for _, i := range headTicks(p.rows, side) {
			y := r.Max.Y - vg.Length((float64(i)+.5)/float64(p.rows))*side
			c.StrokeLine2(line, r.Min.X-2, y, r.Min.X, y)
			c.FillText(st, vg.Point{X: r.Min.X - 3.5, Y: y}, display.Count(i))
		}
	}
	if columns {
		st.XAlign, st.YAlign = draw.XCenter, draw.YTop
		for _, i := range headTicks(p.columns, side) {
			x := r.Min.X + vg.Length((float64(i)+.5)/float64(p.columns))*side
			c.StrokeLine2(line, x, r.Min.Y-2, x, r.Min.Y)
			half := st.Width(display.Count(i)) / 2 // within the panel, so that numbers of neighbours stay apart
			c.FillText(st, vg.Point{X: max(r.Min.X+half, min(x, r.Max.X-half)), Y: r.Min.Y - 3}, display.Count(i))
		}
	}
}

// headTicks are the numbered ones of n rows or columns on a side of this length.
func headTicks(n int, side vg.Length) (out []int) {
	if n == 0 {
		return nil
	}
	for _, t := range (ticks{most: max(2, int(side/30))}).Ticks(0, float64(n-1)) {
		if t.Value == math.Trunc(t.Value) {
			out = append(out, int(t.Value))
		}
	}
	return out
}

// borders are faint lines between packets, as long as they can be told apart.
func (p *headPanel) borders(c draw.Canvas, r vg.Rectangle, starts []int) {
	side := r.Max.X - r.Min.X
	if vg.Length(len(starts)) > side/4 {
		return
	}
	line := draw.LineStyle{Color: fade(axis, .5), Width: .4}
	for _, at := range starts {
		if at > 0 && at < p.columns {
			x := r.Min.X + vg.Length(float64(at)/float64(p.columns))*side
			c.StrokeLine2(line, x, r.Min.Y, x, r.Max.Y)
		}
		if at > 0 && at < p.rows {
			y := r.Max.Y - vg.Length(float64(at)/float64(p.rows))*side
			c.StrokeLine2(line, r.Min.X, y, r.Max.X, y)
		}
	}
}

// image has so many pixels a side.
func (p *headPanel) image(c draw.Canvas, side int) *image.Paletted {
	img := image.NewPaletted(image.Rect(0, 0, side, side), p.scale.palette(c))
	row := make([]float64, p.columns)
	for y := range side {
		clear(row)
		from, to := part(y, side, p.rows)
		for _, values := range p.values[from:to] {
			for j, v := range values {
				row[j] = larger(row[j], v)
			}
		}
		for x := range side {
			largest := 0.
			from, to := part(x, side, p.columns)
			for _, v := range row[from:to] {
				largest = larger(largest, v)
			}
			img.Pix[y*img.Stride+x] = shadeIndex(p.scale.shade(largest))
		}
	}
	return img
}

// part is which of n values lie in the i-th of so many places, at least one of them.
func part(i, places, n int) (from, to int) {
	if n <= places {
		from = (2*i + 1) * n / (2 * places) // the one in its middle
		return from, from + 1
	}
	return i * n / places, ((i+1)*n + places - 1) / places
}

// larger is the one that is further from 0; what is not finite is none.
func larger(a, b float64) float64 {
	if finite(b) && math.Abs(b) > math.Abs(a) {
		return b
	}
	return a
}

// ends are what stands at both ends of a scale.
func (s *headScale) ends() (low, high string) {
	if s.high == 0 {
		return "all 0", ""
	}
	low, high = tickLabel(s.low, 0), tickLabel(s.high, 0)
	if s.signed {
		return "-" + high, high
	}
	if s.cut {
		low = "≤ " + low
	}
	return low, high + " (log)"
}

const rampWidth = 60 // points

// places says where the scales of a line of this width begin, counted from the left and in
// lines, and how many lines there are.
func (h *headPanels) places(width vg.Length) (at []vg.Point, lines int) {
	st, x := sans(8.5, false), vg.Length(0)
	for _, s := range h.scales {
		low, high := s.ends()
		wide := st.Width(s.kind+" "+low) + st.Width(high) + rampWidth + 8
		if x > 0 && x+wide > width {
			x, lines = 0, lines+1
		}
		at = append(at, vg.Point{X: x, Y: vg.Length(lines)})
		x += wide + 16
	}
	return at, lines + 1
}

// keys draws the scales above the panels, and says how high they are.
func (h *headPanels) keys(c draw.Canvas) vg.Length {
	const row = 12
	st := sans(8.5, false)
	st.YAlign = draw.YCenter
	places, lines := h.places(c.Max.X - c.Min.X)
	for i, s := range h.scales {
		low, high := s.ends()
		low = strings.TrimSpace(s.kind + " " + low)
		x, y := c.Min.X+places[i].X, c.Max.Y-row*(places[i].Y+.5)
		c.FillText(st, vg.Point{X: x, Y: y}, low)
		if s.high == 0 {
			continue
		}
		x += st.Width(low) + 4
		c.DrawImage(vg.Rectangle{Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + rampWidth, Y: y + 4}}, s.ramp(c))
		c.FillText(st, vg.Point{X: x + rampWidth + 4, Y: y}, high)
	}
	return row * vg.Length(lines)
}

// ramp are all shades in a row, from low to high.
func (s *headScale) ramp(c draw.Canvas) image.Image {
	from := 1
	if s.signed {
		from = -headShades
	}
	const pixels = 4 // a shade, so that they do not run into each other
	img := image.NewPaletted(image.Rect(0, 0, (headShades-from+1)*pixels, 1), s.palette(c))
	for i := range img.Pix {
		img.Pix[i] = shadeIndex(from + i/pixels)
	}
	return img
}

// text has the panels in letters, at most three side by side.
func (h *headPanels) text() string {
	const most, wide = 12, 24 // rows, letters a row
	side := min(3, h.columns())
	var b strings.Builder
	for from := 0; from < len(h.panels); from += side {
		line := h.panels[from:min(from+side, len(h.panels))]
		blocks, height := make([][]string, len(line)), 0
		for i := range line {
			blocks[i] = append([]string{cut(line[i].name, wide)}, line[i].letters(most, wide)...)
			height = max(height, len(blocks[i]))
		}
		for r := range height {
			words := ""
			for i, block := range blocks {
				if r < len(block) {
					words += strings.Repeat(" ", max(0, i*(wide+2)-display.Width(words))) + block[r]
				}
			}
			b.WriteString(strings.TrimRight(words, " ") + "\n")
		}
	}
	for _, s := range h.scales {
		low, high := s.ends()
		line := fmt.Sprintf("%s from %s [·] to %s [█]", s.kind, low, high)
		switch {
		case s.high == 0:
			line = s.kind + " " + low
		case s.signed:
			line = fmt.Sprintf("%s from %s [#] to %s [█]", s.kind, low, high)
		}
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// letters are a panel's rows; a letter is twice as high as it is wide.
func (p *headPanel) letters(most, wide int) (out []string) {
	if p.rows == 0 || p.columns == 0 {
		return []string{"no data"}
	}
	most, wide = min(most, p.rows), min(wide, p.columns)
	for r := range most {
		line := ""
		for c := range wide {
			largest := 0.
			from, to := part(r, most, p.rows)
			for _, row := range p.values[from:to] {
				from, to := part(c, wide, p.columns)
				for _, v := range row[min(from, len(row)):min(to, len(row))] {
					largest = larger(largest, v)
				}
			}
			line += letter(p.scale.shade(largest))
		}
		out = append(out, line)
	}
	return out
}

// letter is a shade in one of five letters of its sign.
func letter(shade int) string {
	letters := []rune("·░▒▓█")
	switch {
	case shade == 0:
		return " "
	case shade < 0:
		letters, shade = []rune("-~=≡#"), -shade
	}
	return string(letters[(shade-1)*len(letters)/headShades])
}
