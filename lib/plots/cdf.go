package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// CDF draws the empirical distribution function of each series' values (Y, in any
// order; X is not used): the share of values that are at most x, in [0,1]. The band
// holds the whole true function with 95 % confidence if the values are independent
// (Dvoretzky, Kiefer and Wolfowitz with Massart's constant, 1990):
// sqrt(ln(2/0.05)/(2n)) to both sides. LogX makes the axis logarithmic; values of 0
// and less lie on its edge. What is not finite is counted in the subtitle.
func CDF(title, xlabel string, series ...Series) *Figure {
	sorted := make([][]float64, len(series))
	low, high, left := math.Inf(1), math.Inf(-1), 0
	for i, s := range series {
		v := slices.DeleteFunc(slices.Clone(s.Y), func(v float64) bool { return !finite(v) })
		slices.Sort(v)
		sorted[i], left = v, left+len(s.Y)-len(v)
		if len(v) > 0 {
			low, high = math.Min(low, v[0]), math.Max(high, v[len(v)-1])
		}
	}
	out := slices.Clone(series)
	for i := range out {
		out[i].Name = fmt.Sprintf("%s (n = %s)", cmp.Or(out[i].Name, "values"), display.Count(len(sorted[i])))
		out[i].steps(sorted[i], low, high)
	}
	f := Curves(title, xlabel, "share of values ≤ x", out...).YRange(0, 1)
	f.Subtitle = "band: 95 % (Dvoretzky–Kiefer–Wolfowitz)"
	if left > 0 {
		f.Subtitle += fmt.Sprintf(" · %s values are not finite, and left out", display.Count(left))
	}
	return f
}

// steps makes s the distribution function of sorted values from low to high, at
// most some hundred steps of it, and its band.
func (s *Series) steps(sorted []float64, low, high float64) {
	s.X, s.Y, s.Low, s.High = nil, nil, nil, nil
	n := float64(len(sorted))
	if n == 0 {
		return
	}
	band := math.Sqrt(math.Log(2/.05) / (2 * n))
	add := func(x, y float64) {
		s.X, s.Y = append(s.X, x), append(s.Y, y)
		s.Low, s.High = append(s.Low, math.Max(0, y-band)), append(s.High, math.Min(1, y+band))
	}
	add(low, 0)
	before := 0.
	for i, v := range sorted {
		y := float64(i+1) / n
		if i+1 < len(sorted) && (sorted[i+1] == v || y-before < 1./600) {
			continue
		}
		add(v, before)
		add(v, y)
		before = y
	}
	add(high, 1)
}

// Intervals draws how long the packets of flows come after the packet before, in
// seconds on a logarithmic axis, a line for each name with the flows of that place:
//
//	plots.Intervals([]string{"real", "generated"}, real, made)
//
// Packets of one time, which have no place on the axis, are counted in the subtitle.
func Intervals(names []string, flows ...[]*pcap.Flow) *Figure {
	return LogHistogram("Time between packets of a flow", "seconds since the packet before", 0,
		ofFlows(names, flows, func(f *pcap.Flow) (out []float64) {
			for i := 1; i < len(f.Packets); i++ {
				out = append(out, f.Packets[i].Time.Sub(f.Packets[i-1].Time).Seconds())
			}
			return out
		})...)
}

// Sizes draws how large the packets of flows are, in bytes on the wire, a line for
// each name with the flows of that place.
func Sizes(names []string, flows ...[]*pcap.Flow) *Figure {
	return Histogram("Sizes of packets", "bytes on the wire", 0,
		ofFlows(names, flows, func(f *pcap.Flow) (out []float64) {
			for i := range f.Packets {
				out = append(out, float64(f.Packets[i].Length))
			}
			return out
		})...)
}

// ofFlows is a series of numbers for each list of flows.
func ofFlows(names []string, flows [][]*pcap.Flow, numbers func(*pcap.Flow) []float64) []Series {
	out := make([]Series, len(flows))
	for i, fs := range flows {
		if i < len(names) {
			out[i].Name = names[i]
		} else {
			out[i].Name = fmt.Sprintf("flows %d", i+1)
		}
		for _, f := range fs {
			if f != nil {
				out[i].Y = append(out[i].Y, numbers(f)...)
			}
		}
	}
	return out
}
