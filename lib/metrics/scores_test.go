package metrics

import (
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

func rates(r *ValidityReport) map[string]Rate {
	m := map[string]Rate{}
	for _, x := range r.Rules {
		m[x.Rule] = x
	}
	return m
}

func TestCleanConnectionIsValid(t *testing.T) {
	c := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
	c.open()
	c.send(true, 300)
	c.send(false, 1400)
	c.send(false, 1401) // odd, for the checksum; sequence numbers wrap around
	c.add(0, fin|ack, 0)
	c.add(1, fin|ack, 0)
	c.add(0, ack, 0)
	for _, x := range Validity([]*pcap.Flow{c.flow()}).Rules {
		if x.Passed != x.Checked || x.Checked == 0 && x.Rule != "UDP checksum" {
			t.Errorf("%s: %d of %d", x.Rule, x.Passed, x.Checked)
		}
	}
}

// Each breach is found by its rule, and by that one alone.
func TestBreaches(t *testing.T) {
	for _, c := range []struct {
		rule  string
		build func(c *conn)
	}{
		{"TCP flows that begin with SYN", func(c *conn) { c.send(true, 5); c.send(false, 5) }},
		{"TCP SEQ continues", func(c *conn) { c.open(); c.seq[0] += 9; c.send(true, 5) }},
		{"TCP ACK of what was sent", func(c *conn) { c.open(); c.seq[1] += 9; c.send(true, 5); c.seq[1] -= 9 }},
		{"TCP handshake in order", func(c *conn) { c.add(0, syn, 0); c.add(0, ack, 0) }},
		{"nothing after TCP's end", func(c *conn) { c.open(); c.add(1, rst|ack, 0); c.send(true, 5) }},
		{"TCP flags that make sense", func(c *conn) { c.open(); c.add(0, 0, 0) }},
		{"TCP checksum", func(c *conn) { c.open(); c.packets[1].Data[50] ^= 1 }},
		{"IPv4 header checksum", func(c *conn) { c.open(); c.packets[1].Data[22] ^= 1 }},
		{"TCP data only after the handshake", func(c *conn) { c.add(0, syn, 0); c.add(1, syn|ack, 0); c.add(1, ack, 100); c.packets = c.packets[:3] }},
	} {
		conn := newConn("10.0.0.1", "10.0.0.2", 1000, 80, 64)
		c.build(conn)
		for rule, x := range rates(Validity([]*pcap.Flow{conn.flow()})) {
			broken := x.Passed < x.Checked
			// Data from a responder that nobody answered also breaks the order.
			also := c.rule == "TCP data only after the handshake" && rule == "TCP handshake in order"
			if rule == c.rule && c.rule == "TCP data only after the handshake" {
				continue
			}
			if broken != (rule == c.rule) && !also {
				t.Errorf("%s: %s passed %d of %d", c.rule, rule, x.Passed, x.Checked)
			}
		}
	}
}

func TestUDPAndIPv6Checksums(t *testing.T) {
	c := &conn{}
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolUDP, HopLimit: 9, SrcIP: net.ParseIP("fe80::1"), DstIP: net.ParseIP("ff02::fb")}
	udp := &layers.UDP{SrcPort: 5353, DstPort: 5353}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	c.serialize(&layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv6},
		ip, udp, gopacket.Payload("odd"))
	v := look(&c.packets[0])
	if v.Version != 6 || v.ttl != 9 || v.sport != 5353 || v.length != 51 || v.src.String() != "fe80::1" {
		t.Errorf("view %+v", v)
	}
	f := &pcap.Flow{Packets: c.packets}
	if x := rates(Validity([]*pcap.Flow{f}))["UDP checksum"]; x.Passed != 1 || x.Checked != 1 {
		t.Errorf("a right checksum: %+v", x)
	}
	f.Packets[0].Data[60] ^= 4
	if x := rates(Validity([]*pcap.Flow{f}))["UDP checksum"]; x.Passed != 0 || x.Checked != 1 {
		t.Errorf("a wrong checksum: %+v", x)
	}
}

func TestScore(t *testing.T) {
	c, err := Score([]string{"a", "a", "a", "b", "b", "c"}, []string{"a", "a", "b", "b", "b", "d"})
	if err != nil {
		t.Fatal(err)
	}
	// F1: a ⅘, b ⅘, c 0; d is no class of the test set.
	if math.Abs(c.Accuracy-4./6) > 1e-15 || math.Abs(c.MacroF1-(.8+.8)/3) > 1e-15 {
		t.Errorf("accuracy %v, macro-F1 %v", c.Accuracy, c.MacroF1)
	}
	h := c.MIME()[display.HTML].(string)
	if !strings.Contains(h, `title="a called b: 1"`) {
		t.Errorf("no confusion in %s", h)
	}
	if _, err := Score([]string{"a"}, nil); err == nil {
		t.Error("lists of different length were scored")
	}
	if c, err := Score(nil, nil); err != nil || c.Accuracy != 0 || c.MIME() == nil {
		t.Errorf("nothing scored: %+v, %v", c, err)
	}
}

func TestAUC(t *testing.T) {
	for _, c := range []struct {
		scores   []float64
		positive []bool
		want     float64
	}{
		{[]float64{1, 2, 3, 4}, []bool{false, false, true, true}, 1},
		{[]float64{4, 3, 2, 1}, []bool{false, false, true, true}, 0},
		{[]float64{1, 1, 1, 1}, []bool{false, true, false, true}, .5},
		{[]float64{.1, .4, .35, .8}, []bool{false, false, true, true}, .75},
	} {
		if got := AUC(c.scores, c.positive); got != c.want {
			t.Errorf("AUC(%v, %v) = %v, want %v", c.scores, c.positive, got, c.want)
		}
	}
	if !math.IsNaN(AUC([]float64{1, math.NaN()}, []bool{true, true})) {
		t.Error("AUC without negatives is a number")
	}
}

func TestEntropy(t *testing.T) {
	even := make([]uint16, 0, 512)
	for i := range uint16(256) {
		even = append(even, i, i)
	}
	r := TokenEntropy([][]uint16{even})
	if math.Abs(r.Unigram-8) > 1e-12 || math.Abs(r.Nats()-8*math.Ln2) > 1e-12 || r.Tokens != 512 {
		t.Errorf("256 values, evenly: %+v", r)
	}
	flows := traffic(1, 30, 0, 64)
	r = Entropy(flows)
	if !(0 < r.GivenField && r.GivenField < r.GivenKind && r.GivenKind < r.Unigram && r.Unigram < 8) {
		t.Errorf("unigram %v, given kind %v, given field %v", r.Unigram, r.GivenKind, r.GivenField)
	}
	n, start := 0, false
	for _, k := range r.Kinds {
		n += k.Tokens
		if k.Name == tokenizer.KindStart.String() {
			start = k.Bits == 0 && k.Distinct == 1 && k.Tokens == packets(flows)
		}
	}
	if n != r.Tokens || !start {
		t.Errorf("kinds %+v", r.Kinds)
	}
	// Of its own training flows a unigram model costs its entropy, and the
	// little that smoothing takes.
	if x := CrossEntropy(flows, flows); x < r.Unigram || x > r.Unigram+.05 {
		t.Errorf("cross-entropy %v, entropy %v", x, r.Unigram)
	}
	if !math.IsNaN(CrossEntropy(flows, nil)) || TokenEntropy(nil).MIME() == nil {
		t.Error("entropy of nothing")
	}
	if !strings.Contains(r.ByField().String(), "TCP · window") {
		t.Errorf("fields:\n%s", r.ByField())
	}
}

// Real captures show what the checks say of real traffic, and that none of
// them crashes on what is out there.
func TestRealCaptures(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/data/flows/*/*.pcap*")
	weird, _ := filepath.Glob("../../../shared/data/weird/*")
	if len(paths) == 0 {
		t.Skip("no captures in ../shared/data")
	}
	var flows []*pcap.Flow
	step := 10
	if os.Getenv("TRAFFICGPT_LONG") != "" {
		step = 1
	}
	for i, path := range append(paths, weird...) {
		if i%step != 0 {
			continue
		}
		if c, err := pcap.Read(path); err == nil {
			flows = append(flows, c.Flows()...)
		}
	}
	if len(flows) < 100 {
		t.Fatalf("only %d flows", len(flows))
	}
	for rule, want := range map[string]float64{"IPv4 header checksum": .6, "TCP checksum": .4, "TCP SEQ continues": .8, "TCP ACK of what was sent": .8} {
		if x := rates(Validity(flows))[rule]; x.Share() < want {
			t.Errorf("%s: %.1f %% of %d", rule, 100*x.Share(), x.Checked)
		}
	}
	t.Logf("\n%s", Validity(flows).Table())
	r := HeaderJSD(flows[:len(flows)/2], flows[len(flows)/2:], Options{Resamples: 20, Splits: 5})
	if !(r.Mean.JSD > 0 && r.Mean.JSD < 1) {
		t.Errorf("mean %v", r.Mean.JSD)
	}
	t.Logf("\n%s\n%s", r, FlowJSD(flows[:len(flows)/2], flows[len(flows)/2:], Options{}))
}
