package kernel

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"golang.org/x/image/vector"
)

// The logo, drawn on a grid of 64: traffic in both directions, each arrow made
// of tokens. One list of shapes gives the SVG and the bitmaps.
const logoGrid = 64

type shape struct {
	fill color.RGBA
	x, y float32 // top left of a box; of an arrow head
	w, h float32
	r    float32 // radius of a box's corners
	head bool    // a triangle that points right, or left when w < 0
}

var logoShapes = []shape{
	{fill: color.RGBA{0x0d, 0x2f, 0x4f, 0xff}, x: 0, y: 0, w: 64, h: 64, r: 14},
	{fill: color.RGBA{0x4f, 0xc3, 0xf7, 0xff}, x: 7, y: 16, w: 9.5, h: 12, r: 2.5},
	{fill: color.RGBA{0xff, 0xd1, 0x66, 0xff}, x: 18.5, y: 16, w: 9.5, h: 12, r: 2.5},
	{fill: color.RGBA{0x8b, 0xe0, 0x8b, 0xff}, x: 30, y: 16, w: 9.5, h: 12, r: 2.5},
	{fill: color.RGBA{0xff, 0xff, 0xff, 0xff}, x: 42, y: 12.5, w: 15, h: 19, head: true},
	{fill: color.RGBA{0xff, 0xff, 0xff, 0xff}, x: 22, y: 33.5, w: -15, h: 19, head: true},
	{fill: color.RGBA{0xff, 0x8a, 0x80, 0xff}, x: 24.5, y: 37, w: 9.5, h: 12, r: 2.5},
	{fill: color.RGBA{0x4f, 0xc3, 0xf7, 0xff}, x: 36, y: 37, w: 9.5, h: 12, r: 2.5},
	{fill: color.RGBA{0xff, 0xd1, 0x66, 0xff}, x: 47.5, y: 37, w: 9.5, h: 12, r: 2.5},
}

// logoSVG is the logo as an SVG document.
func logoSVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d">`+"\n", logoGrid, logoGrid)
	for _, s := range logoShapes {
		fill := fmt.Sprintf("#%02x%02x%02x", s.fill.R, s.fill.G, s.fill.B)
		if s.head {
			fmt.Fprintf(&b, `<path fill="%s" d="M%g %gL%g %gL%g %gZ"/>`+"\n", fill, s.x, s.y, s.x+s.w, s.y+s.h/2, s.x, s.y+s.h)
			continue
		}
		fmt.Fprintf(&b, `<rect fill="%s" x="%g" y="%g" width="%g" height="%g" rx="%g"/>`+"\n", fill, s.x, s.y, s.w, s.h, s.r)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// logoPNG is the logo as a bitmap of size by size pixels.
func logoPNG(size int) ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	scale := float32(size) / logoGrid
	for _, s := range logoShapes {
		r := vector.NewRasterizer(size, size)
		s.trace(r, scale)
		r.Draw(img, img.Bounds(), image.NewUniform(s.fill), image.Point{})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("failed to draw the logo: %w", err)
	}
	return b.Bytes(), nil
}

// trace outlines the shape.
func (s shape) trace(r *vector.Rasterizer, scale float32) {
	x, y, w, h, c := s.x*scale, s.y*scale, s.w*scale, s.h*scale, s.r*scale
	if s.head {
		r.MoveTo(x, y)
		r.LineTo(x+w, y+h/2)
		r.LineTo(x, y+h)
		r.ClosePath()
		return
	}
	// A quarter circle is a cubic with its handles at 0.5523 of the radius.
	k := c * (1 - 0.5523)
	r.MoveTo(x+c, y)
	r.LineTo(x+w-c, y)
	r.CubeTo(x+w-k, y, x+w, y+k, x+w, y+c)
	r.LineTo(x+w, y+h-c)
	r.CubeTo(x+w, y+h-k, x+w-k, y+h, x+w-c, y+h)
	r.LineTo(x+c, y+h)
	r.CubeTo(x+k, y+h, x, y+h-k, x, y+h-c)
	r.LineTo(x, y+c)
	r.CubeTo(x, y+k, x+k, y, x+c, y)
	r.ClosePath()
}
