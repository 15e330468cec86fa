package display

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

type asker interface {
	Input(ctx context.Context, prompt string, password bool) (string, error)
}

var stdin struct {
	sync.Mutex
	r *bufio.Reader
}

// Input asks the user for a line and returns it without its newline.
func Input(prompt string) (string, error) { return ask(prompt, false) }

// Password asks for a line that is not shown while it is typed.
func Password(prompt string) (string, error) { return ask(prompt, true) }

func ask(prompt string, password bool) (string, error) {
	sink := current()
	if a, ok := sink.(asker); ok {
		return a.Input(Context(), prompt, password)
	}
	if sink != nil || password {
		return "", errors.New("failed to read input: nobody can be asked here")
	}
	stdin.Lock()
	defer stdin.Unlock()
	if stdin.r == nil {
		stdin.r = bufio.NewReader(os.Stdin)
	}
	fmt.Fprint(os.Stdout, prompt)
	line, err := stdin.r.ReadString('\n')
	if err != nil && (line == "" || err != io.EOF) {
		return "", fmt.Errorf("failed to read input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
