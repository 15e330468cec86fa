package pcap_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer/pcap"
)

// question is a DNS packet from 192.0.2.1 to 192.0.2.53 behind two VLAN tags.
func question() pcap.Packet {
	data := []byte{
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, // Ethernet
		0, 100, 0x81, 0, 0, 7, 8, 0, // VLAN 100, VLAN 7
		0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 53, // IPv4
		0xc3, 0x50, 0, 53, 0, 13, 0, 0, // UDP
		'h', 'e', 'l', 'l', 'o',
	}
	return pcap.Packet{Time: time.Unix(1700000000, 0).UTC(), Data: data, Length: len(data), LinkType: pcap.LinkEthernet}
}

func write(dir string) string {
	path := filepath.Join(dir, "lab.pcap")
	if err := pcap.WriteFlows(path, dataset.Lab().Only("dns").Take(2).Flows); err != nil {
		panic(err)
	}
	return path
}

// A capture file becomes packets, and these become flows.
func ExampleRead() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	c, err := pcap.Read(write(dir))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Format, len(c.Packets), "packets")
	for _, f := range c.Flows() {
		fmt.Println(f)
	}
	// Output:
	// pcap 4 packets
	// UDP 10.23.104.78:50520 → 100.83.82.60:53: 2 packets, 350 B, 13.9 ms
	// UDP 10.23.104.78:65060 → 100.83.82.60:53: 2 packets, 431 B, 34.3 ms
}

// A pause of a second ends a flow here, and tunnels are looked through.
func ExampleCapture_Flows() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	c, err := pcap.Read(write(dir))
	if err != nil {
		fmt.Println(err)
		return
	}
	flows := c.Flows(pcap.FlowOptions{Through: pcap.Tunnels, Idle: time.Second})
	fmt.Println(len(flows))
	// Output:
	// 2
}

// The layers of a packet, from the outside in.
func ExampleWalk() {
	p := question()
	for w := pcap.NewWalk(p.LinkType, p.Data, pcap.Tags); w.Next(); {
		fmt.Printf("%v: bytes %d to %d, payload to %d\n", w.Kind, w.From, w.To, w.End)
	}
	// Output:
	// link: bytes 0 to 14, payload to 55
	// VLAN: bytes 14 to 18, payload to 55
	// VLAN: bytes 18 to 22, payload to 55
	// IPv4: bytes 22 to 42, payload to 55
	// transport: bytes 42 to 50, payload to 55
}

// Where the headers of a packet are, behind its tags.
func ExamplePacket_Headers() {
	p := question()
	h := p.Headers()
	fmt.Printf("IPv%d at %d, protocol %d at %d\n", h.Version, h.Network, h.Protocol, h.Transport)
	fmt.Printf("%s\n", p.Data[h.Payload:h.End])
	// Output:
	// IPv4 at 22, protocol 17 at 42
	// hello
}

// Packets from anywhere can be sorted into flows.
func ExampleAssemble() {
	ask, answer := question(), question()
	answer.Data = append([]byte(nil), answer.Data...)
	copy(answer.Data[34:], []byte{192, 0, 2, 53, 192, 0, 2, 1, 0, 53, 0xc3, 0x50})
	answer.Time = ask.Time.Add(20 * time.Millisecond)
	for _, f := range pcap.Assemble([]pcap.Packet{ask, answer}, pcap.FlowOptions{}) {
		fmt.Println(f)
		fmt.Println(f.Outgoing(0), f.Outgoing(1))
	}
	// Output:
	// UDP 192.0.2.1:50000 → 192.0.2.53:53: 2 packets, 110 B, 20.0 ms
	// true false
}

// An assembler sorts packets one by one, and keeps as many flows in mind as it is told.
func ExampleAssembler() {
	a := pcap.NewAssembler(pcap.AssemblerOptions{Limit: 1000})
	p := question()
	for i := range 3 {
		f := a.Add(p.LinkType, p.Data, p.Time.Unix()+int64(i), 0)
		fmt.Println(f.ID, f.New, f.Outgoing)
	}
	// Output:
	// 0 true true
	// 0 false true
	// 0 false true
}

// What in a link header tells of hosts.
func ExampleLinkAddresses() {
	p := question()
	for _, a := range pcap.LinkAddresses(p.LinkType, p.Data) {
		fmt.Println(a.Role == pcap.Sender, p.Data[a.From:a.To])
	}
	// Output:
	// false [2 0 0 0 0 2]
	// true [2 0 0 0 0 1]
}
