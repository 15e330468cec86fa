package dataset

import (
	_ "embed"
	"slices"
	"sync"

	"trafficgpt/tokenizer/pcap"
)

//go:embed lab.bin
var labSnapshot []byte

var readLab = sync.OnceValue(func() []*pcap.Flow {
	s, err := unpack(labSnapshot)
	if err != nil {
		panic("dataset: the built-in corpus is damaged: " + err.Error())
	}
	return s.Flows
})

// Lab returns the built-in corpus: real protocol implementations talking over
// two TCP/IP stacks, captured from the link between them, which delays, drops
// and reorders. A flow's label is its protocol, its group the scenario instance
// it comes from. All addresses and names are from ranges reserved for private
// use, documentation and tests. How it was made is in the _lab folder beside
// this file, where a new one can be made too.
//
// The first call decodes the corpus, later ones cost nothing.
func Lab() *Set { return &Set{Name: "lab", Flows: slices.Clone(readLab())} }
