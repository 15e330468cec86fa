package repl

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// script is an engine that does what the first word of a cell says.
type script struct {
	interp.Engine
	cells []interp.Cell
}

func (s *script) IsComplete(_ context.Context, code string) (interp.Completeness, error) {
	switch {
	case strings.Contains(code, "unsure"):
		return interp.Completeness{}, errors.New("no answer")
	case strings.Count(code, "{") > strings.Count(code, "}"):
		return interp.Completeness{Status: interp.Incomplete, Indent: "\t"}, nil
	}
	return interp.Completeness{Status: interp.Complete}, nil
}

func (s *script) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	s.cells = append(s.cells, cell)
	word, rest, _ := strings.Cut(cell.Code, " ")
	switch word {
	case "print":
		sink.Stdout([]byte(rest))
	case "value":
		return interp.Result{Value: display.AsText(rest)}
	case "fail", "stop":
		name := map[string]string{"fail": "CompileError", "stop": "Interrupted"}[word]
		return interp.Result{Err: &interp.Error{Name: name, Message: rest, Traceback: []string{"\x1b[31mcell 1:1\x1b[0m " + rest}}}
	case "live":
		sink.Emit(display.Event{Kind: display.Display, ID: "a", Data: display.AsText("0 %")})
		sink.Emit(display.Event{Kind: display.Display, Data: display.AsHTML("<b>between</b>")})
		sink.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("50 %")})
		sink.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("100 %")})
	case "ask":
		answer, err := sink.Input(ctx, "name? ", false)
		if err != nil {
			answer = "none"
		}
		return interp.Result{Value: display.AsText("hello " + answer)}
	case "help":
		return interp.Result{Payloads: []interp.Payload{{Kind: interp.PayloadPage, Page: display.Bundle{display.Text: "the page\n"}}}}
	}
	return interp.Result{}
}

func TestPlain(t *testing.T) {
	for name, c := range map[string]struct {
		in, out, err string
		code, cells  int
	}{
		"nothing":        {"", "", "", 0, 0},
		"blank lines":    {"\n  \n\n", "", "", 0, 0},
		"values":         {"value 1\nprint x\nvalue 2", "1\nx2\n", "", 0, 3},
		"several lines":  {"value {\n a\n}\nvalue 2\n", "{\n a\n}\n2\n", "", 0, 2},
		"never complete": {"value {\n", "{\n", "", 0, 1},
		"first error":    {"value 1\nfail here\nvalue 2\n", "1\n", "cell 1:1 here\n", 1, 2},
		"interrupted":    {"stop now\nvalue 2\n", "", "cell 1:1 now\n", 130, 1},
		"last state":     {"live\n", "between\n100 %\n", "", 0, 1},
		"input":          {"ask\nAda\nvalue 2\n", "name? hello Ada\n2\n", "", 0, 2},
		"no input":       {"ask", "name? hello none\n", "", 0, 1},
		"page":           {"help\n", "the page\n", "", 0, 1},
		"silent engine":  {"value unsure\n", "unsure\n", "", 0, 1},
	} {
		var out, errw bytes.Buffer
		engine := &script{}
		code := plain(t.Context(), engine, strings.NewReader(c.in), &out, &errw, Options{})
		if code != c.code || out.String() != c.out || errw.String() != c.err || len(engine.cells) != c.cells {
			t.Errorf("%s: code %d, out %q, err %q, %d cells", name, code, out.String(), errw.String(), len(engine.cells))
		}
		for i, cell := range engine.cells {
			if cell.Number != i+1 {
				t.Errorf("%s: cell %d has number %d", name, i+1, cell.Number)
			}
		}
	}
}

func TestRunFromAFileIsPlain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte("value 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(path + ".out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if code := Run(t.Context(), &script{}, in, out, io.Discard, Options{}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got, _ := os.ReadFile(path + ".out"); string(got) != "7\n" {
		t.Errorf("printed %q", got)
	}
}

func onScreen(g graphics) (*screen, *bytes.Buffer) {
	var b bytes.Buffer
	return &screen{w: &b, graphics: g, size: func() (int, int) { return 20, 10 }}, &b
}

func TestScreenRedrawsInPlace(t *testing.T) {
	s, b := onScreen(noGraphics)
	s.Stdout([]byte("no newline"))
	s.Emit(display.Event{Kind: display.Display, ID: "a", Data: display.AsText("one\n" + strings.Repeat("x", 50))})
	s.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("two")})
	s.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("three")})
	s.Stdout([]byte("below\n"))
	s.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("four")})
	s.Emit(display.Event{Kind: display.Update, ID: "a", Data: display.AsText("five")})
	s.finish(1, interp.Result{Value: display.AsText("v\nw")})
	want := "no newline\none\n" + strings.Repeat("x", 18) + "…\n\x1b[2F\x1b[Jtwo\n\x1b[1F\x1b[Jthree\nbelow\nfive\n\x1b[31mOut[\x1b[1m1\x1b[22m]:\x1b[39m\nv\nw\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestScreenClears(t *testing.T) {
	s, b := onScreen(noGraphics)
	s.Emit(display.Event{Kind: display.Display, Data: display.AsText("frame 1")})
	s.Emit(display.Event{Kind: display.Clear, Wait: true})
	s.Emit(display.Event{Kind: display.Display, Data: display.AsText("frame 2")})
	s.Emit(display.Event{Kind: display.Clear})
	s.Stdout([]byte("end\n"))
	if want := "frame 1\n\x1b[1F\x1b[Jframe 2\n\x1b[1F\x1b[Jend\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

func picture() display.Bundle {
	img := image.NewRGBA(image.Rect(0, 0, 64, 8))
	for x := range 64 {
		img.Set(x, x%8, color.White)
	}
	return display.AsImage(img)
}

func TestImages(t *testing.T) {
	for g, begins := range map[graphics]string{kittyGraphics: "\x1b_G", itermGraphics: "\x1b]1337;File=", sixelGraphics: "\x1bP0;1q"} {
		s, b := onScreen(g)
		s.Emit(display.Event{Kind: display.Display, Data: picture()})
		if !strings.HasPrefix(b.String(), begins) || ansi.Strip(strings.TrimSpace(b.String())) != "" {
			t.Errorf("graphics %d begin with %.20q and leave %q", g, b.String(), ansi.Strip(b.String()))
		}
		// What changes is text until the cell ends.
		s, b = onScreen(g)
		s.Emit(display.Event{Kind: display.Display, ID: "a", Data: picture()})
		s.Emit(display.Event{Kind: display.Update, ID: "a", Data: picture()})
		if strings.Contains(b.String(), begins) {
			t.Errorf("graphics %d: a live display was drawn as an image", g)
		}
		s.finish(1, interp.Result{})
		if !strings.Contains(b.String(), "\x1b[1F\x1b[J"+begins) {
			t.Errorf("graphics %d: no image in place of the text at the end: %.80q", g, b.String())
		}
	}
	s, b := onScreen(noGraphics)
	s.images.dir = t.TempDir()
	s.Emit(display.Event{Kind: display.Display, Data: picture()})
	if path := filepath.Join(s.images.dir, "1.png"); !strings.Contains(b.String(), "picture: "+path) {
		t.Errorf("no saved picture is named in %q", b.String())
	} else if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, picture()[display.PNG].([]byte)) {
		t.Errorf("the saved picture differs: %v", err)
	}
}

func TestChooseGraphics(t *testing.T) {
	for _, c := range []struct {
		option, env, answer string
		want                graphics
	}{
		{"", "TERM=xterm-kitty", "", kittyGraphics},
		{"", "TERM=xterm TERM_PROGRAM=iTerm.app", "", itermGraphics},
		{"", "TERM=foot", "\x1b[?62;4;22c", sixelGraphics},
		{"", "TERM=xterm", "\x1b[?62;22;44c", noGraphics},
		{"", "TERM=xterm", "", noGraphics},
		{"", "TERM=linux", "\x1b[?4c", noGraphics},
		{"", "TMUX=1 TERM=screen KITTY_WINDOW_ID=1", "", noGraphics},
		{"sixel", "TERM=xterm-kitty", "", sixelGraphics},
		{"sixel", "TERM=xterm TRAFFICGPT_IMAGES=none", "", noGraphics},
	} {
		env := map[string]string{}
		for v := range strings.FieldsSeq(c.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		got, err := chooseGraphics(c.option, func(n string) string { return env[n] }, func() string { return c.answer })
		if got != c.want || err != nil {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
	if _, err := chooseGraphics("ascii", func(string) string { return "" }, nil); err == nil || !strings.Contains(err.Error(), "ascii") {
		t.Errorf("unknown graphics: %v", err)
	}
}

func TestTablesAreColored(t *testing.T) {
	got := colored("title\nname  n\n────  ─\na     1")
	if want := "title\n\x1b[1mname  n\x1b[22m\n\x1b[2m────  ─\x1b[22m\na     1"; got != want {
		t.Errorf("got %q", got)
	}
	s, b := onScreen(noGraphics)
	s.Emit(display.Event{Kind: display.Display, Data: display.Bundle{display.Text: "plain", display.ANSI: "\x1b[44m  \x1b[0m"}})
	if b.String() != "\x1b[44m  \x1b[0m\n" {
		t.Errorf("the colour form is not preferred: %q", b.String())
	}
}

func TestHighlightKeepsTheText(t *testing.T) {
	for _, code := range []string{"", "x := 1", "func f() {\n\treturn \"a\" // c\n", "'", "`open", "%time x", "日本 := 0x1f", "a\n\n", "\n"} {
		got := highlight(code)
		if ansi.Strip(got) != code {
			t.Errorf("%q became %q", code, ansi.Strip(got))
		}
	}
	if got := highlight(`if x == "s" { return 1 }`); strings.Count(got, "\x1b[") < 8 {
		t.Errorf("hardly coloured: %q", got)
	}
}

func TestOutdent(t *testing.T) {
	for in, want := range map[string]string{
		"if x {\n    }|":                 "if x {\n}|",
		"if x {\n    y()\n    }|":        "if x {\n    y()\n}|",
		"f(\n    1,\n    )|":             "f(\n    1,\n)|",
		"if x {\n    if y {\n        }|": "if x {\n    if y {\n    }|",
		"if x {\n}|":                     "if x {\n}|",
		"    }|":                         "    }|",
		"if x {\n    if y {\n    }|":     "if x {\n    if y {\n    }|",
		"a\n|":                           "a\n|",
	} {
		at := strings.Index(in, "|")
		line := []rune(strings.Replace(in, "|", "", 1))
		out, cursor, _ := outdent(line, at)
		if got := string(out[:cursor]) + "|" + string(out[cursor:]); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if _, _, ok := outdent([]rune("}"), 9); ok {
		t.Error("a cursor outside the line was moved")
	}
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history.jsonl")
	h, err := openHistory(path)
	if err != nil || h.Len() != 0 {
		t.Fatalf("new history: %d, %v", h.Len(), err)
	}
	for _, code := range []string{"x := 1", "x := 1", "func f() {\n\t\"é\"\n}\n", "  "} {
		if _, err := h.Write(code); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "not JSON\n{\"code\":\""+strings.Repeat("y", 1<<17)+"\"}\n{\"code\":\"cut")
	f.Close()
	h, err = openHistory(path)
	if err != nil || h.Len() != 3 {
		t.Fatalf("read again: %d cells, %v", h.Len(), err)
	}
	if l, err := h.GetLine(1); l != "func f() {\n\t\"é\"\n}" || err != nil {
		t.Errorf("second cell %q, %v", l, err)
	}
	if _, err := h.GetLine(3); err == nil {
		t.Error("a cell beyond the last")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the history: %v, %v", info.Mode(), err)
	}
	none, err := openHistory("-")
	if n, werr := none.Write("x"); err != nil || werr != nil || n != 1 {
		t.Errorf("history without a file: %d, %v, %v", n, err, werr)
	}
	if _, err := openHistory(filepath.Join(path, "under-a-file")); err == nil {
		t.Error("no error where there can be no history")
	}
}

func TestLongHistoryIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var b strings.Builder
	for range mostHistory {
		b.WriteString("{\"code\":\"old\"}\n{\"code\":\"x\"}\n{\"code\":\"new\"}\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory(path)
	if err != nil || h.Len() != mostHistory {
		t.Fatalf("%d cells, %v", h.Len(), err)
	}
	if last, _ := h.GetLine(h.Len() - 1); last != "new" {
		t.Errorf("last cell %q", last)
	}
	if again, err := openHistory(path); err != nil || again.Len() != mostHistory {
		t.Errorf("on disk: %d cells, %v", again.Len(), err)
	}
}

func TestBannerFitsATerminal(t *testing.T) {
	for l := range strings.SplitSeq(banner("0.1.0"), "\n") {
		if w := ansi.StringWidth(l); w > 80 {
			t.Errorf("%d columns: %s", w, ansi.Strip(l))
		}
	}
}
