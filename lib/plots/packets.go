package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// PacketTimes draws the packets of a flow over time, in seconds since the first:
// a stem each, as long as the packet has bytes on the wire, up for the initiator's and
// down for the responder's. Of very many packets at one place it shows the largest.
func PacketTimes(f *pcap.Flow) *Figure {
	fig := NewFigure("Packets over time", "seconds since the first packet", "bytes on the wire")
	if f == nil || len(f.Packets) == 0 {
		fig.words = nothing
		return fig
	}
	from, to := f.Ends()
	s := stemsOf(f)
	fig.Subtitle = fmt.Sprintf("%s ↔ %s · %s · %s in %s", from, to, f.Protocol(),
		counted(len(f.Packets), "packet"), seconds(s.end))
	fig.keys = []key{{name: fmt.Sprintf("from %s, %s (up)", from, counted(len(s.up.Y), "packet")), color: Color(0)},
		{name: fmt.Sprintf("from %s, %s (down)", to, counted(len(s.down.Y), "packet")), color: Color(2)}}
	p := fig.Plot
	p.Y.Min, p.Y.Max, p.Y.Padding = -s.most*1.05, s.most*1.05, 0
	if len(s.up.Y) == 0 {
		p.Y.Max = s.most * .1
	}
	if len(s.down.Y) == 0 {
		p.Y.Min = -s.most * .1
	}
	if p.X.Min, p.X.Max = 0, s.end; s.end == 0 {
		p.X.Max = 1
	}
	p.X.Padding = 4
	p.Y.Tick.Marker = unsigned{}
	p.Add(grid(true))
	p.Add(s)
	fig.words = func() string { return braille(fig, []Series{strokes(s.up), strokes(s.down)}, false) }
	return fig
}

// strokes are stems as a line with a gap behind each.
func strokes(s Series) (out Series) {
	x, y := thin(s.X, s.Y, 200)
	for i := range y {
		out.X, out.Y = append(out.X, x[i], x[i], x[i]), append(out.Y, 0, y[i], math.NaN())
	}
	return out
}

// counted writes a number of things.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return display.Count(n) + " " + thing
}

// seconds writes a time that has been measured in them.
func seconds(s float64) string {
	if s == 0 {
		return "0 s"
	}
	return fmt.Sprintf("%.4g s", s)
}

// unsigned are ticks of sizes that go both ways.
type unsigned struct{}

func (unsigned) Ticks(low, high float64) []plot.Tick {
	out := ticks{most: 7}.Ticks(low, high)
	for i := range out {
		out[i].Label = tickLabel(math.Abs(out[i].Value), 1)
	}
	return out
}

// stems draws packets; what is down is negative.
type stems struct {
	up, down Series
	end      float64 // seconds
	most     float64 // bytes, at least 1
}

func stemsOf(f *pcap.Flow) *stems {
	s := &stems{most: 1}
	first := f.Packets[0].Time
	for i := range f.Packets {
		if f.Packets[i].Time.Before(first) {
			first = f.Packets[i].Time
		}
	}
	for i := range f.Packets {
		to, size := &s.down, -float64(f.Packets[i].Length)
		if f.Outgoing(i) {
			to, size = &s.up, -size
		}
		at := f.Packets[i].Time.Sub(first).Seconds()
		to.X, to.Y = append(to.X, at), append(to.Y, size)
		s.end, s.most = math.Max(s.end, at), math.Max(s.most, math.Abs(size))
	}
	return s
}

func (s *stems) Plot(c draw.Canvas, p *plot.Plot) {
	n := len(s.up.Y) + len(s.down.Y)
	// Thinner lines for more packets, and dots while they have room.
	style := draw.LineStyle{Width: vg.Length(math.Max(.5, math.Min(1.6, 120/float64(n))))}
	zero := c.Y(p.Y.Norm(0))
	for i, one := range []Series{s.up, s.down} {
		style.Color = Color(2 * i) // as in Sequence
		x, y := thin(one.X, one.Y, 700)
		var all vg.Path // one for all keeps the file small
		for k := range y {
			at := vg.Point{X: c.X(p.X.Norm(x[k])), Y: c.Y(p.Y.Norm(y[k]))}
			all.Move(vg.Point{X: at.X, Y: zero})
			all.Line(at)
			if n <= 150 {
				c.DrawGlyph(draw.GlyphStyle{Color: style.Color, Radius: 1.8, Shape: draw.CircleGlyph{}}, at)
			}
		}
		c.SetLineStyle(style)
		c.Stroke(all)
	}
	c.StrokeLine2(draw.LineStyle{Color: axis, Width: .6}, c.Min.X, zero, c.Max.X, zero)
}
