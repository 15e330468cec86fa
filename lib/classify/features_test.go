package classify_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/lib/classify"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer/pcap"
)

// at gives the feature of a name.
func at(t *testing.T, v []float64, name string) float64 {
	t.Helper()
	i := slices.Index(classify.FeatureNames(), name)
	if i < 0 {
		t.Fatalf("there is no feature %q", name)
	}
	return v[i]
}

// tcp is an IPv4 packet over raw IP, from 10.0.0.1 or to it.
func tcp(ms int, out bool, ttl, flags byte, window uint16, payload int) pcap.Packet {
	b := make([]byte, 40+payload)
	copy(b, []byte{0x45, 0, 0, byte(40 + payload), 0, 0, 0, 0, ttl, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 80})
	if !out {
		b[15], b[19] = 2, 1
		copy(b[20:], []byte{0, 80, 0x30, 0x39})
	}
	b[32], b[33], b[34], b[35] = 5<<4, flags, byte(window>>8), byte(window)
	return pcap.Packet{Time: time.UnixMilli(int64(1000 + ms)), Data: b, Length: len(b), LinkType: pcap.LinkRaw}
}

// Five packets, worked out by hand: 40 out, 40 in after 10 ms, 40 out after 10,
// 140 out after 80, 240 in after 900.
func TestFeaturesByHand(t *testing.T) {
	f := pcap.Assemble([]pcap.Packet{
		tcp(0, true, 64, 2, 1000, 0), tcp(10, false, 60, 18, 500, 0), tcp(20, true, 64, 16, 2000, 0),
		tcp(100, true, 64, 24, 3000, 100), tcp(1000, false, 50, 25, 700, 200),
	}, pcap.FlowOptions{})[0]
	v := classify.Features(f)
	for name, want := range map[string]float64{
		"f1 packets in": 2, "f2 fraction of packets out": 0.6, "f3 fraction of packets in": 0.4,
		"f4 sd of the places of packets out": math.Sqrt(14. / 9), // of 0, 2, 3
		"f5 packets out":                     3, "f6 concentration of packets out": 3,
		"bytes out": 220, "bytes in": 280, "fraction of bytes out": 0.44,
		"mean size, bytes": 100, "sd of size out, bytes": math.Sqrt(20000. / 9), "least size in, bytes": 40, "most size in, bytes": 240,
		"quantile 25 % of size, bytes": 40, "quantile 50 % of size, bytes": 40, "quantile 75 % of size, bytes": 140,
		"quantile 75 % of size out, bytes":    40,
		"mean interval, log10 s":              (-2 - 2 + math.Log10(0.08) + math.Log10(0.9)) / 4,
		"most interval out, log10 s":          math.Log10(0.08),
		"least interval out, log10 s":         math.Log10(0.02),
		"mean interval in, log10 s":           math.Log10(0.99),
		"sd of interval in, log10 s":          0,
		"duration, log10 s":                   0,
		"rate, log10 packets/s":               math.Log10(5),
		"rate, log10 bytes/s":                 math.Log10(500),
		"bursts":                              4,
		"mean burst, packets":                 1.25,
		"longest burst, packets":              2,
		"largest burst, bytes":                240,
		"packets with FIN":                    1,
		"packets with SYN":                    2,
		"packets with ACK":                    4,
		"packets with PSH":                    2,
		"packets with URG":                    0,
		"mean TTL or hop limit out":           64,
		"mean TTL or hop limit in":            55,
		"mean TCP window out, unscaled":       2000,
		"mean TCP window in, unscaled":        600,
		"IP protocol, number":                 6,
		"size of packet 2, + out − in, bytes": -40, "size of packet 4, + out − in, bytes": 140, "size of packet 6, + out − in, bytes": 0,
		"interval before packet 2, log10 s": -2, "interval before packet 5, log10 s": math.Log10(0.9), "interval before packet 6, log10 s": -10,
	} {
		if got := at(t, v, name); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
}

// Of flows of nothing, of one packet, of bytes that do not parse and of times
// that stand still there are as many features, and all are numbers.
func TestFeaturesAreNumbers(t *testing.T) {
	one := tcp(0, true, 64, 2, 1000, 0)
	junk := pcap.Packet{Data: []byte{1, 2, 3}, Length: 1 << 30, LinkType: 147}
	cut := one
	cut.Data = cut.Data[:30]
	for name, f := range map[string]*pcap.Flow{
		"nil": nil, "empty": {}, "one packet": {Packets: []pcap.Packet{one}}, "still": {Packets: []pcap.Packet{one, one, one}},
		"backwards": {Packets: []pcap.Packet{tcp(100, true, 1, 0, 0, 0), one}}, "junk": {Packets: []pcap.Packet{junk, junk}},
		"no bytes": {Packets: []pcap.Packet{{}, {}}}, "cut": {Packets: []pcap.Packet{cut, cut}},
		"far apart": {Packets: []pcap.Packet{{}, {Time: time.Unix(1<<40, 0)}}},
	} {
		v := classify.Features(f)
		if len(v) != len(classify.FeatureNames()) {
			t.Errorf("%s: %d features of %d names", name, len(v), len(classify.FeatureNames()))
		}
		for i, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("%s: %s is %v", name, classify.FeatureNames()[i], x)
			}
		}
	}
	v := classify.Features(&pcap.Flow{Packets: []pcap.Packet{one}})
	if d, r := at(t, v, "duration, log10 s"), at(t, v, "rate, log10 bytes/s"); d != -10 || r != -10 {
		t.Errorf("one packet has a duration of %v and a rate of %v, not −10", d, r)
	}
	if d := at(t, classify.Features(&pcap.Flow{Packets: []pcap.Packet{one, one}}), "duration, log10 s"); d != -9 {
		t.Errorf("no time at all is %v, not −9", d)
	}
	if p := at(t, classify.Features(&pcap.Flow{Packets: []pcap.Packet{junk}}), "IP protocol, number"); p != -1 {
		t.Errorf("what is not IP has protocol %v", p)
	}
}

// Addresses and ports are no features: a flow between others is the same.
func TestFeaturesKnowNoHosts(t *testing.T) {
	names := classify.FeatureNames()
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] || strings.Contains(name, "port") || strings.Contains(name, "address") {
			t.Errorf("a feature is %q, or there are two of it", name)
		}
		seen[name] = true
	}
	for _, f := range dataset.Lab().Each(3).Flows {
		masked := dataset.MaskFlow(f, 1)
		if !slices.Equal(classify.Features(f), classify.Features(masked)) {
			t.Errorf("%s has other features without its addresses and ports", f)
		}
	}
}

func TestFirstBytes(t *testing.T) {
	f := &pcap.Flow{Packets: []pcap.Packet{tcp(0, true, 64, 2, 1000, 0), tcp(10, false, 60, 18, 500, 2)}}
	x, names := classify.FirstBytes(f, 90), classify.ByteNames(f, 90)
	if len(x) != 90 || len(names) != 90 {
		t.Fatalf("%d bytes and %d names of 90", len(x), len(names))
	}
	for i, want := range map[int]struct {
		value float64
		name  string
	}{0: {0x45, "IPv4 · version and header length"}, 8: {64, "IPv4 · time to live"}, 33: {2, "TCP · flags"}, 48: {60, "IPv4 · time to live"}, 73: {18, "TCP · flags"}, 82: {-1, "past the end"}} {
		if x[i] != want.value || names[i] != want.name {
			t.Errorf("byte %d is %v, %q, not %v, %q", i, x[i], names[i], want.value, want.name)
		}
	}
	if got := classify.ByteNames(f, 9); len(got) != 9 || got[8] != "IPv4 · time to live" {
		t.Errorf("of nine bytes the names are %q", got)
	}
	odd := &pcap.Flow{Packets: []pcap.Packet{{LinkType: 0x12345, Data: []byte{7}, Length: 1}, {LinkType: 0x12345}}}
	if x, names := classify.FirstBytes(odd, 2), classify.ByteNames(odd, 2); x[0] != 7 || x[1] != -1 || names[0] == "past the end" || names[1] != "past the end" {
		t.Errorf("of a link type that nobody knows, one byte: %v, %q", x, names)
	}
	for _, f := range []*pcap.Flow{nil, {}} {
		if x, names := classify.FirstBytes(f, 1), classify.ByteNames(f, 1); x[0] != -1 || names[0] != "past the end" {
			t.Errorf("of no flow: %v, %q", x, names)
		}
	}
	if len(classify.FirstBytes(f, -1))+len(classify.ByteNames(f, -1)) != 0 {
		t.Error("fewer than no bytes")
	}
}

// The forest knows real protocols by how they look, and not only those of
// groups that it has seen.
func TestRealFlows(t *testing.T) {
	all, err := dataset.Folder("../../../shared/data/flows")
	if err != nil {
		t.Skipf("needs the real flows of ../shared/data/flows: %v", err)
	}
	classes := all.Classes()
	slices.SortStableFunc(classes, func(a, b dataset.Class) int { return b.Flows - a.Flows })
	var labels []string
	for _, c := range classes[:10] {
		labels = append(labels, c.Label)
	}
	train, test := all.Only(labels...).Split(0.3, 1)
	matrix := func(s *dataset.Set) (x [][]float64, y []int) {
		for _, f := range s.Flows {
			x, y = append(x, classify.Features(f)), append(y, slices.Index(labels, f.Label))
		}
		return x, y
	}
	x, y := matrix(train)
	testX, testY := matrix(test)
	f := must(classify.NewForest(x, y, len(labels), classify.ForestOptions{Seed: 1}))
	score := must(metrics.Score(names(testY), names(f.Predict(testX))))
	t.Logf("%d flows of %v to grow on, %d of other groups to test: macro-F1 %.3f, accuracy %.3f", len(x), labels, len(testX), score.MacroF1, score.Accuracy)
	if score.MacroF1 < 0.6 { // chance is about 0.1
		t.Errorf("macro-F1 is %.3f:\n%s", score.MacroF1, score.Table())
	}
}
