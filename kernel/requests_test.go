package kernel_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/kerneltest"
)

func TestKernelInfoOnBothChannels(t *testing.T) {
	_, c := start(t)
	for name, info := range map[string]map[string]any{
		"shell":   ask(t, c, "kernel_info_request", map[string]any{}),
		"control": askControl(t, c, "kernel_info_request", map[string]any{}),
	} {
		language, _ := info["language_info"].(map[string]any)
		if info["status"] != "ok" || info["protocol_version"] != "5.5" || info["implementation_version"] != "1.2.3" || language["name"] != "go" {
			t.Errorf("%s: %v", name, info)
		}
		if info["debugger"] != false || len(info["help_links"].([]any)) == 0 {
			t.Errorf("%s: %v", name, info)
		}
	}
}

func TestCursorCountsCodePoints(t *testing.T) {
	_, c := start(t)
	// Before the word: an é (2 bytes), a 😀 (4 bytes, a surrogate pair in
	// JavaScript) and a space.
	code := "é😀 pas zz"
	reply := ask(t, c, "complete_request", map[string]any{"code": code, "cursor_pos": 6})
	matches := reply["matches"].([]any)
	if !slices.Equal(matches, []any{"password"}) || reply["cursor_start"] != 3.0 || reply["cursor_end"] != 6.0 {
		t.Errorf("completion %v", reply)
	}
	types := reply["metadata"].(map[string]any)["_jupyter_types_experimental"].([]any)
	first := types[0].(map[string]any)
	if first["type"] != "keyword" || first["text"] != "password" || first["start"] != 3.0 || first["end"] != 6.0 {
		t.Errorf("types %v", types)
	}
	for _, at := range []int{-5, 0, 1, 9, 1000} {
		reply := ask(t, c, "complete_request", map[string]any{"code": code, "cursor_pos": at})
		want := float64(max(0, min(at, 9)))
		if reply["status"] != "ok" || len(reply["matches"].([]any)) != 0 || reply["cursor_start"] != want || reply["cursor_end"] != want {
			t.Errorf("no match at %d: %v", at, reply)
		}
	}
}

func TestInspectAndIsComplete(t *testing.T) {
	_, c := start(t)
	reply := ask(t, c, "inspect_request", map[string]any{"code": "😀print", "cursor_pos": 2, "detail_level": 1})
	if reply["found"] != true || reply["data"].(map[string]any)["text/plain"] != "print at 5, detail 1" {
		t.Errorf("inspection %v", reply)
	}
	reply = ask(t, c, "inspect_request", map[string]any{"code": "x", "cursor_pos": 1})
	if reply["status"] != "ok" || reply["found"] != false || len(reply["data"].(map[string]any)) != 0 {
		t.Errorf("inspection of nothing %v", reply)
	}
	if reply := ask(t, c, "is_complete_request", map[string]any{"code": `x \`}); reply["status"] != "incomplete" || reply["indent"] != "  " {
		t.Errorf("incomplete: %v", reply)
	}
	if reply := ask(t, c, "is_complete_request", map[string]any{"code": "x"}); reply["status"] != "complete" {
		t.Errorf("complete: %v", reply)
	}
}

// A completion does not wait for a long cell, and the kernel still shows as
// busy with that cell afterwards.
func TestAnswersBesideARunningCell(t *testing.T) {
	_, c := start(t)
	cell, err := c.Request("execute_request", client.ExecuteRequest{Code: "sleep 1m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{"complete_request", "inspect_request", "is_complete_request", "kernel_info_request", "history_request", "comm_info_request", "connect_request"} {
		id, err := c.Request(request, map[string]any{"code": "p", "cursor_pos": 1, "hist_access_type": "tail"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Shell.Take(5 * time.Second)
		if err != nil || m.ParentHeader().MsgID != id {
			t.Fatalf("%s while a cell runs: %v, %v", request, m, err)
		}
		for last := ""; ; {
			m, err := c.IOPub.Take(patience)
			if err != nil {
				t.Fatal(err)
			}
			if m.ParentHeader().MsgID == id {
				last = client.State(m)
			} else if last == "idle" {
				if m.ParentHeader().MsgID != cell || client.State(m) != "busy" {
					t.Errorf("after %s: %s", request, m.Content)
				}
				break
			}
		}
	}
	askControl(t, c, "interrupt_request", map[string]any{})
}

func TestHistoryAcrossRestarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "history.db")
	rows := func(c *client.Client, query map[string]any) []any {
		t.Helper()
		return ask(t, c, "history_request", query)["history"].([]any)
	}
	inputs := func(rows []any) string {
		var in []string
		for _, row := range rows {
			in = append(in, row.([]any)[2].(string))
		}
		return strings.Join(in, "|")
	}
	first := kerneltest.Start(t, "tcp", kerneltest.NewEngine(), kernel.Options{HistoryFile: file})
	c := first.Dial()
	for _, code := range []string{"value 1", "print a\nprint b", "value 1"} {
		execute(t, c, code)
	}
	askControl(t, c, "shutdown_request", map[string]any{"restart": true})
	if err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	second := kerneltest.Start(t, "tcp", kerneltest.NewEngine(), kernel.Options{HistoryFile: file})
	c = second.Dial()
	execute(t, c, "value 2")
	for _, test := range []struct {
		name  string
		query map[string]any
		want  string
	}{
		{"tail", map[string]any{"hist_access_type": "tail", "n": 2}, "value 1|value 2"},
		{"tail of more", map[string]any{"hist_access_type": "tail", "n": 100}, "value 1|print a\nprint b|value 1|value 2"},
		{"tail of nothing", map[string]any{"hist_access_type": "tail", "n": 0}, ""},
		{"this session", map[string]any{"hist_access_type": "range", "session": 0, "start": 0}, "value 2"},
		{"last session", map[string]any{"hist_access_type": "range", "session": -1, "start": 2, "stop": 4}, "print a\nprint b|value 1"},
		{"first session", map[string]any{"hist_access_type": "range", "session": 1, "start": 1, "stop": 2}, "value 1"},
		{"glob", map[string]any{"hist_access_type": "search", "pattern": "*print*"}, "print a\nprint b"},
		{"glob set", map[string]any{"hist_access_type": "search", "pattern": "value [2-9]"}, "value 2"},
		{"all", map[string]any{"hist_access_type": "search", "pattern": "value ?"}, "value 1|value 1|value 2"},
		{"unique", map[string]any{"hist_access_type": "search", "pattern": "value ?", "unique": true}, "value 1|value 2"},
		{"last", map[string]any{"hist_access_type": "search", "pattern": "value ?", "n": 1}, "value 2"},
		{"nothing", map[string]any{"hist_access_type": "search", "pattern": "nowhere"}, ""},
	} {
		if got := inputs(rows(c, test.query)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	withOutput := rows(c, map[string]any{"hist_access_type": "tail", "n": 3, "output": true})
	if got := withOutput[0].([]any)[2].([]any); got[0] != "print a\nprint b" || got[1] != nil {
		t.Errorf("without a value: %v", got)
	}
	if got := withOutput[2].([]any)[2].([]any); got[1] != "2" {
		t.Errorf("with a value: %v", got)
	}
	if reply := ask(t, c, "history_request", map[string]any{"hist_access_type": "sideways"}); reply["status"] != "error" {
		t.Errorf("unknown access: %v", reply)
	}
}

func TestComms(t *testing.T) {
	_, c := start(t)
	e := execute(t, c, "comm c1 jupyter.widget")
	open := e.Output("comm_open")
	if open["comm_id"] != "c1" || open["target_name"] != "jupyter.widget" || open["data"].(map[string]any)["state"] != 1.0 {
		t.Errorf("comm_open %v", open)
	}
	info := ask(t, c, "comm_info_request", map[string]any{"target_name": "jupyter.widget"})
	if comms := info["comms"].(map[string]any); len(comms) != 1 || comms["c1"].(map[string]any)["target_name"] != "jupyter.widget" {
		t.Errorf("comm_info %v", info)
	}
	if info := ask(t, c, "comm_info_request", map[string]any{"target_name": "other"}); len(info["comms"].(map[string]any)) != 0 {
		t.Errorf("comm_info of another target %v", info)
	}
	exchange := func(msgType string, content map[string]any) map[string]any {
		t.Helper()
		id, err := c.Request(msgType, content)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		for {
			m, err := c.IOPub.Take(patience)
			if err != nil {
				t.Fatal(err)
			}
			if m.ParentHeader().MsgID == id && strings.HasPrefix(m.Header.MsgType, "comm_") {
				got = client.Content(m)
				got["type"] = m.Header.MsgType
			}
			if m.ParentHeader().MsgID == id && client.State(m) == "idle" {
				return got
			}
		}
	}
	got := exchange("comm_msg", map[string]any{"comm_id": "c1", "data": map[string]any{"x": 5}})
	if got["type"] != "comm_msg" || got["data"].(map[string]any)["x"] != 5.0 {
		t.Errorf("echo %v", got)
	}
	if got := exchange("comm_open", map[string]any{"comm_id": "c2", "target_name": "refuse", "data": map[string]any{}}); got["type"] != "comm_close" || got["comm_id"] != "c2" {
		t.Errorf("a comm that nobody wants: %v", got)
	}
	if got := exchange("comm_close", map[string]any{"comm_id": "c1", "data": map[string]any{}}); got != nil {
		t.Errorf("close: %v", got)
	}
	if got := exchange("comm_msg", map[string]any{"comm_id": "c1", "data": map[string]any{}}); got != nil {
		t.Errorf("message to a closed comm: %v", got)
	}
}

// A control's function that takes long is interrupted like a cell.
func TestInterruptOfAComm(t *testing.T) {
	_, c := start(t)
	execute(t, c, "comm c1 t")
	id, err := c.Request("comm_msg", map[string]any{"comm_id": "c1", "data": "hang"})
	if err != nil {
		t.Fatal(err)
	}
	for interrupted := false; ; {
		m, err := c.IOPub.Take(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.ParentHeader().MsgID != id {
			continue
		}
		if client.State(m) == "busy" && !interrupted {
			interrupted = true
			time.Sleep(50 * time.Millisecond)
			if _, err := c.RequestControl("interrupt_request", map[string]any{}); err != nil {
				t.Fatal(err)
			}
		}
		if m.Header.MsgType == "stream" && !strings.Contains(client.Content(m)["text"].(string), "interrupted") {
			t.Errorf("output %v", client.Content(m))
		}
		if client.State(m) == "idle" {
			break
		}
	}
	if e := execute(t, c, "print on"); e.Stream("stdout") != "on\n" {
		t.Errorf("after: %q", e.Stream("stdout"))
	}
}

// interrupt interrupts a cell until it ends: what comes before the engine has begun with it stops nothing.
func interrupt(t *testing.T, c *client.Client, cell string) *client.Execution {
	t.Helper()
	for range 20 {
		if _, err := c.RequestControl("interrupt_request", map[string]any{}); err != nil {
			t.Fatal(err)
		}
		if e, err := c.Finish(cell, c.Shell, time.Second); err == nil {
			return e
		}
	}
	t.Fatal("the cell goes on")
	return nil
}

func TestSubshells(t *testing.T) {
	_, c := start(t)
	made := askControl(t, c, "create_subshell_request", map[string]any{})
	id, _ := made["subshell_id"].(string)
	if made["status"] != "ok" || id == "" {
		t.Fatalf("create: %v", made)
	}
	if list := askControl(t, c, "list_subshell_request", map[string]any{}); !slices.Equal(list["subshell_id"].([]any), []any{id}) {
		t.Errorf("list: %v", list)
	}
	// A completion in the subshell does not wait for the main shell's cell.
	main, err := c.Request("execute_request", client.ExecuteRequest{Code: "sleep 1m"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	sub, err := c.RequestSubshell(id, "complete_request", map[string]any{"code": "pri", "cursor_pos": 3})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := c.Finish(sub, c.Shell, patience); err != nil || client.Content(e.Reply)["status"] != "ok" {
		t.Fatalf("completion in the subshell: %v, %v", e, err)
	}
	if waited := time.Since(began); waited > 30*time.Second {
		t.Errorf("completion in the subshell after %v", waited)
	}
	// A cell in the subshell waits for its turn, and the reply goes out then.
	cell, err := c.RequestSubshell(id, "execute_request", client.ExecuteRequest{Code: "print in the subshell"})
	if err != nil {
		t.Fatal(err)
	}
	interrupt(t, c, main)
	e, err := c.Finish(cell, c.Shell, patience)
	if err != nil || e.Stream("stdout") != "in the subshell\n" {
		t.Errorf("cell in the subshell: %q, %v", e.Stream("stdout"), err)
	}
	if gone := askControl(t, c, "delete_subshell_request", map[string]any{"subshell_id": id}); gone["status"] != "ok" {
		t.Errorf("delete: %v", gone)
	}
	if gone := askControl(t, c, "delete_subshell_request", map[string]any{"subshell_id": id}); gone["status"] != "error" {
		t.Errorf("delete again: %v", gone)
	}
	lost, err := c.RequestSubshell(id, "execute_request", client.ExecuteRequest{Code: "print x"})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := c.Finish(lost, c.Shell, patience); err != nil || client.Content(e.Reply)["ename"] != "UnknownSubshell" {
		t.Errorf("request to a deleted subshell: %v, %v", e, err)
	}
}

func TestSmallRequests(t *testing.T) {
	k, c := start(t)
	if err := c.Ping(patience); err != nil {
		t.Error(err)
	}
	if reply := ask(t, c, "connect_request", map[string]any{}); reply["shell_port"] != float64(k.File.ShellPort) || reply["hb_port"] != float64(k.File.HBPort) {
		t.Errorf("connect: %v", reply)
	}
	usage := askControl(t, c, "usage_request", map[string]any{})
	if usage["kernel_memory"].(float64) < 1<<20 || usage["cpu_count"].(float64) < 1 {
		t.Errorf("usage: %v", usage)
	}
	if reply := askControl(t, c, "debug_request", map[string]any{"seq": 3, "type": "request", "command": "initialize"}); reply["success"] != false || reply["request_seq"] != 3.0 {
		t.Errorf("debug: %v", reply)
	}
	if reply := ask(t, c, "brew_request", map[string]any{}); reply["ename"] != "UnknownRequest" {
		t.Errorf("unknown request: %v", reply)
	}
	if reply := ask(t, c, "complete_request", map[string]any{"code": 5}); reply["status"] != "error" {
		t.Errorf("code of a wrong type: %v", reply)
	}
	reply := client.Content(execute(t, c, "page some text\nnext x := 1").Reply)
	if next := reply["payload"].([]any)[1].(map[string]any); next["source"] != "set_next_input" || next["text"] != "x := 1" || next["replace"] != false {
		t.Errorf("payload %v", next)
	}
	payload := reply["payload"].([]any)[0].(map[string]any)
	if payload["source"] != "page" || payload["data"].(map[string]any)["text/plain"] != "some text" {
		t.Errorf("payload %v", payload)
	}
}
