package dataset

import (
	"fmt"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// LeakReport says what a test set shares with a training set.
type LeakReport struct {
	Train, Test int      // flows
	Groups      []string // groups in both
	Same        int      // test flows whose masked bytes also occur in training
	Near        int      // test flows with a near-duplicate in training
	Servers     int      // servers (address, port, protocol) in both
	Alone       []string // classes of the test set that training does not have
}

// Clean reports whether no group and no whole flow is shared. Near-duplicates
// and servers are told, but small protocols (an NTP query) cannot help them.
func (r *LeakReport) Clean() bool { return len(r.Groups) == 0 && r.Same == 0 }

// Leaks compares two parts of a split: what the test set shares with the
// training set makes a score look better than it is. Same counts flows that are
// equal in every byte under mask level 2, times not counted; flows without any
// payload do not count.
func Leaks(train, test *Set) *LeakReport {
	r := &LeakReport{Train: train.Len(), Test: test.Len()}
	groups, servers, labels, bodies := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range train.Flows {
		labels[f.Label] = true
		servers[server(f)] = true
		if b := body(f); b != "" {
			bodies[b] = true
		}
		if f.Group != "" {
			groups[f.Group] = true
		}
	}
	shared, alone, both := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range test.Flows {
		if groups[f.Group] {
			shared[f.Group] = true
		}
		if !labels[f.Label] {
			alone[shownLabel(f.Label)] = true
		}
		if k := server(f); k != "" && servers[k] {
			both[k] = true
		}
		if bodies[body(f)] {
			r.Same++
		}
	}
	r.Servers = len(both)
	r.Groups, r.Alone = keys(shared), keys(alone)
	r.Near = nearBetween(sketches(train.Flows), sketches(test.Flows))
	return r
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func server(f *pcap.Flow) string {
	if !f.Key.Dst.IsValid() {
		return ""
	}
	return fmt.Sprint(f.Key.Dst, " ", f.Key.DstPort, " ", f.Key.Protocol)
}

// body is the bytes of a flow under mask level 2, packet by packet; "" for a
// flow without payload (a refused connection, ARP), which are all alike.
func body(f *pcap.Flow) string {
	var b strings.Builder
	empty := true
	for i := range f.Packets {
		if h := f.Packets[i].Headers(); h.Transport >= 0 && h.Payload < h.End {
			empty = false
			break
		}
	}
	if empty {
		return ""
	}
	for _, p := range MaskFlow(f, 2).Packets {
		fmt.Fprintf(&b, "%d:", len(p.Data))
		b.Write(p.Data)
	}
	return b.String()
}

// nearBetween counts the test flows that have a near-duplicate in training.
func nearBetween(train, test []sketch) int {
	const rows = sketchSize / bands
	found := make([]bool, len(test))
	for band := range bands {
		buckets := map[[rows]uint32][]int{}
		for i := range train {
			key := [rows]uint32(train[i][band*rows : (band+1)*rows])
			buckets[key] = append(buckets[key], i)
		}
		for i := range test {
			if found[i] {
				continue
			}
			for _, j := range ends(buckets[[rows]uint32(test[i][band*rows:(band+1)*rows])]) {
				if similarity(&test[i], &train[j]) >= nearEnough {
					found[i] = true
					break
				}
			}
		}
	}
	n := 0
	for _, f := range found {
		if f {
			n++
		}
	}
	return n
}

// MIME shows the report as a table.
func (r *LeakReport) MIME() display.Bundle { return r.table().MIME() }

func (r *LeakReport) String() string { return r.table().String() }

func (r *LeakReport) table() *display.Table {
	t := display.NewTable("shared by training and test", "count", "")
	t.Title = fmt.Sprintf("%d training and %d test flows: ", r.Train, r.Test)
	if r.Clean() {
		t.Title += "no group and no whole flow in both"
	} else {
		t.Title += "the split leaks"
	}
	some := func(list []string) string {
		if len(list) > 3 {
			return strings.Join(list[:3], ", ") + ", …"
		}
		return strings.Join(list, ", ")
	}
	t.Row("groups", len(r.Groups), some(r.Groups))
	t.Row("test flows equal to a training flow but for hosts, ports and sequence numbers", r.Same, "")
	t.Row("test flows with a near-duplicate in training", r.Near, "")
	t.Row("servers (address and port)", r.Servers, "")
	t.Row("classes of the test set that training lacks", len(r.Alone), some(r.Alone))
	return t
}
