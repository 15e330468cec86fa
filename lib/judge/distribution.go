package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/plots"
	"trafficgpt/tokenizer/pcap"
)

// Bounds of a divergence's excess over the floor, in bits.
const jsdNear, jsdFar = .03, .15

// distribution asks whether header fields, flow features, sizes and directions
// are distributed as in the reference.
func (j *judgement) distribution(a *Axis) error {
	overall := measure("mean divergence", "bits", 3, jsdNear, jsdFar)
	a.Measures = []*Measure{overall}
	precision := measure("precision", "", 3, .05, .2)
	recall := measure("recall", "", 3, .05, .2)
	density := measure("density", "", 3, .1, .4)
	coverage := measure("coverage", "", 3, .05, .2)
	mmd := measure("MMD², Gaussian kernel", "", 4, .005, .05)
	for _, m := range []*Measure{precision, recall, density, coverage} {
		m.Higher = true
	}
	real := vectors(j.sides.reference)
	err := j.each(a, func(k int, flows []*pcap.Flow) error {
		means := j.divergences(a, k, flows, metrics.HeaderJSD, metrics.FlowJSD, metrics.ShapeJSD)
		*overall.at(k) = means
		made := vectors(flows)
		scaled := metrics.Standardize(real, made)
		if near, err := metrics.Neighbourhoods(scaled[0], scaled[1], 5); err == nil {
			*precision.at(k), *recall.at(k) = exactly(near.Precision), exactly(near.Recall)
			*density.at(k), *coverage.at(k) = exactly(near.Density), exactly(near.Coverage)
		}
		if d, err := metrics.MMD(scaled[0], scaled[1], metrics.MMDOptions{Seed: j.Seed, Permutations: -1}); err == nil {
			*mmd.at(k) = exactly(d.Squared)
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.Findings = append(a.Findings, worst(a.Measures[1:])...)
	a.Figures = append(a.Figures, barsOf("divergences", "Divergence from the reference", a.Measures))
	a.Figures = append(a.Figures, j.sizeFigures()...)
	a.Figures = append(a.Figures, j.embedding(real))
	a.Measures = append(a.Measures, precision, recall, density, coverage, mmd)
	a.Tables = append(a.Tables, j.distances(sizeNumbers))
	return nil
}

func vectors(flows []*pcap.Flow) [][]float64 {
	out := make([][]float64, len(flows))
	for i, f := range flows {
		out[i] = classify.Features(f)
	}
	return out
}

// divergences measures one competitor by several reports of package metrics, a
// measure for each of their rows, and returns the mean of the reports' means.
func (j *judgement) divergences(a *Axis, k int, flows []*pcap.Flow, reports ...func(real, generated []*pcap.Flow, o ...metrics.Options) *metrics.JSDReport) Value {
	total, rows := Value{}, 0
	for _, compare := range reports {
		r := compare(j.sides.reference, flows, metrics.Options{Resamples: 100, Splits: -1, Seed: j.Seed})
		for _, row := range slices.Concat(r.Rows, r.More) {
			m := a.Measure(row.Name)
			if m == nil {
				m = measure(row.Name, "bits", 3, jsdNear, jsdFar)
				a.Measures = append(a.Measures, m)
			}
			*m.at(k) = Value{row.JSD, row.Low, row.High}
		}
		n := float64(len(r.Rows))
		total.Value += n * r.Mean.JSD
		total.Low += n * r.Mean.Low
		total.High += n * r.Mean.High
		rows += len(r.Rows)
	}
	n := float64(rows)
	return Value{total.Value / n, total.Low / n, total.High / n}
}

// worst names the measures that are furthest behind the floor.
func worst(measures []*Measure) []string {
	type entry struct {
		m      *Measure
		excess float64
	}
	var all []entry
	for _, m := range measures {
		m.judge()
		if m.Verdict.Level >= Off {
			e := m.Generated.Value - m.Floor.Value
			if m.Higher {
				e = -e
			}
			all = append(all, entry{m, e / m.far})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if a.excess > b.excess {
			return -1
		}
		if a.excess < b.excess {
			return 1
		}
		return 0
	})
	if len(all) == 0 {
		return nil
	}
	s := "Furthest from real: "
	for i, e := range all[:min(3, len(all))] {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%s (%s, floor %s)", e.m.Name, e.m.text(e.m.Generated), e.m.text(e.m.Floor))
	}
	return []string{s + "."}
}

// numbers are what of flows is compared as numbers.
type numbers struct {
	name, unit string
	of         func(flows []*pcap.Flow) []float64
}

var sizeNumbers = []numbers{
	{"packet length", "bytes", func(flows []*pcap.Flow) []float64 {
		return perPacket(flows, func(p *pcap.Packet) float64 { return float64(p.Length) })
	}},
	{"packets a flow", "", func(flows []*pcap.Flow) []float64 {
		return perFlow(flows, func(f *pcap.Flow) float64 { return float64(len(f.Packets)) })
	}},
	{"bytes a flow", "bytes", func(flows []*pcap.Flow) []float64 {
		return perFlow(flows, func(f *pcap.Flow) float64 { return float64(f.Bytes()) })
	}},
	{"TTL or hop limit", "", func(flows []*pcap.Flow) []float64 { return perPacket(flows, hops) }},
	feature("f1 incoming packets", 0), feature("f4 spread of outgoing order", 3), feature("f5 outgoing packets", 4),
	{"f2 outgoing fraction", "", func(flows []*pcap.Flow) []float64 {
		return perFlow(flows, func(f *pcap.Flow) float64 { return float64(f.OutgoingPackets()) / float64(len(f.Packets)) })
	}},
}

// hops is a packet's time to live, NaN where it has none.
func hops(p *pcap.Packet) float64 {
	switch h := p.Headers(); h.Version {
	case 4:
		return float64(p.Data[h.Network+8])
	case 6:
		return float64(p.Data[h.Network+7])
	}
	return math.NaN()
}

// feature is one of the paper's flow features.
func feature(name string, k int) numbers {
	return numbers{name, "", func(flows []*pcap.Flow) []float64 {
		return perFlow(flows, func(f *pcap.Flow) float64 { return metrics.FlowFeatures(f)[k] })
	}}
}

func perFlow(flows []*pcap.Flow, f func(*pcap.Flow) float64) []float64 {
	out := make([]float64, len(flows))
	for i, x := range flows {
		out[i] = f(x)
	}
	return out
}

func perPacket(flows []*pcap.Flow, f func(*pcap.Packet) float64) []float64 {
	var out []float64
	for _, x := range flows {
		for i := range x.Packets {
			out = append(out, f(&x.Packets[i]))
		}
	}
	return out
}

// distances lists Kolmogorov-Smirnov and Wasserstein distances of numbers.
func (j *judgement) distances(all []numbers) *display.Table {
	t := display.NewTable(append([]string{"", "distance"}, competitorNames[:]...)...)
	t.Title = "Distances from the reference, of numbers"
	for _, n := range all {
		real := n.of(j.sides.reference)
		var ks, w []any
		for k := range competitors {
			v := n.of(j.sides.flows[k])
			ks, w = append(ks, known("%.3f", metrics.KS(real, v))), append(w, known("%.4g", metrics.Wasserstein(real, v)))
		}
		t.Row(append([]any{n.name, "Kolmogorov-Smirnov"}, ks...)...)
		t.Row(append([]any{"", "Wasserstein" + in(n.unit)}, w...)...)
	}
	t.Align = "llrrrr"
	return t
}

func in(unit string) string {
	if unit == "" {
		return ""
	}
	return ", " + unit
}

func known(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// sizeFigures are distribution functions of sizes.
func (j *judgement) sizeFigures() []Figure {
	return []Figure{
		j.cdf("sizes", "Packet length", "bytes on the wire", sizeNumbers[0].of),
		{"packets", logX(j.cdfFigure("Packets a flow", "packets", sizeNumbers[1].of))},
	}
}

// embedding is a map of flow features, real and generated.
func (j *judgement) embedding(real [][]float64) Figure {
	n := min(len(real), len(j.sides.flows[generated]), 250)
	made := vectors(j.sides.flows[generated][:n])
	scaled := metrics.Standardize(real[:n], made)
	var names []string
	for _, name := range []string{"reference (real)", competitorNames[generated]} {
		for range n {
			names = append(names, name)
		}
	}
	f := plots.Embedding(slices.Concat(scaled[0], scaled[1]), names)
	f.Title = "Flows by their features, on two principal components"
	return Figure{"map", f}
}

func logX(f *plots.Figure) *plots.Figure { return f.LogX() }

func (j *judgement) cdf(name, title, xlabel string, of func([]*pcap.Flow) []float64) Figure {
	return Figure{name, j.cdfFigure(title, xlabel, of)}
}

func (j *judgement) cdfFigure(title, xlabel string, of func([]*pcap.Flow) []float64) *plots.Figure {
	series := []plots.Series{{Name: "reference (real)", Y: of(j.sides.reference)}}
	for _, k := range []int{generated, independent} {
		series = append(series, plots.Series{Name: competitorNames[k], Y: of(j.sides.flows[k]), Dashed: k == independent})
	}
	return plots.CDF(title+": share of values up to x", xlabel, series...)
}

// quotient is the sum of part over that of whole, times scale, with its interval
// by bootstrap over flows.
func (j *judgement) quotient(part, whole []float64, scale float64) Value {
	p, w := 0., 0.
	for i := range part {
		p, w = p+part[i], w+whole[i]
	}
	if w == 0 {
		return unknown
	}
	rng := rand.New(rand.NewPCG(j.Seed, 0x726174696f))
	var draws []float64
	for range resamples {
		a, b := 0., 0.
		for range part {
			i := rng.IntN(len(part))
			a, b = a+part[i], b+whole[i]
		}
		if b > 0 {
			draws = append(draws, scale*a/b)
		}
	}
	slices.Sort(draws)
	n := len(draws)
	return Value{scale * p / w, draws[n/40], draws[n-1-n/40]}
}
