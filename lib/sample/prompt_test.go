package sample

import (
	"reflect"
	"testing"

	"trafficgpt/tokenizer/pcap"
)

// TestLongPrompt wants the same flows behind a prompt that goes through the model at once, however many lanes there are, and
// packets that are taken back behind it.
func TestLongPrompt(t *testing.T) {
	flow := &pcap.Flow{Packets: []pcap.Packet{synPacket(), synPacket(), synPacket()}}
	o := Options{Flows: 5, Quiet: true, MaxTokens: 900, Seed: 3, MaxRejects: 12, PromptFlow: flow, Dialog: true}
	want := []*pcap.Flow(nil)
	for _, lanes := range []int{1, 2, 5} {
		o.Lanes = lanes
		r, err := Flows(untrained(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Flows) == 0 || len(r.Flows[0].Packets) < len(flow.Packets) {
			t.Fatalf("%d flows; the first does not begin with the prompt", len(r.Flows))
		}
		if want == nil {
			want = r.Flows
		}
		if !reflect.DeepEqual(r.Flows, want) {
			t.Errorf("with %d lanes there are other flows than with one", lanes)
		}
	}
	o.Dialog, o.Constrained = false, false
	if r, err := Flows(untrained(t), o); err != nil || r.Rejected == 0 {
		t.Errorf("nothing was taken back behind the prompt: %v", err)
	}
}
