package train

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// feed packs flows one after another into sequences of a fixed length, without
// padding: a flow that does not fit goes on in the next sequence, where it
// starts afresh at its true position. Every token is predicted exactly once an
// epoch, but for each flow's first. The order of flows is drawn anew each epoch
// from the seed and the epoch alone, so Position is all there is to resume.
type feed struct {
	cfg   model.Config
	flows [][]uint16
	order []int
	seed  uint64
	at    Position
}

// Position is where training stands in its data.
type Position struct {
	Epoch  int // flows have all been seen so many times
	Flow   int // flows seen of this epoch
	Offset int // tokens seen of the next flow
	Draws  int // batches drawn: the state of the masks
}

// encode gives the tokens of flows, each up to FlowTokens, with its label in
// front where the model is to be told.
func (o Options) encode(m *model.Model, flows []*pcap.Flow) [][]uint16 {
	var out [][]uint16
	for _, f := range flows {
		if f == nil || len(f.Packets) == 0 {
			continue
		}
		tokens := cut(tokenizer.Encode(f), o.FlowTokens)
		if i := slices.Index(m.Config().Labels, f.Label); o.Labels && i >= 0 {
			tokens = append([]uint16{tokenizer.Cls, uint16(i)}, tokens...)
		}
		out = append(out, tokens)
	}
	return out
}

// setLabels gives the model the labels of the training flows, unless it has
// labels from an earlier run.
func (o Options) setLabels(m *model.Model, flows []*pcap.Flow) error {
	if !o.Labels || len(m.Config().Labels) > 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, f := range flows {
		if f != nil && f.Label != "" {
			seen[f.Label] = true
		}
	}
	if len(seen) == 0 {
		return errors.New("failed to train with labels: no training flow has one")
	}
	return m.SetLabels(slices.Sorted(maps.Keys(seen)))
}

// cut shortens a flow to at most limit tokens, before a packet where it can.
func cut(tokens []uint16, limit int) []uint16 {
	if limit == 0 || len(tokens) <= limit {
		return tokens
	}
	for at := limit; at > 0; at-- {
		if tokens[at] == tokenizer.Start {
			return tokens[:at]
		}
	}
	return tokens[:limit]
}

func newFeed(cfg model.Config, flows [][]uint16, seed uint64, at Position) *feed {
	f := &feed{cfg: cfg, flows: flows, seed: seed, at: at}
	f.shuffle()
	return f
}

func (f *feed) shuffle() {
	f.order = rand.New(rand.NewPCG(f.seed, uint64(f.at.Epoch))).Perm(len(f.flows))
}

// next returns a batch of the given number of sequences of length tokens.
func (f *feed) next(sequences, length int) *model.Batch {
	b := &model.Batch{}
	for range sequences {
		for room := length; room > 0; {
			flow := f.flows[f.order[f.at.Flow]]
			from := f.at.Offset
			n := min(room, len(flow)-from)
			b.AppendPart(f.cfg, flow, from, from+n)
			room -= n
			f.at.Offset += n
			if f.at.Offset < len(flow)-1 { // its last token predicts nothing
				continue
			}
			f.at.Offset = 0
			if f.at.Flow++; f.at.Flow == len(f.order) {
				f.at.Flow = 0
				f.at.Epoch++
				f.shuffle()
			}
		}
	}
	f.at.Draws++
	return b
}

// mask hides tokens of a batch behind tokenizer.Pad and makes them the only
// targets, each at its own row.
func mask(b *model.Batch, rate float64, seed uint64, draw int) {
	rng := rand.New(rand.NewPCG(seed, 0x6d61736b^uint64(draw)<<32))
	hidden := 0
	for i, t := range b.Tokens {
		b.Targets[i] = model.Ignore
		if rng.Float64() < rate {
			b.Targets[i] = int(t)
			b.Tokens[i] = tokenizer.Pad
			hidden++
		}
	}
	if hidden == 0 {
		b.Targets[0], b.Tokens[0] = int(b.Tokens[0]), tokenizer.Pad
	}
}
