package dataset

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	lab := Lab()
	want := lab.Only("dns", "ntp", "http").Each(12)
	if err := want.WriteFolder(dir); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "dns", "notes.txt"), []byte("not a capture"), 0o644)
	os.WriteFile(filepath.Join(dir, "dns", ".hidden"), []byte("not a capture"), 0o644)
	if err := pcap.WriteFlows(filepath.Join(dir, "loose.pcap"), lab.Flows[:1]); err != nil {
		t.Fatal(err)
	}
	s, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Labels(); !slices.Equal(got, []string{"", "dns", "http", "ntp"}) {
		t.Errorf("labels %q", got)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "notes.txt") {
		t.Errorf("warnings %q", s.Warnings)
	}
	for _, c := range want.Classes() {
		if got := s.Only(c.Label).Classes()[0]; got.Packets != c.Packets || got.Bytes != c.Bytes || got.Flows != c.Flows {
			t.Errorf("%s: got %+v, want %+v", c.Label, got, c)
		}
	}
	for _, f := range s.Flows {
		if f.Group == "" {
			t.Fatalf("a flow of %s has no group", f.Source)
		}
	}
	if !strings.Contains(s.String(), "1 warnings") {
		t.Errorf("the table hides the warning:\n%s", s)
	}
}

func TestFolderErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "no capture in") {
		t.Errorf("an empty folder: %v", err)
	}
	bad := filepath.Join(dir, "bad.pcap")
	os.WriteFile(bad, []byte("nonsense, not a capture at all"), 0o644)
	if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "bad.pcap") {
		t.Errorf("nothing readable: %v", err)
	}
	if _, err := Folder(bad); err == nil || !strings.Contains(err.Error(), "dataset.File") {
		t.Errorf("a file as folder: %v", err)
	}
	if _, err := Folder(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing folder was read")
	}
	if _, err := File(bad); err == nil {
		t.Error("nonsense was read as a capture")
	}
	if _, err := File(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing file was read")
	}
}

func TestFolderInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := Lab().Only("ntp").Each(30).WriteFolder(dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	leave := display.Enter(ctx, discard{})
	defer leave()
	if s, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, %v", s, err)
	}
}

type discard struct{}

func (discard) Emit(display.Event) error { return nil }

func TestFileAndSnapshotFile(t *testing.T) {
	dir := t.TempDir()
	s := Lab().Only("redis").Take(9)
	capture, snapshot := filepath.Join(dir, "a.pcap"), filepath.Join(dir, "a.tgset")
	if err := s.Write(capture); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(snapshot); err != nil {
		t.Fatal(err)
	}
	a, err := File(capture)
	if err != nil {
		t.Fatal(err)
	}
	b, err := File(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if a.Len() != 9 || b.Len() != 9 || b.Flows[0].Label != "redis" || a.Flows[0].Label != "" {
		t.Errorf("%d and %d flows, labels %q and %q", a.Len(), b.Len(), a.Flows[0].Label, b.Flows[0].Label)
	}
}

// Near-duplicates are one group: the same flow with other hosts, ports, times
// and sequence numbers is found, another exchange of the protocol is not.
func TestRegroup(t *testing.T) {
	lab := Lab().Only("http", "dns", "smtp", "mqtt").Each(25)
	twins := &Set{}
	for _, f := range lab.Flows {
		g := *f
		g.Group, g.Source = "", ""
		h := *MaskFlow(f, 2)
		h.Group, h.Source = "", ""
		twins.Flows = append(twins.Flows, &g, &h)
	}
	for _, f := range twins.Flows {
		f.Source = string(rune(len(f.Packets))) + f.Key.Src.String() + f.Key.Dst.String()
	}
	got := twins.Regroup()
	apart := 0
	for i := 0; i < got.Len(); i += 2 {
		if got.Flows[i].Group != got.Flows[i+1].Group {
			apart++
		}
	}
	if apart > 0 {
		t.Errorf("%d of %d twins are in different groups", apart, lab.Len())
	}
	if n := got.Groups(); n < lab.Len()/3 {
		t.Errorf("%d groups for %d different flows: too much is one", n, lab.Len())
	}
	t.Logf("%d groups of %d pairs", got.Groups(), lab.Len())
}
