package widgets_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"trafficgpt/lib/display"
	"trafficgpt/lib/widgets"
)

// recorder is the front end's side.
type recorder struct {
	mu     sync.Mutex
	events []display.Event
}

func (r *recorder) Emit(e display.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) take() []display.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

func enter(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	t.Cleanup(display.Enter(context.Background(), r))
	return r
}

// content is what goes over the wire.
func content(t *testing.T, e display.Event) map[string]any {
	t.Helper()
	raw, err := json.Marshal(e.Data[display.JSON])
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func deliver(t *testing.T, w display.Rich, data string) {
	t.Helper()
	view := w.MIME()["application/vnd.jupyter.widget-view+json"].(map[string]any)
	err := display.Deliver(display.Event{Kind: display.CommMsg, ID: view["model_id"].(string), Data: display.Bundle{display.JSON: json.RawMessage(data)}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpeningStates(t *testing.T) {
	r := enter(t)
	for name, test := range map[string]struct {
		widget display.Rich
		want   map[string]any
		text   string
	}{
		"slider":   {widgets.Slider("k", 1, 50, 99), map[string]any{"_model_name": "IntSliderModel", "min": 1.0, "max": 50.0, "value": 50.0, "description": "k"}, "k: 50"},
		"float":    {widgets.FloatSlider("t", 0, 2, 0.1, 1.5), map[string]any{"_model_name": "FloatSliderModel", "step": 0.1, "value": 1.5}, "t: 1.5"},
		"dropdown": {widgets.Dropdown("c", "a", "b"), map[string]any{"_model_name": "DropdownModel", "index": 0.0}, "c: a of a, b"},
		"checkbox": {widgets.Checkbox("g", true), map[string]any{"_model_name": "CheckboxModel", "value": true}, "g: true"},
		"text":     {widgets.Text("n", "Ada"), map[string]any{"_model_name": "TextModel", "value": "Ada"}, "n: Ada"},
		"button":   {widgets.Button("go"), map[string]any{"_model_name": "ButtonModel", "description": "go"}, "[go]"},
		"progress": {widgets.Progress("w", 10), map[string]any{"_model_name": "IntProgressModel", "_view_name": "ProgressView", "max": 10.0}, "w: 0"},
		"html":     {widgets.HTML("<b>x</b>"), map[string]any{"_model_name": "HTMLModel", "value": "<b>x</b>"}, ": <b>x</b>"},
		"output":   {widgets.Output(), map[string]any{"_model_module": "@jupyter-widgets/output"}, ""},
	} {
		if text := test.widget.MIME()[display.Text]; text != test.text {
			t.Errorf("%s: text %q, want %q", name, text, test.text)
		}
		deliver(t, test.widget, `{"method":"request_state"}`)
		events := r.take()
		state := content(t, events[len(events)-1])["state"].(map[string]any)
		for key, want := range test.want {
			if state[key] != want {
				t.Errorf("%s: %s is %v, want %v", name, key, state[key], want)
			}
		}
	}
	widgets.Slider("k", 1, 50, 7)
	opened := r.take()
	if len(opened) != 3 {
		t.Fatalf("a slider opens %d comms, want layout, style and slider", len(opened))
	}
	slider := opened[2]
	if slider.Kind != display.CommOpen || slider.Target != "jupyter.widget" || slider.Metadata["version"] != "2.1.0" {
		t.Errorf("opened with %+v", slider)
	}
	state := content(t, slider)["state"].(map[string]any)
	if state["layout"] != "IPY_MODEL_"+opened[0].ID || state["style"] != "IPY_MODEL_"+opened[1].ID {
		t.Errorf("references %v, %v", state["layout"], state["style"])
	}
	for name, want := range map[string]any{"_model_module": "@jupyter-widgets/controls", "_view_name": "IntSliderView", "value": 7.0, "max": 50.0} {
		if state[name] != want {
			t.Errorf("%s is %v, want %v", name, state[name], want)
		}
	}
}

func TestChangesGoBothWays(t *testing.T) {
	r := enter(t)
	var heard []any
	k := widgets.Slider("k", 0, 9, 1)
	k.OnChange(func(v int) { heard = append(heard, v) })
	f := widgets.FloatSlider("f", 0, 1, .1, 0)
	f.OnChange(func(v float64) { heard = append(heard, v) })
	d := widgets.Dropdown("d", "a", "b")
	d.OnChange(func(v string) { heard = append(heard, v) })
	c := widgets.Checkbox("c", false)
	c.OnChange(func(v bool) { heard = append(heard, v) })
	n := widgets.Text("n", "")
	n.OnChange(func(v string) { heard = append(heard, v) })
	b := widgets.Button("b")
	b.OnClick(func() { heard = append(heard, "click") })

	deliver(t, k, `{"method":"update","state":{"value":5}}`)
	deliver(t, f, `{"method":"update","state":{"value":0.5}}`)
	deliver(t, d, `{"method":"update","state":{"index":1}}`)
	deliver(t, c, `{"method":"update","state":{"value":true}}`)
	deliver(t, n, `{"method":"update","state":{"value":"x","unknown":1}}`)
	deliver(t, b, `{"method":"custom","content":{"event":"click"}}`)
	if want := []any{5, 0.5, "b", true, "x", "click"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if k.Int() != 5 || f.Float() != 0.5 || d.Text() != "b" || !c.Ticked() || n.Text() != "x" {
		t.Errorf("values %v %v %v %v %v", k.Int(), f.Float(), d.Text(), c.Ticked(), n.Text())
	}
	r.take()
	k.Set(7)
	d.Set("a")
	d.Set("nothing like that")
	sent := r.take()
	if len(sent) != 2 || content(t, sent[0])["state"].(map[string]any)["value"] != 7.0 || content(t, sent[1])["state"].(map[string]any)["index"] != 0.0 {
		t.Errorf("sent %+v", sent)
	}
	deliver(t, k, `{"method":"request_state"}`)
	sent = r.take()
	if len(sent) != 1 || content(t, sent[0])["state"].(map[string]any)["_model_name"] != "IntSliderModel" {
		t.Errorf("state sent: %+v", sent)
	}
	for _, junk := range []string{`{}`, `[]`, `{"method":"update","state":{"index":77}}`, `{"method":"update","state":{"index":-1}}`, `{"method":"update","state":{"index":null}}`, `{"method":"custom"}`} {
		deliver(t, d, junk)
		d.Text()
	}
}

func TestPanelAndOutput(t *testing.T) {
	r := enter(t)
	k, out := widgets.Slider("k", 0, 9, 1), widgets.Output()
	p := widgets.Column(widgets.Row(k, widgets.Button("go")), out)
	if text := p.MIME()[display.Text]; text != "k: 1  [go]\n" {
		t.Errorf("text %q", text)
	}
	r.take()
	out.Print("a", 1)
	out.Print("<b>")
	sent := r.take()
	outputs := content(t, sent[1])["state"].(map[string]any)["outputs"].([]any)
	second := outputs[1].(map[string]any)["data"].(map[string]any)["text/html"].(string)
	if len(outputs) != 2 || !strings.Contains(second, "&lt;b&gt;") {
		t.Errorf("outputs %v", outputs)
	}
	out.Show("only")
	out.Clear()
	sent = r.take()
	if n := len(content(t, sent[0])["state"].(map[string]any)["outputs"].([]any)); n != 1 {
		t.Errorf("Show leaves %d outputs", n)
	}
	if n := len(content(t, sent[1])["state"].(map[string]any)["outputs"].([]any)); n != 0 {
		t.Errorf("Clear leaves %d outputs", n)
	}
}

func TestAFrontEndThatComesLater(t *testing.T) {
	r := enter(t)
	k := widgets.Slider("k", 0, 9, 4)
	r.take()
	if err := display.Deliver(display.Event{Kind: display.CommOpen, ID: "ctl", Target: "jupyter.widget.control", Data: display.Bundle{}}); err != nil {
		t.Fatal(err)
	}
	if err := display.Deliver(display.Event{Kind: display.CommMsg, ID: "ctl", Data: display.Bundle{display.JSON: json.RawMessage(`{"method":"request_states"}`)}}); err != nil {
		t.Fatal(err)
	}
	states := content(t, r.take()[0])["states"].(map[string]any)
	id := k.MIME()["application/vnd.jupyter.widget-view+json"].(map[string]any)["model_id"].(string)
	if got := states[id].(map[string]any); got["model_name"] != "IntSliderModel" || got["state"].(map[string]any)["value"] != 4.0 {
		t.Errorf("state %v", got)
	}
	k.Close()
	if sent := r.take(); len(sent) != 1 || sent[0].Kind != display.CommClose {
		t.Errorf("closing sent %+v", sent)
	}
	err := display.Deliver(display.Event{Kind: display.CommMsg, ID: id, Data: display.Bundle{display.JSON: json.RawMessage(`{}`)}})
	if err == nil || !strings.Contains(err.Error(), "run its cell again") {
		t.Errorf("a message to what is gone: %v", err)
	}
	if err := display.Deliver(display.Event{Kind: display.CommOpen, ID: "x", Target: "nobody"}); err == nil {
		t.Error("a comm of an unknown target was accepted")
	}
	if err := display.Deliver(display.Event{Kind: display.CommMsg, ID: "ctl", Data: display.Bundle{display.JSON: func() {}}}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("data that is no JSON: %v", err)
	}
}
