package pcap

import (
	"encoding/binary"
	"testing"
)

// link puts an Ethernet header before a payload; b says who sends.
func onLink(b bool, etype uint16, payload []byte) []byte {
	head := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if b {
		head[5], head[11] = 1, 2
	}
	return append(binary.BigEndian.AppendUint16(head, etype), payload...)
}

// ip4 is an IPv4 packet between 10.0.0.1 and 10.0.0.2; b says who sends.
func ip4(b bool, proto byte, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	if b {
		h[15], h[19] = 2, 1
	}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	return append(h, payload...)
}

// ip6 is the same in IPv6.
func ip6(b bool, proto byte, payload []byte) []byte {
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, proto, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	h[8], h[23], h[24], h[39] = 0xfd, 1, 0xfd, 2
	if b {
		h[23], h[39] = 2, 1
	}
	return append(h, payload...)
}

// ports begins a transport header; b says who sends.
func ports(b bool, src, dst uint16, size int) []byte {
	if b {
		src, dst = dst, src
	}
	h := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, src), dst)
	return append(h, make([]byte, size-4)...)
}

// Everything belongs to flows, not only TCP and UDP: question and answer of each
// protocol are one flow, another pair of ends or ports is another.
func TestEveryProtocolHasFlows(t *testing.T) {
	arp := func(b bool) []byte {
		p := []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}
		if b {
			p[7], p[17], p[27] = 2, 2, 1
		}
		return onLink(b, TypeARP, p)
	}
	over4 := func(proto byte, payload func(b bool) []byte) func(bool) []byte {
		return func(b bool) []byte { return onLink(b, TypeIPv4, ip4(b, proto, payload(b))) }
	}
	over6 := func(proto byte, payload func(b bool) []byte) func(bool) []byte {
		return func(b bool) []byte { return onLink(b, TypeIPv6, ip6(b, proto, payload(b))) }
	}
	echo := func(b bool) []byte { return ports(b, 0x0800, 0, 16) }
	plain := func(bool) []byte { return make([]byte, 24) }
	portsOf := func(b bool) []byte { return ports(b, 4000, 80, 20) }
	cases := []struct {
		name     string
		make     func(b bool) []byte
		protocol uint8
		etype    uint16
		port     uint16 // of the initiator
	}{
		{"ARP", arp, 0, TypeARP, 0},
		{"ICMP", over4(1, echo), 1, TypeIPv4, 0},
		{"ICMPv6", over6(58, echo), 58, TypeIPv6, 0},
		{"IGMP", over4(2, plain), 2, TypeIPv4, 0},
		{"ESP", over4(50, plain), 50, TypeIPv4, 0},
		{"ESP over IPv6", over6(50, plain), 50, TypeIPv6, 0},
		{"OSPF", over4(89, plain), 89, TypeIPv4, 0},
		{"SCTP", over4(132, portsOf), 132, TypeIPv4, 4000},
		{"DCCP", over4(33, portsOf), 33, TypeIPv4, 4000},
		{"UDP over IPv6", over6(17, portsOf), 17, TypeIPv6, 4000},
		{"a protocol of the link", func(b bool) []byte { return onLink(b, 0x88cc, []byte{1, 2, 3}) }, 0, 0x88cc, 0},
	}
	var all []Packet
	for _, k := range cases {
		packets := []Packet{at(0, k.make(false)), at(1, k.make(true)), at(2, k.make(false))}
		all = append(all, packets...)
		fs := Assemble(packets, FlowOptions{})
		if !same(sizes(fs), []int{3}) {
			t.Errorf("%s: flows of %v packets", k.name, sizes(fs))
			continue
		}
		f := fs[0]
		if f.Key.Protocol != k.protocol || f.Key.EtherType != k.etype || f.Key.SrcPort != k.port {
			t.Errorf("%s: key %+v", k.name, f.Key)
		}
		if !f.Outgoing(0) || f.Outgoing(1) || !f.Outgoing(2) {
			t.Errorf("%s: the initiator is not known", k.name)
		}
	}
	if fs := Assemble(all, FlowOptions{}); len(fs) != len(cases) {
		t.Errorf("%d protocols make %d flows", len(cases), len(fs))
	}
}

// Each tag and tunnel is seen through when that is asked for, and only then.
func TestEachLayerIsSeenThroughByOption(t *testing.T) {
	tcp4 := func(b bool) []byte { return ip4(b, 6, ports(b, 4000, 80, 20)) }
	frame := func(b bool) []byte { return onLink(b, TypeIPv4, tcp4(b)) }
	tag := func(etype uint16, p []byte) []byte { return append([]byte{0, 5, byte(etype >> 8), byte(etype)}, p...) }
	udp := func(dst uint16, head, p []byte) []byte {
		u := append(ports(false, 9999, dst, 8), append(head, p...)...)
		binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
		return ip4(false, 17, u)
	}
	cases := []struct {
		name    string
		packet  []byte
		through Through
	}{
		{"VLAN", onLink(false, TypeVLAN, tag(TypeIPv4, tcp4(false))), ThroughVLAN},
		{"QinQ", onLink(false, TypeQinQ, tag(TypeVLAN, tag(TypeIPv4, tcp4(false)))), ThroughVLAN},
		{"MPLS", onLink(false, TypeMPLS, append([]byte{0, 1, 0, 64, 0, 2, 1, 64}, tcp4(false)...)), ThroughMPLS},
		{"PPPoE", onLink(false, TypePPPoE, append([]byte{0x11, 0, 0, 1, 0, 42, 0, 0x21}, tcp4(false)...)), ThroughPPPoE},
		{"GRE", onLink(false, TypeIPv4, ip4(false, 47, append([]byte{0, 0, 8, 0}, tcp4(false)...))), ThroughGRE},
		{"VXLAN", onLink(false, TypeIPv4, udp(4789, []byte{8, 0, 0, 0, 0, 0, 7, 0}, frame(false))), ThroughVXLAN},
		{"Geneve", onLink(false, TypeIPv4, udp(6081, []byte{0, 0, 0x65, 0x58, 0, 0, 7, 0}, frame(false))), ThroughGeneve},
		{"GTP-U", onLink(false, TypeIPv4, udp(2152, []byte{0x30, 0xff, 0, 40, 0, 0, 0, 1}, tcp4(false))), ThroughGTP},
		{"IP in IP", onLink(false, TypeIPv4, ip4(false, 4, tcp4(false))), ThroughIPIP},
		{"IPv4 in IPv6", onLink(false, TypeIPv6, ip6(false, 4, tcp4(false))), ThroughIPIP},
	}
	for _, k := range cases {
		for _, through := range []Through{k.through, Tunnels, Tunnels &^ k.through, ThroughNothing} {
			f := Assemble([]Packet{at(0, k.packet)}, FlowOptions{Through: through})[0]
			seen := f.Key.Protocol == 6 && f.Key.SrcPort == 4000 && f.Key.DstPort == 80
			if want := through&k.through != 0; seen != want {
				t.Errorf("%s with %b: key %+v, seen through: %v", k.name, through, f.Key, seen)
			}
		}
	}
}
