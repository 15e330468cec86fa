package sample

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"trafficgpt/lib/dataset"
	"trafficgpt/model"
	"trafficgpt/model/f32"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// golden are hashes of what each way of sampling gave when the plainest code drew the
// tokens: grammar and dialog read the packet again for every one. Faster code must draw
// the same. A hash may change only where the untrained models' numbers do, or where
// something else is meant to be sampled.
var golden = []struct {
	name string
	o    Options
	want string
}{
	{"free", Options{}, "84642726574e56dc"},
	{"free, all tokens", Options{TopK: -1, MaxRejects: 20}, "e52d975d80b99216"},
	{"free, few rejects and packets", Options{TopK: 60, MaxRejects: 3, MaxPackets: 2, Temperature: 2}, "34a218b90a6b8bb1"},
	{"free, repaired", Options{TopK: -1, Repair: true}, "761064ad035515e7"},
	{"free, greedy", Options{Greedy: true, MaxRejects: 4}, "d00f0659c85e0f90"},
	{"constrained", Options{Constrained: true}, "f98d9f6e414a577f"},
	{"constrained, all tokens", Options{Constrained: true, TopK: -1}, "fc6390189ef4fae3"},
	{"constrained, cold", Options{Constrained: true, TopK: 100, Temperature: 0.02, TopP: 0.9}, "3fff14227eff16a1"},
	{"constrained, greedy, repaired", Options{Constrained: true, Greedy: true, Repair: true}, "c4498f56b96f1270"},
	{"dialog", Options{Dialog: true}, "abeb381cf8314976"},
	{"dialog, all tokens", Options{Dialog: true, TopK: -1}, "04b1ec8ebfb5e969"},
	{"dialog, repaired, nucleus", Options{Dialog: true, Repair: true, TopK: -1, TopP: 0.8, MinP: 0.02, Temperature: 0.05}, "5359cfd9b45615ab"},
	{"dialog, few packets", Options{Dialog: true, TopK: -1, MaxPackets: 3}, "cae7d1c50ff68165"},
	{"dialog, long", Options{Dialog: true, TopK: 3, MaxTokens: 1200}, "ac96d82dec266892"},
	{"dialog, half", Options{Dialog: true, Half: true, TopK: -1}, "62581d61a5860c53"},
	{"dialog, labelled", Options{Dialog: true, PromptLabel: "b"}, "cbe72b5ca539c29c"},
	{"dialog, one lane", Options{Dialog: true, Lanes: 1}, "1eb445e48ba337b3"},
	{"dialog, three lanes, cold", Options{Dialog: true, Lanes: 3, TopK: -1, Temperature: 0.05, MinP: 0.1}, "649cc88635342b85"},
	{"dialog, hot", Options{Dialog: true, TopK: 5, Temperature: 8}, "b4017ba7dc342767"},
	{"free behind a flow", Options{PromptFlow: &pcap.Flow{Packets: []pcap.Packet{synPacket()}}, MaxRejects: 9}, "471a38b0f1cb9da8"},
	{"dialog behind a flow", Options{PromptFlow: &pcap.Flow{Packets: []pcap.Packet{synPacket()}}, Dialog: true, TopK: -1}, "00fc9380899371f7"},
	{"dialog within a packet", Options{Prompt: within(synPacket(), 44), Dialog: true, TopK: -1}, "ada7dbf1ee9bfb5d"},
	{"dialog within an address", Options{Prompt: within(synPacket(), 28), Dialog: true, TopK: -1, PromptLabel: "a"}, "9290e7f4faabb946"},
	{"constrained within what cannot end", Options{Prompt: within(longSyn(), 80), Constrained: true, MaxRejects: 5}, "d9ffdd89ee89f356"},
	{"dialog behind queries", Options{PromptFlow: dataset.Lab().Only("dns").Flows[0], PromptPackets: 1, Dialog: true, TopK: -1}, "8c61b3ec50510411"},
}

// within are the tokens of a packet's first n bytes.
func within(p pcap.Packet, n int) []uint16 {
	return tokenizer.Encode(&pcap.Flow{Packets: []pcap.Packet{p}})[:tokenizer.Overhead+n]
}

// longSyn lies about its length, so that constrained sampling behind it cannot end the packet.
func longSyn() pcap.Packet {
	p := synPacket()
	p.Data = append(slices.Clone(p.Data), make([]byte, 40)...)
	p.Length = len(p.Data)
	return p
}

// TestGolden samples in every way there is and compares with the hashes of old. The
// naive kernels give the same logits on every amd64 processor.
func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other compilers fuse multiplications and additions, so the logits are others")
	}
	defer f32.SetPath(f32.Path())
	if err := f32.SetPath("naive"); err != nil {
		t.Fatal(err)
	}
	m := untrained(t)
	if err := m.SetLabels([]string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	aware := packetAware(t)
	for i, c := range golden {
		if testing.Short() && i%12 != 0 {
			continue
		}
		c.o.Flows, c.o.Quiet, c.o.Seed = 9, true, uint64(i)
		if c.o.Dialog {
			c.o.Flows = 20
		}
		if c.o.MaxTokens == 0 {
			c.o.MaxTokens = 500
		}
		if c.o.PromptFlow != nil {
			c.o.MaxTokens += 400
		}
		if c.o.MaxRejects == 0 {
			c.o.MaxRejects = 12
		}
		got := sha256.New()
		models := []*model.Model{m, aware}
		if c.o.PromptLabel != "" {
			models = models[:1]
		}
		for _, m := range models {
			r, err := Flows(m, c.o)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			t.Logf("%s: %s", c.name, r)
			write(got, r)
		}
		if h := hex.EncodeToString(got.Sum(nil)[:8]); h != c.want {
			t.Errorf("%s: the hash is %s, not %s", c.name, h, c.want)
		}
	}
}

// packetAware returns a model with another kind of heads and knowledge of packets.
func packetAware(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.New(model.Config{Layers: 1, Width: 12, HeadDim: 4, SoftmaxHeads: 1, LinearHeads: 1, RetentionHeads: 1, FeedForward: 16,
		Context: 64, Positions: model.PositionsRotary, Mark: tokenizer.Start, Offsets: 32, Copies: 1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// write puts all that does not depend on the clock into a hash.
func write(w io.Writer, r *Result) {
	fmt.Fprintln(w, r.Packets, r.Kept, r.Tokens, r.Tried, r.Rejected, r.Replaced, r.Repaired, r.Abandoned, r.Cut, r.Interrupted)
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		fmt.Fprintln(w, why, r.Reasons[why])
	}
	for _, f := range r.Flows {
		fmt.Fprintln(w, f.Label, f.Source, f.Key, len(f.Packets), f.Packets[0].Time.Format(time.RFC3339Nano))
		for _, t := range tokenizer.Encode(f) {
			_, _ = w.Write(binary.BigEndian.AppendUint16(nil, t))
		}
	}
}
