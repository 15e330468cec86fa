package train

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// flows makes conversations with a regular form: a byte counts up, another
// echoes it.
func flows(n int, seed uint64) []*pcap.Flow {
	rng := rand.New(rand.NewPCG(seed, 4))
	var out []*pcap.Flow
	for i := range n {
		f := &pcap.Flow{Label: "test", Key: pcap.Key{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")}}
		at := time.Unix(1_700_000_000, 0)
		x := byte(rng.IntN(256))
		for j := range 3 + rng.IntN(4) {
			at = at.Add(time.Duration(rng.IntN(3)) * time.Millisecond)
			data := []byte{0x45, 0, 0, byte(20 + i%3), x + byte(j), x, 1, 2, 3, x + byte(j), byte(rng.IntN(4))}
			f.Packets = append(f.Packets, pcap.Packet{Time: at, Data: data, Length: len(data), LinkType: 101})
		}
		out = append(out, f)
	}
	return out
}

func tiny() model.Config {
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Context, c.Window, c.Chunk = 32, 8, 32, 96, 32, 16
	return c
}

func build(t *testing.T, c model.Config) *model.Model {
	t.Helper()
	m, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRunLearns(t *testing.T) {
	m := build(t, tiny())
	r, err := Run(m, flows(60, 1), flows(20, 2), Options{Steps: 150, Quiet: true, LearningRate: 5e-3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Gain() < 0.5 || r.Steps != 150 || r.Stopped != Completed {
		t.Errorf("the model learned too little: %s", r)
	}
}
