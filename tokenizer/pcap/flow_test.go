package pcap

import (
	"encoding/binary"
	"io"
	"testing"
	"time"
)

var errEOF = io.EOF

const (
	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

func sizes(fs Flows) []int {
	var n []int
	for _, f := range fs {
		n = append(n, len(f.Packets))
	}
	return n
}

func same(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestTCPFlows(t *testing.T) {
	const c, s = "10.0.0.9", "10.0.0.1"
	out := func(flags byte, seq uint32) []byte { return tcp(c, s, 4000, 80, flags, seq, "") }
	in := func(flags byte, seq uint32) []byte { return tcp(s, c, 80, 4000, flags, seq, "") }
	cases := []struct {
		name    string
		packets [][]byte
		want    []int
	}{
		{"one connection", [][]byte{out(syn, 1), in(syn|ack, 9), out(ack, 2), out(fin|ack, 2), in(fin|ack, 10), out(ack, 3)}, []int{6}},
		{"SYN again", [][]byte{out(syn, 1), out(syn, 1), in(syn|ack, 9)}, []int{3}},
		{"ports used again", [][]byte{out(syn, 1), in(syn|ack, 9), out(rst, 2), out(syn, 77), in(syn|ack, 9)}, []int{3, 2}},
		{"met under way", [][]byte{out(ack, 1), in(ack, 9), out(syn, 77), in(syn|ack, 9)}, []int{2, 2}},
		{"both open", [][]byte{out(syn, 1), in(syn, 5), out(syn|ack, 1), in(syn|ack, 5)}, []int{4}},
		{"nonsense flags", [][]byte{out(syn, 1), in(syn|ack, 9), out(syn|fin|rst, 50)}, []int{3}},
	}
	for _, k := range cases {
		var ps []Packet
		for i, b := range k.packets {
			ps = append(ps, at(float64(i), b))
		}
		fs := Assemble(ps, FlowOptions{})
		if !same(sizes(fs), k.want) {
			t.Errorf("%s: got flows of %v packets, want %v", k.name, sizes(fs), k.want)
		}
		if f := fs[0]; f.Key.Src.String() != c || f.Key.SrcPort != 4000 || !f.Outgoing(0) {
			t.Errorf("%s: key %+v", k.name, f.Key)
		}
	}
	fs := Assemble([]Packet{at(0, in(syn|ack, 9)), at(1, out(ack, 3))}, FlowOptions{})
	if f := fs[0]; f.Key.SrcPort != 4000 || f.Outgoing(0) || !f.Outgoing(1) {
		t.Errorf("a flow that begins with SYN+ACK: %+v", f.Key)
	}
}

func TestTimeouts(t *testing.T) {
	var ps []Packet
	for _, s := range []float64{0, 1, 2, 50, 51, 80} {
		ps = append(ps, at(s, tcp("1.1.1.1", "2.2.2.2", 1, 2, ack, 0, "")))
	}
	if got := sizes(Assemble(ps, FlowOptions{Idle: 30 * time.Second})); !same(got, []int{3, 3}) {
		t.Errorf("idle: %v", got)
	}
	if got := sizes(Assemble(ps, FlowOptions{Idle: 48 * time.Second})); !same(got, []int{3, 3}) {
		t.Errorf("a pause of just the limit: %v", got)
	}
	late := []Packet{ps[0], at(1.9996, tcp("1.1.1.1", "2.2.2.2", 1, 2, ack, 0, ""))}
	late[0].Time = late[0].Time.Add(-time.Microsecond) // 1.999601 s, two seconds in whole milliseconds
	if got := sizes(Assemble(late, FlowOptions{Idle: 2 * time.Second})); !same(got, []int{1, 1}) {
		t.Errorf("whole milliseconds: %v", got)
	}
	if got := sizes(Assemble(ps, FlowOptions{Idle: 48*time.Second + 1})); !same(got, []int{6}) {
		t.Errorf("a pause just below the limit: %v", got)
	}
	if got := sizes(Assemble(ps, FlowOptions{Active: 50*time.Second + 1})); !same(got, []int{4, 2}) {
		t.Errorf("active: %v", got)
	}
	if got := sizes(Assemble(ps, FlowOptions{Active: 50 * time.Second})); !same(got, []int{3, 3}) {
		t.Errorf("at the active limit: %v", got)
	}
	if got := sizes(Assemble(ps, FlowOptions{})); !same(got, []int{6}) {
		t.Errorf("none: %v", got)
	}
}

// frag makes one fragment of a UDP datagram.
func frag(id, offset uint16, more bool, payload []byte) []byte {
	b := append(make([]byte, 12), 0x08, 0)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(ip[4:], id)
	f := offset / 8
	if more {
		f |= 0x2000
	}
	binary.BigEndian.PutUint16(ip[6:], f)
	return append(append(b, ip...), payload...)
}

func TestFragments(t *testing.T) {
	udp := func(sport, dport uint16) []byte {
		b := binary.BigEndian.AppendUint16(nil, sport)
		b = binary.BigEndian.AppendUint16(b, dport)
		return append(b, 0, 32, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	}
	rest := make([]byte, 16)
	first1, later1 := frag(1, 0, true, udp(5, 6)), frag(1, 16, false, rest)
	first2, later2 := frag(2, 0, true, udp(7, 8)), frag(2, 16, false, rest)
	for _, order := range [][][]byte{{first1, later1, first2, later2}, {later1, later2, first2, first1}, {first1, first2, later2, later1}} {
		var ps []Packet
		for i, b := range order {
			ps = append(ps, at(float64(i), b))
		}
		fs := Assemble(ps, FlowOptions{})
		if !same(sizes(fs), []int{2, 2}) || fs[0].Key.SrcPort == 0 || fs[1].Key.SrcPort == 0 {
			t.Errorf("got %v", fs)
		}
		for _, f := range fs {
			if !f.Outgoing(0) || !f.Outgoing(1) {
				t.Errorf("%v: a fragment goes the wrong way", f)
			}
		}
	}
	lost := Assemble([]Packet{at(0, later1), at(1, later1)}, FlowOptions{})
	if !same(sizes(lost), []int{2}) {
		t.Errorf("fragments without a first: %v", lost)
	}
}

func TestTunnelsSeenThrough(t *testing.T) {
	cases := []struct {
		file     string
		through  Through
		src      string
		port     uint16
		protocol uint8
	}{
		{"weird/vxlan-encapsulated-http-d03b2768.pcap", ThroughVXLAN, "", 80, 6},
		{"weird/geneve-47101-8c741a38.pcap", ThroughGeneve, "", 0, 6},
		{"weird/gtp4_udp_2152_inside-3d3d1909.pcap", ThroughGTP, "", 0, 17},
		{"weird/4in6-b558eaf0.pcap", ThroughIPIP, "", 0, 6},
		{"weird/erspan-50a9b13a.pcap", ThroughGRE, "", 0, 6},
	}
	for _, k := range cases {
		c, err := Read(data(t, k.file)[0])
		if err != nil {
			t.Fatal(err)
		}
		outer := c.Flows()
		inner := c.Flows(FlowOptions{Through: Tags | k.through})
		if outer[0].Key == inner[0].Key {
			t.Errorf("%s: the tunnel makes no difference: %v", k.file, inner)
		}
		n := 0
		for _, f := range inner {
			n += len(f.Packets)
			for i := range f.Packets {
				f.Outgoing(i)
			}
		}
		if n != len(c.Packets) {
			t.Errorf("%s: %d of %d packets", k.file, n, len(c.Packets))
		}
	}
}

// Every packet of every capture belongs to exactly one flow, and that stays so
// with timeouts, tunnels and a small memory.
func TestNoPacketIsLost(t *testing.T) {
	files := append(data(t, "weird/*"), data(t, "captures/*")...)
	for _, path := range files {
		c, err := Read(path)
		if err != nil {
			continue
		}
		for _, o := range []FlowOptions{{}, {Through: Tunnels, Idle: time.Second}, {Through: ThroughNothing, Active: time.Second}} {
			n := 0
			for _, f := range Assemble(c.Packets, o) {
				n += len(f.Packets)
			}
			if n != len(c.Packets) {
				t.Errorf("%s %+v: %d of %d packets", path, o, n, len(c.Packets))
			}
		}
	}
}

func TestLimit(t *testing.T) {
	a := NewAssembler(AssemblerOptions{Limit: 100})
	holder := map[int]uint32{} // flow of each slot
	for i := range 10000 {
		f := a.Add(LinkEthernet, tcp("1.1.1.1", "2.2.2.2", uint16(i), 2, ack, 0, ""), int64(i), 0)
		if !f.New || len(a.table) > 100 {
			t.Fatalf("packet %d: %+v, %d flows in mind", i, f, len(a.table))
		}
		if holder[f.Slot] = f.ID; f.Slot >= 100 {
			t.Fatalf("packet %d has slot %d", i, f.Slot)
		}
	}
	for _, s := range a.table {
		if holder[s.slot] != s.id {
			t.Errorf("flow %d shares its slot with flow %d", s.id, holder[s.slot])
		}
	}
	if f := a.Add(LinkEthernet, tcp("2.2.2.2", "1.1.1.1", 2, 9999, ack, 0, ""), 0, 0); f.New || f.Outgoing {
		t.Errorf("the youngest flow was forgotten: %+v", f)
	}
}
