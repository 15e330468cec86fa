package metrics_test

import (
	"fmt"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
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

// How far apart two samples are: without a unit, with its p value, and in seconds.
func ExampleKS() {
	lab := dataset.Lab()
	x, y := metrics.Times(lab.Only("dns").Flows).Durations, metrics.Times(lab.Only("tls").Flows).Durations
	d := metrics.KS(x, y)
	fmt.Printf("D %.2f, p %.0e\n", d, metrics.KSPValue(d, len(x), len(y)))
	fmt.Printf("%.1f s\n", metrics.Wasserstein(x, y))
	fmt.Println(metrics.Wasserstein([]float64{0, 1, 3}, []float64{5, 6, 8}))
	// Output:
	// D 0.77, p 3e-17
	// 6.5 s
	// 5
}

// Points of flow features, on the scale of the first: are they of one distribution?
func ExampleMMD() {
	points := func(class string) (out [][]float64) {
		for _, f := range dataset.Lab().Only(class).Take(80).Flows {
			x := metrics.FlowFeatures(f)
			out = append(out, x[:])
		}
		return out
	}
	all := metrics.Standardize(points("http"), points("tls"))
	r, err := metrics.MMD(all[0], all[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("MMD² %.3f, p %.3f\n", r.Squared, r.P)
	// Output:
	// MMD² 0.154, p 0.005
}

// Points that are all in the right place but all alike: precise, with little recall.
func ExampleNeighbourhoods() {
	var real, generated [][]float64
	for i := range 100 {
		real = append(real, []float64{float64(i % 10), float64(i / 10)})
		generated = append(generated, []float64{4.5 + float64(i%10)/100, 4.5 + float64(i/10)/100})
	}
	m, err := metrics.Neighbourhoods(real, generated, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("precision %.2f, recall %.2f, coverage %.2f\n", m.Precision, m.Recall, m.Coverage)
	// Output:
	// precision 1.00, recall 0.00, coverage 0.04
}

// AUC with its interval, and what a threshold finds that takes a quarter of the negatives.
func ExampleAUCInterval() {
	scores := []float64{.9, .8, .7, .6, .55, .5, .4, .3, .2, .1}
	positive := []bool{true, true, false, true, true, false, true, false, false, false}
	fmt.Println(metrics.AUCInterval(scores, positive))
	fmt.Println(metrics.TPRAt(scores, positive, .25))
	// Output:
	// 0.8400 (0.5190–1.0000)
	// 0.8
}

// BLEU, ROUGE and perplexity mislead: one flow again and again has nearly what all
// real flows have, and fewer bits.
func ExampleText() {
	var real, references, repeated [][]uint16
	for i, f := range dataset.Lab().Only("dns").Flows {
		if tokens := tokenizer.Encode(f); i%2 == 0 {
			references = append(references, tokens)
		} else {
			real = append(real, tokens)
			repeated = append(repeated, real[0])
		}
	}
	model, err := metrics.NewNGram(0, references)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, candidates := range [][][]uint16{real, repeated} {
		r, err := metrics.Text(candidates, references)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("BLEU %.2f, ROUGE-L %.2f, %.2f bits a token\n", r.BLEU, r.ROUGEL, model.Bits(candidates))
	}
	// Output:
	// BLEU 0.73, ROUGE-L 0.60, 2.82 bits a token
	// BLEU 0.72, ROUGE-L 0.55, 2.42 bits a token
}

// Intervals, durations, rates and bursts of flows, for KS and Wasserstein.
func ExampleTimes() {
	t := metrics.Times(dataset.Lab().Only("ssh").Flows)
	fmt.Println(len(t.Intervals), len(t.Durations), len(t.BurstSizes))
	// Output:
	// 1497 40 884
}

// Flows of one half of the corpus have no timing of the other; its own it has.
func ExampleFindCopiedTimes() {
	flows := dataset.Lab().Flows
	half := len(flows) / 2
	for _, reference := range [][]*pcap.Flow{flows[half:], flows[:half]} {
		c := metrics.FindCopiedTimes(flows[:half], reference)
		fmt.Printf("%d of %d windows, %d of %d flows\n", c.Copied, c.Windows, c.CopiedFlows, c.Flows)
	}
	// Output:
	// 0 of 6305 windows, 0 of 501 flows
	// 6305 of 6305 windows, 501 of 501 flows
}

// How many flows of a thousand break a rule.
func ExampleBreaches() {
	for _, b := range metrics.Breaches(dataset.Lab().Only("http").Flows) {
		if b.Broken > 0 {
			fmt.Println(b)
		}
	}
	// Output:
	// TCP SEQ continues: broken by 1 of 124 flows (8.1 of 1,000)
	// nothing after TCP's end: broken by 4 of 127 flows (31.5 of 1,000)
}
