package model

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestMemoryOfAStep takes one step of 12,032 tokens with the largest presets
// and holds what the process used against the promise. It needs minutes.
func TestMemoryOfAStep(t *testing.T) {
	if os.Getenv("TRAFFICGPT_LONG") == "" {
		t.Skip("set TRAFFICGPT_LONG=1 to train the paper's model for a step")
	}
	for _, c := range []struct {
		config Config
		limit  map[string]int // MB of 10^6 bytes, by precision
	}{{Small(), map[string]int{PrecisionFP32: 1000, PrecisionBF16: 700}}, {Paper12K(), map[string]int{PrecisionFP32: 6000, PrecisionBF16: 4500}}} {
		m, err := New(c.config, 1)
		if err != nil {
			t.Fatal(err)
		}
		tr := NewTrainer(m, TrainerOptions{Seed: 1})
		b := randomBatch(12032, 1)
		info, err := tr.Step(1e-4, b)
		if err != nil {
			t.Fatal(err)
		}
		peak := residentPeak() >> 10 // kB to about MB; the highest so far, so the smaller model comes first
		limit := c.limit[tr.Precision()]
		t.Logf("%s, %s: %d parameters, %d MB held, %d MB resident at most, %+v", c.config.Name, tr.Precision(), m.Parameters(), tr.Memory()/1e6, peak, info)
		if tr.Memory()/1e6 > limit || peak > limit+100 {
			t.Errorf("%s: a step holds %d MB and the process %d MB, more than %d", c.config.Name, tr.Memory()/1e6, peak, limit)
		}
	}
}

// residentPeak reads the process's highest resident size in kB, 0 where the
// system does not tell.
func residentPeak() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
