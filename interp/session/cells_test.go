package session

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// TestCells runs the scripts of testdata/cells: archives (txtar) whose sections
// are sessions, each of cells divided by lines of three hyphens. A section
// called "first" is what all others of its archive begin with.
//
// What a cell does stands in it behind ###, which is no part of the code:
//
//	x + 1                  ### = 42
//	fmt.Println("a")
//	### > a
//	y := nowhere()         ### 6 "CompileError: undefined: nowhere"
//	deep(0)
//	### cell 1:4:10 "RuntimeError: .* nil pointer dereference"
//	### in deep (cell 1:4)
//	### in the cell (cell 2:1)
//
// = is the value of the cell and > a line of what it prints, as they are; a
// cell without them shows or prints nothing. A regular expression stands for a
// whole diagnostic behind the name of its error: at the line it stands on, in
// the column before it, or on a line of its own at the place before it. in is a
// function of a panic's stack; they are looked at where there is one. A cell
// with a diagnostic fails with these and no others, and one without succeeds.
// ~ and a regular expression is a part of all that comes of the cell, as text:
// what it prints, shows, has as value, fails with or asks of the front end; > and
// = are looked at then where they stand.
func TestCells(t *testing.T) {
	cells := 0
	for _, a := range readArchives(t, "testdata/cells/*.txt") {
		var first []string
		for _, script := range a.scripts {
			if script.name == "first" {
				first = script.cells()
				continue
			}
			list := append(first[:len(first):len(first)], script.cells()...)
			cells += len(list)
			t.Run(a.name+"/"+script.name, func(t *testing.T) { runCells(t, newTestSession(t), list) })
		}
	}
	if cells < 200 {
		t.Errorf("%d cells, want at least 200", cells)
	}
}

// cells are the cells of a script.
func (s script) cells() []string {
	return strings.Split(strings.TrimSuffix(s.body, "\n"), "\n---\n")
}

// runCells runs cells with marks.
func runCells(t *testing.T, s *Session, list []string) {
	t.Helper()
	for i, text := range list {
		code, want, err := readMarks(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		var m memory
		r := s.Eval(t.Context(), interp.Cell{Number: i + 1, Code: code}, &m)
		if got, want := want.seen(i+1, &m, r), want.String(); got != want {
			t.Errorf("%s\ngot\n%swant\n%s", text, got, want)
		}
	}
}

// marks is what a cell is to do.
type marks struct {
	values, prints, frames []string
	parts                  []string // regular expressions
	diagnostics            []diagnosticMark
}

// diagnosticMark is a diagnostic that a cell is to have: its name and message,
// and where, "" for anywhere. Line is where it stands in the cell, 0 on a line
// of its own.
type diagnosticMark struct {
	place   string
	line    int
	pattern string
}

// readMarks divides a cell into its code and its marks.
func readMarks(text string) (code string, m marks, err error) {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		before, mark, marked := strings.Cut(line, "###")
		before = strings.TrimRight(before, " ")
		b.WriteString(before + "\n")
		if !marked {
			continue
		}
		if before != "" {
			err = m.read(strings.TrimPrefix(mark, " "), i+1)
		} else {
			err = m.read(strings.TrimPrefix(mark, " "), 0)
		}
		if err != nil {
			return "", m, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return strings.TrimRight(b.String(), "\n"), m, nil
}

var diagnosticForm = regexp.MustCompile("^(|[0-9]+|\\S.*:[0-9]+:[0-9]+) ?(\".*\"|`.*`)$")

func (m *marks) read(mark string, line int) error {
	kind, rest, _ := strings.Cut(mark, " ")
	switch kind {
	case "=":
		m.values = append(m.values, rest)
	case ">":
		m.prints = append(m.prints, rest)
	case "in":
		m.frames = append(m.frames, rest)
	case "~":
		pattern, err := strconv.Unquote(rest)
		m.parts = append(m.parts, pattern)
		return err
	default:
		form := diagnosticForm.FindStringSubmatch(mark)
		if form == nil {
			return fmt.Errorf("### %s is no mark", mark)
		}
		pattern, err := strconv.Unquote(form[2])
		if err != nil {
			return err
		}
		m.diagnostics = append(m.diagnostics, diagnosticMark{form[1], line, pattern})
	}
	return nil
}

// String lists the marks as seen does what there is.
func (m marks) String() string {
	var b strings.Builder
	for _, p := range m.prints {
		b.WriteString("> " + p + "\n")
	}
	for _, v := range m.values {
		b.WriteString("= " + v + "\n")
	}
	for _, d := range m.diagnostics {
		b.WriteString(d.String() + "\n")
	}
	for _, f := range m.frames {
		b.WriteString("in " + f + "\n")
	}
	for _, p := range m.parts {
		b.WriteString("~ " + p + "\n")
	}
	return b.String()
}

func (d diagnosticMark) String() string {
	if d.line > 0 {
		return fmt.Sprintf("line %d, %s: %s", d.line, d.place, d.pattern)
	}
	return d.place + ": " + d.pattern
}

// seen lists what a cell did, by its number, in the form of the marks; a diagnostic that a mark
// stands for as that mark.
func (m marks) seen(cell int, sink *memory, r interp.Result) string {
	var got marks
	if out := sink.printed(); out != "" && (m.parts == nil || m.prints != nil) {
		got.prints = strings.Split(out, "\n")
		if n := len(got.prints) - 1; got.prints[n] == "" {
			got.prints = got.prints[:n]
		} else {
			got.prints[n] += " (and no end of line)"
		}
	}
	if v, ok := r.Value[display.Text]; ok && (m.parts == nil || m.values != nil) {
		got.values = strings.Split(fmt.Sprint(v), "\n")
	}
	all := sink.printed() + sink.shown() + fmt.Sprintln(r.Value[display.Text]) + fmt.Sprintln(r.Err) + fmt.Sprint(r.Payloads)
	for _, p := range m.parts {
		if !regexp.MustCompile(p).MatchString(all) {
			p += " is not in\n" + all
		}
		got.parts = append(got.parts, p)
	}
	if r.Err == nil {
		return got.String()
	}
	for i, d := range r.Err.Diagnostics {
		it := diagnosticMark{d.Place(), 0, r.Err.Name + ": " + d.Message}
		if i < len(m.diagnostics) && m.diagnostics[i].matches(cell, d, it.pattern) {
			it = m.diagnostics[i]
		}
		got.diagnostics = append(got.diagnostics, it)
	}
	if len(r.Err.Diagnostics) == 0 {
		got.diagnostics = []diagnosticMark{{"", 0, r.Err.Error()}}
	}
	if len(m.frames) > 0 {
		for _, f := range r.Err.Stack {
			got.frames = append(got.frames, f.String())
		}
	}
	return got.String()
}

func (d diagnosticMark) matches(cell int, got interp.Diagnostic, text string) bool {
	switch place := got.Place(); {
	case d.line > 0 && (cell != got.Cell || d.line != got.Line || d.place != "" && d.place != strconv.Itoa(got.Column)):
		return false
	case d.line == 0 && d.place != "" && d.place != place:
		return false
	}
	ok, err := regexp.MatchString("^(?:"+d.pattern+")$", text)
	return err == nil && ok
}
