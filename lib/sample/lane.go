package sample

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// lane is one flow in the making.
type lane struct {
	flow   int // its number
	source *rand.PCG
	rng    *rand.Rand // of source
	tokens []uint16
	starts []int // where each packet's start token is
	fixed  int   // tokens of the prompt, which are never taken back
	logits []float32
	marks  []mark // snapshots behind the newest start tokens, oldest first
	fed    int    // tokens the model has seen
	failed int    // illegal packets so far
	owed   int    // of them, not yet replaced by a legal one
	owedAt int    // at this packet
	ended  bool
	talk   dialog // what the packets before the last one ask for
	talkOf int    // packets it was read of
}

// mark is the model's state right behind a start token.
type mark struct {
	at     int // tokens seen, the start token included
	state  model.Snapshot
	logits []float32
}

// A lane keeps at most maxMarks snapshots, fewer where states are large, but at
// least leastMarks: the paper's rule needs the packet's and its predecessor's.
// Going back further than they reach feeds the tokens again.
const (
	maxMarks   = 6
	leastMarks = 2
	stateLimit = 2 << 30 // bytes, of all lanes' states and snapshots about
)

// verdict is what a lane makes of a chosen token.
type verdict int

const (
	goOn    verdict = iota // feed it
	goBack                 // the packet was illegal: take up again at a mark
	finish                 // the flow is complete
	abandon                // too many illegal packets
)

// judge takes a chosen token. A packet is looked at when the token behind it
// shows that it is complete; the error says why it is illegal.
func (r *run) judge(l *lane, t uint16) (verdict, error) {
	if t < tokenizer.Start {
		l.tokens = append(l.tokens, t)
		return goOn, nil
	}
	var why error
	if t != tokenizer.Start && t != tokenizer.End {
		why = errors.New("a special token within a packet")
	} else {
		why = r.check(l.tokens[l.starts[len(l.starts)-1]:])
	}
	r.result.Tried++
	if why != nil {
		l.failed++
		if l.owed == 0 || len(l.starts)-1 > l.owedAt {
			l.owedAt = len(l.starts) - 1
		}
		l.owed++
		if l.failed >= r.o.MaxRejects {
			return abandon, why
		}
		return goBack, why
	}
	if l.owed > 0 && len(l.starts)-1 >= l.owedAt {
		r.result.Replaced += l.owed
		l.owed = 0
	}
	if t == tokenizer.End || r.o.MaxPackets > 0 && len(l.starts) >= r.o.MaxPackets {
		l.tokens = append(l.tokens, tokenizer.End)
		return finish, nil
	}
	l.starts = append(l.starts, len(l.tokens))
	l.tokens = append(l.tokens, t)
	return goOn, nil
}

// check says why one packet's tokens are illegal.
func (r *run) check(packet []uint16) error {
	r.one = append(append(r.one[:0], packet...), tokenizer.End)
	packets, err := tokenizer.Decode(r.one)
	if err != nil {
		var at *tokenizer.PositionError
		if errors.As(err, &at) {
			return errors.New(at.Problem)
		}
		return err
	}
	why := tokenizer.Check(packets[0])
	if why != nil && r.o.Repair {
		fixed, _ := tokenizer.Repair(packets[0])
		if tokenizer.Check(fixed) == nil {
			return nil
		}
	}
	return why
}

// back discards the illegal packet and takes the flow up again at the start
// token of that packet's predecessor (its own, for the first packet and behind
// a prompt), as the paper does.
func (l *lane) back(ctx context.Context, s *model.Stream, id int) error {
	i := max(0, len(l.starts)-2)
	for l.starts[i] < l.fixed && i < len(l.starts)-1 {
		i++
	}
	to := max(l.starts[i]+1, l.fixed)
	l.starts = l.starts[:i+1]
	l.talkOf = 0
	l.tokens = l.tokens[:to]
	for n := len(l.marks) - 1; n >= 0; n-- {
		if m := &l.marks[n]; m.at == to {
			s.Restore(id, &m.state)
			copy(l.logits, m.logits)
			l.marks = l.marks[:n+1]
			l.fed = to
			return nil
		}
	}
	l.marks = l.marks[:0]
	l.fed = 0
	s.Reset(id)
	return l.replay(ctx, s, id)
}

// feedRows is how many known tokens are fed at once: they share the fetching of
// the model's weights.
const feedRows = 64

// promptPiece is how many tokens of a long prompt are fed before an interrupt is looked for.
const promptPiece = 1 << 12

// replay feeds the tokens the model has not seen. A long prompt goes through the model as in training; it is never
// taken back, so no state within it is kept.
func (l *lane) replay(ctx context.Context, s *model.Stream, id int) error {
	for l.fixed >= feedRows && l.fed < l.fixed {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := min(l.fixed-l.fed, promptPiece)
		logits, err := s.Prompt(id, l.tokens[l.fed:l.fed+n])
		if err != nil {
			return err
		}
		copy(l.logits, logits)
		if l.fed += n; l.fed == l.fixed {
			l.remember(s, id)
		}
	}
	for l.fed < len(l.tokens) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := 1
		for n < feedRows && l.fed+n < len(l.tokens) && !l.marked(l.fed+n) {
			n++
		}
		logits, err := s.Step(slices.Repeat([]int{id}, n), l.tokens[l.fed:l.fed+n])
		if err != nil {
			return err
		}
		copy(l.logits, logits[(n-1)*tokenizer.Vocabulary:])
		l.fed += n
		l.remember(s, id)
	}
	return nil
}

// marked says whether the state behind the first n tokens is kept: behind a start
// token, or the last of the prompt.
func (l *lane) marked(n int) bool { return l.tokens[n-1] == tokenizer.Start || n == l.fixed }

// remember keeps the state where it is to be marked.
func (l *lane) remember(s *model.Stream, id int) {
	if !l.marked(l.fed) {
		return
	}
	var m mark
	most := max(leastMarks, min(maxMarks, stateLimit/(s.Lanes()*s.StateBytes(id))-1))
	if len(l.marks) >= most { // use the oldest one's memory again
		m = l.marks[0]
		l.marks = append(l.marks[:0], l.marks[1:]...)
	}
	m.at = l.fed
	s.Save(id, &m.state)
	m.logits = append(m.logits[:0], l.logits...)
	l.marks = append(l.marks, m)
}

// packets are the complete legal packets of a lane's flow.
func (r *run) packets(l *lane) ([]pcap.Packet, []uint16) {
	tokens := l.tokens[l.starts[0]:]
	if !l.ended { // the last packet is not complete
		tokens = append(append([]uint16(nil), tokens[:l.starts[len(l.starts)-1]-l.starts[0]]...), tokenizer.End)
	}
	packets, err := tokenizer.Decode(tokens, tokenizer.Options{Start: r.o.Start.Add(r.after(l.flow))})
	if err != nil {
		return nil, nil
	}
	if r.o.Repair {
		var report *tokenizer.RepairReport
		packets, report = tokenizer.RepairAll(packets)
		r.result.Repaired += report.Repaired
	}
	return packets, tokens
}
