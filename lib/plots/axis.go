package plots

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
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
	if !(high > low) || math.IsInf(high-low, 0) {
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

// paletted is img with 32 shades a channel, which keep edges smooth to the
// eye; nil when that still makes more than 256 colours.
func paletted(img *image.RGBA) *image.Paletted {
	b := img.Bounds()
	out := image.NewPaletted(b, nil)
	index := map[color.RGBA]uint8{}
	var last color.RGBA
	lastIndex, begun := uint8(0), false
	for y := range b.Dy() {
		row := img.Pix[y*img.Stride:]
		for x := range b.Dx() {
			p := row[x*4 : x*4+4]
			c := color.RGBA{R: shade(p[0]), G: shade(p[1]), B: shade(p[2]), A: 255}
			if !begun || c != last {
				i, ok := index[c]
				if !ok {
					if len(index) == 256 {
						return nil
					}
					i = uint8(len(index))
					index[c] = i
					out.Palette = append(out.Palette, c)
				}
				last, lastIndex, begun = c, i, true
			}
			out.Pix[y*out.Stride+x] = lastIndex
		}
	}
	return out
}

func shade(v uint8) uint8 { return uint8(min((int(v)+4)/8*8, 255)) }
