package judge

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer/pcap"
)

// structure asks whether packets parse and connections keep the rules. Nothing is
// repaired first.
func (j *judgement) structure(a *Axis) error {
	breaking := measure("flows that break a rule", "%", 1, 5, 20)
	protocols := measure("packets of another protocol", "%", 1, 5, 20)
	flowKinds := measure("flows of another protocol", "%", 1, 5, 20)
	malformed := measure("packets that tshark calls malformed", "%", 2, 1, 5)
	a.Measures = []*Measure{breaking, protocols, flowKinds, malformed}
	var rules [competitors][]metrics.Breach
	tshark, why := j.tshark()
	err := j.each(a, func(k int, flows []*pcap.Flow) error {
		broken := 0
		for _, f := range flows {
			if slices.ContainsFunc(metrics.Breaches([]*pcap.Flow{f}), func(b metrics.Breach) bool { return b.Broken > 0 && b.Rule != midway }) {
				broken++
			}
		}
		*breaking.at(k) = share(broken, len(flows))
		rules[k] = metrics.Breaches(flows)
		*protocols.at(k), *flowKinds.at(k) = j.variation(flows, packetKinds), j.variation(flows, kinds)
		if tshark != "" {
			v, err := j.malformed(tshark, flows)
			if err != nil {
				why = err.Error()
			}
			*malformed.at(k) = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	if why != "" {
		a.Findings = append(a.Findings, "Malformed packets were not counted: "+why+".")
	}
	worst := Unjudged
	for i, b := range rules[generated] {
		m := measure("breaks: "+b.Rule, "%", 1, 5, 20)
		for k := range competitors {
			if i < len(rules[k]) {
				*m.at(k) = share(rules[k][i].Broken, rules[k][i].Flows)
			}
		}
		if b.Rule == midway {
			m.far = 0
		}
		if m.judge(); m.Generated.Known() {
			a.Measures = append(a.Measures, m)
			worst = max(worst, m.Verdict.Level)
		}
	}
	// Checksums that real captures lack hide in the one number what else is broken.
	if breaking.judge(); worst > breaking.Verdict.Level && breaking.Verdict.Level != Unjudged && len(j.sides.flows[generated]) >= tooFew {
		a.Verdict = Verdict{worst, words(Structure, &Measure{Verdict: Verdict{Level: worst}})}
	}
	a.Tables = []*display.Table{breachTable(rules), j.protocolTable()}
	a.Figures = append(a.Figures, breachFigure(rules)...)
	for i, b := range rules[generated] {
		if excess := b.PerThousand() - rules[floor][i].PerThousand(); excess > 50 && b.Rule != midway {
			a.Findings = append(a.Findings, fmt.Sprintf("Of 1,000 generated flows %.0f break “%s”, of real ones %.0f.", b.PerThousand(), b.Rule, rules[floor][i].PerThousand()))
		}
	}
	return nil
}

// midway is the rule that a flow breaks which the capture met under way: where
// captures began is no matter of the rules of TCP. It is listed and not counted.
const midway = "TCP flows that begin with SYN"

// breachTable lists how many flows of a thousand break each rule.
func breachTable(rules [competitors][]metrics.Breach) *display.Table {
	t := display.NewTable(append([]string{"rule"}, append(competitorNames[:], "of flows, generated", "real")...)...)
	t.Title = "Flows of 1,000 that break a rule at least once"
	for i := range rules[generated] {
		row := []any{rules[generated][i].Rule}
		for k := range competitors {
			row = append(row, perThousand(rules[k], i))
		}
		row = append(row, rules[generated][i].Flows)
		if i < len(rules[floor]) {
			row = append(row, rules[floor][i].Flows)
		}
		t.Row(row...)
	}
	t.Align = "lrrrrrr"
	t.Note = "Of the flows that a rule applies to. Real captures break rules too: checksums left to the network card, packets that the capture missed. “" + midway + "” is not counted as a break in the summary."
	return t
}

func perThousand(rules []metrics.Breach, i int) any {
	if i >= len(rules) || rules[i].Flows == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", rules[i].PerThousand())
}

// kinds counts flows by protocol, packetKinds packets.
func kinds(flows []*pcap.Flow) map[string]float64 {
	out := map[string]float64{}
	for _, f := range flows {
		out[f.Protocol()]++
	}
	return out
}

func packetKinds(flows []*pcap.Flow) map[string]float64 {
	out := map[string]float64{}
	for _, f := range flows {
		out[f.Protocol()] += float64(len(f.Packets))
	}
	return out
}

// variation is how far the protocols of flows are from the reference's, in percent,
// with its interval by bootstrap over the flows; resampling adds a distance of its
// own, so the interval is moved to have the value as its mean.
func (j *judgement) variation(flows []*pcap.Flow, count func([]*pcap.Flow) map[string]float64) Value {
	reference := count(j.sides.reference)
	value := 100 * variation(reference, count(flows))
	rng := rand.New(rand.NewPCG(j.Seed, 0x7661726961))
	draws, again, centre := make([]float64, resamples), make([]*pcap.Flow, len(flows)), 0.
	for r := range draws {
		for i := range again {
			again[i] = flows[rng.IntN(len(flows))]
		}
		draws[r] = 100 * variation(reference, count(again))
		centre += draws[r] / resamples
	}
	slices.Sort(draws)
	low, high := draws[resamples/40]+value-centre, draws[resamples-1-resamples/40]+value-centre
	return Value{value, max(0, min(low, value)), min(100, max(high, value))}
}

// variation is the total variation distance of two histograms: the share that
// would have to move for them to be equal.
func variation(p, q map[string]float64) float64 {
	sp, sq := sum(p), sum(q)
	if sp == 0 || sq == 0 {
		return 0
	}
	d := 0.
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if e := p[k]/sp - q[k]/sq; e > 0 {
			d += e
		}
	}
	return d
}

func sum(p map[string]float64) float64 {
	s := 0.
	for _, k := range slices.Sorted(maps.Keys(p)) {
		s += p[k]
	}
	return s
}

// protocolTable lists the shares of protocols among flows and packets.
func (j *judgement) protocolTable() *display.Table {
	s := &j.sides
	counts := []map[string]float64{kinds(s.reference), packetKinds(s.reference)}
	for k := range competitors {
		counts = append(counts, kinds(s.flows[k]), packetKinds(s.flows[k]))
	}
	total := map[string]float64{}
	for _, c := range counts {
		for n, v := range c {
			total[n] += v / max(1, sum(c))
		}
	}
	names := slices.SortedFunc(maps.Keys(total), func(a, b string) int { return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b)) })
	t := display.NewTable(append([]string{"protocol", "of", "reference", "generated", "error"}, competitorNames[1:]...)...)
	t.Title = "Shares of protocols"
	for _, n := range names {
		for what, of := range []string{"flows", "packets"} {
			row := []any{n, of}
			if what == 1 {
				row[0] = ""
			}
			for k := range competitors + 1 {
				c := counts[2*k+what]
				row = append(row, fmt.Sprintf("%.2f %%", 100*c[n]/max(1, sum(c))))
				if k == 1 {
					row = append(row, relative(counts[what], c, n))
				}
			}
			t.Row(row...)
		}
	}
	t.Align, t.Limit = "llrrrrrr", 24
	t.Note = "The error is relative to the reference's share."
	return t
}

// relative is the error of a share of q, relative to that of p.
func relative(p, q map[string]float64, name string) string {
	a, b := p[name]/max(1, sum(p)), q[name]/max(1, sum(q))
	if a == 0 {
		return "–"
	}
	return fmt.Sprintf("%+.1f %%", 100*(b-a)/a)
}

func protocolList(flows []*pcap.Flow) string {
	count := kinds(flows)
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	return strings.Join(names[:min(len(names), 3)], ", ")
}

// resamples is how often intervals draw anew.
const resamples = 200
