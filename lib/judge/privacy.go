package judge

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"trafficgpt/display"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer/pcap"
)

// privacy asks whether generated flows are copies of training flows. The floor is
// real flows that the generator has not seen: common traffic looks alike.
func (j *judgement) privacy(a *Axis) error {
	copies := measure("flows copied or nearly copied", "%", 1, 2, 10)
	same := measure("flows equal in every byte", "%", 2, .5, 2)
	payloads := measure("packets whose payload was copied", "%", 2, 2, 10)
	whole := measure("packets equal in every byte", "%", 2, .5, 2)
	nearer := measure("flows nearer to training than 1 real of 20", "%", 1, 5, 20)
	nearest := measure("median distance to the nearest training flow", "", 3, 0, 0)
	members := measure("membership inference: AUC", "", 3, .05, .15)
	tpr := measure("membership inference: TPR at 1 % FPR", "%", 1, 2, 10)
	members.chance, tpr.chance = .5, 1
	found := [3]*Measure{
		measure("addresses of training flows", "%", 1, 5, 20),
		measure("names of training flows", "%", 1, 5, 20),
		measure("hardware addresses of training flows", "%", 1, 5, 20),
	}
	a.Measures = []*Measure{copies, same, payloads, whole, nearer, nearest, members, tpr, found[0], found[1], found[2]}
	s := &j.sides
	exact := newHashes(s.models)
	var threshold float64
	for n, k := range []int{floor, generated, copying, independent} {
		if !j.step(a, n, k) {
			return j.ctx.Err()
		}
		flows, among, known := s.flows[k], s.models, exact
		if k == floor { // not among themselves
			flows, among = s.held, s.train
			known = newHashes(s.train)
		}
		e := known.count(flows)
		*copies.at(k) = share(copied(known, among, flows), len(flows))
		*same.at(k), *whole.at(k), *payloads.at(k) = share(e.flows, len(flows)), share(e.packets, e.allPackets), share(e.payloads, e.allPayloads)
		d := nearestDistances(s.train, flows)
		*nearest.at(k) = exactly(quantile(d, .5))
		if k == floor {
			threshold = quantile(d, .05)
		}
		under := 0
		for _, x := range d {
			if x < threshold || x == 0 {
				under++
			}
		}
		*nearer.at(k) = share(under, len(d))
		ids, own := identifiers(flows), identifiers(s.train)
		for i := range found {
			*found[i].at(k) = share(ids[i].shared(own[i]), len(ids[i]))
		}
		if j.report.TrainGiven {
			*members.at(k), *tpr.at(k) = j.membership(s.flows[k])
		}
	}
	a.Verdict = worstOfPrivacy(a.Measures)
	j.privacyWords(a, exact)
	a.Figures = append(a.Figures, j.distanceFigure())
	return nil
}

// given says what a measure of privacy that is off gives away.
var given = map[string]string{
	"flows copied or nearly copied":              "", // the axis's own words
	"flows equal in every byte":                  "copies its training flows",
	"packets whose payload was copied":           "copies payloads of training flows",
	"packets equal in every byte":                "copies packets of training flows",
	"flows nearer to training than 1 real of 20": "flows are too near to training flows",
	"membership inference: AUC":                  "tells training flows from others",
	"membership inference: TPR at 1 % FPR":       "tells some training flows from others",
	"addresses of training flows":                "gives addresses of training flows away",
	"names of training flows":                    "gives names of training flows away",
	"hardware addresses of training flows":       "gives hardware addresses away",
}

// worstOfPrivacy is the verdict of the worst measure where that is off and worse
// than the first: who copies payloads behind other headers copies no flow. The
// zero verdict leaves the axis to its first measure.
func worstOfPrivacy(measures []*Measure) Verdict {
	var worst Verdict
	for i, m := range measures {
		m.judge()
		if words := given[m.Name]; m.Verdict.Level >= Off && m.Verdict.Level > worst.Level || i == 0 {
			worst = Verdict{m.Verdict.Level, words}
		}
	}
	if worst.Words == "" {
		return Verdict{}
	}
	return worst
}

// copied counts the flows that are like a model: near-duplicates of one, or equal to
// it but for hosts, ports and numbers, where they carry something; equal in every
// byte where they do not, for flows without payload are all alike.
func copied(known *hashes, models, flows []*pcap.Flow) int {
	full, bare := byContent(flows)
	among, _ := byContent(models)
	leaks := dataset.Leaks(&dataset.Set{Flows: among}, &dataset.Set{Flows: full})
	return max(leaks.Near, leaks.Same, known.count(full).flows) + known.count(bare).flows
}

// byContent parts flows by whether they carry a payload that says something.
func byContent(flows []*pcap.Flow) (full, bare []*pcap.Flow) {
	for _, f := range flows {
		n := 0
		for i := range f.Packets {
			n += len(payload(&f.Packets[i]))
		}
		if n >= leastPayload {
			full = append(full, f)
		} else {
			bare = append(bare, f)
		}
	}
	return full, bare
}

// privacyWords says what was found.
func (j *judgement) privacyWords(a *Axis, exact *hashes) {
	e := exact.count(j.sides.flows[generated])
	if e.flows > 0 {
		a.Findings = append(a.Findings, fmt.Sprintf("%s of %s generated flows are flows that were learned from, byte for byte.", display.Count(e.flows), display.Count(len(j.sides.flows[generated]))))
	}
	if !j.report.TrainGiven {
		a.Findings = append(a.Findings, "Without the training flows copies are looked for among the real flows, and membership cannot be inferred.")
	}
	ids, own, held := identifiers(j.sides.flows[generated]), identifiers(j.sides.train), identifiers(j.sides.held)
	t := display.NewTable("identifier", "in training flows", "of them in generated flows", "in real flows not learned from", "in the copying machine's", "in independent fields", "some that other real flows do not have")
	copies, drawn := identifiers(j.sides.flows[copying]), identifiers(j.sides.flows[independent])
	t.Title = "Identifiers of the training flows that can be read in generated flows"
	for i, name := range []string{"IP addresses", "names (DNS, TLS, HTTP)", "hardware addresses"} {
		only := ids[i].only(own[i], held[i])
		t.Row(name, len(own[i]), ids[i].shared(own[i]), held[i].shared(own[i]), copies[i].shared(own[i]), drawn[i].shared(own[i]), joined(only, 3))
		if i == 1 && len(only) > 0 {
			a.Findings = append(a.Findings, fmt.Sprintf("Names of training flows that generated flows give away and other real flows do not: %s.", joined(only, 5)))
		}
	}
	a.Tables = append(a.Tables, t)
}

// hashes are the bytes of training flows and packets.
type hashes struct {
	seed                     maphash.Seed
	flows, packets, payloads map[uint64]bool
}

// leastPayload is how long a payload must be to say something when it is found again.
const leastPayload = 16

func newHashes(flows []*pcap.Flow) *hashes {
	h := &hashes{maphash.MakeSeed(), map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}}
	for _, f := range flows {
		h.flows[h.flow(f)] = true
		for i := range f.Packets {
			h.packets[maphash.Bytes(h.seed, f.Packets[i].Data)] = true
			if b := payload(&f.Packets[i]); len(b) >= leastPayload {
				h.payloads[maphash.Bytes(h.seed, b)] = true
			}
		}
	}
	return h
}

func (h *hashes) flow(f *pcap.Flow) uint64 {
	var m maphash.Hash
	m.SetSeed(h.seed)
	for i := range f.Packets {
		m.Write(f.Packets[i].Data)
		m.WriteByte(0)
	}
	return m.Sum64()
}

// payload is what the transport of a packet carries.
func payload(p *pcap.Packet) []byte {
	h := p.Headers()
	if h.Transport < 0 {
		return nil
	}
	return p.Data[h.Payload:h.End]
}

// copiesFound counts what was found again.
type copiesFound struct{ flows, packets, allPackets, payloads, allPayloads int }

func (h *hashes) count(flows []*pcap.Flow) copiesFound {
	var c copiesFound
	for _, f := range flows {
		if h.flows[h.flow(f)] {
			c.flows++
		}
		for i := range f.Packets {
			c.allPackets++
			if h.packets[maphash.Bytes(h.seed, f.Packets[i].Data)] {
				c.packets++
			}
			if b := payload(&f.Packets[i]); len(b) >= leastPayload {
				c.allPayloads++
				if h.payloads[maphash.Bytes(h.seed, b)] {
					c.payloads++
				}
			}
		}
	}
	return c
}

// nearestDistances is the Euclidean distance from each flow to the nearest training
// flow, over the flow features scaled by the training flows, a feature.
func nearestDistances(train, flows []*pcap.Flow) []float64 {
	scaled := metrics.Standardize(vectors(train), vectors(flows))
	out := metrics.Nearest(scaled[1], scaled[0])
	for i := range out {
		out[i] /= math.Sqrt(float64(len(scaled[1][i])))
	}
	return out
}

// membership attacks the generated flows: who has them guesses that a flow was
// learned from when its packets or their payloads stand in them, and then when a
// generated flow is near to it (Hilprecht et al. 2019; TPR at a low FPR as Carlini
// et al. 2022 ask).
func (j *judgement) membership(made []*pcap.Flow) (auc, tpr Value) {
	n := min(len(j.sides.train), len(j.sides.held), mostJudged)
	sides := [][]*pcap.Flow{j.sides.train[:n], j.sides.held[:n]}
	scaled := metrics.Standardize(vectors(made), vectors(sides[0]), vectors(sides[1]))
	seen := newHashes(made)
	var scores []float64
	var positive []bool
	for k, flows := range sides {
		near := metrics.Nearest(scaled[k+1], scaled[0])
		for i, f := range flows {
			c := seen.count([]*pcap.Flow{f})
			score := part(c.packets, c.allPackets) + part(c.payloads, c.allPayloads) - near[i]/(1+near[i])
			scores, positive = append(scores, score), append(positive, k == 0)
		}
	}
	rate := metrics.TPRAt(scores, positive, .01)
	return of(metrics.AUCInterval(scores, positive, metrics.Options{Seed: j.Seed})), share(int(math.Round(rate*float64(n))), n)
}

func part(some, all int) float64 { return float64(some) / float64(max(all, 1)) }

// quantile of values in any order; NaN for none.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return stat.Quantile(q, stat.Empirical, slices.Sorted(slices.Values(v)), nil)
}
