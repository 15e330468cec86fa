package progen

import (
	"os"
	"strconv"
	"testing"
)

// TestProgramsCheck holds programs to Go's type checker.
func TestProgramsCheck(t *testing.T) {
	n, from := uint64(60), uint64(0)
	if s := os.Getenv("PROGEN_SEED"); s != "" {
		from, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	for seed := from; seed < from+n; seed++ {
		p := Program(seed)
		if n == 1 {
			t.Log(p)
		}
		if err := Check(p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if p != Program(seed) {
			t.Fatalf("seed %d gives two programs", seed)
		}
	}
}
