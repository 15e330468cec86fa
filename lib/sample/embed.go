package sample

import (
	"errors"
	"fmt"

	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Embeddings are flows as vectors: the mean over a flow's tokens of the model's
// states behind one layer.
type Embeddings struct {
	Layer   int         // behind so many layers; 0 for the embeddings themselves
	Vectors [][]float64 // one a flow, of the model's width
	Labels  []string    // of the flows
}

// EmbedOptions say where in the model the vectors are taken.
type EmbedOptions struct {
	Layer int // behind so many layers; default all of them, negative for none: the embeddings themselves
}

// Embed returns the vectors of flows. Of long flows it looks at the first context of
// tokens. An interrupt keeps the vectors that are ready. The options may be left out,
// and are one at most.
func Embed(m *model.Model, flows []*pcap.Flow, options ...EmbedOptions) (*Embeddings, error) {
	if m == nil {
		return nil, errors.New("failed to embed flows: there is no model")
	}
	c := m.Config()
	layer := append(options, EmbedOptions{})[0].Layer
	if layer == 0 {
		layer = c.Layers
	}
	layer = max(layer, 0)
	if layer > c.Layers {
		return nil, fmt.Errorf("failed to embed flows: sample.EmbedOptions.Layer is %d: the model has %d layers", layer, c.Layers)
	}
	ctx := display.Context()
	scorer := model.NewScorer(m)
	out := &Embeddings{Layer: layer}
	for i, f := range flows {
		if ctx.Err() != nil {
			break
		}
		if f == nil || len(f.Packets) == 0 {
			return nil, fmt.Errorf("failed to embed flows: flow %d has no packets", i)
		}
		tokens := tokenizer.Encode(f)
		b := model.NewBatch(tokens[:min(len(tokens), c.Context)])
		x, err := scorer.Hidden(b, layer)
		if err != nil {
			return nil, fmt.Errorf("flow %d: %w", i, err)
		}
		v := make([]float64, c.Width)
		for j, value := range x {
			v[j%c.Width] += float64(value) / float64(len(b.Tokens))
		}
		out.Vectors, out.Labels = append(out.Vectors, v), append(out.Labels, f.Label)
	}
	return out, nil
}

// String says it in one line.
func (e *Embeddings) String() string {
	width := 0
	if len(e.Vectors) > 0 {
		width = len(e.Vectors[0])
	}
	return fmt.Sprintf("%d flows as vectors of %d, behind layer %d", len(e.Vectors), width, e.Layer)
}

// MIME says it in one line.
func (e *Embeddings) MIME() display.Bundle { return display.AsText(e.String()) }
