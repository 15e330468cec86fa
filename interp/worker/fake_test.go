package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/assist"
)

// The tests run this binary as their child, with an engine whose cells are Go
// functions: what the worker must survive does not depend on how a cell runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if os.Getenv("REAL_ENGINE") != "" {
			os.Exit(Main())
		}
		os.Exit(serve(func([]byte) (interp.Engine, error) {
			if why := os.Getenv("FAIL_TO_START"); why != "" {
				return nil, errors.New(why)
			}
			return &fakeEngine{}, nil
		}))
	}
	os.Exit(m.Run())
}

type fakeEngine struct {
	x int
}

func (f *fakeEngine) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	leave := display.Enter(ctx, sink)
	defer leave()
	name, arg, _ := strings.Cut(cell.Code, " ")
	run, ok := cells[name]
	if !ok {
		return interp.Result{Err: &interp.Error{Name: "CompileError", Message: "undefined: " + name}}
	}
	v, err := run(ctx, f, sink, arg)
	switch {
	case errors.Is(err, context.Canceled):
		return interp.Result{Err: &interp.Error{Name: "Interrupted", Message: "interrupted"}}
	case err != nil:
		return interp.Result{Err: &interp.Error{Name: "Error", Message: err.Error(),
			Diagnostics: []interp.Diagnostic{{Cell: cell.Number, Line: 1, Column: 2, Message: "here", Source: cell.Code}}}}
	case v == nil:
		return interp.Result{}
	}
	return interp.Result{Value: display.Of(v), Payloads: []interp.Payload{
		{Kind: interp.PayloadPage, Page: display.Bundle{display.Text: "p", display.JSON: 12345678901234567}},
		{Kind: interp.PayloadNextInput, Text: "next", Replace: true},
	}}
}

func (f *fakeEngine) Complete(_ context.Context, code string, pos int) (interp.Completion, error) {
	if code == "panic" {
		panic("in complete")
	}
	return interp.Completion{Start: 0, End: pos, Items: []interp.CompletionItem{{Text: code + "!", Kind: "variable"}}}, nil
}

func (f *fakeEngine) Inspect(_ context.Context, code string, _, detail int) (interp.Inspection, error) {
	return interp.Inspection{Found: true, Data: display.Bundle{display.Text: code + strconv.Itoa(detail)}}, nil
}

func (f *fakeEngine) IsComplete(_ context.Context, code string) (interp.Completeness, error) {
	return assist.IsComplete(code), nil
}
func (f *fakeEngine) Interrupt() error              { return nil }
func (f *fakeEngine) Restart(context.Context) error { return nil }
func (f *fakeEngine) Close() error                  { return nil }

var stuck sync.Mutex

var cells = map[string]func(ctx context.Context, f *fakeEngine, sink interp.Sink, arg string) (any, error){
	"print": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		fmt.Println(arg)
		return nil, nil
	},
	"value": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) { return arg, nil },
	"fail": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		return nil, errors.New(arg)
	},
	"set": func(_ context.Context, f *fakeEngine, _ interp.Sink, arg string) (any, error) {
		f.x, _ = strconv.Atoi(arg)
		return nil, nil
	},
	"get": func(_ context.Context, f *fakeEngine, _ interp.Sink, _ string) (any, error) { return f.x, nil },
	// Every way to print, and displays between them.
	"mix": func(_ context.Context, _ *fakeEngine, sink interp.Sink, arg string) (any, error) {
		n, _ := strconv.Atoi(arg)
		for i := range n {
			fmt.Printf("a%d ", i)
			display.Show(display.AsText(fmt.Sprintf("d%d", i)))
			os.Stdout.WriteString(fmt.Sprintf("b%d ", i))
			sink.Stdout(fmt.Appendf(nil, "c%d\n", i))
			fmt.Fprintf(os.Stderr, "e%d\n", i)
		}
		return nil, nil
	},
	"stderr": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		fmt.Fprintln(os.Stderr, "one")
		log.SetFlags(0)
		log.Println("two")
		println("three")
		time.Sleep(100 * time.Millisecond) // println's descriptor is held back for a moment
		return nil, nil
	},
	"flood": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		n, _ := strconv.Atoi(arg)
		for i := range n {
			fmt.Println("line", i)
		}
		return nil, nil
	},
	"big": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		n, _ := strconv.Atoi(arg)
		s := strings.Repeat("žluťoučký 😀 ", n)
		go fmt.Fprint(os.Stderr, s)
		fmt.Print(s)
		return nil, nil
	},
	"png": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		display.Show(display.Bundle{display.PNG: []byte{0, 255, 10}, display.JSON: map[string]any{"k": []int{1}}})
		return nil, nil
	},
	"subprocess": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		cmd := exec.Command("sh", "-c", arg)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return nil, cmd.Run()
	},
	"background": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		cmd := exec.Command("sleep", arg)
		cmd.Stdout = os.Stdout
		err := cmd.Start()
		if err == nil {
			fmt.Println(cmd.Process.Pid)
		}
		return nil, err
	},
	"wait": func(ctx context.Context, _ *fakeEngine, _ interp.Sink, _ string) (any, error) {
		display.Show(display.AsText("waiting"))
		<-ctx.Done()
		return nil, ctx.Err()
	},
	"stuck": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		display.Show(display.AsText("waiting"))
		stuck.Lock()
		stuck.Lock()
		return nil, nil
	},
	"scan": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		var name string
		var n int
		fmt.Print("name and number? ")
		if _, err := fmt.Scan(&name, &n); err != nil {
			return nil, err
		}
		return fmt.Sprint(name, n), nil
	},
	"lines": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		sc := bufio.NewScanner(os.Stdin)
		var all []string
		for len(all) < 2 && sc.Scan() {
			all = append(all, sc.Text())
		}
		return strings.Join(all, "|"), sc.Err()
	},
	"input": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		fmt.Println("before")
		s, err := display.Password("secret: ")
		return s, err
	},
	"closestdout": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) {
		return nil, os.Stdout.Close()
	},
	"pid": func(context.Context, *fakeEngine, interp.Sink, string) (any, error) { return os.Getpid(), nil },

	"crash": func(_ context.Context, _ *fakeEngine, _ interp.Sink, arg string) (any, error) {
		fmt.Print("last")
		fmt.Fprint(os.Stderr, "error text")
		switch arg {
		case "goroutine":
			go func() { panic(fmt.Errorf("boom")) }()
		case "map":
			m := map[int]int{}
			for range 4 {
				go func() {
					for i := 0; ; i++ {
						m[i%8] = i
					}
				}()
			}
		case "unlock":
			var mu sync.Mutex
			mu.Unlock()
		case "stack":
			var deep func(n int) int
			deep = func(n int) int { return deep(n+1) + deep(n+2) }
			deep(0)
		case "memory":
			var keep [][]byte
			for {
				keep = append(keep, make([]byte, 16<<20))
				runtime.KeepAlive(keep)
			}
		case "nil":
			go func() {
				var p *int
				*p = 1
			}()
		case "exit":
			os.Exit(3)
		case "kill":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "term":
			syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
		select {}
	},
}

// record is a sink that keeps what it got, in order.
type record struct {
	mu      sync.Mutex
	events  []string // "out:…", "err:…", "show:…"
	bundles []display.Bundle
	answers []string
	shown   chan struct{}
	calls   int
	delay   time.Duration
}

func (r *record) add(kind, text string) {
	if r.delay > 0 {
		time.Sleep(r.delay)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	// Pieces of one stream that follow each other are one.
	if n := len(r.events); n > 0 && kind != "show" && strings.HasPrefix(r.events[n-1], kind+":") {
		r.events[n-1] += text
		return
	}
	r.events = append(r.events, kind+":"+text)
}

func (r *record) Stdout(p []byte) { r.add("out", string(p)) }
func (r *record) Stderr(p []byte) { r.add("err", string(p)) }

func (r *record) Emit(e display.Event) error {
	text, _ := e.Data[display.Text].(string)
	r.add("show", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bundles = append(r.bundles, e.Data)
	if r.shown != nil {
		close(r.shown)
		r.shown = nil
	}
	return nil
}

func (r *record) Input(ctx context.Context, prompt string, password bool) (string, error) {
	r.add("ask", fmt.Sprint(prompt, password))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) == 0 {
		return "", errors.New("nobody to ask")
	}
	answer := r.answers[0]
	r.answers = r.answers[1:]
	return answer, nil
}

func (r *record) all(kind string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events {
		if text, ok := strings.CutPrefix(e, kind+":"); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}

func start(t testing.TB, opts Options) *Worker {
	t.Helper()
	w, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func eval(w *Worker, code string) (interp.Result, *record) {
	r := new(record)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return w.Eval(ctx, interp.Cell{Number: 1, Code: code}, r), r
}
