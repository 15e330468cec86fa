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

func template(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../kernel.json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestInstallAndUninstall(t *testing.T) {
	prefix := t.TempDir()
	dir := filepath.Join(prefix, "share", "jupyter", "kernels", "tg-1")
	where := InstallOptions{Spec: template(t), Prefix: prefix, Name: "tg-1"}
	for range 2 { // the second replaces the first
		if got, err := Install(where); err != nil || got != dir {
			t.Fatalf("%s, %v", got, err)
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
	if got, err := Uninstall(where); err != nil || got != dir {
		t.Fatalf("%s, %v", got, err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := Uninstall(where); err == nil || !strings.Contains(err.Error(), "no kernel is installed in "+dir) {
		t.Errorf("uninstalling twice: %v", err)
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
	if _, err := Uninstall(InstallOptions{Prefix: prefix, Name: "python3"}); err == nil || !strings.Contains(err.Error(), "not trafficgpt's") {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kernel.json")); err != nil {
		t.Error(err)
	}
}

func TestInstallRefuses(t *testing.T) {
	for says, o := range map[string]InstallOptions{
		"Name is \"a b\"":      {Spec: template(t), Name: "a b"},
		"without a kernelspec": {},
		"has no argv":          {Spec: []byte("{}")},
		"template: ":           {Spec: []byte("no JSON")},
	} {
		o.Prefix = t.TempDir()
		if _, err := Install(o); err == nil || !strings.Contains(err.Error(), says) || strings.Count(err.Error(), "failed") > 1 {
			t.Errorf("%v, want %q", err, says)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Prefix, "share", "jupyter", "kernels", ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := "failed to write " + filepath.Join(blocked, "share", "jupyter", "kernels", "trafficgpt") + ": not a directory"
	if _, err := Install(InstallOptions{Spec: template(t), Prefix: blocked}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
