package train_test

import (
	"cmp"
	"os"
	"testing"
	"time"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/train"
	"trafficgpt/model"
)

// TestPrecisionOnRealFlows trains Small on real flows split by group, three
// seeds, in three ways: as many steps in float32 as a budget holds, the same
// steps in bf16, and as long in bf16. TRAFFICGPT_QUALITY is the budget; 10m is
// what docs/performance.md shows and takes 80 minutes.
func TestPrecisionOnRealFlows(t *testing.T) {
	budget, err := time.ParseDuration(cmp.Or(os.Getenv("TRAFFICGPT_QUALITY"), "0"))
	if err != nil {
		t.Fatal(err)
	}
	if budget == 0 {
		t.Skip("compares trainings of minutes: set TRAFFICGPT_QUALITY=10m, with -timeout 3h")
	}
	set, err := dataset.Folder("../../../shared/data/flows")
	if err != nil {
		t.Skipf("no captures beside the repository: %v", err)
	}
	if p, err := model.PrecisionOf(""); err != nil || p != model.PrecisionBF16 {
		t.Skipf("this processor has no instructions for bfloat16, or they are not wanted (%s, %v)", p, err)
	}
	fit, held := set.Split(0.2, 1)
	run := func(seed uint64, o train.Options) *train.Report {
		m, err := model.New(model.Small(), seed)
		if err != nil {
			t.Fatal(err)
		}
		o.Seed, o.FlowTokens, o.Quiet, o.ValidationTokens = seed, 2048, true, 1<<16
		r, err := train.Run(m, fit.Flows, held.Flows, o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	// A run validates before its first step and after its last; what follows the last is not part of a budget.
	validation := run(1, train.Options{Steps: 1, Precision: "fp32"}).Duration / 2
	pace := run(1, train.Options{Steps: 41, ValidateEvery: 1000, Precision: "fp32"}).Duration - 2*validation
	steps := int(40 * budget / pace)
	for seed := uint64(1); seed <= 3; seed++ {
		wide := run(seed, train.Options{Steps: steps, ValidateEvery: steps, Precision: "fp32"})
		same := run(seed, train.Options{Steps: steps, ValidateEvery: steps, Precision: "bf16"})
		long := run(seed, train.Options{Budget: wide.Duration - validation, ValidateEvery: 1 << 30, Precision: "bf16"})
		for _, r := range []*train.Report{wide, same, long} {
			t.Logf("seed %d, %s: %d steps, %.0f s, %d tokens, validation %.4f bits", seed, r.Precision, r.Steps, r.Duration.Seconds(), r.Tokens, r.Bits())
		}
		if d := same.Bits()/wide.Bits() - 1; d > 0.005 || d < -0.005 {
			t.Errorf("seed %d: bf16 is off by %.2f %% at equal steps", seed, 100*d)
		}
		if long.Bits() >= wide.Bits() {
			t.Errorf("seed %d: bf16 has %.4f bits after as long as float32, which has %.4f", seed, long.Bits(), wide.Bits())
		}
	}
}
