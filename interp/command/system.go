package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"trafficgpt/atomicfile"
	"trafficgpt/interp"
)

func cmdCd(c *call) error {
	to := strings.Trim(c.args, `"'`)
	c.runner.mu.Lock()
	defer c.runner.mu.Unlock()
	switch {
	case to == "-":
		if to = c.runner.before; to == "" {
			return errors.New("there is no folder to go back to")
		}
	case to == "" || to == "~" || strings.HasPrefix(to, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("failed to find the home folder: %w", err)
		}
		to = filepath.Join(home, strings.TrimPrefix(to, "~"))
	}
	was, _ := os.Getwd() // without one there is none to go back to
	if err := os.Chdir(to); err != nil {
		return fmt.Errorf("failed to change the folder: %w", err)
	}
	c.runner.before = was
	return cmdPwd(c)
}

func cmdPwd(c *call) error {
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("failed to find the folder: %w", err)
	}
	c.printf("%s\n", dir)
	return nil
}

func cmdEnv(c *call) error {
	name, value, set := strings.Cut(c.args, "=")
	if !set {
		name, value, set = strings.Cut(c.args, " ")
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case name == "":
		all := os.Environ()
		slices.Sort(all)
		c.printf("%s\n", strings.Join(all, "\n"))
	case set:
		if err := os.Setenv(name, os.ExpandEnv(value)); err != nil {
			return fmt.Errorf("failed to set %s: %w", name, err)
		}
		c.printf("%s=%s\n", name, os.Getenv(name))
	default:
		v, ok := os.LookupEnv(name)
		if !ok {
			return fmt.Errorf("the environment has no %s", name)
		}
		c.printf("%s\n", v)
	}
	return nil
}

func cmdLs(c *call) error { return c.shell("sh", "ls -C "+c.args, nil) }

// cmdFiles are the shell's commands that IPython has too.
func cmdFiles(c *call) error { return c.shell("sh", strings.TrimPrefix(c.name, "%")+" "+c.args, nil) }

var braced = regexp.MustCompile(`\{[\pL_][\pL\pN_]*\}`)

func cmdShell(c *call) error {
	if c.args == "" {
		return errors.New("which command? For example: !ls -l")
	}
	var values map[string]string
	line := braced.ReplaceAllStringFunc(c.args, func(m string) string {
		if values == nil {
			values = map[string]string{}
			for _, v := range c.host.Variables() {
				if text, err := strconv.Unquote(v.Value); err == nil {
					v.Value = text
				}
				values[v.Name] = v.Value
			}
		}
		if v, ok := values[m[1:len(m)-1]]; ok {
			return v
		}
		return m // the shell's own braces
	})
	err := c.shell("sh", line, nil)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && c.ctx.Err() == nil {
		c.sink.Stderr(fmt.Appendf(nil, "%v\n", exit))
		return nil
	}
	return err
}

func cmdBash(c *call) error {
	shell := "bash"
	if c.name == "%%sh" {
		shell = "sh"
	}
	return c.shell(shell, c.body, strings.Fields(c.args))
}

// shell runs text in a shell, with args as $1 and so on.
func (c *call) shell(name, text string, args []string) error {
	return c.program(exec.Command(name, append([]string{"-c", text, name}, args...)...))
}

func cmdScript(c *call) error {
	words := strings.Fields(c.args)
	if len(words) == 0 {
		return errors.New("which program? For example: %%script python3")
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin = strings.NewReader(c.body)
	return c.program(cmd)
}

// program runs cmd until it ends or the cell is interrupted; then it is ended
// with all it started.
func (c *call) program(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = sinkWriter(c.sink.Stdout), sinkWriter(c.sink.Stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What goes on in the background does not keep the cell.
	cmd.WaitDelay = 100 * time.Millisecond
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("failed to run %s: %w", cmd.Args[0], err)
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-c.ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		case <-over:
		}
	}()
	err := cmd.Wait()
	close(over)
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

type sinkWriter func([]byte)

func (w sinkWriter) Write(p []byte) (int, error) { w(p); return len(p), nil }

// fileName takes the file from a command's arguments.
func fileName(args string) (string, error) {
	name := strings.Trim(args, `"'`)
	if name == "" {
		return "", errors.New("which file?")
	}
	if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(name, "~/") {
		name = filepath.Join(home, name[2:])
	}
	return name, nil
}

// readText reads the file that a command's arguments name.
func readText(args string) (name, text string, err error) {
	if name, err = fileName(args); err != nil {
		return "", "", err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", "", fmt.Errorf("failed to read: %w", err)
	}
	if !utf8.Valid(data) {
		return "", "", fmt.Errorf("failed to read %s: it is no text in UTF-8", name)
	}
	return name, string(data), nil
}

func cmdLoad(c *call) error {
	_, text, err := readText(c.args)
	if err != nil {
		return err
	}
	c.result.Payloads = append(c.result.Payloads, interp.Payload{
		Kind: interp.PayloadNextInput, Text: "// %load " + c.args + "\n" + text, Replace: true,
	})
	return nil
}

func cmdWritefile(c *call) error {
	args, add := strings.CutPrefix(c.args, "-a ")
	name, err := fileName(strings.TrimSpace(args))
	if err != nil {
		return err
	}
	word := "wrote"
	if _, err := os.Stat(name); err == nil {
		word = "replaced"
	}
	if add {
		word = "appended to"
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("failed to write: %w", err)
		}
		_, err = io.WriteString(f, c.body)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("failed to write %s: %w", name, err)
		}
	} else if err := atomicfile.WriteBytes(name, []byte(c.body)); err != nil {
		return err
	}
	c.printf("%s %s\n", word, name)
	return nil
}

// chosen is the part of the history that words like 3 and 5-8 name; all of it
// without words.
func chosen(cells []interp.Cell, words []string) ([]interp.Cell, error) {
	if len(words) == 0 {
		return cells, nil
	}
	var out []interp.Cell
	for _, w := range words {
		first, last, isRange := strings.Cut(w, "-")
		a, err1 := strconv.Atoi(first)
		b, err2 := a, error(nil)
		if isRange {
			b, err2 = strconv.Atoi(last)
		}
		if err1 != nil || err2 != nil || a > b {
			return nil, fmt.Errorf("%q names no cells; write 3 or 5-8", w)
		}
		for _, c := range cells {
			if c.Number >= a && c.Number <= b {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no cell %s has run", strings.Join(words, " "))
	}
	return out, nil
}

func cmdHistory(c *call) error {
	cells, err := chosen(c.host.Ran(), strings.Fields(c.args))
	if err != nil {
		return err
	}
	for _, cell := range cells {
		c.printf("[%d] %s\n", cell.Number, strings.ReplaceAll(strings.TrimRight(cell.Code, "\n"), "\n", "\n    "))
	}
	return nil
}

func cmdRerun(c *call) error {
	cells := c.host.Ran()
	if words := strings.Fields(c.args); len(words) > 0 {
		var err error
		if cells, err = chosen(cells, words); err != nil {
			return err
		}
	} else {
		cells = cells[max(0, len(cells)-1):]
	}
	if len(cells) == 0 {
		return errors.New("no such cell has run (%history lists them)")
	}
	for _, cell := range cells {
		if strings.HasPrefix(strings.TrimSpace(cell.Code), "%rerun") {
			continue
		}
		again := interp.Cell{ID: c.cell.ID, Number: c.cell.Number, Code: cell.Code}
		r, isCommand := c.runner.Run(c.ctx, c.host, again, c.sink)
		if !isCommand {
			r = c.evalGo(cell.Code, 0)
		}
		if err := c.pass(r, fmt.Sprintf("cell %d again", cell.Number)); err != nil || r.Err != nil {
			return err
		}
	}
	return nil
}

// pass shows the value of one of the cells that a command runs; if the cell
// failed, so does the command's, with an error that says which.
func (c *call) pass(r interp.Result, which string) error {
	if r.Value != nil {
		if err := c.show(r.Value); err != nil {
			return err
		}
	}
	if r.Err != nil {
		r.Err.Message = which + ": " + r.Err.Message
		c.result.Err = r.Err
	}
	return nil
}

func cmdSave(c *call) error {
	words := strings.Fields(c.args)
	if len(words) == 0 {
		return errors.New("which file? For example: %save cells.go 1-5")
	}
	name, err := fileName(words[0])
	if err != nil {
		return err
	}
	cells, err := chosen(c.host.Ran(), words[1:])
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, cell := range cells {
		fmt.Fprintf(&b, "// %%%%\n%s\n\n", strings.TrimRight(cell.Code, "\n"))
	}
	if err := atomicfile.WriteBytes(name, []byte(strings.TrimRight(b.String(), "\n")+"\n")); err != nil {
		return err
	}
	c.printf("wrote %d cells to %s\n", len(cells), name)
	return nil
}

func cmdRun(c *call) error {
	name, text, err := readText(c.args)
	if err != nil {
		return err
	}
	for _, code := range scriptCells(text) {
		r := c.host.Eval(c.ctx, interp.Cell{ID: c.cell.ID, Number: c.cell.Number, Code: code}, c.sink)
		if err := c.pass(r, name); err != nil || r.Err != nil {
			return err
		}
	}
	return nil
}

// scriptCells cuts a script at its lines // %%, each cell with the empty lines
// that keep its line numbers those of the file.
func scriptCells(text string) []string {
	var cells []string
	var b strings.Builder
	flush := func(next int) {
		if strings.TrimSpace(b.String()) != "" {
			cells = append(cells, b.String())
		}
		b.Reset()
		b.WriteString(strings.Repeat("\n", next))
	}
	for i, line := range strings.SplitAfter(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "// %%") {
			flush(i + 1)
			continue
		}
		b.WriteString(line)
	}
	flush(0)
	return cells
}
