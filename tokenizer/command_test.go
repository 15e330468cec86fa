package tokenizer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	one, two := capture(100, 50), capture(30, 500)
	write(t, at("one.pcap"), one)
	write(t, at("text.txt"), []byte("no capture"))
	if err := os.MkdirAll(at("folder", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, at("folder", "sub", "two.pcap"), two)
	write(t, at("folder", "empty"), nil)

	steps := []struct {
		name string
		args []string // the first is the command
		code int
		says string // on stdout when the code is 0, else on stderr
	}{
		{"no names", []string{"encode"}, 2, "at least one IN"},
		{"help", []string{"encode", "-h"}, 0, "example:"},
		{"help", []string{"decode", "--help"}, 0, "example:"},
		{"unknown option", []string{"encode", "-what", "a", "b"}, 2, "-what"},
		{"negative", []string{"encode", "-idle", "-5s", "a", "b"}, 2, "negative"},
		{"missing file", []string{"encode", at("missing"), at("x")}, 1, "no such file"},
		{"missing folder", []string{"encode", at("one.pcap"), at("no", "x")}, 1, "no such file"},
		{"onto itself", []string{"encode", at("one.pcap"), at("one.pcap")}, 1, "read and written"},
		{"onto a capture", []string{"encode", at("text.txt"), at("one.pcap")}, 1, "no corpus"},
		{"onto a folder", []string{"encode", at("text.txt"), dir}, 1, "folder"},
		{"one file", []string{"encode", at("one.pcap"), at("c1")}, 0, "1 files"},
		{"again", []string{"encode", at("one.pcap"), at("c1")}, 0, "100 packets in 77 flows"},
		{"back", []string{"decode", at("c1"), at("back.pcap")}, 0, "1 files"},
		{"not a corpus", []string{"decode", at("one.pcap"), at("x")}, 1, "not a corpus"},
		{"one name", []string{"decode", at("c1")}, 2, "2 names"},
		{"many", []string{"encode", at("one.pcap"), at("text.txt"), at("folder"), at("c2"), "-pack"}, 0, "4 files"},
		{"many into a file", []string{"decode", at("c2"), at("one.pcap")}, 1, "folder"},
		{"many into a folder", []string{"decode", at("c2"), at("all")}, 0, "4 files"},
		{"the same name", []string{"encode", "-append", at("one.pcap"), at("c2")}, 1, "already"},
		{"append", []string{"encode", "-append", at("back.pcap"), at("c2")}, 0, "1 files"},
		{"list", []string{"decode", "-list", at("c2")}, 0, "folder/sub/two.pcap"},
		{"check", []string{"decode", "-check", at("c2")}, 0, "5 files, all sound"},
		{"only", []string{"decode", "-only", "folder/sub/two.pcap", at("c2"), at("two.pcap")}, 0, "1 files"},
		{"only what is not there", []string{"decode", "-only", "x", at("c2"), at("y")}, 1, `no file "x"`},
	}
	for _, s := range steps {
		var out, errs bytes.Buffer
		f := map[string]func([]string) int{
			"encode": func(a []string) int { return EncodeCommand(a, &out, &errs) },
			"decode": func(a []string) int { return DecodeCommand(a, &out, &errs) },
		}[s.args[0]]
		code := f(s.args[1:])
		said := out.String()
		if s.code != 0 {
			said = errs.String()
			if strings.Count(said, "\n") != 1 {
				t.Errorf("%s: not one line: %q", s.name, said)
			}
		}
		if code != s.code || !strings.Contains(said, s.says) {
			t.Errorf("%s: code %d, %q; want code %d and %q", s.name, code, said, s.code, s.says)
		}
	}
	for path, want := range map[string][]byte{"back.pcap": one, "two.pcap": two, "all/one.pcap": one, "all/text.txt": []byte("no capture"),
		"all/folder/sub/two.pcap": two, "all/folder/empty": {}} {
		if !bytes.Equal(read(t, at(path)), want) {
			t.Errorf("%s differs", path)
		}
	}

	// A damaged corpus: the file is not written, its fellow is; -salvage writes what is left.
	b := read(t, at("c2"))
	i := bytes.Index(b, []byte("no capture"))
	b[i] ^= 1
	write(t, at("c3"), b)
	var out, errs bytes.Buffer
	if code := DecodeCommand([]string{at("c3"), at("damaged")}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "bytes 0 to 9 of text.txt") {
		t.Errorf("damage: code %d, %q", code, errs.String())
	}
	if _, err := os.Stat(at("damaged", "text.txt")); err == nil || !bytes.Equal(read(t, at("damaged", "one.pcap")), one) {
		t.Error("the damaged file should not be there, the others should")
	}
	if code := DecodeCommand([]string{"-check", at("c3")}, &out, &errs); code != 1 {
		t.Error("the check finds nothing")
	}
	if code := DecodeCommand([]string{"-salvage", at("c3"), at("salvaged")}, &out, &errs); code != 1 || len(read(t, at("salvaged", "text.txt"))) != 0 {
		t.Errorf("salvage: code %d", code)
	}
}

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
	var out, errs bytes.Buffer
	if code := DecodeCommand([]string{filepath.Join(dir, "c"), filepath.Join(dir, "d", "e")}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "leads out") {
		t.Errorf("code %d, %q", code, errs.String())
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
		w.ctx = ctx
		if err := w.Add(write(t, at("more.pcap"), capture(100, 5))); !errors.Is(err, errInterrupted) {
			t.Errorf("%s: %v", name, err)
		}
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
	if left, _ := filepath.Glob(at(".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{"new", "back"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}
