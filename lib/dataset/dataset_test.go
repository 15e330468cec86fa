package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// The corpus is what the notebooks count on: many classes, many flows, small.
func TestLab(t *testing.T) {
	began := time.Now()
	lab := Lab()
	took := time.Since(began)
	if took > time.Second {
		t.Errorf("reading took %v", took)
	}
	t.Logf("read in %v", took)
	classes := lab.Classes()
	if len(classes) < 14 || lab.Len() < 1500 {
		t.Errorf("%d classes and %d flows", len(classes), lab.Len())
	}
	if len(labSnapshot) > 1e6 {
		t.Errorf("the snapshot has %d bytes, more than 1 MB", len(labSnapshot))
	}
	for _, c := range classes {
		if c.Flows < 10 || c.Groups < 8 {
			t.Errorf("class %s has %d flows in %d groups", c.Label, c.Flows, c.Groups)
		}
	}
	longest := slices.MaxFunc(classes, func(a, b Class) int { return a.Longest - b.Longest })
	if longest.Longest <= 12032 {
		t.Errorf("the longest flow has %d tokens", longest.Longest)
	}
	for i, f := range lab.Flows {
		if f.Label == "" || f.Group == "" || len(f.Packets) == 0 || !f.Key.Src.IsValid() {
			t.Fatalf("flow %d: label %q, group %q, %d packets, from %v", i, f.Label, f.Group, len(f.Packets), f.Key.Src)
		}
		if !slices.IsSortedFunc(f.Packets, func(a, b pcap.Packet) int { return a.Time.Compare(b.Time) }) {
			t.Errorf("flow %d is not in time order", i)
		}
	}
	if again := Lab(); &again.Flows[0] == &lab.Flows[0] || again.Flows[0] != lab.Flows[0] {
		t.Error("two calls must share the flows, not the list")
	}
}

func TestLabSplit(t *testing.T) {
	lab := Lab()
	train, test := lab.Split(0.2, 1)
	if train.Len()+test.Len() != lab.Len() {
		t.Fatalf("%d and %d of %d", train.Len(), test.Len(), lab.Len())
	}
	if !slices.Equal(train.Labels(), lab.Labels()) || !slices.Equal(test.Labels(), lab.Labels()) {
		t.Errorf("classes: train %v, test %v", train.Labels(), test.Labels())
	}
	if share := float64(test.Len()) / float64(lab.Len()); share < .17 || share > .23 {
		t.Errorf("%.3f of the flows are for testing", share)
	}
	r := Leaks(train, test)
	t.Log(r)
	if !r.Clean() || len(r.Alone) > 0 {
		t.Errorf("the split leaks: %+v", r)
	}
	train2, test2 := lab.Split(0.2, 1)
	if !slices.Equal(train.Flows, train2.Flows) || !slices.Equal(test.Flows, test2.Flows) {
		t.Error("the same seed gave another split")
	}
	if _, other := lab.Split(0.2, 2); slices.Equal(test.Flows, other.Flows) {
		t.Error("another seed gave the same split")
	}
}

func flow(label, group string) *pcap.Flow {
	return &pcap.Flow{Label: label, Group: group, Packets: []pcap.Packet{{Data: []byte(label + group), LinkType: 147, Time: time.Unix(1, 0)}}}
}

func TestSplitKeepsGroups(t *testing.T) {
	s := &Set{}
	for i := range 100 {
		s.Flows = append(s.Flows, flow("a", "big"), flow("b", string(rune('0'+i%10))), flow("c", "shared"), flow("d", "shared"), flow("e", ""))
	}
	for seed := range uint64(20) {
		train, test := s.Split(0.3, seed)
		seen := map[string]bool{}
		for _, f := range train.Flows {
			seen[f.Group] = true
		}
		for _, f := range test.Flows {
			if f.Group != "" && seen[f.Group] {
				t.Fatalf("seed %d: group %q in both", seed, f.Group)
			}
		}
		count := map[string]int{}
		for _, f := range test.Flows {
			count[f.Label]++
		}
		if count["a"] != 0 || count["b"] != 30 || count["e"] != 30 {
			t.Fatalf("seed %d: test has %v", seed, count)
		}
	}
	if train, test := s.Split(0, 1); train.Len() != s.Len() || test.Len() != 0 {
		t.Error("fraction 0 must put all into training")
	}
	if train, test := s.Split(1, 1); train.Len() != 0 || test.Len() != s.Len() {
		// One group of a class stays for training unless all is asked for.
		t.Errorf("fraction 1 gave %d and %d", train.Len(), test.Len())
	}
}

func TestChoices(t *testing.T) {
	s := &Set{Name: "s"}
	for range 3 {
		s.Flows = append(s.Flows, flow("a", ""), flow("b", ""), flow("c", ""))
	}
	if got := s.Only("a", "c"); got.Len() != 6 || !slices.Equal(got.Labels(), []string{"a", "c"}) {
		t.Errorf("Only: %v", got)
	}
	if got := s.Without("a"); got.Len() != 6 || got.Flows[0].Label != "b" {
		t.Errorf("Without: %v", got)
	}
	if got := s.Take(4); got.Len() != 4 || got.Flows[3] != s.Flows[3] {
		t.Errorf("Take: %v", got)
	}
	if got := s.Take(99); got.Len() != 9 {
		t.Errorf("Take of too many: %v", got)
	}
	if got := s.Take(-1); got.Len() != 0 {
		t.Errorf("Take of less than none: %v", got)
	}
	if got := s.Each(2); got.Len() != 6 {
		t.Errorf("Each: %v", got)
	}
	a, b, c := s.Shuffle(1), s.Shuffle(1), s.Shuffle(2)
	if !slices.Equal(a.Flows, b.Flows) || slices.Equal(a.Flows, c.Flows) || a.Len() != 9 {
		t.Error("Shuffle must follow from the seed alone")
	}
	if got := s.Tokens(0, 1); got.Len() != 0 {
		t.Errorf("Tokens: %v", got)
	}
	if got := s.And(s.Only("a")); got.Len() != 12 {
		t.Errorf("And: %v", got)
	}
	if n := tokenizer.Length(s.Flows[0]); n != 12 {
		t.Errorf("a flow of one packet of one byte has %d tokens", n)
	}
}

func TestShow(t *testing.T) {
	m := Lab().MIME()
	text, _ := m[display.Text].(string)
	html, _ := m[display.HTML].(string)
	for _, want := range []string{"dns", "tls", "all"} {
		if !strings.Contains(text, want) || !strings.Contains(html, want) {
			t.Errorf("%q is not in the table:\n%s", want, text)
		}
	}
	t.Log("\n" + text)
}

// What Save writes, Open reads back bit by bit, whatever the packets are.
func TestSnapshotRoundTrip(t *testing.T) {
	sets := []*Set{Lab(), {Name: "empty"}, {Name: "no packets", Flows: []*pcap.Flow{{Label: "x"}}}, odd()}
	for _, s := range sets {
		path := filepath.Join(t.TempDir(), "s.tgset")
		if err := s.Save(path); err != nil {
			t.Fatal(err)
		}
		got, err := Open(path)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		same(t, s, got)
	}
}

// odd is packets that no expectation fits.
func odd() *Set {
	s := &Set{Name: "odd"}
	at := time.Unix(1234567890, 123456789).UTC()
	for i, b := range [][]byte{{}, {1}, bytes.Repeat([]byte{0xff}, 14), bytes.Repeat([]byte{8, 0}, 40), bytes.Repeat([]byte{0x45}, 60),
		append([]byte{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 8, 0, 0x45, 0, 0, 2}, make([]byte, 60)...),
		append([]byte{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 0x86, 0xdd, 0x60, 0, 0xff, 0xff, 0, 1, 6}, make([]byte, 200)...)} {
		for _, link := range []pcap.LinkType{1, 101, 113, 147} {
			s.Flows = append(s.Flows, &pcap.Flow{Label: "l", Group: string(rune('a' + i)), Packets: []pcap.Packet{
				{Time: at, Data: b, Length: len(b) + 3*i, LinkType: link, Interface: i},
				{Time: at.Add(-time.Duration(i) * 7), Data: b, Length: len(b), LinkType: link}}})
		}
	}
	return s
}

func same(t *testing.T, want, got *Set) {
	t.Helper()
	if got.Name != want.Name || len(got.Flows) != len(want.Flows) {
		t.Fatalf("got %q with %d flows, want %q with %d", got.Name, len(got.Flows), want.Name, len(want.Flows))
	}
	for i, w := range want.Flows {
		g := got.Flows[i]
		if g.Label != w.Label || g.Group != w.Group || g.Source != w.Source || g.Key != w.Key || len(g.Packets) != len(w.Packets) {
			t.Fatalf("flow %d: got %+v, want %+v", i, g.Key, w.Key)
		}
		for k := range w.Packets {
			a, b := g.Packets[k], w.Packets[k]
			if !a.Time.Equal(b.Time) || !bytes.Equal(a.Data, b.Data) || a.Length != b.Length || a.LinkType != b.LinkType || a.Interface != b.Interface {
				t.Fatalf("%s flow %d packet %d: got\n%v\nwant\n%v", want.Name, i, k, a, b)
			}
		}
	}
}

func TestRealCapturesRoundTrip(t *testing.T) {
	root := realData(t)
	s, err := Folder(root)
	if err != nil {
		t.Fatal(err)
	}
	b := s.pack()
	got, err := unpack(b)
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, got)
	total := int64(0)
	for _, f := range s.Flows {
		total += f.Bytes()
	}
	t.Logf("%d flows, %d bytes in %d, %d warnings", s.Len(), total, len(b), len(s.Warnings))
}

// realData is a folder of captures of many kinds; short of it tests skip.
func realData(t *testing.T) string {
	root := filepath.Join("..", "..", "..", "shared", "data", "weird")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the real captures are not beside the repository")
	}
	return root
}

func TestDamagedSnapshots(t *testing.T) {
	s := Lab().Each(1)
	b := s.pack()
	for _, n := range []int{0, 4, 8, 11, 40, len(b) / 2, len(b) - 1} {
		if _, err := unpack(b[:n]); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
	for i := 8; i < len(b); i += 1 + len(b)/997 {
		c := bytes.Clone(b)
		c[i] ^= 0x10
		if got, err := unpack(c); err == nil {
			same(t, s, got) // a bit of the frame that decides nothing
		}
	}
	b[7] = 9
	if _, err := unpack(b); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("another version: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was opened")
	}
}

func FuzzUnpackColumns(f *testing.F) {
	e := &packer{}
	s := odd()
	e.text(s.Name)
	e.put(colFlows, uint64(len(s.Flows)))
	for i, fl := range s.Flows {
		e.flow(uint64(i), fl)
	}
	f.Add(e.col[colFlows], e.col[colSizes], e.col[colHeaderLen], uint8(0))
	f.Fuzz(func(t *testing.T, flows, sizes, lengths []byte, cut uint8) {
		d := &unpacker{col: e.col}
		d.col[colFlows], d.col[colSizes], d.col[colHeaderLen] = flows, sizes, lengths
		d.col[colTimes] = d.col[colTimes][min(int(cut), len(d.col[colTimes])):]
		d.set() // must not panic
	})
}
