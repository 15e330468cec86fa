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
	r, err := newRun(m, o)
	if err != nil {
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

// newRun gets ready to sample with complete options.
func newRun(m *model.Model, o Options) (*run, error) {
	// Large models have large states: fewer lanes then.
	o.Lanes = max(1, min(o.Lanes, stateLimit/(model.NewStream(m, 1).StateBytes(0)*(1+leastMarks))))
	r := &run{o: o, m: m, stream: model.NewStream(m, o.Lanes, model.StreamOptions{Half: o.Half, BF16: o.Precision == model.PrecisionBF16}), choose: newChooser(o), done: make([]*pcap.Flow, o.Flows),
		result: &Result{Model: m.Config().Name, Reasons: map[string]int{}}, lanes: make([]*lane, o.Lanes)}
	r.foreseen = new(rand.PCG)
	r.foresee = rand.New(r.foreseen)
	var err error
	r.prompt, err = o.prompt(m.Config().Labels)
	return r, err
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
	choose *chooser
	prompt []uint16
	lanes  []*lane // nil where there is nothing left to do
	next   int     // the next flow to begin
	done   []*pcap.Flow
	result *Result
	bar    *display.Bar
	one    []uint16

	ids    []int    // of the lanes in a round, once for each token
	tokens []uint16 // that they are fed
	grown  int      // of them, chosen in this round

	foreseen *rand.PCG // a lane's source while it looks ahead
	foresee  *rand.Rand
}

// loop samples until every flow is done; an interrupt ends those that are not.
func (r *run) loop(ctx context.Context) error {
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
	r.fill()
	for {
		if more, err := r.round(ctx); !more || err != nil {
			return err
		}
	}
}

// fill begins a flow on every lane.
func (r *run) fill() {
	for id := range r.lanes {
		r.begin(id)
	}
}

// feedRows is how many tokens that are known already, of prompts and of flows that are
// taken up again, one round feeds beside a token of each lane. They share the fetching of
// the model's weights.
const feedRows = 64

// round takes every lane one token further, or along its known ones; more is false when
// none is left.
func (r *run) round(ctx context.Context) (more bool, err error) {
	r.ids, r.tokens, r.grown = r.ids[:0], r.tokens[:0], 0
	known := feedRows
	for id := range r.lanes {
		l, err := r.toFeed(ctx, id)
		if err != nil {
			return false, err
		}
		if l == nil {
			continue
		}
		l.feeds = 1
		for known > 0 && l.fed+l.feeds < len(l.tokens) && !(l.keeps && l.marked(l.fed+l.feeds)) {
			l.feeds++
			known--
		}
		for _, t := range l.tokens[l.fed:][:l.feeds] {
			r.ids, r.tokens = append(r.ids, id), append(r.tokens, t)
		}
	}
	if len(r.ids) == 0 || ctx.Err() != nil {
		return false, ctx.Err()
	}
	logits, err := r.step(ctx, r.ids, r.tokens)
	if err != nil {
		return false, err
	}
	row := 0
	for id, l := range r.lanes {
		if l == nil {
			continue
		}
		row += l.feeds
		copy(l.logits, logits[(row-1)*tokenizer.Vocabulary:][:tokenizer.Vocabulary])
		l.fed += l.feeds
		l.remember(r.stream, id)
	}
	r.result.Tokens += r.grown
	return true, nil
}

// promptPiece is how many tokens of a long prompt are fed before an interrupt is looked for.
const promptPiece = 1 << 12

// toFeed takes a lane to where it has tokens to feed, nil where nothing is left to do. A long prompt goes through the model at
// once, as in training; it is never taken back, so no state within it is kept.
func (r *run) toFeed(ctx context.Context, id int) (*lane, error) {
	for {
		r.advance(id)
		l := r.lanes[id]
		if l == nil || l.fixed < feedRows || l.fed >= l.fixed {
			return l, nil
		}
		for l.fed < l.fixed {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			n := min(l.fixed-l.fed, promptPiece)
			logits, err := r.stream.Prompt(id, l.tokens[l.fed:][:n])
			if err != nil {
				return nil, err
			}
			copy(l.logits, logits)
			l.fed += n
		}
		l.remember(r.stream, id)
	}
}

// step feeds the lanes' tokens; a lane that is alone looks ahead.
func (r *run) step(ctx context.Context, ids []int, tokens []uint16) ([]float32, error) {
	l := r.lanes[ids[0]]
	if len(ids) > 1 || l.fed+1 < len(l.tokens) {
		return r.stream.Step(ids, tokens)
	}
	n := len(l.tokens)
	*r.foreseen = *l.source
	rules := l.rules
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
	l.tokens, l.rules = l.tokens[:n], rules
	return logits, err
}

// usualTokens is how many tokens of a flow there is room for from the start.
const usualTokens = 4096

// begin puts the next flow on a lane, in the memory of the one before.
func (r *run) begin(id int) {
	if r.next == r.o.Flows {
		r.lanes[id] = nil
		return
	}
	l := r.lanes[id]
	if l == nil {
		l = &lane{logits: make([]float32, tokenizer.Vocabulary), source: new(rand.PCG), tokens: make([]uint16, 0, min(r.o.MaxTokens, usualTokens))}
		l.rng = rand.New(l.source)
	}
	*l = lane{flow: r.next, source: l.source, rng: l.rng, fixed: len(r.prompt), keeps: !r.o.Constrained,
		logits: l.logits, tokens: append(l.tokens[:0], r.prompt...), starts: l.starts[:0], marks: l.marks[:0], talk: l.talk}
	l.source.Seed(r.o.Seed, uint64(r.next))
	for i, t := range l.tokens {
		if t == tokenizer.Start {
			l.starts = append(l.starts, i)
		}
	}
	r.next++
	r.lanes[id] = l
	r.stream.Reset(id)
}

// advance chooses tokens until the lane has one to feed, or nothing to do.
func (r *run) advance(id int) {
	for {
		l := r.lanes[id]
		if l == nil || l.fed < len(l.tokens) {
			return
		}
		if len(l.tokens) >= r.o.MaxTokens {
			r.result.Cut++
			r.end(id)
			r.begin(id)
			continue
		}
		v, why := r.judge(l, r.choose.choose(l.logits, r.allowed(l), l.rng))
		if why != nil {
			r.result.Rejected++
			r.result.Reasons[reason(why)]++
		}
		switch v {
		case goOn:
			r.grown++
		case goBack:
			l.back(r.stream, id)
		case finish, abandon:
			l.ended = v == finish
			if v == abandon {
				r.result.Abandoned++
			}
			r.end(id)
			r.begin(id)
		}
	}
}

// allowed is what the constrained mode lets the lane choose from, nil for all.
func (r *run) allowed(l *lane) *set {
	if !r.o.Constrained {
		return nil
	}
	return l.allowed(r.o)
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
