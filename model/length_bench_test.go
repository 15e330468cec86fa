//go:build unix

package model

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"trafficgpt/model/f32"
)

// inTurns times every f once a round, in an order that moves by one each round,
// so that a machine that grows slower or faster is fair to all of them, and
// returns the seconds of each, sorted: by the clock, and of the processor, which
// others on the machine disturb less. All of them run once before.
func inTurns(rounds int, fs []func()) (clock, processor [][]float64) {
	for _, f := range fs {
		f()
	}
	clock, processor = make([][]float64, len(fs)), make([][]float64, len(fs))
	for round := range rounds {
		for i := range fs {
			at := (i + round) % len(fs)
			start, busy := time.Now(), processorTime()
			fs[at]()
			clock[at] = append(clock[at], time.Since(start).Seconds())
			processor[at] = append(processor[at], processorTime()-busy)
		}
	}
	for i := range fs {
		slices.Sort(clock[i])
		slices.Sort(processor[i])
	}
	return clock, processor
}

// processorTime is what the process has used, in seconds.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// reportLengths reports the tokens a second of each length, and how far the
// slowest length lies from the fastest: by medians, and by bests.
func reportLengths(b *testing.B, lengths []int, tokens int, clock, processor [][]float64) {
	ratios := func(seconds [][]float64, unit string) {
		var medians, bests []float64
		for i, s := range seconds {
			medians, bests = append(medians, s[len(s)/2]), append(bests, s[0])
			b.ReportMetric(float64(tokens)/s[len(s)/2], fmt.Sprintf("tok/%s@%d", unit, lengths[i]))
			b.ReportMetric(float64(tokens)/s[0], fmt.Sprintf("best-tok/%s@%d", unit, lengths[i]))
		}
		b.ReportMetric(slices.Max(medians)/slices.Min(medians), "max/min-"+unit)
		b.ReportMetric(slices.Max(bests)/slices.Min(bests), "best-max/min-"+unit)
	}
	ratios(clock, "s")
	ratios(processor, "cpu-s")
	b.ReportMetric(0, "ns/op")
}

// rounds is how often each length takes its turn.
const rounds = 5

// BenchmarkCostPerToken trains on sequences of growing lengths, each alone in
// its pass, and as many passes a step as make the same number of tokens. A token
// costs the same at any length with linear heads, more and more with softmax heads.
func BenchmarkCostPerToken(b *testing.B) {
	long := []int{1024, 3072, 12288, 32768, 98304}
	for _, k := range []struct {
		name, kind, precision string
		total                 int
		lengths               []int
	}{
		{"linear", "linear", PrecisionFP32, 98304, long},
		{"linear-bf16", "linear", PrecisionBF16, 98304, long},
		{"softmax", "softmax", PrecisionFP32, 12288, long[:3]},
	} {
		b.Run(k.name, func(b *testing.B) {
			if k.precision == PrecisionBF16 && !f32.HasBF16() {
				b.Skip("the kernels in use have no instructions for bfloat16")
			}
			var fs []func()
			for _, n := range k.lengths {
				fs = append(fs, lengthStep(b, k.kind, k.precision, k.total, n))
			}
			for b.Loop() {
				clock, processor := inTurns(rounds, fs)
				reportLengths(b, k.lengths, k.total, clock, processor)
			}
		})
	}
}

// lengthStep returns one training step on total tokens in sequences of n.
func lengthStep(b *testing.B, kind, precision string, total, n int) func() {
	c := peerConfig(2, 128, n)
	c.Memory, c.Positions = KeepInputs, PositionsNone
	if kind == "softmax" {
		c.LinearHeads, c.SoftmaxHeads = 0, 4
	}
	m, err := New(c, 1)
	if err != nil {
		b.Fatal(err)
	}
	tr := NewTrainer(m, TrainerOptions{Seed: 1, Precision: precision})
	tokens := randomBatch(total, 1).Tokens
	var batches []*Batch
	for at := 0; at < total; at += n {
		batches = append(batches, NewBatch(tokens[at:at+n]))
	}
	return func() {
		if _, err := tr.Step(1e-4, batches...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTokenAt measures the time of a token at the beginning of a flow and
// far into it, in turns.
func BenchmarkTokenAt(b *testing.B) {
	const tokens = 256
	m, err := New(peerConfig(4, 256, 3072), 1)
	if err != nil {
		b.Fatal(err)
	}
	at := []int{100, 100_000}
	s := NewStream(m, 2)
	for lane, far := range at { // the states hold what so many tokens leave
		for range far {
			if _, err := s.Step([]int{lane}, []uint16{7}); err != nil {
				b.Fatal(err)
			}
		}
	}
	var fs []func()
	snaps := make([]Snapshot, len(at))
	for lane := range at {
		s.Save(lane, &snaps[lane])
		fs = append(fs, func() {
			s.Restore(lane, &snaps[lane])
			for range tokens {
				if _, err := s.Step([]int{lane}, []uint16{7}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for b.Loop() {
		clock, processor := inTurns(3*rounds, fs)
		reportLengths(b, at, tokens, clock, processor)
	}
}
