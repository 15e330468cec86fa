package plots

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// A sequence diagram shows so many packets from the front and from the end.
const ladderHead, ladderTail = 28, 12

// Sequence draws a connection as a sequence diagram: a lifeline for each end, an
// arrow for each packet, with its time in seconds since the first on the left. On
// the arrow stand, for TCP, the flags, SEQ and ACK counted from the first of the
// connection, as Wireshark does, and the bytes of payload; for others
// the protocol and the bytes of what it carries. A packet that takes sequence numbers
// and has direction, SEQ and length of one before it is marked as a retransmission.
// Of more than 40 packets those in the middle are a line that counts them.
func Sequence(f *pcap.Flow) *Figure {
	fig := NewFigure("Sequence of packets", "", "")
	if f == nil || len(f.Packets) == 0 {
		fig.words = nothing
		return fig
	}
	l := ladderOf(f)
	fig.Subtitle = fmt.Sprintf("%s · %s in %s", f.Protocol(), counted(len(f.Packets), "packet"), display.Duration(f.Duration()))
	if n := l.again(l.rungs); n > 0 {
		fig.Subtitle += " · " + counted(n, "retransmission")
		fig.keys = []key{{name: "initiator", color: Color(0)}, {name: "responder", color: Color(2)}, {name: "retransmission", color: Color(1), dash: true}}
	}
	p := fig.Plot
	p.HideAxes()
	rows := l.rows()
	p.X.Min, p.X.Max, p.X.Padding = 0, 1, 0
	p.Y.Min, p.Y.Max, p.Y.Padding = -2, float64(len(rows)), 0
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	fig.Height = math.Max(150, 56+21*float64(len(rows)+2))
	p.Add(l)
	fig.words = l.text
	return fig
}

// rung is one packet of a ladder.
type rung struct {
	seconds  float64
	outgoing bool
	words    string
	again    bool // a retransmission
}

type ladder struct {
	from, to string
	rungs    []rung
}

func ladderOf(f *pcap.Flow) *ladder {
	l := &ladder{}
	l.from, l.to = f.Ends()
	c := counter{seen: map[[3]uint32]bool{}}
	for i := range f.Packets {
		p := &f.Packets[i]
		r := rung{seconds: p.Time.Sub(f.Packets[0].Time).Seconds(), outgoing: f.Outgoing(i)}
		r.words, r.again = c.packet(p, r.outgoing, f.Protocol())
		l.rungs = append(l.rungs, r)
	}
	return l
}

// counter counts sequence numbers from the first of each direction.
type counter struct {
	base  [2]uint32
	known [2]bool
	seen  map[[3]uint32]bool // direction, sequence number, length
}

// packet is what stands on the arrow of a packet, and whether it came before.
func (c *counter) packet(p *pcap.Packet, outgoing bool, protocol string) (words string, again bool) {
	h := p.Headers()
	at := h.Transport
	// What the capture cut off was payload.
	payload := max(h.End-h.Payload, 0) + max(p.Length-len(p.Data), 0)
	switch {
	case h.Version == 0:
		return fmt.Sprintf("%s  %d bytes on the wire", protocol, p.Length), false
	case h.Fragment == pcap.FragmentLater:
		return fmt.Sprintf("%s  fragment  len %d", protocol, payload), false
	case h.Protocol != 6 || at < 0 || len(p.Data) < at+20:
		return fmt.Sprintf("%s  len %d", protocol, payload), false
	}
	us, them := 0, 1
	if !outgoing {
		us, them = 1, 0
	}
	seq, ack, flags := binary.BigEndian.Uint32(p.Data[at+4:]), binary.BigEndian.Uint32(p.Data[at+8:]), p.Data[at+13]
	space := uint32(payload) // sequence numbers that the packet takes; SYN and FIN take one
	if flags&0x02 != 0 {
		space++
		c.base[us], c.known[us] = seq, true
	}
	if flags&0x01 != 0 {
		space++
	}
	c.begin(us, seq)
	words = fmt.Sprintf("%s  seq %d", flagNames(flags), seq-c.base[us])
	if flags&0x10 != 0 {
		c.begin(them, ack)
		words += fmt.Sprintf("  ack %d", ack-c.base[them])
	}
	place := [3]uint32{uint32(us), seq, space}
	again = space > 0 && c.seen[place]
	c.seen[place] = true
	return words + fmt.Sprintf("  len %d", payload), again
}

// begin takes what is seen first of a direction as 1, when its SYN was not.
func (c *counter) begin(direction int, number uint32) {
	if !c.known[direction] {
		c.base[direction], c.known[direction] = number-1, true
	}
}

func flagNames(flags byte) string {
	var out []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if flags>>i&1 != 0 {
			out = append(out, name)
		}
	}
	if out == nil {
		return "no flags"
	}
	return strings.Join(out, ", ")
}

// rows are the packets to show; -1 stands for those in the middle.
func (l *ladder) rows() []int {
	var out []int
	for i := range l.rungs {
		if middle := len(l.rungs) > ladderHead+ladderTail && i >= ladderHead && i < len(l.rungs)-ladderTail; !middle {
			out = append(out, i)
		} else if i == ladderHead {
			out = append(out, -1)
		}
	}
	return out
}

// gap says what the middle is.
func (l *ladder) gap() string {
	hidden := l.rungs[ladderHead : len(l.rungs)-ladderTail]
	s := counted(len(hidden), "more packet")
	if n := l.again(hidden); n > 0 {
		s += ", " + counted(n, "retransmission")
	}
	return "… " + s + " …"
}

// again counts retransmissions.
func (l *ladder) again(rungs []rung) int {
	n := 0
	for _, r := range rungs {
		if r.again {
			n++
		}
	}
	return n
}

// time is in microseconds, or of long connections milliseconds.
func (r rung) time() string {
	if math.Abs(r.seconds) >= 1000 {
		return fmt.Sprintf("%.3f", r.seconds)
	}
	return fmt.Sprintf("%.6f", r.seconds)
}

func (r rung) label() string {
	if r.again {
		return r.words + "  · retransmission"
	}
	return r.words
}

func (l *ladder) Plot(c draw.Canvas, p *plot.Plot) {
	row := func(i float64) vg.Length { return c.Y(p.Y.Norm(i)) }
	wide := c.Max.X - c.Min.X
	left, right := c.Min.X+min(64, .16*wide), c.Max.X-min(58, .1*wide)
	rows := l.rows()
	// The ends stand over their lines, as far as they do not leave the card.
	for i, x := range []vg.Length{left, right} {
		end, col := l.from, Color(0)
		if i == 1 {
			end, col = l.to, Color(2)
		}
		st := within(sans(8.5, true), end, wide/2-5)
		half := st.Width(end) / 2
		st.XAlign, st.YAlign = draw.XCenter, draw.YCenter
		c.FillText(st, vg.Point{X: max(c.Min.X+half, min(x, c.Max.X-half)), Y: row(-1.5)}, end)
		c.StrokeLine2(draw.LineStyle{Color: col, Width: 1.4}, x, row(-1), x, row(float64(len(rows))-.2))
	}
	time := sans(7, false)
	time.Color, time.XAlign, time.YAlign = grey, draw.XRight, draw.YCenter
	c.FillText(time, vg.Point{X: left - 6, Y: row(-.5)}, "seconds")
	for i, k := range rows {
		if k < 0 {
			st := sans(8, false)
			st.Color, st.XAlign, st.YAlign = grey, draw.XCenter, draw.YCenter
			c.FillText(st, vg.Point{X: (left + right) / 2, Y: row(float64(i) - .1)}, l.gap())
			continue
		}
		y := row(float64(i) + .25)
		c.FillText(time, vg.Point{X: left - 6, Y: y}, l.rungs[k].time())
		l.rungs[k].draw(c, left, right, y)
	}
}

// draw draws the arrow of a packet with what stands on it.
func (r rung) draw(c draw.Canvas, left, right, y vg.Length) {
	style := draw.LineStyle{Color: Color(0), Width: 1.1}
	tail, head, away := left, right, vg.Length(-1)
	if !r.outgoing {
		style.Color = Color(2)
		tail, head, away = right, left, 1
	}
	if r.again {
		style.Color, style.Dashes = Color(1), []vg.Length{4, 2.5}
	}
	c.StrokeLine2(style, tail, y, head+away*5, y)
	c.FillPolygon(style.Color, []vg.Point{{X: head + away, Y: y}, {X: head + away*7, Y: y + 2.6}, {X: head + away*7, Y: y - 2.6}})
	st := within(sans(7.5, false), r.label(), right-left-14)
	st.XAlign, st.YAlign = draw.XCenter, draw.YCenter
	c.FillText(st, vg.Point{X: (left + right) / 2, Y: y + 5.5}, r.label())
}

// within makes letters smaller where s is wider than its place.
func within(st text.Style, s string, width vg.Length) text.Style {
	if w := st.Width(s); w > width && width > 0 {
		st.Font.Size *= width / w
	}
	return st
}

// text has a line for each packet.
func (l *ladder) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s\n", l.from, l.to)
	for _, k := range l.rows() {
		if k < 0 {
			b.WriteString(l.gap() + "\n")
			continue
		}
		r, arrow := l.rungs[k], "←"
		if r.outgoing {
			arrow = "→"
		}
		fmt.Fprintf(&b, "%12s s %s %s\n", r.time(), arrow, r.label())
	}
	return b.String()
}
