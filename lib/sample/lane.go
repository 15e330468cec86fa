package sample

import (
	"errors"
	"math/rand/v2"

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
	keeps  bool   // snapshots are kept
	fed    int    // tokens the model has seen
	feeds  int    // tokens it is shown in this round
	failed int    // illegal packets so far
	owed   int    // of them, not yet replaced by a legal one
	owedAt int    // at this packet
	ended  bool
	rules  grammar
	talk   dialog // what the packets before the last one ask for
	talkOf int    // packets it was read of
}

// allowed is what grammar and dialog let the lane choose from.
func (l *lane) allowed(o Options) *set {
	n := len(l.starts)
	last := l.starts[n-1]
	if o.Dialog {
		switch {
		case l.talkOf == n:
		case l.talkOf == n-1 && n > 1:
			l.talk.add(l.tokens[l.starts[n-2]:last])
		default:
			l.talk.read(l.tokens, l.starts)
		}
		l.talkOf = n
		l.rules.tcp = &l.talk
	}
	return l.rules.next(l.tokens[last:], o.MaxTokens-len(l.tokens)-1, last == l.starts[0])
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
	l.rules.forget()
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
// a prompt), as the paper does. Where no snapshot was kept the model is shown the
// flow again.
func (l *lane) back(s *model.Stream, id int) {
	l.keeps = true
	to := l.cut()
	for n := len(l.marks) - 1; n >= 0; n-- {
		if m := &l.marks[n]; m.at == to {
			s.Restore(id, &m.state)
			copy(l.logits, m.logits)
			l.marks = l.marks[:n+1]
			l.fed = to
			return
		}
	}
	l.marks = l.marks[:0]
	l.fed = 0
	s.Reset(id)
}

// cut takes back the tokens that back discards, and returns how many are left.
func (l *lane) cut() int {
	i := max(0, len(l.starts)-2)
	for l.starts[i] < l.fixed && i < len(l.starts)-1 {
		i++
	}
	to := max(l.starts[i]+1, l.fixed)
	l.starts, l.tokens = l.starts[:i+1], l.tokens[:to]
	l.talkOf = 0
	l.rules.forget()
	return to
}

// marked says whether the state behind the first n tokens is kept: behind a start
// token, or the last of the prompt.
func (l *lane) marked(n int) bool { return l.tokens[n-1] == tokenizer.Start || n == l.fixed }

// remember keeps the state where it is to be marked. Constrained flows are not taken back,
// unless a prompt cannot become a legal packet: they keep none before the first time.
func (l *lane) remember(s *model.Stream, id int) {
	if !l.keeps || !l.marked(l.fed) {
		return
	}
	most := max(leastMarks, min(maxMarks, stateLimit/(s.Lanes()*s.StateBytes(id))-1))
	n := len(l.marks)
	switch {
	case n >= most: // use the oldest one's memory again
		oldest := l.marks[0]
		copy(l.marks, l.marks[1:])
		n--
		l.marks[n] = oldest
	case n < cap(l.marks): // or that of one that is no longer valid
		l.marks = l.marks[:n+1]
	default:
		l.marks = append(l.marks, mark{})
	}
	m := &l.marks[n]
	m.at = l.fed
	s.Save(id, &m.state)
	m.logits = append(m.logits[:0], l.logits...)
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
