package metrics

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// timed is a flow with these intervals, its directions as given (o and i, o
// for the rest).
func timed(began time.Time, directions string, intervals ...time.Duration) *pcap.Flow {
	c := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
	for i := range len(intervals) + 1 {
		c.send(i >= len(directions) || directions[i] == 'o', 10)
		if i > 0 {
			began = began.Add(intervals[i-1])
		}
		c.packets[i].Time = began
	}
	return c.flow()
}

var began = time.Unix(1700000000, 0)

func TestTimes(t *testing.T) {
	s := time.Second
	got := Times([]*pcap.Flow{
		timed(began, "ooiio", s, 2*s, 3*s, 4*s),
		timed(began, "o"),
		timed(began, "oi", 0),
		timed(began, "oo", -s),
		{},
	})
	want := &FlowTimes{
		Intervals: []float64{1, 2, 3, 4, 0, -1}, Durations: []float64{10, 0, 0, -1}, Rates: []float64{.5},
		BurstSizes: []float64{2, 2, 1, 1, 1, 1, 2}, BurstGaps: []float64{2, 4, 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("times %+v, want %+v", got, want)
	}
}

func TestCopiedTimes(t *testing.T) {
	us, ms, s := time.Microsecond, time.Millisecond, time.Second
	real := []time.Duration{12345 * us, 801 * us, 30411 * us, 9173 * us, 44 * ms, 77123 * us}
	for _, c := range []struct {
		what            string
		intervals       []time.Duration
		windows, copied int // of the same intervals again, at another time
	}{
		{"a real capture", real, 3, 3},
		{"clock ticks of 10 ms", []time.Duration{10 * ms, 250 * ms, 30 * ms, 1270 * ms, 20 * ms}, 0, 0},
		{"milliseconds", []time.Duration{17 * ms, 251 * ms, 33 * ms, 998 * ms, 5 * ms}, 0, 0},
		{"constant", []time.Duration{s, s, s, s, s, s}, 0, 0},
		{"two different ones", []time.Duration{123456789, 987654321, 123456789, 987654321, 123456789}, 0, 0},
		{"a period that jitters", []time.Duration{s + 3*us, s - 2*us, s + us, s - 4*us, s + 2*us}, 0, 0},
		{"zeros", []time.Duration{0, 123456789, 0, 98765431, 0}, 0, 0},
		{"one zero among long ones", []time.Duration{123456789, 0, 98765431, 345987654}, 1, 1},
		{"back in time", []time.Duration{123456789, -5, 98765431, 345987654}, 0, 0},
		{"too few", real[:3], 0, 0},
	} {
		reference := []*pcap.Flow{timed(began, "", c.intervals...)}
		again := timed(began.Add(time.Hour+7), "", c.intervals...)
		got := *FindCopiedTimes([]*pcap.Flow{again, timed(began.Add(2*time.Hour), "")}, reference)
		flows := min(c.windows, 1)
		want := CopiedTimes{Windows: c.windows, Copied: c.copied, Flows: flows, CopiedFlows: flows, Length: 4, Packets: len(c.intervals) + 2}
		if got != want {
			t.Errorf("%s: %+v, want %+v", c.what, got, want)
		}
	}
	// A nanosecond's difference is no copy, but leaves the windows without it; the
	// stamps are those before it.
	other := append([]time.Duration{}, real...)
	other[1]++
	got := *FindCopiedTimes([]*pcap.Flow{timed(began, "", other...)}, []*pcap.Flow{timed(began, "", real...)})
	want := CopiedTimes{Windows: 3, Copied: 1, Flows: 1, CopiedFlows: 1, Length: 4, Stamps: 2, Packets: 7}
	if got != want {
		t.Errorf("one interval changed: %+v, want %+v", got, want)
	}
}

func TestFlowsOfPacketsThatDoNotParse(t *testing.T) {
	words := pcap.Packet{Time: began, LinkType: 1, Data: []byte("no packet at all, only words"), Length: 28}
	flows := []*pcap.Flow{{Packets: []pcap.Packet{words, words}}, {Packets: []pcap.Packet{{}}}}
	for _, b := range Breaches(flows) {
		if b.Rule == rules[parses] && (b.Flows != 2 || b.Broken == 0) || b.Rule != rules[parses] && b.Flows != 0 {
			t.Errorf("of words: %+v", b)
		}
	}
	if x := Times(flows); len(x.Intervals) != 1 || len(x.Durations) != 2 || len(x.Rates) != 0 {
		t.Errorf("times of words: %+v", x)
	}
	if c := FindCopiedTimes(flows, flows); c.Windows != 0 || c.Stamps != 3 || c.Packets != 3 {
		t.Errorf("copied times of words: %+v", c)
	}
}

// In unrelated captures no window that counts comes at two times. (The captures
// also hold copies of each other's packets, at the same time.)
func TestWindowsAreNoCoincidence(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/data/flows/*/*.pcap*")
	more, _ := filepath.Glob("../../../shared/data/captures/*")
	if len(paths) == 0 {
		t.Skip("no captures in ../shared/data")
	}
	first := map[[window]int64][2]int64{}
	for _, path := range append(paths, more...) {
		c, err := pcap.Read(path)
		if err != nil {
			continue
		}
		for _, f := range c.Flows() {
			for i := window; i < len(f.Packets); i++ {
				end := &pcap.Flow{Packets: f.Packets[i-window : i+1]}
				for _, w := range telling(end) {
					at := stamp(&f.Packets[i])
					if other, ok := first[w]; ok && other != at {
						t.Errorf("%s: %v ends at %v and at %v", path, w, at, other)
					}
					first[w] = at
				}
			}
		}
	}
	if len(first) < 10000 {
		t.Errorf("only %d windows", len(first))
	}
}

func TestBreachesCountFlows(t *testing.T) {
	clean := func() *conn {
		c := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
		c.open()
		c.send(true, 5)
		return c
	}
	twice := clean() // two holes in one flow
	for range 2 {
		twice.seq[0] += 9
		twice.send(true, 5)
	}
	midway := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
	midway.send(true, 5)
	flows := []*pcap.Flow{clean().flow(), twice.flow(), midway.flow(), clean().flow(), {}}
	by := map[string]Breach{}
	validity := Validity(flows).Rules
	for i, b := range Breaches(flows) {
		by[b.Rule] = b
		if r := validity[i]; r != (Rate{b.Rule, b.Checked, b.Passed}) {
			t.Errorf("validity has %+v, breaches %+v", r, b)
		}
	}
	for rule, want := range map[string]Breach{
		"TCP SEQ continues":             {Flows: 3, Broken: 1, Checked: 8, Passed: 6},
		"TCP flows that begin with SYN": {Flows: 4, Broken: 1, Checked: 4, Passed: 3},
		"UDP checksum":                  {},
		"TCP checksum":                  {Flows: 4, Broken: 0, Checked: 15, Passed: 15},
	} {
		want.Rule = rule
		if by[rule] != want {
			t.Errorf("%+v, want %+v", by[rule], want)
		}
	}
	if p := by["TCP flows that begin with SYN"].PerThousand(); p != 250 {
		t.Errorf("%v of 1,000 flows, want 250", p)
	}
	if p := by["UDP checksum"].PerThousand(); p != 0 {
		t.Errorf("%v of 1,000 flows without one, want 0", p)
	}
}
