package notebooks

import (
	"encoding/json"
	"maps"

	"trafficgpt/display"
)

// widgets are the states of the controls that cells made, by model id: no front
// end shows them here, but the one that opens the notebook later does.
type widgets map[string]map[string]any

// take notes what a cell does with a comm.
func (w widgets) take(e display.Event) {
	var data struct {
		Method string         `json:"method"`
		State  map[string]any `json:"state"`
	}
	raw, err := json.Marshal(e.Data[display.JSON])
	if err != nil || json.Unmarshal(raw, &data) != nil {
		return // no widget's message
	}
	switch {
	case e.Kind == display.CommOpen && e.Target == "jupyter.widget" && data.State != nil:
		w[e.ID] = data.State
	case e.Kind == display.CommMsg && data.Method == "update" && w[e.ID] != nil:
		maps.Copy(w[e.ID], data.State)
	}
}

// store puts the states where front ends look for them.
func (w widgets) store(nb *Notebook) {
	if len(w) == 0 {
		return
	}
	states := map[string]any{}
	for id, state := range w {
		states[id] = map[string]any{"model_name": state["_model_name"], "model_module": state["_model_module"],
			"model_module_version": state["_model_module_version"], "state": state}
	}
	nb.Metadata["widgets"] = map[string]any{"application/vnd.jupyter.widget-state+json": map[string]any{
		"state": states, "version_major": 2, "version_minor": 0}}
}
