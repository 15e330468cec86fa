package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

// Split parts the set in two by group: flows of one near-duplicate group stay
// together, so that nothing of the test set was all but seen in training. About
// testFraction of the flows of every class go to test, and at least one group
// of each class that has two. The same seed gives the same split; both parts
// keep the order of the set.
//
// A flow without a group stands for itself. See Regroup for sets without groups.
func (s *Set) Split(testFraction float64, seed uint64) (train, test *Set) {
	inTest := s.chooseTest(testFraction, seed)
	var a, b []*pcap.Flow
	for i, f := range s.Flows {
		if inTest[groupOf(f, i)] {
			b = append(b, f)
		} else {
			a = append(a, f)
		}
	}
	return s.with("train", a), s.with("test", b)
}

// groupOf names a flow's group; i is its place in the set.
func groupOf(f *pcap.Flow, i int) string {
	if f.Group == "" {
		return fmt.Sprintf("\x00%d", i)
	}
	return f.Group
}

// chooseTest picks the groups that make up the test set, class by class, the
// rarest first. A group with several classes counts for each of them.
func (s *Set) chooseTest(fraction float64, seed uint64) map[string]bool {
	flows := map[string]int{}              // flows of a class
	members := map[string]map[string]int{} // class → group → flows
	for i, f := range s.Flows {
		flows[f.Label]++
		if members[f.Label] == nil {
			members[f.Label] = map[string]int{}
		}
		members[f.Label][groupOf(f, i)]++
	}
	labels := s.Labels()
	slices.SortStableFunc(labels, func(a, b string) int { return flows[a] - flows[b] })
	rng := rand.New(rand.NewPCG(seed, 0x73706c6974))
	inTest, decided := map[string]bool{}, map[string]bool{}
	for _, label := range labels {
		groups := make([]string, 0, len(members[label]))
		for g := range members[label] {
			groups = append(groups, g)
		}
		slices.Sort(groups)
		rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		// What other classes have decided for groups that this one shares.
		want := fraction * float64(flows[label])
		have, kept, tested := 0, 0, 0
		var open []string
		for _, g := range groups {
			switch {
			case !decided[g]:
				open = append(open, g)
			case inTest[g]:
				have += members[label][g]
				tested++
			default:
				kept++
			}
		}
		for i, g := range open {
			decided[g] = true
			n := members[label][g]
			last := i == len(open)-1
			// Take the group if that brings the class nearer to its share; but one
			// group must stay for training, and one go to the test.
			take := float64(have)+float64(n)/2 <= want
			if last && kept == 0 {
				take = false
			} else if last && tested == 0 {
				take = true
			}
			if fraction > 0 && (take || fraction >= 1) {
				inTest[g] = true
				have += n
				tested++
			} else {
				kept++
			}
		}
	}
	return inTest
}
