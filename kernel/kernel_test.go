package kernel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/kerneltest"
	"trafficgpt/kernel/wire"
)

const patience = kerneltest.Patience

func start(t *testing.T) (*kerneltest.Kernel, *client.Client) {
	t.Helper()
	k := kerneltest.Start(t, "tcp", kerneltest.NewEngine(), kernel.Options{Version: "1.2.3"})
	return k, k.Dial()
}

func execute(t *testing.T, c *client.Client, code string) *client.Execution {
	t.Helper()
	e, err := c.Execute(code, patience)
	if err != nil {
		t.Fatalf("%q: %v (so far %v)", code, err, e)
	}
	return e
}

// ask sends a shell request and returns its reply's content.
func ask(t *testing.T, c *client.Client, msgType string, content any) map[string]any {
	t.Helper()
	id, err := c.Request(msgType, content)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(id, c.Shell, patience)
	if err != nil {
		t.Fatalf("%s: %v", msgType, err)
	}
	if want := []string{"status:busy", "status:idle"}; !slices.Equal(e.Types(), want) {
		t.Errorf("%s: IOPub says %v, want %v", msgType, e.Types(), want)
	}
	return client.Content(e.Reply)
}

func askControl(t *testing.T, c *client.Client, msgType string, content any) map[string]any {
	t.Helper()
	id, err := c.RequestControl(msgType, content)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(id, c.Control, patience)
	if err != nil {
		t.Fatalf("%s: %v", msgType, err)
	}
	return client.Content(e.Reply)
}

func TestExecuteOrderAndContents(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			k := kerneltest.Start(t, transport, kerneltest.NewEngine(), kernel.Options{})
			c := k.Dial()
			e := execute(t, c, "print hello\nwarn oh\nprint again\ndisplay d1 shown\nupdate d1 new\nclear\nvalue 42")
			want := []string{"status:busy", "execute_input", "stream", "stream", "stream", "display_data",
				"update_display_data", "clear_output", "execute_result", "status:idle"}
			if !slices.Equal(e.Types(), want) {
				t.Errorf("messages %v\nwant     %v", e.Types(), want)
			}
			if got := e.Stream("stdout"); got != "hello\nagain\n" {
				t.Errorf("stdout %q", got)
			}
			reply := client.Content(e.Reply)
			if reply["status"] != "ok" || reply["execution_count"] != 1.0 {
				t.Errorf("reply %v", reply)
			}
			if d := e.Output("display_data")["transient"].(map[string]any)["display_id"]; d != "d1" {
				t.Errorf("display id %v", d)
			}
			if v := e.Output("execute_result")["data"].(map[string]any)["text/plain"]; v != "42" {
				t.Errorf("value %v", v)
			}
		})
	}
}

func TestErrorIsOneOutput(t *testing.T) {
	_, c := start(t)
	e := execute(t, c, "print before\nfail broken")
	want := []string{"status:busy", "execute_input", "stream", "error", "status:idle"}
	if !slices.Equal(e.Types(), want) {
		t.Errorf("messages %v, want %v", e.Types(), want)
	}
	reply, out := client.Content(e.Reply), e.Output("error")
	for _, key := range []string{"ename", "evalue", "traceback"} {
		if fmt.Sprint(reply[key]) != fmt.Sprint(out[key]) {
			t.Errorf("%s: reply %v, output %v", key, reply[key], out[key])
		}
	}
	if reply["status"] != "error" || reply["evalue"] != "broken" {
		t.Errorf("reply %v", reply)
	}
}

func TestEnginePanicIsAnswered(t *testing.T) {
	_, c := start(t)
	e := execute(t, c, "panic at the disco")
	if reply := client.Content(e.Reply); reply["status"] != "error" || reply["evalue"] != "at the disco" {
		t.Errorf("reply %v", reply)
	}
	if e := execute(t, c, "print alive"); e.Stream("stdout") != "alive\n" {
		t.Errorf("after the panic: %q", e.Stream("stdout"))
	}
}

func TestStopOnErrorTurnsDownWhatWaits(t *testing.T) {
	_, c := start(t)
	send := func(code string, stop bool) string {
		id, err := c.Request("execute_request", client.ExecuteRequest{Code: code, StoreHistory: true, StopOnError: stop})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, second, third := send("fail now", true), send("print never", true), send("print neither", true)
	var status []any
	for _, id := range []string{first, second, third} {
		e, err := c.Finish(id, c.Shell, patience)
		if err != nil {
			t.Fatal(err)
		}
		status = append(status, client.Content(e.Reply)["status"], client.Content(e.Reply)["ename"])
		if e.Stream("stdout") != "" {
			t.Errorf("a cell behind the failed one ran")
		}
	}
	if want := []any{"error", "Error", "error", "Aborted", "error", "Aborted"}; !slices.Equal(status, want) {
		t.Errorf("statuses %v, want %v", status, want)
	}
	// Without stop_on_error the queue goes on.
	bad, good := send("fail now", false), send("print yes", true)
	if _, err := c.Finish(bad, c.Shell, patience); err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(good, c.Shell, patience)
	if err != nil || e.Stream("stdout") != "yes\n" {
		t.Errorf("after a failure without stop_on_error: %q, %v", e.Stream("stdout"), err)
	}
}

// TestStopOnErrorGoesByDates sends cells that come after the reply of a failed
// one, with dates around it, and as several clients.
func TestStopOnErrorGoesByDates(t *testing.T) {
	k, c := start(t)
	other := k.Dial()
	const form = "2006-01-02T15:04:05.000Z"
	clock := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // the client's, far behind
	send := func(c *client.Client, code, date string, stop bool) map[string]any {
		m, err := c.Message("execute_request", "", client.ExecuteRequest{Code: code, StoreHistory: true, StopOnError: stop}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Header.Date = date
		if m.RawHeader, err = wire.EncodeJSON(m.Header); err != nil {
			t.Fatal(err)
		}
		if err := c.SendShell(c.Encode(m)); err != nil {
			t.Fatal(err)
		}
		e, err := c.Finish(m.Header.MsgID, c.Shell, patience)
		if err != nil {
			t.Fatal(err)
		}
		return client.Content(e.Reply)
	}
	for _, step := range []struct {
		name, code, date string
		by               *client.Client
		stop             bool
		want             any // ename of the reply, nil for none
	}{
		{"fails", "fail now", clock.Format(form), c, true, "Error"},
		{"sent together", "print x", clock.Add(2 * time.Millisecond).Format(form), c, true, "Aborted"},
		{"by another client", "print x", clock.Add(2 * time.Millisecond).Format(form), other, true, nil},
		{"sent together too", "print x", clock.Add(3 * time.Millisecond).Format(form), c, true, "Aborted"},
		{"run again", "print x", clock.Add(time.Minute).Format(form), c, true, nil},
		{"after one that ran", "print x", clock.Add(4 * time.Millisecond).Format(form), c, true, nil},
		{"fails, and says to go on", "fail now", clock.Format(form), c, false, "Error"},
		{"sent together with it", "print x", clock.Add(2 * time.Millisecond).Format(form), c, true, nil},
		{"fails without a date", "fail now", "", c, true, "Error"},
		{"after that", "print x", "", c, true, nil},
	} {
		if got := send(step.by, step.code, step.date, step.stop)["ename"]; got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

func TestSilentAndCount(t *testing.T) {
	_, c := start(t)
	id, err := c.Request("execute_request", client.ExecuteRequest{Code: "print x\nvalue 1", Silent: true, StoreHistory: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(id, c.Shell, patience)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"status:busy", "status:idle"}; !slices.Equal(e.Types(), want) {
		t.Errorf("a silent cell published %v", e.Types())
	}
	if n := client.Content(execute(t, c, "print a").Reply)["execution_count"]; n != 1.0 {
		t.Errorf("count after a silent cell is %v", n)
	}
	if n := client.Content(execute(t, c, "print a").Reply)["execution_count"]; n != 2.0 {
		t.Errorf("count of the second cell is %v", n)
	}
}

func TestUserExpressions(t *testing.T) {
	_, c := start(t)
	id, err := c.Request("execute_request", client.ExecuteRequest{Code: "set x", UserExpressions: map[string]string{"good": "value 7", "bad": "get y"}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(id, c.Shell, patience)
	if err != nil {
		t.Fatal(err)
	}
	results := client.Content(e.Reply)["user_expressions"].(map[string]any)
	good, bad := results["good"].(map[string]any), results["bad"].(map[string]any)
	if good["status"] != "ok" || good["data"].(map[string]any)["text/plain"] != "7" {
		t.Errorf("good: %v", good)
	}
	if bad["status"] != "error" || bad["evalue"] != "undefined: y" {
		t.Errorf("bad: %v", bad)
	}
}

func TestInterruptKeepsState(t *testing.T) {
	_, c := start(t)
	execute(t, c, "set kept")
	id, err := c.Request("execute_request", client.ExecuteRequest{Code: "sleep 1m", StoreHistory: true})
	if err != nil {
		t.Fatal(err)
	}
	for { // until it runs
		m, err := c.IOPub.Take(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.MsgType == "execute_input" {
			break
		}
	}
	e := interrupt(t, c, id)
	if reply := client.Content(e.Reply); reply["ename"] != "Interrupted" {
		t.Errorf("reply %v", reply)
	}
	if reply := client.Content(execute(t, c, "get kept").Reply); reply["status"] != "ok" {
		t.Errorf("state after the interrupt: %v", reply)
	}
}

func TestInput(t *testing.T) {
	_, c := start(t)
	for _, verb := range []string{"ask", "password"} {
		id, err := c.Request("execute_request", client.ExecuteRequest{Code: "print first\n" + verb + " name?", AllowStdin: true})
		if err != nil {
			t.Fatal(err)
		}
		question, err := c.Stdin.Take(patience)
		if err != nil {
			t.Fatal(err)
		}
		content := client.Content(question)
		if content["prompt"] != "name?" || content["password"] != (verb == "password") || question.ParentHeader().MsgID != id {
			t.Errorf("input_request %v, parent %v", content, question.ParentHeader().MsgID)
		}
		if err := c.AnswerInput(question, "Ada"); err != nil {
			t.Fatal(err)
		}
		e, err := c.Finish(id, c.Shell, patience)
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream("stdout") != "first\nAda\n" {
			t.Errorf("stdout %q", e.Stream("stdout"))
		}
	}
	e := execute(t, c, "ask without stdin")
	if reply := client.Content(e.Reply); reply["status"] != "error" || !strings.Contains(reply["evalue"].(string), "allow_stdin") {
		t.Errorf("without allow_stdin: %v", reply)
	}
}

func TestInterruptEndsInput(t *testing.T) {
	_, c := start(t)
	id, err := c.Request("execute_request", client.ExecuteRequest{Code: "ask wait", AllowStdin: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stdin.Take(patience); err != nil {
		t.Fatal(err)
	}
	askControl(t, c, "interrupt_request", map[string]any{})
	m, err := c.Shell.Take(patience)
	if err != nil || m.ParentHeader().MsgID != id || client.Content(m)["status"] != "error" {
		t.Fatalf("reply %v, %v", m, err)
	}
	if e := execute(t, c, "print on"); e.Stream("stdout") != "on\n" {
		t.Errorf("after: %q", e.Stream("stdout"))
	}
}

func TestLateOutputGoesToItsCell(t *testing.T) {
	_, c := start(t)
	first := execute(t, c, "late 200ms from the first")
	execute(t, c, "print second")
	for {
		m, err := c.IOPub.Take(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.MsgType == "stream" {
			if m.ParentHeader().MsgID != first.ID || client.Content(m)["text"] != "from the first\n" {
				t.Errorf("late output %v has parent %s", client.Content(m), m.ParentHeader().MsgID)
			}
			return
		}
	}
}

func TestOutputIsGathered(t *testing.T) {
	_, c := start(t)
	e := execute(t, c, "lines 100000")
	n := 0
	for _, m := range e.Outputs {
		if m.Header.MsgType == "stream" {
			n++
		}
	}
	if n > 100 {
		t.Errorf("100,000 lines in %d messages", n)
	}
	if got := strings.Count(e.Stream("stdout"), "\n"); got != 100000 {
		t.Errorf("%d lines", got)
	}
	e = execute(t, c, `print 10%\r20%\r`+`\x1b[31mred\x1b[0m`)
	if got := e.Stream("stdout"); got != "10%\r20%\r\x1b[31mred\x1b[0m\n" {
		t.Errorf("control characters: %q", got)
	}
}
