package tokenizer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trafficgpt/display"
)

// Names in a corpus that lead out of the folder are refused.
func TestNoEscape(t *testing.T) {
	dir := t.TempDir()
	w, err := CreateCorpus(filepath.Join(dir, "c"), CorpusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(write(t, filepath.Join(dir, "a"), []byte("a")), write(t, filepath.Join(dir, "b"), []byte("b"))); err != nil {
		t.Fatal(err)
	}
	w.files[0].Name = "../../escaped"
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	k, err := OpenCorpus(filepath.Join(dir, "c"))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if done, err := k.RestoreTo(filepath.Join(dir, "d", "e")); err == nil || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("%v, %v", done, err)
	}
}

// A writer that is interrupted, or has no room, leaves nothing half written: a
// new corpus does not appear, one that was gone on with is as before.
func TestNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	in := write(t, at("in.pcap"), capture(9000, 500))
	if err := EncodeFile(in, at("old")); err != nil {
		t.Fatal(err)
	}
	old := read(t, at("old"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, open := range map[string]func(string, CorpusOptions) (*CorpusWriter, error){"new": CreateCorpus, "old": AppendCorpus} {
		w, err := open(at(name), CorpusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if name == "old" { // some of it is there when the end comes
			if err := w.Add(write(t, at("other.pcap"), capture(100, 5))); err != nil {
				t.Fatal(err)
			}
		}
		leave := display.Enter(ctx, nil)
		if err := w.Add(write(t, at("more.pcap"), capture(100, 5))); !errors.Is(err, errInterrupted) {
			t.Errorf("%s: %v", name, err)
		}
		leave()
		w.Abort()
	}
	if !bytes.Equal(read(t, at("old")), old) {
		t.Error("the corpus is not as before")
	}
	c, err := OpenCorpus(at("old"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := restorer{ctx: ctx, k: c}
	if err := r.one(target{0, at("back")}); !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), at("back")) {
		t.Error(err)
	}
	leave := display.Enter(ctx, nil)
	defer leave()
	if done, err := c.RestoreTo(at("back")); !errors.Is(err, errInterrupted) || done.Files != 0 {
		t.Error(done, err)
	}
	if left, _ := filepath.Glob(at(".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{"new", "back"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}
