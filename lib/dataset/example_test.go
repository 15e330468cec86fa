package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// The built-in corpus is there at once, without any file.
func ExampleLab() {
	lab := dataset.Lab()
	fmt.Println(lab.Len(), "flows in", len(lab.Labels()), "classes and", lab.Groups(), "groups")
	fmt.Println(lab.Flows[0])
	// Output:
	// 1549 flows in 20 classes and 937 groups
	// http2: TCP 192.168.8.120:58819 → 198.51.100.30:80: 39 packets, 5.9 kB, 1.454 s
}

// Sets are chosen from by label, by size, or by any rule.
func ExampleSet_Only() {
	web := dataset.Lab().Only("http", "tls").Tokens(0, 4096)
	long := web.Where(func(f *pcap.Flow) bool { return len(f.Packets) > 20 })
	fmt.Println(web.Labels(), web.Len(), long.Len())
	// Output:
	// [http tls] 105 10
}

// A split keeps near-duplicates together, and Leaks says what is shared all the same.
func ExampleSet_Split() {
	train, test := dataset.Lab().Split(0.2, 1)
	fmt.Println(train.Len(), test.Len())
	leaks := dataset.Leaks(train, test)
	fmt.Println(leaks.Clean(), len(leaks.Groups), leaks.Same)
	// Output:
	// 1236 313
	// true 0 0
}

// A mask puts the role of a host in the place of its address.
func ExampleSet_Mask() {
	lab := dataset.Lab().Only("dns").Take(1)
	fmt.Println(lab.Flows[0])
	fmt.Println(lab.Mask(1).Flows[0])
	// Output:
	// dns: UDP 10.23.104.78:50520 → 100.83.82.60:53: 2 packets, 350 B, 13.9 ms
	// dns: UDP 10.0.0.1:1 → 10.0.0.2:2: 2 packets, 350 B, 13.9 ms
}

// MaskFlow hides the same bytes as tokenizer.Masked.
func ExampleMaskFlow() {
	f := dataset.Lab().Only("tls").Flows[0]
	hidden := tokenizer.Hidden(tokenizer.Encode(f), tokenizer.M2)
	masked := tokenizer.Encode(dataset.MaskFlow(f, 2))
	changed := 0
	for i, t := range tokenizer.Encode(f) {
		if t != masked[i] && !hidden[i] {
			changed++
		}
	}
	fmt.Println(changed, "bytes are changed and not hidden")
	// Output:
	// 0 bytes are changed and not hidden
}

// Classes sums a set up, label by label.
func ExampleSet_Classes() {
	for _, c := range dataset.Lab().Only("dns", "ntp").Classes() {
		fmt.Printf("%s: %d flows, median %d tokens\n", c.Label, c.Flows, c.Median)
	}
	// Output:
	// dns: 249 flows, median 323 tokens
	// ntp: 139 flows, median 201 tokens
}

// A snapshot is some tenth of a capture's size, with labels and groups.
func ExampleOpen() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "dns.tgset")
	if err := dataset.Lab().Only("dns").Save(path); err != nil {
		fmt.Println(err)
		return
	}
	s, err := dataset.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Len(), s.Labels())
	// Output:
	// 249 [dns]
}
