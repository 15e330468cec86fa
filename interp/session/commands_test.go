package session

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
)

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

// TestCommands runs the scripts of testdata/commands.txt.
func TestCommands(t *testing.T) {
	scripts := readArchives(t, "testdata/commands.txt")[0].scripts
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TGPT_TEST", "old")
	for _, script := range scripts {
		script.body = strings.ReplaceAll(script.body, "$WORK", dir)
		t.Run(script.name, func(t *testing.T) { runCells(t, newTestSession(t), script.cells()) })
	}
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
		r := s.Eval(ctx, interp.Cell{Number: 1, Code: "!sleep 10 & sleep 10"}, new(memory))
		if r.Err == nil || r.Err.Name != "Interrupted" || time.Since(begin) > 2*time.Second {
			t.Errorf("%s: %v after %v", how, r.Err, time.Since(begin))
		}
	}
}
