package widgets

import (
	"fmt"
	"html"
	"strings"
	"sync"

	"trafficgpt/display"
)

// Area is a place of its own for what a control's functions show: what it
// shows replaces what it showed before.
type Area struct {
	*model
	mu    sync.Mutex
	items []any
}

// Output makes an empty area.
func Output() *Area {
	layout := newModel(baseModule, baseVersion, "LayoutModel", "LayoutView", nil)
	a := &Area{model: newModel(outputModule, outputVersion, "OutputModel", "OutputView", map[string]any{
		"_dom_classes": []string{}, "layout": ref(layout), "msg_id": "", "outputs": []any{}, "tabbable": nil, "tooltip": nil})}
	a.text = func(map[string]any) string { return a.plain() }
	// The front end tells what it has captured.
	a.on("outputs", func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.items, _ = a.get("outputs").([]any)
	})
	return a
}

// plain is the text of what the area shows.
func (a *Area) plain() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for _, item := range a.items {
		output, _ := item.(map[string]any)
		data, _ := output["data"].(display.Bundle)
		if text, ok := data[display.Text].(string); ok {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}

// Show replaces what the area shows by v, in the richest form it has.
func (a *Area) Show(v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = []any{shown(v)}
	a.set("outputs", a.items)
}

// Add shows v below what is there.
func (a *Area) Add(v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = append(a.items[:len(a.items):len(a.items)], shown(v))
	a.set("outputs", a.items)
}

// Print shows text like fmt.Println, below what is there.
func (a *Area) Print(words ...any) {
	a.Add(display.AsHTML("<pre style=\"margin:0\">" + html.EscapeString(fmt.Sprintln(words...)) + "</pre>"))
}

// Clear empties the area.
func (a *Area) Clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = nil
	a.set("outputs", []any{})
}

// Capture calls f with everything it prints and shows going into the area, as
// it happens.
func (a *Area) Capture(f func()) {
	a.comm.Send(capture(display.RequestID))
	defer a.comm.Send(capture(""))
	f()
}

// capture tells the front end whose outputs the area takes.
func capture(request string) map[string]any {
	return map[string]any{"method": "update", "state": map[string]any{"msg_id": request}, "buffer_paths": []any{}}
}

// shown is v as an output of the notebook format.
func shown(v any) map[string]any {
	return map[string]any{"output_type": "display_data", "data": display.Of(v), "metadata": map[string]any{}}
}
