package worker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

func TestEvalKeepsStateAndPassesResults(t *testing.T) {
	w := start(t, Options{})
	eval(w, "set 42")
	r, _ := eval(w, "get")
	if r.Err != nil || r.Value[display.Text] != "42" || r.Duration <= 0 {
		t.Errorf("get: %+v", r)
	}
	if got := fmt.Sprint(r.Payloads); got != "[{page map[application/json:12345678901234567 text/plain:p]  false} {set_next_input map[] next true}]" {
		t.Errorf("payloads: %s", got)
	}
	r, rec := eval(w, "png")
	if r.Err != nil || r.Value != nil || len(rec.bundles) != 1 {
		t.Fatalf("png: %+v %v", r, rec.events)
	}
	b := rec.bundles[0]
	if string(b[display.PNG].([]byte)) != "\x00\xff\n" || fmt.Sprint(b[display.JSON]) != "map[k:[1]]" {
		t.Errorf("bundle: %v", b)
	}
	r, _ = eval(w, "fail why")
	if r.Err == nil || r.Err.Name != "Error" || r.Err.Message != "why" || r.Err.SessionLost || r.Err.Diagnostics[0].Column != 2 {
		t.Errorf("fail: %+v", r.Err)
	}
}

func TestOrderOfTextAndDisplays(t *testing.T) {
	w := start(t, Options{})
	const n = 200
	_, rec := eval(w, fmt.Sprintf("mix %d", n))
	var got []string
	for _, e := range rec.events {
		if !strings.HasPrefix(e, "err:") {
			got = append(got, e)
		}
	}
	// A display lies between the texts, never before or after both.
	var b strings.Builder
	for _, e := range got {
		_, text, _ := strings.Cut(e, ":")
		b.WriteString(strings.ReplaceAll(text, "\n", " "))
		if strings.HasPrefix(e, "show:") {
			b.WriteByte(' ')
		}
	}
	var want strings.Builder
	for i := range n {
		fmt.Fprintf(&want, "a%d d%d b%d c%d ", i, i, i, i)
	}
	if b.String() != want.String() {
		t.Errorf("got %.300q…", b.String())
	}
	// What stderr says of step i lies before the display of step i+1.
	seen := 0
	for _, e := range rec.events {
		if strings.HasPrefix(e, "err:") {
			seen += strings.Count(e, "\n")
		}
		if d, ok := strings.CutPrefix(e, "show:d"); ok && d != strconv.Itoa(seen) {
			t.Fatalf("display %s after %d lines of stderr", d, seen)
		}
	}
}

func TestStderrOfEveryKind(t *testing.T) {
	w := start(t, Options{})
	_, rec := eval(w, "stderr")
	if got := rec.all("err"); got != "one\ntwo\nthree\n" {
		t.Errorf("stderr: %q", got)
	}
	_, rec = eval(w, "subprocess echo out; echo err >&2; cat")
	if rec.all("out") != "out\n" || rec.all("err") != "err\n" {
		t.Errorf("subprocess: %q", rec.events)
	}
}

func TestNothingIsLostAndLettersStayWhole(t *testing.T) {
	w := start(t, Options{})
	_, rec := eval(w, "flood 50000")
	if lines := strings.Count(rec.all("out"), "\n"); lines != 50000 {
		t.Errorf("%d lines", lines)
	}
	if rec.calls > 20000 {
		t.Errorf("%d deliveries of 50000 lines", rec.calls)
	}
	checked := &utf8Sink{}
	if r := w.Eval(context.Background(), interp.Cell{Code: "big 100000"}, checked); r.Err != nil {
		t.Fatal(r.Err)
	}
	if want := len("žluťoučký 😀 ") * 100000; checked.n != want || checked.broken > 0 {
		t.Errorf("%d bytes of %d, %d pieces with a broken letter", checked.n, want, checked.broken)
	}
}

type utf8Sink struct {
	record
	n, broken int
}

func (u *utf8Sink) Stdout(p []byte) {
	u.n += len(p)
	if strings.ToValidUTF8(string(p), "") != string(p) {
		u.broken++
	}
}

func TestFirstTextComesAtOnce(t *testing.T) {
	w := start(t, Options{})
	at := make(chan time.Time, 1)
	begin := time.Now()
	go w.Eval(context.Background(), interp.Cell{Code: "subprocess echo now; sleep 0.3"}, &timed{at: at})
	if d := (<-at).Sub(begin); d > 250*time.Millisecond {
		t.Errorf("the text came after %v", d)
	}
}

type timed struct {
	record
	at chan time.Time
}

func (s *timed) Stdout([]byte) { s.at <- time.Now() }

func TestDeaths(t *testing.T) {
	w := start(t, Options{MemoryLimit: 1 << 30})
	for _, c := range []struct{ how, reason string }{
		{"goroutine", "panic in a goroutine: boom"},
		{"nil", "panic in a goroutine: runtime error: invalid memory address or nil pointer dereference"},
		{"map", "fatal error: concurrent map writes"},
		{"unlock", "fatal error: sync: unlock of unlocked mutex"},
		{"memory", "out of memory: the limit is 1.0 GiB"},
		{"exit", "os.Exit(3) ended it"},
		{"kill", "killed from outside (SIGKILL), perhaps by the system for want of memory"},
		{"term", "killed from outside (SIGTERM)"},
	} {
		t.Run(c.how, func(t *testing.T) {
			if raced && (c.how == "map" || c.how == "memory") {
				t.Skip("the race detector comes first")
			}
			if r, _ := eval(w, "set 7"); r.Err != nil {
				t.Fatal(r.Err)
			}
			r, rec := eval(w, "crash "+c.how)
			if r.Err == nil || r.Err.Name != "EngineDied" || !r.Err.SessionLost || !strings.HasPrefix(r.Err.Message, c.reason) {
				t.Fatalf("%+v", r.Err)
			}
			if strings.Contains(r.Err.Message, "\n") || len(r.Err.Traceback) < 2 {
				t.Errorf("%q", r.Err.Traceback)
			}
			// What was printed before is there, the last words are in the
			// error alone.
			if rec.all("out") != "last" || rec.all("err") != "error text" {
				t.Errorf("printed %q", rec.events)
			}
			if r, _ := eval(w, "get"); r.Err != nil || r.Value[display.Text] != "0" {
				t.Errorf("the next cell: %+v", r)
			}
			if r, rec := eval(w, "%replay"); r.Err != nil || !strings.Contains(rec.all("out"), "replayed 1 cells") {
				t.Errorf("replay: %+v %q", r.Err, rec.events)
			}
			if r, _ := eval(w, "get"); r.Value[display.Text] != "7" {
				t.Errorf("after the replay: %+v", r)
			}
			w.Restart(context.Background())
		})
	}
}

func TestStackOverflow(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a gigabyte of stack")
	}
	w := start(t, Options{MemoryLimit: -1})
	r, _ := eval(w, "crash stack")
	if r.Err == nil || !strings.HasPrefix(r.Err.Message, "stack overflow") {
		t.Errorf("%+v", r.Err)
	}
}

func TestDeathBetweenCells(t *testing.T) {
	w := start(t, Options{})
	eval(w, "set 5")
	syscall.Kill(w.Pid(), syscall.SIGKILL)
	time.Sleep(50 * time.Millisecond)
	if r, _ := eval(w, "get"); r.Err != nil && !r.Err.SessionLost {
		t.Errorf("%+v", r)
	}
	if r, _ := eval(w, "get"); r.Err != nil {
		t.Errorf("%+v", r)
	}
}

func TestInterruptStopsACell(t *testing.T) {
	w := start(t, Options{})
	eval(w, "set 3")
	for _, how := range []string{"Interrupt", "context"} {
		rec := &record{shown: make(chan struct{})}
		shown := rec.shown
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var begin time.Time
		go func() {
			<-shown
			begin = time.Now()
			if how == "context" {
				cancel()
			} else {
				w.Interrupt()
			}
		}()
		r := w.Eval(ctx, interp.Cell{Code: "wait"}, rec)
		if r.Err == nil || r.Err.Name != "Interrupted" || r.Err.SessionLost {
			t.Errorf("%s: %+v", how, r.Err)
		}
		if d := time.Since(begin); d > 300*time.Millisecond {
			t.Errorf("%s: stopped after %v", how, d)
		}
	}
	if r, _ := eval(w, "get"); r.Err != nil || r.Value[display.Text] != "3" {
		t.Errorf("variables after an interrupt: %+v", r)
	}
}

func TestWhatDoesNotStopIsNamedAndKilled(t *testing.T) {
	w := start(t, Options{Grace: 50 * time.Millisecond, Patience: 300 * time.Millisecond})
	rec := &record{shown: make(chan struct{})}
	shown := rec.shown
	go func() {
		<-shown
		w.Interrupt()
		for !strings.Contains(rec.all("err"), "does not stop") {
			time.Sleep(time.Millisecond)
		}
		w.Interrupt()
	}()
	r := w.Eval(context.Background(), interp.Cell{Number: 9, Code: "stuck"}, rec)
	if r.Err == nil || !r.Err.SessionLost || r.Err.Message != "cell 9 did not stop when interrupted" {
		t.Errorf("%+v", r.Err)
	}
	if r, _ := eval(w, "get"); r.Err != nil {
		t.Error(r.Err)
	}
	// A context has no second word.
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if r := w.Eval(ctx, interp.Cell{Code: "stuck"}, new(record)); r.Err == nil || !r.Err.SessionLost {
		t.Errorf("%+v", r.Err)
	}
}

func TestQuestionsWhileACellRuns(t *testing.T) {
	w := start(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	rec := &record{shown: make(chan struct{})}
	shown := rec.shown
	over := make(chan struct{})
	go func() {
		w.Eval(ctx, interp.Cell{Code: "wait"}, rec)
		close(over)
	}()
	<-shown
	c, err := w.Complete(context.Background(), "foo", 3)
	if err != nil || len(c.Items) != 1 || c.Items[0].Text != "foo!" || c.End != 3 {
		t.Errorf("complete: %+v %v", c, err)
	}
	in, err := w.Inspect(context.Background(), "foo", 3, 1)
	if err != nil || !in.Found || in.Data[display.Text] != "foo1" {
		t.Errorf("inspect: %+v %v", in, err)
	}
	if is, err := w.IsComplete(context.Background(), "for {"); err != nil || is.Status != "incomplete" {
		t.Errorf("is complete: %+v %v", is, err)
	}
	if _, err := w.Complete(context.Background(), "panic", 0); err == nil || !strings.Contains(err.Error(), "in complete") {
		t.Errorf("a panic in complete: %v", err)
	}
	cancel()
	<-over
}

func TestInput(t *testing.T) {
	w := start(t, Options{})
	ask := func(code string, answers ...string) (interp.Result, *record) {
		rec := &record{answers: answers}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return w.Eval(ctx, interp.Cell{Code: code}, rec), rec
	}
	r, rec := ask("scan", "peter", "12 rest")
	if r.Err != nil || r.Value[display.Text] != "peter12" {
		t.Errorf("scan: %+v", r)
	}
	if want := []string{"out:name and number? ", "ask:false", "ask:false"}; fmt.Sprint(rec.events) != fmt.Sprint(want) && fmt.Sprint(rec.events) != fmt.Sprint([]string{want[0], "ask:falsefalse"}) {
		t.Errorf("events: %q", rec.events)
	}
	// What scan left unread is gone.
	if r, _ = ask("lines", "one line", "two"); r.Err != nil || r.Value[display.Text] != "one line|two" {
		t.Errorf("lines: %+v", r)
	}
	if r, rec = ask("input", "pw"); r.Err != nil || r.Value[display.Text] != "pw" || fmt.Sprint(rec.events) != "[out:before\n ask:secret: true]" {
		t.Errorf("input: %+v %q", r, rec.events)
	}
	// Nobody answers: the end of the file, and why.
	if r, rec = ask("scan"); r.Err == nil || !strings.Contains(rec.all("err"), "nobody to ask") {
		t.Errorf("without answers: %+v %q", r, rec.events)
	}
	if r, _ = ask("scan", "again 1"); r.Err != nil || r.Value[display.Text] != "again1" {
		t.Errorf("after the end of the file: %+v", r)
	}
}

func TestStdinLockIsFound(t *testing.T) {
	if readLock(os.Stdin) == nil {
		t.Fatal("os.File has no lock where it was in Go 1.26; cells that read standard input would wait for ever")
	}
}

func TestClosedStdoutComesBack(t *testing.T) {
	w := start(t, Options{})
	eval(w, "closestdout")
	if _, rec := eval(w, "print hello"); rec.all("out") != "hello\n" {
		t.Errorf("%q", rec.events)
	}
}

func TestRestartIsFastAndLeavesNothing(t *testing.T) {
	w := start(t, Options{})
	pid := w.Pid()
	_, rec := eval(w, "background 100")
	sleeper, _ := strconv.Atoi(strings.TrimSpace(rec.all("out")))
	best := time.Hour
	for range 3 {
		begin := time.Now()
		if err := w.Restart(context.Background()); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(begin))
	}
	limit := 100 * time.Millisecond
	if raced {
		limit *= 4 // all code is slower then
	}
	if best > limit {
		t.Errorf("a restart took %v", best)
	}
	if w.Pid() == pid {
		t.Error("the child is the same")
	}
	gone(t, pid)
	gone(t, sleeper)
	// A restart in the middle of a cell ends the cell.
	rec = &record{shown: make(chan struct{})}
	shown := rec.shown
	go func() {
		<-shown
		w.Restart(context.Background())
	}()
	r := w.Eval(context.Background(), interp.Cell{Code: "wait"}, rec)
	if r.Err == nil || r.Err.Message != "the engine was restarted" {
		t.Errorf("%+v", r.Err)
	}
	if r, rec := eval(w, "%restart"); r.Err != nil || rec.all("out") != "restarted\n" {
		t.Errorf("%+v %q", r.Err, rec.events)
	}
	pid = w.Pid()
	w.Close()
	gone(t, pid)
	if r, _ := eval(w, "get"); r.Err == nil || r.Err.Message != "the engine is closed" {
		t.Errorf("%+v", r.Err)
	}
}

// gone waits until there is no such process, not even a zombie of ours.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		if syscall.Kill(pid, 0) == syscall.ESRCH || dead(pid) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

// dead reports a zombie that is not ours to collect: an orphan waits for init.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	parent := ""
	if f := strings.Fields(rest); len(f) > 1 {
		parent = f[1]
	}
	return strings.HasPrefix(rest, "Z") && parent != strconv.Itoa(os.Getpid())
}

func TestFailureToStart(t *testing.T) {
	if _, err := Start(Options{Env: []string{"FAIL_TO_START=no luck"}}); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("%v", err)
	}
	if _, err := Start(Options{Command: []string{"/nowhere/at/all"}}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("%v", err)
	}
	if _, err := Start(Options{Command: []string{"false"}}); err == nil {
		t.Error("a child that exits at once is an engine")
	}
}

// The child of a parent that is killed ends, and what it started too.
func TestNoOrphans(t *testing.T) {
	if os.Getenv("BE_PARENT") != "" {
		w, err := Start(Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, rec := eval(w, "background 100")
		fmt.Println("pids", w.Pid(), strings.TrimSpace(rec.all("out")), r.Err)
		w.Eval(context.Background(), interp.Cell{Code: "stuck"}, rec)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoOrphans$")
	cmd.Env = append(os.Environ(), "BE_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var child, sleeper int
	if _, err := fmt.Fscanf(out, "pids %d %d", &child, &sleeper); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	gone(t, child)
	gone(t, sleeper)
}

func BenchmarkEval(b *testing.B) {
	w := start(b, Options{})
	sink := new(record)
	for b.Loop() {
		w.Eval(context.Background(), interp.Cell{Code: "get"}, sink)
	}
}
