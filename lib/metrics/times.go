package metrics

import (
	"fmt"
	"math"
	"slices"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// FlowTimes are the times of flows as samples, which KS and Wasserstein compare.
type FlowTimes struct {
	Intervals  []float64 // s, between successive packets of a flow
	Durations  []float64 // s, of flows that have packets; 0 for one packet
	Rates      []float64 // packets a second, of flows that last
	BurstSizes []float64 // packets of one direction in a row
	BurstGaps  []float64 // s, from a burst's last packet to the next burst's first
}

// Times takes the times out of flows. Packets are taken in their order: where they
// are not in time order, intervals and durations are negative.
func Times(flows []*pcap.Flow) *FlowTimes {
	t := &FlowTimes{}
	for _, f := range flows {
		n := len(f.Packets)
		if n == 0 {
			continue
		}
		duration := f.Packets[n-1].Time.Sub(f.Packets[0].Time).Seconds()
		t.Durations = append(t.Durations, duration)
		if duration > 0 {
			t.Rates = append(t.Rates, float64(n)/duration)
		}
		burst := 1.
		for i := 1; i < n; i++ {
			gap := f.Packets[i].Time.Sub(f.Packets[i-1].Time).Seconds()
			t.Intervals = append(t.Intervals, gap)
			if f.Outgoing(i) == f.Outgoing(i-1) {
				burst++
				continue
			}
			t.BurstSizes, t.BurstGaps = append(t.BurstSizes, burst), append(t.BurstGaps, gap)
			burst = 1
		}
		t.BurstSizes = append(t.BurstSizes, burst)
	}
	return t
}

// Table has the quantiles of each sample.
func (t *FlowTimes) Table() *display.Table {
	out := display.NewTable("", "n", "5 %", "median", "95 %", "most")
	out.Title = "Times of flows"
	for _, row := range []struct {
		name   string
		values []float64
	}{
		{"interval, s", t.Intervals}, {"duration, s", t.Durations}, {"packets a second", t.Rates},
		{"packets a burst", t.BurstSizes}, {"gap between bursts, s", t.BurstGaps},
	} {
		v := finite(row.values)
		at := func(q float64) string {
			if len(v) == 0 {
				return "–"
			}
			return fmt.Sprintf("%.4g", quantile(v, q))
		}
		out.Row(row.name, len(row.values), at(.05), at(.5), at(.95), at(1))
	}
	out.Note = "A burst is packets of one direction in a row."
	return out
}

// MIME shows the quantiles as a table.
func (t *FlowTimes) MIME() display.Bundle { return t.Table().MIME() }

// String is the quantiles as text.
func (t *FlowTimes) String() string { return t.Table().String() }

// window is how many intervals in a row are compared.
const window = 4

// enough is how many bits a window must carry to be no coincidence. In captures of
// many sources some windows of 35 bits come again at another time, of 40 bits
// none (TestWindowsAreNoCoincidence).
const enough = 40

// CopiedTimes says how much of the timing of flows stands exactly so in others.
type CopiedTimes struct {
	Windows, Copied    int // windows that can be told apart, and those that the reference has
	Flows, CopiedFlows int // flows with such windows, and those with a copied one
	Length             int // intervals in a window
	Stamps             int // packets whose time, to the nanosecond, is one of the reference's
	Packets            int // all packets
}

// FindCopiedTimes looks for windows of 4 successive intervals, to the nanosecond,
// that a flow of the reference has too: timing that was copied, not made. Time
// stamps are compared too, as they are.
//
// Windows that might be equal by chance are left out. One that counts has no
// negative interval, at least three different ones above 0, and carries 40 bits:
// with the resolution r of its clock, taken to be the greatest common divisor of
// its own intervals, and these in order of size, 0 < a < b < …,
//
//	log2(a/r) + log2((b-a)/r) + … ≥ 40
//
// so that clocks that tick in milliseconds, constant intervals, and periods that
// only jitter carry little. A window that is scaled (a replay at another speed) is
// not found.
//
// For equal distributions, that is for other traffic of the same kind, Copied is 0
// but for duplicates (the same packets, captured twice); Stamps are then what
// chance gives where the times of capture overlap: the packets times the share of
// clock ticks at which the reference has one.
func FindCopiedTimes(flows, reference []*pcap.Flow) *CopiedTimes {
	windows, stamps := map[[window]int64]bool{}, map[[2]int64]bool{}
	for _, f := range reference {
		for _, w := range telling(f) {
			windows[w] = true
		}
		for i := range f.Packets {
			stamps[stamp(&f.Packets[i])] = true
		}
	}
	c := &CopiedTimes{Length: window, Packets: packets(flows)}
	for _, f := range flows {
		own, copied := telling(f), 0
		for _, w := range own {
			if windows[w] {
				copied++
			}
		}
		c.Windows += len(own)
		c.Copied += copied
		if len(own) > 0 {
			c.Flows++
		}
		if copied > 0 {
			c.CopiedFlows++
		}
		for i := range f.Packets {
			if stamps[stamp(&f.Packets[i])] {
				c.Stamps++
			}
		}
	}
	return c
}

// stamp is a time as one can compare it.
func stamp(p *pcap.Packet) [2]int64 { return [2]int64{p.Time.Unix(), int64(p.Time.Nanosecond())} }

// telling are the windows of a flow that are no coincidence.
func telling(f *pcap.Flow) [][window]int64 {
	var out [][window]int64
	var w [window]int64
	for i := 1; i < len(f.Packets); i++ {
		copy(w[:], w[1:])
		w[window-1] = int64(f.Packets[i].Time.Sub(f.Packets[i-1].Time))
		if i >= window && carries(w) >= enough {
			out = append(out, w)
		}
	}
	return out
}

// carries is the bits of a window, 0 when it has a negative interval or fewer than
// three different ones above 0.
func carries(w [window]int64) float64 {
	slices.Sort(w[:])
	if w[0] < 0 {
		return 0
	}
	different, tick, last := 0, int64(0), int64(0)
	for _, v := range w {
		if v != last {
			different++
		}
		last = v
		for a := v; a != 0; { // Euclid
			tick, a = a, tick%a
		}
	}
	if different < 3 {
		return 0
	}
	bits := 0.
	last = 0
	for _, v := range w {
		if v != last {
			bits += math.Log2(float64((v - last) / tick))
		}
		last = v
	}
	return bits
}

// Table is the result in one row.
func (c *CopiedTimes) Table() *display.Table {
	percent := func(part, whole int) string {
		if whole == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f %%", 100*share(part, whole))
	}
	return figures("Copied times",
		fmt.Sprintf("Windows of %d successive intervals that stand in the reference to the nanosecond; those that could "+
			"be equal by chance do not count. Other traffic of the same kind has 0.", c.Length),
		[]string{"windows", "copied", "share", "flows", "with copied ones", "packets", "with a stamp of the reference"},
		c.Windows, c.Copied, percent(c.Copied, c.Windows), c.Flows, c.CopiedFlows, c.Packets, c.Stamps)
}

// MIME shows the result as a table.
func (c *CopiedTimes) MIME() display.Bundle { return c.Table().MIME() }

// String is the result as text.
func (c *CopiedTimes) String() string { return c.Table().String() }
