package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Hosts of the made-up frames; what a mask leaves of them is found again.
var (
	aliceIP, bobIP   = []byte{203, 0, 113, 77}, []byte{198, 51, 100, 88}
	alice6, bob6     = append([]byte{0x20, 0x01, 0x0d, 0xb8}, "alices addr6"...), append([]byte{0x20, 0x01, 0x0d, 0xb8}, "bobs address"...)
	aliceMAC, bobMAC = []byte("\xaaalice"), []byte("\xb4bobby")
	traces           = [][]byte{aliceIP, bobIP, alice6, bob6, aliceMAC, bobMAC, aliceMAC[1:], bobMAC[1:]}
)

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// ip4 and ip6 are packets from Alice to Bob.
func ip4(proto byte, payload []byte) []byte {
	return cat([]byte{0x45, 0}, be16(20+len(payload)), []byte{9, 9, 0x40, 0, 64, proto, 7, 7}, aliceIP, bobIP, payload)
}

func ip6(proto byte, payload []byte) []byte {
	return cat([]byte{0x60, 0x0f, 0xaa, 0xbb}, be16(len(payload)), []byte{proto, 64}, alice6, bob6, payload)
}

func tcp() []byte {
	return cat(be16(45678), be16(443), []byte("seq#ack#"), []byte{0x60, 0x18}, []byte("wwcc\x00\x00opts"), []byte("payload"))
}

func udp(port int, payload []byte) []byte {
	return cat(be16(45678), be16(port), be16(8+len(payload)), []byte{5, 5}, payload)
}

func ether(etherType int, payload []byte) []byte {
	return cat(bobMAC, aliceMAC, be16(etherType), payload)
}

func snap(payload []byte) []byte {
	return cat([]byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, payload)
}

// frames are one packet of each kind there is, by name.
func frames() map[string]pcap.Packet {
	inner := ip4(6, tcp())
	out := map[string]pcap.Packet{}
	add := func(name string, link pcap.LinkType, data []byte) {
		out[name] = pcap.Packet{Time: time.Unix(1, 0).UTC(), LinkType: link, Data: data, Length: len(data)}
	}
	zeros := func(n int) []byte { return make([]byte, n) }
	wlan := cat([]byte{8, 1, 0, 0}, bobMAC, aliceMAC, bobMAC, []byte{0, 0}, snap(inner))
	four := cat([]byte{8, 3, 0, 0}, bobMAC, aliceMAC, bobMAC, []byte{0, 0}, aliceMAC, snap(inner))
	for link, data := range map[pcap.LinkType][]byte{
		pcap.LinkNull: cat(le32(2), inner), 108: cat([]byte{0, 0, 0, 2}, inner), 109: cat(le32(2), zeros(8), inner),
		pcap.LinkRaw: inner, 12: inner, 14: inner, pcap.LinkIPv4: inner, pcap.LinkIPv6: ip6(6, tcp()),
		pcap.LinkEthernet: ether(0x0800, inner), pcap.LinkSLL: cat([]byte{0, 0, 0, 1, 0, 6}, aliceMAC, []byte{0, 0, 8, 0}, inner),
		pcap.LinkSLL2: cat([]byte{8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6}, aliceMAC, []byte{0, 0}, inner),
		9:             cat([]byte{0xff, 3, 0, 0x21}, inner), 50: cat([]byte{0xff, 3, 0, 0x21}, inner), 51: cat(zeros(6), []byte{0, 0x21}, inner),
		166: cat([]byte{0xff, 3, 0, 0x21}, inner), 204: cat([]byte{0, 0xff, 3, 0, 0x21}, inner),
		104: cat([]byte{15, 0, 8, 0}, inner), 205: cat([]byte{1, 15, 0, 8, 0}, inner), 107: cat([]byte{0x18, 0x41, 3, 0xcc}, inner),
		105: wlan, 127: cat([]byte{0, 0, 8, 0}, zeros(4), wlan), 119: cat(zeros(144), four), 163: cat(zeros(4), []byte{0, 0, 0, 64}, zeros(56), wlan),
		192: cat([]byte{0, 0, 20, 0}, le32(105), aliceMAC, bobMAC, four), 6: cat([]byte{0x10, 0x40}, bobMAC, aliceMAC, snap(inner)),
		10: cat([]byte{0x50}, bobMAC, aliceMAC, snap(inner)), 100: snap(inner), 106: snap(inner), 8: cat(aliceMAC, zeros(10), inner),
		117: cat([]byte{61, 2, 0, 0}, aliceMAC, zeros(54), inner), 129: cat([]byte{1, 2, 0, 0, 0xd4, 0, 0, 1}, inner), 7: cat([]byte{1, 2, 0xd4, 0, 0, 1}, inner),
		138: cat(bobMAC, []byte{0, 0}, aliceMAC, []byte{0, 0}, []byte{8, 0}, inner), 219: cat([]byte{0, 0, 0x11, 64}, inner),
		239: cat([]byte{2, 0, 0, 0, 10, 0, 8, 0}, aliceMAC, []byte{0, 0, byte(4 + len(inner)), 0, 9, 0}, inner),
		242: cat(alice6, bob6, zeros(8), []byte{8, 0, 0, 0}, inner), 258: cat(le32(24), le32(1), le32(1), aliceMAC, bobMAC, ether(0x0800, inner)),
		281: cat(bobMAC, aliceMAC, []byte{0, 0, 0, 1, 8, 0}, inner), 282: cat([]byte{0, 0, 0, 1}, ether(0x0800, inner)),
		284: cat(bobMAC, aliceMAC, []byte{0, 0, 0, 1, 8, 0}, inner), 285: cat(bobMAC, aliceMAC, []byte{0xda, 0xda, 0, 0, 0, 0, 0, 1, 8, 0}, inner),
		143: cat(zeros(6), ether(0x0800, inner)), 226: cat(zeros(24), inner),
	} {
		add(fmt.Sprintf("%v (%d)", link, uint32(link)), link, data)
	}
	vlan := func(payload []byte) []byte { return cat([]byte{0, 7}, be16(0x0800), payload) }
	eth := func(name string, etherType int, payload []byte) {
		add(name, pcap.LinkEthernet, ether(etherType, payload))
	}
	for _, t := range []int{0x8100, 0x88a8, 0x9100, 0x9200} {
		eth(fmt.Sprintf("VLAN %04x", t), t, vlan(inner))
		eth(fmt.Sprintf("VLAN %04x twice", t), t, cat([]byte{0, 7}, be16(0x8100), vlan(inner)))
		eth(fmt.Sprintf("VLAN %04x with SNAP", t), t, cat([]byte{0, 7}, be16(len(inner)+8), snap(inner)))
	}
	mpls := []byte{0, 0, 0x10, 64, 0, 0, 0x21, 64}
	session := func(proto int, payload []byte) []byte {
		return cat([]byte{0x11, 0, 0, 1}, be16(len(payload)+2), be16(proto), payload)
	}
	for name, ip := range map[string][]byte{"IPv4": inner, "IPv6": ip6(6, tcp())} {
		proto := map[string]int{"IPv4": 0x21, "IPv6": 0x57}[name]
		eth("MPLS "+name, 0x8847, cat(mpls, ip))
		eth("MPLS multicast "+name, 0x8848, cat(mpls, ip))
		eth("PPPoE "+name, 0x8864, session(proto, ip))
	}
	frame := ether(0x0800, inner)
	eth("pseudowire", 0x8847, cat(mpls, []byte{0, 0, 0, 1}, frame))
	eth("MPLS in PPPoE", 0x8864, session(0x281, cat(mpls, inner)))
	eth("IPv6", 0x86dd, ip6(6, tcp()))
	eth("IPv6 with extensions", 0x86dd, ip6(0, cat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{6, 0, 1, 4, 0, 0, 0, 0}, tcp())))
	eth("IPv6 first fragment", 0x86dd, ip6(44, cat([]byte{6, 0, 0, 1}, []byte("idid"), tcp())))
	eth("IPv6 later fragment", 0x86dd, ip6(44, cat([]byte{6, 0, 0, 8}, []byte("idid"), []byte("the rest"))))
	eth("AH", 0x0800, ip4(51, cat([]byte{6, 4, 0, 0}, zeros(20), tcp())))
	eth("UDP with padding", 0x0800, cat(ip4(17, udp(9999, []byte("payload"))), aliceMAC))
	eth("SCTP", 0x0800, ip4(132, cat(be16(45678), be16(80), []byte("vtagcsum"), []byte{0, 3, 0, 20}, []byte("tsn#"), zeros(12))))
	eth("IEEE 802.3", 8+len(inner), snap(inner))
	eth("ARP", 0x0806, cat([]byte{0, 1, 8, 0, 6, 4, 0, 1}, aliceMAC, aliceIP, bobMAC, bobIP))
	eth("ICMP quotes", 0x0800, ip4(1, cat([]byte{3, 1, 9, 9, 0, 0, 0, 0}, inner)))
	eth("ICMPv6 quotes", 0x86dd, ip6(58, cat([]byte{1, 1, 9, 9, 0, 0, 0, 0}, ip6(17, udp(53, nil)))))
	for name, ip := range map[string]func(byte, []byte) []byte{"IPv4": ip4, "IPv6": ip6} {
		etherType := map[string]int{"IPv4": 0x0800, "IPv6": 0x86dd}[name]
		for kind, packet := range map[string][]byte{
			"IPv4": ip(4, inner), "IPv6": ip(41, ip6(6, tcp())),
			"GRE": ip(47, cat([]byte{0, 0, 8, 0}, inner)), "GRE with all": ip(47, cat([]byte{0xb0, 0, 8, 0}, zeros(12), inner)),
			"NVGRE": ip(47, cat([]byte{0x20, 0, 0x65, 0x58}, zeros(4), frame)), "PPTP": ip(47, cat([]byte{0x20, 1, 0x88, 0x0b}, zeros(4), []byte{0xff, 3, 0, 0x21}, inner)),
			"ERSPAN II": ip(47, cat([]byte{0x10, 0, 0x88, 0xbe}, zeros(12), frame)), "ERSPAN III": ip(47, cat([]byte{0x10, 0, 0x22, 0xeb}, zeros(16), frame)),
			"VXLAN": ip(17, udp(4789, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, frame))), "old VXLAN": ip(17, udp(8472, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, frame))),
			"Geneve": ip(17, udp(6081, cat([]byte{1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0}, frame))),
			"GTP":    ip(17, udp(2152, cat([]byte{0x34, 255}, be16(len(inner)+8), []byte("teid"), []byte{0, 0, 0, 0x85, 1, 0, 0, 0}, inner))),
		} {
			eth(kind+" in "+name, etherType, packet)
		}
	}
	return out
}

// agree checks that both masks hide the same bytes of a flow and leave the
// others; what dataset's puts into their place says nothing but the role.
func agree(f *pcap.Flow) error {
	tokens := tokenizer.Encode(f)
	for level := 1; level <= 3; level++ {
		masked, err := tokenizer.Decode(tokenizer.Masked(tokens, tokenizer.Mask(level)))
		if err != nil {
			return err
		}
		hidden := tokenizer.Hidden(tokens, tokenizer.Mask(level))
		at := 0
		for i, p := range MaskFlow(f, level).Packets {
			for tokens[at] != tokenizer.Start {
				at++
			}
			at += tokenizer.Overhead
			if tokenizer.LinkToken(p.LinkType) == 255 {
				at += 4
			}
			for k, was := range f.Packets[i].Data {
				switch is := p.Data[k]; {
				case hidden[at+k] && (!bytes.Contains([]byte{0, 1, 2, 10, 0xfd}, []byte{is}) || masked[i].Data[k] != 0):
					return fmt.Errorf("M%d leaves %02x of byte %d of packet %d (%v)", level, is, k, i, p.LinkType)
				case !hidden[at+k] && (is != was || masked[i].Data[k] != was):
					return fmt.Errorf("M%d changes byte %d of packet %d (%v)", level, k, i, p.LinkType)
				}
			}
			at += len(p.Data)
		}
	}
	return nil
}

// Both masks hide the same bytes of every kind of frame, nothing of a host
// stays, and the packet can still be read.
func TestMasksAgreeOnEveryKind(t *testing.T) {
	for name, p := range frames() {
		f := &pcap.Flow{Key: pcap.KeyOf(&p, pcap.Tunnels), Packets: []pcap.Packet{p}}
		if err := agree(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		q := MaskFlow(f, 1).Packets[0]
		for _, host := range traces {
			if bytes.Contains(q.Data, host) {
				t.Errorf("%s: %x is left", name, host)
			}
		}
		was, is := p.Headers(), q.Headers()
		if was != is || name != "ARP" && was.Version == 0 {
			t.Errorf("%s: headers at %+v, masked %+v", name, was, is)
		}
		if bytes.Contains(p.Data, []byte("payload")) && !bytes.Contains(MaskFlow(f, 3).Packets[0].Data, []byte("payload")) && name != "ICMP quotes" {
			t.Errorf("%s: the payload is gone", name)
		}
		if bytes.Contains(MaskFlow(f, 2).Packets[0].Data, []byte("seq#")) {
			t.Errorf("%s: M2 leaves the sequence number", name)
		}
	}
}

func TestMasksAgreeOnRealCaptures(t *testing.T) {
	const root = "../../../shared/data"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no captures in ../shared/data beside the repository")
	}
	flows := 0
	for _, folder := range []string{"captures", "flows", "weird"} {
		s, err := Folder(root + "/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Flows {
			flows++
			if err := agree(f); err != nil {
				t.Fatalf("%s: %v: %v", f.Source, f, err)
			}
		}
	}
	t.Logf("%d flows", flows)
}

// What cannot be read may hold hosts all the same.
func TestMasksHideWhatCannotBeRead(t *testing.T) {
	broken := ip4(6, tcp())
	broken[0] = 0x41
	management := cat([]byte{0, 0, 0, 0}, bobMAC, aliceMAC, bobMAC, []byte("beacon"))
	for name, p := range map[string]pcap.Packet{
		"IPv4 without a header length": {LinkType: pcap.LinkEthernet, Data: ether(0x0800, broken)},
		"IPv6 of another version":      {LinkType: pcap.LinkEthernet, Data: ether(0x86dd, ip4(6, tcp()))},
		"no IPv6 in IPv4":              {LinkType: pcap.LinkRaw, Data: ip4(41, ip4(6, tcp()))},
		"IEEE 802.11 without data":     {LinkType: 163, Data: cat([]byte{0, 0, 0, 0, 0, 0, 0, 64}, make([]byte, 56), management)},
	} {
		p.Length = len(p.Data)
		f := &pcap.Flow{Key: pcap.KeyOf(&p, pcap.Tunnels), Packets: []pcap.Packet{p}}
		if err := agree(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, host := range traces {
			if bytes.Contains(MaskFlow(f, 1).Packets[0].Data, host) {
				t.Errorf("%s: %x is left", name, host)
			}
		}
	}
}
