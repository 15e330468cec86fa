package command

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSegments(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"x := 1", "go(x := 1)@0"},
		{"%pwd", "%pwd()@0"},
		{"%cd a b\nx := 1\n!ls -l", "%cd(a b)@0 go(x := 1\n)@1 !(ls -l)@2"},
		{"f(a\n% b)", "go(f(a\n% b))@0"},
		{"s := `\n%cd x\n`", "go(s := `\n%cd x\n`)@0"},
		{"\n%%bash -x\nls\n%cd", "%%bash(-x)[ls\n%cd]@1"},
		{"!done", "go(!done)@0"},
		{"!ls", "!(ls)@0"},
		{"!!ls", "!(ls)@0"},
		{"fmt.Println?", "%pinfo(fmt.Println)@0"},
		{"?x", "%pinfo(x)@0"},
		{"x??", "%pinfo2(x)@0"},
		{"// what?", "go(// what?)@0"},
		{"x := a +\n%cd", "go(x := a +\n%cd)@0"},
	} {
		var got []string
		for _, s := range segments(c.code, func(line string) bool { return line == "!done" }) {
			text := s.command + "(" + s.args + ")"
			if s.command == "" {
				text = "go(" + s.text + ")"
			}
			if s.body != "" {
				text += "[" + s.body + "]"
			}
			got = append(got, fmt.Sprintf("%s@%d", text, s.line))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%q: %q, want %q", c.code, text, c.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 1234567: "1.23ms", 999999: "1ms", 61*time.Second + 123: "1m1s", 12: "12ns"} {
		if got := shortDuration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
	for ns, want := range map[float64]string{0.5: "0.5 ns", 1234: "1.23 µs", 5e9: "5 s"} {
		if got := durationText(ns); got != want {
			t.Errorf("%v: %s, want %s", ns, got, want)
		}
	}
}
