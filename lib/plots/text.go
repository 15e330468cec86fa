package plots

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"

	"trafficgpt/display"
)

// brailleCols and brailleRows are the size of a drawing in characters, of two by four
// dots each.
const brailleCols, brailleRows = 64, 12

// dots are the dots of a drawing, by character.
type dots [brailleRows][brailleCols]rune

// put sets a dot; those outside the frame are left out.
func (d *dots) put(x, y int) {
	if x >= 0 && y >= 0 && x < brailleCols*2 && y < brailleRows*4 {
		d[y/4][x/2] |= [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}[y%4][x%2]
	}
}

// line draws from one place to another.
func (d *dots) line(x0, y0, x1, y1 float64) {
	// A far jump is drawn in steps of at most one dot, within the frame.
	n := int(math.Min(math.Ceil(math.Max(math.Abs(x1-x0), math.Abs(y1-y0))), 4096))
	for k := range n + 1 {
		t := float64(k) / math.Max(float64(n), 1)
		d.put(int(math.Round(x0+t*(x1-x0))), int(math.Round(y0+t*(y1-y0))))
	}
}

// draw draws a series along the axes, as single points if bare.
func (d *dots) draw(s Series, x, y plot.Axis, bare bool) {
	xs, ys := pairs(s)
	lastX, lastY, started := 0., 0., false
	for i := range ys {
		if !finite(xs[i]) || !finite(ys[i]) {
			started = false
			continue
		}
		px, py := x.Norm(xs[i])*(brailleCols*2-1), (1-y.Norm(ys[i]))*(brailleRows*4-1)
		if !started || bare {
			lastX, lastY, started = px, py, true
		}
		d.line(lastX, lastY, px, py)
		lastX, lastY = px, py
	}
}

// braille draws curves with the eight dots of a braille character, for
// terminals without images.
func braille(f *Figure, series []Series, bare bool) string {
	x, y := f.Plot.X, f.Plot.Y
	if !finite(x.Min) || !finite(y.Min) || !finite(x.Max) || !finite(y.Max) {
		return "no data"
	}
	if x.Min == x.Max {
		x.Min, x.Max = x.Min-1, x.Max+1
	}
	if y.Min == y.Max {
		y.Min, y.Max = y.Min-1, y.Max+1
	}
	var d dots
	for _, s := range series {
		d.draw(s, x, y, bare)
	}
	var b strings.Builder
	for _, k := range f.keys {
		if k.name != "" {
			fmt.Fprintf(&b, "─ %s  ", k.name)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	if y.Label.Text != "" {
		b.WriteString(y.Label.Text + "\n")
	}
	labels := map[int]string{0: tickLabel(y.Max, (y.Max-y.Min)/100), brailleRows - 1: tickLabel(y.Min, (y.Max-y.Min)/100)}
	margin := max(display.Width(labels[0]), display.Width(labels[brailleRows-1]))
	for r, row := range d {
		fmt.Fprintf(&b, "%*s ┤", margin, labels[r])
		for _, c := range row {
			b.WriteRune(0x2800 | c)
		}
		b.WriteByte('\n')
	}
	left, right := tickLabel(x.Min, (x.Max-x.Min)/100), tickLabel(x.Max, (x.Max-x.Min)/100)
	fmt.Fprintf(&b, "%*s └%s\n", margin, "", strings.Repeat("─", brailleCols))
	room := brailleCols - display.Width(left) - display.Width(right)
	fmt.Fprintf(&b, "%*s  %s%s%s", margin, "", left, centred(x.Label.Text, room), right)
	return b.String()
}

// nothing is the text of a figure without data.
func nothing() string { return "no data" }

func centred(s string, room int) string {
	n := max(room-display.Width(s), 2)
	return strings.Repeat(" ", n/2) + s + strings.Repeat(" ", n-n/2)
}

// hbar is a bar of eighths of a character, width of them for 1.
func hbar(fraction float64, width int) string {
	if !finite(fraction) {
		return ""
	}
	n := int(math.Round(math.Max(0, math.Min(1, fraction)) * float64(width) * 8))
	s := strings.Repeat("█", n/8)
	if n%8 > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[n%8])
	}
	return s
}
