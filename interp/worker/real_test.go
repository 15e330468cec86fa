package worker

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// startReal starts a worker whose child has a real session. The goroutines of
// cells share what says where they are (LN), and yaegi's its frames, without
// locks: the child's races go to a file, and only the parent is watched.
func startReal(t testing.TB, opts Options) *Worker {
	opts.Env = append(opts.Env, "REAL_ENGINE=1")
	if raced {
		opts.Env = append(opts.Env, "GORACE=exitcode=0 log_path="+filepath.Join(t.TempDir(), "race"))
	}
	return start(t, opts)
}

// A session through the worker: state, values, text, questions, completion.
func TestRealSession(t *testing.T) {
	w := startReal(t, Options{})
	for _, c := range []struct{ code, out, value, err string }{
		{code: `import ("fmt"; "os"; "bufio"; "trafficgpt/display")`},
		{code: "x := 40\nx + 2", value: "42"},
		{code: "fmt.Print(\"a\")\nos.Stdout.WriteString(\"b\")\nfmt.Println(\"c\")\nx", out: "abc\n", value: "40"},
		{code: "var name string\nvar n int\n_, err := fmt.Scan(&name, &n)\nfmt.Sprint(name, n, err)", value: "line1 <nil>"},
		{code: "sc := bufio.NewScanner(os.Stdin)\nsc.Scan()\nsc.Text()", value: "line 1"},
		{code: "line, _ := display.Input(\"? \")\nline", value: "line 1"},
		{code: "undefinedThing", err: "undefined: undefinedThing"},
		{code: "%env REAL_ENGINE", out: "1\n"},
		{code: "!echo {x}; cat", out: "40\n"},
		{code: "%time x", value: "40"},
	} {
		rec := &record{answers: []string{"line 1"}}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		r := w.Eval(ctx, interp.Cell{Code: c.code}, rec)
		cancel()
		value, _ := r.Value[display.Text].(string)
		if !strings.HasPrefix(rec.all("out"), c.out) || strings.TrimSpace(value) != c.value {
			t.Errorf("%q: %q, value %q", c.code, rec.events, value)
		}
		if (r.Err == nil) != (c.err == "") || r.Err != nil && !strings.Contains(r.Err.Message, c.err) {
			t.Errorf("%q: %v", c.code, r.Err)
		}
	}
	c, err := w.Complete(context.Background(), "fmt.Printl", 10)
	if err != nil || len(c.Items) != 1 || c.Items[0].Text != "Println" {
		t.Errorf("%+v %v", c, err)
	}
	in, err := w.Inspect(context.Background(), "x", 1, 0)
	if text, _ := in.Data[display.Text].(string); err != nil || !strings.HasPrefix(text, "var x int") {
		t.Errorf("%+v %v", in, err)
	}
}

// What kills a Go program in a cell leaves the front end alive, and %replay
// brings the variables back.
func TestRealDeaths(t *testing.T) {
	w := startReal(t, Options{MemoryLimit: 1 << 30})
	for _, c := range []struct{ code, reason string }{
		{"var keep [][]byte\nfor { keep = append(keep, make([]byte, 16<<20)) }", "out of memory: the limit is 1.0 GiB"},
		{"!kill -KILL $PPID; sleep 9", "killed from outside (SIGKILL)"},
		{"!kill -ABRT $PPID; sleep 9", "killed from outside (SIGABRT)"},
		{"!kill -TERM $PPID; sleep 9", "killed from outside (SIGTERM)"},
		{"!kill -SEGV $PPID; sleep 9", "killed from outside (SIGSEGV)"},
		{"func() { m := map[int]int{}; for range 4 { go func() { for i := 0; ; i++ { m[i%8] = i } }() }; select {} }()", "fatal error: concurrent map writes"},
		{"import \"sync\"\nvar mu sync.Mutex\nmu.Unlock()", "fatal error: sync: unlock of unlocked mutex"},
		{"func deep(n int) int { return deep(n+1) + 1 }\ndeep(0)", "stack overflow: a function called itself until its stack exceeded 134217728 bytes"},
		{"import \"log\"\nlog.Fatal(\"so\")", "os.Exit(1) ended it"},
	} {
		if raced && (strings.Contains(c.reason, "memory") || strings.Contains(c.reason, "stack")) {
			continue // the race detector needs more than the limit, and gives up before the stack is full
		}
		eval(w, "x := 5")
		r, _ := eval(w, c.code)
		if r.Err == nil || !r.Err.SessionLost || !strings.Contains(r.Err.Message, c.reason) {
			t.Errorf("%q: %+v", c.code, r.Err)
			continue
		}
		if r, _ := eval(w, "%replay"); r.Err != nil {
			t.Errorf("replay: %+v", r.Err)
		}
		if r, _ := eval(w, "x"); r.Value[display.Text] != "5" {
			t.Errorf("after the replay: %+v", r)
		}
	}
}

// What would kill a Go program but can be stopped in time ends the cell alone:
// the variables stay.
func TestRealEnds(t *testing.T) {
	w := startReal(t, Options{})
	eval(w, "import (\"os\"; \"time\")\nx := 5")
	for _, c := range []struct{ code, reason string }{
		{"go func() { panic(\"boom\") }()\nselect {}", "boom (in a goroutine)"},
		{"time.AfterFunc(0, func() { var p *int; *p = 1 })\nselect {}", "runtime error: invalid memory address or nil pointer dereference (in a goroutine)"},
		{"os.Exit(3)", "os.Exit(3)"},
		{"func() { defer func() { recover(); x = 6 }(); os.Exit(4) }()", "os.Exit(4)"},
		{"go os.Exit(5)\nselect {}", "os.Exit(5) (in a goroutine)"},
	} {
		r, _ := eval(w, c.code)
		if r.Err == nil || r.Err.Message != c.reason || r.Err.SessionLost {
			t.Errorf("%q: %+v", c.code, r.Err)
		}
		if r, _ := eval(w, "x"); r.Err != nil || r.Value[display.Text] != "5" {
			t.Errorf("after %q: %+v", c.code, r)
		}
	}
}

func TestRealInterrupt(t *testing.T) {
	w := startReal(t, Options{})
	eval(w, `import ("sync"; "time"; "fmt")`)
	eval(w, "x := 5")
	for _, code := range []string{
		"for {}", "select {}", "<-make(chan int)", "time.Sleep(time.Hour)", "for { fmt.Sprint(1) }", "var n int\nfmt.Scan(&n)",
	} {
		took := []time.Duration{}
		for len(took) < 5 { // a busy machine delays one run, a fault all of them
			ctx, cancel := context.WithCancel(context.Background())
			var at time.Time
			time.AfterFunc(100*time.Millisecond, func() { at = time.Now(); cancel() })
			r := w.Eval(ctx, interp.Cell{Number: 2, Code: code}, &waiting{ctx: ctx})
			took = append(took, time.Since(at))
			if r.Err == nil || r.Err.Name != "Interrupted" || r.Err.SessionLost {
				t.Fatalf("%q: %+v", code, r.Err)
			}
			if took[len(took)-1] <= 400*time.Millisecond {
				break
			}
		}
		if took[len(took)-1] > 400*time.Millisecond {
			t.Errorf("%q: returned after %v", code, took)
		}
		if r, _ := eval(w, "x"); r.Err != nil || r.Value[display.Text] != "5" {
			t.Errorf("after %q: %+v", code, r.Err)
		}
	}
}

// waiting is a user who does not answer.
type waiting struct {
	record
	ctx context.Context
}

func (w *waiting) Input(ctx context.Context, _ string, _ bool) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func BenchmarkRealEval(b *testing.B) {
	w := startReal(b, Options{})
	sink := new(record)
	for b.Loop() {
		w.Eval(context.Background(), interp.Cell{Code: "1 + 1"}, sink)
	}
}

func BenchmarkRealComplete(b *testing.B) {
	w := startReal(b, Options{})
	eval(w, `import "net/http"`)
	for b.Loop() {
		if _, err := w.Complete(context.Background(), "http.", 5); err != nil {
			b.Fatal(err)
		}
	}
}

// From nothing to the first result.
func BenchmarkRealStart(b *testing.B) {
	for b.Loop() {
		w := startReal(b, Options{})
		if r, _ := eval(w, "1 + 1"); r.Err != nil {
			b.Fatal(r.Err)
		}
		w.Close()
	}
}

func BenchmarkRealRestart(b *testing.B) {
	w := startReal(b, Options{})
	for b.Loop() {
		if err := w.Restart(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
