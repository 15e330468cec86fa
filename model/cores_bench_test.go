package model

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"trafficgpt/model/f32"
)

// forkCost is what it takes to hand work to other threads and to gather them again, beside the work.
const forkCost = 2 * time.Microsecond

// shape is how the time of one run on one thread is made up.
type shape struct {
	alone time.Duration     // what no call shares
	calls [][]time.Duration // chunks of what runs on all threads, one call after another
}

// trace runs f on one thread, cut as for more.
func trace(f func(), threads int) shape {
	defer f32.SetThreads(f32.SetThreads(1))
	defer func(old func() int) { cutFor = old }(cutFor)
	cutFor = func() int { return threads }
	var s shape
	stop := f32.Trace(func(chunks []time.Duration) { s.calls = append(s.calls, slices.Clone(chunks)) })
	defer stop()
	start := time.Now()
	f()
	s.alone = time.Since(start) - s.shared()
	return s
}

func (s shape) shared() (sum time.Duration) {
	for _, chunks := range s.calls {
		for _, c := range chunks {
			sum += c
		}
	}
	return sum
}

// least takes the shorter of each chunk's times in two runs of the same work: what another program took is not counted.
func (s *shape) least(t shape) {
	s.alone = min(s.alone, t.alone)
	for i, chunks := range s.calls {
		for j := range chunks {
			chunks[j] = min(chunks[j], t.calls[i][j])
		}
	}
}

// on is how long the run would take on so many threads if each ran as fast as one alone: what no call shares, and for each call
// the time until its chunks, drawn in order, are done.
func (s shape) on(threads int) time.Duration {
	sum := s.alone
	free := make([]time.Duration, threads)
	for _, chunks := range s.calls {
		clear(free)
		for _, c := range chunks {
			first := 0
			for i, t := range free {
				if t < free[first] {
					first = i
				}
			}
			free[first] += c
		}
		sum += slices.Max(free)
		if threads > 1 && len(chunks) > 1 {
			sum += forkCost
		}
	}
	return sum
}

// BenchmarkCores says what more threads gain in training and in batch generation: counted from the chunks of work on one
// thread, for 2 to 16, and measured for as many as there are, in turns. What is counted knows nothing of memory that all threads
// share.
func BenchmarkCores(b *testing.B) {
	cores := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			f()
			shapes := map[int]*shape{}
			for n := 1; n <= 16; n *= 2 {
				s := trace(f, n)
				shapes[n] = &s
			}
			fastest := map[int]time.Duration{}
			for b.Loop() {
				for range 5 {
					for n, s := range shapes {
						s.least(trace(f, n))
					}
					for n := 1; n <= runtime.GOMAXPROCS(0); n *= 2 {
						old := f32.SetThreads(n)
						start := time.Now()
						f()
						if d := time.Since(start); fastest[n] == 0 || d < fastest[n] {
							fastest[n] = d
						}
						f32.SetThreads(old)
					}
				}
			}
			s := shapes[1]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(s.calls)), "calls")
			b.ReportMetric(100*float64(s.alone)/float64(s.on(1)), "%alone")
			for n := 2; n <= 16; n *= 2 {
				b.ReportMetric(float64(s.on(1))/float64(shapes[n].on(n)), fmt.Sprintf("counted-x%d", n))
				if fastest[n] > 0 {
					b.ReportMetric(float64(fastest[1])/float64(fastest[n]), fmt.Sprintf("measured-x%d", n))
				}
			}
		})
	}
	for _, precision := range []string{PrecisionFP32, PrecisionBF16} {
		for name, c := range map[string]Config{"peer": peerConfig(4, 256, 3072), "small": Small()} {
			m, err := New(c, 1)
			if err != nil {
				b.Fatal(err)
			}
			tr := NewTrainer(m, TrainerOptions{Precision: precision})
			whole := randomBatch(3072, 1).Tokens
			for flows, batch := range map[string]*Batch{"one": NewBatch(whole), "many": NewBatch(slices.Collect(slices.Chunk(whole, 192))...)} {
				cores(fmt.Sprintf("TrainStep/%s-%s/%s", name, precision, flows), func() {
					if _, err := tr.Step(1e-4, batch); err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
	m, err := New(Small(), 1)
	if err != nil {
		b.Fatal(err)
	}
	s := NewStream(m, 16)
	ids, in := make([]int, 16), make([]uint16, 16)
	for i := range ids {
		ids[i], in[i] = i, uint16(i)
	}
	cores("Generate/small/batch16", func() {
		for range 16 {
			if _, err := s.Step(ids, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
