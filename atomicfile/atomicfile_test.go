package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// hiddenIn lists what was left behind in a folder.
func hiddenIn(t *testing.T, dir string) (left []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Prefix) {
			left = append(left, e.Name())
		}
	}
	return left
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, c := range []struct {
		name     string
		umask    int
		before   fs.FileMode // of what stands there, 0 for nothing
		o        Options
		restrict fs.FileMode
		want     fs.FileMode
	}{
		{"new under umask 077", 0o077, 0, Options{}, 0o777, 0o600},
		{"new under umask 022", 0o022, 0, Options{}, 0o777, 0o644},
		{"new and private", 0o022, 0, Options{Mode: 0o600}, 0o777, 0o600},
		{"made of a private file", 0o022, 0, Options{}, 0o600, 0o600},
		{"replaces a private file", 0o022, 0o600, Options{}, 0o777, 0o600},
		{"replaces a file that all may write", 0o077, 0o666, Options{}, 0o777, 0o666},
		{"replaces a program", 0o022, 0o755, Options{}, 0o600, 0o755},
		{"replaces a file that nobody may write", 0o022, 0o444, Options{}, 0o777, 0o444},
	} {
		os.Remove(path)
		if c.before != 0 {
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.before); err != nil {
				t.Fatal(err)
			}
		}
		syscall.Umask(c.umask)
		f, err := Create(path, c.o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := f.Restrict(c.restrict); err != nil {
			t.Fatal(err)
		}
		if m := mode(t, f.Name()).Perm(); m&^c.want != 0 {
			t.Errorf("%s: while it is written its mode is %o", c.name, m)
		}
		if _, err := f.Write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if m := mode(t, path).Perm(); m != c.want {
			t.Errorf("%s: mode %o, want %o", c.name, m, c.want)
		}
		os.Chmod(path, 0o600)
		if data, _ := os.ReadFile(path); string(data) != "new" {
			t.Errorf("%s: %q", c.name, data)
		}
	}
	if left := hiddenIn(t, dir); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("the packet is wrong")
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, "half")
		return wrong
	})
	if !errors.Is(err, wrong) || err.Error() != "failed to write "+path+": the packet is wrong" {
		t.Errorf("error: %v", err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("half"))
	f.Discard()
	f.Discard()
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Discard: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the file holds %q", data)
	}
	if left := hiddenIn(t, dir); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// A full disk is told by the file that was asked for.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	err := WriteBytes("/dev/full", []byte("x"))
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != "failed to write /dev/full: no space left on device" {
		t.Errorf("error: %v", err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none", "a"): "no such file or directory",
		dir:                             "it is a folder",
	} {
		if err := WriteBytes(path, nil); err == nil || err.Error() != "failed to write "+path+": "+want {
			t.Errorf("error: %v", err)
		}
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(filepath.Join(dir, "loop"), nil); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("error: %v", err)
	}
}

func TestLinksStay(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join("sub", "file"), link); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} { // of a link into nothing, and of one to a file
		if err := WriteBytes(link, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, "sub", "file")); string(data) != text {
			t.Errorf("the file behind the link holds %q", data)
		}
	}
	if mode(t, link)&fs.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
}

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		got <- string(data)
	}()
	if err := WriteBytes(path, []byte("through")); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "through" || mode(t, path)&fs.ModeNamedPipe == 0 {
		t.Errorf("read %q", text)
	}
}

// Names such as /dev/stdout are links to what is open, a pipe as it may be, and lead
// to no name of a file.
func TestOpenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	path := fmt.Sprintf("/dev/fd/%d", w.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip("no /dev/fd on this system")
	}
	if err := WriteBytes(path, []byte("through")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "through" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestLongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	if err := WriteBytes(path, []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "deep", "folder")
	fill := func(text string, err error) func(string) error {
		return func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, text), nil, 0o644), err)
		}
	}
	names := func() (list []string) {
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	if err := Folder(path, fill("first", nil)); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("no")
	if err := Folder(path, fill("half", wrong)); !errors.Is(err, wrong) || strings.Join(names(), " ") != "first" {
		t.Errorf("error %v, folder %v", err, names())
	}
	if err := Folder(path, fill("second", nil)); err != nil || strings.Join(names(), " ") != "second" {
		t.Errorf("error %v, folder %v", err, names())
	}
	if left := hiddenIn(t, filepath.Dir(path)); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
