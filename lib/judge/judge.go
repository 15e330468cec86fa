// Package judge says how real, how useful and how private synthetic traffic is,
// whatever made it: one report over structure, distribution, time, utility,
// discriminator, privacy, text metrics and cost.
//
//	real := must(dataset.Folder("real"))
//	synth := must(dataset.File("generated.pcap"))
//	train := must(dataset.Folder("train"))
//	judge.Flows(real.Flows, synth.Flows, judge.Options{Train: train.Flows})
//
// A number alone says little, so three others are made from the data and stand
// beside each: the floor, which is real against other real flows; the copying
// machine, which hands in its training flows and so wins every measure of
// fidelity and loses every one of privacy; and independent fields, flows in which
// each header field is drawn by itself, which is what a generator must beat to
// have learnt anything that joins them.
//
// Words of the package: the reference is the half of the real flows that all
// four are compared with; the other half, which shares no near-duplicate with it,
// is the floor. A measure is one such number with its four values, an axis is the
// measures that answer one question, and the first measure of an axis stands for
// it in the summary. Each is defined in docs/judge.md.
package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/model"
	"trafficgpt/tokenizer/pcap"
)

// Options of a judgement. The zero value judges with all axes, 2,000 flows a
// side, and the real flows in place of the training flows.
type Options struct {
	// Train are the flows that the generator learned from. Without them half of the
	// real flows stands in their place, and membership cannot be inferred.
	Train []*pcap.Flow
	// Most is the number of flows that are looked at of each side, drawn by Seed;
	// default 2,000, negative all.
	Most int
	Seed uint64
	Only []AxisName // the axes to judge; default all
	// Model, where there is one, says the perplexity and the bits a byte of all flows,
	// beside the n-grams that need none.
	Model *model.Model
	// ByteModel are the options of the discriminator that reads bytes.
	ByteModel classify.ByteModelOptions
	CPU       time.Duration // processor time in which the synthetic flows were made, as sample.Result.CPU; 0 for not known
	// Tshark is the program that counts malformed packets; default tshark of PATH,
	// if it is there, "-" for none.
	Tshark string
	// Names of the sides, for the report.
	RealName, SynthName, TrainName string
	// Step is told what is begun, and of how many parts how many are done. Default is a
	// progress bar.
	Step func(done, of int, what string)
}

// AxisName names what is judged.
type AxisName string

// The axes, in the order of the report.
const (
	Structure     AxisName = "structure"
	Distribution  AxisName = "distribution"
	Time          AxisName = "time"
	Utility       AxisName = "utility"
	Discriminator AxisName = "discriminator"
	Privacy       AxisName = "privacy"
	Text          AxisName = "text metrics"
	Cost          AxisName = "cost"
)

// AllAxes returns the axes in the order of the report.
func AllAxes() []AxisName {
	return []AxisName{Structure, Distribution, Time, Utility, Discriminator, Privacy, Text, Cost}
}

// Side is one of the inputs as it was judged.
type Side struct {
	Name    string
	Given   int // flows
	Judged  int // of them
	Packets int // of the judged flows
	Labels  int // classes among the judged flows
}

// Report is what came out.
type Report struct {
	Real, Synth, Train Side
	// TrainGiven is false when real flows stood in for the training flows.
	TrainGiven bool
	// Compared are the flows of the reference, and of each of the four that were
	// compared with it: generated, real, copied, independent.
	Compared    [5]int
	Axes        []*Axis
	Warnings    []string
	Interrupted bool
	Seed        uint64
	Duration    time.Duration
}

// Axis is one question and the measures that answer it.
type Axis struct {
	Name     AxisName
	Question string
	// Missing says why the axis could not be judged; then it has no measures.
	Missing  string
	Measures []*Measure // the first stands for the axis
	Verdict  Verdict
	Findings []string // in words, most important first
	Tables   []*display.Table
	Figures  []Figure
	Duration time.Duration
}

// Axis returns the axis of that name, nil when it was not judged.
func (r *Report) Axis(name AxisName) *Axis {
	for _, a := range r.Axes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Measure returns the measure of that name, nil when there is none.
func (r *Report) Measure(axis AxisName, name string) *Measure {
	a := r.Axis(axis)
	if a == nil {
		return nil
	}
	return a.Measure(name)
}

// Measure returns the measure of that name, nil when there is none.
func (a *Axis) Measure(name string) *Measure {
	for _, m := range a.Measures {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Flows judges synthetic flows against real ones. Errors say what is missing of
// a side. An axis that cannot be judged says why and leaves the others alone. An
// interrupt ends it: the report then has the axes that were done.
func Flows(real, synth []*pcap.Flow, o ...Options) (*Report, error) {
	j := &judgement{Options: append(o, Options{})[0], ctx: display.Context()}
	if err := j.check(real, synth); err != nil {
		return nil, fmt.Errorf("failed to judge: %w", err)
	}
	began := time.Now()
	j.report = &Report{Seed: j.Seed, TrainGiven: len(j.Train) > 0}
	j.divide(real, synth)
	axes := j.Only
	if len(axes) == 0 {
		axes = AllAxes()
	}
	j.steps = len(axes) * competitors
	if j.Step == nil {
		bar := display.Progress("judging", j.steps, display.ProgressOptions{Unit: "steps"})
		j.Step = func(done, _ int, what string) {
			bar.Note(what)
			bar.Set(done)
		}
		defer bar.Done()
	}
	for i, name := range axes {
		j.done = i * competitors
		j.axis(name)
	}
	if j.ctx.Err() == nil {
		j.Step(j.steps, j.steps, "done")
	}
	j.report.Interrupted = j.ctx.Err() != nil
	j.report.Duration = time.Since(began)
	return j.report, nil
}

// judgement is one call of Flows.
type judgement struct {
	Options
	ctx         context.Context
	report      *Report
	sides       sides
	done, steps int
}

// check refuses what nothing can be said of.
func (j *judgement) check(real, synth []*pcap.Flow) error {
	for _, side := range []struct {
		name  string
		flows []*pcap.Flow
	}{{"real", real}, {"synthetic", synth}, {"training", j.Train}} {
		for i, f := range side.flows {
			if f == nil || len(f.Packets) == 0 {
				return fmt.Errorf("flow %d of the %s side has no packets", i, side.name)
			}
		}
	}
	switch {
	case len(real) == 0:
		return errors.New("the real side has no flows")
	case len(synth) == 0:
		return errors.New("the synthetic side has no flows")
	case len(real) < 2:
		return errors.New("the real side has one flow: two at least are needed, for the floor is real against real")
	}
	for _, a := range j.Only {
		if !slices.Contains(AllAxes(), a) {
			return fmt.Errorf("judge.Options.Only names %q, which is no axis", a)
		}
	}
	return nil
}

// axis judges one axis; what was interrupted is left out.
func (j *judgement) axis(name AxisName) {
	if j.ctx.Err() != nil {
		return
	}
	a := &Axis{Name: name}
	began := time.Now()
	work := map[AxisName]func(*Axis) error{
		Structure: j.structure, Distribution: j.distribution, Time: j.time, Utility: j.utility,
		Discriminator: j.discriminate, Privacy: j.privacy, Text: j.text, Cost: j.cost,
	}[name]
	err := work(a)
	if j.ctx.Err() != nil {
		return
	}
	if err != nil {
		a.Measures, a.Tables, a.Figures, a.Findings = nil, nil, nil, nil
		a.Missing = err.Error()
	}
	a.conclude(len(j.sides.flows[generated]))
	a.Duration = time.Since(began)
	j.report.Axes = append(j.report.Axes, a)
}

// step says what is begun for the n-th competitor; false when it is to stop.
func (j *judgement) step(a *Axis, n, competitor int) bool {
	j.Step(j.done+n, j.steps, fmt.Sprintf("%s: %s", a.Name, competitorNames[competitor]))
	return j.ctx.Err() == nil
}

// each calls f for the four competitors and stops when the judgement is
// interrupted or f fails.
func (j *judgement) each(a *Axis, f func(k int, flows []*pcap.Flow) error) error {
	for k := range competitors {
		if !j.step(a, k, k) {
			return context.Cause(j.ctx)
		}
		if len(j.sides.flows[k]) == 0 {
			continue
		}
		if err := f(k, j.sides.flows[k]); err != nil {
			return err
		}
	}
	return nil
}
