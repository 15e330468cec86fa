package repl

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/iterm2"
	"github.com/charmbracelet/x/ansi/kitty"
	"github.com/charmbracelet/x/ansi/sixel"
	"golang.org/x/image/draw"

	"trafficgpt/display"
)

// graphics is the way a terminal shows images.
type graphics int

const (
	noGraphics graphics = iota
	kittyGraphics
	itermGraphics
	sixelGraphics
)

var graphicsNames = map[string]graphics{"none": noGraphics, "kitty": kittyGraphics, "iterm2": itermGraphics, "sixel": sixelGraphics}

// chooseGraphics decides by option, environment, and at last by asking the
// terminal, which query does and whose answer begins with ESC.
func chooseGraphics(option string, getenv func(string) string, query func() string) (graphics, error) {
	if e := getenv("TRAFFICGPT_IMAGES"); e != "" {
		option = e
	}
	if option != "" {
		g, ok := graphicsNames[option]
		if !ok {
			return noGraphics, fmt.Errorf("images can be kitty, iterm2, sixel or none, not %q", option)
		}
		return g, nil
	}
	if getenv("TMUX") == "" {
		switch {
		case getenv("KITTY_WINDOW_ID") != "", getenv("TERM") == "xterm-kitty", getenv("TERM") == "xterm-ghostty":
			return kittyGraphics, nil
		case getenv("TERM_PROGRAM") == "iTerm.app", getenv("TERM_PROGRAM") == "WezTerm":
			return itermGraphics, nil
		}
	}
	if t := getenv("TERM"); t == "" || t == "linux" || t == "dumb" {
		return noGraphics, nil
	}
	return graphicsOf(query()), nil
}

// graphicsOf reads a terminal's primary device attributes, ESC [ ? … c:
// attribute 4 is sixel.
func graphicsOf(answer string) graphics {
	_, after, ok := strings.Cut(answer, "\x1b[?")
	attributes, _, end := strings.Cut(after, "c")
	if ok && end {
		for a := range strings.SplitSeq(attributes, ";") {
			if a == "4" {
				return sixelGraphics
			}
		}
	}
	return noGraphics
}

// can tells whether a bundle has a picture that the terminal shows.
func (g graphics) can(b display.Bundle) bool {
	_, ok := b[display.PNG].([]byte)
	return ok && g != noGraphics
}

const cellWidth = 8 // pixels of a column, when the terminal does not say

// image is the picture of a bundle as the terminal takes it, at most so many
// columns wide; empty when there is none or it cannot be shown.
func (g graphics) image(b display.Bundle, columns int) string {
	if !g.can(b) {
		return ""
	}
	data := b[display.PNG].([]byte)
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	// Figures have more than one pixel to a point; this width reads well.
	width := min(columns-2, max(10, img.Bounds().Dx()/cellWidth*2/3), 110)
	var out bytes.Buffer
	switch g {
	case kittyGraphics:
		err = kitty.EncodeGraphics(&out, img, &kitty.Options{Action: kitty.TransmitAndPut, Format: kitty.PNG,
			Transmission: kitty.Direct, Chunk: true, Columns: width, Quite: 2})
	case itermGraphics:
		out.WriteString(ansi.ITerm2(iterm2.File{Inline: true, Width: iterm2.Cells(width), Size: int64(len(data)),
			Content: []byte(base64.StdEncoding.EncodeToString(data))}))
	case sixelGraphics:
		var payload bytes.Buffer
		err = new(sixel.Encoder).Encode(&payload, scaled(img, width*cellWidth))
		out.WriteString(ansi.SixelGraphics(0, 1, 0, payload.Bytes()))
	}
	if err != nil {
		return ""
	}
	return out.String()
}

func scaled(img image.Image, width int) image.Image {
	b := img.Bounds()
	if b.Dx() <= width {
		return img
	}
	out := image.NewRGBA(image.Rect(0, 0, width, max(1, b.Dy()*width/b.Dx())))
	draw.CatmullRom.Scale(out, out.Rect, img, b, draw.Src, nil)
	return out
}

// imageStore saves pictures that the terminal cannot show.
type imageStore struct {
	mu  sync.Mutex
	dir string
	n   int
}

// save writes the picture of b to a file, which stays, and names it; empty
// when b has none.
func (s *imageStore) save(b display.Bundle) string {
	data, ext := []byte(nil), ".png"
	if p, ok := b[display.PNG].([]byte); ok {
		data = p
	} else if v, ok := b[display.SVG].(string); ok {
		data, ext = []byte(v), ".svg"
	}
	if data == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "trafficgpt-")
		if err != nil {
			return fmt.Sprintf("(failed to save the picture: %v)", err)
		}
		s.dir = dir
	}
	s.n++
	path := filepath.Join(s.dir, fmt.Sprintf("%d%s", s.n, ext))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Sprintf("(failed to save the picture: %v)", err)
	}
	return "picture: " + path
}
