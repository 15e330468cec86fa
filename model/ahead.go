package model

// One flow alone is bound by fetching the weights. StepAhead fetches the exact
// ones once for several tokens: a copy of the model with weights in 8 bits,
// a quarter of the bytes, goes ahead token by token, and the exact model follows with
// all of these tokens in one step. What it gives for each is what it gives
// token by token, to the last bit; where the next token asked for is another
// than the copy foresaw, the lane goes back to where they part. (Speculative
// decoding, Leviathan et al. 2023, with the model's own rounding as the draft.)
type lookahead struct {
	draft *Stream // one lane
	same  int     // so many keys and values of softmax heads are the exact ones

	lane   int
	lanes  []int    // lane, for each of a step's rows
	start  Snapshot // before tokens
	tokens []uint16 // fed to the lane, the first used of them asked for
	logits []float32
	used   int
	reach  int // tokens of the next step, at most
}

// A step takes at most longReach tokens: half as many behind a wrong guess, down
// to shortReach, and twice as many behind a step of right ones.
const (
	longReach  = 16
	shortReach = 4
)

// aheadFrom is how many weights a model needs for a gain: fewer stay in the cache.
var aheadFrom = 1 << 19

// StepAhead is Step for one lane. guess chooses, as the caller would, the token
// behind the ones so far, given logits close to those that Step would return; it is
// called token after token and must leave the caller's own choice as it is. ok
// false means not to look further, and is due where the caller may [Stream.Save]
// or go back; a lane that is further than what it was told takes longer to.
func (s *Stream) StepAhead(lane int, token uint16, guess func(logits []float32) (token uint16, ok bool)) ([]float32, error) {
	if s.bits != bits32 || s.m.packedLen(bits32) < aheadFrom || lane < 0 || lane >= len(s.lanes) {
		return s.Step([]int{lane}, []uint16{token})
	}
	if s.ahead == nil {
		s.ahead = &lookahead{draft: NewStream(s.m, 1), lane: -1, reach: longReach}
		s.ahead.draft.bits = bits8
	}
	a, v := s.ahead, s.m.cfg.Vocabulary
	if a.left(lane) > 0 && a.tokens[a.used] == token {
		a.used++
		return a.logits[(a.used-1)*v:][:v], nil
	}
	for _, id := range []int{a.lane, lane} {
		if err := s.settle(id); err != nil {
			return nil, err
		}
	}
	if err := a.run(s, lane, token, guess); err != nil {
		return nil, err
	}
	logits, err := s.step(a.rows(len(a.tokens)), a.tokens)
	if err != nil {
		a.tokens = a.tokens[:0]
		return nil, err
	}
	a.logits, a.used = append(a.logits[:0], logits...), 1
	return a.logits[:v], nil
}

// run begins a look ahead: it keeps the lane's state and lets the draft foresee
// what follows the token.
func (a *lookahead) run(s *Stream, lane int, token uint16, guess func(logits []float32) (uint16, bool)) error {
	if lane != a.lane {
		a.same = 0
	}
	if a.used == a.reach {
		a.reach = min(longReach, 2*a.reach)
	}
	a.lane, a.used = lane, 0
	s.save(lane, &a.start)
	a.take(&s.lanes[lane])
	a.tokens = append(a.tokens[:0], token)
	for len(a.tokens) < a.reach {
		logits, err := a.draft.Step([]int{0}, a.tokens[len(a.tokens)-1:])
		if err != nil {
			a.tokens = a.tokens[:0]
			return err
		}
		next, ok := guess(logits)
		if !ok {
			break
		}
		a.tokens = append(a.tokens, next)
	}
	return nil
}

// take gives the draft the lane's state.
func (a *lookahead) take(from *lane) {
	to := &a.draft.lanes[0]
	to.position = from.position
	to.history.restore(&from.history)
	copy(to.state, from.state)
	for i, x := range from.kv {
		width := 0
		if from.position > 0 {
			width = len(x) / from.position
		}
		to.kv[i] = append(to.kv[i][:a.same*width], x[a.same*width:]...)
	}
	a.same = from.position
}

// left is how many tokens a lane is ahead of what it was told.
func (a *lookahead) left(lane int) int {
	if a == nil || a.lane != lane {
		return 0
	}
	return len(a.tokens) - a.used
}

// settle takes a lane that is ahead back to what it was told.
func (s *Stream) settle(lane int) error {
	a := s.ahead
	if a.left(lane) == 0 {
		return nil
	}
	a.reach = max(shortReach, a.reach/2)
	told := a.tokens[:a.used]
	a.tokens, a.used = a.tokens[:0], 0
	s.restore(lane, &a.start)
	_, err := s.step(a.rows(len(told)), told)
	return err
}

// rows names the lane n times.
func (a *lookahead) rows(n int) []int {
	a.lanes = a.lanes[:0]
	for range n {
		a.lanes = append(a.lanes, a.lane)
	}
	return a.lanes
}

// forget drops what was foreseen of a lane that goes to another place.
func (a *lookahead) forget(lane, position int) {
	if a == nil || a.lane != lane {
		return
	}
	a.tokens, a.used = a.tokens[:0], 0
	a.same = min(a.same, position)
}
