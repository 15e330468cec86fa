package plots

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// TestHeadScales gives panels of one kind one scale, and others their own.
func TestHeadScales(t *testing.T) {
	h := headsOf([][][]float64{{{1, 0}, {.5, .5}}, {{.01}}, {{.2, 1e-9}}, {{-2, 8}}, {{0}}},
		[]string{"local 0", "local 1", "linear 2", "retention 3", "rwkv 4"})
	want := "local .01 1 false false, linear .0002 .2 false true, retention 2 8 true false, rwkv +Inf 0 false false"
	var got []string
	for _, s := range h.scales {
		got = append(got, strings.ReplaceAll(fmt.Sprintf("%s %.4g %.4g %v %v", s.kind, s.low, s.high, s.signed, s.cut), " 0.", " ."))
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("the scales are\n%s, not\n%s", strings.Join(got, ", "), want)
	}
	if h.panels[0].scale != h.panels[1].scale || h.alike {
		t.Error("both local heads have one scale, and the panels several shapes")
	}
	local, linear, retention := h.scales[0], h.scales[1], h.scales[2]
	for _, c := range []struct {
		s    *headScale
		v    float64
		want int
	}{
		{local, 1, 24}, {local, .01, 1}, {local, .1, 13}, {local, 0, 0}, {local, math.NaN(), 0}, // .1 is the middle: 1 + 11.5
		{linear, 1e-9, 1}, {linear, .2, 24},
		{retention, 8, 24}, {retention, -8, -24}, {retention, -2, -6}, {retention, .1, 0}, {retention, math.Inf(1), 0},
	} {
		if got := c.s.shade(c.v); got != c.want {
			t.Errorf("%s: the shade of %v is %d, not %d", c.s.kind, c.v, got, c.want)
		}
	}
}

// TestHeadPixels looks at a large matrix that is 0 but in two places: a pixel takes the
// value that is larger in size, and no value is lost.
func TestHeadPixels(t *testing.T) {
	values := make([][]float64, 1000)
	for i := range values {
		values[i] = make([]float64, 1000)
	}
	values[501][700], values[501][701], values[999][0] = -3, 2, 3
	h := headsOf([][][]float64{values}, nil)
	img := h.panels[0].image(draw.New(vgimg.New(10, 10)), 100)
	var places []string
	for i, shade := range img.Pix {
		if shade != 0 {
			places = append(places, fmt.Sprintf("%d,%d:%d", i/img.Stride, i%img.Stride, shade))
		}
	}
	if got, want := strings.Join(places, " "), "50,70:48 99,0:24"; got != want {
		t.Errorf("the pixels are %s, not %s", got, want)
	}
	for _, c := range []struct{ i, places, n, from, to int }{{0, 4, 2, 0, 1}, {1, 4, 2, 0, 1}, {2, 4, 2, 1, 2}, {3, 4, 2, 1, 2}, {0, 2, 5, 0, 3}, {1, 2, 5, 2, 5}} {
		if from, to := part(c.i, c.places, c.n); from != c.from || to != c.to {
			t.Errorf("place %d of %d has of %d those from %d to %d, not %d to %d", c.i, c.places, c.n, from, to, c.from, c.to)
		}
	}
}

// TestHeadPanels draws 1 to 24 heads and more: panels must be large enough to read, all of one size,
// within the figure, and not over each other.
func TestHeadPanels(t *testing.T) {
	for _, n := range []int{1, 2, 4, 5, 7, 9, 12, 24, 30} {
		maps, names := make([][][]float64, n), make([]string, n)
		for h := range maps {
			maps[h], names[h] = [][]float64{{1}}, fmt.Sprintf("local %d", h)
		}
		f := Heads("t", maps, names, []uint16{256})
		img, err := png.Decode(bytes.NewReader(f.PNGBytes()))
		if err != nil {
			t.Fatal(err)
		}
		// Every panel is full of the highest shade.
		top := Shade(1)
		full := 0
		for i := range img.Bounds().Dx() * img.Bounds().Dy() {
			c := color.NRGBAModel.Convert(img.At(i%img.Bounds().Dx(), i/img.Bounds().Dx())).(color.NRGBA)
			if abs(int(c.R)-int(top.R))+abs(int(c.G)-int(top.G))+abs(int(c.B)-int(top.B)) < 24 {
				full++
			}
		}
		drawn := min(n, 24)
		side := math.Sqrt(float64(full) / float64(drawn)) // in pixels, of which 1.5 are one of CSS
		if least := map[bool]float64{true: 140, false: 90}[n <= 12]; side < 1.5*least {
			t.Errorf("%d heads: a panel is %.0f CSS pixels wide", n, side/1.5)
		}
		if f.Width > 820 || f.Height > 900 {
			t.Errorf("%d heads make a figure of %v × %v", n, f.Width, f.Height)
		}
	}
}

// TestHeadBorders wants a line at each packet but the first, both ways, and none where
// there are too many to tell apart.
func TestHeadBorders(t *testing.T) {
	path := regexp.MustCompile(`<path d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)(L[^"]*)?" style="fill:none;stroke:[^;]*(;stroke-opacity:0.50196)?;`)
	for starts, want := range map[int]string{1: "", 4: "x0.25 y0.75 x0.50 y0.50 x0.75 y0.25", 100: ""} {
		tokens, values := make([]uint16, 200), make([][]float64, 200)
		for i := range values {
			values[i] = make([]float64, 200)
			if i*starts%200 < starts {
				tokens[i] = 256
			}
		}
		values[0][0] = 1
		var left, below, side float64
		var lines []string
		for _, m := range path.FindAllStringSubmatch(Heads("t", [][][]float64{values}, nil, tokens).SVGText(), -1) {
			var at [4]float64
			for i := range at {
				at[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			switch {
			case m[5] != "": // the frame, which is drawn first
				left, below, side = at[0], at[1], at[2]-at[0]
			case m[6] != "" && at[0] == at[2]:
				lines = append(lines, fmt.Sprintf("x%.2f", (at[0]-left)/side))
			case m[6] != "":
				lines = append(lines, fmt.Sprintf("y%.2f", (at[1]-below)/side))
			}
		}
		if got := strings.Join(lines, " "); got != want || side == 0 {
			t.Errorf("%d packets have lines at %q, not %q", starts, got, want)
		}
	}
}

// TestHeadsAsText reads the letters of two heads and the line of their scales.
func TestHeadsAsText(t *testing.T) {
	f := Heads("Heads", [][][]float64{{{1, 0}, {.1, .9}}, {{-4, 4}, {1, 0}}}, []string{"local 0", "retention 1"}, []uint16{256, 7})
	want := strings.Join([]string{"Heads", "2 heads · 2 tokens · 1 packet",
		"local 0                   retention 1",
		"█                         #█",
		"·█                        ░",
		"local from 0.1 [·] to 1 (log) [█]",
		"retention from -4 [#] to 4 [█]"}, "\n")
	if f.String() != want {
		t.Errorf("the text is\n%s\nnot\n%s", f, want)
	}
}

// TestDarkIsSeen knows a dark page's canvas behind its parts.
func TestDarkIsSeen(t *testing.T) {
	c := draw.New(vgimg.New(10*vg.Inch, vg.Inch))
	if isDark(c) || isDark(draw.Crop(c, 1, -1, 1, -1)) {
		t.Error("a light page is taken for a dark one")
	}
	c.Canvas = onDark{c.Canvas}
	if !isDark(draw.Crop(draw.Crop(c, 1, -1, 1, -1), 1, -1, 1, -1)) {
		t.Error("a dark page is taken for a light one")
	}
}
