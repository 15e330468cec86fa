package sample_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/sample"
	"trafficgpt/model"
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

// untrained is a small model that knows nothing; train one with lib/train.
func untrained() *model.Model {
	c := model.Tiny()
	c.Width, c.HeadDim, c.FeedForward, c.Window = 16, 4, 16, 16
	return must(model.New(c, 1))
}

// With Dialog even a model that knows nothing writes legal packets, and each flow is
// one conversation.
func ExampleFlows() {
	r := must(sample.Flows(untrained(), sample.Options{Flows: 4, Seed: 7, Dialog: true, MaxTokens: 400, Quiet: true}))
	legal := true
	for _, f := range r.Flows {
		for _, p := range f.Packets {
			legal = legal && tokenizer.Check(p) == nil
		}
	}
	fmt.Println(len(r.Flows), "flows, all packets legal:", legal, "· rejected:", r.Rejected)
	// Output:
	// 4 flows, all packets legal: true · rejected: 0
}

// Flows go on from the beginning of a real one.
func ExampleOptions() {
	dns := dataset.Lab().Only("dns").Flows[0]
	r := must(sample.Flows(untrained(), sample.Options{
		Flows:         2,
		PromptFlow:    dns,
		PromptPackets: 1, // its query; the model answers
		Constrained:   true,
		MaxPackets:    2,
		Label:         "answers",
		Quiet:         true,
	}))
	for _, f := range r.Flows {
		fmt.Println(f.Label, len(f.Packets), "packets, the first one the query:", string(f.Packets[0].Data) == string(dns.Packets[0].Data))
	}
	// Output:
	// answers 2 packets, the first one the query: true
	// answers 2 packets, the first one the query: true
}

// What was sampled is a capture like any other.
func ExampleResult_Save() {
	dir := must(os.MkdirTemp("", "example"))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sampled.pcap")
	r := must(sample.Flows(untrained(), sample.Options{Flows: 3, Dialog: true, Repair: true, MaxTokens: 300, Quiet: true}))
	if err := r.Save(path); err != nil {
		log.Fatal(err)
	}
	c := must(pcap.Read(path))
	fmt.Println("as many packets as were sampled:", len(c.Packets) == r.Packets)
	// Output:
	// as many packets as were sampled: true
}

// ScoreAll says which flows a model did not expect, the most surprising first.
func ExampleScoreAll() {
	flows := dataset.Lab().Only("dns", "ntp").Take(5).Flows
	scores := must(sample.ScoreAll(untrained(), flows))
	first := scores.Ranked()[0]
	fmt.Println(len(scores), "flows; a model that knows nothing needs about", fmt.Sprintf("%.0f", first.Bits[1]), "bits a token")
	// Output:
	// 5 flows; a model that knows nothing needs about 8 bits a token
}

// A Meter measures tokens as they come, for flows without an end.
func ExampleMeter() {
	m := sample.NewMeter(untrained())
	total := 0.0
	for _, token := range tokenizer.Encode(dataset.Lab().Only("ntp").Flows[0]) {
		bits := must(m.Next(token))
		total += bits
	}
	fmt.Println("it cost something:", total > 0)
	_, err := m.Next(999)
	fmt.Println(err)
	// Output:
	// it cost something: true
	// failed to step: token 999 on lane 0, of 260 tokens and 1 lanes
}

// Embed makes vectors of flows, to cluster or to look at.
func ExampleEmbed() {
	e := must(sample.Embed(untrained(), dataset.Lab().Only("dns").Take(3).Flows))
	fmt.Println(e)
	fmt.Println(e.Labels)
	// Output:
	// 3 flows as vectors of 16, behind layer 2
	// [dns dns dns]
}
