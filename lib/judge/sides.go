package judge

import (
	"fmt"
	"math/rand/v2"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer/pcap"
)

// fewFlows is the number of flows a side below which the report warns.
const fewFlows = 100

// sides are the flows as they are compared.
type sides struct {
	reference []*pcap.Flow
	flows     [competitors][]*pcap.Flow
	// train are the flows that distances and identifiers are measured against, models
	// those among which copies are looked for: the training flows, and without them one
	// half of the real flows, and all of them. held are real flows that nobody learned
	// from, the floor of privacy.
	train, models, held []*pcap.Flow
	all, made           []*pcap.Flow // of the real and of the synthetic side, as they were given
}

// divide draws the flows of each side and makes the three that stand beside.
func (j *judgement) divide(real, synth []*pcap.Flow) {
	most := j.Most
	if most == 0 {
		most = 2000
	}
	s := &j.sides
	s.all, s.made = real, synth
	flows, ok := grouped(draw(real, 2*most, j.Seed, 1))
	if !ok {
		j.warn("one group of near-duplicates holds most of the real flows: they were halved flow by flow, so the floor is lower than it should be")
	}
	a, b := (&dataset.Set{Flows: flows}).Split(.5, j.Seed) // half of each class
	if b.Len() == 0 {
		a, b = b, a
	}
	if a.Len() == 0 {
		a, b = &dataset.Set{Flows: flows[:(len(flows)+1)/2]}, &dataset.Set{Flows: flows[(len(flows)+1)/2:]}
	}
	s.reference = draw(a.Flows, most, j.Seed, 3)
	n := min(len(synth), b.Len())
	if most > 0 {
		n = min(n, most)
	}
	s.flows[generated] = draw(synth, n, j.Seed, 4)
	s.flows[floor] = draw(b.Flows, n, j.Seed, 5)
	train := j.Train
	if len(train) == 0 {
		train = b.Flows
		j.warn("without training flows half of the real ones stands in their place: the copying machine is the floor itself, and membership cannot be inferred")
	}
	s.flows[copying] = draw(train, n, j.Seed, 6)
	s.flows[independent] = independently(s.flows[copying], n, j.Seed)
	// Distances shrink as there are more flows to be near to: as many for all.
	s.train = draw(train, 2*most, j.Seed, 7)
	s.models, s.held = s.train, s.reference
	if len(j.Train) == 0 {
		s.models = real
	}
	j.describe(real, synth)
	if n := newHashes(j.Train).count(real).flows; n > 0 {
		j.warn("%d of %d real flows stand in the training side, byte for byte: they were learned from, so the floor of privacy is too high and every other number too good; give real flows that were kept back", n, len(real))
	}
	if n := newHashes(real).count(synth).flows; n > 0 {
		j.warn("%d of %d generated flows stand in the real side, byte for byte: where they are better than real against real, that is copying", n, len(synth))
	}
}

// describe fills the report's sides and warns of small ones.
func (j *judgement) describe(real, synth []*pcap.Flow) {
	s, r := &j.sides, j.report
	r.Compared[0] = len(s.reference)
	for k := range competitors {
		r.Compared[k+1] = len(s.flows[k])
	}
	r.Real = side(j.RealName, "real", len(real), append(append([]*pcap.Flow(nil), s.reference...), s.flows[floor]...))
	r.Synth = side(j.SynthName, "generated", len(synth), s.flows[generated])
	r.Train = side(j.TrainName, "training", len(j.Train), s.train)
	if !r.TrainGiven {
		r.Train.Name, r.Train.Given = "half of the real flows", len(s.train)
	}
	if n := min(len(s.reference), len(s.flows[generated])); n < fewFlows {
		j.warn("the comparison is of %d generated with %d real flows: intervals are wide, and a verdict needs some hundred", len(s.flows[generated]), len(s.reference))
	}
	protocols := map[string]bool{}
	for _, f := range s.reference {
		protocols[f.Protocol()] = true
	}
	shared := 0
	for _, f := range s.flows[generated] {
		if protocols[f.Protocol()] {
			shared++
		}
	}
	if shared == 0 {
		j.warn("the two sides share no protocol: real flows are %s, generated ones %s", protocolList(s.reference), protocolList(s.flows[generated]))
	}
}

func (j *judgement) warn(format string, args ...any) {
	j.report.Warnings = append(j.report.Warnings, fmt.Sprintf(format, args...))
}

func side(name, otherwise string, given int, judged []*pcap.Flow) Side {
	if name == "" {
		name = otherwise
	}
	s := Side{Name: name, Given: given, Judged: len(judged)}
	labels := map[string]bool{}
	for _, f := range judged {
		s.Packets += len(f.Packets)
		if f.Label != "" {
			labels[f.Label] = true
		}
	}
	s.Labels = len(labels)
	return s
}

// draw returns n of the flows in an order that follows from the seed; all when n
// is negative or there are fewer.
func draw(flows []*pcap.Flow, n int, seed, stream uint64) []*pcap.Flow {
	rng := rand.New(rand.NewPCG(seed, 0x6a756467650000+stream))
	out := make([]*pcap.Flow, len(flows))
	for i, k := range rng.Perm(len(flows)) {
		out[i] = flows[k]
	}
	if n >= 0 && n < len(out) {
		out = out[:n]
	}
	return out
}
