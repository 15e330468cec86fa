package display

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/png"
	"regexp"
	"strings"
)

// Show displays v in the output of the cell, in the richest form it has (see Of).
func Show(v any) { ShowBundle(Of(v)) }

// ShowBundle displays b as it is.
func ShowBundle(b Bundle) { emit(current(), Event{Kind: Display, Data: b}) }

// ShowText displays s as it is, without interpreting it.
func ShowText(s string) { ShowBundle(AsText(s)) }

// ShowMarkdown displays s as Markdown.
func ShowMarkdown(s string) { ShowBundle(AsMarkdown(s)) }

// ShowHTML displays s as HTML.
func ShowHTML(s string) { ShowBundle(AsHTML(s)) }

// ShowLatex displays s, a formula with its delimiters ($…$ or $$…$$).
func ShowLatex(s string) { ShowBundle(AsLatex(s)) }

// ShowSVG displays s, an SVG document.
func ShowSVG(s string) { ShowBundle(AsSVG(s)) }

// ShowPNG displays data, the bytes of a PNG file.
func ShowPNG(data []byte) { ShowBundle(AsPNG(data)) }

// ShowJSON displays v, any value encoding/json takes, as a tree.
func ShowJSON(v any) { ShowBundle(AsJSON(v)) }

// Erase removes what the cell has shown so far. With wait it stays visible
// until the next output replaces it, which does not flicker.
func Erase(wait bool) { emit(current(), Event{Kind: Clear, Wait: wait}) }

// AsText is s as a value that shows itself as plain text.
func AsText(s string) Bundle { return Bundle{Text: s} }

// AsMarkdown is s as a value that shows itself as Markdown.
func AsMarkdown(s string) Bundle { return Bundle{Markdown: s, Text: s} }

// AsHTML is s as a value that shows itself as HTML; its plain text is what is
// left without the tags.
func AsHTML(s string) Bundle { return Bundle{HTML: s, Text: plain(s)} }

// AsLatex is s as a value that shows itself as a formula.
func AsLatex(s string) Bundle { return Bundle{Latex: s, Text: s} }

// AsSVG is s, an SVG document, as a value that shows itself.
func AsSVG(s string) Bundle {
	return Bundle{SVG: s, Text: fmt.Sprintf("(SVG figure, %d bytes)", len(s))}
}

// AsJSON is v as a value that shows itself as a tree of JSON.
func AsJSON(v any) Bundle { return Bundle{JSON: v, Text: fmt.Sprintf("%+v", v)} }

// AsPNG is data, the bytes of a PNG file, as a value that shows itself.
func AsPNG(data []byte) Bundle {
	text := fmt.Sprintf("(PNG image, %d bytes)", len(data))
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err == nil {
		text = fmt.Sprintf("(PNG image, %d × %d pixels)", c.Width, c.Height)
	}
	return Bundle{PNG: data, Text: text}
}

// AsImage is img as a value that shows itself as PNG. An image that cannot be
// encoded (no pixels, larger than the format allows) shows the reason.
func AsImage(img image.Image) Bundle {
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return AsText(fmt.Sprintf("failed to encode the image: %v", err))
	}
	return AsPNG(buf.Bytes())
}

var (
	unseen = regexp.MustCompile(`(?is)<(style|script)\b.*?</(style|script)>`)
	breaks = regexp.MustCompile(`(?i)<(br|/p|/div|/tr|/li|/h[1-6])\b[^>]*>`)
	tags   = regexp.MustCompile(`(?s)<[^>]*>`)
)

func plain(s string) string {
	s = unseen.ReplaceAllString(s, "")
	s = breaks.ReplaceAllString(s, "\n")
	s = tags.ReplaceAllString(s, " ")
	var lines []string
	for l := range strings.Lines(html.UnescapeString(s)) {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}
