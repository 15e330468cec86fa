package plots

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"html"
	"image"
	"image/color"
	"image/png"
	"strings"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
)

const (
	keepHead = 76      // tokens of a long stretch of one kind that stay, at its beginning
	keepTail = 8       // and at its end
	budget   = 170_000 // bytes of HTML for packets shown one by one
	mapWidth = 192     // tokens a row of the overview
	mapCell  = 4       // pixels a token in it
)

// HTMLText is the picture as HTML: at most about 300 KB, whatever the flow.
func (p *TokenPicture) HTMLText() string {
	var b strings.Builder
	b.WriteString(`<div class="tg-k">` + tokenStyle)
	fmt.Fprintf(&b, `<div class="h"><b>%s</b><br><span>%s</span></div>`, html.EscapeString(p.Title), p.summary())
	b.WriteString(p.htmlLegend())
	rows, folded := p.htmlRows()
	if folded {
		b.WriteString(p.overview())
	}
	b.WriteString(`<div class="p">` + rows + `</div></div>`)
	return b.String()
}

// tokenStyle colours cells the same on every page, with dark or white letters
// on them; all around takes the page's colours.
var tokenStyle = func() string {
	var b strings.Builder
	b.WriteString(`<style>.tg-k{font-size:13px;line-height:1.35;color:var(--jp-content-font-color1,inherit);max-width:820px}` +
		`.tg-k .h{margin:2px 0 5px}.tg-k .h span{opacity:.75}` +
		`.tg-k .l{display:flex;flex-wrap:wrap;gap:3px 14px;margin:0 0 7px;font-size:12px}` +
		`.tg-k .l i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:5px;vertical-align:-1px}` +
		`.tg-k .o{overflow-x:auto;margin:0 0 8px}.tg-k .o img{display:block;image-rendering:pixelated;max-width:none!important}` +
		`.tg-k .p{max-height:430px;overflow-y:auto;border-top:1px solid #8884;border-bottom:1px solid #8884;padding:2px 0}` +
		`.tg-k .r{display:flex;align-items:flex-start;padding:2px 0}` +
		`.tg-k .r>u{flex:0 0 92px;text-decoration:none;font-size:11px;line-height:17px;font-variant-numeric:tabular-nums;white-space:nowrap;opacity:.85}` +
		`.tg-k .r>u s{text-decoration:none;opacity:.7;float:right;margin-right:8px}` +
		`.tg-k .c{display:flex;flex-wrap:wrap;gap:1px 0}` +
		`.tg-k .c b{display:contents;font-weight:400}` +
		`.tg-k .c i{width:17px;height:17px;text-align:center;font:10px/17px ui-monospace,Menlo,Consolas,monospace;color:#16181b;background:var(--k)}` +
		`.tg-k .c b i:last-child{margin-right:1px}.tg-k .c b:hover i{outline:1px solid var(--jp-content-font-color1,currentColor)}` +
		`.tg-k .c i.m{width:auto;padding:0 6px;font-style:italic;background:#8883;color:inherit}` +
		`.tg-k .f{font-size:12px;opacity:.75;padding:3px 0 3px 92px}`)
	for k, c := range kindColors {
		fmt.Fprintf(&b, `.tg-k .k%d,.tg-k .c .k%d{--k:%s}`, k, k, hex(c))
	}
	fmt.Fprintf(&b, `.tg-k .k%d i,.tg-k .k%d i,.tg-k .k%d i{color:#fff}`, tokenizer.KindStart, tokenizer.KindEnd, tokenizer.KindSpecial)
	for l, c := range shades {
		fmt.Fprintf(&b, `.tg-k .c i.s%d{background:%s;color:%s}`, l, hex(c), inkOn(c))
	}
	fmt.Fprintf(&b, `.tg-k .c i.n{background:%s;color:#16181b}</style>`, hex(noScore))
	return b.String()
}()

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// inkOn is the letter colour that stands out on c.
func inkOn(c color.NRGBA) string {
	if int(c.R)*30+int(c.G)*59+int(c.B)*11 < 12000 {
		return "#fff"
	}
	return "#16181b"
}

func (p *TokenPicture) htmlLegend() string {
	var b strings.Builder
	b.WriteString(`<div class="l">`)
	if p.colors != byKind {
		b.WriteString(`<span>` + html.EscapeString(p.scaleName()) + `: ` + tickLabel(p.low, (p.high-p.low)/100) +
			` <span style="display:inline-block;width:120px;height:10px;vertical-align:-1px;background:linear-gradient(90deg`)
		for _, c := range shades {
			b.WriteString("," + hex(c))
		}
		b.WriteString(`)"></span> ` + tickLabel(p.high, (p.high-p.low)/100) + html.EscapeString(p.more()+p.suffix()) + `</span>`)
	}
	for _, e := range p.legend() {
		mark := fmt.Sprintf(`<i style="background:%s"></i>`, hex(kindColors[e.kind]))
		if p.colors == byScore {
			mark = ""
		}
		fmt.Fprintf(&b, `<span>%s%s %s</span>`, mark, html.EscapeString(e.kind.String()), display.Count(e.n))
	}
	b.WriteString(`</div>`)
	return b.String()
}

func (p *TokenPicture) scaleName() string {
	if p.colors == byValue {
		return "value of the byte"
	}
	return "score"
}

// more marks a scale that ends before its highest number.
func (p *TokenPicture) more() string {
	if p.colors == byScore {
		return " and more"
	}
	return ""
}

func (p *TokenPicture) suffix() string {
	if p.unit == "" {
		return ""
	}
	return " " + p.unit
}

// htmlRows writes the packets one by one: as many from the front as the budget
// allows and a few from the end. folded says that something was left out.
func (p *TokenPicture) htmlRows() (rows string, folded bool) {
	var front, back []string
	used := 0
	first, last := 0, len(p.packets)
	for first < last && !p.wanted(p.packets[first]) {
		first++
	}
	for last > first && !p.wanted(p.packets[last-1]) {
		last--
	}
	folded = first > 0 || last < len(p.packets)
	i, j := first, last
	for i < j {
		fromEnd := len(back) < 3 && j == last || used > budget*3/4
		at := i
		if fromEnd {
			at = j - 1
		}
		row, cut := p.htmlRow(p.packets[at])
		if used += len(row); used > budget && len(front) > 0 {
			break
		}
		folded = folded || cut
		if fromEnd {
			back = append(back, row)
			j--
		} else {
			front = append(front, row)
			i++
		}
	}
	var b strings.Builder
	note := func(from, to int) {
		if n := to - from; n > 0 {
			tokens := p.packets[to-1].end - p.packets[from].start
			fmt.Fprintf(&b, `<div class="f">… %s more packets, %s tokens: see the overview, or Packets(%d, %d)</div>`,
				display.Count(n), display.Count(tokens), max(p.packets[from].number, 0), max(p.packets[to-1].number+1, 0))
		}
	}
	note(0, first)
	b.WriteString(strings.Join(front, ""))
	note(i, j)
	for k := len(back) - 1; k >= 0; k-- {
		b.WriteString(back[k])
	}
	note(last, len(p.packets))
	return b.String(), folded || i < j
}

// wanted packets are shown one by one.
func (p *TokenPicture) wanted(r packetRow) bool {
	return r.number >= p.from && r.number < p.to || r.number < 0 && p.from <= 0 && p.to > p.last()
}

// last is the number of the last packet.
func (p *TokenPicture) last() int {
	n := -1
	for _, r := range p.packets {
		n = max(n, r.number)
	}
	return n
}

func (p *TokenPicture) htmlRow(r packetRow) (row string, cut bool) {
	var b strings.Builder
	number, after := p.head(r)
	fmt.Fprintf(&b, `<div class="r"><u>%s<s>%s</s></u><div class="c">`, number, after)
	hidden := p.hidden(r)
	for _, f := range p.runs(r.start, r.end) {
		if len(hidden) > 0 && hidden[0].start < f.start && f.end < hidden[0].end {
			continue
		}
		fmt.Fprintf(&b, `<b class="k%d" title="%s">`, p.Fields[f.start].Kind, html.EscapeString(p.describe(f)))
		for i := f.start; i < f.end; i++ {
			if len(hidden) == 0 || i < hidden[0].start {
				b.WriteString(p.htmlCell(i))
				continue
			}
			if i == hidden[0].start {
				fmt.Fprintf(&b, `<i class="m">… %s more …</i>`, display.Count(hidden[0].end-hidden[0].start))
				cut = true
			}
			if i == hidden[0].end-1 {
				hidden = hidden[1:]
			}
		}
		b.WriteString("</b>")
	}
	b.WriteString("</div></div>")
	return b.String(), cut
}

// hidden are the tokens of a packet that are left out: the middle of long
// stretches of one kind.
func (p *TokenPicture) hidden(r packetRow) []run {
	var out []run
	for from := r.start; from < r.end; {
		to := from
		for to < r.end && p.Fields[to].Kind == p.Fields[from].Kind {
			to++
		}
		if to-from > keepHead+keepTail+keepTail {
			out = append(out, run{from + keepHead, to - keepTail})
		}
		from = to
	}
	return out
}

func (p *TokenPicture) htmlCell(i int) string {
	class := ""
	switch l := p.level(i); {
	case l >= 0:
		class = fmt.Sprintf(` class="s%d"`, l)
	case p.colors == byScore:
		class = ` class="n"`
	}
	if p.colors == byScore && finite(value(p.scores, i)) {
		class += fmt.Sprintf(` title="%s · %.3g%s"`, html.EscapeString(p.brief(i)), p.scores[i], html.EscapeString(p.suffix()))
	}
	return "<i" + class + ">" + p.glyph(i) + "</i>"
}

// brief names a token where a number for it follows.
func (p *TokenPicture) brief(i int) string {
	f := p.Fields[i]
	if f.Layer == "token" || f.Layer == "payload" {
		return fmt.Sprintf("packet %d · %s", f.Packet+1, f.Name)
	}
	return fmt.Sprintf("packet %d · %s · %s", f.Packet+1, f.Layer, f.Name)
}

// glyph is what stands in a cell: two hexadecimal digits, or a mark.
func (p *TokenPicture) glyph(i int) string {
	switch t := p.Tokens[i]; {
	case t == tokenizer.Start:
		return "▸"
	case t == tokenizer.End:
		return "■"
	case t == tokenizer.Pad:
		return "·"
	case t == tokenizer.Cls:
		return "?"
	case t < 256:
		return fmt.Sprintf("%02x", t)
	}
	return "!"
}

// overview is all tokens, a dot each, row by row, as one small image whose
// packets answer to the mouse.
func (p *TokenPicture) overview() string {
	rows := (len(p.Tokens) + mapWidth - 1) / mapWidth
	img := image.NewPaletted(image.Rect(0, 0, mapWidth, rows), nil)
	img.Palette = append(img.Palette, color.Transparent)
	index := map[color.NRGBA]uint8{}
	for i := range p.Tokens {
		c := p.color(i)
		k, ok := index[c]
		if !ok {
			k = uint8(len(img.Palette))
			index[c] = k
			img.Palette = append(img.Palette, c)
		}
		img.SetColorIndex(i%mapWidth, i/mapWidth, k)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return ""
	}
	h := fnv.New64a()
	h.Write(buf.Bytes())
	name := fmt.Sprintf("tg%x", h.Sum64())
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="o"><img width="%d" height="%d" usemap="#%s" alt="all tokens, %d a row" src="data:image/png;base64,%s">`,
		mapWidth*mapCell, rows*mapCell, name, mapWidth, base64.StdEncoding.EncodeToString(buf.Bytes()))
	// More areas than this would weigh more than the picture.
	if len(p.packets) <= 400 {
		fmt.Fprintf(&b, `<map name="%s">`, name)
		for _, r := range p.packets {
			number, after := p.head(r)
			title := strings.TrimSpace(fmt.Sprintf("packet %s %s, %s tokens", number, after, display.Count(r.end-r.start)))
			for _, a := range areas(r.start, r.end) {
				fmt.Fprintf(&b, `<area title="%s" coords="%d,%d,%d,%d">`, title, a.Min.X*mapCell, a.Min.Y*mapCell, a.Max.X*mapCell, a.Max.Y*mapCell)
			}
		}
		b.WriteString(`</map>`)
	}
	b.WriteString(`</div>`)
	return b.String()
}

// areas are the rectangles that tokens start…end cover in the overview.
func areas(start, end int) []image.Rectangle {
	x0, y0, x1, y1 := start%mapWidth, start/mapWidth, (end-1)%mapWidth+1, (end-1)/mapWidth
	if y0 == y1 {
		return []image.Rectangle{image.Rect(x0, y0, x1, y0+1)}
	}
	out := []image.Rectangle{image.Rect(x0, y0, mapWidth, y0+1)}
	if y1 > y0+1 {
		out = append(out, image.Rect(0, y0+1, mapWidth, y1))
	}
	return append(out, image.Rect(0, y1, x1, y1+1))
}
