// Package dataset holds labelled flows: the built-in lab corpus, folders of
// captures, splits that keep near-duplicates together, and the masks of the
// field's critics.
//
//	lab := dataset.Lab()                     // 1,500 flows of real protocols, built in
//	mine := must(dataset.Folder("captures")) // a sub-folder is a label
//	train, test := lab.Split(0.2, 1)         // by group, every class in both
//	dataset.Leaks(train, test)               // nothing shared
//
// A Set is a list of flows in order; the methods return new sets that share
// the flows, so flows are not to be changed in place. Mask makes copies.
package dataset

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Set is a named list of labelled flows.
type Set struct {
	Name     string
	Flows    []*pcap.Flow
	Warnings []string // what could not be read, each with its file
}

// with makes a set of other flows, under a name that says where from.
func (s *Set) with(what string, flows []*pcap.Flow) *Set {
	return &Set{Name: strings.TrimSpace(s.Name + " " + what), Flows: flows}
}

// Len returns the number of flows.
func (s *Set) Len() int { return len(s.Flows) }

// Labels returns the classes of the set, sorted; flows without a label have "".
func (s *Set) Labels() []string {
	seen := map[string]bool{}
	var out []string
	for _, f := range s.Flows {
		if !seen[f.Label] {
			seen[f.Label] = true
			out = append(out, f.Label)
		}
	}
	slices.Sort(out)
	return out
}

// Groups returns how many near-duplicate groups there are. Flows without a
// group count one each.
func (s *Set) Groups() int {
	seen := map[string]bool{}
	n := 0
	for _, f := range s.Flows {
		if f.Group == "" {
			n++
		} else if !seen[f.Group] {
			seen[f.Group] = true
			n++
		}
	}
	return n
}

// Only keeps the flows with one of the labels.
func (s *Set) Only(labels ...string) *Set {
	return s.where(strings.Join(labels, "+"), func(f *pcap.Flow) bool { return slices.Contains(labels, f.Label) })
}

// Without drops the flows with one of the labels.
func (s *Set) Without(labels ...string) *Set {
	return s.where("without "+strings.Join(labels, "+"), func(f *pcap.Flow) bool { return !slices.Contains(labels, f.Label) })
}

// Where keeps the flows for which keep is true.
func (s *Set) Where(keep func(f *pcap.Flow) bool) *Set { return s.where("", keep) }

func (s *Set) where(what string, keep func(f *pcap.Flow) bool) *Set {
	var out []*pcap.Flow
	for _, f := range s.Flows {
		if keep(f) {
			out = append(out, f)
		}
	}
	return s.with(what, out)
}

// Tokens keeps the flows of at least lo and at most hi tokens, start, link
// type, interval and end tokens counted; hi 0 means no limit.
func (s *Set) Tokens(lo, hi int) *Set {
	return s.where("", func(f *pcap.Flow) bool {
		n := tokenizer.Length(f)
		return n >= lo && (hi <= 0 || n <= hi)
	})
}

// Take returns the first n flows, or all when there are fewer.
func (s *Set) Take(n int) *Set {
	n = min(max(n, 0), len(s.Flows))
	return s.with(fmt.Sprintf("first %d", n), slices.Clone(s.Flows[:n]))
}

// Each returns the first n flows of every class.
func (s *Set) Each(n int) *Set {
	seen := map[string]int{}
	out := s.where("", func(f *pcap.Flow) bool {
		seen[f.Label]++
		return seen[f.Label] <= n
	})
	out.Name = strings.TrimSpace(fmt.Sprintf("%s %d a class", s.Name, n))
	return out
}

// Shuffle returns the flows in an order that follows from seed.
func (s *Set) Shuffle(seed uint64) *Set {
	out := slices.Clone(s.Flows)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return s.with("", out)
}

// And returns the flows of this set, then those of the others.
func (s *Set) And(others ...*Set) *Set {
	out := s.with("", slices.Clone(s.Flows))
	out.Warnings = slices.Clone(s.Warnings)
	for _, o := range others {
		out.Name = strings.TrimSpace(out.Name + " and " + o.Name)
		out.Flows = append(out.Flows, o.Flows...)
		out.Warnings = append(out.Warnings, o.Warnings...)
	}
	return out
}

// Write writes all packets in time order to one capture file.
func (s *Set) Write(path string) error { return pcap.WriteFlows(path, s.Flows) }

// WriteFolder writes one capture for each class and group, in a sub-folder
// named after the class, as Folder reads them.
func (s *Set) WriteFolder(dir string) error {
	files := map[string][]*pcap.Flow{}
	var names []string
	for i, f := range s.Flows {
		group := f.Group
		if group == "" {
			group = fmt.Sprintf("flow-%05d", i+1)
		}
		name := filepath.Join(dir, fileName(f.Label), fileName(group)+".pcap")
		if files[name] == nil {
			names = append(names, name)
		}
		files[name] = append(files[name], f)
	}
	for _, name := range names {
		if err := makeFolder(filepath.Dir(name)); err != nil {
			return err
		}
		if err := pcap.WriteFlows(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// fileName makes a label fit for a file name.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, s)
	if strings.Trim(s, ".") == "" {
		return "unlabelled"
	}
	return s
}
