package sample

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"trafficgpt/display"
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

// some is how many flows a test samples: with -short, which the race detector
// runs with, fewer.
func some(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// TestConstrainedIsLegal samples from a model that knows nothing; by
// construction every packet must be legal all the same.
func TestConstrainedIsLegal(t *testing.T) {
	for _, o := range []Options{{Constrained: true}, {Dialog: true, Half: true}, {Dialog: true, Precision: model.PrecisionBF16}} {
		o.Flows, o.TopK, o.Quiet, o.MaxTokens, o.Seed = some(40), -1, true, 600, 3
		r, err := Flows(untrained(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rejected != 0 || len(r.Flows) != o.Flows || r.Tried < o.Flows {
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
	r, err := Flows(untrained(t), Options{Dialog: true, Flows: some(40), TopK: -1, Quiet: true, MaxTokens: 500, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range r.Flows {
		if got := pcap.Assemble(f.Packets, pcap.FlowOptions{}); len(got) != 1 && f.Key.Protocol != 0 {
			t.Errorf("flow %d of %d packets is %d flows", i, len(f.Packets), len(got))
		}
	}
}

// synPacket opens a connection from 10.0.0.1:1025 to 10.0.0.2:80 at sequence
// number 100.
func synPacket() pcap.Packet {
	data := append(make([]byte, 12), 8, 0,
		0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		4, 1, 0, 80, 0, 0, 0, 100, 0, 0, 0, 0, 0x50, flagSyn, 255, 255, 0, 0, 0, 0)
	return pcap.Packet{Time: time.Unix(0, 0), Data: data, Length: len(data), LinkType: 1}
}

// TestDialogKeepsTCPState lets a model that knows nothing answer a SYN: numbers
// and flags must be those of a connection all the same.
func TestDialogKeepsTCPState(t *testing.T) {
	syn := &pcap.Flow{Packets: []pcap.Packet{synPacket()}}
	r, err := Flows(untrained(t), Options{Dialog: true, Flows: max(some(40), 17), TopK: -1, Quiet: true, MaxTokens: 1500, Seed: 5, PromptFlow: syn})
	if err != nil {
		t.Fatal(err)
	}
	long := 0
	for i, f := range r.Flows {
		var next [2]uint32 // by side: expected sequence number
		next[0] = 101
		for j, p := range f.Packets[1:] {
			ip := p.Data[14:]
			tcp := ip[int(ip[0]&15)*4:]
			side := 0
			if ip[15] == 2 {
				side = 1
			}
			seq, ack, flags := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13]
			if j == 0 {
				if side != 1 || flags != flagSyn|flagAck && flags != flagRst|flagAck {
					t.Errorf("flow %d: the SYN was answered by side %d with flags %02x", i, side, flags)
				}
			} else if seq != next[side] || flags&flagSyn != 0 {
				t.Errorf("flow %d packet %d: sequence number %d, not %d, or flags %02x", i, j+1, seq, next[side], flags)
			}
			if ack != next[1-side] {
				t.Errorf("flow %d packet %d: acknowledges %d, not %d", i, j+1, ack, next[1-side])
			}
			next[side] = seq + uint32(len(tcp)-int(tcp[12]>>4)*4)
			if flags&(flagSyn|flagFin) != 0 {
				next[side]++
			}
			if j >= 1 {
				long++
			}
		}
	}
	if long == 0 {
		t.Error("no flow went beyond its handshake, so nothing was tested")
	}
}

// TestRepair leaves no wrong checksum.
func TestRepair(t *testing.T) {
	r, err := Flows(untrained(t), Options{Constrained: true, Repair: true, Flows: some(20), TopK: -1, Quiet: true, MaxTokens: 500, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Repaired == 0 {
		t.Error("a model that knows nothing wrote right checksums")
	}
	for _, f := range r.Flows {
		for i, p := range f.Packets {
			if _, fields := tokenizer.Repair(p); len(fields) > 0 || tokenizer.Check(p) != nil {
				t.Errorf("packet %d still has %v", i, fields)
			}
		}
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
	if r.Rejected == 0 || r.Rejected > 45 || r.Tried < r.Rejected || r.Replaced > r.Rejected {
		t.Errorf("%s", r)
	}
	again, err := Flows(m, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Duration, again.Duration, r.CPU, again.CPU = 0, 0, 0, 0
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

// TestInterrupted ends sampling before its prompt is fed and at some moment later: what
// comes back are the packets that the same options give, up to there.
func TestInterrupted(t *testing.T) {
	m := lookingAhead(t)
	o := Options{Flows: 3, Constrained: true, Quiet: true, MaxTokens: 2000, Seed: 4, Lanes: 1}
	whole, err := Flows(m, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		for _, lanes := range []int{1, 3} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			leave := display.Enter(ctx, discard{})
			o.Lanes = lanes
			r, err := Flows(m, o)
			leave()
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			if after == 0 && (!r.Interrupted || r.Tokens != 0) {
				t.Errorf("interrupted at once: %+v", r)
			}
			for i, f := range r.Flows { // a flow without a whole packet is left out, so places may differ
				if !slices.ContainsFunc(whole.Flows, func(w *pcap.Flow) bool {
					return len(f.Packets) <= len(w.Packets) && reflect.DeepEqual(f.Packets, w.Packets[:len(f.Packets)])
				}) {
					t.Errorf("after %v, %d lanes: flow %d is not the beginning of what it is without an interrupt", after, lanes, i)
				}
			}
		}
	}
}

type discard struct{}

func (discard) Emit(display.Event) error { return nil }

// lookingAhead returns a model that knows nothing and is large enough to look ahead.
func lookingAhead(t *testing.T) *model.Model {
	t.Helper()
	c := model.Tiny()
	c.Layers, c.Width, c.HeadDim, c.FeedForward, c.Window = 2, 192, 16, 512, 16
	m, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLanes samples flows one by one (then a lane looks ahead) and side by side, with
// as many lanes as flows and with fewer: flow i depends on the seed and on i alone.
func TestLanes(t *testing.T) {
	m := lookingAhead(t)
	flows := func(o Options, n, lanes int, seed uint64) []*pcap.Flow {
		t.Helper()
		o.Flows, o.Quiet, o.MaxTokens, o.Lanes, o.Seed = n, true, 150, lanes, seed
		r, err := Flows(m, o)
		if err != nil {
			t.Fatal(err)
		}
		return r.Flows
	}
	ways := []Options{{Constrained: true}, {TopK: -1, MaxRejects: 9}, {TopK: -1, Dialog: true, Temperature: 0.7, TopP: 0.9, MinP: 0.01}}
	if testing.Short() {
		ways = ways[:1]
	}
	for _, o := range ways {
		first := flows(o, 5, 1, 11)
		if o.Constrained && len(first) != 5 {
			t.Errorf("%+v: %d flows, not 5", o, len(first))
		}
		for _, lanes := range []int{1, 2, 5} {
			if !reflect.DeepEqual(first, flows(o, 5, lanes, 11)) {
				t.Errorf("%+v: %d lanes gave other flows than one", o, lanes)
			}
		}
		if more := flows(o, 8, 8, 11); len(first) == 5 && !reflect.DeepEqual(first, more[:5]) {
			t.Errorf("%+v: the first 5 of 8 flows are others than 5", o)
		}
		if len(first) > 0 && reflect.DeepEqual(first, flows(o, 5, 4, 12)) {
			t.Errorf("%+v: another seed gave the same flows", o)
		}
	}
}
