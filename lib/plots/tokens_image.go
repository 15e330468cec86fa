package plots

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"trafficgpt/display"
)

// The layout of the picture as an image, in CSS pixels. Flows of few packets
// have a line for each, with its number and time before it; longer ones are one
// block, row by row.
type layout struct {
	width, height float64
	cell          float64
	top, left     float64
	columns       int
	lines         []packetRow // tokens of each line; number -1 where a line goes on
}

func (p *TokenPicture) layout() layout {
	l := layout{width: 820, left: 84, cell: 10, columns: 72, top: 64}
	if p.colors != byKind {
		l.top += 18
	}
	l.lines = p.wrap(l.columns)
	if len(l.lines) > 110 {
		l.left, l.columns = 10, 160
		l.cell = 5
		l.lines = nil
		for i := 0; i < len(p.Tokens); i += l.columns {
			l.lines = append(l.lines, packetRow{start: i, end: min(i+l.columns, len(p.Tokens)), number: -1})
		}
	}
	// The PNG format and viewers end somewhere; no flow of the longest context comes near.
	l.lines = l.lines[:min(len(l.lines), 3000)]
	l.height = l.top + float64(len(l.lines))*l.pitch() + 10
	return l
}

// pitch is the height of a line.
func (l layout) pitch() float64 {
	if l.cell >= 10 {
		return l.cell + 2
	}
	return l.cell
}

// wrap cuts packets into lines of so many tokens.
func (p *TokenPicture) wrap(columns int) []packetRow {
	var out []packetRow
	for _, r := range p.packets {
		for from := r.start; from < r.end; from += columns {
			line := packetRow{start: from, end: min(from+columns, r.end), number: -1}
			if from == r.start {
				line.number, line.arrow = r.number, r.arrow
			}
			out = append(out, line)
		}
	}
	return out
}

// heading paints title, counts and legend; the same for PNG and SVG.
func (p *TokenPicture) heading(c draw.Canvas, l layout) {
	text := func(x, y float64, s string, st draw.TextStyle) {
		st.YAlign = draw.YTop
		c.FillText(st, vg.Point{X: vg.Length(x * pt), Y: c.Max.Y - vg.Length(y*pt)}, s)
	}
	small := sans(8, false)
	grey8 := small
	grey8.Color = grey
	text(10, 7, p.Title, sans(10.5, true))
	text(10, 25, p.summary(), grey8)
	x, y := 10., 43.
	square := func(fill color.NRGBA, w float64) {
		c.SetColor(fill)
		r := vg.Rectangle{Min: vg.Point{X: vg.Length(x * pt), Y: c.Max.Y - vg.Length((y+11)*pt)}, Max: vg.Point{X: vg.Length((x + w) * pt), Y: c.Max.Y - vg.Length((y+1)*pt)}}
		c.Fill(r.Path())
		x += w
	}
	word := func(s string, space float64) {
		text(x, y, s, small)
		x += float64(small.Width(s))/pt + space
	}
	if p.colors != byKind {
		word(p.scaleName()+": "+tickLabel(p.low, (p.high-p.low)/100), 6)
		for _, s := range shades {
			square(s, 8)
		}
		x += 6
		word(tickLabel(p.high, (p.high-p.low)/100)+p.more()+p.suffix(), 0)
		x, y = 10, y+18
	}
	for _, e := range p.legend() {
		if p.colors != byScore {
			square(kindColors[e.kind], 10)
			x += 5
		}
		word(fmt.Sprintf("%s %s", e.kind, display.Count(e.n)), 13)
	}
	for i, r := range l.lines {
		if number, after := p.head(r); number != "" {
			at := l.top + float64(i)*l.pitch()
			text(10, at, number, grey8)
			st := grey8
			st.XAlign = draw.XRight
			text(l.left-6, at, after, st)
		}
	}
}

// PNGBytes is the picture as a PNG file with two pixels to a CSS pixel.
func (p *TokenPicture) PNGBytes() []byte {
	const scale = 2
	l := p.layout()
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(l.width*pt), vg.Length(l.height*pt)), vgimg.UseDPI(96*scale))
	p.heading(draw.New(c), l)
	img := c.Image()
	gap := 1
	if l.cell < 10 {
		gap = 0
	}
	for i, r := range l.lines {
		y := int((l.top + float64(i)*l.pitch()) * scale)
		for k := r.start; k < r.end; k++ {
			x := int((l.left + float64(k-r.start)*l.cell) * scale)
			cell := image.Rect(x, y, x+int(l.cell*scale)-gap, y+int(l.cell*scale))
			stddraw.Draw(img, cell, image.NewUniform(p.color(k)), image.Point{}, stddraw.Src)
		}
	}
	return encode(img)
}

// SVGText is the picture as an SVG document.
func (p *TokenPicture) SVGText() string {
	l := p.layout()
	head := svg(l.width, l.height, func(c draw.Canvas) {
		c.SetColor(color.White)
		c.Fill(c.Rectangle.Path())
		p.heading(c, l)
	})
	// One path a colour: neighbours of the same colour are one rectangle.
	paths := map[string]*strings.Builder{}
	gap := .5
	if l.cell < 10 {
		gap = 0
	}
	for i, r := range l.lines {
		y := l.top + float64(i)*l.pitch()
		for k := r.start; k < r.end; {
			c, n := p.color(k), 1
			for gap == 0 && k+n < r.end && p.color(k+n) == c {
				n++
			}
			b := paths[hex(c)]
			if b == nil {
				b = &strings.Builder{}
				paths[hex(c)] = b
			}
			w := float64(n)*l.cell - gap
			fmt.Fprintf(b, "M%g %gh%gv%gh-%gz", l.left+float64(k-r.start)*l.cell, y, w, l.cell, w)
			k += n
		}
	}
	names := make([]string, 0, len(paths))
	for c := range paths {
		names = append(names, c)
	}
	slices.Sort(names)
	var b strings.Builder
	crisp := ""
	if gap == 0 { // else rounding would swallow some of the gaps
		crisp = ` shape-rendering="crispEdges"`
	}
	fmt.Fprintf(&b, `<g transform="scale(%g)"%s>`, pt, crisp)
	for _, c := range names {
		fmt.Fprintf(&b, `<path fill="%s" d="%s"/>`, c, paths[c])
	}
	b.WriteString("</g></svg>")
	return strings.TrimSuffix(strings.TrimSpace(head), "</svg>") + b.String()
}

func sortedCopy(v []float64) []float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}
