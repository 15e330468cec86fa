package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// everything is the folder of the test captures.
func everything(t testing.TB) string {
	data(t, "flows/*/*.pcap*")
	return "../../shared/data"
}

func TestEveryFileComesBack(t *testing.T) {
	dir := t.TempDir()
	corpus := filepath.Join(dir, "all")
	root := everything(t)
	for _, pack := range []bool{false, true} {
		w, err := CreateCorpus(corpus, CorpusOptions{Pack: pack})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(filepath.Join(root, "flows"), filepath.Join(root, "captures"), filepath.Join(root, "weird"), filepath.Join(root, "MANIFEST.tsv")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		c, err := OpenCorpus(corpus)
		if err != nil || len(c.Damage) > 0 {
			t.Fatal(err, c.Damage)
		}
		defer c.Close()
		if len(c.Files()) < 2711 {
			t.Errorf("%d files", len(c.Files()))
		}
		unreadable := 0
		for i, f := range c.Files() {
			var got bytes.Buffer
			if err := c.Restore(i, &got); err != nil {
				t.Error(err)
			}
			if want := read(t, filepath.Join(root, filepath.FromSlash(f.Name))); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s does not come back: %d bytes, want %d", f.Name, got.Len(), len(want))
			}
			if f.Format == "" {
				unreadable++
			}
		}
		if unreadable > 10 {
			t.Errorf("%d files are no captures", unreadable)
		}
		if all := c.Verify(); len(all) > 0 {
			t.Errorf("damage where there is none: %v", all)
		}
	}
}

func TestOneFileEach(t *testing.T) {
	dir := t.TempDir()
	for _, path := range append(data(t, "weird/*"), data(t, "captures/*")[:20]...) {
		if err := EncodeFile(path, filepath.Join(dir, "t")); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := DecodeFile(filepath.Join(dir, "t"), filepath.Join(dir, "b")); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !bytes.Equal(read(t, path), read(t, filepath.Join(dir, "b"))) {
			t.Errorf("%s does not come back", path)
		}
	}
}

// The flows of a corpus are those of the capture, to the last field.
func TestCorpusFlows(t *testing.T) {
	dir := t.TempDir()
	for _, path := range append(data(t, "weird/*"), data(t, "captures/*")...) {
		capture, err := pcap.Read(path)
		if err != nil {
			continue
		}
		if err := EncodeFile(path, filepath.Join(dir, "t")); err != nil {
			t.Fatal(err)
		}
		c, err := OpenCorpus(filepath.Join(dir, "t"))
		if err != nil {
			t.Fatal(err)
		}
		got, damage, err := c.Flows(0)
		if err != nil || len(damage) > 0 {
			t.Errorf("%s: %v %v", path, err, damage)
		}
		want := capture.Flows()
		tokens := int64(0)
		for _, f := range want {
			tokens += int64(Length(f))
		}
		if info := c.Files()[0]; info.Tokens != tokens || info.Flows != int64(len(want)) || info.Packets != int64(len(capture.Packets)) {
			t.Errorf("%s: %+v, want %d tokens in %d flows", path, info, tokens, len(want))
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d flows, want %d", path, len(got), len(want))
			continue
		}
		for i, f := range got {
			if f.Key != want[i].Key || len(f.Packets) != len(want[i].Packets) {
				t.Errorf("%s: flow %d is %v, want %v", path, i, f, want[i])
				continue
			}
			for j, p := range f.Packets {
				q := want[i].Packets[j]
				if !equal(p, q) || p.Length != q.Length || p.Interface != q.Interface {
					t.Errorf("%s: flow %d packet %d differs", path, i, j)
				}
			}
		}
		c.Close()
	}
}

// capture makes a pcap file of n TCP packets in a few flows.
func capture(n, size int) []byte {
	var b bytes.Buffer
	var packets []pcap.Packet
	for i := range n {
		d := make([]byte, 54+size)
		copy(d[12:], []byte{8, 0, 0x45, 0})
		binary.BigEndian.PutUint16(d[16:], uint16(40+size))
		copy(d[22:], []byte{64, 6, 0, 0, 10, 0, 0, byte(i % 7), 10, 1, 0, 1, 1, byte(i % 11), 0, 80})
		copy(d[46:], []byte{0x50, 0x10})
		for j := 54; j < len(d); j++ {
			d[j] = byte(i * j)
		}
		packets = append(packets, pcap.Packet{Time: time.Unix(1e9, 0).Add(time.Duration(i) * 1234 * time.Microsecond), Data: d, Length: len(d), LinkType: 1})
	}
	if err := pcap.WriteTo(&b, packets); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestCompressedInputs(t *testing.T) {
	dir := t.TempDir()
	plain := capture(3000, 700)
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	z.Name = "inner"
	z.Write(plain)
	z.Close()
	e, _ := zstd.NewWriter(nil)
	zst := e.EncodeAll(plain, nil)
	cases := map[string][]byte{"a.gz": gz.Bytes(), "b.zst": zst, "cut.gz": gz.Bytes()[:gz.Len()/2], "notreally.gz": {0x1f, 0x8b, 1, 2, 3}}
	for name, b := range cases {
		if err := EncodeFile(write(t, filepath.Join(dir, name), b), filepath.Join(dir, "t")); err != nil {
			t.Fatal(name, err)
		}
		if err := DecodeFile(filepath.Join(dir, "t"), filepath.Join(dir, "b")); err != nil || !bytes.Equal(read(t, filepath.Join(dir, "b")), b) {
			t.Errorf("%s does not come back: %v", name, err)
		}
		c, err := OpenCorpus(filepath.Join(dir, "t"))
		if err != nil {
			t.Fatal(err)
		}
		f := c.Files()[0]
		switch name {
		case "a.gz", "b.zst":
			var got bytes.Buffer
			if err := c.RestorePlain(0, &got); err != nil || !bytes.Equal(got.Bytes(), plain) {
				t.Errorf("%s: the inside does not come back: %v", name, err)
			}
			if f.Packets != 3000 || len(f.Warnings) > 0 || !strings.HasPrefix(f.Format, "pcap in ") {
				t.Errorf("%s: %+v", name, f)
			}
		case "cut.gz":
			if f.Packets == 0 || f.Packets >= 3000 || len(f.Warnings) == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if all := c.Verify(); len(all) > 0 {
			t.Errorf("%s: %v", name, all)
		}
		c.Close()
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	corpus := filepath.Join(dir, "t")
	var want [][]byte
	for i := range 4 {
		b := capture(100+i, i*30)
		want = append(want, b)
		path := write(t, filepath.Join(dir, fmt.Sprintf("%d.pcap", i)), b)
		open := CreateCorpus
		if i > 0 {
			open = AppendCorpus
		}
		w, err := open(corpus, CorpusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(path); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(path); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("the same name twice: %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole := read(t, corpus)
	// With its index, without, and with an unfinished file behind.
	unfinished := append(bytes.Clone(whole), whole[corpusHeader:corpusHeader+500]...)
	for i, b := range [][]byte{whole, whole[:len(whole)-1], unfinished} {
		c, err := OpenCorpus(write(t, filepath.Join(dir, "again"), b))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Files()) != 4 || (len(c.Damage) > 0) != (i > 0) {
			t.Errorf("case %d: %d files, %v", i, len(c.Files()), c.Damage)
		}
		for j := range want {
			var got bytes.Buffer
			if err := c.Restore(j, &got); err != nil || !bytes.Equal(got.Bytes(), want[j]) {
				t.Errorf("case %d: file %d: %v", i, j, err)
			}
		}
		c.Close()
	}
}

// Any flipped bit is noticed, named, and costs no more than its section.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	a, b := capture(2500, 1000), capture(50, 10)
	w, err := CreateCorpus(filepath.Join(dir, "t"), CorpusOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(write(t, filepath.Join(dir, "a.pcap"), a), write(t, filepath.Join(dir, "b.pcap"), b)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := read(t, filepath.Join(dir, "t"))
	step := len(whole) / 150
	for at := 0; at < len(whole); at += 1 + at%7*step/4 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << (at % 8)
		path := write(t, filepath.Join(dir, "f"), flipped)
		c, err := OpenCorpus(path)
		if err != nil {
			if at >= corpusHeader {
				t.Fatalf("byte %d: %v", at, err)
			}
			continue
		}
		found := c.Verify()
		if len(found) == 0 && at >= corpusHeader {
			t.Fatalf("byte %d: not noticed", at)
		}
		intact := 0
		for i, want := range [][]byte{a, b} {
			var got bytes.Buffer
			damage, err := c.Salvage(i, &got)
			if len(damage) == 0 && err == nil && bytes.Equal(got.Bytes(), want) {
				intact++
				continue
			}
			if len(damage) == 0 && err == nil {
				t.Fatalf("byte %d: file %d is wrong and nobody says so", at, i)
			}
			if lost := len(want) - got.Len(); lost > partSize+100 {
				t.Errorf("byte %d: %d bytes are lost", at, lost)
			}
			for _, d := range damage {
				if !strings.Contains(d.Error(), "damaged") || d.File == "" {
					t.Errorf("byte %d: %v", at, d)
				}
			}
		}
		if intact == 0 {
			t.Errorf("byte %d: both files are damaged", at)
		}
		c.Close()
	}
}

func TestNoCorpus(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string][]byte{"empty": {}, "pcap": capture(3, 3), "short": []byte(corpusMagic), "newer": []byte(corpusMagic + "\x09\x00\x00\x00\x00\x00\x00\x00")} {
		_, err := OpenCorpus(write(t, filepath.Join(dir, name), b))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenCorpus(dir); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := OpenCorpus(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestCorpusShows(t *testing.T) {
	dir := t.TempDir()
	if err := EncodeFile(write(t, filepath.Join(dir, "a<b>.pcap"), capture(3, 3)), filepath.Join(dir, "t")); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCorpus(filepath.Join(dir, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := c.MIME()
	if !strings.Contains(b[display.Text].(string), "a<b>.pcap") || strings.Contains(b[display.HTML].(string), "a<b>") {
		t.Errorf("%v", b)
	}
	if _, _, err := c.Flows(7); err == nil {
		t.Error("file 7 of 1 has flows")
	}
}

// TestPrivateStaysPrivate: what is made of a capture that only its owner may read is
// not for others either, and what is replaced keeps its mode.
func TestPrivateStaysPrivate(t *testing.T) {
	dir := t.TempDir()
	open, private, corpus := filepath.Join(dir, "open.pcap"), filepath.Join(dir, "private.pcap"), filepath.Join(dir, "c")
	for path, mode := range map[string]fs.FileMode{open: 0o644, private: 0o600} {
		if err := pcap.Write(path, []pcap.Packet{{Time: time.Unix(1, 0), LinkType: pcap.LinkRaw, Data: []byte{1}, Length: 1}}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	check := func(path string, want fs.FileMode) {
		t.Helper()
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got&^want != 0 || got&0o600 != 0o600 {
			t.Errorf("%s has mode %o, want no more than %o", path, got, want)
		}
	}
	encode := func(in ...string) {
		t.Helper()
		w, err := CreateCorpus(corpus, CorpusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(in...); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	back := filepath.Join(dir, "back.pcap")
	encode(open, private)
	check(corpus, 0o600)
	if err := DecodeFile(corpus, back); err != nil {
		t.Fatal(err)
	}
	check(back, 0o600)
	// A user who opens what he has made keeps it open.
	for _, path := range []string{corpus, back} {
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	encode(private)
	if err := DecodeFile(corpus, back); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{corpus, back} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
}
