package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"trafficgpt/interp"
)

// However a goroutine prints or shows something after its cell, it belongs to
// that cell, also while another one runs and prints itself.
func TestLateOutputIsItsCells(t *testing.T) {
	w := startReal(t, Options{})
	const first = `import ("fmt"; "os"; "time"; "trafficgpt/display"; "sync")
var wg sync.WaitGroup
say := func(how string) {
	fmt.Println("println", how)
	fmt.Printf("printf %s\n", how)
	fmt.Fprintln(os.Stdout, "fprintln", how)
	os.Stdout.WriteString("file " + how + "\n")
	fmt.Fprintln(os.Stderr, "stderr", how)
	display.Show("shown " + how)
}
wg.Go(func() { time.Sleep(300 * time.Millisecond); say("by a goroutine") })
wg.Add(1)
time.AfterFunc(320 * time.Millisecond, func() { defer wg.Done(); say("by a timer") })
fmt.Println("the first cell")`
	one, two := &record{}, &record{}
	run := func(rec *record, number int, code string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if r := w.Eval(ctx, interp.Cell{Number: number, Code: code}, rec); r.Err != nil {
			t.Fatal(r.Err.Traceback)
		}
	}
	run(one, 1, first)
	run(two, 2, "fmt.Println(\"the second cell\")\nfor range 40 { time.Sleep(10 * time.Millisecond); fmt.Print(\".\") }\nwg.Wait()\nfmt.Println(\"end\")")
	if got, want := two.all("out"), "the second cell\n"+strings.Repeat(".", 40)+"end\n"; got != want || two.all("err") != "" || two.all("show") != "" {
		t.Errorf("the second cell has %q", two.events)
	}
	out := one.all("out")
	for _, how := range []string{"by a goroutine", "by a timer"} {
		for _, what := range []string{"println ", "printf ", "fprintln ", "file "} {
			if !strings.Contains(out, what+how+"\n") {
				t.Errorf("the first cell lacks %q: %q", what+how, one.events)
			}
		}
		if !strings.Contains(one.all("err"), "stderr "+how) || !strings.Contains(one.all("show"), "shown "+how) {
			t.Errorf("the first cell has %q", one.events)
		}
	}
	// Nothing runs: it is the first cell's all the same.
	run(one, 3, `go func() { time.Sleep(100 * time.Millisecond); say("between cells") }()`)
	three := &record{}
	run(three, 4, "1")
	time.Sleep(400 * time.Millisecond)
	if !strings.Contains(one.all("out"), "println between cells") || three.all("out") != "" {
		t.Errorf("after its cell: %q, the next has %q", one.all("out"), three.events)
	}
}
