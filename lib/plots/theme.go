package plots

import (
	"image/color"

	"gonum.org/v1/plot/vg"
)

// Palette are the colours of series, in order; they stay apart for the common
// kinds of colour blindness (after Okabe and Ito).
var Palette = []color.Color{
	rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xcc79a7),
	rgb(0x56b4e9), rgb(0xe69f00), rgb(0x6f4fa0), rgb(0x7a7f87),
}

// The colours that are no series'.
var (
	card  = rgb(0xffffff)
	ink   = rgb(0x202124)
	grey  = rgb(0x5f6368)
	faint = rgb(0xe4e6ea)
	axis  = rgb(0x9aa0a6)
	pale  = rgb(0xb4b9c0) // bars of what others are compared with
)

// dark is what becomes of these colours on a dark page. The palette's were chosen
// so that they stay as far apart as those of the light card for the three kinds of
// colour blindness, at a contrast of 4 and more.
var dark = map[color.NRGBA]color.NRGBA{
	card:  rgb(0x1e1e1e),
	ink:   rgb(0xe8eaed),
	grey:  rgb(0xa8adb4),
	faint: rgb(0x383a3d),
	axis:  rgb(0x74797f),
	pale:  rgb(0x7b8088),

	rgb(0x0072b2): rgb(0x5d91f7), rgb(0xd55e00): rgb(0xe5803c), rgb(0x009e73): rgb(0x7fe3b0), rgb(0xcc79a7): rgb(0xd08fbf),
	rgb(0x56b4e9): rgb(0xc4d0fa), rgb(0xe69f00): rgb(0xf2e565), rgb(0x6f4fa0): rgb(0xa860c0), rgb(0x7a7f87): rgb(0x93a59a),

	rgb(0x000000): rgb(0xe8eaed), // the ink of plotters that are not ours
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

func fade(c color.Color, alpha float64) color.NRGBA {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = uint8(float64(n.A)*alpha + .5)
	return n
}

// Color is the i-th colour of the palette, which repeats.
func Color(i int) color.Color { return Palette[i%len(Palette)] }

// onDark is a canvas of a dark page: it takes the colours of a light one. Those it
// does not know, and images, stay as they are.
type onDark struct{ vg.Canvas }

func (c onDark) SetColor(col color.Color) {
	n := color.NRGBAModel.Convert(col).(color.NRGBA)
	alpha := n.A
	n.A = 255
	if to, ok := dark[n]; ok {
		to.A = alpha
		col = to
	}
	c.Canvas.SetColor(col)
}
