package repl

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// screen shows what a cell gives on a terminal. What is shown under an id is
// redrawn in place for as long as nothing else has come below it.
type screen struct {
	in, out  *os.File
	graphics graphics
	size     func() (columns, rows int)
	images   imageStore

	mu      sync.Mutex
	w       io.Writer
	midLine bool // the cursor is not at the beginning of a line
	erase   bool // the next output replaces the last block
	last    *block
	blocks  []*block
}

// block is one display.
type block struct {
	id    string
	data  display.Bundle
	rows  int  // on the screen; 0 when they cannot be taken back
	stale bool // data is newer than what the screen shows
}

func newScreen(in, out *os.File, g graphics) *screen {
	s := &screen{in: in, out: out, w: out, graphics: g}
	s.size = func() (int, int) {
		if w, h, err := term.GetSize(int(out.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
		return 80, 24
	}
	return s
}

func (s *screen) Stdout(p []byte) { s.write(p) }
func (s *screen) Stderr(p []byte) { s.write(p) }

func (s *screen) write(p []byte) {
	if len(p) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace()
	s.w.Write(p)
	s.midLine, s.last = p[len(p)-1] != '\n', nil
}

// replace carries out an erasure that waited for this output.
func (s *screen) replace() {
	if s.erase {
		s.takeBack()
		s.erase = false
	}
}

// takeBack removes the last block from the screen if that can be done.
func (s *screen) takeBack() bool {
	if s.last == nil || s.last.rows == 0 {
		return false
	}
	fmt.Fprintf(s.w, "\x1b[%dF\x1b[J", s.last.rows)
	s.last.rows, s.last = 0, nil
	return true
}

func (s *screen) freshLine() {
	if s.midLine {
		io.WriteString(s.w, "\n")
		s.midLine = false
	}
}

func (s *screen) Emit(e display.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case display.Clear:
		if e.Wait {
			s.erase = true
		} else {
			s.takeBack()
		}
	case display.Display:
		s.replace()
		b := &block{id: e.ID, data: e.Data}
		s.blocks = append(s.blocks, b)
		s.show(b, e.ID != "")
	case display.Update:
		for _, b := range s.blocks {
			if b.id != e.ID {
				continue
			}
			b.data = e.Data
			if b == s.last && s.takeBack() {
				s.show(b, true)
			} else {
				b.stale = true
			}
			return nil
		}
		// Shown by an earlier cell, out of reach by now.
		s.blocks = append(s.blocks, &block{id: e.ID, data: e.Data, stale: true})
	}
	return nil
}

// show draws b. A live block is text whose lines are cut to the screen, so that
// it can be redrawn; others may be images.
func (s *screen) show(b *block, live bool) {
	s.freshLine()
	b.stale = false
	columns, rows := s.size()
	if !live {
		if img := s.graphics.image(b.data, columns); img != "" {
			io.WriteString(s.w, img+"\n")
			b.rows, s.last = 0, nil
			return
		}
	}
	text := s.text(b.data, live)
	if live {
		text = cutLines(text, columns)
	}
	io.WriteString(s.w, text+"\n")
	b.rows = height(text, columns)
	if b.rows >= rows {
		b.rows = 0
	}
	s.last = b
}

// text is the bundle in the terminal's colours. Of a picture that cannot be
// shown the file it was saved to is named, unless it will soon change.
func (s *screen) text(b display.Bundle, live bool) string {
	text, ok := b[display.ANSI].(string)
	if !ok {
		text = colored(plainText(b))
	}
	if !live {
		if note := s.images.save(b); note != "" {
			text += "\n\x1b[2m" + note + "\x1b[22m"
		}
	}
	return strings.TrimRight(text, "\n")
}

func cutLines(text string, columns int) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, columns-1, "…")
	}
	return strings.Join(lines, "\n")
}

// height is how many rows a text takes.
func height(text string, columns int) int {
	n := 0
	for l := range strings.SplitSeq(text, "\n") {
		n += max(1, (ansi.StringWidth(l)+columns-1)/columns)
	}
	return n
}

// finish brings all displays up to date, draws as images those that were text
// while they changed, and shows the value of the cell.
func (s *screen) finish(number int, r interp.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.blocks {
		picture := b.id != "" && s.graphics.can(b.data)
		if picture && b == s.last {
			b.stale = s.takeBack()
		}
		if b.stale || picture {
			s.show(b, false)
		}
	}
	s.blocks, s.last, s.erase = nil, nil, false
	s.freshLine()
	if r.Value != nil {
		s.value(number, r.Value)
	}
	for _, p := range pages(r) {
		io.WriteString(s.w, p+"\n")
	}
}

func (s *screen) value(number int, v display.Bundle) {
	label := fmt.Sprintf("\x1b[31mOut[\x1b[1m%d\x1b[22m]:\x1b[39m", number)
	columns, _ := s.size()
	if img := s.graphics.image(v, columns); img != "" {
		fmt.Fprintf(s.w, "%s\n%s\n", label, img)
		return
	}
	sep := " "
	text := s.text(v, false)
	if strings.Contains(text, "\n") {
		sep = "\n"
	}
	fmt.Fprintf(s.w, "%s%s%s\n", label, sep, text)
}

// colored makes the heads of tables bold and their rules faint: a rule is a
// line of dashes, the line above it the head.
func colored(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if i > 0 && l != "" && strings.Trim(l, "─ ") == "" && strings.Contains(l, "─") {
			lines[i-1] = "\x1b[1m" + lines[i-1] + "\x1b[22m"
			lines[i] = "\x1b[2m" + l + "\x1b[22m"
		}
	}
	return strings.Join(lines, "\n")
}

// Input asks the user at the keyboard.
func (s *screen) Input(ctx context.Context, prompt string, password bool) (string, error) {
	s.mu.Lock()
	s.replace()
	io.WriteString(s.w, prompt)
	s.last, s.midLine = nil, false
	s.mu.Unlock()
	return ask(ctx, s.in, s.out, password)
}
