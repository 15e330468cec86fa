package plots

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"trafficgpt/display"
)

func vgFont(size float64, bold bool) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight(bold), Size: vg.Length(size)}
}

// ticks are at steps of 1, 2 or 5 times a power of ten.
type ticks struct{ most int }

func (t ticks) Ticks(low, high float64) []plot.Tick {
	// A range that is all rounding has no steps to count.
	if !(high-low > 1e-12*math.Max(math.Abs(low), math.Abs(high))) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: tickLabel(low, 0)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(t.most))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*m) <= float64(t.most) {
			step *= m
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		v := i * step
		if i == 0 {
			v = 0
		}
		out = append(out, plot.Tick{Value: v, Label: tickLabel(v, step)})
	}
	return out
}

// tickLabel writes v with the digits that a step needs.
func tickLabel(v, step float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 1e7 || a < 1e-4 && step < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case step >= 1 || step == 0 && a >= 1000:
		return display.Count(int(math.Round(v)))
	case step == 0:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', int(math.Ceil(-math.Log10(step)-1e-9)), 64)
}

// logScale is logarithmic; what is not positive lies on the low edge.
type logScale struct{}

func (logScale) Normalize(low, high, v float64) float64 {
	low = math.Max(low, math.SmallestNonzeroFloat64)
	return math.Log(math.Max(v, low)/low) / math.Log(high/low)
}

// logTicks are the powers of ten, and 2 and 5 times them when they are few.
type logTicks struct{}

func (logTicks) Ticks(low, high float64) []plot.Tick {
	if !(low > 0) || !(high > low) {
		return nil
	}
	first, last := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	every := math.Max(1, math.Ceil((last-first)/8))
	var out []plot.Tick
	for e := first; e <= last; e++ {
		for m := 1.; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 && math.Mod(e-first, every) == 0 || last-first <= 2 && (m == 2 || m == 5) {
				t.Label = tickLabel(v, 0)
			}
			out = append(out, t)
		}
	}
	return out
}

func logAxis(a *plot.Axis, values []float64) bool {
	low, high := math.Inf(1), 0.
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 0) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if high == 0 {
		return false
	}
	if low == high {
		low, high = low/2, high*2
	}
	a.Min, a.Max = low, high
	a.Scale, a.Tick.Marker = logScale{}, logTicks{}
	return true
}

// finite tells a number that can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// encode writes img as PNG with a palette when it has few colours, as figures
// mostly do once their shades are rounded: a third of the size.
func encode(img image.Image) []byte {
	b := img.Bounds()
	rgba, ok := img.(*image.RGBA)
	if !ok {
		rgba = image.NewRGBA(b)
		draw.Draw(rgba, b, img, b.Min, draw.Src)
	}
	var out image.Image = rgba
	if pal := paletted(rgba); pal != nil {
		out = pal
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		return nil
	}
	return buf.Bytes()
}

// paletted is img with at most 256 colours. Those of surfaces stay; where there are few
// pixels of one, as along edges, it becomes one of 32 shades a channel, which keep edges
// smooth to the eye, or else the nearest of the others. It is nil when that is
// more than one pixel of fifty.
func paletted(img *image.RGBA) *image.Paletted {
	b := img.Bounds()
	runs := func(each func(y, x, n int, c color.RGBA)) {
		for y := range b.Dy() {
			at := func(x int) color.RGBA {
				p := img.Pix[y*img.Stride+x*4:]
				return color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}
			}
			for x := 0; x < b.Dx(); {
				c, n := at(x), 1
				for x+n < b.Dx() && at(x+n) == c {
					n++
				}
				each(y, x, n, c)
				x += n
			}
		}
	}
	exact := map[color.RGBA]int{}
	runs(func(_, _, n int, c color.RGBA) { exact[c] += n })
	all := b.Dx() * b.Dy()
	kept := func(c color.RGBA) color.RGBA {
		if exact[c] < all/2000 {
			c = color.RGBA{R: shade(c.R), G: shade(c.G), B: shade(c.B), A: 255}
		}
		return c
	}
	counts := map[color.RGBA]int{}
	for c, n := range exact {
		counts[kept(c)] += n
	}
	out := image.NewPaletted(b, nil)
	index := indices(counts, &out.Palette, all/50)
	if index == nil {
		return nil
	}
	runs(func(y, x, n int, c color.RGBA) {
		i := index[kept(c)]
		for k := range n {
			out.Pix[y*out.Stride+x+k] = i
		}
	})
	return out
}

// indices chooses a palette and says where in it each colour is; nil when
// more than so many pixels would not have theirs.
func indices(counts map[color.RGBA]int, palette *color.Palette, most int) map[color.RGBA]uint8 {
	all := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		all = append(all, c)
	}
	number := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(number(a), number(b)))
	})
	index := map[color.RGBA]uint8{}
	for i, c := range all {
		if i < 256 {
			*palette = append(*palette, c)
			index[c] = uint8(i)
			continue
		}
		if most -= counts[c]; most < 0 {
			return nil
		}
		index[c] = uint8(palette.Index(c))
	}
	return index
}

func shade(v uint8) uint8 { return uint8(min((int(v)+4)/8*8, 255)) }
