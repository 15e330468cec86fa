package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
	"golang.org/x/term"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// interactive reads cells from a terminal until Ctrl-D.
func interactive(ctx context.Context, engine interp.Engine, in, out *os.File, errw io.Writer, opts Options) int {
	g, err := chooseGraphics(opts.Images, os.Getenv, func() string { return deviceAttributes(in, out) })
	if err != nil {
		fmt.Fprintf(errw, "trafficgpt repl: %v\n", err)
		return exitFailed
	}
	past, err := openHistory(opts.History)
	if err != nil {
		fmt.Fprintf(errw, "%v\n", err)
	}
	scr := newScreen(in, out, g)
	e := newEditor(ctx, engine, past)
	fmt.Fprintln(out, banner(opts.Version))
	for e.number = 1; ctx.Err() == nil; {
		code, err := e.shell.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(out)
			return exitOK
		case err != nil:
			fmt.Fprintf(errw, "failed to read from the terminal: %v\n", err)
			return exitFailed
		}
		if strings.TrimSpace(code) == "" {
			continue
		}
		start := time.Now()
		result := opts.evaluate(ctx, engine, interp.Cell{Number: e.number, Code: strings.TrimRight(code, " \t\n")}, scr)
		scr.finish(e.number, result)
		if result.Err != nil {
			report(out, result.Err, true)
		}
		if d := time.Since(start); d > slow {
			fmt.Fprintf(out, "\x1b[2m%s\x1b[22m\n", display.Duration(d))
		}
		fmt.Fprintln(out)
		e.number++
	}
	return exitInterrupted
}

func banner(version string) string {
	if version != "" {
		version = " " + version
	}
	key := func(k, what string) string { return "\x1b[1m" + k + "\x1b[22m " + what }
	dot := "\x1b[2m · \x1b[22m"
	return "\x1b[1mTrafficGPT\x1b[22m" + version + dot + "Go, a cell at a time\n" +
		strings.Join([]string{key("Tab", "completes"), key("name?", "explains"), key("%help", "lists commands")}, dot) + "\n" +
		strings.Join([]string{key("Ctrl-R", "searches history"), key("Ctrl-C", "interrupts"), key("Ctrl-D", "leaves")}, dot) + "\n"
}

// editor is the line editor over an engine.
type editor struct {
	ctx    context.Context
	engine interp.Engine
	shell  *readline.Shell
	number int
}

func newEditor(ctx context.Context, engine interp.Engine, past *history) *editor {
	e := &editor{ctx: ctx, engine: engine, shell: readline.NewShell(inputrc.WithApp("trafficgpt"))}
	for name, value := range map[string]any{
		"enable-bracketed-paste":       true,
		"menu-complete-display-prefix": true,
		"completion-ignore-case":       true,
		"bell-style":                   "none",
		"multiline-column":             false,
		// Asking the terminal where the cursor is takes keys typed ahead for the
		// answer. A prompt always begins at the left, so nobody need ask.
		"cursor-position-probe": false,
	} {
		// Set fails for no variable of the library.
		_ = e.shell.Config.Set(name, value)
	}
	e.shell.Prompt.Primary(func() string {
		return fmt.Sprintf("\x1b[32mIn [\x1b[1m%d\x1b[22m]:\x1b[39m ", e.number)
	})
	e.shell.Prompt.Secondary(func() string {
		return "\x1b[32m" + strings.Repeat(" ", len(fmt.Sprint(e.number))+3) + "…:\x1b[39m "
	})
	e.shell.History.Add("history", past)
	e.shell.SyntaxHighlighter = func(line []rune) string { return highlight(string(line)) }
	e.shell.AcceptMultiline = e.accept
	e.shell.Completer = e.complete
	return e
}

// patience is how long the editor waits for the engine while the user types.
const patience = 3 * time.Second

// accept tells whether Enter runs the cell. An empty last line always does.
func (e *editor) accept(line []rune) bool {
	if short, cursor, ok := outdent(line, e.shell.Cursor().Pos()); ok {
		e.shell.Line().Set(short...)
		e.shell.Cursor().Set(cursor)
		e.shell.Display.Refresh()
		line = short
	}
	code := string(line)
	if strings.TrimSpace(code) == "" || strings.HasSuffix(strings.TrimRight(code, " \t"), "\n") {
		return true
	}
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	c, err := e.engine.IsComplete(ctx, code)
	if err != nil || c.Status != interp.Incomplete {
		return true
	}
	if indent := strings.ReplaceAll(c.Indent, "\t", indentation); indent != "" && strings.Trim(indent, " ") == "" {
		e.shell.Keys.Feed(true, []rune(indent)...)
	}
	return false
}

// indentation is one level of it.
const indentation = "    "

// outdent takes a level off the line of the cursor when it begins with a
// closing bracket and stands as deep as the line before, as Enter left it.
func outdent(line []rune, cursor int) (out []rune, newCursor int, ok bool) {
	if cursor < 0 || cursor > len(line) {
		return line, cursor, false
	}
	start := cursor
	for start > 0 && line[start-1] != '\n' {
		start--
	}
	end := start
	for end < len(line) && line[end] == ' ' {
		end++
	}
	if start == 0 || end == len(line) || !strings.ContainsRune("})]", line[end]) || end-start < len(indentation) || cursor < end {
		return line, cursor, false
	}
	before := string(line[:start-1])
	before = before[strings.LastIndex(before, "\n")+1:]
	depth := len(before) - len(strings.TrimLeft(before, " "))
	if strings.HasSuffix(strings.TrimRight(before, " "), "{") {
		depth += len(indentation)
	}
	if depth != end-start {
		return line, cursor, false
	}
	out = append(append(out, line[:start]...), line[start+len(indentation):]...)
	return out, cursor - len(indentation), true
}

func (e *editor) complete(line []rune, cursor int) readline.Completions {
	code := string(line)
	pos := len(string(line[:min(max(cursor, 0), len(line))]))
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	c, err := e.engine.Complete(ctx, code, pos)
	if err != nil {
		return readline.CompleteMessage("%s", err.Error())
	}
	if c.Start < 0 || c.Start > pos {
		return readline.Completions{}
	}
	prefix := code[c.Start:pos]
	var values []readline.Completion
	for _, item := range c.Items {
		values = append(values, readline.Completion{Value: item.Text, Display: item.Text,
			Description: strings.Join(strings.Fields(item.Signature), " "), Tag: plural(item.Kind)})
	}
	out := readline.CompleteRaw(values).NoSpace('*')
	out.PREFIX = prefix
	return out
}

// plural heads a group of candidates.
func plural(kind string) string {
	switch {
	case kind == "":
		return ""
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return kind + "s"
}

// deviceAttributes asks the terminal what it is and returns its answer, or
// nothing when it has not answered soon.
func deviceAttributes(in, out *os.File) string {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return ""
	}
	defer term.Restore(int(in.Fd()), state)
	if _, err := io.WriteString(out, "\x1b[c"); err != nil {
		return ""
	}
	var answer []byte
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
		if !readable(in, 20*time.Millisecond) {
			continue
		}
		var b [1]byte
		if n, err := in.Read(b[:]); n == 0 || err != nil {
			break
		}
		if answer = append(answer, b[0]); b[0] == 'c' {
			break
		}
	}
	return string(answer)
}

// ask reads a line from the keyboard, unseen when it is a password. It ends
// with an error when ctx does.
func ask(ctx context.Context, in, out *os.File, password bool) (string, error) {
	if password {
		state, err := noEcho(in)
		if err != nil {
			return "", fmt.Errorf("failed to hide what is typed: %w", err)
		}
		defer func() {
			term.Restore(int(in.Fd()), state)
			fmt.Fprintln(out)
		}()
	}
	var line []byte
	for {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("failed to read input: %w", err)
		}
		if !readable(in, 50*time.Millisecond) {
			continue
		}
		// Byte by byte: what comes after the line belongs to the editor.
		var b [1]byte
		n, err := in.Read(b[:])
		if n == 1 && b[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, b[:n]...)
		if err == io.EOF && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", fmt.Errorf("failed to read input: %w", err)
		}
	}
}
