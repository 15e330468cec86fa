package repl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// plain runs what comes from a pipe: line by line, joined until a cell is
// complete. What cells print and show goes to out as text, errors to errw.
func plain(ctx context.Context, engine interp.Engine, in io.Reader, out, errw io.Writer, opts Options) int {
	sink := &plainSink{in: bufio.NewReader(in), out: out, errw: errw}
	var cell strings.Builder
	number := 0
	for {
		line, err := sink.readLine()
		cell.WriteString(line)
		ended := err != nil
		code := cell.String()
		if strings.TrimSpace(code) == "" {
			if ended {
				return sink.end(err)
			}
			cell.Reset()
			continue
		}
		if !ended && !complete(ctx, engine, code) {
			continue
		}
		cell.Reset()
		number++
		result := opts.evaluate(ctx, engine, interp.Cell{Number: number, Code: strings.TrimRight(code, "\n")}, sink)
		sink.flush(result)
		if result.Err != nil {
			report(errw, result.Err, false)
			if result.Err.Name == "Interrupted" {
				return exitInterrupted
			}
			return exitFailed
		}
		if ended {
			return sink.end(err)
		}
	}
}

// complete asks the engine whether more lines must come; one that fails to
// answer runs what there is, and says what is wrong with it.
func complete(ctx context.Context, engine interp.Engine, code string) bool {
	c, err := engine.IsComplete(ctx, code)
	return err != nil || c.Status != interp.Incomplete
}

// plainSink writes everything as text.
type plainSink struct {
	read sync.Mutex
	in   *bufio.Reader

	mu   sync.Mutex
	out  io.Writer
	errw io.Writer
	held []display.Event // shown under an id: only their last state is printed
}

func (s *plainSink) readLine() (string, error) {
	s.read.Lock()
	defer s.read.Unlock()
	return s.in.ReadString('\n')
}

func (s *plainSink) end(err error) int {
	if err != io.EOF {
		fmt.Fprintf(s.errw, "failed to read input: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func (s *plainSink) Stdout(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Write(p)
}

func (s *plainSink) Stderr(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errw.Write(p)
}

func (s *plainSink) Emit(e display.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case display.Display, display.Update:
		for i := range s.held {
			if e.ID != "" && s.held[i].ID == e.ID {
				s.held[i] = e
				return nil
			}
		}
		if e.ID != "" {
			s.held = append(s.held, e)
			return nil
		}
		_, err := fmt.Fprintln(s.out, plainText(e.Data))
		return err
	}
	return nil
}

// Input reads the next line of the pipe.
func (s *plainSink) Input(_ context.Context, prompt string, _ bool) (string, error) {
	s.Stdout([]byte(prompt))
	line, err := s.readLine()
	if err != nil && line == "" {
		return "", fmt.Errorf("failed to read input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// flush prints what was held back, and the value of the cell.
func (s *plainSink) flush(r interp.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.held {
		fmt.Fprintln(s.out, plainText(e.Data))
	}
	s.held = nil
	if r.Value != nil {
		fmt.Fprintln(s.out, plainText(r.Value))
	}
	for _, p := range pages(r) {
		fmt.Fprintln(s.out, p)
	}
}

// plainText is the text of a bundle.
func plainText(b display.Bundle) string {
	for _, mime := range []string{display.Text, display.Markdown, display.Latex} {
		if s, ok := b[mime].(string); ok {
			return strings.TrimRight(s, "\n")
		}
	}
	return strings.TrimRight(display.Of(b)[display.Text].(string), "\n")
}

// pages are the texts that commands want shown, such as the help of a name.
func pages(r interp.Result) []string {
	var out []string
	for _, p := range r.Payloads {
		switch p.Kind {
		case interp.PayloadPage:
			if text := plainText(p.Page); text != "" {
				out = append(out, text)
			}
		case interp.PayloadNextInput:
			out = append(out, strings.TrimRight(p.Text, "\n"))
		}
	}
	return out
}
