package pcap

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// walked names the layers of a packet.
func walked(link LinkType, data []byte, through Through) string {
	var names []string
	for w := NewWalk(link, data, through); w.Next(); {
		name := fmt.Sprintf("%v %d-%d", w.Kind, w.From, w.To)
		if w.End < len(data) {
			name += fmt.Sprintf(" of %d", w.End)
		}
		if w.Fragment != FragmentNone {
			name += fmt.Sprintf(" fragment %d of %d", w.Fragment, w.ID)
		}
		if !w.Whole {
			name += " cut"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func TestWalk(t *testing.T) {
	udp := func(port uint16, payload []byte) []byte {
		b := append(ports(false, 4000, port, 8), payload...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		return b
	}
	dns := ip4(false, 17, udp(53, []byte("hello")))
	vlan := func(next uint16, payload []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0, 1}, next), payload...)
	}
	vxlan := ip4(false, 17, udp(4789, append([]byte{8, 0, 0, 0, 0, 0, 1, 0}, onLink(false, TypeIPv4, dns)...)))
	first := slices.Clone(dns)
	first[6] = 0x20
	for _, k := range []struct {
		name    string
		data    []byte
		through Through
		want    string
	}{
		{"plain", onLink(false, TypeIPv4, dns), 0, "link 0-14, IPv4 14-34, transport 34-42"},
		{"padding", append(onLink(false, TypeIPv4, dns), 0, 0), 0, "link 0-14, IPv4 14-34 of 47, transport 34-42 of 47"},
		{"tags", onLink(false, TypeQinQ9200, vlan(TypeQinQ9100, vlan(TypeIPv4, dns))), 0, "link 0-14, VLAN 14-18, VLAN 18-22, IPv4 22-42, transport 42-50"},
		{"no tags", onLink(false, TypeVLAN, vlan(TypeIPv4, dns)), ThroughNothing, "link 0-14"},
		{"a cut tag", onLink(false, TypeVLAN, []byte{0, 1}), 0, "link 0-14, VLAN 14-16 cut"},
		{"a cut header", onLink(false, TypeIPv4, dns[:13]), 0, "link 0-14, IPv4 14-27 cut"},
		{"a cut transport", onLink(false, TypeIPv4, dns[:25]), 0, "link 0-14, IPv4 14-34, transport 34-39 cut"},
		{"a tunnel", onLink(false, TypeIPv4, vxlan), Tunnels, "link 0-14, IPv4 14-34, transport 34-42, tunnel 42-50, Ethernet 50-64, IPv4 64-84, transport 84-92"},
		{"a tunnel not looked into", onLink(false, TypeIPv4, vxlan), Tags, "link 0-14, IPv4 14-34, transport 34-42"},
		{"a first fragment", onLink(false, TypeIPv4, first), 0, "link 0-14, IPv4 14-34 fragment 1 of 1, transport 34-42"},
		{"a later fragment", onLink(false, TypeIPv6, ip6(false, 44, []byte{17, 0, 0, 9, 0, 0, 0, 5, 1, 2})), 0, "link 0-14, IPv6 14-54, extension 54-62 fragment 2 of 5"},
		{"extensions", onLink(false, TypeIPv6, ip6(false, 0, append([]byte{60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0}, udp(53, nil)...))), 0,
			"link 0-14, IPv6 14-54, extension 54-62, extension 62-70, transport 70-78"},
		{"unknown", onLink(false, 0x88cc, dns), 0, "link 0-14"},
	} {
		if got := walked(LinkEthernet, k.data, k.through); got != k.want {
			t.Errorf("%s: %s\nwant %s", k.name, got, k.want)
		}
	}
}

// Whatever the bytes, layers lie one behind the other within the packet, and
// nothing is allocated.
func TestWalkTakesAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	links := append(LinkTypes(), 12, 14, 60000)
	types := []uint16{TypeIPv4, TypeIPv6, TypeARP, TypeVLAN, TypeMPLS, TypePPPoE, TypeBridge, TypeQinQ9200}
	for range 200_000 {
		data := make([]byte, rng.IntN(120))
		for i := range data {
			data[i] = byte(rng.Uint32())
			if rng.IntN(4) == 0 {
				data[i] = []byte{0x45, 0x60, 6, 17, 47, 4, 41, 44, 51, 0}[rng.IntN(10)]
			}
		}
		if len(data) > 14 {
			binary.BigEndian.PutUint16(data[12:], types[rng.IntN(len(types))])
		}
		link := links[rng.IntN(len(links))]
		if rng.IntN(2) == 0 {
			link = LinkEthernet
		}
		at, end := 0, len(data)
		for w := NewWalk(link, data, Tunnels); w.Next(); {
			if w.From != at || w.To < w.From || w.End < w.To || w.End > end {
				t.Fatalf("link %d, % x: layer %+v behind %d of %d", link, data, w.Layer, at, end)
			}
			at, end = w.To, w.End
		}
		p := Packet{LinkType: link, Data: data}
		if h := p.Headers(); h.Payload > h.End || h.End > len(data) || h.Transport > h.Payload {
			t.Fatalf("link %d, % x: %+v", link, data, h)
		}
		before := 0
		for _, a := range LinkAddresses(link, data) {
			if a.From < before || a.To <= a.From || a.To > len(data) {
				t.Fatalf("link %d, % x: %+v", link, data, a)
			}
			before = a.To
		}
	}
	// PPI in PKTAP in PPI …, of no length
	LinkAddresses(192, []byte{0, 0, 0, 0, 2, 1, 0, 0, 192, 0, 0, 0})
	packet := onLink(false, TypeIPv4, ip4(false, 17, ports(false, 1, 2, 8)))
	if n := testing.AllocsPerRun(100, func() {
		walked := NewWalk(LinkEthernet, packet, Tunnels)
		for walked.Next() {
		}
	}); n != 0 {
		t.Errorf("a walk allocates %v times", n)
	}
}
