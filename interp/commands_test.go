package interp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
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

// shown is all that a cell showed as text.
func (m *memory) shown() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, e := range m.events {
		fmt.Fprintln(&b, e.Data[display.Text])
	}
	return b.String()
}

type step struct {
	code string
	want string // in what is printed, shown, the value or the error
}

func runSteps(t *testing.T, s *Session, steps []step) {
	t.Helper()
	for i, st := range steps {
		m := new(memory)
		r := s.Eval(context.Background(), Cell{Number: i + 1, Code: st.code}, m)
		var all strings.Builder
		all.WriteString(m.out.String() + m.err.String() + m.shown())
		fmt.Fprintln(&all, r.Value[display.Text])
		if r.Err != nil {
			fmt.Fprintln(&all, r.Err, r.Err.Diagnostics)
		}
		fmt.Fprint(&all, r.Payloads)
		if !strings.Contains(all.String(), st.want) {
			t.Errorf("%q: %q is not in\n%s", st.code, st.want, &all)
		}
		if r.Err != nil && !strings.Contains(st.want, "Error") && !strings.Contains(st.want, "Panic") {
			t.Errorf("%q: %v", st.code, r.Err)
		}
	}
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TGPT_TEST", "old")
	s := newTestSession(t)
	runSteps(t, s, []step{
		{"x := 41\nname := \"peter\"", ""},
		{"%help", "%%writefile"},
		{"%help cd", "change the folder"},
		{"%lsmagic", "%timeit"},
		{"%vars", "peter"},
		{"%who na", "string"},
		{"%time x + 1", "time: "},
		{"%time x + 1", "42"},
		{"%%time\nx++\nx", "42"},
		{"%timeit -n 10 -r 2 x + 1", "10 loops each"},
		{"%timeit -n 3 _ = x", "3 loops each"},
		{"%timeit -n x", `CommandError: -n wants a number from 1, not "x"`},
		{"%pwd", dir},
		{"!echo {name} {x} '{other}' ${HOME:+home}", "peter 42 {other} home"},
		{"!exit 3", "exit status 3"},
		{"%%bash one two\necho $1 $2; echo to stderr >&2", "one two"},
		{"%%bash\nexit 4", "CommandError: exit status 4"},
		{"%%script cat -n\nline", "1\tline"},
		{"%env TGPT_TEST", "old"},
		{"%env TGPT_TEST=new", "TGPT_TEST=new"},
		{"%env", "TGPT_TEST=new"},
		{"%env NO_SUCH_NAME", "CommandError: the environment has no NO_SUCH_NAME"},
		{"%%writefile a.txt\none\ntwo", "wrote a.txt"},
		{"%%writefile -a a.txt\n\nthree", "appended to a.txt"},
		{"!cat a.txt", "one\ntwo\nthree"},
		{"%ls", "a.txt"},
		{"%cat a.txt", "one\ntwo\nthree"},
		{"%mkdir made\n%cp a.txt made/b.txt\n%mv made/b.txt made/c.txt\n%rm made/c.txt\n%ls -a made", ".."},
		{"%rm nowhere.txt", "CommandError: exit status 1"},
		{"%load a.txt", "replace:true source:set_next_input text:// %load a.txt\none"},
		{"%load nowhere.txt", "CommandError: failed to read: open nowhere.txt"},
		{"%cd nowhere", "CommandError: failed to change the folder"},
		{"!mkdir sub", ""},
		{"%cd sub", "/sub"},
		{"%cd -", dir},
		{"%history 1", "[1] x := 41\n    name := \"peter\""},
		{"%rerun 1\nx", "41"},
		{"%rerun 99", "CommandError: no cell 99 has run"},
		{"%history 99", "CommandError: no cell 99 has run"},
		{"%save all.go 1", "wrote 1 cells to all.go"},
		{"!cat all.go", "// %%\nx := 41\nname := \"peter\"\n"},
		{"%%writefile s.go\n// %%\nq := 5\n// %%\nq * 2", "wrote s.go"},
		{"%run s.go", "10"},
		{"q", "5"},
		{"%%writefile bad.go\n// %%\n\nq := undefinedName", ""},
		{"%run bad.go", "CompileError: bad.go: undefined: undefinedName"},
		{"%%html\n<b>bold</b>", "bold"},
		{"%%markdown\n*it*", "*it*"},
		{"%%capture\nimport \"fmt\"\nfmt.Println(\"unseen\")", "<nil>"},
		{"fmt.Println(\"seen\")", "seen"},
		{"x?", "page"},
		{"fmt.Println?", "Println formats using the default formats"},
		{"%pinfo nowhere", "CommandError: nothing is known of nowhere"},
		{"%packages plotter", "gonum.org/v1/plot/plotter"},
		{"%packages nosuchpackage", "CommandError: no package has"},
		{"%tme x", "CommandError: there is no command %tme; did you mean %time? (%help lists all)"},
		{"%matplotlib inline", "CommandError: %matplotlib is not needed: figures show themselves"},
		{"%replay", "CommandError: %replay stands alone"},
		{"done := false\n!done", "true"},
		{"y := 2\n%pwd\ny * 3", "6"},
		{"%pwd\n\nundefinedThing", "CompileError: undefined: undefinedThing [{61 3 1 undefined: undefinedThing"},
		{"%time undefinedThing", "CompileError: undefined: undefinedThing [{62 1 7 undefined: undefinedThing"},
		{"%reset", ""},
		{"%vars", "nothing is declared"},
	})
}

func TestTimeitFindsTheNumberOfLoops(t *testing.T) {
	s := newTestSession(t)
	runSteps(t, s, []step{
		{"n := 0", ""},
		{"func f() int { n++; return n }", ""},
		{"%timeit -r 1 f()", " a loop (mean and deviation of 1 runs"},
		{"%timeit -n 2 -r 1 panic(\"no\")", "Panic: no"},
	})
}

func TestInterruptedCommand(t *testing.T) {
	s := newTestSession(t)
	for _, how := range []string{"context", "Interrupt"} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			time.Sleep(50 * time.Millisecond)
			if how == "context" {
				cancel()
			} else {
				s.Interrupt()
			}
		}()
		begin := time.Now()
		r := s.Eval(ctx, Cell{Number: 1, Code: "!sleep 10 & sleep 10"}, new(memory))
		if r.Err == nil || r.Err.Name != "Interrupted" || time.Since(begin) > 2*time.Second {
			t.Errorf("%s: %v after %v", how, r.Err, time.Since(begin))
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
