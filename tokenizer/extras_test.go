package tokenizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// flowsOf returns the flows of the captures that match a pattern.
func flowsOf(t testing.TB, pattern string) pcap.Flows {
	var all pcap.Flows
	for _, path := range data(t, pattern) {
		c, err := pcap.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Flows()...)
	}
	return all
}

func TestTimeCodes(t *testing.T) {
	for _, f := range flowsOf(t, "flows/ssh/*.pcap")[:5] {
		for _, code := range []TimeCode{TimePaper, TimeLog, TimeNone} {
			tokens := Encode(f, Options{Time: code})
			if want := Length(f) - len(f.Packets)*(8-code.Tokens()); len(tokens) != want {
				t.Errorf("%v: %d tokens, want %d", code, len(tokens), want)
			}
			got, err := Decode(tokens, Options{Time: code, Start: f.Packets[0].Time})
			if err != nil || len(got) != len(f.Packets) {
				t.Fatalf("%v: %d packets, %v", code, len(got), err)
			}
			for i := range got[1:] {
				was := f.Packets[i+1].Time.Sub(f.Packets[i].Time).Seconds()
				is := got[i+1].Time.Sub(got[i].Time).Seconds()
				switch code {
				case TimePaper:
					if was != is {
						t.Errorf("paper: %v, want %v", is, was)
					}
				case TimeLog:
					if math.Abs(is-was) > .075*was+1e-9 {
						t.Errorf("log: %v, want %v", is, was)
					}
				case TimeNone:
					if is != 0 {
						t.Errorf("none: %v", is)
					}
				}
				if string(got[i].Data) != string(f.Packets[i].Data) {
					t.Errorf("%v: packet %d differs", code, i)
				}
			}
			times := 0
			for _, x := range Explain(tokens, Options{Time: code}) {
				if x.Kind == KindTime {
					times++
				}
			}
			if times != code.Tokens()*len(f.Packets) {
				t.Errorf("%v: %d time tokens", code, times)
			}
		}
	}
	for _, v := range []float64{1e-9, 1e-6, .5, 1, 3600, 86400} {
		if got := logInterval(logToken(v)); math.Abs(got-v) > .075*v {
			t.Errorf("%v s comes back as %v", v, got)
		}
	}
	for v, want := range map[float64]uint16{0: 0, -5: 0, 1e-9: 1, 1e30: 255} {
		if got := logToken(v); got != want {
			t.Errorf("%v s has token %d, want %d", v, got, want)
		}
	}
}

func TestInterleavedFlows(t *testing.T) {
	capture, err := pcap.Read(data(t, "captures/1363ab24ccce.pcap")[0])
	if err != nil {
		t.Fatal(err)
	}
	flows := capture.Flows()
	tokens, err := EncodeFlows(flows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeFlows(tokens, Options{Start: flows[0].Packets[0].Time})
	if err != nil || len(got) != len(flows) {
		t.Fatalf("%d flows, want %d: %v", len(got), len(flows), err)
	}
	for i, f := range got {
		if f.Key != flows[i].Key || len(f.Packets) != len(flows[i].Packets) {
			t.Errorf("flow %d is %v, want %v", i, f, flows[i])
			continue
		}
		for j := range f.Packets {
			if !equal(f.Packets[j], flows[i].Packets[j]) {
				t.Errorf("flow %d packet %d differs", i, j)
			}
		}
	}
	marks := 0
	for i, x := range Explain(tokens) {
		if isMark(tokens[i]) {
			if marks++; x.Kind != KindSpecial || !strings.HasPrefix(x.Name, "flow ") {
				t.Errorf("a marker is %+v", x)
			}
		}
	}
	if marks < len(flows) {
		t.Errorf("%d markers for %d flows", marks, len(flows))
	}
	if _, err := EncodeFlows(make([]*pcap.Flow, MaxFlows+1)); err == nil {
		t.Error("too many flows: no error")
	}
	if _, err := DecodeFlows([]uint16{FlowMark, 5}); err == nil || !strings.HasPrefix(err.Error(), "token 1:") {
		t.Errorf("a byte behind a marker: %v", err)
	}
	n := 0
	for _, g := range Related(flows, time.Second) {
		n += len(g)
		for _, f := range g {
			if f.Key.Src != g[0].Key.Src {
				t.Errorf("%v is not related to %v", f, g[0])
			}
		}
	}
	if n != len(flows) {
		t.Errorf("%d of %d flows in groups", n, len(flows))
	}
}

func TestMasks(t *testing.T) {
	names := func(f Field) string { return f.Layer + "/" + f.Name }
	seen := map[Mask]map[string]bool{}
	for _, f := range append(flowsOf(t, "flows/tls/*.pcap")[:40], flowsOf(t, "flows/dns/*.pcap")[:10]...) {
		tokens := Encode(f)
		fields := Explain(tokens)
		before := 0
		for m := M0; m <= M3; m++ {
			masked, removed, hidden := Masked(tokens, m), Removed(tokens, m), Hidden(tokens, m)
			count := 0
			for i, h := range hidden {
				if h {
					count++
					if seen[m] == nil {
						seen[m] = map[string]bool{}
					}
					seen[m][names(fields[i])] = true
				}
				if h && masked[i] != 0 || !h && masked[i] != tokens[i] {
					t.Fatalf("%v: token %d", m, i)
				}
			}
			if count < before || len(removed) != len(tokens)-count {
				t.Errorf("%v hides %d tokens, the mask before it %d; %d remain of %d", m, count, before, len(removed), len(tokens))
			}
			before = count
			if got, err := Decode(masked); err != nil || len(got) != len(f.Packets) {
				t.Errorf("%v: %d packets, %v", m, len(got), err)
			}
		}
	}
	first := map[string]Mask{"Ethernet/source": M1, "IPv4/destination address": M1, "TCP/source port": M1, "UDP/checksum": M1, "IPv4/checksum": M1,
		"IPv4/identification": M2, "TCP/sequence number": M2, "TCP/window": M2, "TCP/options": M2, "TLS/server name": M3}
	for name, m := range first {
		if !seen[m][name] || seen[m-1][name] {
			t.Errorf("%s should be hidden from %v on", name, m)
		}
	}
	if seen[M0] != nil {
		t.Errorf("M0 hides %v", seen[M0])
	}
}

// A server name that lies in the second segment of a client hello is hidden too.
func TestMaskFindsSplitNames(t *testing.T) {
	var whole *pcap.Flow
	name := -1
	for _, f := range flowsOf(t, "flows/tls/*.pcap") {
		for _, x := range Explain(Encode(f)) {
			if x.Layer == "TLS" && x.Name == "server name" && x.Offset > 100 {
				whole, name = &pcap.Flow{Packets: f.Packets[x.Packet : x.Packet+1]}, x.Offset
				break
			}
		}
		if name > 0 {
			break
		}
	}
	if name < 0 {
		t.Fatal("no capture has a server name")
	}
	p := whole.Packets[0]
	headers := 0
	for _, x := range Explain(Encode(whole)) {
		if x.Kind == KindPayload {
			headers = x.Offset
			break
		}
	}
	// Cut in the middle of the name: the second segment repeats the headers.
	cut := name + 3
	one, two := p, p
	one.Data = slices.Clone(p.Data[:cut])
	two.Data = append(slices.Clone(p.Data[:headers]), p.Data[cut:]...)
	fix := func(q *pcap.Packet) {
		q.Length = len(q.Data)
		r, _ := Repair(*q)
		*q = r
	}
	fix(&one)
	fix(&two)
	tokens := Encode(&pcap.Flow{Packets: []pcap.Packet{one, two}})
	wholeHidden, splitHidden := 0, 0
	for i, h := range Hidden(Encode(whole), M3) {
		if h && Explain(Encode(whole))[i].Kind == KindPayload {
			wholeHidden++
		}
	}
	fields := Explain(tokens)
	for i, h := range Hidden(tokens, M3) {
		if h && fields[i].Kind == KindPayload {
			splitHidden++
		}
	}
	if splitHidden != wholeHidden {
		t.Errorf("%d bytes of the name are hidden when it is split, %d when it is whole", splitHidden, wholeHidden)
	}
}

// Repaired packets are legal and have right checksums; right ones are left alone.
func TestRepair(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	good, repairedAll := 0, 0
	for _, f := range append(flowsOf(t, "flows/http/*.pcap")[:60], append(flowsOf(t, "flows/dns/*.pcap")[:60], flowsOf(t, "flows/dhcpv6/*.pcap")...)...) {
		for _, p := range f.Packets {
			right, transport := Check(p) == nil, false
			for _, c := range Checksums(p) {
				right = right && c.Good
				transport = transport || c.Layer == "TCP" || c.Layer == "UDP"
			}
			if !right {
				continue
			}
			good++
			if q, fields := Repair(p); len(fields) > 0 || string(q.Data) != string(p.Data) {
				t.Fatalf("a sound packet is changed: %v", fields)
			}
			// Break a length or a checksum, and have it repaired.
			broken := p
			broken.Data = slices.Clone(p.Data)
			var at []int
			fieldsOf := Explain(Encode(&pcap.Flow{Packets: []pcap.Packet{p}}))
			headers := 0
			for _, x := range fieldsOf {
				if x.Name == "time to live" && x.Kind == KindIP || x.Name == "hop limit" {
					headers++
				}
				if strings.HasSuffix(x.Name, "checksum") || x.Name == "total length" || x.Name == "payload length" || x.Layer == "UDP" && x.Name == "length" {
					if x.Kind != KindPayload && x.Layer != "trailer" {
						at = append(at, x.Offset)
					}
				}
			}
			if len(at) == 0 || headers != 1 || !transport || len(p.Data) <= mostPadding { // inside of tunnels nothing is repaired
				continue
			}
			broken.Data[at[rng.IntN(len(at))]] ^= byte(1 + rng.IntN(255))
			q, fields := Repair(broken)
			if string(q.Data) != string(p.Data) && !hasZeroUDP(broken) && !hasZeroUDP(p) {
				t.Fatalf("not repaired: changed %v", fields)
			}
			if len(fields) == 0 && !hasZeroUDP(broken) {
				t.Fatal("a repair is not reported")
			}
			repairedAll++
		}
	}
	if good < 300 || repairedAll < 200 {
		t.Errorf("only %d sound packets, %d repaired", good, repairedAll)
	}
	// The share of right checksums agrees with what tshark finds in these captures (paper.md of the project).
	_, report := RepairAll(flowsOf(t, "flows/http/*.pcap")[0].Packets)
	if report.Illegal > 0 || report.MIME() == nil || !strings.Contains(report.String(), "packets repaired") {
		t.Errorf("%v", report)
	}
}

// hasZeroUDP reports a UDP packet whose checksum is 0, which means none.
func hasZeroUDP(p pcap.Packet) bool {
	n, udp := 0, false
	for _, x := range Explain(Encode(&pcap.Flow{Packets: []pcap.Packet{p}})) {
		if x.Layer == "UDP" && x.Name == "checksum" {
			udp = true
			n += int(p.Data[x.Offset])
		}
	}
	return udp && n == 0
}

// Random packets never break Check, Checksums and Repair; a repaired packet needs no second repair.
func TestRepairTakesAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	links := pcap.LinkTypes()
	seeds := flowsOf(t, "weird/*v6*.pcap")
	for i := range 20000 {
		p := seeds[rng.IntN(len(seeds))].Packets[0]
		p.Data = slices.Clone(p.Data)
		for range rng.IntN(4) {
			if len(p.Data) > 0 {
				p.Data[rng.IntN(len(p.Data))] = byte(rng.Uint32())
			}
		}
		p.Data = p.Data[:len(p.Data)-rng.IntN(1+len(p.Data)/3)]
		if i%3 == 0 {
			p.LinkType = links[rng.IntN(len(links))]
		}
		p.Length = len(p.Data)
		_ = Check(p)
		q, _ := Repair(p)
		if _, again := Repair(q); len(again) > 0 {
			t.Fatalf("a second repair changes %v", again)
		}
		for _, c := range Checksums(q) {
			if !c.Good {
				t.Fatalf("%s checksum is wrong after the repair", c.Layer)
			}
		}
	}
}
