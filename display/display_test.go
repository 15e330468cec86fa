package display

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type recorder struct {
	sync.Mutex
	events []Event
	answer string
	asked  string
}

func (r *recorder) Emit(e Event) error {
	r.Lock()
	defer r.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) Input(_ context.Context, prompt string, password bool) (string, error) {
	r.asked = prompt
	if password {
		return "", errors.New("no secrets")
	}
	return r.answer, nil
}

func (r *recorder) texts() []string {
	r.Lock()
	defer r.Unlock()
	var out []string
	for _, e := range r.events {
		s, _ := e.Data[Text].(string)
		out = append(out, s)
	}
	return out
}

func TestUpdatesAreThrottledAndTheLastArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		leave := Enter(t.Context(), r)
		h := New("0", HandleOptions{ID: "loss"})
		for i := range 1000 {
			h.Update(i)
			time.Sleep(time.Millisecond)
		}
		h.Update("end")
		if n := len(r.texts()); n < 9 || n > 12 {
			t.Errorf("%d events in one second, want about 10", n)
		}
		leave()
		texts := r.texts()
		if last := texts[len(texts)-1]; last != "end" {
			t.Errorf("last event shows %q, want the last update", last)
		}
		for i, e := range r.events {
			if e.ID != "loss" || (e.Kind == Display) != (i == 0) {
				t.Errorf("event %d is %+v", i, e)
			}
		}
		time.Sleep(time.Second)
		if len(r.texts()) != len(texts) {
			t.Error("an update arrived twice")
		}
	})
}

func TestUpdateHeldBackArrivesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		defer Enter(t.Context(), r)()
		h := New("a")
		h.Update("b")
		if h.Ready() {
			t.Error("ready right after an output")
		}
		time.Sleep(Interval)
		synctest.Wait()
		if got := r.texts(); len(got) != 2 || got[1] != "b" {
			t.Errorf("events %q", got)
		}
	})
}

func TestUpdateAfterTheCellGoesWhereTheDisplayIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		leave := Enter(t.Context(), r)
		h := New("a")
		leave()
		time.Sleep(Interval)
		h.Update("late")
		if got := r.texts(); len(got) != 2 || got[1] != "late" {
			t.Errorf("events %q", got)
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		defer Enter(t.Context(), r)()
		b := Progress("training", 200, ProgressOptions{Unit: "steps"})
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			b.Add(1)
		}
		got := r.texts()
		if want := "training  50 % ▕███████████████               ▏ 100/200 steps · 20 steps/s · 5 s left"; got[len(got)-1] != want {
			t.Errorf("got  %q\nwant %q", got[len(got)-1], want)
		}
		b.Set(200)
		b.Done()
		b.Set(3)
		got = r.texts()
		if last := got[len(got)-1]; !strings.Contains(last, "100 % ▕██████████████████████████████▏ 200/200 steps · 40 steps/s · 5 s") {
			t.Errorf("at the end: %q", last)
		}
	})
}

func TestInput(t *testing.T) {
	r := &recorder{answer: "yes"}
	leave := Enter(t.Context(), r)
	defer leave()
	if got, err := Input("sure? "); got != "yes" || err != nil || r.asked != "sure? " {
		t.Errorf("Input: %q, %v, asked %q", got, err, r.asked)
	}
	if _, err := Password("key: "); err == nil {
		t.Error("Password hid the error of the front end")
	}
	defer Enter(t.Context(), silent{})()
	if _, err := Input("? "); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("Input without anyone to ask: %v", err)
	}
}

type silent struct{}

func (silent) Emit(Event) error { return errors.New("front end gone") }

func TestOutsideACellTextIsPrinted(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	Show("plain")
	ShowHTML("<p>a <b>bold</b> word</p><p>x &lt; y</p>")
	h := New("first")
	h.Update("last")
	Progress("busy", 2).Done()
	Erase(false)
	os.Stdout = old
	w.Close()
	got, _ := io.ReadAll(r)
	want := "plain\na bold word\nx < y\nlast\nbusy   0 % ▕"
	if !strings.HasPrefix(string(got), want) || bytes.Contains(got, []byte("first")) {
		t.Errorf("printed %q", got)
	}
}

type byPointer struct{ _ int }

func (p *byPointer) MIME() Bundle { return Bundle{HTML: "<b>7</b>"} }

type foreign struct{ A, B int }

func TestOf(t *testing.T) {
	Register(foreign{}, func(v any) Bundle { return AsMarkdown("**foreign**") })
	var nilPointer *byPointer
	for _, c := range []struct {
		v          any
		mime, want string
	}{
		{nil, Text, "nil"},
		{nilPointer, Text, "nil (*display.byPointer)"},
		{byPointer{}, HTML, "<b>7</b>"},
		{byPointer{}, Text, "7"},
		{&byPointer{}, Text, "7"},
		{foreign{}, Markdown, "**foreign**"},
		{&foreign{1, 2}, Text, "&{A:1 B:2}"},
		{errors.New("no"), Text, "no"},
		{90 * time.Second, Text, "1m30s"},
		{AsLatex("$x$"), Latex, "$x$"},
		{AsSVG("<svg/>"), SVG, "<svg/>"},
		{[]int{1, 2}, Text, "[1 2]"},
		{[][]string{{"a", "b"}, {"1", "2"}}, Text, "a  b\n─  ─\n1  2"},
		{image.NewGray(image.Rect(0, 0, 3, 2)), Text, "(PNG image, 3 × 2 pixels)"},
		{image.NewGray(image.Rect(0, 0, 0, 0)), Text, "failed to encode the image: png: invalid format: invalid image size: 0x0"},
	} {
		if got := Of(c.v)[c.mime]; got != c.want {
			t.Errorf("Of(%#v)[%s] = %q, want %q", c.v, c.mime, got, c.want)
		}
	}
	if s := Of(strings.Repeat("x", 1<<20))[Text].(string); len(s) > longest+100 || !strings.HasSuffix(s, "… (1,048,576 bytes in all)") {
		t.Errorf("a long text became %d bytes ending in %q", len(s), s[len(s)-40:])
	}
}

func TestTableText(t *testing.T) {
	tab := NewTable("class", "flows", "share", "note").
		Row("http", 12032, .5, "").
		Row("日本", 7, 0.00012345, "a\nb").
		Row(Cell{Text: "x", HTML: "<i>x</i>"}, -1234567, 98765.4, "<&>")
	tab.Title, tab.Note = "Classes", "three in all"
	want := `Classes
class       flows      share  note
─────  ──────────  ─────────  ────
http       12,032        0.5
日本            7  0.0001234  a b
x      -1,234,567     98,765  <&>
three in all`
	if got := tab.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	h := tab.MIME()[HTML].(string)
	for _, want := range []string{`<td class="r">12,032</td>`, "<td><i>x</i></td>", "<td>&lt;&amp;&gt;</td>", "<caption>Classes</caption>"} {
		if !strings.Contains(h, want) {
			t.Errorf("HTML lacks %s:\n%s", want, h)
		}
	}
}

func TestLongTableKeepsHeadAndTail(t *testing.T) {
	tab := NewTable("n")
	for i := range 1000 {
		tab.Row(i)
	}
	got := tab.String()
	for _, want := range []string{"\n  0\n", "\n 49\n… 940 more rows …\n990\n", "\n999"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	tab.Limit = -1
	if n := strings.Count(tab.String(), "\n"); n != 1001 {
		t.Errorf("%d lines without a limit", n)
	}
	if s := (&Table{}).String(); s != "" {
		t.Errorf("empty table shows %q", s)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 999: "999 ns", 12345: "12.3 µs", 45 * time.Millisecond: "45 ms",
		999_800_000: "1 s", 99 * time.Second: "99 s", 200 * time.Second: "3 min 20 s", 90 * time.Minute: "1 h 30 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

// Outside a cell what is updated in place is printed once, in its last state
// and at its place.
func TestPlainProgramPrintsTheLastState(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	old := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = old }()
	a, b := New("a1"), New("b1")
	b.Update("b2")
	a.Update("a2")
	a.Update("a3")
	Show("c")
	a.Update("a4")
	d := New("d1")
	d.Update("d2")
	d.Flush()
	New("e1").Update("e2")
	Flush()
	os.Stdout = old
	got, err := os.ReadFile(file.Name())
	if want := "a3\nb2\nc\nd2\ne2\n"; err != nil || string(got) != want {
		t.Errorf("printed %q, want %q (%v)", got, want, err)
	}
}
