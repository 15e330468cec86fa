package sample

import (
	"errors"
	"fmt"
	"time"

	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// Options say what to sample. The zero value samples ten flows as the paper
// does: temperature 1 from the 25 most likely tokens.
type Options struct {
	Flows       int     // default 10
	Temperature float64 // default 1; the lower, the more likely tokens are preferred
	Greedy      bool    // always the most likely token
	TopK        int     // choose among so many tokens; default 25, negative for all
	TopP        float64 // choose among the fewest tokens with this probability together; 0 for all
	MinP        float64 // drop tokens less likely than this times the most likely; 0 for none
	// Seed of the flows: on the same processor flow i depends on it and on i alone,
	// not on how many flows there are or how many Lanes they take.
	Seed uint64

	// Every flow goes on from this beginning: tokens, or the first
	// PromptPackets packets of a flow (all of them when 0).
	Prompt        []uint16
	PromptLabel   string // of a model trained with labels: what the flow is to be; goes with the others
	PromptFlow    *pcap.Flow
	PromptPackets int

	// Constrained lets the model choose only what can still become a legal
	// packet: link type, lengths and the structure of IP, TCP and UDP hold by
	// construction. Dialog also makes each flow one conversation: the addresses
	// and ports of its first packet, and TCP from its handshake on with numbers
	// that go on from where each side is; it implies Constrained.
	Constrained bool
	Dialog      bool

	// Repair puts lengths and checksums of sampled packets right, as tokenizer.Repair
	// does: a packet that is legal then is kept instead of rejected, and the checksums
	// of all others are put right too. Result.Repaired counts what it changed.
	Repair bool

	MaxTokens  int // longest flow, default 4,096; a flow may be longer than the model's context
	MaxPackets int // most packets of a flow, 0 for any number
	MaxRejects int // a flow ends early after so many illegal packets, default 200
	Lanes      int // flows side by side, default 32

	// Half rounds weights to 16 bits while sampling: with few lanes faster, with
	// other tokens drawn now and then.
	Half bool
	// Precision of matrix products: "fp32" (default) is exact; "bf16" rounds weights and what they are multiplied with to
	// bfloat16, which with many lanes takes little more than half the time where the processor has instructions for it
	// (elsewhere it is Half). Other tokens are drawn now and then.
	Precision string

	Start time.Time // of the first flow's first packet; each flow starts a second after the one before
	Label string    // of the flows, default PromptLabel or "generated"
	Quiet bool      // no progress bar
}

func (o Options) complete() (Options, error) {
	for _, f := range []struct {
		field string
		value int
	}{{"Flows", o.Flows}, {"PromptPackets", o.PromptPackets}, {"MaxTokens", o.MaxTokens}, {"MaxPackets", o.MaxPackets}, {"MaxRejects", o.MaxRejects}, {"Lanes", o.Lanes}} {
		if f.value < 0 {
			return o, fmt.Errorf("sample.Options.%s is %d: it must not be negative", f.field, f.value)
		}
	}
	switch o.Precision {
	case "", model.PrecisionFP32:
	case model.PrecisionBF16:
		if o.Half {
			return o, fmt.Errorf("sample.Options.Half and Precision %q are both set: weights are rounded in one way", o.Precision)
		}
	default:
		return o, fmt.Errorf("sample.Options.Precision is %q: it must be %q or %q", o.Precision, model.PrecisionFP32, model.PrecisionBF16)
	}
	switch {
	case !(o.Temperature >= 0):
		return o, fmt.Errorf("sample.Options.Temperature is %g: it must not be negative", o.Temperature)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return o, fmt.Errorf("sample.Options.TopP is %g: it must lie in [0, 1]", o.TopP)
	case !(o.MinP >= 0 && o.MinP <= 1):
		return o, fmt.Errorf("sample.Options.MinP is %g: it must lie in [0, 1]", o.MinP)
	case o.Prompt != nil && o.PromptFlow != nil:
		return o, errors.New("sample.Options.Prompt and PromptFlow are both set: a flow has one beginning")
	}
	set := func(x *int, value int) {
		if *x == 0 {
			*x = value
		}
	}
	set(&o.Flows, 10)
	set(&o.TopK, 25)
	set(&o.MaxTokens, 4096)
	set(&o.MaxRejects, 200)
	set(&o.Lanes, 32)
	o.Lanes = min(o.Lanes, o.Flows)
	o.Constrained = o.Constrained || o.Dialog
	if o.Temperature == 0 {
		o.Temperature = 1
	}
	if o.Start.IsZero() {
		o.Start = time.Unix(1_700_000_000, 0).UTC()
	}
	if o.Label == "" {
		o.Label = o.PromptLabel
	}
	if o.Label == "" {
		o.Label = "generated"
	}
	return o, nil
}
