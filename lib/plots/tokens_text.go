package plots

import (
	"fmt"
	"image/color"
	"strings"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
)

const (
	textWidth = 80 // tokens a line
	textLines = 2  // lines a packet
	textHead  = 20 // packets from the front
	textTail  = 4  // and from the end
)

// String is the picture in letters, one a token.
func (p *TokenPicture) String() string {
	return p.lines(func(i int, _ bool) string {
		if l := p.level(i); l >= 0 {
			return fmt.Sprintf("%x", l)
		}
		return string(kindLetters[p.Fields[i].Kind])
	}, func(c color.NRGBA, letter string) string { return letter }, func(s string) string { return s })
}

// ANSIText is the picture for a terminal of 256 colours, one column a token.
func (p *TokenPicture) ANSIText() string {
	last := -1
	return p.lines(func(i int, fresh bool) string {
		code := xterm(p.color(i))
		letter := " "
		switch p.Tokens[i] {
		case tokenizer.Start:
			letter = "▸"
		case tokenizer.End:
			letter = "■"
		}
		if fresh || code != last || letter != " " {
			last = code
			return fmt.Sprintf("\x1b[38;5;231;48;5;%dm%s", code, letter)
		}
		return letter
	}, func(c color.NRGBA, _ string) string { return fmt.Sprintf("\x1b[48;5;%dm  \x1b[0m", xterm(c)) },
		func(s string) string { return "\x1b[2m" + s + "\x1b[22m" })
}

// lines lays the packets out as text: cell writes a token (fresh at the
// beginning of a line), mark a colour of the legend, dim what is beside.
func (p *TokenPicture) lines(cell func(i int, fresh bool) string, mark func(color.NRGBA, string) string, dim func(string) string) string {
	var b strings.Builder
	reset := ""
	if dim("") != "" {
		reset = "\x1b[0m"
	}
	fmt.Fprintf(&b, "%s\n%s\n", p.Title, dim(p.summary()))
	b.WriteString(p.textLegend(mark) + "\n")
	for k := 0; k < len(p.packets); k++ {
		r := p.packets[k]
		if !p.wanted(r) {
			continue
		}
		shown := k - p.firstWanted()
		if rest := len(p.packets) - k - textTail; shown == textHead && rest > 1 && p.to > p.last() {
			tokens := p.packets[k+rest-1].end - r.start
			b.WriteString(dim(fmt.Sprintf("… %s more packets, %s tokens …", display.Count(rest), display.Count(tokens))) + "\n")
			k += rest - 1
			continue
		}
		number, after := p.head(r)
		margin := fmt.Sprintf("%6s %9s ", number, after)
		for line := 0; r.start < r.end; line++ {
			end := min(r.end, r.start+textWidth)
			if line == textLines-1 && end < r.end {
				end -= 10
			}
			b.WriteString(dim(margin))
			for i := r.start; i < end; i++ {
				b.WriteString(cell(i, i == r.start))
			}
			b.WriteString(reset)
			if r.start = end; line == textLines-1 && r.start < r.end {
				b.WriteString(dim(" +" + display.Count(r.end-r.start)))
				r.start = r.end
			}
			b.WriteByte('\n')
			margin = strings.Repeat(" ", len([]rune(margin)))
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func (p *TokenPicture) firstWanted() int {
	for k, r := range p.packets {
		if p.wanted(r) {
			return k
		}
	}
	return 0
}

func (p *TokenPicture) textLegend(mark func(color.NRGBA, string) string) string {
	var parts []string
	if p.colors != byKind {
		scale := p.scaleName() + ": " + tickLabel(p.low, (p.high-p.low)/100) + " "
		for l, c := range shades {
			scale += mark(c, fmt.Sprintf("%x", l))
		}
		parts = append(parts, scale+" "+tickLabel(p.high, (p.high-p.low)/100)+p.more()+p.suffix())
	}
	for _, e := range p.legend() {
		m := mark(kindColors[e.kind], string(kindLetters[e.kind]))
		if p.colors == byScore {
			m = ""
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", m, e.kind, display.Count(e.n))))
	}
	return strings.Join(parts, "  ")
}

// xterm is the nearest of the 256 terminal colours (the cube and the greys).
func xterm(c color.NRGBA) int {
	steps := [6]int{0, 95, 135, 175, 215, 255}
	near := func(v uint8) int {
		best := 0
		for i, s := range steps {
			if abs(int(v)-s) < abs(int(v)-steps[best]) {
				best = i
			}
		}
		return best
	}
	r, g, b := near(c.R), near(c.G), near(c.B)
	cube := dist(c, steps[r], steps[g], steps[b])
	level := max(0, min(23, ((int(c.R)+int(c.G)+int(c.B))/3-8+5)/10))
	if gv := 8 + 10*level; dist(c, gv, gv, gv) < cube {
		return 232 + level
	}
	return 16 + 36*r + 6*g + b
}

func dist(c color.NRGBA, r, g, b int) int {
	x, y, z := int(c.R)-r, int(c.G)-g, int(c.B)-b
	return x*x + y*y + z*z
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
