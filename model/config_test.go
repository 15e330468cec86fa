package model

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestConfigsThatCannotBeBuilt(t *testing.T) {
	good := testConfigs()[0]
	v := good.Vocabulary - 1
	for want, change := range map[string]func(*Config){
		"Layers is 0: it must lie between 1 and 4096":                                     func(c *Config) { c.Layers = 0 },
		"Width is -3: it must lie between 1 and 65536":                                    func(c *Config) { c.Width = -3 },
		"Context is 0: it must lie between 1 and 1073741824":                              func(c *Config) { c.Context = 0 },
		"HeadDim is 1099511627776: it must lie between 1 and 65536":                       func(c *Config) { c.HeadDim = 1 << 40 },
		"FeedForward is 0: it must lie between 1 and 65536":                               func(c *Config) { c.FeedForward = 0 },
		"Vocabulary is 65536: it must lie between 1 and 65535":                            func(c *Config) { c.Vocabulary = 65536 },
		"Window is -1: it must lie between 1 and 1073741824":                              func(c *Config) { c.Window = -1 },
		"Chunk is -1: it must lie between 1 and 65536":                                    func(c *Config) { c.Chunk = -1 },
		"Heads() is 0: it must lie between 1 and 1024":                                    func(c *Config) { c.LocalHeads = 0 },
		"LocalHeads is 1025: it must lie between 0 and 1024":                              func(c *Config) { c.LocalHeads = 1025 },
		"LinearHeads is -1: it must lie between 0 and 1024":                               func(c *Config) { c.LocalHeads, c.LinearHeads = 5, -1 },
		"SoftmaxHeads is -2: it must lie between 0 and 1024":                              func(c *Config) { c.SoftmaxHeads = -2 },
		"RetentionHeads is -2: it must lie between 0 and 1024":                            func(c *Config) { c.RetentionHeads = -2 },
		"RWKVHeads is -2: it must lie between 0 and 1024":                                 func(c *Config) { c.RWKVHeads = -2 },
		"AxialRows is -1: it must lie between 0 and 1048576":                              func(c *Config) { c.AxialRows = -1 },
		"AxialCols is -1: it must lie between 0 and 1048576":                              func(c *Config) { c.AxialCols = -1 },
		"Offsets is -1: it must lie between 0 and 65536":                                  func(c *Config) { c.Offsets = -1 },
		"Copies is 9: it must lie between 0 and 4":                                        func(c *Config) { c.Copies = 9 },
		`Features is "relu": it must be one of ["elu" "exp"]`:                             func(c *Config) { c.Features = "relu" },
		`Positions is "sinus": it must be one of ["none" "axial" "rotary"]`:               func(c *Config) { c.Positions = "sinus" },
		`Memory is "all": it must be one of ["keep" "recompute" "reverse"]`:               func(c *Config) { c.Memory = "all" },
		"HeadDim is 5: it must be even, as rotary positions turn pairs of features":       func(c *Config) { c.Positions, c.HeadDim = PositionsRotary, 5 },
		`Memory is "reverse": that needs Reversible`:                                      func(c *Config) { c.Memory = KeepNothing },
		"Bidirectional is true: RetentionHeads and RWKVHeads, 0 and 1, look back only":    func(c *Config) { c.Bidirectional, c.RWKVHeads = true, 1 },
		"Dropout is 1: it must lie in [0, 1)":                                             func(c *Config) { c.Dropout = 1 },
		"Dropout is NaN: it must lie in [0, 1)":                                           func(c *Config) { c.Dropout = math.NaN() },
		fmt.Sprintf("Mark is 999: it must be a token of the vocabulary, from 0 to %d", v): func(c *Config) { c.Copies, c.Mark = 1, 999 },
	} {
		c := good
		change(&c)
		want = fmt.Sprintf("failed to build model %q: model.Config.%s", c.Name, want)
		if _, err := New(c, 1); err == nil || err.Error() != want {
			t.Errorf("the error is %v, not %s", err, want)
		}
	}
}

// TestPresets holds the sizes that the documentation names.
func TestPresets(t *testing.T) {
	for _, c := range []struct {
		config Config
		least  int
		most   int
	}{{Tiny(), 3e5, 6e5}, {Small(), 3e6, 5e6}, {Paper3K(), 170e6, 230e6}, {Paper12K(), 170e6, 230e6}} {
		full, err := c.config.complete()
		if err != nil {
			t.Fatal(err)
		}
		p, _ := layOut(full)
		n := 0
		for _, x := range p.all {
			n += x.rows * x.cols
		}
		if n < c.least || n > c.most {
			t.Errorf("%s has %d parameters", c.config.Name, n)
		}
		if full.Positions == PositionsAxial && full.AxialRows*full.AxialCols != full.Context {
			t.Errorf("%s: %d × %d positions for a context of %d", full.Name, full.AxialRows, full.AxialCols, full.Context)
		}
	}
}

// TestShowsItself looks at what a model says of itself.
func TestShowsItself(t *testing.T) {
	m := testModel(t, testConfigs()[6])
	b := m.MIME()
	if !strings.Contains(b["text/plain"].(string), "1 local + 2 linear + 1 softmax + 2 retention + 1 rwkv") || !strings.Contains(b["text/html"].(string), "rotary") {
		t.Errorf("%v", b)
	}
}
