package dataset

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Class sums up the flows of one label.
type Class struct {
	Label    string
	Flows    int
	Groups   int // near-duplicate groups; splits keep a group together
	Packets  int
	Bytes    int64         // captured
	Tokens   int           // of the paper's mapping, see tokenizer.Length
	Median   int           // tokens of the median flow
	Longest  int           // tokens of the longest flow
	Duration time.Duration // of the median flow
}

// ClassList is a list of classes that shows itself as a table.
type ClassList []Class

// Classes sums up the set by label, sorted by label.
func (s *Set) Classes() ClassList {
	by := map[string]*Set{}
	for _, f := range s.Flows {
		c := by[f.Label]
		if c == nil {
			c = &Set{}
			by[f.Label] = c
		}
		c.Flows = append(c.Flows, f)
	}
	out := make(ClassList, 0, len(by))
	for _, label := range s.Labels() {
		out = append(out, by[label].sum(label))
	}
	return out
}

func (s *Set) sum(label string) Class {
	c := Class{Label: label, Flows: len(s.Flows), Groups: s.Groups()}
	tokens := make([]int, 0, len(s.Flows))
	spans := make([]time.Duration, 0, len(s.Flows))
	for _, f := range s.Flows {
		c.Packets += len(f.Packets)
		c.Bytes += f.Bytes()
		n := tokenizer.Length(f)
		c.Tokens += n
		tokens = append(tokens, n)
		spans = append(spans, f.Duration())
	}
	if len(tokens) > 0 {
		slices.Sort(tokens)
		slices.Sort(spans)
		c.Median, c.Longest = tokens[len(tokens)/2], tokens[len(tokens)-1]
		c.Duration = spans[len(spans)/2]
	}
	return c
}

// MIME shows the classes as a table.
func (l ClassList) MIME() display.Bundle { return l.table("").MIME() }

func (l ClassList) String() string { return l.table("").String() }

func (l ClassList) table(title string) *display.Table {
	t := display.NewTable("class", "flows", "groups", "packets", "bytes", "tokens", "median", "longest", "duration")
	t.Title, t.Limit, t.Align = title, -1, "lrrrrrrrr"
	for _, c := range l {
		t.Row(shownLabel(c.Label), c.Flows, c.Groups, c.Packets, pcap.Bytes(c.Bytes), c.Tokens, c.Median, c.Longest, c.Duration)
	}
	return t
}

func shownLabel(label string) string {
	if label == "" {
		return "(no label)"
	}
	return label
}

// MIME shows the set by class, with a sum.
func (s *Set) MIME() display.Bundle { return s.table().MIME() }

func (s *Set) String() string { return s.table().String() }

func (s *Set) table() *display.Table {
	classes := s.Classes()
	name := s.Name
	if name == "" {
		name = "set"
	}
	t := classes.table(fmt.Sprintf("%s: %s flows, %d classes", name, display.Count(len(s.Flows)), len(classes)))
	if len(classes) > 1 {
		a := s.sum("")
		t.Row("all", a.Flows, a.Groups, a.Packets, pcap.Bytes(a.Bytes), a.Tokens, a.Median, a.Longest, a.Duration)
	}
	t.Note = "tokens of the median and the longest flow; duration of the median flow"
	if n := len(s.Warnings); n > 0 {
		t.Note = fmt.Sprintf("%s. %d warnings: %s", t.Note, n, strings.Join(s.Warnings[:min(n, 3)], "; "))
		if n > 3 {
			t.Note += "; …"
		}
	}
	return t
}
