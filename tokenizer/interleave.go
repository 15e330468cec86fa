package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// Several flows in one sequence have flow markers beyond the paper's vocabulary:
// FlowMark+k says that the packets that follow belong to flow k, counted in the
// order in which the flows begin.
const (
	FlowMark        = 260
	MaxFlows        = 64
	FlowsVocabulary = FlowMark + MaxFlows
)

func isMark(t uint16) bool { return t >= FlowMark && t < FlowsVocabulary }

// EncodeFlows puts several flows into one sequence of tokens: their packets in
// time order, a marker where the flow changes, one End at the end. The time of
// a packet counts from the packet before it in the sequence, whatever its flow.
// More than MaxFlows flows are an error.
func EncodeFlows(flows []*pcap.Flow, o ...Options) ([]uint16, error) {
	if len(flows) > MaxFlows {
		return nil, fmt.Errorf("%d flows; a sequence has at most %d", len(flows), MaxFlows)
	}
	type member struct {
		flow int
		p    *pcap.Packet
	}
	var all []member
	size := 1
	for i, f := range flows {
		size += Length(f) + len(f.Packets)
		for j := range f.Packets {
			all = append(all, member{i, &f.Packets[j]})
		}
	}
	slices.SortStableFunc(all, func(a, b member) int { return a.p.Time.Compare(b.p.Time) })
	tokens := make([]uint16, 0, size)
	marks := make([]uint16, len(flows)) // 0: not seen yet
	seen, last := uint16(0), uint16(0)
	var c clock
	for i, m := range all {
		if i == 0 {
			c = clockOf(m.p.Time)
		}
		if marks[m.flow] == 0 {
			marks[m.flow] = FlowMark + seen
			seen++
		}
		if mark := marks[m.flow]; mark != last {
			tokens = append(tokens, mark)
			last = mark
		}
		tokens, c = appendPacket(tokens, m.p, c, options(o).Time)
	}
	return append(tokens, End), nil
}

// DecodeFlows takes such a sequence apart, as Decode does with one flow. The
// flows come in the order of their numbers; the flow of a packet before the
// first marker is flow 0.
func DecodeFlows(tokens []uint16, o ...Options) (pcap.Flows, error) {
	r := newReader(tokens, o)
	var flows [MaxFlows][]pcap.Packet
	now := uint16(0)
	err := func() error {
		for {
			for r.at < len(tokens) && isMark(tokens[r.at]) {
				now = tokens[r.at] - FlowMark
				r.at++
			}
			p, more, err := r.packet()
			if err != nil {
				return err
			}
			if !more {
				return r.rest()
			}
			flows[now] = append(flows[now], p)
		}
	}()
	var out pcap.Flows
	for _, packets := range flows {
		if len(packets) > 0 {
			out = append(out, &pcap.Flow{Key: pcap.KeyOf(&packets[0], 0), Packets: packets})
		}
	}
	return out, err
}

// Related sorts flows into groups that belong together: flows of one initiator
// (or, without addresses, of one protocol) of which each begins within gap after
// the last packet of the ones before it. Groups and flows are in time order; a
// group has at most MaxFlows flows.
func Related(flows []*pcap.Flow, gap time.Duration) []pcap.Flows {
	sorted := slices.Clone(flows)
	sorted = slices.DeleteFunc(sorted, func(f *pcap.Flow) bool { return len(f.Packets) == 0 })
	slices.SortStableFunc(sorted, func(a, b *pcap.Flow) int { return a.Packets[0].Time.Compare(b.Packets[0].Time) })
	type group struct {
		at  int
		end time.Time
	}
	open := map[string]*group{}
	var out []pcap.Flows
	for _, f := range sorted {
		key := f.Key.Src.String()
		if !f.Key.Src.IsValid() {
			key = f.Protocol()
		}
		end := f.Packets[len(f.Packets)-1].Time
		g := open[key]
		if g == nil || f.Packets[0].Time.Sub(g.end) > gap || len(out[g.at]) == MaxFlows {
			g = &group{len(out), end}
			open[key] = g
			out = append(out, nil)
		}
		out[g.at] = append(out[g.at], f)
		if end.After(g.end) {
			g.end = end
		}
	}
	slices.SortStableFunc(out, func(a, b pcap.Flows) int {
		return cmp.Compare(a[0].Packets[0].Time.UnixNano(), b[0].Packets[0].Time.UnixNano())
	})
	return out
}
