package judge

import (
	"fmt"
	"math"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/plots"
	"trafficgpt/tokenizer/pcap"
)

// time asks whether intervals, bursts, rates and durations are distributed as in
// the reference, and whether they were copied.
func (j *judgement) time(a *Axis) error {
	overall := measure("mean divergence", "bits", 3, jsdNear, jsdFar)
	copied := measure("runs of intervals copied", "%", 2, .5, 2)
	flows := measure("flows with copied intervals", "%", 1, 1, 5)
	stamps := measure("time stamps copied", "%", 2, .5, 2)
	copied.copies, flows.copies, stamps.copies = true, true, true
	a.Measures = []*Measure{overall}
	var found [competitors]*metrics.CopiedTimes
	err := j.each(a, func(k int, made []*pcap.Flow) error {
		*overall.at(k) = j.divergences(a, k, made, metrics.TimeJSD)
		c := metrics.FindCopiedTimes(made, j.sides.timed(k))
		found[k] = c
		*copied.at(k) = share(c.Copied, c.Windows)
		*flows.at(k) = share(c.CopiedFlows, c.Flows)
		*stamps.at(k) = share(c.Stamps, c.Packets)
		return nil
	})
	if err != nil {
		return err
	}
	parts := a.Measures[1:]
	a.Findings = append(j.copiedTimes(found[generated], copied, stamps), worst(parts)...)
	if copied.judge(); copied.Verdict.Level >= Off {
		a.Verdict = Verdict{Far, "copied from real flows"}
	} else if stamps.judge(); stamps.Verdict.Level >= Off {
		a.Verdict = Verdict{Far, "copied time stamps"}
	}
	a.Figures = append(a.Figures, barsOf("times", "Divergence of times from the reference", parts))
	a.Measures = append(a.Measures, copied, flows, stamps)
	a.Tables = append(a.Tables, j.distances(timeNumbers))
	a.Figures = append(a.Figures, Figure{"intervals", j.intervalFigure()})
	return nil
}

// timed are the flows that a competitor may have copied times from. The floor is a
// part of the real flows, which it shall not be compared with.
func (s *sides) timed(k int) []*pcap.Flow {
	if k == floor {
		return s.reference
	}
	return append(append([]*pcap.Flow(nil), s.train...), s.all...)
}

// share is a part of a whole in percent with Wilson's interval.
func share(part, whole int) Value {
	i := metrics.Wilson(part, whole)
	return Value{100 * i.Value, 100 * i.Low, 100 * i.High}
}

// copiedTimes says in words whether times were copied.
func (j *judgement) copiedTimes(c *metrics.CopiedTimes, copied, stamps *Measure) []string {
	switch {
	case c == nil || c.Windows == 0:
		return []string{"Whether intervals were copied cannot be told: no generated flow has enough of them."}
	case copied.Generated.Value > 0 && copied.Generated.Low > copied.Floor.High:
		return []string{fmt.Sprintf("%.1f %% of the runs of %d intervals stand to the nanosecond in a real flow (real against real: %.1f %%): times were copied.",
			copied.Generated.Value, c.Length, copied.Floor.Value)}
	case stamps.Generated.Known() && stamps.Generated.Low > stamps.Floor.High+1:
		return []string{fmt.Sprintf("%.1f %% of the time stamps are those of a real packet, to the nanosecond.", stamps.Generated.Value)}
	}
	return []string{fmt.Sprintf("Of %s runs of %d intervals %d stand in a real flow: times were not copied.", display.Count(c.Windows), c.Length, c.Copied)}
}

var timeNumbers = []numbers{
	{"interval", "log10 s", func(flows []*pcap.Flow) []float64 { return logs(metrics.Times(flows).Intervals) }},
	{"duration", "log10 s", func(flows []*pcap.Flow) []float64 { return logs(metrics.Times(flows).Durations) }},
	{"packets a second", "log10", func(flows []*pcap.Flow) []float64 { return logs(metrics.Times(flows).Rates) }},
	{"packets a burst", "", func(flows []*pcap.Flow) []float64 { return metrics.Times(flows).BurstSizes }},
	{"gap between bursts", "log10 s", func(flows []*pcap.Flow) []float64 { return logs(metrics.Times(flows).BurstGaps) }},
}

// logs are the decimal logarithms of the positive values, a tenth of a
// nanosecond for the others.
func logs(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Log10(math.Max(x, 1e-10))
	}
	return out
}

func (j *judgement) intervalFigure() *plots.Figure {
	return logX(j.cdfFigure("Interval between packets", "seconds", func(flows []*pcap.Flow) []float64 { return metrics.Times(flows).Intervals }))
}
