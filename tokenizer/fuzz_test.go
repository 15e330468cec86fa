package tokenizer

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"path/filepath"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// Any list of tokens decodes or gives an error with a position, and what it
// decodes to comes back from its own tokens.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(wide(Encode(&pcap.Flow{Packets: []pcap.Packet{{LinkType: 1, Data: []byte{1, 2}}, {LinkType: 999, Data: []byte{3}}}})))
	f.Add(wide([]uint16{Start, 3, 0, 0, 0, 0, 0, 0, 0, 0, 7, FlowMark, Start, 254, Pad, Cls, End, 9}))
	f.Fuzz(func(t *testing.T, b []byte) {
		tokens := narrow(b)
		packets, err := Decode(tokens)
		if e, ok := err.(*PositionError); err != nil && (!ok || e.Position < 0 || e.Position > len(tokens)) {
			t.Fatalf("error %v for %d tokens", err, len(tokens))
		}
		for _, code := range []TimeCode{TimePaper, TimeLog, TimeNone} {
			if fields := Explain(tokens, Options{Time: code}); len(fields) != len(tokens) {
				t.Fatal("not every token is explained")
			}
			_, _ = Decode(tokens, Options{Time: code, Start: time.Unix(0, 0)})
		}
		if hidden := Hidden(tokens, M3); len(hidden) != len(tokens) {
			t.Fatal("not every token is judged")
		}
		if flows, err := DecodeFlows(tokens); err == nil && len(flows) > MaxFlows {
			t.Fatal("too many flows")
		}
		repaired, report := RepairAll(packets)
		if len(repaired) != len(packets) || report.Repaired > len(packets) {
			t.Fatal(report)
		}
		if len(packets) == 0 {
			return
		}
		flow := &pcap.Flow{Packets: packets}
		again, err := Decode(Encode(flow), Options{Start: packets[0].Time})
		if err != nil || len(again) != len(packets) {
			t.Fatalf("%d packets come back as %d: %v", len(packets), len(again), err)
		}
		for i := range packets {
			if again[i].LinkType != packets[i].LinkType || !bytes.Equal(again[i].Data, packets[i].Data) {
				t.Fatalf("packet %d does not come back", i)
			}
			if i > 0 && packets[i].Time.Sub(packets[i-1].Time).Abs() < 90*24*time.Hour && again[i].Time.Sub(packets[i].Time).Abs() > time.Microsecond {
				t.Fatalf("packet %d: %v comes back as %v", i, packets[i].Time, again[i].Time)
			}
		}
	})
}

// wide and narrow put tokens into bytes and back.
func wide(tokens []uint16) []byte {
	var b []byte
	for _, t := range tokens {
		b = binary.BigEndian.AppendUint16(b, t)
	}
	return b
}

func narrow(b []byte) []uint16 {
	var tokens []uint16
	for ; len(b) >= 2; b = b[2:] {
		tokens = append(tokens, binary.BigEndian.Uint16(b)%(FlowsVocabulary+2))
	}
	return tokens
}

// seeds adds some small captures, the project's own and those beside it.
func seeds(f *testing.F) {
	f.Add(capture(3, 5))
	f.Add([]byte{})
	files, _ := filepath.Glob("../../shared/data/weird/test*")
	for _, path := range files {
		f.Add(read(f, path))
	}
}

// Any file comes back from a corpus byte for byte, and its packets agree with the reader's.
func FuzzRoundTrip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		in, corpus := write(t, filepath.Join(dir, "in"), b), filepath.Join(dir, "corpus")
		if err := EncodeFile(in, corpus); err != nil {
			t.Fatal(err)
		}
		c, err := OpenCorpus(corpus)
		if err != nil || len(c.Damage) > 0 {
			t.Fatal(err, c.Damage)
		}
		defer c.Close()
		var got bytes.Buffer
		if err := c.Restore(0, &got); err != nil || !bytes.Equal(got.Bytes(), b) {
			t.Fatalf("%d bytes come back as %d: %v", len(b), got.Len(), err)
		}
		capture, err := pcap.Parse("x", b)
		if err != nil {
			return
		}
		flows, damage, err := c.Flows(0)
		n := 0
		for _, f := range flows {
			n += len(f.Packets)
		}
		if err != nil || len(damage) > 0 || n != len(capture.Packets) {
			t.Fatalf("%d packets, want %d: %v %v", n, len(capture.Packets), damage, err)
		}
	})
}

// A part with any payload, and a corpus with any bytes in it, gives an error or what it holds.
func FuzzContainer(f *testing.F) {
	dir := f.TempDir()
	if err := EncodeFile(write(f, filepath.Join(dir, "in"), capture(5, 9)), filepath.Join(dir, "corpus")); err != nil {
		f.Fatal(err)
	}
	whole := read(f, filepath.Join(dir, "corpus"))
	f.Add(whole)
	for at := corpusHeader; ; {
		s, ok := readSection(whole[at:])
		if !ok {
			break
		}
		f.Add(whole[at+sectionHeader : at+sectionHeader+int(s.size)])
		at += sectionHeader + int(s.size)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var u unpackedPart
		if u.read(b) == nil && len(u.flows) != len(u.packets) {
			t.Fatal("packets without a flow")
		}
		for _, kind := range []byte{sectionFile, sectionPart, sectionRaw, sectionEnd, sectionIndex} {
			k := section{kind: kind, size: uint32(len(b)), crc: crc32.Checksum(b, castagnoli)}
			file := append(corpusStart(), make([]byte, sectionHeader)...)
			k.put(file[corpusHeader:])
			file = append(file, b...)
			if kind == sectionIndex {
				file = binary.LittleEndian.AppendUint64(file, corpusHeader)
				file = binary.LittleEndian.AppendUint32(file, crc32.Checksum(file[len(file)-8:], castagnoli))
				file = append(file, indexMagic...)
			}
			use(file)
		}
		use(b)
	})
}

// use does all there is to do with a corpus.
func use(b []byte) {
	c, err := ReadCorpus("x", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	c.Verify()
	c.MIME()
	for i := range c.Files() {
		_ = c.Restore(i, io.Discard)
		_ = c.RestorePlain(i, io.Discard)
		_, _, _ = c.Flows(i)
	}
}
