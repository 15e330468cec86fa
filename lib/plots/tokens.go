package plots

import (
	"encoding/binary"
	"fmt"
	"image/color"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// TokenPicture shows the tokens of a flow, one cell a token, coloured by what
// each is: as HTML with hover text, PNG, SVG, terminal colours and letters. Of
// long flows it shows an overview of all tokens and folds what is below: the
// middle of long payloads, and the packets in the middle.
type TokenPicture struct {
	Title  string
	Tokens []uint16
	Fields []tokenizer.Field // one a token

	colors  coloring
	scores  []float64
	unit    string
	low     float64
	high    float64
	from    int // packets shown one by one, from…to
	to      int
	packets []packetRow
}

type coloring int

const (
	byKind coloring = iota
	byValue
	byScore
)

// packetRow is where a packet's tokens lie, and what stands before them. What
// belongs to no packet has a row of its own.
type packetRow struct {
	start, end int // tokens
	number     int // of the packet, -1 for none
	arrow      string
}

// Tokens is the picture of a flow.
func Tokens(f *pcap.Flow) *TokenPicture {
	if f == nil {
		return TokensOf(nil)
	}
	p := TokensOf(tokenizer.Encode(f))
	if len(f.Packets) > 0 {
		p.Title = f.String()
	}
	for i := range p.packets {
		if n := p.packets[i].number; n >= 0 && n < len(f.Packets) {
			p.packets[i].arrow = "←"
			if f.Outgoing(n) {
				p.packets[i].arrow = "→"
			}
		}
	}
	return p
}

// TokensOf is the picture of any token list, also one that is no flow.
func TokensOf(tokens []uint16) *TokenPicture {
	p := &TokenPicture{Title: "Tokens", Tokens: tokens, Fields: tokenizer.Explain(tokens), to: math.MaxInt}
	for i, f := range p.Fields {
		own := f.Packet
		if f.Kind == tokenizer.KindEnd || f.Kind == tokenizer.KindSpecial {
			own = -1
		}
		last := len(p.packets) - 1
		if last < 0 || p.packets[last].number != own || f.Kind == tokenizer.KindStart {
			p.packets = append(p.packets, packetRow{start: i, number: own})
			last++
		}
		p.packets[last].end = i + 1
	}
	return p
}

// ByKind colours by what a token is, as pictures do when nothing is said.
func (p *TokenPicture) ByKind() *TokenPicture {
	p.colors = byKind
	return p
}

// ByValue colours byte tokens by their value, from 0 dark to 255 light.
func (p *TokenPicture) ByValue() *TokenPicture {
	p.colors, p.low, p.high, p.unit = byValue, 0, 255, ""
	return p
}

// Scores colours by a number for each token, such as a model's surprise in
// bits; missing numbers and NaN stay grey. The scale ends at the 99th
// percentile, so that one outlier does not darken all others.
func (p *TokenPicture) Scores(values []float64, unit string) *TokenPicture {
	p.colors, p.scores, p.unit = byScore, values, unit
	var v []float64
	for _, x := range values {
		if finite(x) {
			v = append(v, x)
		}
	}
	p.low, p.high = 0, 1
	if len(v) > 0 {
		sorted := sortedCopy(v)
		p.low, p.high = at(sorted, 0), at(sorted, .99)
		if p.low > 0 && p.low < p.high/4 {
			p.low = 0
		}
	}
	return p
}

// Packets shows packets from…to-1, counted from 0, one by one; the overview
// stays that of the whole flow.
func (p *TokenPicture) Packets(from, to int) *TokenPicture {
	p.from, p.to = from, to
	return p
}

var kindColors = [tokenizer.Kinds]color.NRGBA{
	tokenizer.KindStart:     rgb(0x4a4f57),
	tokenizer.KindLink:      rgb(0xa4acb5),
	tokenizer.KindTime:      rgb(0xf0c02e),
	tokenizer.KindEthernet:  rgb(0x86c06c),
	tokenizer.KindIP:        rgb(0x5fb0e8),
	tokenizer.KindTCP:       rgb(0xb49aee),
	tokenizer.KindUDP:       rgb(0xf490b4),
	tokenizer.KindTransport: rgb(0xe8895c),
	tokenizer.KindPayload:   rgb(0xd8d0bd),
	tokenizer.KindEnd:       rgb(0xd13b34),
	tokenizer.KindSpecial:   rgb(0x8d5b3c),
}

const kindLetters = "^lte4TUop$?"

// levels is how many shades a scale has.
const levels = 16

// level is the shade of token i: -1 when it has none and its kind's colour stands.
func (p *TokenPicture) level(i int) int {
	v := math.NaN()
	switch p.colors {
	case byKind:
		return -1
	case byValue:
		if p.Tokens[i] < 256 {
			v = float64(p.Tokens[i])
		}
	case byScore:
		v = value(p.scores, i)
	}
	if !finite(v) {
		return -1
	}
	return max(0, min(levels-1, int((v-p.low)/(p.high-p.low)*levels)))
}

var shades = func() (s [levels]color.NRGBA) {
	for i := range s {
		s[i] = Shade(.12 + .88*float64(i)/(levels-1))
	}
	return
}()

// noScore is the grey of tokens that have no number.
var noScore = rgb(0xbcc0c5)

func (p *TokenPicture) color(i int) color.NRGBA {
	if l := p.level(i); l >= 0 {
		return shades[l]
	}
	if p.colors == byScore {
		return noScore
	}
	return kindColors[p.Fields[i].Kind]
}

// summary counts packets and tokens.
func (p *TokenPicture) summary() string {
	n := 0
	for _, r := range p.packets {
		if r.number >= 0 {
			n++
		}
	}
	noun := "packets"
	if n == 1 {
		noun = "packet"
	}
	return fmt.Sprintf("%s %s · %s tokens", display.Count(n), noun, display.Count(len(p.Tokens)))
}

// entry is one line of the legend.
type entry struct {
	kind tokenizer.Kind
	n    int
}

func (p *TokenPicture) legend() []entry {
	var n [tokenizer.Kinds]int
	for _, f := range p.Fields {
		n[f.Kind]++
	}
	var out []entry
	for k, c := range n {
		if c > 0 {
			out = append(out, entry{tokenizer.Kind(k), c})
		}
	}
	return out
}

// run is a stretch of tokens of one field.
type run struct{ start, end int }

// runs cuts tokens start…end into fields.
func (p *TokenPicture) runs(start, end int) []run {
	var out []run
	for i := start; i < end; i++ {
		if n := len(out); n > 0 && p.same(out[n-1].start, i) {
			out[n-1].end = i + 1
			continue
		}
		out = append(out, run{i, i + 1})
	}
	return out
}

func (p *TokenPicture) same(a, b int) bool {
	x, y := p.Fields[a], p.Fields[b]
	return x.Packet == y.Packet && x.Kind == y.Kind && x.Layer == y.Layer && x.Name == y.Name && p.Tokens[a] != tokenizer.Start
}

// Describe says what token i is: packet, layer, field and value.
func (p *TokenPicture) Describe(i int) string {
	if i < 0 || i >= len(p.Tokens) {
		return ""
	}
	start, end := i, i+1
	for start > 0 && p.same(start-1, i) {
		start--
	}
	for end < len(p.Tokens) && p.same(i, end) {
		end++
	}
	return p.describe(run{start, end})
}

func (p *TokenPicture) describe(r run) string {
	f := p.Fields[r.start]
	var parts []string
	if f.Packet >= 0 {
		parts = append(parts, fmt.Sprintf("packet %d", f.Packet+1))
	}
	if f.Layer != "token" && f.Layer != "payload" {
		parts = append(parts, f.Layer)
	}
	parts = append(parts, f.Name)
	if v := p.valueOf(r); v != "" {
		parts = append(parts, v)
	}
	return strings.Join(parts, " · ")
}

// valueOf writes the value of a field as people do.
func (p *TokenPicture) valueOf(r run) string {
	f := p.Fields[r.start]
	switch f.Kind {
	case tokenizer.KindStart, tokenizer.KindEnd, tokenizer.KindLink:
		return ""
	case tokenizer.KindSpecial:
		return fmt.Sprintf("token %d", p.Tokens[r.start])
	case tokenizer.KindTime:
		if s, ok := tokenizer.Interval(p.Tokens[r.start:r.end]); ok {
			return pause(s)
		}
	}
	b := make([]byte, 0, 64)
	for _, t := range p.Tokens[r.start:min(r.end, r.start+64)] {
		b = append(b, byte(t))
	}
	n := r.end - r.start
	address := strings.Contains(f.Name, "address")
	switch {
	case address && n == 4 && f.Kind == tokenizer.KindIP:
		return netip.AddrFrom4([4]byte(b)).String()
	case address && n == 16:
		return netip.AddrFrom16([16]byte(b)).String()
	case n == 6 && (f.Kind == tokenizer.KindEthernet || address):
		return net.HardwareAddr(b).String()
	case f.Kind == tokenizer.KindTCP && f.Name == "flags" && n == 1:
		return fmt.Sprintf("0x%02x %s", b[0], tcpFlags(b[0]))
	case f.Kind == tokenizer.KindPayload && (f.Layer == "payload" || n > 8):
		return fmt.Sprintf("%s bytes: %s", display.Count(n), excerpt(b, n))
	case n <= 8 && n > 0:
		v := binary.BigEndian.Uint64(append(make([]byte, 8-n, 8), b...))
		return fmt.Sprintf("%d (0x%0*x)", v, 2*n, v)
	}
	return fmt.Sprintf("%x", b[:min(n, 24)]) + ellipsis(n > 24)
}

func ellipsis(more bool) string {
	if more {
		return "…"
	}
	return ""
}

// excerpt is the beginning of a payload: text when it is text.
func excerpt(b []byte, n int) string {
	readable := 0
	for _, c := range b {
		if c >= 32 && c < 127 || c == '\r' || c == '\n' || c == '\t' {
			readable++
		}
	}
	if readable*10 >= len(b)*9 {
		s := strings.Map(func(r rune) rune {
			if r < 32 || r >= 127 {
				return '·'
			}
			return r
		}, string(b[:min(len(b), 40)]))
		return "“" + s + "”" + ellipsis(n > 40)
	}
	return fmt.Sprintf("%x", b[:min(len(b), 16)]) + ellipsis(n > 16)
}

func tcpFlags(b byte) string {
	var on []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if b>>i&1 != 0 {
			on = append(on, name)
		}
	}
	return strings.Join(on, " ")
}

// pause writes the seconds since the packet before.
func pause(s float64) string {
	a := math.Abs(s)
	switch {
	case s == 0:
		return "0 s"
	case !finite(s) || a >= 1e6:
		return fmt.Sprintf("%.3g s", s)
	case a < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case a < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case a >= 100:
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.3g s", s)
}

// head is what stands before the tokens of a packet: number, direction, time.
func (p *TokenPicture) head(r packetRow) (number, after string) {
	if r.number < 0 {
		return "", ""
	}
	number = fmt.Sprint(r.number + 1)
	if r.arrow != "" {
		number += " " + r.arrow
	}
	for i := r.start; i < r.end; i++ {
		if p.Fields[i].Kind == tokenizer.KindTime {
			if s, ok := tokenizer.Interval(p.Tokens[i:min(i+8, r.end)]); ok {
				after = "+" + pause(s)
			}
			break
		}
	}
	return number, after
}

// MIME shows the picture.
func (p *TokenPicture) MIME() display.Bundle {
	return display.Bundle{
		display.HTML: p.HTMLText(),
		display.PNG:  p.PNGBytes(),
		display.ANSI: p.ANSIText(),
		display.Text: p.String(),
	}
}

// Save writes the picture to path, as .html, .svg or .png.
func (p *TokenPicture) Save(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".svg":
		return atomicfile.WriteBytes(path, []byte(p.SVGText()))
	case ".png":
		return atomicfile.WriteBytes(path, p.PNGBytes())
	case ".html", ".htm":
		return atomicfile.WriteBytes(path, []byte(`<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">`+
			`<body style="font-family:system-ui,sans-serif">`+p.HTMLText()))
	default:
		return fmt.Errorf("failed to save the picture to %s: %w: the name must end in .html, .svg or .png, not %q", path, os.ErrInvalid, ext)
	}
}
