// Package widgets makes small control panels in the notebook: sliders,
// dropdowns, buttons and the like that call Go functions. The front end is
// Jupyter's ipywidgets; elsewhere a control shows its state as text.
//
//	k := widgets.Slider("top-k", 1, 50, 10)
//	go_ := widgets.Button("sample")
//	go_.OnClick(func() { fmt.Println(k.Int()) })
//	widgets.Column(k, go_)
//
// A control's functions run between cells: while a cell runs, they wait. What
// they print and show goes below the cell that made the control, or into an
// Output by its Show, Add and Capture. They can be interrupted like a cell, and
// one that panics shows its error there. Interact draws anew whenever the user
// moves something:
//
//	widgets.Interact(func() any { return histogram(k.Int()) }, k)
//
// Controls belong to the session: after a restart their cells must run again.
package widgets

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"trafficgpt/display"
)

// The protocol of ipywidgets 8.
const (
	target          = "jupyter.widget"
	controlTarget   = "jupyter.widget.control"
	protocolVersion = "2.1.0"
	controlsModule  = "@jupyter-widgets/controls"
	controlsVersion = "2.0.0"
	baseModule      = "@jupyter-widgets/base"
	baseVersion     = "2.0.0"
	outputModule    = "@jupyter-widgets/output"
	outputVersion   = "1.0.0"
	viewType        = "application/vnd.jupyter.widget-view+json"
)

// Widget is any control or box of this package.
type Widget interface {
	display.Rich
	twin() *model
}

// model is the half of a widget that lives here; its twin is in the front end.
type model struct {
	comm *display.Comm

	mu      sync.Mutex
	state   map[string]any
	changed map[string]func()   // by name of state, called when the front end changes it
	watched []func()            // called after those
	custom  func(content event) // for messages that are no state
	text    func(state map[string]any) string
}

// event is the content of a custom message.
type event struct {
	Event string `json:"event"`
}

var models struct {
	sync.Mutex
	all map[string]*model
}

func init() {
	// A front end that connects later asks for all states at once.
	display.OnComm(controlTarget, func(c *display.Comm, _ []byte) func([]byte, [][]byte) {
		return func(data []byte, _ [][]byte) {
			var msg struct{ Method string }
			if json.Unmarshal(data, &msg) == nil && msg.Method == "request_states" {
				c.Send(map[string]any{"method": "update_states", "states": allStates(), "buffer_paths": []any{}})
			}
		}
	})
}

func allStates() map[string]any {
	models.Lock()
	defer models.Unlock()
	states := map[string]any{}
	for id, m := range models.all {
		s := m.snapshot()
		states[id] = map[string]any{"model_name": s["_model_name"], "model_module": s["_model_module"],
			"model_module_version": s["_model_module_version"], "state": s}
	}
	return states
}

// newModel opens a widget in the front end.
func newModel(module, version, modelName, viewName string, state map[string]any) *model {
	m := &model{state: map[string]any{
		"_model_module": module, "_model_module_version": version, "_model_name": modelName,
		"_view_module": module, "_view_module_version": version, "_view_name": viewName,
		"_view_count": nil,
	}, changed: map[string]func(){}}
	if viewName == "" {
		m.state["_view_name"] = nil
	}
	maps.Copy(m.state, state)
	m.comm = display.OpenComm(target, map[string]any{"state": m.snapshot(), "buffer_paths": []any{}},
		map[string]any{"version": protocolVersion}, m.receive)
	models.Lock()
	defer models.Unlock()
	if models.all == nil {
		models.all = map[string]*model{}
	}
	models.all[m.comm.ID()] = m
	return m
}

// newControl opens a control with its layout and style.
func newControl(name, styleName string, state map[string]any) *model {
	layout := newModel(baseModule, baseVersion, "LayoutModel", "LayoutView", nil)
	full := map[string]any{"_dom_classes": []string{}, "layout": ref(layout), "tabbable": nil, "tooltip": nil}
	if styleName != "" {
		looks := map[string]any{"_view_module": baseModule, "_view_module_version": baseVersion}
		// Front ends cut labels off after some ten letters unless told not to.
		if label, _ := state["description"].(string); utf8.RuneCountInString(label) > 10 && styleName != "ButtonStyleModel" {
			looks["description_width"] = "initial"
		}
		style := newModel(controlsModule, controlsVersion, styleName, "StyleView", looks)
		full["style"] = ref(style)
	}
	maps.Copy(full, state)
	return newModel(controlsModule, controlsVersion, name+"Model", name+"View", full)
}

// ref is how the state of a widget names another.
func ref(m *model) string { return "IPY_MODEL_" + m.comm.ID() }

func (m *model) twin() *model { return m }

func (m *model) snapshot() map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.state)
}

func (m *model) get(name string) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state[name]
}

// set changes a value here and in the front end.
func (m *model) set(name string, value any) {
	m.mu.Lock()
	m.state[name] = value
	m.mu.Unlock()
	m.comm.Update(map[string]any{name: value})
}

func (m *model) on(name string, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed[name] = f
}

// watch has f called whenever the front end has changed anything.
func (m *model) watch(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watched = append(m.watched, f)
}

// receive takes a message of the front end.
func (m *model) receive(data []byte, _ [][]byte) {
	var msg struct {
		Method  string         `json:"method"`
		State   map[string]any `json:"state"`
		Content event          `json:"content"`
	}
	if json.Unmarshal(data, &msg) != nil {
		return // no message of the protocol
	}
	switch msg.Method {
	case "update":
		m.update(msg.State)
	case "request_state":
		m.comm.Send(map[string]any{"method": "update", "state": m.snapshot(), "buffer_paths": []any{}})
	case "custom":
		if m.custom != nil {
			m.custom(msg.Content)
		}
	}
}

func (m *model) update(state map[string]any) {
	var calls []func()
	taken := map[string]any{}
	m.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(state)) {
		if _, known := m.state[name]; !known {
			continue
		}
		m.state[name], taken[name] = state[name], state[name]
		if f := m.changed[name]; f != nil {
			calls = append(calls, f)
		}
	}
	calls = append(calls, m.watched...)
	m.mu.Unlock()
	if len(taken) == 0 {
		return
	}
	// Other pages that show the same control follow; the one that sent this
	// knows its own message again.
	m.comm.Send(map[string]any{"method": "echo_update", "state": taken, "buffer_paths": []any{}})
	for _, f := range calls {
		f()
	}
}

// MIME shows the widget, and its state as text where there are no widgets.
func (m *model) MIME() display.Bundle {
	text := fmt.Sprint(m.get("_model_name"))
	if m.text != nil {
		text = m.text(m.snapshot())
	}
	return display.Bundle{display.Text: text,
		viewType: map[string]any{"version_major": 2, "version_minor": 0, "model_id": m.comm.ID()}}
}

// Close takes the widget away.
func (m *model) Close() {
	models.Lock()
	delete(models.all, m.comm.ID())
	models.Unlock()
	m.comm.Close()
}
