package judge

import (
	"fmt"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer/pcap"
)

// largestGroup is the share of all flows that one group may hold for a grouping to
// be of use: more cannot be dealt to two sides.
const largestGroup = .25

// grouped returns copies of the flows, grouped by the strictest rule that still
// leaves something to deal out, and whether there was one:
// the groups they have, and the same two hosts at the same server port whatever
// file a flow comes from, for a data set cut into a file a flow keeps sessions of
// one capture together no other way; else the groups they have alone; else none.
// Flows without groups get those of dataset.Set.Regroup.
func grouped(flows []*pcap.Flow) (out []*pcap.Flow, ok bool) {
	set := &dataset.Set{Flows: flows}
	for _, f := range flows {
		if f.Group == "" {
			set = set.Regroup()
			break
		}
	}
	for _, byHosts := range []bool{true, false} {
		if out = united(set.Flows, byHosts); largest(out) <= max(1, int(largestGroup*float64(len(out)))) {
			return out, true
		}
	}
	for i, f := range out {
		f.Group = fmt.Sprintf("flow-%d", i+1)
	}
	return out, false
}

// united are copies of flows whose groups are those they have, united where two
// flows have the same hosts.
func united(flows []*pcap.Flow, byHosts bool) []*pcap.Flow {
	parent := make([]int, len(flows))
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := map[string]int{}
	out := make([]*pcap.Flow, len(flows))
	for i, f := range flows {
		g := *f
		out[i], parent[i] = &g, i
		keys := []string{"group " + f.Group}
		if byHosts && f.Key.Src.IsValid() {
			a, b := f.Key.Src, f.Key.Dst
			if b.Less(a) {
				a, b = b, a
			}
			keys = append(keys, fmt.Sprint(a, b, f.Key.Protocol, min(f.Key.SrcPort, f.Key.DstPort)))
		}
		for _, k := range keys {
			at, seen := first[k]
			if !seen {
				first[k] = i
				continue
			}
			a, b := root(at), root(i)
			parent[max(a, b)] = min(a, b)
		}
	}
	for i := range out {
		out[i].Group = fmt.Sprintf("group-%d", root(i)+1)
	}
	return out
}

// largest is the number of flows of the largest group.
func largest(flows []*pcap.Flow) int {
	sizes, most := map[string]int{}, 0
	for _, f := range flows {
		sizes[f.Group]++
		most = max(most, sizes[f.Group])
	}
	return most
}
