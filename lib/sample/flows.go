// Package sample lets models write traffic: token by token with a state of
// constant size, many flows at once, back into packets and captures. It also asks
// models what they make of real traffic.
//
//	r := must(sample.Flows(m, sample.Options{Flows: 50, Seed: 1, Dialog: true}))
//	must(r.Save("sampled.pcap"))
//
// [Flows] writes, [ScoreAll] and [Meter] measure how surprising flows are, [Embed]
// makes vectors of them.
//
// Words:
//
//   - lane: one flow in the making, beside others;
//   - mark: the model's state behind a start token, to which a lane goes back when
//     the packet it began is illegal;
//   - rejected, replaced: an illegal packet is rejected, and replaced when a legal one
//     was sampled in its place;
//   - repaired: lengths and checksums put right by rule, with Options.Repair;
//   - constrained: only tokens that can still become a legal packet are drawn;
//   - dialog: what the packets so far ask of the next one in a TCP conversation.
package sample

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Flows samples flows from the model. A packet that does not parse or lies
// about its lengths is discarded, and its flow taken up again at the start
// token of the packet before it. An interrupt keeps the flows that are ready,
// and the packets of those that are not.
func Flows(m *model.Model, opts Options) (*Result, error) {
	if m == nil {
		return nil, errors.New("failed to sample: there is no model")
	}
	if v := m.Config().Vocabulary; v != tokenizer.Vocabulary {
		return nil, fmt.Errorf("failed to sample: the model's vocabulary is %d tokens, not %d", v, tokenizer.Vocabulary)
	}
	if m.Config().Bidirectional {
		return nil, errors.New("failed to sample: a bidirectional model sees what follows, so it cannot go token by token")
	}
	o, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("failed to sample: %w", err)
	}
	// Large models have large states: fewer lanes then.
	o.Lanes = max(1, min(o.Lanes, stateLimit/(model.NewStream(m, 1).StateBytes(0)*(1+leastMarks))))
	r := &run{o: o, m: m, stream: model.NewStream(m, o.Lanes, model.StreamOptions{Half: o.Half}), choose: chooser{o: o}, done: make([]*pcap.Flow, o.Flows),
		result: &Result{Model: m.Config().Name, Reasons: map[string]int{}}}
	r.foreseen = new(rand.PCG)
	r.foresee = rand.New(r.foreseen)
	if r.prompt, err = o.prompt(m.Config().Labels); err != nil {
		return nil, err
	}
	if !o.Quiet {
		r.bar = display.Progress("Sampling", o.Flows, display.ProgressOptions{Unit: "flows"})
		defer r.bar.Done()
	}
	start, used := time.Now(), processorTime()
	if err := r.loop(display.Context()); err != nil {
		return nil, err
	}
	r.result.Duration, r.result.CPU = time.Since(start), processorTime()-used
	for _, f := range r.done {
		if f != nil {
			r.result.Flows = append(r.result.Flows, f)
		}
	}
	return r.result, nil
}

// prompt returns the tokens every flow begins with: the label, if one is asked
// for, and a start token at least.
func (o Options) prompt(labels []string) ([]uint16, error) {
	tokens, err := o.beginning()
	if err != nil || o.PromptLabel == "" {
		return tokens, err
	}
	i := slices.Index(labels, o.PromptLabel)
	if i < 0 {
		return nil, fmt.Errorf("failed to sample: the model knows no label %q, but %q", o.PromptLabel, labels)
	}
	return append([]uint16{tokenizer.Cls, uint16(i)}, tokens...), nil
}

// beginning is the part of a prompt that belongs to the flow.
func (o Options) beginning() ([]uint16, error) {
	tokens := o.Prompt
	if f := o.PromptFlow; f != nil {
		part := *f
		if o.PromptPackets > 0 && o.PromptPackets < len(f.Packets) {
			part.Packets = f.Packets[:o.PromptPackets]
		}
		tokens = tokenizer.Encode(&part)
		tokens[len(tokens)-1] = tokenizer.Start // where the flow would end, a packet begins
	}
	if len(tokens) == 0 {
		return []uint16{tokenizer.Start}, nil
	}
	if tokens[0] != tokenizer.Start {
		return nil, fmt.Errorf("failed to sample: the prompt begins with token %d, not with the start token %d", tokens[0], tokenizer.Start)
	}
	for i, t := range tokens {
		if t > tokenizer.Start {
			return nil, fmt.Errorf("failed to sample: token %d of the prompt is %d, which is no part of a packet", i, t)
		}
	}
	if len(tokens) >= o.MaxTokens {
		return nil, fmt.Errorf("failed to sample: the prompt has %d tokens, flows at most %d", len(tokens), o.MaxTokens)
	}
	return tokens, nil
}

// run is one call of Flows.
type run struct {
	o      Options
	m      *model.Model
	stream *model.Stream
	choose chooser
	prompt []uint16
	lanes  []*lane // nil where there is nothing left to do
	next   int     // the next flow to begin
	done   []*pcap.Flow
	result *Result
	bar    *display.Bar
	one    []uint16
	rules  grammar

	foreseen *rand.PCG // a lane's source while it looks ahead
	foresee  *rand.Rand
}

// loop samples until every flow is done; an interrupt ends those that are not.
func (r *run) loop(ctx context.Context) error {
	r.lanes = make([]*lane, r.o.Lanes)
	err := r.steps(ctx)
	if err == nil || err != ctx.Err() {
		return err
	}
	r.result.Interrupted = true
	for id, l := range r.lanes {
		if l != nil {
			r.end(id)
		}
	}
	return nil
}

// steps steps all lanes. It returns the context's error when that is over.
func (r *run) steps(ctx context.Context) error {
	for id := range r.lanes {
		if err := r.begin(ctx, id); err != nil {
			return err
		}
	}
	var ids []int
	var tokens []uint16
	for {
		ids, tokens = ids[:0], tokens[:0]
		for id := range r.lanes {
			if err := r.advance(ctx, id); err != nil {
				return err
			}
			if l := r.lanes[id]; l != nil {
				ids, tokens = append(ids, id), append(tokens, l.tokens[l.fed])
			}
		}
		if len(ids) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		logits, err := r.step(ctx, ids, tokens)
		if err != nil {
			return err
		}
		for i, id := range ids {
			l := r.lanes[id]
			copy(l.logits, logits[i*tokenizer.Vocabulary:][:tokenizer.Vocabulary])
			l.fed++
			l.remember(r.stream, id)
		}
		r.result.Tokens += len(ids)
	}
}

// step feeds the lanes' tokens; a lane that is alone looks ahead.
func (r *run) step(ctx context.Context, ids []int, tokens []uint16) ([]float32, error) {
	if len(ids) > 1 {
		return r.stream.Step(ids, tokens)
	}
	l := r.lanes[ids[0]]
	n := len(l.tokens)
	*r.foreseen = *l.source
	logits, err := r.stream.StepAhead(ids[0], tokens[0], func(logits []float32) (uint16, bool) {
		if l.marked(n) || len(l.tokens) >= r.o.MaxTokens || ctx.Err() != nil {
			return 0, false
		}
		t := r.choose.choose(logits, r.allowed(l), r.foresee)
		if t >= tokenizer.Start { // behind it the lane may go back, or be marked
			return 0, false
		}
		l.tokens = append(l.tokens, t)
		return t, true
	})
	l.tokens = l.tokens[:n]
	return logits, err
}

// begin puts the next flow on a lane.
func (r *run) begin(ctx context.Context, id int) error {
	if r.next == r.o.Flows {
		r.lanes[id] = nil
		return nil
	}
	source := rand.NewPCG(r.o.Seed, uint64(r.next))
	l := &lane{flow: r.next, source: source, rng: rand.New(source), fixed: len(r.prompt),
		logits: make([]float32, tokenizer.Vocabulary), tokens: append([]uint16(nil), r.prompt...)}
	for i, t := range l.tokens {
		if t == tokenizer.Start {
			l.starts = append(l.starts, i)
		}
	}
	if old := r.lanes[id]; old != nil { // snapshots' memory goes on to the next flow
		l.marks = old.marks[:0]
	}
	r.next++
	r.lanes[id] = l
	r.stream.Reset(id)
	return l.replay(ctx, r.stream, id)
}

// advance chooses tokens until the lane has one to feed, or nothing to do.
func (r *run) advance(ctx context.Context, id int) error {
	for r.lanes[id] != nil {
		l := r.lanes[id]
		if len(l.tokens) >= r.o.MaxTokens {
			r.result.Cut++
			r.end(id)
			if err := r.begin(ctx, id); err != nil {
				return err
			}
			continue
		}
		v, why := r.judge(l, r.choose.choose(l.logits, r.allowed(l), l.rng))
		if why != nil {
			r.result.Rejected++
			r.result.Reasons[reason(why)]++
		}
		switch v {
		case goOn:
			return nil
		case goBack:
			if err := l.back(ctx, r.stream, id); err != nil {
				return err
			}
		case finish, abandon:
			l.ended = v == finish
			if v == abandon {
				r.result.Abandoned++
			}
			r.end(id)
			if err := r.begin(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowed is what the constrained mode lets the lane choose from, nil for all.
func (r *run) allowed(l *lane) []bool {
	if !r.o.Constrained {
		return nil
	}
	last := l.starts[len(l.starts)-1]
	r.rules.tcp = nil
	if r.o.Dialog {
		switch n := len(l.starts); {
		case l.talkOf == n:
		case l.talkOf == n-1 && n > 1:
			l.talk.add(l.tokens[l.starts[n-2]:last])
		default:
			l.talk.read(l.tokens, l.starts)
		}
		l.talkOf = len(l.starts)
		r.rules.tcp = &l.talk
	}
	return r.rules.next(l.tokens[last:], r.o.MaxTokens-len(l.tokens)-1, last == l.starts[0])
}

// after is when a flow starts, counted from the first.
func (r *run) after(flow int) time.Duration { return time.Duration(flow) * time.Second }

// end turns a lane's tokens into a flow.
func (r *run) end(id int) {
	l := r.lanes[id]
	packets, tokens := r.packets(l)
	if r.bar != nil {
		r.bar.Add(1)
	}
	if len(packets) == 0 {
		return
	}
	f := &pcap.Flow{Label: r.o.Label, Source: "sampled", Packets: packets}
	if known := pcap.Assemble(packets[:1], pcap.FlowOptions{}); len(known) > 0 {
		f.Key = known[0].Key
	}
	r.done[l.flow] = f
	r.result.Packets += len(packets)
	r.result.Kept += len(tokens)
}
