package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// scenario is one behaviour of one class; run plays an instance of it.
type scenario struct {
	class, behaviour string
	instances        int
	run              func(*World) error
}

var scenarios []scenario

// share scales the instances of a class. What is encrypted does not compress,
// so a few classes would be most of the embedded snapshot; with these it holds
// at least 1,500 flows in one megabyte.
var share = map[string]float64{"quic": .42, "tls": .6, "ssh": .7, "doh": .62, "dot": .66, "http2": .8, "http": .88,
	"smtp": .88, "postgres": .84, "dns": 1.15, "ntp": 1.25, "icmp": 1.2, "arp": 1.2}

func (s *scenario) count(scale float64) int {
	if f, ok := share[s.class]; ok {
		scale *= f
	}
	return max(1, int(float64(s.instances)*scale+.5))
}

// add registers a scenario; each protocol's file does so in init.
func add(class, behaviour string, instances int, run func(*World) error) {
	scenarios = append(scenarios, scenario{class, behaviour, instances, run})
}

// play runs every instance whose class is wanted, in a shuffled order, one
// after the other in virtual time.
func play(seed uint64, wanted func(class string) bool, scale float64) ([]*pcap.Flow, error) {
	type job struct {
		scenario
		group string
	}
	var jobs []job
	for _, s := range scenarios {
		if !wanted(s.class) {
			continue
		}
		for i := range s.count(scale) {
			jobs = append(jobs, job{s, fmt.Sprintf("%s/%s/%02d", s.class, s.behaviour, i+1)})
		}
	}
	rng := rand.New(newSource(seed, "order"))
	rng.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	var all []*pcap.Flow
	for _, j := range jobs {
		time.Sleep(time.Duration(rng.ExpFloat64() * 120e9))
		flows, err := playOne(seed, j.scenario, j.group)
		if err != nil {
			return nil, err
		}
		all = append(all, flows...)
	}
	return all, nil
}

// playOne plays one instance. An instance that does not end within an hour of
// virtual time is an error, as is one that fails or leaves no flow.
func playOne(seed uint64, s scenario, group string) ([]*pcap.Flow, error) {
	w, err := newWorld(seed, group)
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		done <- s.run(w)
	}()
	select {
	case err = <-done:
	case <-time.After(time.Hour):
		err = fmt.Errorf("still running after an hour")
	}
	flows := w.end()
	if err == nil && len(flows) == 0 {
		err = fmt.Errorf("no flow was captured")
	}
	if err != nil {
		// On a bad path a session may well break; what was captured of it stays.
		fmt.Fprintf(os.Stderr, "%s: %v (loss %.3f)\n", group, err, w.Link.Path.Loss)
		if w.Link.Path.Loss == 0 {
			return nil, fmt.Errorf("failed to play %s: %w", group, err)
		}
	}
	return flows, nil
}
