package plots

import (
	"fmt"
	"math"
	"strings"

	"trafficgpt/display"
)

// braille draws curves with the eight dots of a braille character, for
// terminals without images.
func braille(f *Figure, series []Series, bare bool) string {
	const cols, rows = 64, 12
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
	dots := make([]rune, cols*rows)
	put := func(px, py int) {
		if px < 0 || py < 0 || px >= cols*2 || py >= rows*4 {
			return
		}
		bit := [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}[py%4][px%2]
		dots[py/4*cols+px/2] |= bit
	}
	for _, s := range series {
		xs, ys := pairs(s)
		lastX, lastY, started := 0., 0., false
		for i := range ys {
			if !finite(xs[i]) || !finite(ys[i]) {
				started = false
				continue
			}
			px, py := x.Norm(xs[i])*(cols*2-1), (1-y.Norm(ys[i]))*(rows*4-1)
			if !started || bare {
				lastX, lastY, started = px, py, true
			}
			// A far jump is drawn in steps of at most one dot, within the frame.
			n := int(math.Min(math.Ceil(math.Max(math.Abs(px-lastX), math.Abs(py-lastY))), 4096))
			for k := range n + 1 {
				t := float64(k) / math.Max(float64(n), 1)
				put(int(math.Round(lastX+t*(px-lastX))), int(math.Round(lastY+t*(py-lastY))))
			}
			lastX, lastY = px, py
		}
	}
	high, low := tickLabel(y.Max, (y.Max-y.Min)/100), tickLabel(y.Min, (y.Max-y.Min)/100)
	margin := max(display.Width(high), display.Width(low))
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
	for r := range rows {
		label := ""
		switch r {
		case 0:
			label = high
		case rows - 1:
			label = low
		}
		fmt.Fprintf(&b, "%*s ┤", margin, label)
		for c := range cols {
			b.WriteRune(0x2800 | dots[r*cols+c])
		}
		b.WriteByte('\n')
	}
	left, right := tickLabel(x.Min, (x.Max-x.Min)/100), tickLabel(x.Max, (x.Max-x.Min)/100)
	fmt.Fprintf(&b, "%*s └%s\n", margin, "", strings.Repeat("─", cols))
	room := cols - display.Width(left) - display.Width(right)
	fmt.Fprintf(&b, "%*s  %s%s%s", margin, "", left, centred(x.Label.Text, room), right)
	return b.String()
}

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
