package sample

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"trafficgpt/model"
	"trafficgpt/tokenizer"
)

// ways are how the benchmarks sample.
var ways = []struct {
	name string
	o    Options
}{
	{"free", Options{}},
	{"free-repair", Options{Repair: true}},
	{"constrained", Options{Constrained: true}},
	{"dialog", Options{Dialog: true}},
	{"dialog-repair", Options{Dialog: true, Repair: true}},
}

// rounds of one sample, and tokens of a flow.
const (
	benchRounds = 16
	benchTokens = 1500
)

// BenchmarkFlows samples with all lanes busy: a run's end, when few lanes are left, belongs
// to the flows' lengths and not to the way of sampling. The model is Small with random
// weights, which rejects nearly every packet when it is free, or the checkpoint that
// TRAFFICGPT_MODEL names. "model" are the model's steps alone, with tokens that nobody
// chooses.
func BenchmarkFlows(b *testing.B) {
	m := benchModel(b)
	for _, lanes := range []int{16, 32} {
		report := func(name string, f func() time.Duration) {
			b.Run(fmt.Sprintf("%s/%d", name, lanes), func(b *testing.B) {
				var times []time.Duration
				f() // the memory of snapshots is there after some packets
				for b.Loop() {
					times = append(times, f())
				}
				for len(times) < 5 {
					times = append(times, f())
				}
				slices.Sort(times)
				b.ReportMetric(float64(benchRounds*lanes)/times[len(times)/2].Seconds(), "tok/s")
				b.ReportMetric(float64(benchRounds*lanes)/times[0].Seconds(), "best-tok/s")
				b.ReportMetric(0, "ns/op")
			})
		}
		report("model", stepping(b, m, lanes))
		for _, w := range ways {
			report(w.name, sampling(b, m, lanes, w.o))
		}
	}
}

// BenchmarkFlowsInTurns lets the ways take turns, so that all see the same machine, and
// reports what their best and median are of free sampling's, and what tokens they make in
// the same processor time ("cpu"), which other programs disturb less.
func BenchmarkFlowsInTurns(b *testing.B) {
	m := benchModel(b)
	for _, lanes := range []int{16, 32} {
		b.Run(fmt.Sprint(lanes), func(b *testing.B) {
			fs := []func() time.Duration{stepping(b, m, lanes)}
			for _, w := range ways {
				fs = append(fs, sampling(b, m, lanes, w.o))
			}
			times, used := make([][]time.Duration, len(fs)), make([][]time.Duration, len(fs))
			turn := func() {
				for i, f := range fs {
					before := processorTime()
					times[i] = append(times[i], f())
					used[i] = append(used[i], processorTime()-before)
				}
			}
			turn()
			clear(times)
			clear(used)
			for b.Loop() {
				turn()
			}
			for len(times[0]) < 5 {
				turn()
			}
			for i := range fs {
				slices.Sort(times[i])
				slices.Sort(used[i])
			}
			free, freeUsed := times[1], used[1]
			b.ReportMetric(float64(benchRounds*lanes)/free[len(free)/2].Seconds(), "free-tok/s")
			b.ReportMetric(float64(benchRounds*lanes)/free[0].Seconds(), "free-best-tok/s")
			for i, t := range times {
				name := "model"
				if i > 0 {
					name = ways[i-1].name
				}
				b.ReportMetric(round3(free[len(free)/2], t[len(t)/2]), name+"/free")
				b.ReportMetric(round3(free[0], t[0]), name+"/free-best")
				b.ReportMetric(round3(freeUsed[len(t)/2], used[i][len(t)/2]), name+"/free-cpu")
				b.ReportMetric(round3(freeUsed[0], used[i][0]), name+"/free-best-cpu")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func round3(a, b time.Duration) float64 {
	return math.Round(1000*a.Seconds()/b.Seconds()) / 1000
}

// sampling returns a function that times benchRounds rounds of a run that goes on.
func sampling(b *testing.B, m *model.Model, lanes int, o Options) func() time.Duration {
	b.Helper()
	o.Quiet, o.Lanes, o.Flows, o.MaxTokens, o.Seed = true, lanes, 1<<20, benchTokens, 1
	o, err := o.complete()
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	r, err := newRun(m, o)
	if err != nil {
		b.Fatal(err)
	}
	rounds := func(n int) {
		for range n {
			if _, err := r.round(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	return func() time.Duration {
		if r.next == 0 {
			r.fill()
			rounds(benchTokens / 2)
		}
		start := time.Now()
		rounds(benchRounds)
		return time.Since(start)
	}
}

// stepping is sampling without a choice.
func stepping(b *testing.B, m *model.Model, lanes int) func() time.Duration {
	b.Helper()
	s := model.NewStream(m, lanes)
	ids, tokens := make([]int, lanes), make([]uint16, lanes)
	for i := range ids {
		ids[i] = i
	}
	n := 0
	rounds := func(count int) {
		for range count {
			for i := range tokens {
				if tokens[i] = uint16((n*31 + i*17) % tokenizer.Start); (n+i)%80 == 0 { // packets, for models that look at those before
					tokens[i] = tokenizer.Start
				}
			}
			n++
			if _, err := s.Step(ids, tokens); err != nil {
				b.Fatal(err)
			}
		}
	}
	return func() time.Duration {
		if n == 0 {
			rounds(benchTokens / 2)
		}
		start := time.Now()
		rounds(benchRounds)
		return time.Since(start)
	}
}

func benchModel(b *testing.B) *model.Model {
	b.Helper()
	m, err := model.New(model.Small(), 1)
	if path := os.Getenv("TRAFFICGPT_MODEL"); path != "" {
		m, err = model.Load(path)
	}
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkChoose draws as free sampling does, and with the plain code that tests hold it to.
func BenchmarkChoose(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := make([][]float32, 64)
	for i := range rows {
		rows[i] = make([]float32, tokenizer.Vocabulary)
		for j := range rows[i] {
			rows[i][j] = float32(3 * rng.NormFloat64())
		}
	}
	for _, most := range []int{25, -1} {
		o := Options{TopK: most, Temperature: 1}
		fast, naive := newChooser(o), naiveChooser{o: o}
		b.Run(fmt.Sprintf("fast/%d", most), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				fast.choose(rows[i%len(rows)], nil, rng)
			}
		})
		b.Run(fmt.Sprintf("naive/%d", most), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				naive.choose(rows[i%len(rows)], nil, rng)
			}
		})
	}
}
