package metrics

import (
	"fmt"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Rate is how many of those that a rule applies to obey it.
type Rate struct {
	Rule            string
	Checked, Passed int
}

// Share is the part that passed, 0 when nothing was checked.
func (r Rate) Share() float64 { return share(r.Passed, r.Checked) }

// ValidityReport says which rules of packets and of TCP connections flows
// obey, beside what real traffic does: real captures break rules too
// (checksums left to the network card, captures that begin in the middle).
type ValidityReport struct {
	Rules []Rate // of the flows
	Real  []Rate // of real flows, the same rules; nil without
}

var rules = []string{
	"packets that parse, lengths right",
	"IPv4 header checksum", "TCP checksum", "UDP checksum",
	"TCP flags that make sense",
	"TCP flows that begin with SYN", "TCP handshake in order",
	"TCP data only after the handshake", "TCP SEQ continues", "TCP ACK of what was sent",
	"nothing after TCP's end",
}

const (
	parses = iota
	sumIPv4
	sumTCP
	sumUDP
	flagsOK
	beginsSYN
	handshake
	dataAfter
	seqContinues
	ackSent
	afterEnd
)

// Validity checks the packets and connections of flows.
func Validity(flows []*pcap.Flow) *ValidityReport { return &ValidityReport{Rules: passed(flows)} }

// ValidityBeside checks generated flows and real ones.
func ValidityBeside(real, generated []*pcap.Flow) *ValidityReport {
	return &ValidityReport{Rules: passed(generated), Real: passed(real)}
}

func passed(flows []*pcap.Flow) []Rate {
	var rates []Rate
	for _, b := range check(flows) {
		rates = append(rates, Rate{b.Rule, b.Checked, b.Passed})
	}
	return rates
}

// check counts what obeys each rule and which flows do.
func check(flows []*pcap.Flow) []Breach {
	out, rates := make([]Breach, len(rules)), make([]Rate, len(rules))
	for i := range out {
		out[i].Rule = rules[i]
	}
	for _, f := range flows {
		clear(rates)
		checkFlow(f, rates)
		for i, r := range rates {
			b := &out[i]
			b.Checked += r.Checked
			b.Passed += r.Passed
			if r.Checked > 0 {
				b.Flows++
			}
			if r.Passed < r.Checked {
				b.Broken++
			}
		}
	}
	return out
}

func checkFlow(f *pcap.Flow, rates []Rate) {
	var views []view
	for i := range f.Packets {
		p := &f.Packets[i]
		rates[parses].count(tokenizer.Check(*p) == nil)
		for _, c := range tokenizer.Checksums(*p) {
			if rule, ok := sums[c.Layer]; ok {
				rates[rule].count(c.Good)
			}
		}
		views = append(views, look(p))
	}
	follow(f, views, rates)
}

func (r *Rate) count(passed bool) {
	r.Checked++
	if passed {
		r.Passed++
	}
}

// sums are the rules of the checksums that are judged, by layer.
var sums = map[string]int{"IPv4": sumIPv4, "TCP": sumTCP, "UDP": sumUDP}

// Table lists the rules.
func (r *ValidityReport) Table() *display.Table {
	percent := func(x Rate) string {
		if x.Checked == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f %%", 100*x.Share())
	}
	t := display.NewTable("rule", "valid", "checked")
	t.Title = "Validity"
	if r.Real != nil {
		t.Header = []string{"rule", "generated", "real", "generated checked", "real checked"}
		t.Title = "Validity: generated beside real"
	}
	for i, x := range r.Rules {
		if r.Real != nil {
			t.Row(x.Rule, percent(x), percent(r.Real[i]), x.Checked, r.Real[i].Checked)
			continue
		}
		t.Row(x.Rule, percent(x), x.Checked)
	}
	t.Align = "lrrrr"
	t.Note = "Checksums where the whole packet was captured. Real captures fall short of 100 % too: offloaded checksums, connections already under way, packets the capture missed."
	return t
}

// MIME shows the rules as a table.
func (r *ValidityReport) MIME() display.Bundle { return r.Table().MIME() }
