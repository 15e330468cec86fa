package cli

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"trafficgpt/interp"
	"trafficgpt/interp/worker"
)

// engineFlags are the flags of every command that runs cells.
type engineFlags struct{ memory int64 } // as worker.Options.MemoryLimit

func (e *engineFlags) register(f *flags) {
	f.Func("memory", "most memory of cells, a `SIZE` like 8GB, 512MB or 1.5GiB; 8 is 8GB, 0 no limit (default: nine tenths of the machine's)",
		func(s string) error {
			size, err := parseSize(s)
			if e.memory = size; size == 0 {
				e.memory = -1
			}
			return err
		})
}

func (e *engineFlags) start(dir string) (interp.Engine, error) {
	w, err := worker.Start(worker.Options{Dir: dir, MemoryLimit: e.memory})
	if err != nil {
		return nil, err // it says what failed
	}
	return w, nil
}

var sizePattern = regexp.MustCompile(`^\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e\+?[0-9]+)?)\s*([a-z]*)\s*$`)

// units are the bytes of each unit; a number without one is of gigabytes.
var units = map[string]float64{"": 1e9,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

// parseSize reads a number of bytes with its unit.
func parseSize(s string) (int64, error) {
	parts := sizePattern.FindStringSubmatch(strings.ToLower(s))
	refused := fmt.Errorf("%q is no size: it takes a number of gigabytes, or one with kB, MB, GB, TB, KiB, MiB, GiB or TiB behind it", s)
	if parts == nil {
		return 0, refused
	}
	unit, ok := units[parts[2]]
	number, err := strconv.ParseFloat(parts[1], 64)
	if !ok || err != nil {
		return 0, refused
	}
	size := number * unit
	switch {
	case size >= math.MaxInt64:
		return 0, fmt.Errorf("%q is more memory than can be counted: it takes less than 8388608TiB", s)
	case size > 0 && size < 1:
		return 0, fmt.Errorf("%q is less than a byte: it takes 0 for no limit", s)
	}
	return int64(size), nil
}
