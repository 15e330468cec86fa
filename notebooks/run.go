package notebooks

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"trafficgpt/interp"
)

// Options says how Run runs a notebook.
type Options struct {
	Parameters []Parameter
	Progress   io.Writer     // a line a cell: which, how long; nil for none
	Live       io.Writer     // text form of the outputs as they come; nil for none
	Errors     io.Writer     // the traceback of every cell that fails; nil for none
	Timeout    time.Duration // of one cell; 0 for none
	KeepGoing  bool          // run on after a cell failed
}

// Failure is the error of a cell that failed.
type Failure struct {
	Cell  int // position among the code cells, from 1
	Cause *interp.Error
}

func (f *Failure) Error() string {
	return fmt.Sprintf("cell %d failed: %s: %s", f.Cell, f.Cause.Name, f.Cause.Message)
}

// Run executes the code cells in order and stores their outputs in nb. At the
// first failing cell it stops with a *Failure; the outputs up to there,
// the error's included, are in nb. Cancelling ctx interrupts the cell.
func Run(ctx context.Context, nb *Notebook, engine interp.Engine, opts Options) error {
	if err := nb.inject(opts.Parameters); err != nil {
		return err
	}
	nb.announce()
	var total int
	for _, c := range nb.Cells {
		if c.Type == "code" {
			total++
			c.Outputs, c.Count = nil, 0
		}
	}
	rec := newRecorder(opts.Live)
	var failed error
	n, count := 0, 0
	for _, c := range nb.Cells {
		if c.Type != "code" {
			continue
		}
		n++
		if strings.TrimSpace(c.Source) == "" { // Jupyter sends these nowhere
			continue
		}
		count++
		c.Count = count
		res := runCell(ctx, rec, engine, c, count, opts.Timeout)
		progress(opts.Progress, n, total, c, res)
		if res.Err == nil {
			continue
		}
		if opts.Errors != nil {
			for _, line := range res.Err.Traceback {
				fmt.Fprintln(opts.Errors, line)
			}
		}
		if failed == nil {
			failed = &Failure{n, res.Err}
		}
		if !opts.KeepGoing || ctx.Err() != nil {
			break
		}
	}
	rec.widgets.store(nb)
	return failed
}

func runCell(ctx context.Context, rec *recorder, engine interp.Engine, c *Cell, count int, timeout time.Duration) interp.Result {
	rec.begin(c)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the cell ran longer than %v", timeout))
		defer cancel()
	}
	res := engine.Eval(ctx, interp.Cell{ID: c.ID, Number: count, Code: c.Source}, cellSink{rec, c})
	rec.end(res, count)
	return res
}

// progress prints one line a cell: its number, its first line of code, its time.
func progress(w io.Writer, n, total int, c *Cell, res interp.Result) {
	if w == nil {
		return
	}
	first := ""
	for line := range strings.Lines(c.Source) {
		first = strings.TrimSpace(line)
		if first != "" && !strings.HasPrefix(first, "//") {
			break
		}
	}
	if r := []rune(first); len(r) > 60 {
		first = string(r[:59]) + "…"
	}
	state := "ok"
	if res.Err != nil {
		state = "FAILED"
	}
	fmt.Fprintf(w, "[%*d/%d] %-60s %8s  %s\n", len(fmt.Sprint(total)), n, total, first, res.Duration.Round(time.Millisecond), state)
}

// announce names our kernel and language in the notebook's metadata, as a
// Jupyter client does after it has asked the kernel.
func (nb *Notebook) announce() {
	if _, ok := nb.Metadata["kernelspec"]; !ok {
		nb.Metadata["kernelspec"] = map[string]any{"name": interp.KernelName, "display_name": interp.KernelTitle, "language": "go"}
	}
	nb.Metadata["language_info"] = interp.Language()
}
