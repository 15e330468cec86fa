package notebooks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportedModules: exported programs pass tidy, vet and build with nothing
// downloaded before, and stay as they are when they are tidied again.
func TestExportedModules(t *testing.T) {
	if os.Getenv("TRAFFICGPT_LONG") == "" {
		t.Skip("downloads and builds much: set TRAFFICGPT_LONG=1")
	}
	books, err := filepath.Glob("*.ipynb")
	if err != nil || len(books) == 0 {
		t.Fatalf("no notebooks, %v", err)
	}
	cache := t.TempDir()
	for _, in := range append(books, filepath.Join("testdata", "language.go")) {
		t.Run(filepath.Base(in), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "a program")
			if _, err := Export(in, out, ExportOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, args := range []string{"mod tidy", "mod tidy -diff", "vet ./...", "build -o prog ."} {
				cmd := exec.Command("go", strings.Fields(args)...)
				cmd.Dir = out
				cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=-modcacherw", "GOWORK=off")
				if text, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go %s: %v\n%s", args, err, text)
				}
			}
		})
	}
}

// The folder of the library may have a name that go.mod must quote.
func TestExportedModuleQuotes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a checkout, (moved)")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in, out := filepath.Join(root, "cells.go"), filepath.Join(root, "out")
	if err := os.WriteFile(in, []byte("1 + 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(in, out, ExportOptions{Module: root}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-mod=mod", "-m", "-f", "{{.Replace.Dir}}", "trafficgpt")
	cmd.Dir, cmd.Env = out, append(os.Environ(), "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(text)) != root {
		t.Errorf("%v: %s, want %s", err, text, root)
	}
	if _, err := Export(in, out, ExportOptions{Module: out}); err == nil || !strings.Contains(err.Error(), "no checkout") {
		t.Errorf("a folder that is no checkout: %v", err)
	}
}
