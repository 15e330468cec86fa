package tokenizer

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// data returns the test captures that match a pattern below ../shared/data of the repository.
func data(t testing.TB, pattern string) []string {
	files, err := filepath.Glob(filepath.Join("../../shared/data", pattern))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures in ../shared/data/%s beside the repository", pattern)
	}
	return files
}

// equal compares what tokens carry of a packet.
func equal(a, b pcap.Packet) bool {
	return a.Time.Equal(b.Time) && bytes.Equal(a.Data, b.Data) && a.LinkType == b.LinkType
}

func TestFlowsComeBackBitExact(t *testing.T) {
	packets := 0
	for _, path := range data(t, "flows/*/*.pcap*") {
		c, err := pcap.Read(path)
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%v, %v", err, c.Warnings)
			continue
		}
		for _, f := range c.Flows() {
			tokens := Encode(f)
			if len(tokens) != Length(f) {
				t.Errorf("%s: %d tokens, Length says %d", path, len(tokens), Length(f))
			}
			got, err := Decode(tokens, Options{Start: f.Packets[0].Time})
			if err != nil || len(got) != len(f.Packets) {
				t.Errorf("%s: %d packets, %v", path, len(got), err)
				continue
			}
			packets += len(got)
			for i := range got {
				if !equal(got[i], f.Packets[i]) {
					t.Errorf("%s: packet %d: got %v, want %v", path, i, got[i].Time, f.Packets[i].Time)
				}
			}
		}
	}
	if packets < 50000 {
		t.Errorf("only %d packets", packets)
	}
}

// Any interval below 97 days comes back to the nanosecond, also backwards in time.
func TestIntervalsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 200000 {
		n := rng.Int64N(1 << rng.IntN(53))
		if n >= 1<<23*1e9 {
			n = 1<<23*1e9 - 1 - int64(i)
		}
		if i%2 == 1 {
			n = -n
		}
		from := clock{rng.Int64N(1 << 33), rng.Int64N(1e9)}
		to := clockOf(from.time().Add(time.Duration(n)))
		if got := from.add(from.to(to)); got != to {
			t.Fatalf("%d ns from %v: got %v, want %v", n, from, got, to)
		}
	}
	// Beyond that the error stays below a microsecond and does not add up.
	f := &pcap.Flow{Packets: []pcap.Packet{{Time: time.Unix(1, 1)}, {Time: time.Unix(1<<32-1, 999999999)}, {Time: time.Unix(1<<32, 7)}}}
	got, err := Decode(Encode(f), Options{Start: f.Packets[0].Time})
	if err != nil {
		t.Fatal(err)
	}
	if d := got[1].Time.Sub(f.Packets[1].Time).Abs(); d > time.Microsecond {
		t.Errorf("a gap of 136 years is off by %v", d)
	}
	if !got[2].Time.Equal(f.Packets[2].Time) {
		t.Errorf("the packet after it: got %v, want %v", got[2].Time, f.Packets[2].Time)
	}
}

func TestLinkTokens(t *testing.T) {
	for token, link := range map[uint16]pcap.LinkType{1: 0, 3: 1, 9: 113, 20: 276, 21: 101} {
		if got, ok := LinkOf(token); !ok || got != link || LinkToken(link) != token {
			t.Errorf("token %d is %v, link type %v has token %d", token, got, link, LinkToken(link))
		}
	}
	seen := map[uint16]bool{}
	for _, link := range pcap.LinkTypes() {
		token := LinkToken(link)
		if seen[token] || token >= otherLink {
			t.Errorf("link type %v has token %d", link, token)
		}
		seen[token] = true
	}
	for _, link := range []pcap.LinkType{0, 1, 303, 999, 65535, math.MaxUint32} {
		f := &pcap.Flow{Packets: []pcap.Packet{{LinkType: link, Data: []byte{1, 2}}, {LinkType: link}}}
		got, err := Decode(Encode(f))
		if err != nil || len(got) != 2 || got[0].LinkType != link || !bytes.Equal(got[0].Data, []byte{1, 2}) || Length(f) != len(Encode(f)) {
			t.Errorf("link type %d: %v, %v", link, got, err)
		}
	}
}

func TestDecodeNamesThePosition(t *testing.T) {
	good := Encode(&pcap.Flow{Packets: []pcap.Packet{{LinkType: 1, Data: []byte{7, 8}}, {LinkType: 1, Data: []byte{9}}}})
	with := func(at int, v uint16) []uint16 {
		b := append([]uint16(nil), good...)
		b[at] = v
		return b
	}
	nan := append([]uint16(nil), good...)
	nan[2], nan[3] = 0x7f, 0xf8
	cases := []struct {
		name     string
		tokens   []uint16
		packets  int
		position int
	}{
		{"empty", nil, 0, 0},
		{"no start", with(0, 5), 0, 0},
		{"[cls] first", append([]uint16{Cls}, good...), 0, 0},
		{"no link type", with(1, 254), 0, 1},
		{"start for a link type", with(1, Start), 0, 1},
		{"end within a time", with(5, End), 0, 5},
		{"a time that is no number", nan, 0, 2},
		{"outside the vocabulary", with(10, 300), 1, 10},
		{"cut in a packet", good[:22], 2, 22},
		{"cut in a time", good[:15], 1, 15},
		{"something after the end", append(append([]uint16(nil), good...), 5), 2, len(good)},
		{"written-out link type, cut", []uint16{Start, 255, 0, 0}, 0, 4},
	}
	for _, c := range cases {
		got, err := Decode(c.tokens)
		var e *PositionError
		if !errors.As(err, &e) || e.Position != c.position || len(got) != c.packets {
			t.Errorf("%s: %d packets and %v, want %d and position %d", c.name, len(got), err, c.packets, c.position)
		}
	}
	if got, err := Decode(append(append([]uint16(nil), good...), Pad, Pad)); err != nil || len(got) != 2 {
		t.Errorf("padded: %v, %v", got, err)
	}
}

// The fields of a known packet, each with its first byte.
func TestExplain(t *testing.T) {
	c, err := pcap.Read(data(t, "flows/dns/*.pcap")[0])
	if err != nil {
		t.Fatal(err)
	}
	tokens := Encode(c.Flows()[0])
	fields := Explain(tokens)
	var got []string
	for i, f := range fields {
		if f.Packet > 0 {
			break
		}
		if i == 0 || fields[i-1].Name != f.Name || fields[i-1].Layer != f.Layer {
			got = append(got, f.Kind.String()+"/"+f.Layer+"/"+f.Name)
		}
	}
	want := []string{"start/token/packet start", "link/token/link type ETHERNET", "time/token/seconds since the packet before",
		"MAC/Ethernet/Ethernet/destination", "MAC/Ethernet/Ethernet/source", "MAC/Ethernet/Ethernet/type",
		"IP/IPv4/version and header length", "IP/IPv4/type of service", "IP/IPv4/total length", "IP/IPv4/identification",
		"IP/IPv4/flags and fragment offset", "IP/IPv4/time to live", "IP/IPv4/protocol", "IP/IPv4/checksum", "IP/IPv4/source address",
		"IP/IPv4/destination address", "UDP/UDP/source port", "UDP/UDP/destination port", "UDP/UDP/length", "UDP/UDP/checksum",
		"payload/DNS/identifier", "payload/DNS/flags", "payload/DNS/questions"}
	if len(got) < len(want) || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if last := fields[len(fields)-1]; last.Kind != KindEnd {
		t.Errorf("the last token is %+v", last)
	}
}

// Every token of every capture is explained, and in order.
func TestExplainCoversAll(t *testing.T) {
	layers := map[string]int{}
	for _, path := range append(data(t, "weird/*"), data(t, "captures/*")...) {
		c, err := pcap.Read(path)
		if err != nil {
			continue
		}
		for _, f := range c.Flows() {
			tokens := Encode(f)
			packet, offset := -1, 0
			for i, x := range Explain(tokens) {
				if x.Layer == "" || x.Name == "" {
					t.Fatalf("%s: token %d is not explained", path, i)
				}
				layers[x.Layer]++
				switch {
				case tokens[i] == Start:
					packet++
					offset = -1
				case x.Kind >= KindEthernet && x.Kind <= KindPayload:
					if offset++; x.Offset != offset {
						t.Fatalf("%s: token %d has offset %d, want %d", path, i, x.Offset, offset)
					}
				}
				if x.Packet != packet {
					t.Fatalf("%s: token %d is of packet %d, want %d", path, i, x.Packet, packet)
				}
			}
		}
	}
	for _, want := range []string{"Ethernet", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "DNS", "TLS", "HTTP", "ARP", "SCTP", "GRE", "VXLAN", "Geneve",
		"GTP-U", "MPLS", "VLAN", "PPPoE", "Linux cooked", "DHCPv4", "OSPF", "VRRP", "RadioTap"} {
		if layers[want] == 0 {
			t.Errorf("no token of layer %s among %v", want, layers)
		}
	}
}

func TestExplainTakesAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		tokens := make([]uint16, rng.IntN(100))
		for i := range tokens {
			tokens[i] = uint16(rng.IntN(262))
		}
		for i, f := range Explain(tokens) {
			if f.Layer == "" {
				t.Fatalf("token %d of %v is not explained", i, tokens)
			}
		}
		if packets, err := Decode(tokens); err == nil && len(packets) == 0 && (len(tokens) == 0 || tokens[0] != End) {
			t.Fatalf("%v decodes to nothing without an error", tokens)
		}
	}
}

func TestCheck(t *testing.T) {
	c, err := pcap.Read(data(t, "flows/http/*.pcap")[0])
	if err != nil {
		t.Fatal(err)
	}
	var good pcap.Packet
	for _, p := range c.Packets {
		if len(p.Data) > 100 && p.LinkType == pcap.LinkEthernet {
			good = p
		}
	}
	if err := Check(good); err != nil {
		t.Fatalf("a real packet: %v", err)
	}
	with := func(at int, v byte) pcap.Packet {
		p := good
		p.Data = bytes.Clone(p.Data)
		p.Data[at] = v
		return p
	}
	cut := good
	cut.Data = cut.Data[:60]
	snapped := cut
	cut.Length = 60
	unknown := good
	unknown.LinkType = 999
	bad := map[string]pcap.Packet{
		"IP version": with(14, 0x65), "IP header length": with(14, 0x42), "total length too large": with(16, 0xff),
		"total length too small": with(16, 0), "TCP header length": with(46, 0x10), "half a frame": cut,
		"no bytes": {LinkType: 1}, "link type": unknown,
	}
	for name, p := range bad {
		if Check(p) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := Check(snapped); err != nil {
		t.Errorf("cut by the snap length: %v", err)
	}
	total, illegal := 0, 0
	for _, path := range data(t, "flows/*/*.pcap*") {
		c, err := pcap.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Packets {
			total++
			if Check(p) != nil {
				illegal++
			}
		}
	}
	if share := float64(illegal) / float64(total); share > 0.01 {
		t.Errorf("%d of %d real packets are called illegal", illegal, total)
	} else {
		t.Logf("%.2f %% of %d real packets are illegal", 100*share, total)
	}
}
