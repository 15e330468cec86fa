package sample

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"time"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// Result is what was sampled.
type Result struct {
	Model       string
	Flows       []*pcap.Flow
	Packets     int // of all flows
	Kept        int // tokens of all flows
	Tokens      int // tokens generated, with those of discarded packets
	Tried       int // packets generated to their end
	Rejected    int // of them, illegal
	Replaced    int // of the rejected, those whose place a legal packet took when it was sampled anew
	Repaired    int // packets of all flows whose lengths or checksums Options.Repair put right
	Abandoned   int // flows ended early for too many illegal packets
	Cut         int // flows ended at MaxTokens, their last packet dropped
	Interrupted bool
	Reasons     map[string]int // why packets were rejected
	Duration    time.Duration
	CPU         time.Duration // processor time of the process meanwhile, all threads together; 0 where it is not known
}

// Save writes the flows to a capture file, merged in time order. The name
// decides nothing: packets of several link types make a .pcapng.
func (r *Result) Save(path string) error { return pcap.WriteFlows(path, r.Flows) }

// String says it in one line.
func (r *Result) String() string {
	s := fmt.Sprintf("%d flows, %s packets sampled", len(r.Flows), display.Count(r.Packets))
	if sec := r.Duration.Seconds(); sec > 0 {
		s += fmt.Sprintf(" in %s (%s tokens/s)", display.Duration(r.Duration), display.Count(int(float64(r.Tokens)/sec)))
	}
	s += fmt.Sprintf("; %s packets tried, %s rejected, %s replaced", display.Count(r.Tried), display.Count(r.Rejected), display.Count(r.Replaced))
	if r.Repaired > 0 {
		s += fmt.Sprintf(", lengths or checksums of %s repaired", display.Count(r.Repaired))
	}
	if r.Interrupted {
		s += "; interrupted"
	}
	return s
}

// mostReasons is how many reasons the note names.
const mostReasons = 3

// MIME shows the flows under a line of counts.
func (r *Result) MIME() display.Bundle {
	b := pcap.Flows(r.Flows).MIME()
	note := r.String()
	reasons := slices.SortedFunc(maps.Keys(r.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Reasons[b], r.Reasons[a]), cmp.Compare(a, b))
	})
	for i, why := range reasons[:min(len(reasons), mostReasons)] {
		if i == 0 {
			note += "; most often rejected: "
		} else {
			note += ", "
		}
		note += fmt.Sprintf("%s (%d)", why, r.Reasons[why])
	}
	out := display.Bundle{display.Text: note}
	for mime, data := range b {
		if s, ok := data.(string); ok {
			switch mime {
			case display.HTML:
				out[mime] = `<div style="font-size:var(--jp-content-font-size1,13px);color:var(--jp-content-font-color1,inherit);margin-bottom:.4em">` + html.EscapeString(note) + "</div>" + s
			case display.Text:
				out[mime] = note + "\n" + s
			}
		}
	}
	return out
}
