package widgets_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trafficgpt/display"
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

// endCell delivers what is held back, as the end of a cell does.
func endCell(r *recorder) {
	display.Enter(context.Background(), r)()
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
	if f.Set(5); f.Float() != 1 {
		t.Errorf("set beyond its end the slider stands at %v", f.Float())
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
	endCell(r)
	sent := r.take()
	outputs := content(t, sent[1])["state"].(map[string]any)["outputs"].([]any)
	if n := len(outputs); n != 2 || len(sent) != 2 {
		t.Fatalf("%d outputs in the last of %d updates", n, len(sent))
	}
	second := outputs[1].(map[string]any)["data"].(map[string]any)["text/html"].(string)
	if !strings.Contains(second, "&lt;b&gt;") {
		t.Errorf("outputs %v", outputs)
	}
	out.Show("only")
	endCell(r)
	out.Clear()
	endCell(r)
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

// A front end that sends a change has it echoed, so that other pages follow.
func TestChangesAreEchoed(t *testing.T) {
	r := enter(t)
	k := widgets.Slider("k", 0, 9, 1)
	k.OnChange(func(v int) { k.Set(v + 1) })
	r.take()
	deliver(t, k, `{"method":"update","state":{"value":5,"nothing":1}}`)
	endCell(r)
	sent := r.take()
	if len(sent) != 2 {
		t.Fatalf("sent %+v", sent)
	}
	echo, set := content(t, sent[0]), content(t, sent[1])
	if echo["method"] != "echo_update" || len(echo["state"].(map[string]any)) != 1 || echo["state"].(map[string]any)["value"] != 5.0 {
		t.Errorf("echo %v", echo)
	}
	if set["method"] != "update" || set["state"].(map[string]any)["value"] != 6.0 {
		t.Errorf("set %v", set)
	}
}

// A loop that sets a value sends no more than ten updates a second, and the
// last one always.
func TestUpdatesAreJoined(t *testing.T) {
	r := enter(t)
	bar := widgets.Progress("w", 1000)
	r.take()
	began := time.Now()
	for i := range 1001 {
		bar.Set(i)
		if i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	endCell(r)
	sent := r.take()
	if most := 2 + int(time.Since(began)/display.Interval); len(sent) > most {
		t.Errorf("%d updates, want at most %d", len(sent), most)
	}
	if v := content(t, sent[len(sent)-1])["state"].(map[string]any)["value"]; v != 1000.0 {
		t.Errorf("the last update says %v", v)
	}
}

func TestInteractDrawsAnew(t *testing.T) {
	r := enter(t)
	k, c := widgets.Slider("k", 0, 9, 1), widgets.Checkbox("c", false)
	drawn := 0
	p := widgets.Interact(func() any { drawn++; return k.Int() * 10 }, k, c)
	if text := p.MIME()[display.Text]; drawn != 1 || text != "k: 1\nc: false\n10" {
		t.Errorf("drawn %d times, text %q", drawn, text)
	}
	r.take()
	deliver(t, k, `{"method":"update","state":{"value":5}}`)
	deliver(t, c, `{"method":"update","state":{"value":true}}`)
	endCell(r)
	sent := r.take()
	outputs := content(t, sent[len(sent)-1])["state"].(map[string]any)["outputs"].([]any)
	if text := outputs[0].(map[string]any)["data"].(map[string]any)["text/plain"]; drawn != 3 || text != "50" {
		t.Errorf("drawn %d times, last %v", drawn, text)
	}
}

// What is captured is taken by the front end between two messages.
func TestCapture(t *testing.T) {
	r := enter(t)
	out := widgets.Output()
	r.take()
	out.Capture(func() { display.ShowText("inside") })
	sent := r.take()
	if len(sent) != 3 || content(t, sent[0])["state"].(map[string]any)["msg_id"] != display.RequestID ||
		sent[1].Data[display.Text] != "inside" || content(t, sent[2])["state"].(map[string]any)["msg_id"] != "" {
		t.Errorf("sent %+v", sent)
	}
}
