package judge_test

import (
	"fmt"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/judge"
)

func ExampleFlows() {
	training, real := dataset.Lab().Only("dns", "http", "tls").Split(.5, 1)
	copies := training.Take(200) // a generator that hands in what it learned from
	r, err := judge.Flows(real.Flows, copies.Flows, judge.Options{
		Train: training.Flows, Only: []judge.AxisName{judge.Structure, judge.Privacy}, Tshark: "-"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range r.Axes {
		fmt.Printf("%s: %s\n", a.Name, a.Verdict.Words)
	}
	m := r.Measure(judge.Privacy, "flows equal in every byte")
	fmt.Printf("%s: %.0f %%, real flows %.0f %%\n", m.Name, m.Generated.Value, m.Floor.Value)
	// Output:
	// structure: keeps the rules as real traffic does
	// privacy: copies its training flows
	// flows equal in every byte: 100 %, real flows 0 %
}
