package train

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
	"trafficgpt/lib/dataset"
	"trafficgpt/model"
)

func resumeOptions(folder string) Options {
	return Options{Steps: 60, Quiet: true, Checkpoint: folder, CheckpointEvery: 1, ValidateEvery: 7, Seed: 5, Accumulate: 2, Patience: 50}
}

// TestKilledRun kills a training process again and again, at whatever moment it
// is in, also in the middle of writing a checkpoint; the run that goes on must
// end with the history, bit for bit, of one that was left alone.
func TestKilledRun(t *testing.T) {
	folder := os.Getenv("TRAFFICGPT_TEST_KILLED")
	c := tiny()
	c.Dropout = 0.1
	if folder != "" { // the child
		m := build(t, c)
		if _, err := os.Stat(filepath.Join(folder, lastFile)); err != nil {
			if _, err := Run(m, flows(20, 1), flows(5, 2), resumeOptions(folder)); err != nil {
				t.Fatal(err)
			}
		} else if _, _, err := Resume(folder, flows(20, 1), flows(5, 2)); err != nil {
			t.Fatal(err)
		}
		return
	}
	folder = t.TempDir()
	writing := 0
	for i := range 6 {
		cmd := startChild(t, folder)
		if i%2 == 0 {
			time.Sleep(time.Duration(60+37*i) * time.Millisecond)
		} else if waitForWriting(folder) {
			writing++
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Logf("killed 6 times, %d of them while a checkpoint was being written", writing)
	if _, err := os.Stat(filepath.Join(folder, lastFile)); err != nil {
		killWhenWritten(t, folder) // a slow machine: no child came as far as a checkpoint
	}
	m, got, err := Resume(folder, flows(20, 1), flows(5, 2))
	if err != nil {
		t.Fatal(err)
	}
	whole := build(t, c)
	want, err := Run(whole, flows(20, 1), flows(5, 2), resumeOptions(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.History) != len(want.History) || got.Validation != want.Validation {
		t.Fatalf("%d steps and validation %v, alone %d and %v", len(got.History), got.Validation, len(want.History), want.Validation)
	}
	for i, p := range want.History {
		if got.History[i] != p {
			t.Fatalf("step %d is %+v, alone %+v", i+1, got.History[i], p)
		}
	}
	for i, w := range whole.Weights() {
		if m.Weights()[i] != w {
			t.Fatalf("weight %d differs", i)
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, ".*tmp*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if _, _, err := Resume(folder, flows(21, 1), nil); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("other data was taken: %v", err)
	}
}

// startChild starts the process that TestKilledRun kills.
func startChild(t *testing.T, folder string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledRun$")
	cmd.Env = append(os.Environ(), "TRAFFICGPT_TEST_KILLED="+folder)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// killWhenWritten kills a child as soon as it has written a checkpoint.
func killWhenWritten(t *testing.T, folder string) {
	t.Helper()
	cmd := startChild(t, folder)
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(folder, lastFile)); err == nil {
			return
		}
	}
	t.Fatal("no checkpoint after two minutes")
}

// waitForWriting returns true as soon as a checkpoint is half written, false when
// none was seen for a while.
func waitForWriting(folder string) bool {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), atomicfile.Prefix) {
				return true
			}
		}
	}
	return false
}

// TestHalfWritten puts a checkpoint that was cut in mid-write beside a whole one, as
// a kill at that moment leaves it: the run goes on from the whole one and the rest is
// removed.
func TestHalfWritten(t *testing.T) {
	folder := t.TempDir()
	o := resumeOptions(folder)
	o.Steps, o.Patience = 5, 0
	if _, err := Run(build(t, tiny()), flows(20, 1), nil, o); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(folder, lastFile))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(folder, atomicfile.Prefix+"1")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	_, r, err := Resume(folder, flows(20, 1), nil)
	if err != nil || r.Steps != 5 {
		t.Fatalf("%v, %v", r, err)
	}
	if _, err := os.Stat(cut); err == nil {
		t.Error("the half-written file is still there")
	}
}

// TestSchedule holds the learning rates of a run against their formulas.
func TestSchedule(t *testing.T) {
	o := Options{Steps: 40, Quiet: true, LearningRate: 2e-3, WarmUp: 8, FinalRate: 0.1}
	r, err := Run(build(t, tiny()), flows(20, 1), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range r.History {
		want := o.LearningRate * float64(i+1) / 8
		if i >= 8 {
			want = o.LearningRate * (0.1 + 0.9*(1+math.Cos(math.Pi*float64(i-8)/32))/2)
		}
		if math.Abs(p.Rate-want) > 1e-12 {
			t.Errorf("step %d: the rate is %g, not %g", i+1, p.Rate, want)
		}
	}
}

func TestInterruptKeeps(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	defer display.Enter(ctx, dropSink{})()
	m := build(t, tiny())
	before := append([]float32(nil), m.Weights()...)
	r, err := Run(m, flows(60, 1), flows(5, 2), Options{Steps: 1 << 20})
	if err != nil || r.Stopped != Interrupted {
		t.Fatalf("%v, %v", r, err)
	}
	if r.Steps == 0 || m.Weights()[0] == before[0] {
		t.Errorf("nothing was learned in %d steps", r.Steps)
	}
}

type dropSink struct{}

func (dropSink) Emit(display.Event) error { return nil }

func TestEarlyStopKeepsTheBest(t *testing.T) {
	m := build(t, tiny())
	r, err := Run(m, flows(2, 1), flows(20, 9), Options{Steps: 2000, Quiet: true, LearningRate: 2e-2, ValidateEvery: 10, Patience: 3})
	if err != nil {
		t.Fatal(err)
	}
	best := math.Inf(1)
	for _, p := range r.Validations {
		best = min(best, p.Loss)
	}
	if r.Stopped != NoBetter || r.Validation != best {
		t.Errorf("stopped because %s with %v, best %v", r.Stopped, r.Validation, best)
	}
	again := newValidation(m, r.options.encode(m, flows(20, 9)), r.options, nil)
	if got, _, err := again.run(); err != nil || got != best {
		t.Errorf("the model's loss is %v, the best was %v (%v)", got, best, err)
	}
}

func TestNotFinite(t *testing.T) {
	m := build(t, tiny())
	folder := t.TempDir()
	r, err := Run(m, flows(20, 1), nil, Options{Steps: 200, Quiet: true, LearningRate: 1e30, WarmUp: 6, Clip: -1, Checkpoint: folder, CheckpointEvery: 1})
	var where *model.NumericError
	if !errors.As(err, &where) || r == nil || r.Stopped != NotFinite || where.Step != r.Steps+1 || where.Where == "" {
		t.Fatalf("%v, %v", r, err)
	}
	if r.Steps > 0 && !strings.Contains(err.Error(), filepath.Join(folder, lastFile)) {
		t.Errorf("the error does not name the last checkpoint: %v", err)
	}
}

func TestFindRate(t *testing.T) {
	m := build(t, tiny())
	before := append([]float32(nil), m.Weights()...)
	r, err := FindRate(m, flows(60, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Suggested < 1e-4 || r.Suggested > 0.3 {
		t.Errorf("%s", r)
	}
	for i, w := range m.Weights() {
		if w != before[i] {
			t.Fatal("the weights did not come back")
		}
	}
}

func TestMasked(t *testing.T) {
	m := build(t, tiny())
	r, err := Run(m, flows(60, 1), flows(20, 2), Options{Steps: 400, Quiet: true, Objective: Masked, LearningRate: 5e-3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Gain() < 0.15 {
		t.Errorf("the model learned too little: %s", r)
	}
	c := tiny()
	c.Bidirectional = true
	both := build(t, c)
	s, err := Run(both, flows(60, 1), flows(20, 2), Options{Steps: 400, Quiet: true, Objective: Masked, LearningRate: 5e-3})
	if err != nil {
		t.Fatal(err)
	}
	if s.Gain() < 0.5 {
		t.Errorf("the model that sees both sides learned too little: %s", s)
	}
	if _, err := Run(both, flows(3, 1), nil, Options{Steps: 1, Quiet: true}); err == nil {
		t.Error("a bidirectional model was trained to predict what it sees")
	}
}

func TestBadInput(t *testing.T) {
	m := build(t, tiny())
	for _, o := range []Options{{Steps: -1}, {LearningRate: -1}, {Objective: "other"}, {MaskRate: 2}} {
		if _, err := Run(m, flows(3, 1), nil, o); err == nil {
			t.Errorf("options %+v were taken", o)
		}
	}
	if _, err := Run(m, nil, nil, Options{}); err == nil {
		t.Error("no flows were taken")
	}
	if _, err := Run(nil, flows(3, 1), nil, Options{}); err == nil {
		t.Error("no model was taken")
	}
}

// frozen are the losses of the first 20 steps of a small model on the lab
// corpus. They change only when the corpus, the model or the optimiser does.
var frozen = []float64{5.55356, 5.56122, 5.53870, 5.49967, 5.48313, 5.41354, 5.32362, 5.30838, 5.24705, 5.36508,
	5.39036, 5.44464, 5.35501, 5.27113, 5.20967, 5.10470, 5.04829, 5.07172, 5.03337, 5.02761}

func TestFrozenLosses(t *testing.T) {
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Context = 64, 16, 64, 256
	m := build(t, c)
	training, _ := dataset.Lab().Split(0.1, 1)
	r, err := Run(m, training.Flows, nil, Options{Steps: 20, Quiet: true, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, p := range r.History {
		got = append(got, p.Loss)
	}
	if len(frozen) != len(got) {
		t.Fatalf("the losses are %.5f", got)
	}
	for i, x := range got {
		if math.Abs(x-frozen[i]) > 2e-4*x {
			t.Errorf("step %d: loss %.5f, frozen %.5f; all: %.5f", i+1, x, frozen[i], got)
		}
	}
}

func TestBudget(t *testing.T) {
	m := build(t, tiny())
	r, err := Run(m, flows(60, 1), flows(5, 2), Options{Budget: 200 * time.Millisecond, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stopped != OutOfTime || r.Steps < 2 || r.Duration > 5*time.Second {
		t.Errorf("%s", r)
	}
	if last := r.History[len(r.History)-1]; last.Rate > r.History[len(r.History)/2].Rate {
		t.Errorf("the learning rate ends at %v, half way it was %v", last.Rate, r.History[len(r.History)/2].Rate)
	}
}
