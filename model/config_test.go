package model

import (
	"strings"
	"testing"
)

func TestConfigsThatCannotBeBuilt(t *testing.T) {
	good := testConfigs()[0]
	for want, change := range map[string]func(*Config){
		"Layers":          func(c *Config) { c.Layers = 0 },
		"Width":           func(c *Config) { c.Width = -3 },
		"HeadDim":         func(c *Config) { c.HeadDim = 1 << 40 },
		"number of heads": func(c *Config) { c.LocalHeads = 0 },
		"count of heads":  func(c *Config) { c.LocalHeads, c.LinearHeads = 5, -1 },
		"Features":        func(c *Config) { c.Features = "relu" },
		"Positions":       func(c *Config) { c.Positions = "sinus" },
		"rotary":          func(c *Config) { c.Positions, c.HeadDim = PositionsRotary, 5 },
		"Reversible":      func(c *Config) { c.Memory = KeepNothing },
		"look back only":  func(c *Config) { c.Bidirectional, c.RWKVHeads = true, 1 },
		"Dropout":         func(c *Config) { c.Dropout = 1 },
		"Mark":            func(c *Config) { c.Copies, c.Mark = 1, 999 },
		"Copies":          func(c *Config) { c.Copies = 9 },
		"uint16":          func(c *Config) { c.Vocabulary = 65536 },
	} {
		c := good
		change(&c)
		if _, err := New(c, 1); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.Name) {
			t.Errorf("%s: the error is %v", want, err)
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
