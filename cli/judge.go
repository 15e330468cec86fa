package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/judge"
	"trafficgpt/tokenizer/pcap"
)

// judgeFlags are the flags of judge.
type judgeFlags struct {
	train, out, json string
	only             string
	o                judge.Options
	full, quiet      bool
}

func judgeCommand() command {
	return command{
		name: "judge", summary: "how real, useful and private synthetic traffic is", usage: "[flags] REAL SYNTH",
		text: `
Judges the traffic of any generator against real traffic. REAL and SYNTH are
captures, or folders of them; a folder's sub-folders are classes. One row an
axis is printed, beside what real traffic, a machine that copies its training
flows, and flows of independent fields have. docs/judge.md defines each number.

Give --train: without it half of REAL stands in for what was learned from.`,
		example: "trafficgpt judge real/ generated.pcap --train train/ -o report.html",
		prepare: func(f *flags) func(*call) error {
			j := &judgeFlags{}
			f.StringVar(&j.train, "train", "", "what the generator learned from, a capture or `FOLDER`")
			f.StringVar(&j.out, "o", "", "write the whole report to `REPORT.html` (or .txt, .csv, .tex)")
			f.StringVar(&j.json, "json", "", "write every number to `FILE`")
			f.StringVar(&j.only, "only", "", "judge these axes alone: `LIST` of structure, distribution, time, utility, discriminator, privacy, text, cost")
			f.IntVar(&j.o.Most, "most", 0, "look at `N` flows of each side (0: 2,000; -1: all)")
			f.Uint64Var(&j.o.Seed, "seed", 0, "draw flows, splits and resamples by this `SEED`")
			f.DurationVar(&j.o.CPU, "cpu", 0, "the processor time that SYNTH took, a `DURATION`, for its cost")
			f.StringVar(&j.o.Tshark, "tshark", "", "the `PROGRAM` that counts malformed packets (default tshark, - for none)")
			f.BoolVar(&j.full, "full", false, "print every axis, not the summary alone")
			f.BoolVar(&j.quiet, "q", false, "no progress")
			return j.run
		},
	}
}

func (j *judgeFlags) run(c *call) error {
	if len(c.args) != 2 {
		return wrong("two names are needed, REAL and SYNTH, %d were given", len(c.args))
	}
	if err := j.axes(); err != nil {
		return err
	}
	for _, out := range []string{j.out, j.json} { // before the minutes, not after them
		if out == "" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
			return fmt.Errorf("failed to write %s: there is no folder %s", out, filepath.Dir(out))
		}
	}
	if ext := strings.ToLower(filepath.Ext(j.out)); j.out != "" && !slices.Contains([]string{".html", ".htm", ".txt", ".csv", ".tex", ".json"}, ext) {
		return wrong("-o %s: the name must end in .html, .txt, .csv or .tex", j.out)
	}
	c.interruptible()
	leave := display.Enter(c.ctx, silent{}) // the report alone goes to standard output
	defer leave()
	real, err := j.read(c, c.args[0])
	if err != nil {
		return err
	}
	synth, err := j.read(c, c.args[1])
	if err != nil {
		return err
	}
	if j.train != "" {
		train, err := j.read(c, j.train)
		if err != nil {
			return err
		}
		j.o.Train, j.o.TrainName = train, j.train
	}
	j.o.RealName, j.o.SynthName = c.args[0], c.args[1]
	done := j.progress(c)
	r, err := judge.Flows(real, synth, j.o)
	done()
	if err != nil {
		return err
	}
	return j.report(c, r)
}

// silent takes what the library shows and shows nothing.
type silent struct{}

func (silent) Emit(display.Event) error { return nil }

// report prints and writes what came out.
func (j *judgeFlags) report(c *call, r *judge.Report) error {
	if j.full {
		fmt.Fprint(c.stdout, r.Text())
	} else {
		fmt.Fprintln(c.stdout, r)
	}
	if j.out != "" {
		if err := r.Save(j.out); err != nil {
			return err
		}
	}
	if j.json != "" {
		if err := r.SaveJSON(j.json); err != nil {
			return err
		}
	}
	if r.Interrupted {
		return fmt.Errorf("interrupted: %d of %d axes were judged", len(r.Axes), max(len(j.o.Only), len(judge.AllAxes())))
	}
	return nil
}

// axes reads --only.
func (j *judgeFlags) axes() error {
	if j.only == "" {
		return nil
	}
	for name := range strings.SplitSeq(j.only, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(judge.AllAxes(), func(a judge.AxisName) bool {
			return string(a) == name || name == "text" && a == judge.Text
		})
		if i < 0 {
			return wrong("--only %s: no such axis", name)
		}
		j.o.Only = append(j.o.Only, judge.AllAxes()[i])
	}
	return nil
}

// read reads a folder or a capture, and warns of what could not be read.
func (j *judgeFlags) read(c *call, path string) ([]*pcap.Flow, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", path, err)
	}
	read := dataset.File
	if info.IsDir() {
		read = dataset.Folder
	}
	set, err := read(path)
	if err != nil {
		return nil, err
	}
	const most = 5
	for i, w := range set.Warnings {
		if i == most {
			fmt.Fprintf(c.stderr, "warning: %d more files of %s\n", len(set.Warnings)-most, path)
			break
		}
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	return set.Flows, nil
}

// progress says on standard error what is under way: in one line on a terminal, a
// line an axis elsewhere.
func (j *judgeFlags) progress(c *call) (done func()) {
	if j.quiet {
		j.o.Step = func(int, int, string) {}
		return func() {}
	}
	if f, ok := c.stderr.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			j.o.Step = func(done, of int, what string) { fmt.Fprintf(f, "\r\x1b[K%d of %d: %s", done, of, what) }
			return func() { fmt.Fprint(f, "\r\x1b[K") }
		}
	}
	last := ""
	j.o.Step = func(done, of int, what string) {
		axis, _, _ := strings.Cut(what, ":")
		if axis != last {
			fmt.Fprintf(c.stderr, "%d of %d: %s\n", done, of, axis)
		}
		last = axis
	}
	return func() {}
}
