package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"trafficgpt/display"
)

// data returns the test captures that match a pattern below ../shared/data of the repository.
func data(t testing.TB, pattern string) []string {
	files, err := filepath.Glob(filepath.Join("../../../shared/data", pattern))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures in ../shared/data/%s beside the repository", pattern)
	}
	return files
}

// tcp makes an Ethernet frame with a TCP segment.
func tcp(src, dst string, sport, dport uint16, flags byte, seq uint32, payload string) []byte {
	b := append(make([]byte, 12), 0x08, 0)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0}
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
	b = append(b, ip...)
	b = append(b, quad(src)...)
	b = append(b, quad(dst)...)
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0)
	return append(b, payload...)
}

func quad(s string) []byte {
	var b []byte
	for _, p := range strings.Split(s, ".") {
		n := 0
		for _, c := range p {
			n = n*10 + int(c-'0')
		}
		b = append(b, byte(n))
	}
	return b
}

func at(s float64, b []byte) Packet {
	return Packet{Time: time.Unix(1e9, int64(s*1e9)).UTC(), Data: b, Length: len(b), LinkType: LinkEthernet}
}

// classicFile makes a pcap file by hand.
func classicFile(order binary.ByteOrder, magic uint32, link uint32, records ...[4]uint32) []byte {
	h := make([]byte, 24)
	order.PutUint32(h, magic)
	order.PutUint16(h[4:], 2)
	order.PutUint16(h[6:], 4)
	order.PutUint32(h[16:], 65535)
	order.PutUint32(h[20:], link)
	for _, r := range records {
		x := make([]byte, 16+r[2])
		for i, v := range r {
			order.PutUint32(x[4*i:], v)
		}
		h = append(h, x...)
	}
	return h
}

func TestClassicVariants(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, nano := range []bool{false, true} {
			magic, ns := uint32(magicMicro), 7000
			if nano {
				magic, ns = magicNano, 7
			}
			c, err := Parse("x", classicFile(order, magic, 0x10000000|113, [4]uint32{5, 7, 60, 1500}, [4]uint32{6, 1, 0, 0}))
			if err != nil {
				t.Fatal(err)
			}
			p := c.Packets[0]
			if len(c.Packets) != 2 || !p.Time.Equal(time.Unix(5, int64(ns))) || len(p.Data) != 60 || p.Length != 1500 || p.LinkType != LinkSLL {
				t.Errorf("%v nano=%v: got %+v", order, nano, p)
			}
			if c.Nano != nano || c.Big != (order == binary.BigEndian) {
				t.Errorf("got nano %v, big %v", c.Nano, c.Big)
			}
		}
	}
}

// ngBlock makes a pcapng block by hand.
func ngBlock(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := order.AppendUint32(nil, kind)
	b = order.AppendUint32(b, uint32(12+len(body)))
	b = append(b, body...)
	return order.AppendUint32(b, uint32(12+len(body)))
}

func words(order binary.AppendByteOrder, v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = order.AppendUint32(b, x)
	}
	return b
}

// ngSection makes a section with one interface of the given resolution and offset, and one packet.
func ngSection(order binary.AppendByteOrder, link uint16, resolution byte, offset uint64, ticks uint64) []byte {
	shb := append(words(order, 0x1a2b3c4d), words(order, 0)...)
	shb = append(order.AppendUint16(order.AppendUint16(shb[:4], 1), 0), 255, 255, 255, 255, 255, 255, 255, 255)
	b := ngBlock(order, blockSection, shb)
	idb := append(order.AppendUint16(nil, link), 0, 0, 0, 0, 0, 0)
	idb = append(order.AppendUint16(order.AppendUint16(idb, 9), 1), resolution, 0, 0, 0)
	idb = order.AppendUint64(order.AppendUint16(order.AppendUint16(idb, 14), 8), offset)
	b = append(b, ngBlock(order, blockInterface, idb)...)
	epb := append(words(order, 0, uint32(ticks>>32), uint32(ticks), 3, 9), 'a', 'b', 'c')
	return append(b, ngBlock(order, blockEnhanced, epb)...)
}

func TestSectionsAndClocks(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	var file []byte
	file = append(file, ngSection(le, 1, 6, 0, 1e6+7)...)
	file = append(file, ngSection(be, 101, 9, 100, 2e9+3)...)
	file = append(file, ngSection(be, 276, 0x80|10, 0, 1024+512)...)
	file = append(file, ngSection(le, 276, 0x80|64, 0, 1<<63)...)
	file = append(file, ngSection(le, 276, 20, 0, 1e19)...)
	file = append(file, ngSection(le, 276, 3, ^uint64(0), 1500)...)
	c, err := Parse("x", file)
	if err != nil || len(c.Warnings) > 0 {
		t.Fatal(err, c.Warnings)
	}
	want := []struct {
		sec  int64
		nsec int
		link LinkType
	}{{1, 7000, 1}, {102, 3, 101}, {1, 5e8, 276}, {0, 5e8, 276}, {0, 1e8, 276}, {0, 5e8, 276}}
	if len(c.Packets) != len(want) || c.Sections != len(want) {
		t.Fatalf("%d packets in %d sections", len(c.Packets), c.Sections)
	}
	for i, w := range want {
		p := c.Packets[i]
		if p.Time.Unix() != w.sec || p.Time.Nanosecond() != w.nsec || p.LinkType != w.link || p.Interface != i || string(p.Data) != "abc" || p.Length != 9 {
			t.Errorf("packet %d: got %+v, want %+v", i, p, w)
		}
	}
}

func TestBadFiles(t *testing.T) {
	good := classicFile(binary.LittleEndian, magicMicro, 1, [4]uint32{5, 7, 60, 60}, [4]uint32{6, 7, 60, 60})
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint32(huge[24+76+8:], 1<<31)
	cases := []struct {
		name    string
		file    []byte
		packets int
		says    string
	}{
		{"empty", nil, -1, "offset 0: the file is empty"},
		{"text", []byte("hello, world"), -1, "offset 0: not a capture"},
		{"half a header", good[:13], -1, "offset 13: the file ends within its header"},
		{"modified", words(binary.LittleEndian, 0xa1b2cd34, 0, 0, 0, 0, 0), -1, "Kuznetsov"},
		{"version 3", append([]byte{0xd4, 0xc3, 0xb2, 0xa1, 3, 0}, good[6:]...), -1, "offset 4: pcap version 3.4"},
		{"cut in a packet", good[:24+76+40], 1, "offset 100: the file ends within a packet, 40 bytes after its start"},
		{"cut in a header", good[:24+76+3], 1, "offset 100: the file ends within a packet"},
		{"huge length", huge, 1, "offset 100: a packet header claims 2147483648"},
		{"ng version", append(ngSection(binary.LittleEndian, 1, 6, 0, 1)[:12], 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0), -1, "pcapng version 9.0"},
		{"no interface", append(ngSection(binary.LittleEndian, 1, 6, 0, 1), ngBlock(binary.LittleEndian, blockEnhanced, words(binary.LittleEndian, 7, 0, 0, 0, 0))...), 1, "interface 7"},
	}
	for _, c := range cases {
		got, err := Parse("some.pcap", c.file)
		if c.packets < 0 {
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "some.pcap: offset ") {
				t.Errorf("%s: got error %v, want %q", c.name, err, c.says)
			}
			continue
		}
		if err != nil || len(got.Packets) != c.packets || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.says) {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "no.pcap")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "x.pcap.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(classicFile(binary.LittleEndian, magicMicro, 1, [4]uint32{5, 7, 6000, 6000}, [4]uint32{6, 7, 60, 60}))
	z.Close()
	if err := os.WriteFile(broken, b.Bytes()[:b.Len()-6], 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Read(broken)
	if err != nil || len(c.Packets) != 2 || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "unexpected EOF") {
		t.Errorf("a cut gzip: %v, %v", c, err)
	}
}

func TestWriteAndReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"a.pcap", "a.pcapng", "a.pcap.gz", "a.pcapng.zst"} {
		for _, links := range []int{1, 3} {
			for _, unit := range []int64{1000, 1} {
				var packets []Packet
				for i := range 200 {
					b := make([]byte, rng.IntN(300))
					for j := range b {
						b[j] = byte(rng.Uint32())
					}
					link := LinkType(rng.IntN(links) * 100)
					packets = append(packets, Packet{Time: time.Unix(rng.Int64N(1<<32), rng.Int64N(1e9/unit)*unit).UTC(),
						Data: b, Length: len(b) + rng.IntN(2)*rng.IntN(1000), LinkType: link, Interface: i % links})
				}
				path := filepath.Join(t.TempDir(), name)
				if err := Write(path, packets); err != nil {
					t.Fatal(err)
				}
				c, err := Read(path)
				if err != nil || len(c.Warnings) > 0 || len(c.Packets) != len(packets) {
					t.Fatalf("%s: %v %v", name, c, err)
				}
				if ng := strings.Contains(name, "ng") || links > 1; ng != (c.Format == NG) {
					t.Errorf("%s with %d link types is %s", name, links, c.Format)
				}
				if unit == 1 != c.Nano && c.Format == Classic {
					t.Errorf("%s: nanoseconds %v", name, c.Nano)
				}
				for i, p := range c.Packets {
					q := packets[i]
					if !p.Time.Equal(q.Time) || !bytes.Equal(p.Data, q.Data) || p.Length != q.Length || p.LinkType != q.LinkType {
						t.Fatalf("%s packet %d: got %v, want %v", name, i, p, q)
					}
				}
				if rest, _ := os.ReadDir(filepath.Dir(path)); len(rest) != 1 {
					t.Errorf("files left behind: %v", rest)
				}
			}
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "x.pcap"), []Packet{{Time: time.Unix(-5, 0)}}); err == nil || !strings.Contains(err.Error(), "1970") {
		t.Errorf("a time before 1970: %v", err)
	}
}

// The reader of streams finds what the reader of whole files finds.
func TestReaderAgreesWithRead(t *testing.T) {
	files := append(data(t, "weird/*"), data(t, "captures/*")[:10]...)
	for _, path := range files {
		c, err := Read(path)
		b, _ := os.ReadFile(path)
		r, err2 := NewReader(&slow{b}, path)
		if (err == nil) != (err2 == nil) {
			t.Errorf("%s: %v against %v", path, err, err2)
			continue
		}
		if err != nil {
			if err.Error() != err2.Error() {
				t.Errorf("%v against %v", err, err2)
			}
			continue
		}
		n := 0
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			if q := c.Packets[n]; !p.Time.Equal(q.Time) || !bytes.Equal(p.Data, q.Data) || p.LinkType != q.LinkType {
				t.Fatalf("%s: packet %d differs", path, n)
			}
			n++
		}
		if n != len(c.Packets) {
			t.Errorf("%s: %d packets in a stream, %d in a file", path, n, len(c.Packets))
		}
		r.Close()
	}
}

// slow gives its bytes in small pieces.
type slow struct{ b []byte }

func (s *slow) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, errEOF
	}
	n := copy(p[:min(len(p), 977)], s.b)
	s.b = s.b[n:]
	return n, nil
}

func TestZstd(t *testing.T) {
	w, _ := zstd.NewWriter(nil)
	b := w.EncodeAll(classicFile(binary.LittleEndian, magicMicro, 1, [4]uint32{5, 7, 60, 60}), nil)
	c, err := Parse("x", b)
	if err != nil || c.Compression != "zstd" || len(c.Packets) != 1 {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestShows(t *testing.T) {
	c, err := Parse("a<b>.pcap", classicFile(binary.LittleEndian, magicMicro, 1, [4]uint32{5, 7, 60, 60}))
	if err != nil {
		t.Fatal(err)
	}
	c.Warnings = append(c.Warnings, "look <here>")
	for _, x := range []display.Rich{c, c.Flows(), c.Flows()[0], Flows{}, &Flow{}} {
		b := x.MIME()
		if b[display.Text].(string) == "" || !strings.Contains(b[display.HTML].(string), "<div") || strings.Contains(b[display.HTML].(string), "<here>") {
			t.Errorf("%T shows %v", x, b)
		}
	}
}
