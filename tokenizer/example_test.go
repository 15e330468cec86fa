package tokenizer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// ping is a flow of one packet: an ICMP echo request from 10.0.0.1 to 10.0.0.2.
func ping() *pcap.Flow {
	data := []byte{
		0x45, 0, 0, 28, 0x12, 0x34, 0x40, 0, 64, 1, 0x14, 0xab, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
		8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1, // ICMP
	}
	return &pcap.Flow{Packets: []pcap.Packet{{Time: time.Unix(1700000000, 0).UTC(), Data: data, Length: len(data), LinkType: pcap.LinkRaw}}}
}

// A packet is a start token, its link type, eight bytes of time, and its bytes;
// an end token closes the flow.
func ExampleEncode() {
	tokens := tokenizer.Encode(ping())
	fmt.Println(len(tokens), tokenizer.Length(ping()))
	fmt.Println(tokens[:2], tokens[2:10], tokens[10:14], tokens[len(tokens)-1])
	// Output:
	// 39 39
	// [256 21] [0 0 0 0 0 0 0 0] [69 0 0 28] 257
}

// Tokens carry all times but the first packet's: Options.Start gives it back.
func ExampleDecode() {
	f := dataset.Lab().Only("dns").Flows[0]
	packets, err := tokenizer.Decode(tokenizer.Encode(f), tokenizer.Options{Start: f.Packets[0].Time})
	if err != nil {
		fmt.Println(err)
		return
	}
	same := true
	for i, p := range packets {
		same = same && p.Time.Equal(f.Packets[i].Time) && string(p.Data) == string(f.Packets[i].Data)
	}
	fmt.Println(len(packets), "packets, all as they were:", same)

	_, err = tokenizer.Decode([]uint16{tokenizer.Start, 3, 999})
	fmt.Println(err)
	// Output:
	// 2 packets, all as they were: true
	// token 2: 999, which is outside the vocabulary, within a time interval
}

// With TimeLog the time of a packet takes one token in place of eight.
func ExampleOptions() {
	f := dataset.Lab().Only("ssh").Flows[0]
	for _, code := range []tokenizer.TimeCode{tokenizer.TimePaper, tokenizer.TimeLog, tokenizer.TimeNone} {
		tokens := tokenizer.Encode(f, tokenizer.Options{Time: code})
		fmt.Printf("%v: %d tokens for %d packets\n", code, len(tokens), len(f.Packets))
	}
	// Output:
	// paper: 10322 tokens for 61 packets
	// log: 9895 tokens for 61 packets
	// none: 9834 tokens for 61 packets
}

// Each token knows what it is: its layer, and the field in it.
func ExampleExplain() {
	tokens := tokenizer.Encode(ping())
	last := ""
	for i, f := range tokenizer.Explain(tokens) {
		if f.Layer+f.Name != last {
			fmt.Printf("%2d %s: %s\n", i, f.Layer, f.Name)
		}
		last = f.Layer + f.Name
	}
	// Output:
	// 0 token: packet start
	//  1 token: link type RAW
	//  2 token: seconds since the packet before
	// 10 IPv4: version and header length
	// 11 IPv4: type of service
	// 12 IPv4: total length
	// 14 IPv4: identification
	// 16 IPv4: flags and fragment offset
	// 18 IPv4: time to live
	// 19 IPv4: protocol
	// 20 IPv4: checksum
	// 22 IPv4: source address
	// 26 IPv4: destination address
	// 30 ICMP: type
	// 31 ICMP: code
	// 32 ICMP: checksum
	// 34 ICMP: identifier
	// 36 ICMP: sequence number
	// 38 token: end of the flow
}

// A mask takes from a model what tells who talks to whom.
func ExampleMasked() {
	tokens := tokenizer.Encode(ping())
	for m := tokenizer.M0; m <= tokenizer.M3; m++ {
		hidden := 0
		for _, h := range tokenizer.Hidden(tokens, m) {
			if h {
				hidden++
			}
		}
		fmt.Println(m, "hides", hidden, "of", len(tokens))
	}
	fmt.Println(tokens[22:30])
	fmt.Println(tokenizer.Masked(tokens, tokenizer.M1)[22:30])
	// Output:
	// M0 hides 0 of 39
	// M1 hides 12 of 39
	// M2 hides 14 of 39
	// M3 hides 14 of 39
	// [10 0 0 1 10 0 0 2]
	// [0 0 0 0 0 0 0 0]
}

// HiddenIn says which bytes of which fields a mask hides.
func ExampleHiddenIn() {
	for h := range tokenizer.HiddenIn(ping().Packets, tokenizer.M2) {
		fmt.Printf("%s %s: %d bytes from %d on\n", h.Layer, h.Name, h.Length, h.Offset)
	}
	// Output:
	// IPv4 identification: 2 bytes from 4 on
	// IPv4 checksum: 2 bytes from 10 on
	// IPv4 source address: 4 bytes from 12 on
	// IPv4 destination address: 4 bytes from 16 on
	// ICMP checksum: 2 bytes from 22 on
}

// Check says why a packet is illegal, Repair puts it right.
func ExampleRepair() {
	p := ping().Packets[0]
	p.Data[3] = 99 // the IPv4 total length
	fmt.Println(tokenizer.Check(p))
	repaired, fields := tokenizer.Repair(p)
	fmt.Println(fields, tokenizer.Check(repaired))
	for _, c := range tokenizer.Checksums(repaired) {
		fmt.Println(c.Layer, c.Good)
	}
	// Output:
	// the IPv4 header says 99 bytes, 28 are there
	// [IPv4 total length] <nil>
	// IPv4 true
	// ICMP true
}

// Several flows in one sequence, as they crossed the wire.
func ExampleEncodeFlows() {
	flows := dataset.Lab().Only("dns").Take(3).Flows
	tokens, err := tokenizer.EncodeFlows(flows)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := tokenizer.DecodeFlows(tokens)
	fmt.Println(len(back), "flows,", err)
	// Output:
	// 3 flows, <nil>
}

// A corpus holds capture files as tokens, and gives them back byte for byte.
func ExampleEncodeFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	capture, corpus, back := filepath.Join(dir, "a.pcap"), filepath.Join(dir, "corpus"), filepath.Join(dir, "back.pcap")
	if err := pcap.WriteFlows(capture, dataset.Lab().Take(20).Flows); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokenizer.EncodeFile(capture, corpus), tokenizer.DecodeFile(corpus, back))
	a, _ := os.ReadFile(capture)
	b, _ := os.ReadFile(back)
	fmt.Println(len(a) > 0 && string(a) == string(b))
	// Output:
	// <nil> <nil>
	// true
}
