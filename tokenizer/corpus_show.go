package tokenizer

import (
	"fmt"
	"html"
	"strings"

	"trafficgpt/tokenizer/pcap"
)

// shown is how many rows a table has at most, unless all are asked for.
const shown = 20

func (c *Corpus) title() string {
	var packets, flows, tokens, size int64
	for _, f := range c.files {
		packets, flows, tokens, size = packets+f.Packets, flows+f.Flows, tokens+f.Tokens, size+f.Size
	}
	return fmt.Sprintf("%s: %d files, %s; %d packets in %d flows, %d tokens", c.Path, len(c.files), pcap.Bytes(size), packets, flows, tokens)
}

func (f *FileInfo) row() []string {
	format := f.Format
	if format == "" {
		format = "no capture"
	}
	if !f.Done {
		format = "not finished"
	}
	return []string{f.Name, format, fmt.Sprint(f.Size), fmt.Sprint(f.Packets), fmt.Sprint(f.Flows), fmt.Sprint(f.Tokens)}
}

var corpusHead = []string{"file", "format", "bytes", "packets", "flows", "tokens"}

// text is the table of the files; all of them, with their warnings, if asked for.
func (c *Corpus) text(all bool) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.title())
	n := len(c.files)
	if !all {
		n = min(n, shown)
	}
	rows := [][]string{corpusHead}
	for i := range c.files[:n] {
		rows = append(rows, c.files[i].row())
	}
	width := make([]int, len(corpusHead))
	for _, r := range rows {
		for i, x := range r {
			width[i] = max(width[i], len([]rune(x)))
		}
	}
	for _, r := range rows {
		line := ""
		for i, x := range r {
			pad := strings.Repeat(" ", width[i]-len([]rune(x)))
			if i < 2 {
				line += x + pad + "  "
			} else {
				line += pad + x + "  "
			}
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	if n < len(c.files) {
		fmt.Fprintf(&b, "… and %d more\n", len(c.files)-n)
	}
	for _, f := range c.files {
		for _, w := range f.Warnings {
			if all {
				fmt.Fprintf(&b, "warning: %s\n", w)
			}
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func (c *Corpus) html() string {
	var b strings.Builder
	const cell = `style="padding:.2em .7em;border-bottom:1px solid var(--jp-border-color2,#8884);white-space:nowrap;background:transparent;color:inherit;text-align:`
	fmt.Fprintf(&b, `<div style="font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);color:var(--jp-ui-font-color1,inherit)"><b>%s</b>`, html.EscapeString(c.title()))
	b.WriteString(`<table style="border-collapse:collapse;margin:.4em 0">`)
	row := func(tag string, cells []string) {
		b.WriteString("<tr>")
		for i, x := range cells {
			align := "right"
			if i < 2 {
				align = "left"
			}
			fmt.Fprintf(&b, `<%s %s%s">%s</%s>`, tag, cell, align, html.EscapeString(x), tag)
		}
		b.WriteString("</tr>")
	}
	row("th", corpusHead)
	for i := range c.files[:min(shown, len(c.files))] {
		row("td", c.files[i].row())
	}
	b.WriteString("</table>")
	if n := len(c.files) - shown; n > 0 {
		fmt.Fprintf(&b, "<div>… and %d more</div>", n)
	}
	for _, d := range c.Damage {
		fmt.Fprintf(&b, `<div style="color:var(--jp-warn-color0,#b26a00)">⚠ %s</div>`, html.EscapeString(d))
	}
	b.WriteString("</div>")
	return b.String()
}
