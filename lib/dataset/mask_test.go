package dataset

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

func TestMaskLevels(t *testing.T) {
	lab := Lab()
	before := lab.pack()
	m0, m1, m2, m3 := lab.Mask(0), lab.Mask(1), lab.Mask(2), lab.Mask(3)
	if !bytes.Equal(before, lab.pack()) {
		t.Fatal("masking changed the set itself")
	}
	same(t, &Set{Name: lab.Name, Flows: lab.Flows}, m0)
	tcp := 0
	for i, f := range lab.Flows {
		if m1.Flows[i].Label != f.Label || m1.Flows[i].Group != f.Group || tokenizer.Length(m3.Flows[i]) != tokenizer.Length(f) {
			t.Fatalf("flow %d lost its label, group or length", i)
		}
		for k := range f.Packets {
			was, one, two := f.Packets[k], m1.Flows[i].Packets[k], m2.Flows[i].Packets[k]
			h := was.Headers()
			if f.Outgoing(k) != m1.Flows[i].Outgoing(k) {
				t.Fatalf("flow %d (%s) packet %d: the direction is lost", i, f.Label, k)
			}
			if h.Protocol != 6 {
				continue
			}
			tcp++
			at := h.Transport
			if hasAddresses(one.Data, f.Key) {
				t.Fatalf("flow %d packet %d: an address is left at level 1", i, k)
			}
			if !bytes.Equal(was.Data[at+4:at+16], one.Data[at+4:at+16]) {
				t.Fatalf("flow %d packet %d: level 1 touched sequence numbers, flags or window", i, k)
			}
			if binary.BigEndian.Uint64(two.Data[at+4:]) != 0 || binary.BigEndian.Uint16(two.Data[at+14:]) != 0 {
				t.Fatalf("flow %d packet %d: level 2 left sequence numbers or window", i, k)
			}
			if two.Data[at+12] != was.Data[at+12] || two.Data[at+13] != was.Data[at+13] {
				t.Fatalf("flow %d packet %d: level 2 touched the header length or the flags", i, k)
			}
			if !bytes.Equal(two.Data[h.Payload:], was.Data[h.Payload:]) {
				t.Fatalf("flow %d packet %d: level 2 touched the payload", i, k)
			}
		}
	}
	if tcp == 0 {
		t.Fatal("no TCP packet was looked at")
	}
}

// hasAddresses looks for the flow's addresses where the IP header has them.
func hasAddresses(b []byte, k pcap.Key) bool {
	head := b[14:min(len(b), 54)]
	return bytes.Contains(head, k.Src.AsSlice()) && k.Src.String() != "10.0.0.1" || bytes.Contains(head, k.Dst.AsSlice()) && k.Dst.String() != "10.0.0.2"
}

// The server name must be gone from hellos in one segment and in several, and
// nothing else with it.
func TestMaskServerName(t *testing.T) {
	found := 0
	for _, f := range Lab().Only("tls", "dot", "doh").Flows {
		names := serverNames(f)
		if len(names) == 0 {
			continue
		}
		found++
		name := nameOf(f, names[0])[5:] // behind the lengths
		if bytes.IndexByte(name, '.') < 0 {
			t.Fatalf("%q is no host name", name)
		}
		two, three := MaskFlow(f, 2), MaskFlow(f, 3)
		for i := range f.Packets {
			a, b := two.Packets[i].Data, three.Packets[i].Data
			if len(name) > 6 && bytes.Contains(b, name) && !bytes.Equal(a, b) {
				t.Fatalf("%q is still in packet %d", name, i)
			}
			for k := range a {
				if a[k] != b[k] && b[k] != 0 {
					t.Fatalf("packet %d byte %d became %d", i, k, b[k])
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d hellos with a name", found)
	}
}

// serverNames lists where level 3 hides a server name.
func serverNames(f *pcap.Flow) []tokenizer.HiddenField {
	var all, out []tokenizer.HiddenField
	for h := range tokenizer.HiddenIn(f.Packets, tokenizer.M3) {
		if h.Layer == "TLS" && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	for _, h := range all { // without what lies in others
		if !slices.ContainsFunc(all, func(o tokenizer.HiddenField) bool {
			return o.Packet == h.Packet && o.Offset <= h.Offset && o.Length > h.Length
		}) {
			out = append(out, h)
		}
	}
	return out
}

func nameOf(f *pcap.Flow, h tokenizer.HiddenField) []byte {
	return f.Packets[h.Packet].Data[h.Offset : h.Offset+h.Length]
}

func TestServerNameAcrossSegments(t *testing.T) {
	var f *pcap.Flow
	for _, g := range Lab().Only("tls").Flows {
		if len(serverNames(g)) > 0 {
			f = g
			break
		}
	}
	if f == nil {
		t.Fatal("no hello with a name in the corpus")
	}
	s := serverNames(f)[0]
	p := f.Packets[s.Packet]
	h := p.Headers()
	cut := s.Offset + s.Length/2
	first, second := p, p
	first.Data = bytes.Clone(p.Data[:cut])
	second.Data = append(bytes.Clone(p.Data[:h.Payload]), p.Data[cut:]...)
	binary.BigEndian.PutUint32(second.Data[h.Transport+4:], binary.BigEndian.Uint32(p.Data[h.Transport+4:])+uint32(cut-h.Payload))
	for _, q := range []*pcap.Packet{&first, &second} {
		if h.Version == 4 {
			binary.BigEndian.PutUint16(q.Data[h.Network+2:], uint16(len(q.Data)-h.Network))
		} else {
			binary.BigEndian.PutUint16(q.Data[h.Network+4:], uint16(len(q.Data)-h.Network-40))
		}
	}
	g := *f
	g.Packets = append(append([]pcap.Packet{}, f.Packets[:s.Packet]...), second, first) // out of order
	spans := serverNames(&g)
	if len(spans) != 2 {
		t.Fatalf("got %v, want a part in each of two packets", spans)
	}
	if n := spans[0].Length + spans[1].Length; n != s.Length {
		t.Errorf("%d of %d bytes of the name found", n, s.Length)
	}
}

// Masks must take any packet there is.
func TestMaskRealCaptures(t *testing.T) {
	s, err := Folder(realData(t))
	if err != nil {
		t.Fatal(err)
	}
	for level := range 4 {
		m := s.Mask(level)
		for i, f := range m.Flows {
			for k := range f.Packets {
				if len(f.Packets[k].Data) != len(s.Flows[i].Packets[k].Data) {
					t.Fatalf("level %d flow %d packet %d changed its length", level, i, k)
				}
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("level 4 was taken")
		}
	}()
	s.Mask(4)
}
