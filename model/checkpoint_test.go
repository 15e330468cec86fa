package model

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestResume stops training in the middle and must go on with the very same
// losses.
func TestResume(t *testing.T) {
	for _, c := range testConfigs() {
		c.Dropout = 0.1
		m := testModel(t, c)
		tr := NewTrainer(m, TrainerOptions{Seed: 3})
		path := filepath.Join(t.TempDir(), "run.safetensors")
		step := func(tr *Trainer, i int) float64 {
			info, err := tr.Step(1e-2, testBatch(c.Vocabulary, uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			return info.Loss
		}
		var want []float64
		for i := range 6 {
			if i == 3 {
				if err := tr.Save(path, map[string]string{"at": "here"}); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, step(tr, i))
		}
		_, again, notes, err := LoadTrainer(path)
		if err != nil {
			t.Fatal(err)
		}
		if notes["at"] != "here" || again.Steps() != 3 {
			t.Errorf("%s: notes %v after %d steps", c.Name, notes, again.Steps())
		}
		for i := 3; i < 6; i++ {
			if got := step(again, i); got != want[i] {
				t.Errorf("%s: step %d gives %v after the resume, %v without", c.Name, i, got, want[i])
			}
		}
	}
}

// TestBadCheckpoints cuts and spoils a file everywhere; each must be an error
// that names it.
func TestBadCheckpoints(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	m := testModel(t, testConfigs()[0])
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.safetensors")
	try := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(bad, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: the error is %v", what, err)
		}
	}
	for _, n := range []int{0, 5, 8, 9, 100, len(good) / 2, len(good) - 1} {
		try("cut", good[:n])
	}
	try("a huge header", append([]byte{255, 255, 255, 255, 255, 255, 255, 127}, good[8:]...))
	try("no JSON", append(append([]byte(nil), good[:8]...), bytes.Repeat([]byte("x"), len(good)-8)...))
	try("another name", bytes.Replace(good, []byte("embed.weight"), []byte("embad.weight"), 1))
	try("another type", bytes.Replace(good, []byte(`"F32"`), []byte(`"F16"`), 1))
	try("another size", bytes.Replace(good, []byte(`\"Layers\":2`), []byte(`\"Layers\":9`), 1))
	if _, _, _, err := LoadTrainer(path); err == nil {
		t.Error("a model without training state was taken for one with it")
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range m.Weights() {
		if again.Weights()[i] != x {
			t.Fatalf("weight %d is %v, was %v", i, again.Weights()[i], x)
		}
	}
}

// TestFailedSave must leave nothing behind.
func TestFailedSave(t *testing.T) {
	m := testModel(t, testConfigs()[0])
	dir := t.TempDir()
	if err := m.Save(filepath.Join(dir, "none", "x.safetensors")); err == nil {
		t.Error("a file in a folder that is not there was written")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files are left behind", len(left))
	}
}

// TestPythonReads has the Python library, where there is one, read a checkpoint.
func TestPythonReads(t *testing.T) {
	script := `
import sys, json
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as f:
    print(sorted(f.keys())[0], f.get_tensor("layers.0.qkv.weight").shape, json.loads(f.metadata()["config"])["Layers"],
          f.get_tensor("optimizer.v.layers.0.qkv.weight").shape, json.loads(f.metadata()["trainer"])["Steps"])
`
	python := os.Getenv("TRAFFICGPT_PYTHON") // with the library: set, this test may not be left out
	if python == "" {
		python = "python3"
		if err := exec.Command(python, "-c", "import safetensors.numpy").Run(); err != nil {
			t.Skip("the Python library safetensors is not installed")
		}
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := NewTrainer(testModel(t, testConfigs()[0]), TrainerOptions{Seed: 1}).Save(path, map[string]string{"at": "here"}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if err != nil || string(out) != "embed.weight (12, 36) 2 (12, 36) 0\n" {
		t.Errorf("Python says %q (%v)", out, err)
	}
}
