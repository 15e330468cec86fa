package tokenizer

import (
	"fmt"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// shown is how many files a table has at most, unless all are asked for.
const shown = 20

// MIME shows the files of the corpus.
func (c *Corpus) MIME() display.Bundle {
	t := c.table(shown)
	for _, d := range c.Damage {
		t.Note += "damage: " + d + "\n"
	}
	return t.MIME()
}

// Table lists all files of the corpus, with what was to say of each.
func (c *Corpus) Table() *display.Table {
	t := c.table(len(c.files))
	for _, f := range c.files {
		for _, w := range f.Warnings {
			t.Note += "warning: " + w + "\n"
		}
	}
	return t
}

// table lists the first n files.
func (c *Corpus) table(n int) *display.Table {
	n = min(n, len(c.files))
	t := display.NewTable("file", "format", "bytes", "packets", "flows", "tokens")
	t.Title, t.Align, t.Limit, t.More = c.title(), "llrrrr", -1, len(c.files)-n
	for i := range c.files[:n] {
		f := &c.files[i]
		format := f.Format
		if format == "" {
			format = "no capture"
		}
		if !f.Done {
			format = "not finished"
		}
		t.Row(f.Name, format, f.Size, f.Packets, f.Flows, f.Tokens)
	}
	return t
}

func (c *Corpus) title() string {
	var packets, flows, tokens, size int64
	for _, f := range c.files {
		packets, flows, tokens, size = packets+f.Packets, flows+f.Flows, tokens+f.Tokens, size+f.Size
	}
	return fmt.Sprintf("%s: %d files, %s; %d packets in %d flows, %d tokens", c.Path, len(c.files), pcap.Bytes(size), packets, flows, tokens)
}
