package train

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// Files of a checkpoint folder. Both are safetensors files with JSON in their
// header, replaced in one rename.
const (
	lastFile = "last.safetensors" // model, optimiser, position: what Resume goes on from
	bestFile = "best.safetensors" // the model of the best validation so far, with Patience
)

// progress is what a checkpoint holds beside model and optimiser.
type progress struct {
	Options Options
	Data    string // fingerprint of the training tokens
	At      Position
	Smooth  [2]float64
	Best    *float64 // none before the first validation
	Worse   int
	Report  reportState
}

// reportState is the part of a report that goes on growing.
type reportState struct {
	Tokens      int
	Duration    time.Duration
	History     []Point
	Validations []Point
}

// fingerprint tells training sets apart.
func fingerprint(flows [][]uint16) string {
	h := fnv.New64a()
	var b [2]byte
	for _, f := range flows {
		for _, t := range f {
			b[0], b[1] = byte(t), byte(t>>8)
			h.Write(b[:])
		}
		h.Write([]byte{255, 255})
	}
	return fmt.Sprintf("%d flows, %016x", len(flows), h.Sum64())
}

// checkpoint writes last.safetensors.
func (r *run) checkpoint() error {
	if r.o.Checkpoint == "" || r.savedAt == r.trainer.Steps() {
		return nil
	}
	start := time.Now()
	p := progress{Options: r.o, Data: r.data, At: r.feed.at, Smooth: [2]float64{r.smooth.sum, r.smooth.weight}, Worse: r.worse,
		Report: reportState{r.report.Tokens, r.elapsed(), r.report.History, r.report.Validations}}
	if !math.IsInf(r.best, 0) {
		p.Best = &r.best
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("failed to write checkpoint: %w", err)
	}
	if err := r.trainer.Save(filepath.Join(r.o.Checkpoint, lastFile), map[string]string{"run": string(text)}); err != nil {
		return err
	}
	r.savedAt = r.trainer.Steps()
	r.paused += time.Since(start)
	return nil
}

// openCheckpoints makes the folder and removes what a killed run left half
// written.
func (o Options) openCheckpoints() error {
	if o.Checkpoint == "" {
		return nil
	}
	if err := os.MkdirAll(o.Checkpoint, 0o755); err != nil {
		return fmt.Errorf("failed to make the checkpoint folder: %w", err)
	}
	if err := atomicfile.Sweep(o.Checkpoint); err != nil {
		return fmt.Errorf("failed to clean the checkpoint folder: %w", err)
	}
	return nil
}

// Resume goes on with a run from its checkpoint folder, with the options it was
// started with, on the same flows: its losses are, bit for bit, those the run
// would have had. It returns the trained model too. A run that was complete
// takes no further step.
func Resume(folder string, training, validation []*pcap.Flow) (*model.Model, *Report, error) {
	ctx := display.Context()
	path := filepath.Join(folder, lastFile)
	m, trainer, notes, err := model.LoadTrainer(path, model.LoadOptions{Stop: over(ctx)})
	if err != nil {
		return nil, nil, err
	}
	var p progress
	if err := json.Unmarshal([]byte(notes["run"]), &p); err != nil {
		return nil, nil, fmt.Errorf("failed to read checkpoint %s: its note of the run: %w", path, err)
	}
	p.Options.Checkpoint = folder
	r, err := newRun(ctx, m, training, validation, p.Options)
	if err != nil {
		return nil, nil, err
	}
	if r.data != p.Data {
		return nil, nil, fmt.Errorf("failed to resume %s: it was trained on %s, these are %s", path, p.Data, r.data)
	}
	if p.At.Flow >= len(r.feed.flows) || p.At.Flow < 0 || p.At.Offset < 0 || p.At.Offset >= len(r.feed.flows[newFeed(r.feed.cfg, r.feed.flows, p.Options.Seed, p.At).order[p.At.Flow]]) {
		return nil, nil, fmt.Errorf("failed to resume %s: its data position %+v is outside the data", path, p.At)
	}
	r.trainer, r.report.Precision = trainer, trainer.Precision()
	r.feed = newFeed(r.feed.cfg, r.feed.flows, r.o.Seed, p.At)
	r.smooth = average{p.Smooth[0], p.Smooth[1]}
	r.worse, r.savedAt, r.before = p.Worse, trainer.Steps(), p.Report.Duration
	r.report.Steps, r.report.Tokens = trainer.Steps(), p.Report.Tokens
	r.report.History, r.report.Validations = p.Report.History, p.Report.Validations
	if n := len(r.report.History); n > 0 {
		r.report.Loss = r.report.History[n-1].Smooth
	}
	if p.Best != nil && r.o.Patience > 0 {
		best, err := model.Load(filepath.Join(folder, bestFile))
		if err != nil {
			return nil, nil, err
		}
		r.best, r.bestAt = *p.Best, append([]float32(nil), best.Weights()...)
	}
	err = r.loop(ctx)
	r.show(true)
	return m, r.report, err
}
