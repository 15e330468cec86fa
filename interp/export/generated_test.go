package export

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/progen"
	"trafficgpt/interp/session"
)

// printed is a sink that keeps what cells print.
type printed struct {
	mu  sync.Mutex
	out strings.Builder
}

func (*printed) Emit(display.Event) error { return nil }
func (p *printed) Stdout(b []byte)        { p.write(b) }
func (p *printed) Stderr(b []byte)        { p.write(b) }

func (*printed) Input(context.Context, string, bool) (string, error) {
	return "", errors.New("no input")
}

func (p *printed) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
}

// asCells makes two cells of a random program: its declarations, and a call of
// its main function.
func asCells(seed uint64) []string {
	src := progen.File(progen.Program(seed), "main")
	src = regexp.MustCompile(`(?m)^package main$`).ReplaceAllString(src, "")
	src = regexp.MustCompile(`(?m)^func main\(\)`).ReplaceAllString(src, "func program()")
	return []string{src, "program()"}
}

// TestRandomProgramsAsCells runs random programs as cells and as the programs
// that the cells are exported to: both print the same. TRAFFICGPT_GENERATE is
// how long; without it two programs run.
func TestRandomProgramsAsCells(t *testing.T) {
	limit, seed, least := time.Duration(0), uint64(1), 2
	if text := os.Getenv("TRAFFICGPT_GENERATE"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal("TRAFFICGPT_GENERATE: ", err)
		}
		seed = uint64(time.Now().UnixNano()) >> 10
	}
	if text := os.Getenv("TRAFFICGPT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal("TRAFFICGPT_SEED: ", err)
		}
	}
	t.Logf("first seed %d", seed)
	n := 0
	for begin := time.Now(); n < least || time.Since(begin) < limit; n++ {
		cells := asCells(seed)
		s, err := session.New(session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var p printed
		for _, c := range cells {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if r := s.Eval(ctx, interp.Cell{Code: c}, &p); r.Err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, r.Err, strings.Join(r.Err.Traceback, "\n"))
			}
			cancel()
		}
		_ = s.Close()
		if got, want := p.out.String(), build(t, cells...); got != want || want == "" {
			t.Errorf("seed %d: the cells printed\n%s\nthe exported program\n%s", seed, got, want)
		}
		seed++
	}
	t.Logf("%d programs", n)
}
