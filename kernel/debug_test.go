package kernel_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trafficgpt/interp/session"
	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/kerneltest"
)

// dap is a front end's debugger.
type dap struct {
	t   *testing.T
	c   *client.Client
	seq int
}

func startDebug(t *testing.T) *dap {
	t.Helper()
	session, err := session.New(session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := kerneltest.Start(t, "tcp", session, kernel.Options{})
	return &dap{t: t, c: k.Dial()}
}

// ask sends a request and returns the response.
func (d *dap) ask(command string, args map[string]any) map[string]any {
	d.t.Helper()
	d.seq++
	id, err := d.c.RequestControl("debug_request", map[string]any{"type": "request", "seq": d.seq, "command": command, "arguments": args})
	if err != nil {
		d.t.Fatal(err)
	}
	for {
		m, err := d.c.Control.Take(patience)
		if err != nil {
			d.t.Fatalf("%s: %v", command, err)
		}
		if m.ParentHeader().MsgID != id {
			continue
		}
		reply := client.Content(m)
		if reply["type"] != "response" || reply["request_seq"] != float64(d.seq) || reply["command"] != command {
			d.t.Errorf("%s: response %v", command, reply)
		}
		return reply
	}
}

// do is ask for what must succeed; it returns the body.
func (d *dap) do(command string, args map[string]any) map[string]any {
	d.t.Helper()
	reply := d.ask(command, args)
	if reply["success"] != true {
		d.t.Fatalf("%s: %v", command, reply["message"])
	}
	body, _ := reply["body"].(map[string]any)
	return body
}

// event waits for an event and returns its body.
func (d *dap) event(name string) map[string]any {
	d.t.Helper()
	for {
		m, err := d.c.IOPub.Take(patience)
		if err != nil {
			d.t.Fatalf("no event %s: %v", name, err)
		}
		if m.Header.MsgType != "debug_event" {
			continue
		}
		if e := client.Content(m); e["event"] == name {
			if e["type"] != "event" {
				d.t.Errorf("event %v", e)
			}
			body, _ := e["body"].(map[string]any)
			return body
		}
	}
}

func (d *dap) attach() {
	d.t.Helper()
	if len(d.do("initialize", map[string]any{"clientID": "test"})["exceptionBreakpointFilters"].([]any)) == 0 {
		d.t.Error("no exception filters")
	}
	d.do("attach", map[string]any{})
	d.event("initialized")
}

func (d *dap) breakAt(code string, lines ...int) []any {
	d.t.Helper()
	path := d.do("dumpCell", map[string]any{"code": code})["sourcePath"]
	var breaks []map[string]any
	for _, l := range lines {
		breaks = append(breaks, map[string]any{"line": l})
	}
	body := d.do("setBreakpoints", map[string]any{"source": map[string]any{"path": path}, "breakpoints": breaks, "sourceModified": false})
	d.do("configurationDone", map[string]any{})
	return body["breakpoints"].([]any)
}

// start runs a cell without waiting for its end.
func (d *dap) start(code string) string {
	d.t.Helper()
	id, err := d.c.Request("execute_request", client.ExecuteRequest{Code: code, StoreHistory: true, StopOnError: true})
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *dap) finish(id string) map[string]any {
	d.t.Helper()
	e, err := d.c.Finish(id, d.c.Shell, patience)
	if err != nil {
		d.t.Fatal(err)
	}
	return client.Content(e.Reply)
}

// stack is "name:line" of the calls, innermost first.
func (d *dap) stack() string {
	d.t.Helper()
	var out []string
	for _, f := range d.do("stackTrace", map[string]any{"threadId": 1})["stackFrames"].([]any) {
		f := f.(map[string]any)
		out = append(out, fmt.Sprintf("%v:%v", f["name"], f["line"]))
	}
	return strings.Join(out, " ")
}

func (d *dap) scope(frame, index int) string {
	d.t.Helper()
	scopes := d.do("scopes", map[string]any{"frameId": frame})["scopes"].([]any)
	return d.variables(scopes[index].(map[string]any)["variablesReference"])
}

func (d *dap) variables(ref any) string {
	d.t.Helper()
	return d.text(d.do("variables", map[string]any{"variablesReference": ref}))
}

func (d *dap) text(body map[string]any) string {
	var out []string
	for _, v := range body["variables"].([]any) {
		v := v.(map[string]any)
		out = append(out, fmt.Sprintf("%v %v = %v", v["name"], v["type"], v["value"]))
	}
	return strings.Join(out, "; ")
}

func TestDebugger(t *testing.T) {
	d := startDebug(t)
	info := askControl(t, d.c, "kernel_info_request", map[string]any{})
	if info["debugger"] != true || !strings.Contains(fmt.Sprint(info["supported_features"]), "debugger") {
		t.Errorf("kernel_info %v", info)
	}
	if info := d.do("debugInfo", nil); info["isStarted"] != false || info["hashMethod"] != "Murmur2" {
		t.Errorf("debugInfo %v", info)
	}
	if r := d.ask("stackTrace", map[string]any{"threadId": 1}); r["success"] != false {
		t.Errorf("answered before it was started: %v", r)
	}
	d.attach()
	function := "type P struct{ X, Y int }\n\nfunc f(p P) int {\n\ts := p.X + p.Y\n\treturn s\n}"
	d.finish(d.start(function))
	if set := d.breakAt(function, 2, 5); set[0].(map[string]any)["line"] != 4.0 || set[1].(map[string]any)["line"] != 5.0 {
		t.Errorf("breakpoints %v", set)
	}
	d.breakAt(function, 5)
	if info := d.do("debugInfo", nil); info["isStarted"] != true || len(info["breakpoints"].([]any)) != 1 {
		t.Errorf("debugInfo %v", info)
	}
	code := "total := 1\ntotal += f(P{2, 3})\nfmt.Println(total)"
	d.finish(d.start(`import "fmt"`))
	id := d.start(code)
	if e := d.event("stopped"); e["reason"] != "breakpoint" || e["threadId"] != 1.0 {
		t.Errorf("stopped %v", e)
	}
	if got := d.stack(); got != "f:5 cell 3:2" {
		t.Errorf("stack %q", got)
	}
	frames := d.do("stackTrace", map[string]any{"threadId": 1})["stackFrames"].([]any)
	source := d.do("source", map[string]any{"source": frames[1].(map[string]any)["source"]})
	if source["content"] != code {
		t.Errorf("source %v", source)
	}
	if got := d.scope(1, 0); got != "p main.P = {X:2 Y:3}; s int = 5" {
		t.Errorf("locals %q", got)
	}
	if got := d.scope(1, 1); got != "total int = 1" {
		t.Errorf("globals %q", got)
	}
	locals := d.do("variables", map[string]any{"variablesReference": d.do("scopes", map[string]any{"frameId": 1})["scopes"].([]any)[0].(map[string]any)["variablesReference"]})
	if got := d.variables(locals["variables"].([]any)[0].(map[string]any)["variablesReference"]); got != "X int = 2; Y int = 3" {
		t.Errorf("fields %q", got)
	}
	if got := d.do("evaluate", map[string]any{"expression": "p.X * 10", "frameId": 1, "context": "repl"}); got["result"] != "20" || got["type"] != "int" {
		t.Errorf("evaluated %v", got)
	}
	if r := d.ask("evaluate", map[string]any{"expression": "nope", "frameId": 1}); r["success"] != false || r["message"] != "undefined: nope" {
		t.Errorf("evaluated %v", r)
	}
	d.do("copyToGlobals", map[string]any{"srcVariableName": "s", "dstVariableName": "s", "srcFrameId": 1})
	d.do("stepOut", map[string]any{"threadId": 1})
	d.event("continued")
	if e := d.event("stopped"); e["reason"] != "step" {
		t.Errorf("stopped %v", e)
	}
	if got := d.stack(); got != "cell 3:3" {
		t.Errorf("stack %q", got)
	}
	d.do("continue", map[string]any{"threadId": 1})
	if r := d.finish(id); r["status"] != "ok" {
		t.Errorf("reply %v", r)
	}
	if got := d.text(d.do("inspectVariables", map[string]any{})); got != "s int = 5; total int = 6" {
		t.Errorf("variables %q", got)
	}
	if rich := d.do("richInspectVariables", map[string]any{"variableName": "total"}); !strings.Contains(fmt.Sprint(rich["data"]), "6") {
		t.Errorf("rich %v", rich)
	}
	d.do("setExceptionBreakpoints", map[string]any{"filters": []string{"panic"}})
	id = d.start("var m map[string]int\nm[\"a\"] = total")
	if e := d.event("stopped"); e["reason"] != "exception" || !strings.Contains(fmt.Sprint(e["text"]), "nil map") {
		t.Errorf("stopped %v", e)
	}
	if e := d.do("exceptionInfo", map[string]any{"threadId": 1}); !strings.Contains(fmt.Sprint(e["description"]), "nil map") {
		t.Errorf("exception %v", e)
	}
	d.do("continue", map[string]any{"threadId": 1})
	if r := d.finish(id); r["ename"] != "RuntimeError" {
		t.Errorf("reply %v", r)
	}
	id = d.start(code)
	d.event("stopped")
	began := time.Now()
	askControl(t, d.c, "interrupt_request", map[string]any{})
	if r := d.finish(id); r["ename"] != "Interrupted" || time.Since(began) > 5*time.Second {
		t.Errorf("after %v reply %v", time.Since(began), r)
	}
	d.do("disconnect", map[string]any{"restart": false, "terminateDebuggee": false})
	d.event("terminated")
	if info := d.do("debugInfo", nil); info["isStarted"] != false || len(info["breakpoints"].([]any)) != 0 {
		t.Errorf("debugInfo %v", info)
	}
	if r := d.finish(d.start(code)); r["status"] != "ok" {
		t.Errorf("reply %v", r)
	}
}
