package tokenizer

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// anyNG makes a pcapng file of sections in either byte order, with interfaces of
// any link type and clock, packets in all three kinds of blocks with and without
// options, blocks of unknown kinds, and packets cut by the snap length.
func anyNG(rng *rand.Rand, packets int) []byte {
	var file []byte
	links := pcap.LinkTypes()
	for packets > 0 {
		order := binary.AppendByteOrder(binary.LittleEndian)
		if rng.IntN(2) == 0 {
			order = binary.BigEndian
		}
		words := func(v ...uint32) []byte {
			var b []byte
			for _, x := range v {
				b = order.AppendUint32(b, x)
			}
			return b
		}
		block := func(kind uint32, body []byte) {
			for len(body)%4 != 0 {
				body = append(body, byte(rng.Uint32())) // padding need not be zeros
			}
			file = append(file, words(kind, uint32(12+len(body)))...)
			file = append(file, body...)
			file = append(file, words(uint32(12+len(body)))...)
		}
		shb := words(0x1a2b3c4d)
		shb = order.AppendUint16(order.AppendUint16(shb, 1), 0)
		block(0x0a0d0d0a, append(shb, bytes.Repeat([]byte{255}, 8)...))
		ifaces := 1 + rng.IntN(4)
		for range ifaces {
			b := order.AppendUint16(nil, uint16(links[rng.IntN(len(links))]))
			b = order.AppendUint32(append(b, 0, 0), uint32(rng.IntN(2)*96))
			if rng.IntN(3) > 0 {
				b = append(order.AppendUint16(order.AppendUint16(b, 9), 1), []byte{6, 9, 3, 0x8a, 0x94, 0, 12, 0xff}[rng.IntN(8)], 0, 0, 0)
			}
			if rng.IntN(3) == 0 {
				b = order.AppendUint64(order.AppendUint16(order.AppendUint16(b, 14), 8), uint64(rng.Int64N(1000)))
			}
			block(1, b)
		}
		for n := min(packets, 1+rng.IntN(500)); n > 0; n-- {
			packets--
			data := make([]byte, rng.IntN(1500))
			for i := range data {
				data[i] = byte(rng.Uint32() >> 20)
			}
			wire := uint32(len(data) + rng.IntN(2)*rng.IntN(100))
			ts := rng.Uint64() >> rng.IntN(40)
			id := uint32(rng.IntN(ifaces))
			switch rng.IntN(12) {
			case 0:
				block(3, append(words(uint32(len(data))), data...))
			case 1:
				block(2, append(words(id|rng.Uint32()<<16, uint32(ts>>32), uint32(ts), uint32(len(data)), wire), data...))
			case 2:
				block(rng.Uint32()|0x80000000, data)
			case 3:
				for len(data)%4 != 0 {
					data = append(data, 0)
				}
				b := append(words(id, uint32(ts>>32), uint32(ts), uint32(len(data)), wire), data...)
				block(6, append(b, append(words(0x00040002, 7), 0, 0, 0, 0)...))
			default:
				b := append(words(id, uint32(ts>>32), uint32(ts), uint32(len(data)), wire), data...)
				for len(b)%4 != 0 {
					b = append(b, 0)
				}
				block(6, b)
			}
		}
	}
	return file
}

// anyClassic makes a pcap file of any variant, with any times and lengths.
func anyClassic(rng *rand.Rand, packets int) []byte {
	order := binary.AppendByteOrder(binary.LittleEndian)
	if rng.IntN(2) == 0 {
		order = binary.BigEndian
	}
	file := order.AppendUint32(nil, []uint32{0xa1b2c3d4, 0xa1b23c4d}[rng.IntN(2)])
	file = order.AppendUint16(order.AppendUint16(file, 2), 4)
	file = order.AppendUint64(file, rng.Uint64())
	file = order.AppendUint32(order.AppendUint32(file, rng.Uint32()), rng.Uint32()&0xf00001ff)
	sec := rng.Uint32()
	for range packets {
		n := rng.IntN(1500)
		wire := n + rng.IntN(2)*rng.IntN(100)
		if rng.IntN(20) == 0 {
			wire = rng.IntN(1500) // a lie
			sec = rng.Uint32()
		}
		sec += uint32(rng.IntN(3))
		for _, v := range []uint32{sec, rng.Uint32() % uint32([]int{1e6, 1e9, math.MaxUint32}[rng.IntN(3)]), uint32(n), uint32(wire)} {
			file = order.AppendUint32(file, v)
		}
		for range n {
			file = append(file, byte(rng.Uint32()>>20))
		}
	}
	return append(file, make([]byte, rng.IntN(20))...)
}

// Any capture comes back byte for byte, with its packets in flows as the reader has them.
func TestAnyCaptureComesBack(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(11, 12))
	for i := range 60 {
		n := rng.IntN(300)
		if i%20 == 0 {
			n = 4000 // several parts
		}
		b := anyNG(rng, n)
		if i%2 == 0 {
			b = anyClassic(rng, n)
		}
		in, corpus := write(t, filepath.Join(dir, "in"), b), filepath.Join(dir, "corpus")
		if err := EncodeFile(in, corpus); err != nil {
			t.Fatal(err)
		}
		c, err := OpenCorpus(corpus)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := c.Restore(0, &got); err != nil || !bytes.Equal(got.Bytes(), b) {
			t.Fatalf("capture %d of %d packets does not come back: %v", i, n, err)
		}
		capture, err := pcap.Parse(in, b)
		if err != nil && n > 0 {
			t.Fatal(err)
		}
		flows, damage, err := c.Flows(0)
		packets := 0
		for _, f := range flows {
			packets += len(f.Packets)
		}
		if err != nil || len(damage) > 0 || capture != nil && packets != len(capture.Packets) {
			t.Fatalf("capture %d: %d packets, %v, %v", i, packets, damage, err)
		}
		c.Close()
	}
}

// Any flow, of any link type, comes back from its tokens: the bytes always, the
// times to the nanosecond where no pause is longer than 97 days.
func TestAnyFlowComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 500 {
		f := &pcap.Flow{}
		now := time.Unix(rng.Int64N(1<<33), rng.Int64N(1e9))
		for range rng.IntN(30) {
			data := make([]byte, rng.IntN(100))
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			f.Packets = append(f.Packets, pcap.Packet{Time: now, Data: data, Length: len(data), LinkType: pcap.LinkType(rng.Uint32() >> rng.IntN(32))})
			now = now.Add(time.Duration(rng.Int64N(1 << (1 + rng.IntN(52)))))
		}
		if len(f.Packets) == 0 {
			continue
		}
		got, err := Decode(Encode(f), Options{Start: f.Packets[0].Time})
		if err != nil || len(got) != len(f.Packets) {
			t.Fatalf("%d packets, want %d: %v", len(got), len(f.Packets), err)
		}
		for i := range got {
			if !equal(got[i], f.Packets[i]) {
				t.Fatalf("packet %d: %v, want %v", i, got[i], f.Packets[i])
			}
		}
		flows, err := DecodeFlows(must(EncodeFlows([]*pcap.Flow{f})), Options{Start: f.Packets[0].Time})
		if err != nil || len(flows) != 1 || len(flows[0].Packets) != len(f.Packets) {
			t.Fatalf("interleaved with nothing: %v, %v", flows, err)
		}
	}
}

func must(tokens []uint16, err error) []uint16 {
	if err != nil {
		panic(err)
	}
	return tokens
}
