// Package plots draws what a notebook shows: curves, bars, distributions,
// heat maps, divergences and the tokens of a flow.
//
//	plots.Curves("Loss", "step", "bits per token", plots.Series{Name: "training", Y: loss})
//
// as the last line of a cell shows a figure; [Tokens] shows a flow, coloured by what
// each token is. Methods of a figure change it and return it, to be called one after
// another: LogX().HLine(8, "uniform").Size(800, 300).
//
// Figures are gonum plots in one style, with title and key above the axes so
// that neither ever hides data. They stand on a white card, because a notebook
// shows images without telling them its theme; [Figure.Dark] is for dark pages. Every figure is SVG for the
// browser, PNG for the terminal and for GitHub, and text for pipes.
package plots

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"image/color"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	faces "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
)

// Figure is a plot with its title and key. Plot is open to every change gonum
// allows; its own Title and Legend stay empty.
type Figure struct {
	Title, Subtitle string
	Width, Height   float64 // in CSS pixels
	Plot            *plot.Plot

	keys    []key
	keyRow  func(c draw.Canvas) vg.Length // replaces keys when set
	words   func() string                 // the figure as text
	xs, ys  []float64                     // all data, for logarithmic axes
	logX    bool
	logY    bool
	dark    bool
	overlay []func(c draw.Canvas, p *plot.Plot)
}

// key is one entry of the line above the axes.
type key struct {
	name  string
	color color.Color
	dash  bool
	box   bool
	glyph draw.GlyphDrawer // a mark of its own
}

func sans(size float64, bold bool) text.Style {
	f := vgFont(size, bold)
	return text.Style{Color: ink, Font: f, Handler: plot.DefaultTextHandler}
}

// NewFigure is an empty figure in the house style.
func NewFigure(title, xlabel, ylabel string) *Figure {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: axis, Width: .6}
		a.Tick.LineStyle = a.LineStyle
		a.Tick.Length = 3
		a.Padding = 2
		label, tick := sans(9, false), sans(8.5, false)
		label.Color, tick.Color = ink, grey
		label.XAlign, label.YAlign = a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign
		tick.XAlign, tick.YAlign = a.Tick.Label.XAlign, a.Tick.Label.YAlign
		a.Label.TextStyle, a.Tick.Label = label, tick
		a.Label.Padding = 3
		a.Tick.Marker = ticks{most: 7}
	}
	p.Y.Tick.Length = 0
	p.X.Label.Text, p.Y.Label.Text = xlabel, ylabel
	return &Figure{Title: title, Width: 660, Height: 370, Plot: p}
}

// Size sets width and height in CSS pixels and returns f. Sizes outside
// 80…4000 are brought back into it.
func (f *Figure) Size(width, height float64) *Figure {
	f.Width, f.Height = math.Max(80, math.Min(width, 4000)), math.Max(80, math.Min(height, 4000))
	return f
}

// Sub sets the line under the title and returns f.
func (f *Figure) Sub(subtitle string) *Figure {
	f.Subtitle = subtitle
	return f
}

// LogX makes the x axis logarithmic and returns f; values of 0 and less lie on its edge.
func (f *Figure) LogX() *Figure {
	f.logX = logAxis(&f.Plot.X, f.xs)
	return f
}

// LogY makes the y axis logarithmic and returns f; values of 0 and less lie on its edge.
func (f *Figure) LogY() *Figure {
	f.logY = logAxis(&f.Plot.Y, f.ys)
	return f
}

// YRange fixes the y axis and returns f.
func (f *Figure) YRange(low, high float64) *Figure {
	if low < high {
		f.Plot.Y.Min, f.Plot.Y.Max = low, high
	}
	return f
}

// XRange fixes the x axis and returns f.
func (f *Figure) XRange(low, high float64) *Figure {
	if low < high {
		f.Plot.X.Min, f.Plot.X.Max = low, high
	}
	return f
}

// HLine draws a dashed level with its name, such as a bound, and returns f.
func (f *Figure) HLine(y float64, name string) *Figure {
	if math.IsNaN(y) || math.IsInf(y, 0) {
		return f
	}
	f.Plot.Y.Min, f.Plot.Y.Max = math.Min(f.Plot.Y.Min, y), math.Max(f.Plot.Y.Max, y)
	f.overlay = append(f.overlay, func(c draw.Canvas, p *plot.Plot) {
		h := c.Y(p.Y.Norm(y))
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: .9, Dashes: []vg.Length{4, 3}}, c.Min.X, h, c.Max.X, h)
		s := sans(8, false)
		s.Color, s.XAlign, s.YAlign = grey, draw.XRight, draw.YBottom
		c.FillText(s, vg.Point{X: c.Max.X - 2, Y: h + 1}, name)
	})
	return f
}

// VLine draws a dashed upright line with its name and returns f.
func (f *Figure) VLine(x float64, name string) *Figure {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return f
	}
	f.Plot.X.Min, f.Plot.X.Max = math.Min(f.Plot.X.Min, x), math.Max(f.Plot.X.Max, x)
	f.overlay = append(f.overlay, func(c draw.Canvas, p *plot.Plot) {
		at := c.X(p.X.Norm(x))
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: .9, Dashes: []vg.Length{4, 3}}, at, c.Min.Y, at, c.Max.Y)
		s := sans(8, false)
		s.Color, s.XAlign, s.YAlign = grey, draw.XLeft, draw.YTop
		c.FillText(s, vg.Point{X: at + 3, Y: c.Max.Y - 1}, name)
	})
	return f
}

// Dark returns the same figure for dark pages, a dark card with light ink; f stays
// as it is.
func (f *Figure) Dark() *Figure {
	d := *f
	d.dark = true
	return &d
}

// draw paints the whole card.
func (f *Figure) draw(c draw.Canvas) {
	if f.dark {
		c.Canvas = onDark{c.Canvas}
	}
	c.SetColor(card)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, 10, -14, 6, -8)
	heading := func(s string, st text.Style) {
		st.YAlign = draw.YTop
		for _, line := range wrapped(s, st, c.Max.X-c.Min.X) {
			c.FillText(st, vg.Point{X: c.Min.X, Y: c.Max.Y}, line)
			c.Max.Y -= st.FontExtents().Height + 2
		}
	}
	heading(f.Title, sans(11, true))
	sub := sans(8.5, false)
	sub.Color = grey
	heading(f.Subtitle, sub)
	if f.keyRow != nil {
		c.Max.Y -= f.keyRow(c)
	} else {
		c.Max.Y -= drawKeys(c, f.keys)
	}
	c.Max.Y -= 6
	p := *f.Plot
	p.BackgroundColor = nil
	if math.IsInf(p.X.Min, 0) || math.IsInf(p.Y.Min, 0) {
		s := sans(10, false)
		s.Color, s.XAlign, s.YAlign = grey, draw.XCenter, draw.YCenter
		c.FillText(s, c.Center(), "no data")
		return
	}
	if n, ok := p.X.Tick.Marker.(names); ok {
		n.upright(&p.X, p.DataCanvas(c))
	}
	// gonum thinks that the label of a logarithmic axis stands far to the right, and
	// leaves room for it there.
	label, st := "", p.X.Label.TextStyle
	if _, log := p.X.Scale.(logScale); log {
		label, p.X.Label.Text = p.X.Label.Text, ""
	}
	at := c.Min.Y + st.FontExtents().Descent
	if label != "" {
		c.Min.Y += st.Height(label) + p.X.Label.Padding
	}
	p.Draw(c)
	inner := p.DataCanvas(c)
	st.XAlign, st.YAlign = draw.XCenter, draw.YBottom
	c.FillText(st, vg.Point{X: (inner.Min.X + inner.Max.X) / 2, Y: at}, label)
	for _, o := range f.overlay {
		o(inner, &p)
	}
}

// wrapped breaks s between words into lines of this width.
func wrapped(s string, st text.Style, width vg.Length) (lines []string) {
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && st.Width(line+" "+w) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// drawKeys writes the key in as many lines as it needs and says how high it is.
func drawKeys(c draw.Canvas, keys []key) vg.Length {
	if len(keys) == 0 {
		return 0
	}
	const row, sample = 12, 14
	st := sans(8.5, false)
	st.YAlign = draw.YCenter
	x, y := c.Min.X, c.Max.Y-row/2
	for _, k := range keys {
		w := sample + 4 + st.Width(k.name) + 14
		if x > c.Min.X && x+w > c.Max.X {
			x, y = c.Min.X, y-row
		}
		switch {
		case k.glyph != nil:
			c.DrawGlyph(draw.GlyphStyle{Color: k.color, Radius: 2.8, Shape: k.glyph}, vg.Point{X: x + 7, Y: y})
		case k.box:
			c.SetColor(k.color)
			r := vg.Rectangle{Min: vg.Point{X: x + 3, Y: y - 4}, Max: vg.Point{X: x + 11, Y: y + 4}}
			c.Fill(r.Path())
		default:
			ls := draw.LineStyle{Color: k.color, Width: 1.8}
			if k.dash {
				ls.Dashes = []vg.Length{3, 2}
			}
			c.StrokeLine2(ls, x, y, x+sample, y)
		}
		c.FillText(st, vg.Point{X: x + sample + 4, Y: y}, k.name)
		x += w
	}
	return c.Max.Y - y + row/2
}

const pt = 0.75 // points in a CSS pixel

// SVGText is the figure as an SVG document.
func (f *Figure) SVGText() string { return svg(f.Width, f.Height, f.draw) }

// PNGBytes is the figure as a PNG file with 1.5 pixels to a CSS pixel.
func (f *Figure) PNGBytes() []byte { return raster(f.Width, f.Height, 1.5, f.draw) }

// textElement is a line of text as gonum writes it: font, weight, size, the rest of
// the style, the line.
var textElement = regexp.MustCompile(`style="font-family:Liberation (Sans|Serif|Mono);font-variant:\w+;font-weight:(normal|bold);font-style:normal;font-size:([\d.]+)px;?([^"]*)">([^<]*)</text>`)

// like are the fonts with the widths of Liberation's.
var like = map[string]string{"Sans": "Arial,Helvetica,sans-serif", "Serif": "Times New Roman,Times,serif", "Mono": "Courier New,Courier,monospace"}

// textOf writes a line of text for machines without Liberation: others have its
// widths, and gonum names none but the first; where there is none of them either,
// the length holds the line in its place.
func textOf(element string) string {
	m := textElement.FindStringSubmatch(element)
	size, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return element
	}
	st := sans(size, m[2] == "bold")
	st.Font.Variant = faces.Variant(m[1])
	w := float64(st.Width(html.UnescapeString(m[5])))
	return fmt.Sprintf(`textLength="%.4g" lengthAdjust="spacingAndGlyphs" style="font-family:Liberation %s,%s;font-weight:%s;font-size:%spx;%s">%s</text>`,
		w, m[1], like[m[1]], m[2], m[3], m[4], m[5])
}

func svg(width, height float64, paint func(draw.Canvas)) string {
	c := vgsvg.New(vg.Length(width*pt), vg.Length(height*pt))
	paint(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg"><!-- %v --></svg>`, err)
	}
	s := strings.Replace(b.String(), "<!-- Generated by SVGo and Plotinum VG -->\n", "", 1)
	// Images are to fill their place, and they are PNG.
	s = strings.ReplaceAll(s, "data:image/jpg;", "data:image/png;")
	s = strings.ReplaceAll(s, "<image ", `<image preserveAspectRatio="none" `)
	s = strings.ReplaceAll(s, "\n\tstyle=", " style=")
	return textElement.ReplaceAllStringFunc(s, textOf)
}

func raster(width, height, scale float64, paint func(draw.Canvas)) []byte {
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(width*pt), vg.Length(height*pt)), vgimg.UseDPI(int(96*scale)))
	paint(draw.New(c))
	return encode(c.Image())
}

// MIME shows the figure.
func (f *Figure) MIME() display.Bundle {
	b := f.Live()
	b[display.PNG] = f.PNGBytes()
	return b
}

// Live is MIME without the PNG: a thirtieth of the time, for figures
// that are updated while something runs.
func (f *Figure) Live() display.Bundle {
	return display.Bundle{display.SVG: f.SVGText(), display.Text: f.String()}
}

// String is the figure as text.
func (f *Figure) String() string {
	var b strings.Builder
	for _, s := range []string{f.Title, f.Subtitle} {
		if s != "" {
			b.WriteString(s + "\n")
		}
	}
	if f.words != nil {
		b.WriteString(f.words())
	} else {
		fmt.Fprintf(&b, "(figure, %.0f × %.0f)", f.Width, f.Height)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Save writes the figure to path, as .svg or .png.
func (f *Figure) Save(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".svg":
		return atomicfile.WriteBytes(path, []byte(f.SVGText()))
	case ".png":
		return atomicfile.WriteBytes(path, f.PNGBytes())
	default:
		return fmt.Errorf("failed to save the figure to %s: the name must end in .svg or .png, not %q", path, ext)
	}
}

// A plain gonum plot as the last line of a cell shows itself too, untouched
// but for a margin.
func init() {
	display.Register(&plot.Plot{}, func(v any) display.Bundle {
		p := v.(*plot.Plot)
		paint := func(c draw.Canvas) {
			c.SetColor(card)
			c.Fill(c.Rectangle.Path())
			p.Draw(draw.Crop(c, 8, -10, 6, -8))
		}
		title := p.Title.Text
		if title == "" {
			title = "plot"
		}
		return display.Bundle{
			display.SVG:  svg(660, 420, paint),
			display.PNG:  raster(660, 420, 1.5, paint),
			display.Text: fmt.Sprintf("(%s: %s against %s)", title, cmp.Or(p.Y.Label.Text, "y"), cmp.Or(p.X.Label.Text, "x")),
		}
	})
}

func weight(bold bool) font.Weight {
	if bold {
		return font.WeightBold
	}
	return font.WeightNormal
}
