package sample

import (
	"testing"
	"time"

	"trafficgpt/lib/train"
	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// TestLabels trains on two kinds of flows that differ in their bytes and asks
// for each kind.
func TestLabels(t *testing.T) {
	var flows []*pcap.Flow
	for i := range 40 {
		f := &pcap.Flow{Label: []string{"ones", "twos"}[i%2]}
		data := []byte{0, 0, 0, 0}
		for j := range data {
			data[j] = byte(1 + i%2)
		}
		f.Packets = append(f.Packets, pcap.Packet{Time: time.Unix(0, 0), Data: data, Length: 4, LinkType: 147})
		flows = append(flows, f)
	}
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Context = 32, 8, 32, 64
	m, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(m, flows, nil, train.Options{Steps: 150, Quiet: true, Labels: true, LearningRate: 5e-3}); err != nil {
		t.Fatal(err)
	}
	for want, label := range map[byte]string{1: "ones", 2: "twos"} {
		r, err := Flows(m, Options{Flows: 20, PromptLabel: label, Quiet: true, TopK: 2, MaxTokens: 60})
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for _, f := range r.Flows {
			if f.Label == label && f.Packets[0].Data[0] == want {
				right++
			}
		}
		if right < 17 {
			t.Errorf("%d of %d flows are %s: %s", right, len(r.Flows), label, r)
		}
	}
	if _, err := Flows(m, Options{PromptLabel: "threes"}); err == nil {
		t.Error("an unknown label was taken")
	}
	if _, err := train.Run(m, []*pcap.Flow{{Packets: flows[0].Packets}}, nil, train.Options{Steps: 1, Quiet: true}); err != nil {
		t.Errorf("a flow without a label: %v", err)
	}
}
