package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// The fixture holds histograms and what SciPy 1.16's
// scipy.spatial.distance.jensenshannon(p, q, 2) and (p, q) return.
func TestJSDAgreesWithSciPy(t *testing.T) {
	data, err := os.ReadFile("testdata/jensenshannon.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		P, Q           []float64
		Distance, Nats float64
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 10 {
		t.Fatalf("fixture: %d cases, %v", len(cases), err)
	}
	for i, c := range cases {
		d := JSD(c.P, c.Q)
		if got := (Options{Distance: true}).scale(d); math.Abs(got-c.Distance) > 1e-12 {
			t.Errorf("case %d: distance %.15f, SciPy %.15f", i, got, c.Distance)
		}
		if got := (Options{Distance: true, Nats: true}).scale(d); math.Abs(got-c.Nats) > 1e-12 {
			t.Errorf("case %d: distance in nats %.15f, SciPy %.15f", i, got, c.Nats)
		}
	}
}

func TestJSDProperties(t *testing.T) {
	property := func(p, q [12]uint16, scale uint8) bool {
		a, b := make([]float64, 12), make([]float64, 12)
		for i := range p {
			a[i], b[i] = float64(p[i]), float64(q[i])*(float64(scale)+1)
		}
		d, e := JSD(a, b), JSD(b, a)
		disjoint := JSD(append(append([]float64{}, a...), make([]float64, 12)...), append(make([]float64, 12), b...))
		return d == e && d >= 0 && d <= 1 && JSD(a, a) == 0 && math.Abs(disjoint-1) < 1e-12
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
	for _, c := range [][2][]float64{{nil, {1}}, {{0, 0}, {1, 1}}, {{-1, 2}, {1, 1}}, {{math.Inf(1)}, {1}}, {{math.NaN()}, {1}}} {
		if d := JSD(c[0], c[1]); !math.IsNaN(d) {
			t.Errorf("JSD(%v, %v) = %v, want NaN", c[0], c[1], d)
		}
	}
	// ½·log2(4/3) + ½·(½·log2(2/3) + ½·log2 2) by hand.
	want := .5*math.Log2(4./3) + .5*(.5*math.Log2(2./3)+.5)
	if got := JSDInt([]int{7, 7}, []int{7, 9}); math.Abs(got-want) > 1e-15 {
		t.Errorf("JSDInt = %v, want %v", got, want)
	}
}

func TestBins(t *testing.T) {
	for n, want := range map[int]int64{0: 0, 1: 1, 64: 64, 65: 65, 128: 65, 129: 66, 256: 66, 257: 67, 1 << 20: 78} {
		if got := countBin(n); got != want {
			t.Errorf("countBin(%d) = %d, want %d", n, got, want)
		}
	}
	for v, want := range map[float64]int64{0: 0, .0199: 0, .02: 1, .06: 3, .5: 25, .99: 49, 1: 49} {
		if got := fractionBin(v); got != want {
			t.Errorf("fractionBin(%g) = %d, want %d", v, got, want)
		}
	}
	for v, want := range map[float64]int64{1: 0, 9.99: 7, 10: 8, .1: -8, 0: absent + 1, -1: absent + 2} {
		if got := timeBin(v); got != want {
			t.Errorf("timeBin(%g) = %d, want %d", v, got, want)
		}
	}
}

// traffic makes n flows of a client that talks to servers of its own draw.
func traffic(seed uint64, n, groups int, ttl uint8) []*pcap.Flow {
	r := rand.New(rand.NewPCG(seed, 0))
	var flows []*pcap.Flow
	for i := range n {
		c := newConn(fmt.Sprintf("10.0.%d.%d", r.IntN(4), r.IntN(250)), fmt.Sprintf("93.%d.1.2", r.IntN(6)), uint16(20000+r.IntN(500)), 443, ttl)
		c.open()
		for range 1 + r.IntN(30) {
			c.send(r.IntN(3) > 0, r.IntN(600))
		}
		f := c.flow()
		if groups > 0 {
			f.Group = fmt.Sprint(i % groups)
		}
		flows = append(flows, f)
	}
	return flows
}

func TestHeaderJSDOfLikeTrafficIsTheFloor(t *testing.T) {
	real, same, other := traffic(1, 200, 0, 64), traffic(2, 100, 0, 64), traffic(3, 100, 0, 128)
	r := HeaderJSD(real, same)
	for _, row := range append(r.Rows, r.Mean) {
		if row.JSD < row.Low || row.JSD > row.High || row.Low < 0 || row.High > 1 {
			t.Errorf("%s: %.4f outside its interval %.4f…%.4f", row.Name, row.JSD, row.Low, row.High)
		}
		if d := math.Abs(row.Matched - row.Floor); d > .03 {
			t.Errorf("%s: like traffic lies %.4f from the floor of %.4f", row.Name, d, row.Floor)
		}
	}
	ttl := r.Rows[5]
	if ttl.Name != "TTL" || ttl.JSD != 0 || ttl.Floor != 0 {
		t.Errorf("one TTL everywhere: %+v", ttl)
	}
	if d := HeaderJSD(real, other).Rows[5].JSD; d != 1 {
		t.Errorf("disjoint TTLs: %v", d)
	}
	if r.Flows != [2]int{200, 100} || r.FloorFlows != [2]int{100, 100} || r.Packets[0] != packets(real) {
		t.Errorf("sizes: %+v", r)
	}
	if !reflect.DeepEqual(r, HeaderJSD(real, same)) {
		t.Error("two runs differ")
	}
	if reflect.DeepEqual(r, HeaderJSD(real, same, Options{Seed: 5})) {
		t.Error("another seed gives the same intervals")
	}
}

func TestFloorKeepsGroupsTogether(t *testing.T) {
	s := newSample(traffic(1, 120, 7, 64), 1)
	r := rand.New(rand.NewPCG(1, 1))
	where := map[int]int{}
	for g, members := range s.groups {
		for _, i := range members {
			where[i] = g
		}
	}
	for range 50 {
		s.flows = make([][][]tally, 120)
		a, b := s.halves(r, 80, 40)
		if len(a) < 20 || len(b) < 10 {
			t.Fatalf("parts of %d and %d flows", len(a), len(b))
		}
		side := map[int]bool{}
		for _, i := range a {
			side[where[i]] = true
		}
		for _, i := range b {
			if side[where[i]] {
				t.Fatal("a group is on both sides")
			}
		}
	}
}

func TestReportOfLittle(t *testing.T) {
	one := traffic(1, 1, 0, 64)
	for name, c := range map[string][2][]*pcap.Flow{
		"nothing": {nil, nil}, "no generated": {one, nil}, "one each": {one, one},
		"empty flow": {one, {{}}}, "one group": {traffic(1, 10, 1, 64), one},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []*JSDReport{HeaderJSD(c[0], c[1]), FlowJSD(c[0], c[1]), TimeJSD(c[0], c[1])} {
				b := r.MIME()
				if !strings.Contains(b[display.Text].(string), "mean") || strings.Contains(b[display.Text].(string), "NaN") {
					t.Errorf("text:\n%s", b[display.Text])
				}
			}
		})
	}
	r := HeaderJSD(one, one, Options{Nats: true, Distance: true, Splits: -1, Resamples: -1})
	if r.Mean.JSD != 0 || r.Unit != "distance, base e" || math.Abs(r.Most-math.Sqrt(math.Ln2)) > 1e-15 {
		t.Errorf("report %+v", r)
	}
}

func TestGarbageIsFarFromTraffic(t *testing.T) {
	garbage := []*pcap.Flow{{Packets: []pcap.Packet{{LinkType: 1, Data: []byte("no packet at all, only words"), Length: 28}}}}
	if d := HeaderJSD(traffic(1, 20, 0, 64), garbage).Mean.JSD; math.Abs(d-1) > 1e-12 {
		t.Errorf("packets without headers: mean JSD %v, want 1", d)
	}
}

func TestFlowFeatures(t *testing.T) {
	c := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
	for i := range 50 {
		c.send(i%5 == 0, 1) // 10 out, 40 in
	}
	x := FlowFeatures(c.flow())
	// Indices 0, 5, …, 45: standard deviation 5·√((10²-1)/12).
	want := [6]float64{40, .2, .8, 5 * math.Sqrt(99./12), 10, 10}
	for k := range x {
		if math.Abs(x[k]-want[k]) > 1e-12 {
			t.Errorf("f%d = %v, want %v", k+1, x[k], want[k])
		}
	}
	if FlowFeatures(&pcap.Flow{}) != [6]float64{} {
		t.Error("features of an empty flow")
	}
}
