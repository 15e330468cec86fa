package kernel_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/interp/session"
	"trafficgpt/interp/worker"
	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/kerneltest"
	"trafficgpt/kernel/wire"
)

// panel is the front end's half of a session with controls.
type panel struct {
	t *testing.T
	c *client.Client
}

// realPanel starts a kernel whose cells are Go.
func realPanel(t *testing.T) *panel {
	t.Helper()
	session, err := session.New(session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := kerneltest.Start(t, "tcp", session, kernel.Options{})
	return &panel{t: t, c: k.Dial()}
}

// cell runs a cell that must not fail and returns its request's id and the
// model id of the widget that is its value.
func (p *panel) cell(code string) (request, model string) {
	p.t.Helper()
	e := execute(p.t, p.c, code)
	if reply := client.Content(e.Reply); reply["status"] != "ok" {
		p.t.Fatalf("%s\n%v", code, reply)
	}
	if value := e.Output("execute_result"); value != nil {
		view, _ := value["data"].(map[string]any)["application/vnd.jupyter.widget-view+json"].(map[string]any)
		model, _ = view["model_id"].(string)
	}
	return e.ID, model
}

// start sends a message of a control.
func (p *panel) start(model string, data map[string]any) string {
	p.t.Helper()
	id, err := p.c.Request("comm_msg", map[string]any{"comm_id": model, "data": data})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// finish collects what the kernel says until the request is idle.
func (p *panel) finish(id string) []*wire.Message {
	p.t.Helper()
	var seen []*wire.Message
	for {
		m, err := p.c.IOPub.Take(patience)
		if err != nil {
			p.t.Fatalf("%v (so far %d messages)", err, len(seen))
		}
		if m.ParentHeader().MsgID == id && client.State(m) == "idle" {
			return seen
		}
		seen = append(seen, m)
	}
}

func (p *panel) move(model string, value any) []*wire.Message {
	p.t.Helper()
	return p.finish(p.start(model, map[string]any{"method": "update", "state": map[string]any{"value": value}}))
}

func (p *panel) click(model string) []*wire.Message {
	p.t.Helper()
	return p.finish(p.start(model, map[string]any{"method": "custom", "content": map[string]any{"event": "click"}}))
}

// printed is the text of streams with a parent.
func printed(messages []*wire.Message, parent string) string {
	var b strings.Builder
	for _, m := range messages {
		if m.Header.MsgType == "stream" && m.ParentHeader().MsgID == parent {
			b.WriteString(client.Content(m)["text"].(string))
		}
	}
	return b.String()
}

// states are the values that updates give to a name, in order.
func states(messages []*wire.Message, model, method, name string) []any {
	var values []any
	for _, m := range messages {
		c := client.Content(m)
		if m.Header.MsgType != "comm_msg" || c["comm_id"] != model {
			continue
		}
		data := c["data"].(map[string]any)
		if state, ok := data["state"].(map[string]any); ok && data["method"] == method && state[name] != nil {
			values = append(values, state[name])
		}
	}
	return values
}

const makeSlider = `import "fmt"
import "trafficgpt/lib/widgets"
func report(v int) string { return fmt.Sprint("moved to ", v) }
k := widgets.Slider("k", 0, 50, 1)
label := widgets.HTML("")
k.OnChange(func(v int) { fmt.Println(report(v)); label.Set(report(v)) })
k`

// A control calls a function of its cell: what that prints is the cell's, what
// it sets reaches the front end, and a later cell's definition is followed.
func TestControlsCallBack(t *testing.T) {
	p := realPanel(t)
	made, slider := p.cell(makeSlider)
	_, label := p.cell("label")
	for _, test := range []struct {
		redefine string
		value    int
		want     string
	}{
		{"", 7, "moved to 7"},
		{`func report(v int) string { return fmt.Sprint("now at ", v) }`, 9, "now at 9"},
	} {
		if test.redefine != "" {
			p.cell(test.redefine)
		}
		got := p.move(slider, test.value)
		if text := printed(got, made); text != test.want+"\n" {
			t.Errorf("printed %q, want %q", text, test.want)
		}
		if set := states(got, label, "update", "value"); !slices.Equal(set, []any{test.want}) {
			t.Errorf("the label was set to %v, want %q", set, test.want)
		}
		if echo := states(got, slider, "echo_update", "value"); !slices.Equal(echo, []any{float64(test.value)}) {
			t.Errorf("echo %v", echo)
		}
	}
	e := execute(t, p.c, "k.Int()")
	if v := e.Output("execute_result")["data"].(map[string]any)["text/plain"]; v != "9" {
		t.Errorf("the session sees %v", v)
	}
}

// While a cell runs a control waits, and so does a cell while a control's
// function runs.
func TestControlsTakeTurns(t *testing.T) {
	p := realPanel(t)
	made, slider := p.cell(makeSlider)
	cell, err := p.c.Request("execute_request", client.ExecuteRequest{Code: "import \"time\"\ntime.Sleep(300 * time.Millisecond)\nfmt.Println(\"the cell is done\", k.Int())"})
	if err != nil {
		t.Fatal(err)
	}
	seen := p.finish(p.start(slider, map[string]any{"method": "update", "state": map[string]any{"value": 3}}))
	if printed(seen, cell) != "the cell is done 1\n" || printed(seen, made) != "moved to 3\n" {
		t.Errorf("the cell printed %q, the control %q", printed(seen, cell), printed(seen, made))
	}
}

// A function that fails shows its error where the control was made, and one
// that does not end is interrupted; variables stay.
func TestControlsFail(t *testing.T) {
	p := realPanel(t)
	made, button := p.cell("import \"trafficgpt/lib/widgets\"\nx := 41\nb := widgets.Button(\"go\")\nb.OnClick(func() { var m map[string]int; m[\"a\"] = x })\nb")
	failed := p.click(button)
	i := slices.IndexFunc(failed, func(m *wire.Message) bool { return m.Header.MsgType == "error" })
	if i < 0 || failed[i].ParentHeader().MsgID != made || !strings.Contains(client.Content(failed[i])["evalue"].(string), "nil map") {
		t.Errorf("a panic shows as %v", failed)
	}
	p.cell("b.OnClick(func() { for { x++ } })")
	id := p.start(button, map[string]any{"method": "custom", "content": map[string]any{"event": "click"}})
	for {
		m, err := p.c.IOPub.Take(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.ParentHeader().MsgID == id && client.State(m) == "busy" {
			break
		}
	}
	time.Sleep(100 * time.Millisecond)
	askControl(t, p.c, "interrupt_request", map[string]any{})
	stopped := p.finish(id)
	i = slices.IndexFunc(stopped, func(m *wire.Message) bool { return m.Header.MsgType == "error" })
	if i < 0 || client.Content(stopped[i])["ename"] != "Interrupted" {
		t.Errorf("an interrupted control shows %v", stopped)
	}
	if e := execute(t, p.c, "x > 41"); e.Output("execute_result")["data"].(map[string]any)["text/plain"] != "true" {
		t.Errorf("after the interrupt: %v", e.Reply)
	}
}

// What is captured goes to the output widget: the front end is told whose
// outputs to take, and which those are.
func TestCaptureNamesTheCell(t *testing.T) {
	p := realPanel(t)
	made, out := p.cell("import \"fmt\"\nimport \"trafficgpt/lib/widgets\"\nout := widgets.Output()\nb := widgets.Button(\"go\")\nb.OnClick(func() { out.Capture(func() { fmt.Println(\"inside\") }) })\nout")
	_, button := p.cell("b")
	got := p.click(button)
	if ids := states(got, out, "update", "msg_id"); !slices.Equal(ids, []any{made, ""}) || printed(got, made) != "inside\n" {
		t.Errorf("msg_id %v, want that of %s; printed %q", ids, made, printed(got, made))
	}
}

// A page that is loaded again finds the controls and their state, by both ways
// that ipywidgets knows; after a restart it finds none, and what is left of
// the old page is told so.
func TestControlsAndNewPages(t *testing.T) {
	engine, err := worker.Start(worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := kerneltest.Start(t, "tcp", engine, kernel.Options{})
	p := &panel{t: t, c: k.Dial()}
	made, slider := p.cell(makeSlider)
	if text := printed(p.move(slider, 12), made); text != "moved to 12\n" {
		t.Errorf("printed %q", text)
	}
	page := &panel{t: t, c: k.Dial()}
	info := ask(t, page.c, "comm_info_request", map[string]any{"target_name": "jupyter.widget"})
	if info["comms"].(map[string]any)[slider] == nil {
		t.Errorf("comm_info %v", info)
	}
	got := page.finish(page.start(slider, map[string]any{"method": "request_state"}))
	if v := states(got, slider, "update", "value"); !slices.Equal(v, []any{12.0}) {
		t.Errorf("state %v", v)
	}
	id, err := page.c.Request("comm_open", map[string]any{"comm_id": "control", "target_name": "jupyter.widget.control", "data": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	page.finish(id)
	got = page.finish(page.start("control", map[string]any{"method": "request_states"}))
	i := slices.IndexFunc(got, func(m *wire.Message) bool { return m.Header.MsgType == "comm_msg" })
	if i < 0 {
		t.Fatalf("no states in %v", got)
	}
	all := client.Content(got[i])["data"].(map[string]any)["states"].(map[string]any)
	if state := all[slider].(map[string]any)["state"].(map[string]any); state["value"] != 12.0 {
		t.Errorf("all states: %v", state)
	}

	p.cell("%restart")
	if info := ask(t, p.c, "comm_info_request", map[string]any{}); len(info["comms"].(map[string]any)) != 0 {
		t.Errorf("comms after a restart: %v", info)
	}
	gone := p.move(slider, 13)
	i = slices.IndexFunc(gone, func(m *wire.Message) bool { return m.Header.MsgType == "error" })
	if i < 0 || gone[i].ParentHeader().MsgID != made || !strings.Contains(client.Content(gone[i])["evalue"].(string), "run its cell again") {
		t.Errorf("a control without its variables shows %v", gone)
	}
}
