package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// memory is a sink that keeps what a cell printed.
type memory struct {
	mu       sync.Mutex
	out, err strings.Builder
	events   []display.Event
}

func (m *memory) Emit(e display.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
	return nil
}

func (m *memory) Stdout(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out.Write(p)
}

func (m *memory) Stderr(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err.Write(p)
}

func (m *memory) Input(context.Context, string, bool) (string, error) {
	return "", errors.New("no input")
}

// asking is a sink whose user does not answer.
type asking struct{ memory }

func (*asking) Input(ctx context.Context, _ string, _ bool) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// printed is what the cell wrote to standard output, then that to standard error.
func (m *memory) printed() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.String() + m.err.String()
}

func newTestSession(t testing.TB) *Session {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cellOut runs a cell and returns all it wrote, its value and its error.
func cellOut(s *Session, code string) (out string, r interp.Result) {
	var m memory
	r = s.Eval(context.Background(), interp.Cell{Code: code}, &m)
	return m.printed(), r
}

// inTime measures again what took longer than it may, up to five times: a busy
// machine delays one run, a fault all of them.
func inTime(t *testing.T, what string, most time.Duration, measure func() time.Duration) {
	t.Helper()
	var all []time.Duration
	for range 5 {
		d := measure()
		if d <= most {
			return
		}
		all = append(all, d)
	}
	t.Errorf("%s: returned after %v, want %v at most", what, all, most)
}

func TestInterrupt(t *testing.T) {
	s := newTestSession(t)
	cellOut(s, "import (\"time\"; \"sync\")\nvar n int\nf := func() int { return n }")
	for _, code := range []string{
		"for { n++ }", "select {}", "time.Sleep(time.Hour)", "<-make(chan int)", "var mu sync.Mutex; mu.Lock(); mu.Lock()",
		"var wg sync.WaitGroup; wg.Add(1); wg.Wait()", "var rw sync.RWMutex; rw.RLock(); rw.Lock()",
		"var mu2 sync.Mutex; c := sync.NewCond(&mu2); mu2.Lock(); c.Wait()", "for range time.Tick(time.Hour) {}",
		"import \"sort\"\nsort.Slice(make([]int, 9), func(i, j int) bool { for {} })",
		"func() { defer func() { n = 7 }(); for {} }()",
	} {
		inTime(t, code, 300*time.Millisecond, func() time.Duration {
			ctx, cancel := context.WithCancel(context.Background())
			var at time.Time
			time.AfterFunc(100*time.Millisecond, func() { at = time.Now(); cancel() })
			r := s.Eval(ctx, interp.Cell{Code: code}, &memory{})
			if r.Err == nil || r.Err.Name != "Interrupted" {
				t.Fatalf("%s: %v", code, r.Err)
			}
			return time.Since(at)
		})
	}
	if _, r := cellOut(s, "f()"); r.Err != nil || r.Value[display.Text] != "7" {
		t.Errorf("after interrupts: %v %v", r.Value, r.Err)
	}
}

// Training and sampling come back from an interrupt in time with what they have,
// and the cell keeps it; a step of this model takes about as long as that time.
func TestInterruptedLibrary(t *testing.T) {
	s := newTestSession(t)
	if _, r := cellOut(s, "import (\"trafficgpt/lib/dataset\"; \"trafficgpt/lib/sample\"; \"trafficgpt/lib/train\"; \"trafficgpt/model\")\n"+
		"flows := dataset.Lab().Flows[:200]\nm := must(model.New(model.Small(), 1))"); r.Err != nil {
		t.Fatal(r.Err)
	}
	dir := t.TempDir()
	if _, r := cellOut(s, fmt.Sprintf("import (\"trafficgpt/display\"; \"trafficgpt/tokenizer\"; \"trafficgpt/tokenizer/pcap\")\ndir := %q\n"+
		"must(pcap.WriteFlows(dir+\"/a.pcap\", flows)); must(tokenizer.EncodeFile(dir+\"/a.pcap\", dir+\"/a\")); corpus := must(tokenizer.OpenCorpus(dir+\"/a\"))", dir)); r.Err != nil {
		t.Fatal(r.Err)
	}
	for _, c := range []struct{ code, kept string }{
		{"_, asked := display.Input(\"?\")", "asked != nil"},
		{"var times int; var ended error\nfor ; ended == nil; times++ { _, ended = corpus.RestoreTo(dir+\"/back.pcap\") }", "times > 0 && ended != nil"},
		{"report := must(train.Run(m, flows, nil, train.Options{Steps: 1 << 20, Quiet: true}))", "report != nil && report.Stopped == train.Interrupted"},
		{"some := must(sample.Flows(m, sample.Options{Flows: 1 << 20, Seed: 1}))", "some != nil"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(1200*time.Millisecond, cancel)
		if r := s.Eval(ctx, interp.Cell{Code: c.code}, &asking{}); r.Err == nil || r.Err.Message != "interrupted" {
			t.Errorf("%s: %v", c.code, r.Err)
		}
		if _, r := cellOut(s, c.kept); r.Err != nil || r.Value[display.Text] != "true" {
			t.Errorf("%s: %v %v", c.kept, r.Value, r.Err)
		}
	}
}

// TestInterruptNames: what cannot be stopped is named, and the next cell is
// told too; the front end is free in time.
func TestInterruptNames(t *testing.T) {
	for _, c := range []struct{ code, name string }{
		{"import \"os/exec\"\nexec.Command(\"sleep\", \"1\").Run()", "exec.(*Cmd).Run"},
		{"import \"net\"\nl := must(net.Listen(\"tcp\", \"127.0.0.1:0\"))\nc := must(net.Dial(\"tcp\", l.Addr().String()))\nc.Read(make([]byte, 1))", "net.(*conn).Read"},
	} {
		inTime(t, c.code, 400*time.Millisecond, func() time.Duration {
			s := newTestSession(t)
			ctx, cancel := context.WithCancel(context.Background())
			var at time.Time
			time.AfterFunc(200*time.Millisecond, func() { at = time.Now(); cancel() })
			r := s.Eval(ctx, interp.Cell{Code: c.code}, &memory{})
			took := time.Since(at)
			for _, e := range []*interp.Error{r.Err, s.Eval(context.Background(), interp.Cell{Code: "1"}, &memory{}).Err} {
				if e == nil || e.Name != "Interrupted" || !strings.Contains(e.Message, c.name+", which cannot be stopped") || !strings.Contains(e.Message, "%restart") {
					t.Errorf("%s: %v", c.code, e)
				}
			}
			time.Sleep(time.Second) // until the command is over: the names are of the process
			return took
		})
	}
}
