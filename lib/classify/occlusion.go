package classify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

const (
	occludedFields = 25
	resamples      = 200
)

// Occlusion is how much the score falls (the AUC of two classes, the accuracy
// of more) when all tokens of a field ("IPv4 · time to live", in whatever
// packet) are 0 in what the model reads; it is not trained anew. The largest
// drop comes first. Of the fields only the 25 that most flows have are looked
// at, and the flows are read again for each; the marks that begin packets and
// end flows stay, and fields that are 0 everywhere, as under the mask, have
// nothing to lose and are left out. What other fields say as
// well has little importance of its own. Low and High hold 95 % of 200
// resamples of the flows, within each class.
//
// An interrupt keeps the fields that are done; that none is is an error.
func (b *ByteModel) Occlusion(flows []*pcap.Flow, y []int) ([]Importance, error) {
	ctx := display.Context()
	o, err := b.newOcclusion(ctx, flows, y)
	if err != nil {
		return nil, fmt.Errorf("failed to find importances: %w", err)
	}
	var bar *display.Bar
	if len(flows) > 200 && !b.o.Quiet {
		bar = display.Progress("hiding fields", len(o.fields), display.ProgressOptions{Unit: "fields"})
		defer bar.Done()
	}
	var out []Importance
	for _, f := range o.fields {
		without, err := o.without(ctx, f)
		if err != nil && ctx.Err() != nil && len(out) > 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("failed to find importances: %w", err)
		}
		out = append(out, o.importance(f.name, without))
		if bar != nil {
			bar.Add(1)
		}
	}
	byDrop(out)
	return out, nil
}

// occlusion is flows as the model reads them, and what it makes of them.
type occlusion struct {
	b      *ByteModel
	y      []int
	tokens [][]uint16
	base   [][]float64
	fields []*occluded
	draws  [][]int // rows of each resample
	drawn  []float64
}

// occluded is a field and its tokens.
type occluded struct {
	name   string
	flows  []int // that have it
	rows   [][]int
	tokens int
	zero   bool // all of them are 0 as it is
}

func (b *ByteModel) newOcclusion(ctx context.Context, flows []*pcap.Flow, y []int) (*occlusion, error) {
	switch {
	case len(flows) == 0:
		return nil, errors.New("there are no flows")
	case len(y) != len(flows):
		return nil, fmt.Errorf("%d flows have %d classes", len(flows), len(y))
	}
	if err := checkClasses("flow", y, b.classes); err != nil && !errors.Is(err, errOneClass) {
		return nil, err
	}
	o := &occlusion{b: b, y: y, tokens: make([][]uint16, len(flows))}
	index := map[string]*occluded{}
	for i, f := range flows {
		var fields []tokenizer.Field
		o.tokens[i], fields = b.read(f, true)
		for row, field := range fields {
			if k := field.Kind; k == tokenizer.KindStart || k == tokenizer.KindEnd || k == tokenizer.KindSpecial {
				continue
			}
			at := index[fieldName(field)]
			if at == nil {
				at = &occluded{name: fieldName(field), zero: true}
				index[at.name] = at
				o.fields = append(o.fields, at)
			}
			at.add(i, row, o.tokens[i][row])
		}
	}
	o.fields = slices.DeleteFunc(o.fields, func(f *occluded) bool { return f.zero })
	slices.SortFunc(o.fields, func(a, b *occluded) int {
		return cmp.Or(cmp.Compare(len(b.flows), len(a.flows)), cmp.Compare(b.tokens, a.tokens), cmp.Compare(a.name, b.name))
	})
	o.fields = o.fields[:min(len(o.fields), occludedFields)]
	var err error
	if o.base, err = b.probabilities(ctx, o.tokens); err != nil {
		return nil, err
	}
	o.draw()
	return o, nil
}

func (f *occluded) add(flow, row int, token uint16) {
	f.zero = f.zero && token == 0
	if n := len(f.flows); n == 0 || f.flows[n-1] != flow {
		f.flows, f.rows = append(f.flows, flow), append(f.rows, nil)
	}
	last := len(f.rows) - 1
	f.rows[last] = append(f.rows[last], row)
	f.tokens++
}

// draw chooses the resamples, the same for all fields.
func (o *occlusion) draw() {
	members := map[int][]int{}
	for i, c := range o.y {
		members[c] = append(members[c], i)
	}
	for r := range uint64(resamples) {
		rng := rand.New(rand.NewPCG(o.b.o.Seed, r))
		rows := make([]int, 0, len(o.y))
		for _, c := range o.y {
			rows = append(rows, members[c][rng.IntN(len(members[c]))])
		}
		o.draws = append(o.draws, rows)
		o.drawn = append(o.drawn, score(o.base, o.y, rows))
	}
}

// without gives the probabilities of all flows where a field is hidden.
func (o *occlusion) without(ctx context.Context, f *occluded) ([][]float64, error) {
	hidden := make([][]uint16, len(f.flows))
	for i, flow := range f.flows {
		hidden[i] = slices.Clone(o.tokens[flow])
		for _, row := range f.rows[i] {
			hidden[i][row] = 0
		}
	}
	p, err := o.b.probabilities(ctx, hidden)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(o.base)
	for i, flow := range f.flows {
		all[flow] = p[i]
	}
	return all, nil
}

func (o *occlusion) importance(name string, without [][]float64) Importance {
	drops := make([]float64, resamples)
	for r, rows := range o.draws {
		drops[r] = o.drawn[r] - score(without, o.y, rows)
	}
	slices.Sort(drops)
	every := make([]int, len(o.y))
	for i := range every {
		every[i] = i
	}
	return Importance{Name: name, Drop: score(o.base, o.y, every) - score(without, o.y, every),
		Low: drops[resamples*25/1000], High: drops[resamples-1-resamples*25/1000]}
}
