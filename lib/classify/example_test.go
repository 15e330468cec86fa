package classify_test

import (
	"fmt"
	"log"

	"trafficgpt/lib/classify"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// must is what cells have predeclared.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// look gives the features, classes and groups of dns (0) and http flows (1).
func look(flows []*pcap.Flow) (x [][]float64, y []int, groups []string) {
	for _, f := range flows {
		class := 0
		if f.Label == "http" {
			class = 1
		}
		x, y, groups = append(x, classify.Features(f)), append(y, class), append(groups, f.Group)
	}
	return x, y, groups
}

// A forest grows on one part of a set and is asked about the other.
func ExampleNewForest() {
	train, test := dataset.Lab().Only("dns", "http").Split(0.3, 1)
	x, y, _ := look(train.Flows)
	f := must(classify.NewForest(x, y, 2, classify.ForestOptions{Trees: 20}))
	x, y, _ = look(test.Flows)
	right := 0
	for i, class := range f.Predict(x) {
		if class == y[i] {
			right++
		}
	}
	fmt.Println("nine of ten are right:", right*10 >= 9*len(y))

	_, err := classify.NewForest(x[:2], []int{0, 0}, 2)
	fmt.Println(err)
	// Output:
	// nine of ten are right: true
	// failed to grow a forest: all 2 rows are of one class
}

// Out-of-fold probabilities say how well classes can be told apart, when every
// flow is judged by a forest that knows none of its group.
func ExampleCrossScores() {
	x, y, groups := look(dataset.Lab().Only("dns", "http").Each(40).Flows)
	var scores []float64
	var http []bool
	for i, p := range must(classify.CrossScores(x, y, 2, groups)) {
		scores, http = append(scores, p[1]), append(http, y[i] == 1)
	}
	fmt.Println("AUC above 0.95:", metrics.AUC(scores, http) > 0.95)
	// Output:
	// AUC above 0.95: true
}

// What the forest goes by: columns that say the same are shuffled together.
func ExampleForest_Importance() {
	x, y := [][]float64{{1, 10, 3}, {2, 20, 3}, {1, 10, 4}, {2, 20, 4}, {1, 10, 5}, {2, 20, 5}}, []int{0, 1, 0, 1, 0, 1}
	f := must(classify.NewForest(x, y, 2))
	for _, i := range must(f.Importance(x, y, classify.ImportanceOptions{Groups: []string{"size", "size", "time"}, Repeats: 20})) {
		fmt.Println(i.Name, i.Drop > 0.1)
	}
	// Output:
	// size true
	// time false
}

// What a flow looks like without its bytes.
func ExampleFeatures() {
	v := classify.Features(dataset.Lab().Only("dns").Flows[0])
	for i, name := range classify.FeatureNames() {
		if name == "bytes in" || name == "size of packet 1, + out − in, bytes" || name == "mean TCP window in, unscaled" {
			fmt.Printf("%s: %g\n", name, v[i])
		}
	}
	// Output:
	// bytes in: 255
	// mean TCP window in, unscaled: -1
	// size of packet 1, + out − in, bytes: 95
}

// The first bytes of a flow, and which field each of them is.
func ExampleFirstBytes() {
	f := dataset.Lab().Only("dns").Flows[0]
	x, names := classify.FirstBytes(f, 24), classify.ByteNames(f, 24)
	fmt.Printf("%s: %g\n", names[22], x[22])
	fmt.Printf("%s: %g\n", names[23], x[23])
	// Output:
	// IPv4 · time to live: 128
	// IPv4 · protocol: 17
}

// A byte model reads tokens and needs no features. Occlusion says which fields
// it goes by.
func ExampleNewByteModel() {
	train, test := dataset.Lab().Only("dns", "http").Each(60).Split(0.3, 1)
	_, y, _ := look(train.Flows)
	b := must(classify.NewByteModel(train.Flows, y, 2, classify.ByteModelOptions{Tokens: 64, Width: 32, Epochs: 15, Mask: tokenizer.M1}))
	_, y, _ = look(test.Flows)
	right := 0
	for i, p := range must(b.Probabilities(test.Flows)) {
		if p[y[i]] > 0.5 {
			right++
		}
	}
	fmt.Println("nine of ten are right:", right*10 >= 9*len(y))
	for _, im := range must(b.Occlusion(test.Flows, y)) {
		if im.Name == "IPv4 · source address" {
			fmt.Println("it goes by addresses, which the mask hides")
		}
	}
	// Output:
	// nine of ten are right: true
}
