package judge

import (
	"errors"
	"fmt"
)

// cost is the processor time that the generated flows took, where it is known.
func (j *judgement) cost(a *Axis) error {
	if j.CPU <= 0 {
		return errors.New("not known: they were not made here (judge.Options.CPU)")
	}
	packets := 0
	for _, f := range j.sides.made {
		packets += len(f.Packets)
	}
	m := measure("processor time for 1,000 packets", "s", 2, 0, 0)
	m.Generated = exactly(1000 * j.CPU.Seconds() / float64(max(packets, 1)))
	a.Measures = []*Measure{m}
	a.Verdict.Words = fmt.Sprintf("%.2f s for 1,000 packets", m.Generated.Value)
	return nil
}
