package cli

import (
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"8": 8e9, "8GB": 8e9, "8 GB": 8e9, " 8gb ": 8e9, "8g": 8e9, "8TB": 8e12, "512MB": 512e6, "512MiB": 512 << 20, "1.5g": 15e8,
		"1.5GiB": 3 << 29, "64kB": 64e3, "64KiB": 64 << 10, "2TiB": 2 << 40, "2t": 2e12, "0": 0, "0GB": 0, "0.5": 5e8, ".5": 5e8, "4.": 4e9,
		"1e1": 1e10, "9000000TB": 9e18,
	} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", " ", "nan", "inf", "+inf", "-1", "-0", "+8", "8XB", "8B", "8 G B", "GB", "1e400", "8,5", "0x10", "8GB8", "1_0",
		"10000000TB", "1e19", "0.0000000001", "much", "8GiBB", "8\x00"} {
		if got, err := parseSize(in); err == nil || !strings.Contains(err.Error(), "it takes") {
			t.Errorf("%q is taken for %d: %v", in, got, err)
		}
	}
}

// What engineFlags hands to the worker: 0 there is the default, less no limit.
func TestMemoryFlag(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int64
	}{{nil, 0}, {[]string{"--memory", "0"}, -1}, {[]string{"--memory=512MB"}, 512e6}} {
		f := newFlags("repl")
		var e engineFlags
		e.register(f)
		if err := f.Parse(c.args); err != nil || e.memory != c.want {
			t.Errorf("%v: %d, %v; want %d", c.args, e.memory, err, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	var words []string
	for _, c := range commands() {
		words = append(words, c.name)
	}
	for in, want := range map[string]string{
		"rnu": "run", "kernal": "kernel", "instal": "install", "unin": "uninstall", "decod": "decode", "encdoe": "encode",
		"docter": "doctor", "zzz": "", "frobnicate": "", "": "", "x": "", "helpp": "help",
	} {
		got := nearest(in, words)
		if want != "" {
			want = ", did you mean " + want + "?"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
