package kernel

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func withSpec(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile("../kernel.json")
	if err != nil {
		t.Fatal(err)
	}
	Spec = raw
	t.Cleanup(func() { Spec = nil })
}

func TestInstallAndUninstall(t *testing.T) {
	withSpec(t)
	prefix := t.TempDir()
	dir := filepath.Join(prefix, "share", "jupyter", "kernels", "tg-1")
	var out, errs bytes.Buffer
	for range 2 { // the second replaces the first
		if code := InstallCommand([]string{"--prefix", prefix, "--name", "tg-1"}, &out, &errs); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Argv          []string
		InterruptMode string `json:"interrupt_mode"`
		Language      string
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Argv) != 3 || !filepath.IsAbs(spec.Argv[0]) || spec.Argv[1] != "kernel" || spec.Argv[2] != "{connection_file}" {
		t.Errorf("argv %q", spec.Argv)
	}
	if info, err := os.Stat(spec.Argv[0]); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the program of the kernelspec cannot be executed: %v", err)
	}
	if spec.InterruptMode != "message" || spec.Language != "go" {
		t.Errorf("kernelspec %s", raw)
	}
	checkLogos(t, dir)
	if code := UninstallCommand([]string{"--prefix", prefix, "--name", "tg-1"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if code := UninstallCommand([]string{"--prefix", prefix, "--name", "tg-1"}, &out, &errs); code != 1 {
		t.Errorf("uninstalling twice: exit code %d", code)
	}
}

func checkLogos(t *testing.T, dir string) {
	t.Helper()
	for name, size := range map[string]int{"logo-32x32.png": 32, "logo-64x64.png": 64} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
			t.Errorf("%s: %v, %v", name, img, err)
			continue
		}
		if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
			t.Errorf("%s: its corner is not transparent", name)
		}
		if _, _, _, a := img.At(size/2, size/2).RGBA(); a != 0xffff {
			t.Errorf("%s: its middle is not filled", name)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "logo-svg.svg"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		XMLName xml.Name
		Rects   []struct{} `xml:"rect"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil || doc.XMLName.Local != "svg" || len(doc.Rects) != 7 {
		t.Errorf("logo-svg.svg: %v, %+v", err, doc)
	}
}

func TestUninstallLeavesOthersAlone(t *testing.T) {
	prefix := t.TempDir()
	dir := filepath.Join(prefix, "share", "jupyter", "kernels", "python3")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernel.json"), []byte(`{"argv":["python"],"language":"python"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := UninstallCommand([]string{"--prefix", prefix, "--name", "python3"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "not trafficgpt's") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "kernel.json")); err != nil {
		t.Error(err)
	}
}

func TestCommandUsage(t *testing.T) {
	type command func([]string, *bytes.Buffer, *bytes.Buffer) int
	commands := map[string]command{
		"install":   func(a []string, o, e *bytes.Buffer) int { return InstallCommand(a, o, e) },
		"uninstall": func(a []string, o, e *bytes.Buffer) int { return UninstallCommand(a, o, e) },
		"doctor":    func(a []string, o, e *bytes.Buffer) int { return DoctorCommand(a, o, e) },
	}
	for name, run := range commands {
		var out, errs bytes.Buffer
		if code := run([]string{"--help"}, &out, &errs); code != 0 || !strings.Contains(out.String(), "example: trafficgpt "+name) {
			t.Errorf("%s --help: exit code %d, %q", name, code, out.String())
		}
		bad := [][]string{{"--nonsense"}, {"word"}}
		if name != "doctor" {
			bad = append(bad, []string{"--user", "--prefix", "/x"}, []string{"--name", "a b"})
		}
		for _, args := range bad {
			out.Reset()
			errs.Reset()
			if code := run(args, &out, &errs); code != 2 || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
				t.Errorf("%s %q: exit code %d, stderr %q", name, args, code, errs.String())
			}
		}
	}
}
