package repl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"trafficgpt/atomicfile"
)

// history keeps what was typed in a file, one JSON object a line, newest last.
// Every session appends; a session sees what was there when it began and what
// it adds.
type history struct {
	path  string
	lines []string
}

type historyLine struct {
	Time time.Time `json:"time"`
	Code string    `json:"code"`
}

// mostHistory is how many cells are kept; a file twice as long is cut.
const mostHistory = 5000

// stateFile is a file of this name in the user's folder for state.
func stateFile(name string) (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	switch {
	case dir != "":
	case runtime.GOOS == "windows":
		dir = os.Getenv("LocalAppData")
	case runtime.GOOS == "darwin":
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, "Library", "Application Support")
	default:
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	if dir == "" {
		return "", errors.New("no folder for state is known")
	}
	return filepath.Join(dir, "trafficgpt", name), nil
}

// openHistory reads the history at path; "-" keeps none on disk. It always
// returns a history that works; the error says why it will be forgotten.
func openHistory(path string) (*history, error) {
	if path == "-" {
		return &history{}, nil
	}
	if path == "" {
		p, err := stateFile("history.jsonl")
		if err != nil {
			return &history{}, fmt.Errorf("failed to find a place for the history: %w", err)
		}
		path = p
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return &history{}, fmt.Errorf("failed to keep the history: %w", err)
	}
	h := &history{path: path}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return &history{}, fmt.Errorf("failed to read the history: %w", err)
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		var l historyLine
		// A line that another program left or a crash cut is passed over.
		if json.Unmarshal(line, &l) == nil && l.Code != "" {
			h.lines = append(h.lines, l.Code)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return h, fmt.Errorf("failed to read the history: %w", err)
		}
	}
	if len(h.lines) > 2*mostHistory {
		h.lines = h.lines[len(h.lines)-mostHistory:]
		if err := h.rewrite(); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *history) rewrite() error {
	return atomicfile.Write(h.path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, l := range h.lines {
			if err := enc.Encode(historyLine{Code: l}); err != nil {
				return err
			}
		}
		return nil
	}, atomicfile.Options{Mode: 0o600})
}

// Write appends a cell; one that is the same as the last is not kept twice.
func (h *history) Write(code string) (int, error) {
	code = strings.TrimRight(code, " \t\n")
	if strings.TrimSpace(code) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == code {
		return len(h.lines), nil
	}
	h.lines = append(h.lines, code)
	if h.path == "" {
		return len(h.lines), nil
	}
	data, err := json.Marshal(historyLine{Time: time.Now().UTC().Truncate(time.Second), Code: code})
	if err != nil {
		return len(h.lines), err
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return len(h.lines), fmt.Errorf("failed to keep the history: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	return len(h.lines), err
}

// GetLine is cell i, the oldest is 0.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.lines) {
		return "", fmt.Errorf("no cell %d in the history of %d", i, len(h.lines))
	}
	return h.lines[i], nil
}

// Len is the number of cells.
func (h *history) Len() int { return len(h.lines) }

// Dump is all cells.
func (h *history) Dump() interface{} { return h.lines }
