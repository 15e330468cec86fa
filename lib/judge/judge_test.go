package judge

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// quiet drops what the library shows.
type quiet struct{}

func (quiet) Emit(display.Event) error { return nil }

func TestMain(m *testing.M) {
	leave := display.Enter(context.Background(), quiet{})
	code := m.Run()
	leave()
	os.Exit(code)
}

// lab returns real and training flows that share no group.
func lab(n int) (real, train []*pcap.Flow) {
	a, b := dataset.Lab().Only("dns", "http", "ssh", "tls").Split(.5, 1)
	return a.Each(n).Flows, b.Each(n).Flows
}

// quick are the axes that train nothing.
var quick = []AxisName{Structure, Distribution, Time, Privacy, Text, Cost}

func judged(t *testing.T, real, synth []*pcap.Flow, o Options) *Report {
	t.Helper()
	o.Tshark = "-"
	o.ByteModel = classify.ByteModelOptions{Epochs: 1, Width: 32, Layers: 1, Tokens: 64}
	r, err := Flows(real, synth, o)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r)
	return r
}

// whole holds that a report can be written in every form, without NaN in any, and
// that the page loads nothing.
func whole(t *testing.T, r *Report) {
	t.Helper()
	text := r.Text() + r.CSV() + r.LaTeX()
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("NaN or Inf in\n%s", text)
	}
	var back map[string]any
	if err := json.Unmarshal([]byte(r.JSON()), &back); err != nil {
		t.Errorf("JSON: %v", err)
	}
	page := r.HTML()
	for _, bad := range []string{"NaN", "src=\"http", "href=", "<script"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, a := range r.Axes {
		if a.Verdict.Words == "" {
			t.Errorf("%s has no verdict in words", a.Name)
		}
		if a.MIME()[display.HTML] == "" {
			t.Errorf("%s does not show itself", a.Name)
		}
	}
}

func level(t *testing.T, r *Report, axis AxisName) Level {
	t.Helper()
	a := r.Axis(axis)
	if a == nil {
		t.Fatalf("%s was not judged", axis)
	}
	return a.Verdict.Level
}

// A copying machine has every fidelity at the floor and no privacy.
func TestCopyingMachine(t *testing.T) {
	real, train := lab(100)
	r := judged(t, real, train, Options{Train: train, Only: quick})
	for _, a := range []AxisName{Structure, Distribution} {
		if l := level(t, r, a); l > Near {
			t.Errorf("%s: %v\n%s", a, l, r.Axis(a))
		}
	}
	if a := r.Axis(Time); a.Verdict.Level != Far || a.Verdict.Words != "copied from real flows" || a.Measures[0].Verdict.Level > Near {
		t.Errorf("time: %+v", a.Verdict)
	}
	if l := level(t, r, Privacy); l != Far {
		t.Errorf("privacy: %v\n%s", l, r.Axis(Privacy))
	}
	for _, name := range []string{"flows equal in every byte", "packets equal in every byte"} {
		m := r.Measure(Privacy, name)
		if m.Generated.Value != 100 || m.Copying.Value != 100 || m.Floor.Value > 20 || m.Verdict.Level != Far {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := r.Measure(Privacy, "membership inference: AUC"); m.Generated.Low < m.Floor.High || m.Floor.Value > .65 {
		t.Errorf("membership: %+v", m)
	}
}

// The same folder on both sides: nothing is further from real than real, and every
// flow is a copy.
func TestItself(t *testing.T) {
	real, _ := lab(60)
	r := judged(t, real, real, Options{Only: quick})
	for _, a := range []AxisName{Structure, Distribution} {
		if l := level(t, r, a); l != AtFloor {
			t.Errorf("%s: %v\n%s", a, l, r.Axis(a))
		}
	}
	if l := level(t, r, Privacy); l != Far {
		t.Errorf("privacy: %v\n%s", l, r.Axis(Privacy))
	}
	if r.TrainGiven || len(r.Warnings) == 0 || r.Measure(Privacy, "membership inference: AUC").Generated.Known() {
		t.Errorf("training flows were not given: %v", r.Warnings)
	}
}

// Independent fields keep the marginals, break TCP and are told from real.
func TestIndependentFields(t *testing.T) {
	real, train := lab(100)
	synth := independently(train, 300, 5)
	r := judged(t, real, synth, Options{Train: train, Only: slices.Concat(quick, []AxisName{Utility, Discriminator})})
	if l := level(t, r, Structure); l != Far {
		t.Errorf("structure: %v", l)
	}
	if m := r.Measure(Distribution, "TTL"); m.Verdict.Level > Near {
		t.Errorf("TTL by itself is distributed as in training flows: %+v", m)
	}
	if l := level(t, r, Discriminator); l != Far {
		t.Errorf("discriminator: %v\n%s", l, r.Axis(Discriminator))
	}
	if m := r.Measure(Privacy, "flows equal in every byte"); m.Generated.Value != 0 {
		t.Errorf("equal flows: %+v", m)
	}
	// Its payloads are those of training flows, though no flow is.
	if a := r.Axis(Privacy); a.Measures[0].Verdict.Level > Near || a.Verdict.Level != Far || a.Verdict.Words != "copies payloads of training flows" {
		t.Errorf("privacy: %+v\n%s", a.Verdict, a)
	}
	if m := r.Measure(Time, "runs of intervals copied"); m.Verdict.Level > AtFloor {
		t.Errorf("intervals drawn one by one: %+v", m)
	}
	if m := r.Measure(Discriminator, "best discriminator: AUC"); m.Floor.Value > .75 {
		t.Errorf("real flows are told from real ones: %+v", m)
	}
}

// rewritten is what tcprewrite makes of flows: other addresses, checksums put
// right, times shifted by a day.
func rewritten(flows []*pcap.Flow) []*pcap.Flow {
	var packets []pcap.Packet
	for _, f := range flows {
		for _, p := range f.Packets {
			p.Data = slices.Clone(p.Data)
			p.Time = p.Time.Add(24 * time.Hour)
			if h := p.Headers(); h.Version == 4 {
				for _, at := range []int{12, 16} {
					a := p.Data[h.Network+at:]
					binary.BigEndian.PutUint32(a, binary.BigEndian.Uint32(a)^0x00050403)
				}
			}
			p, _ = tokenizer.Repair(p)
			packets = append(packets, p)
		}
	}
	return pcap.Assemble(packets, pcap.FlowOptions{})
}

// Copies with other addresses and times are copies.
func TestRewrittenCopies(t *testing.T) {
	real, train := lab(60)
	r := judged(t, real, rewritten(train), Options{Train: train, Only: []AxisName{Time, Privacy}})
	if m := r.Measure(Privacy, "flows equal in every byte"); m.Generated.Value > 30 {
		t.Errorf("flows with other addresses are equal: %+v", m)
	}
	if l := level(t, r, Privacy); l != Far {
		t.Errorf("privacy: %v\n%s", l, r.Axis(Privacy))
	}
	if a := r.Axis(Time); a.Verdict.Words != "copied from real flows" {
		t.Errorf("time: %+v\n%s", a.Verdict, a)
	}
}

// noise is flows of one class each that nothing was learned from.
func noise(n int, label func(i int) string) []*pcap.Flow {
	flows, _ := lab(20)
	var out []*pcap.Flow
	for i := range n {
		f := *flows[i%len(flows)]
		f.Label, f.Group = label(i), ""
		out = append(out, &f)
	}
	return out
}

func TestBadInput(t *testing.T) {
	real, _ := lab(5)
	for _, c := range []struct {
		name        string
		real, synth []*pcap.Flow
		o           Options
		want        string
	}{
		{"no real flows", nil, real, Options{}, "the real side has no flows"},
		{"no synthetic flows", real, nil, Options{}, "the synthetic side has no flows"},
		{"one real flow", real[:1], real, Options{}, "two at least are needed"},
		{"a nil flow", real, []*pcap.Flow{nil}, Options{}, "flow 0 of the synthetic side has no packets"},
		{"an empty training flow", real, real, Options{Train: []*pcap.Flow{{}}}, "flow 0 of the training side has no packets"},
		{"an axis that is none", real, real, Options{Only: []AxisName{"beauty"}}, `"beauty", which is no axis`},
	} {
		if _, err := Flows(c.real, c.synth, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Sides that little can be said of: each axis says what is missing, and nothing
// is NaN (judged looks).
func TestPoorSides(t *testing.T) {
	arp := &pcap.Flow{Packets: []pcap.Packet{{LinkType: pcap.LinkEthernet, Data: make([]byte, 60), Length: 60, Time: time.Unix(1, 0)}}}
	unreadable := &pcap.Flow{Packets: []pcap.Packet{{LinkType: 147, Data: []byte{1}, Length: 9, Time: time.Unix(1, 0)}}}
	empty := &pcap.Flow{Packets: []pcap.Packet{{LinkType: pcap.LinkEthernet, Length: 9}}}
	one := func(int) string { return "web" }
	many := func(i int) string { return string(rune('a'+i%26)) + string(rune('a'+i/26)) }
	real, _ := lab(20)
	for _, c := range []struct {
		name        string
		real, synth []*pcap.Flow
		axis        AxisName
		want        string
	}{
		{"one class", noise(40, one), noise(40, one), Utility, "all of one class, web"},
		{"a flow a class", noise(60, many), noise(60, many), Utility, "two are needed"},
		{"no labels", noise(40, func(int) string { return "" }), real, Utility, "no labels"},
		{"other labels", real, noise(40, one), Utility, "no class of the generated flows"},
		{"few flows", real[:6], real[:2], Discriminator, "too few to train on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judged(t, c.real, c.synth, Options{Only: []AxisName{c.axis, Structure, Privacy}})
			if a := r.Axis(c.axis); !strings.Contains(a.Missing, c.want) {
				t.Errorf("%s: %q", c.axis, a.Missing)
			}
		})
	}
	for _, synth := range [][]*pcap.Flow{{arp}, {unreadable}, {empty, arp}, {unreadable, empty, arp}} {
		r := judged(t, real, synth, Options{Only: quick})
		if r.Axis(Structure) == nil || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "share no protocol") }) {
			t.Errorf("warnings: %q", r.Warnings)
		}
		judged(t, append(synth, synth...), real, Options{Only: quick})
	}
}

// Real flows that the generator learned from are no judge of it.
func TestRealFlowsThatWereLearnedFrom(t *testing.T) {
	real, train := lab(20)
	overlap := slices.Concat(real, train[:5])
	r := judged(t, overlap, real, Options{Train: train, Only: []AxisName{Privacy}})
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "5 of 83 real flows stand in the training side") }) {
		t.Errorf("%d real flows, 5 of them training flows: %q", len(overlap), r.Warnings)
	}
}

// A thousand classes are judged like two.
func TestThousandClasses(t *testing.T) {
	flows := noise(1200, func(i int) string { return "class-" + string(rune('0'+i/100)) + string(rune('a'+i/10%10)) })
	r := judged(t, flows, flows, Options{Only: []AxisName{Utility}})
	if a := r.Axis(Utility); a.Missing != "" || r.Real.Labels < 100 {
		t.Errorf("%d classes: %q", r.Real.Labels, a.Missing)
	}
}

// Interrupted, it gives the axes that were done.
func TestInterrupted(t *testing.T) {
	real, train := lab(30)
	ctx, cancel := context.WithCancel(context.Background())
	defer display.Enter(ctx, quiet{})()
	r, err := Flows(real, train, Options{Train: train, Only: []AxisName{Structure, Time, Discriminator}, Tshark: "-", Step: func(done, _ int, what string) {
		if strings.HasPrefix(what, string(Time)) && done > competitors {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || len(r.Axes) != 1 || r.Axes[0].Name != Structure {
		t.Errorf("interrupted in the second axis: %d axes", len(r.Axes))
	}
	whole(t, r)
}

// The same seed gives the same report, whatever the number of threads.
func TestSameSeedSameReport(t *testing.T) {
	real, train := lab(30)
	o := Options{Train: train, Only: []AxisName{Structure, Distribution, Time, Utility, Discriminator, Privacy, Text}, Seed: 3}
	values := func(r *Report) string { return r.CSV() + strings.Join(r.Warnings, "\n") }
	first := values(judged(t, real, train, o))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := values(judged(t, real, train, o)); again != first {
		t.Errorf("on one thread:\n%s\non all:\n%s", again, first)
	}
}

func TestVerdicts(t *testing.T) {
	v := func(x, low, high float64) Value { return Value{x, low, high} }
	for _, c := range []struct {
		name             string
		generated, floor Value
		higher           bool
		want             Level
	}{
		{"below the floor", v(.1, .05, .15), v(.2, .15, .25), false, AtFloor},
		{"a little above, intervals meet", v(.22, .18, .26), v(.2, .15, .25), false, AtFloor},
		{"a little above, intervals apart", v(.22, .21, .23), v(.2, .19, .205), false, Near},
		{"more", v(.3, .28, .32), v(.2, .18, .22), false, Off},
		{"much more", v(.6, .55, .65), v(.2, .18, .22), false, Far},
		{"more is better", v(.6, .55, .65), v(.9, .88, .92), true, Far},
		{"more is better, and more", v(.95, .9, .98), v(.9, .88, .92), true, AtFloor},
		{"an interval that says nothing", v(.5, .1, .9), v(.2, .1, .3), false, Unjudged},
		{"not known", unknown, v(.2, .1, .3), false, Unjudged},
	} {
		m := measure("m", "", 2, .03, .15)
		m.Generated, m.Floor, m.Higher = c.generated, c.floor, c.higher
		if m.judge(); m.Verdict.Level != c.want {
			t.Errorf("%s: %v, want %v", c.name, m.Verdict.Level, c.want)
		}
	}
}
