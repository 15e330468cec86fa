package metrics_test

import (
	"fmt"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
)

// Equal shares diverge by 0, disjoint ones by 1.
func ExampleJSD() {
	fmt.Printf("%.3f %.3f %.3f\n", metrics.JSD([]float64{1, 1}, []float64{5, 5}), metrics.JSD([]float64{1, 0}, []float64{0, 1}),
		metrics.JSD([]float64{3, 1}, []float64{1, 1}))
	// Output:
	// 0.000 1.000 0.049
}

// Header fields of two classes, with what real traffic differs from itself as the floor.
func ExampleHeaderJSD() {
	lab := dataset.Lab()
	r := metrics.HeaderJSD(lab.Only("dns").Flows, lab.Only("tls").Flows, metrics.Options{Resamples: 50, Splits: 10})
	for _, row := range r.Rows {
		fmt.Printf("%-4s %.2f (floor %.2f)\n", row.Name, row.JSD, row.Floor)
	}
	fmt.Println(r.Unit)
	// Output:
	// sport 1.00 (floor 0.50)
	// dport 1.00 (floor 0.49)
	// src  0.51 (floor 0.58)
	// dst  0.51 (floor 0.58)
	// len  0.55 (floor 0.49)
	// TTL  0.20 (floor 0.22)
	// bits
}

// The six features of a flow that the paper compares.
func ExampleFlowFeatures() {
	f := dataset.Lab().Only("ssh").Flows[0]
	fmt.Printf("%.2f\n", metrics.FlowFeatures(f))
	// Output:
	// [33.00 0.46 0.54 17.53 28.00 28.00]
}

// Which rules of packets and connections flows obey.
func ExampleValidity() {
	for _, r := range metrics.Validity(dataset.Lab().Only("http").Take(50).Flows).Rules[:6] {
		fmt.Printf("%s: %d of %d\n", r.Rule, r.Passed, r.Checked)
	}
	// Output:
	// packets that parse, lengths right: 845 of 845
	// IPv4 header checksum: 802 of 802
	// TCP checksum: 845 of 845
	// UDP checksum: 0 of 0
	// TCP flags that make sense: 845 of 845
	// TCP flows that begin with SYN: 50 of 50
}

// Precision, recall and F1 of predictions.
func ExampleScore() {
	c, err := metrics.Score([]string{"dns", "dns", "tls", "tls"}, []string{"dns", "tls", "tls", "tls"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("accuracy %.2f, macro-F1 %.3f\n", c.Accuracy, c.MacroF1)
	for _, s := range c.Classes {
		fmt.Printf("%s: precision %.2f, recall %.2f\n", s.Class, s.Precision, s.Recall)
	}
	// Output:
	// accuracy 0.75, macro-F1 0.733
	// dns: precision 1.00, recall 0.50
	// tls: precision 0.67, recall 1.00
}

// How many bits a token costs a model that knows frequencies alone.
func ExampleEntropy() {
	e := metrics.Entropy(dataset.Lab().Only("dns").Flows)
	fmt.Printf("%.2f bits, knowing the field %.2f\n", e.Unigram, e.GivenField)
	// Output:
	// 6.11 bits, knowing the field 3.68
}

// The chance that a positive has the higher score.
func ExampleAUC() {
	fmt.Println(metrics.AUC([]float64{.9, .8, .3, .1}, []bool{true, false, true, false}))
	// Output:
	// 0.75
}
