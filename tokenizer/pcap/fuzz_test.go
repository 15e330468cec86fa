package pcap

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"
)

// Whatever bytes a file has: reading it whole and reading it as a stream agree,
// and no packet is lost on the way into flows and back into a file.
func FuzzRead(f *testing.F) {
	f.Add([]byte{})
	f.Add(classicFile(binary.BigEndian, magicNano, 276, [4]uint32{5, 7, 60, 1500}, [4]uint32{6, 1, 0, 0}))
	f.Add(ngSection(binary.LittleEndian, 1, 6, 0, 1e6+7))
	f.Add(append(ngSection(binary.BigEndian, 101, 0x80|64, 1, 1<<63), ngSection(binary.LittleEndian, 1, 20, 9, 1<<63)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("x", b)
		r, err2 := NewReader(bytes.NewReader(b), "x")
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v against %v", err, err2)
		}
		if err != nil {
			return
		}
		defer r.Close()
		n := 0
		for ; ; n++ {
			p, err := r.Next()
			if err != nil {
				break
			}
			if q := c.Packets[n]; !p.Time.Equal(q.Time) || !bytes.Equal(p.Data, q.Data) {
				t.Fatalf("packet %d differs", n)
			}
		}
		if n != len(c.Packets) {
			t.Fatalf("%d packets in a stream, %d in a file", n, len(c.Packets))
		}
		flows, inFlows := c.Flows(), 0
		for _, f := range flows {
			inFlows += len(f.Packets)
		}
		if inFlows != n {
			t.Fatalf("%d of %d packets in flows", inFlows, n)
		}
		c.MIME()
		var out bytes.Buffer
		if WriteTo(&out, c.Packets) != nil {
			return // a time that no capture file holds
		}
		again, err := Parse("again", out.Bytes())
		if err != nil || len(again.Packets) != n {
			t.Fatalf("written and read: %v", err)
		}
		for i, p := range again.Packets {
			if q := c.Packets[i]; !p.Time.Equal(q.Time) || !bytes.Equal(p.Data, q.Data) || p.LinkType != q.LinkType || p.Length != q.Length {
				t.Fatalf("packet %d is %+v, was %+v", i, p, q)
			}
		}
	})
}

// Whatever packets there are, on any link and at any time: each is in one flow.
func FuzzFlows(f *testing.F) {
	f.Add([]byte("x"), uint16(1), uint16(0))
	f.Add(append(tcp("1.2.3.4", "5.6.7.8", 1, 2, syn, 7, "hello"), frag(1, 16, true, make([]byte, 30))...), uint16(1), uint16(59))
	f.Fuzz(func(t *testing.T, b []byte, link, step uint16) {
		var packets []Packet
		size := int(step)%200 + 1
		for i := 0; i < len(b) && i < 200*size; i += size {
			p := b[i:min(i+size, len(b))]
			packets = append(packets, Packet{Time: time.Unix(int64(step)*int64(i), 0), Data: p, Length: len(p), LinkType: LinkType(link % 310)})
		}
		for _, o := range []FlowOptions{{}, {Through: Tunnels, Idle: time.Minute}, {Through: ThroughNothing, Active: time.Hour}} {
			n := 0
			for _, fl := range Assemble(packets, o) {
				n += len(fl.Packets)
				for i := range fl.Packets {
					fl.Outgoing(i)
				}
			}
			if n != len(packets) {
				t.Fatalf("%d of %d packets", n, len(packets))
			}
		}
		var buf bytes.Buffer
		if err := WriteTo(&buf, packets); err != nil {
			t.Fatal(err)
		}
		if _, err := NewReader(io.LimitReader(&buf, 1<<20), "x"); err != nil && len(packets) > 0 {
			t.Fatal(err)
		}
	})
}
