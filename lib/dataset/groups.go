package dataset

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

// Near-duplicate flows are found by what is left when everything that names
// hosts and sessions is masked: the bytes that the two sides send, in pieces of
// eight, and the sizes and directions of the first packets. A flow is sketched
// by the smallest of many hashes of its pieces (MinHash, Broder 1997); two
// sketches agree in about the share of pieces that two flows have in common.
const (
	sketchSize  = 64
	bands       = 16   // candidates agree in one whole band of four
	nearEnough  = 0.8  // estimated Jaccard similarity
	sketchBytes = 1024 // of each side
	shapeLength = 12   // packets whose size and direction count
	pieceLength = 8
)

type sketch [sketchSize]uint32

// emptySlot is what a slot holds that no piece fell into; short flows have many.
const emptySlot = ^uint32(0)

var emptyBand = [sketchSize / bands]uint32{emptySlot, emptySlot, emptySlot, emptySlot}

// Regroup returns a copy of the set with groups found anew: flows are in one
// group when they are near-duplicates of each other (four fifths of their
// content alike), or when they come from the same file and join the same two
// hosts at the same server port. Flows are copied, packets shared.
func (s *Set) Regroup() *Set {
	out := &Set{Name: s.Name, Warnings: slices.Clone(s.Warnings), Flows: make([]*pcap.Flow, len(s.Flows))}
	for i, f := range s.Flows {
		g := *f
		g.Group = ""
		out.Flows[i] = &g
	}
	out.regroup()
	return out
}

// regroup sets the groups of flows that have none, in place.
func (s *Set) regroup() {
	if !slices.ContainsFunc(s.Flows, func(f *pcap.Flow) bool { return f.Group == "" }) {
		return
	}
	parent := make([]int, len(s.Flows))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	join := func(a, b int) {
		// The earlier flow leads, so that names do not depend on the order of joins.
		if a, b = root(a), root(b); a < b {
			parent[b] = a
		} else {
			parent[a] = b
		}
	}
	byHosts := map[string]int{}
	for i, f := range s.Flows {
		if h := hosts(f); h != "" {
			if first, ok := byHosts[h]; ok {
				join(first, i)
			} else {
				byHosts[h] = i
			}
		}
	}
	for _, pair := range nearPairs(sketches(s.Flows)) {
		join(pair[0], pair[1])
	}
	for i, f := range s.Flows {
		if f.Group == "" {
			f.Group = fmt.Sprintf("near-%05d", root(i)+1)
		}
	}
}

// hosts names the two ends of a flow, its server port and its file.
func hosts(f *pcap.Flow) string {
	if !f.Key.Src.IsValid() {
		return ""
	}
	a, b := f.Key.Src, f.Key.Dst
	if b.Less(a) {
		a, b = b, a
	}
	return fmt.Sprint(f.Source, a, b, f.Key.Protocol, min(f.Key.SrcPort, f.Key.DstPort))
}

// nearPairs returns pairs of near-duplicates, enough to connect them all.
func nearPairs(all []sketch) (pairs [][2]int) {
	const rows = sketchSize / bands
	for band := range bands {
		buckets := map[[rows]uint32][]int{}
		for i := range all {
			key := [rows]uint32(all[i][band*rows : (band+1)*rows])
			if key == emptyBand {
				continue
			}
			members := buckets[key]
			// Compare with the first and the latest only: a bucket of thousands
			// of equal flows would otherwise take a square of the time.
			for _, j := range ends(members) {
				if similarity(&all[i], &all[j]) >= nearEnough {
					pairs = append(pairs, [2]int{j, i})
				}
			}
			buckets[key] = append(members, i)
		}
	}
	return pairs
}

// ends returns up to four members: the first two and the last two.
func ends(members []int) []int {
	if len(members) <= 4 {
		return members
	}
	return []int{members[0], members[1], members[len(members)-2], members[len(members)-1]}
}

// similarity estimates the share of pieces that two flows have in common.
func similarity(a, b *sketch) float64 {
	same, used := 0, 0
	for i := range a {
		if a[i] == emptySlot && b[i] == emptySlot {
			continue
		}
		used++
		if a[i] == b[i] {
			same++
		}
	}
	if used == 0 {
		return 1 // two flows without content
	}
	return float64(same) / float64(used)
}

func sketches(flows []*pcap.Flow) []sketch {
	out := make([]sketch, len(flows))
	for i, f := range flows {
		out[i] = sketchOf(f)
	}
	return out
}

// sketchOf sketches one flow.
func sketchOf(f *pcap.Flow) sketch {
	var s sketch
	for i := range s {
		s[i] = emptySlot
	}
	var content [2][]byte
	for i := range f.Packets {
		if len(content[0]) >= sketchBytes && len(content[1]) >= sketchBytes && i >= shapeLength {
			break
		}
		p := &f.Packets[i]
		side := 0
		if !f.Outgoing(i) {
			side = 1
		}
		h := p.Headers()
		from := h.Payload
		if h.Network < 0 {
			from = 0 // nothing is known of it: all of it counts
		}
		if room := sketchBytes - len(content[side]); room > 0 {
			body := p.Data[from:h.End]
			content[side] = append(content[side], body[:min(len(body), room)]...)
		}
		if i < shapeLength {
			s.add(mix(uint64(i)<<40 | uint64(side)<<32 | uint64(h.End-from)))
		}
	}
	for side, b := range content {
		for k := 0; k+pieceLength <= len(b); k++ {
			s.add(mix(binary.LittleEndian.Uint64(b[k:]) + uint64(side)))
		}
		if n := len(b); n > 0 && n < pieceLength {
			var short [pieceLength]byte
			copy(short[:], b)
			s.add(mix(binary.LittleEndian.Uint64(short[:]) + uint64(side) + uint64(n)<<8))
		}
	}
	return s
}

// add takes a piece into the sketch, by one-permutation hashing: a piece counts
// in one slot only, and a slot keeps the smallest.
func (s *sketch) add(h uint64) {
	slot, v := h%sketchSize, uint32(h>>32)
	if v < s[slot] {
		s[slot] = v
	}
}

// mix is a hash of 64 bits (the finaliser of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return bits.RotateLeft64(h, 17)
}
