package command

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/symbols"
)

func cmdHelp(c *call) error {
	if c.args != "" {
		name := canonical(c.args)
		for _, k := range table {
			if k.name == name || strings.TrimLeft(k.name, "%") == strings.TrimLeft(name, "%") {
				c.printf("%s %s\n    %s\n", k.name, k.args, k.help)
				return nil
			}
		}
		return unknownCommand(c.args)
	}
	t := display.NewTable("command", "", "what it does")
	t.Limit = -1
	for _, k := range table {
		t.Row(k.name, k.args, k.help)
	}
	t.Note = "A cell is Go; commands stand on lines of their own, those with %% on the first line of a cell."
	return c.show(t)
}

func cmdInfo(c *call) error {
	if c.args == "" {
		return errors.New("which name? For example: %pinfo fmt.Printf")
	}
	detail := 0
	if canonical(c.name) == "%pinfo2" {
		detail = 1
	}
	in := c.host.Inspect(c.args, detail)
	if !in.Found {
		return fmt.Errorf("nothing is known of %s", c.args)
	}
	c.result.Payloads = append(c.result.Payloads, interp.Payload{Kind: interp.PayloadPage, Page: in.Data})
	return nil
}

func cmdPackages(c *call) error {
	t := display.NewTable("import", "what it is")
	t.Limit = -1
	for _, path := range symbols.Paths() {
		if synopsis := symbols.Synopsis(path); strings.Contains(path, c.args) || strings.Contains(strings.ToLower(synopsis), strings.ToLower(c.args)) {
			t.Row(path, synopsis)
		}
	}
	if len(t.Rows) == 0 {
		return fmt.Errorf("no package has %q in its path or its description", c.args)
	}
	return c.show(t)
}

func cmdVars(c *call) error {
	t := display.NewTable("name", "kind", "type", "value")
	t.Limit = -1
	for _, v := range c.host.Variables() {
		if strings.HasPrefix(v.Name, c.args) {
			t.Row(v.Name, v.Kind, v.Type, v.Value)
		}
	}
	if len(t.Rows) == 0 {
		c.printf("nothing is declared\n")
		return nil
	}
	return c.show(t)
}

func cmdReset(c *call) error { return c.host.Reset() }

func cmdHostOnly(c *call) error {
	return fmt.Errorf("%s stands alone in a cell, and only where the engine is a process of its own", c.name)
}

func cmdTime(c *call) error {
	code := c.code()
	if strings.TrimSpace(code) == "" {
		return errors.New("what shall be timed?")
	}
	begin := time.Now()
	c.runGo(code, c.line)
	if c.result.Err == nil {
		c.printf("time: %s\n", shortDuration(time.Since(begin)))
	}
	return nil
}

// code is the Go that a command is for, at the columns where it stands.
func (c *call) code() string {
	if strings.HasPrefix(c.name, "%%") {
		return "\n" + c.body
	}
	line := strings.Split(c.cell.Code, "\n")[c.line]
	return strings.Repeat(" ", max(0, strings.Index(line, c.args))) + c.args
}

// shortDuration has three significant digits.
func shortDuration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	if d < time.Minute {
		digits := math.Pow10(int(math.Log10(float64(d))) - 2)
		d = time.Duration(math.Round(float64(d)/digits) * digits)
	} else {
		d = d.Round(time.Second)
	}
	return d.String()
}

func cmdTimeit(c *call) error {
	loops, repeats, code, err := timeitArgs(c.args)
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.name, "%%") {
		code = "\n" + c.body
	}
	if strings.TrimSpace(code) == "" {
		return errors.New("what shall be timed?")
	}
	t := &timer{call: c, line: c.line, code: code}
	if loops == 0 {
		// As many as take a fifth of a second, by growing trials.
		for loops = 1; ; loops = min(loops*10, 1e9) {
			d, ok := t.run(loops)
			if !ok {
				return nil
			}
			if d >= 200*time.Millisecond || loops >= 1e9 {
				break
			}
			if d >= 20*time.Millisecond {
				loops = max(loops, int(float64(loops)*float64(200*time.Millisecond)/float64(d)))
				break
			}
		}
	}
	var each []float64
	for range repeats {
		d, ok := t.run(loops)
		if !ok {
			return nil
		}
		each = append(each, float64(d)/float64(loops))
	}
	mean, deviation := meanDeviation(each)
	c.printf("%s ± %s a loop (mean and deviation of %d runs, %s loops each), best %s\n", durationText(mean), durationText(deviation),
		repeats, display.Count(loops), durationText(slices.Min(each)))
	return nil
}

func timeitArgs(args string) (loops, repeats int, code string, err error) {
	repeats = 5
	for {
		word, rest, _ := strings.Cut(strings.TrimSpace(args), " ")
		var target *int
		switch {
		case strings.HasPrefix(word, "-n"):
			target = &loops
		case strings.HasPrefix(word, "-r"):
			target = &repeats
		default:
			return loops, repeats, args, nil
		}
		number := word[2:]
		if number == "" {
			number, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		if *target, err = strconv.Atoi(number); err != nil || *target < 1 {
			return 0, 0, "", fmt.Errorf("%s wants a number from 1, not %q", word[:2], number)
		}
		args = rest
	}
}

// timer runs code in a loop.
type timer struct {
	call *call
	line int
	code string
	form string // how the code stands in the loop, once known
}

func (t *timer) run(loops int) (time.Duration, bool) {
	forms := []string{t.form}
	if t.form == "" {
		forms = []string{t.code}
		if e, err := parser.ParseExpr(t.code); err == nil {
			forms = []string{"_ = " + t.code}
			if _, isCall := ast.Unparen(e).(*ast.CallExpr); isCall {
				// A call may have no result, one, or more.
				forms = []string{t.code, "_ = " + t.code}
			}
		}
	}
	var r interp.Result
	for _, form := range forms {
		begin := time.Now()
		r = t.call.evalGo(fmt.Sprintf("for range %d { %s\n}", loops, form), t.line)
		took := time.Since(begin)
		if r.Err == nil {
			t.form = form
			return took, true
		}
		if r.Err.Name != "CompileError" {
			break
		}
	}
	*t.call.result = r
	return 0, false
}

func meanDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

// durationText writes nanoseconds with three significant digits, also below
// one.
func durationText(ns float64) string {
	for _, u := range []struct {
		name  string
		scale float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.scale {
			return strconv.FormatFloat(ns/u.scale, 'g', 3, 64) + " " + u.name
		}
	}
	return strconv.FormatFloat(ns, 'g', 3, 64) + " ns"
}

func cmdCapture(c *call) error {
	r := c.host.Eval(c.ctx, interp.Cell{ID: c.cell.ID, Number: c.cell.Number, Code: strings.Repeat("\n", c.line+1) + c.body}, silent{c.sink})
	r.Value = nil
	*c.result = r
	return nil
}

// silent drops what a cell prints and shows; it can still ask.
type silent struct{ interp.Sink }

func (silent) Stdout([]byte)            {}
func (silent) Stderr([]byte)            {}
func (silent) Emit(display.Event) error { return nil }

func cmdShow(c *call) error {
	text := c.body
	if strings.TrimSpace(text) == "" {
		text = c.args
	}
	var b display.Bundle
	switch c.name {
	case "%%html":
		b = display.AsHTML(text)
	case "%%latex":
		b = display.AsLatex(text)
	case "%%svg":
		b = display.AsSVG(text)
	default:
		b = display.AsMarkdown(text)
	}
	return c.show(b)
}
