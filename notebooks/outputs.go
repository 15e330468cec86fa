package notebooks

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// errNoInput is what a cell gets that asks a question in an unattended run.
var errNoInput = errors.New("nobody can answer here: the notebook is run without a front end")

// recorder collects the outputs of cells as Jupyter's own client does: text
// of one stream runs together, an update changes every earlier output of its
// display id, in earlier cells too, a clear waits if it is told to.
type recorder struct {
	mu       sync.Mutex
	cell     *Cell
	shown    map[string][]map[string]any // outputs by display id, of all cells
	clearing bool
	live     io.Writer      // text form of what happens, for a terminal; may be nil
	pending  []string       // display ids whose text is printed when the cell ends
	latest   map[string]any // newest data by pending id
	widgets  widgets
}

func newRecorder(live io.Writer) *recorder {
	return &recorder{shown: map[string][]map[string]any{}, live: live, latest: map[string]any{}, widgets: widgets{}}
}

// begin makes c the cell that outputs go to.
func (r *recorder) begin(c *Cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cell, r.clearing = c, false
	c.Outputs = nil
}

func (r *recorder) append(o map[string]any) {
	if r.clearing {
		r.cell.Outputs, r.clearing = nil, false
	}
	r.cell.Outputs = append(r.cell.Outputs, o)
}

// cellSink is where a cell prints and shows, also after its end, when the next
// one runs.
type cellSink struct {
	r    *recorder
	cell *Cell
}

func (k cellSink) Stdout(p []byte) { k.record(func() { k.r.stream("stdout", p) }) }
func (k cellSink) Stderr(p []byte) { k.record(func() { k.r.stream("stderr", p) }) }

// Emit implements display.Sink.
func (k cellSink) Emit(e display.Event) error {
	k.record(func() { k.r.emit(e) })
	return nil
}

func (k cellSink) Input(context.Context, string, bool) (string, error) { return "", errNoInput }

// record has f append to the sink's cell.
func (k cellSink) record(f func()) {
	r := k.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.cell != r.cell {
		cell, clearing := r.cell, r.clearing
		defer func() { r.cell, r.clearing = cell, clearing }()
		r.cell, r.clearing = k.cell, false
	}
	f()
}

func (r *recorder) stream(name string, p []byte) {
	if len(p) == 0 {
		return
	}
	if r.live != nil {
		r.live.Write(p)
	}
	if n := len(r.cell.Outputs); n > 0 && !r.clearing {
		if last := r.cell.Outputs[n-1]; last["output_type"] == "stream" && last["name"] == name {
			last["text"] = last["text"].(string) + string(p)
			return
		}
	}
	r.append(map[string]any{"output_type": "stream", "name": name, "text": string(p)})
}

func (r *recorder) emit(e display.Event) {
	switch e.Kind {
	case display.Display:
		o := map[string]any{"output_type": "display_data", "data": mimeData(e.Data), "metadata": metadata(e.Metadata)}
		r.append(o)
		if e.ID != "" {
			r.shown[e.ID] = append(r.shown[e.ID], o)
		}
		r.showLive(e)
	case display.Update:
		for _, o := range r.shown[e.ID] {
			o["data"], o["metadata"] = mimeData(e.Data), metadata(e.Metadata)
		}
		r.showLive(e)
	case display.Clear:
		if e.Wait {
			r.clearing = true
		} else {
			r.cell.Outputs = nil
		}
	default:
		r.widgets.take(e)
	}
}

// showLive prints the text form of a display; one that may still change is
// printed in its last state, when the cell ends.
func (r *recorder) showLive(e display.Event) {
	if r.live == nil {
		return
	}
	if e.ID == "" {
		io.WriteString(r.live, textForm(e.Data))
		return
	}
	if _, known := r.latest[e.ID]; !known {
		r.pending = append(r.pending, e.ID)
	}
	r.latest[e.ID] = e.Data
}

// end closes the cell with its result.
func (r *recorder) end(res interp.Result, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.pending {
		io.WriteString(r.live, textForm(r.latest[id].(display.Bundle)))
		delete(r.latest, id)
	}
	r.pending = nil
	if res.Value != nil {
		r.append(map[string]any{"output_type": "execute_result", "data": mimeData(res.Value),
			"metadata": map[string]any{}, "execution_count": count})
		if r.live != nil {
			io.WriteString(r.live, textForm(res.Value))
		}
	}
	if e := res.Err; e != nil {
		trace := make([]any, 0, len(e.Traceback))
		for _, l := range e.Traceback {
			trace = append(trace, l)
		}
		r.append(map[string]any{"output_type": "error", "ename": e.Name, "evalue": e.Message, "traceback": trace})
	}
}

// mimeData gives a bundle its JSON form: binary data in base64.
func mimeData(b display.Bundle) map[string]any {
	data := make(map[string]any, len(b))
	for mime, v := range b {
		if p, ok := v.([]byte); ok {
			if splits(mime) {
				v = string(p)
			} else {
				v = base64.StdEncoding.EncodeToString(p)
			}
		}
		data[mime] = v
	}
	return data
}

func metadata(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// textForm is what a terminal without images shows of a bundle.
func textForm(b display.Bundle) string {
	for _, mime := range []string{display.Text, display.Markdown} {
		if s, ok := b[mime].(string); ok {
			if !strings.HasSuffix(s, "\n") {
				s += "\n"
			}
			return s
		}
	}
	return ""
}
