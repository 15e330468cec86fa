package sample

import (
	"path/filepath"
	"reflect"
	"testing"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// untrained returns a model that knows nothing: the hardest one to keep legal.
func untrained(t *testing.T) *model.Model {
	t.Helper()
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Window = 16, 4, 16, 16
	m, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestConstrainedIsLegal samples from a model that knows nothing; by
// construction every packet must be legal all the same.
func TestConstrainedIsLegal(t *testing.T) {
	for _, o := range []Options{{Constrained: true}, {Dialog: true}} {
		o.Flows, o.TopK, o.Quiet, o.MaxTokens, o.Seed = 40, -1, true, 1500, 3
		r, err := Flows(untrained(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rejected != 0 || len(r.Flows) != 40 || r.Tried < 40 {
			t.Errorf("dialog %v: %s, %v", o.Dialog, r, r.Reasons)
		}
		for _, f := range r.Flows {
			for i, p := range f.Packets {
				if err := tokenizer.Check(p); err != nil {
					t.Errorf("packet %d: %v", i, err)
				}
			}
		}
	}
}

// TestDialogIsOneFlow assembles each sampled flow again: it must be one flow.
func TestDialogIsOneFlow(t *testing.T) {
	r, err := Flows(untrained(t), Options{Dialog: true, Flows: 60, TopK: -1, Quiet: true, MaxTokens: 2000, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	tcp := 0
	for i, f := range r.Flows {
		if got := pcap.Assemble(f.Packets, pcap.FlowOptions{}); len(got) != 1 && f.Key.Protocol != 0 && f.Key.EtherType != 0x0806 {
			t.Errorf("flow %d of %d packets is %d flows", i, len(f.Packets), len(got))
		}
		if f.Key.Protocol == 6 && len(f.Packets) > 2 {
			tcp++
		}
	}
	if tcp == 0 {
		t.Error("no TCP flow of three packets was sampled, so nothing was tested")
	}
}

// TestPaperRule counts what the paper's rule does with illegal packets.
func TestPaperRule(t *testing.T) {
	m := untrained(t)
	o := Options{Flows: 3, TopK: -1, Quiet: true, MaxTokens: 300, MaxRejects: 15}
	r, err := Flows(m, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rejected == 0 || r.Rejected > 45 || r.Tried < r.Rejected || r.Repaired > r.Rejected {
		t.Errorf("%s", r)
	}
	again, err := Flows(m, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Duration, again.Duration = 0, 0
	if !reflect.DeepEqual(r, again) {
		t.Error("the same seed gave other flows")
	}
}

// TestPromptAndSave goes on from a flow's beginning.
func TestPromptAndSave(t *testing.T) {
	m := untrained(t)
	first, err := Flows(m, Options{Constrained: true, Flows: 1, Quiet: true, MaxTokens: 600, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Flows(m, Options{Constrained: true, Flows: 4, Quiet: true, MaxTokens: 1200, PromptFlow: first.Flows[0], PromptPackets: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range r.Flows {
		if string(f.Packets[0].Data) != string(first.Flows[0].Packets[0].Data) {
			t.Errorf("flow %d does not begin with the prompt", i)
		}
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	c, err := pcap.Read(path)
	if err != nil || len(c.Packets) != r.Packets {
		t.Errorf("%d packets were saved, %d are read (%v)", r.Packets, len(c.Packets), err)
	}
	for _, bad := range []Options{{Prompt: []uint16{5}}, {Prompt: []uint16{256, 999}}, {Flows: -1}, {Temperature: -1}, {TopP: 2}} {
		if _, err := Flows(m, bad); err == nil {
			t.Errorf("options %+v were taken", bad)
		}
	}
}
