package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
)

// TestMain lets the test binary be the program: virtual time is entered once a
// process.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

func generate(t *testing.T, args ...string) *dataset.Set {
	t.Helper()
	out := filepath.Join(t.TempDir(), "lab.bin")
	cmd := exec.Command(os.Args[0], append([]string{"-o", out}, args...)...)
	cmd.Args[0] = "lab"
	cmd.Env = append(os.Environ(), "LAB_RUN=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	set, err := dataset.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEveryClassPlays plays each behaviour once: every class of the embedded
// corpus comes out, and every packet is a legal one.
func TestEveryClassPlays(t *testing.T) {
	set := generate(t, "-scale", "0.01")
	want, got := dataset.Lab().Labels(), set.Labels()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("classes %v, want %v", got, want)
	}
	for _, f := range set.Flows {
		if len(f.Packets) == 0 || f.Group == "" {
			t.Fatalf("a flow of %s has %d packets and the group %q", f.Label, len(f.Packets), f.Group)
		}
		for i, p := range f.Packets {
			if err := tokenizer.Check(p); err != nil {
				t.Errorf("%s packet %d: %v", f.Group, i, err)
			}
			if i > 0 && p.Time.Before(f.Packets[i-1].Time) {
				t.Errorf("%s packet %d goes back in time", f.Group, i)
			}
		}
	}
}

// TestSeedsDiffer: another seed, other hosts.
func TestSeedsDiffer(t *testing.T) {
	ends := func(seed string) (out []string) {
		for _, f := range generate(t, "-only", "ntp", "-scale", "0.05", "-seed", seed).Flows {
			out = append(out, f.Key.Src.String()+" "+f.Key.Dst.String())
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if a, b := ends("1"), ends("2"); slices.Equal(a, b) {
		t.Errorf("two seeds gave the same hosts: %v", a)
	}
}
