package classify_test

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// small is a byte model that a test trains in a second.
var small = classify.ByteModelOptions{Tokens: 48, Width: 32, Layers: 1, Epochs: 8, Seed: 1}

// lowered are flows of one kind, those of class 1 with a TTL one lower.
func lowered(flows []*pcap.Flow) ([]*pcap.Flow, []int) {
	var out []*pcap.Flow
	var y []int
	for i, f := range flows {
		g := *f
		g.Packets = slices.Clone(f.Packets)
		for j := range g.Packets {
			p := &g.Packets[j]
			p.Data = slices.Clone(p.Data)
			p.Data[p.Headers().Network+8] = byte(100 + i%2)
		}
		out, y = append(out, &g), append(y, i%2)
	}
	return out, y
}

func auc(p [][]float64, y []int) float64 {
	var scores []float64
	var positive []bool
	for i := range p {
		scores, positive = append(scores, p[i][1]), append(positive, y[i] == 1)
	}
	return metrics.AUC(scores, positive)
}

// What only the TTL tells apart, a byte model tells apart by the TTL, and it
// says so.
func TestByteModel(t *testing.T) {
	train, test := dataset.Lab().Only("dns").Split(0.3, 1)
	flows, y := lowered(train.Take(96).Flows)
	testFlows, testY := lowered(test.Take(60).Flows)
	o := small
	o.Epochs, o.Rate = 12, 6e-3
	b := must(classify.NewByteModel(flows, y, 2, o))
	p := must(b.Probabilities(testFlows))
	if a := auc(p, testY); a < 0.95 {
		t.Errorf("AUC %.3f of flows that differ in their TTL", a)
	}
	for i, row := range p {
		if len(row) != 2 || math.Abs(row[0]+row[1]-1) > 1e-9 {
			t.Fatalf("flow %d has probabilities %v", i, row)
		}
	}
	list := must(b.Occlusion(testFlows, testY))
	first := list[0]
	if first.Name != "IPv4 · time to live" || first.Drop < 0.15 || first.Low > first.Drop || first.High < first.Drop {
		t.Errorf("what counts most is %+v", first)
	}
	for _, im := range list[1:] {
		if im.Drop > first.Drop/2 {
			t.Errorf("%s counts as the TTL does: %+v", im.Name, im)
		}
	}
	if len(list) > 25 || slices.ContainsFunc(list, func(i classify.Importance) bool { return strings.HasPrefix(i.Name, "token · packet start") }) {
		t.Errorf("%d fields, or marks among them: %+v", len(list), list)
	}
}

// What is hidden by the mask cannot be told apart.
func TestByteModelIsMasked(t *testing.T) {
	flows := slices.Clone(dataset.Lab().Only("dns").Take(40).Flows)
	var y []int
	for i, f := range flows {
		flows[i] = dataset.MaskFlow(f, 2)
		g := *flows[i]
		g.Packets = slices.Clone(g.Packets)
		for j := range g.Packets {
			p := &g.Packets[j]
			p.Data = slices.Clone(p.Data)
			for k := range 8 { // addresses
				p.Data[p.Headers().Network+12+k] = byte(i % 2)
			}
		}
		flows[i], y = &g, append(y, i%2)
	}
	same := slices.Clone(flows)
	for i := range same { // each as the flow beside it, but for what is hidden
		g := *flows[i]
		g.Packets = slices.Clone(g.Packets)
		for j := range g.Packets {
			p := &g.Packets[j]
			p.Data = slices.Clone(p.Data)
			for k := range 8 {
				p.Data[p.Headers().Network+12+k] = byte(1 - i%2)
			}
		}
		same[i] = &g
	}
	o := small
	o.Epochs, o.Mask = 1, tokenizer.M1
	b := must(classify.NewByteModel(flows, y, 2, o))
	if !reflect.DeepEqual(must(b.Probabilities(flows)), must(b.Probabilities(same))) {
		t.Error("flows that differ in addresses only have other probabilities under mask M1")
	}
	for _, im := range must(b.Occlusion(flows, y)) {
		if strings.Contains(im.Name, "address") {
			t.Errorf("what the mask hides is hidden once more: %+v", im)
		}
	}
}

func TestByteModelFollowsItsSeed(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	flows, y := lowered(dataset.Lab().Only("dns").Take(32).Flows)
	o := small
	o.Epochs = 1
	run := func(threads int, seed uint64) [][]float64 {
		runtime.GOMAXPROCS(threads)
		o.Seed = seed
		return must(must(classify.NewByteModel(flows, y, 2, o)).Probabilities(flows))
	}
	one := run(1, 1)
	if !reflect.DeepEqual(one, run(2, 1)) {
		t.Error("two threads give other probabilities than one")
	}
	if reflect.DeepEqual(one, run(2, 2)) {
		t.Error("another seed gives the same probabilities")
	}
}

// Flows of nothing, and of bytes that do not parse, are flows; 256 classes are
// as many as there may be.
func TestByteModelOfOddFlows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	flows, y := []*pcap.Flow{nil, {}}, []int{0, 255}
	for range 6 {
		data := make([]byte, rng.IntN(400))
		for i := range data {
			data[i] = byte(rng.IntN(256))
		}
		flows, y = append(flows, &pcap.Flow{Packets: []pcap.Packet{{Data: data, Length: len(data), LinkType: pcap.LinkType(rng.IntN(70000))}}}), append(y, rng.IntN(256))
	}
	o := small
	o.Epochs = 1
	b := must(classify.NewByteModel(flows, y, 256, o))
	for i, p := range must(b.Probabilities(flows)) {
		for _, v := range p {
			if len(p) != 256 || math.IsNaN(v) {
				t.Fatalf("flow %d has probabilities %v", i, p)
			}
		}
	}
	if p := must(b.Probabilities(nil)); len(p) != 0 {
		t.Errorf("no flows have %v", p)
	}
	for _, im := range must(b.Occlusion(flows, y)) {
		if math.IsNaN(im.Drop) || math.IsNaN(im.Low) || math.IsNaN(im.High) {
			t.Errorf("not a number: %+v", im)
		}
	}
}

func TestByteModelErrors(t *testing.T) {
	flows, y := lowered(dataset.Lab().Only("dns").Take(4).Flows)
	for _, c := range []struct {
		flows   []*pcap.Flow
		y       []int
		classes int
		o       classify.ByteModelOptions
		want    string
	}{
		{nil, nil, 2, small, "failed to train a byte model: there are no flows"},
		{flows, y[:1], 2, small, "4 flows have 1 classes"},
		{flows, make([]int, 4), 2, small, "all 4 flows are of one class"},
		{flows, y, 1, small, "flow 1 is of class 1, and there are 1"},
		{flows, y, 257, small, "257 classes are more than the 256"},
		{flows, y, 2, classify.ByteModelOptions{Width: 30}, "classify.ByteModelOptions.Width is 30"},
		{flows, y, 2, classify.ByteModelOptions{Tokens: -1}, "classify.ByteModelOptions.Tokens is -1"},
		{flows, y, 2, classify.ByteModelOptions{Rate: math.NaN()}, "classify.ByteModelOptions.Rate is NaN"},
		{flows, y, 2, classify.ByteModelOptions{Time: -1}, "classify.ByteModelOptions.Time is -1ns"},
	} {
		if _, err := classify.NewByteModel(c.flows, c.y, c.classes, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
}

// An interrupt, or the end of the time, leaves what was learned.
func TestInterruptedByteModel(t *testing.T) {
	flows, y := lowered(dataset.Lab().Only("dns").Take(64).Flows)
	o := small
	o.Epochs = 1000
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	leave := display.Enter(ctx, nil)
	_, err := classify.NewByteModel(flows, y, 2, o)
	leave()
	if err == nil || strings.Count(err.Error(), "failed") != 1 {
		t.Errorf("a model that has learned nothing: %v", err)
	}

	leave = display.Enter(&late{context.Background(), 500}, nil)
	b, err := classify.NewByteModel(flows, y, 2, o)
	leave()
	if err != nil || !strings.HasSuffix(b.String(), "interrupted") {
		t.Fatalf("an interrupted training: %v, %v", b, err)
	}
	leave = display.Enter(ctx, nil)
	_, err = b.Probabilities(flows)
	_, occlusion := b.Occlusion(flows, y)
	leave()
	if err == nil || occlusion == nil || strings.Count(err.Error()+occlusion.Error(), "failed") != 2 {
		t.Errorf("probabilities after an interrupt: %v; importances: %v", err, occlusion)
	}
	if p := must(b.Probabilities(flows[:1]))[0]; math.Abs(p[0]+p[1]-1) > 1e-9 {
		t.Errorf("an interrupted model's probabilities are %v", p)
	}

	o.Time = 200 * time.Millisecond
	if b := must(classify.NewByteModel(flows, y, 2, o)); !strings.HasSuffix(b.String(), "out of time") {
		t.Errorf("a thousand epochs in a fifth of a second: %v", b)
	}
}

// Bench: 750 + 750 flows of 256 tokens, as a judge has them.
func BenchmarkByteModel(b *testing.B) {
	flows, y := lowered(dataset.Lab().Flows[:1500])
	for b.Loop() {
		must(classify.NewByteModel(flows, y, 2))
	}
}
