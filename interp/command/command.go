// Package command has the words that cells may use beside Go: a line that begins
// with % or !, a line such as name?, and a whole cell that begins with %%. It
// finds them in a cell (segments), runs them over a Host, a session as they see
// it, and completes and explains their names. What Go is left goes to the Host.
package command

import (
	"context"
	"fmt"
	"go/parser"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"trafficgpt/display"
	"trafficgpt/interp"
	"trafficgpt/interp/assist"
)

// word is one of the words that cells may use beside Go.
type word struct {
	name string // as it is typed: "%cd", "%%bash", "!"
	args string // what may follow, for people
	help string // one line
	// takesGo says that what follows is Go, and completed as such.
	takesGo bool

	run func(c *call) error
}

// Host is what commands need of a session.
type Host interface {
	// Begin is called before the commands of a cell run.
	Begin()
	// Eval runs Go in the session without looking for commands.
	Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result
	// Knows reports whether cells have declared or imported name.
	Knows(name string) bool
	// Inspect describes the name that code ends with; detail 1 adds its source.
	Inspect(code string, detail int) interp.Inspection
	// Variables lists what cells have declared, by name.
	Variables() []assist.Variable
	// Ran lists the cells that ran without error, as they were typed.
	Ran() []interp.Cell
	// Reset drops everything that cells have declared.
	Reset() error
}

// Runner runs the commands of one session. Its zero value is ready.
type Runner struct {
	mu     sync.Mutex
	before string // the folder before the last %cd
}

// call is one use of a command.
type call struct {
	runner *Runner
	ctx    context.Context
	host   Host
	sink   interp.Sink
	cell   interp.Cell
	name   string // as it was typed
	args   string
	body   string // of a %% command: the lines below
	line   int    // of the command in the cell, from 0
	result *interp.Result
}

func (c *call) printf(format string, args ...any) { c.sink.Stdout(fmt.Appendf(nil, format, args...)) }

func (c *call) show(v any) error {
	return c.sink.Emit(display.Event{Kind: display.Display, Data: display.Of(v)})
}

// evalGo runs Go that stands at the command's place, so that positions are
// those of the cell.
func (c *call) evalGo(code string, line int) interp.Result {
	return c.host.Eval(c.ctx, interp.Cell{ID: c.cell.ID, Number: c.cell.Number, Code: strings.Repeat("\n", line) + code}, c.sink)
}

// segment is a run of lines of a cell: Go, or one command.
type segment struct {
	command    string // "" for Go, else the name with its % or !
	args, body string
	text       string // of Go
	line       int    // from 0
}

// segments cuts a cell into Go and commands. A line is a command if it begins
// with % or ! where a statement may begin; isGo tells whether a line such as
// !done is an expression of the session after all.
func segments(code string, isGo func(line string) bool) []segment {
	var list []segment
	lines := strings.SplitAfter(code, "\n")
	var text strings.Builder
	from := 0
	flush := func(next int) {
		if strings.TrimSpace(text.String()) != "" {
			list = append(list, segment{text: text.String(), line: from})
		}
		text.Reset()
		from = next
	}
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "%%") && len(list) == 0 && strings.TrimSpace(text.String()) == "" {
			name, args, _ := strings.Cut(trimmed, " ")
			return append(list, segment{command: name, args: strings.TrimSpace(args), body: strings.Join(lines[i+1:], ""), line: i})
		}
		if name, args, ok := commandLine(trimmed); ok && assist.Ended(text.String()) && !(name == "!" && isGo(trimmed)) {
			flush(i)
			list = append(list, segment{command: name, args: args, line: i})
			from = i + 1
			continue
		}
		text.WriteString(line)
	}
	flush(0)
	return list
}

// commandLine takes a line apart that looks like a command: %name args,
// !args, ?name, name? and name??.
func commandLine(line string) (name, args string, ok bool) {
	switch {
	case line == "":
		return "", "", false
	case line[0] == '!':
		return "!", strings.TrimSpace(strings.TrimPrefix(line[1:], "!")), true
	case line[0] == '%':
		name, args, _ = strings.Cut(line, " ")
		return name, strings.TrimSpace(args), true
	}
	word := strings.Trim(line, "?")
	marks := len(line) - len(word)
	if word == "" || marks == 0 || strings.TrimFunc(word, func(r rune) bool { return r == '.' || r == '/' || assist.IdentifierRune(r) }) != "" {
		return "", "", false
	}
	if marks > 1 {
		return "%pinfo2", word, true
	}
	return "%pinfo", word, true
}

// Run runs a cell that contains commands. It reports false for a cell that is
// only Go.
func (r *Runner) Run(ctx context.Context, h Host, cell interp.Cell, sink interp.Sink) (interp.Result, bool) {
	if !strings.ContainsAny(cell.Code, "%!?") {
		return interp.Result{}, false
	}
	list := segments(cell.Code, func(line string) bool { return isGoExpression(line, cell.Code, h.Knows) })
	if !slices.ContainsFunc(list, func(s segment) bool { return s.command != "" }) {
		return interp.Result{}, false
	}
	h.Begin()
	var result interp.Result
	for _, s := range list {
		if ctx.Err() != nil {
			result.Err = &interp.Error{Name: "Interrupted", Message: "interrupted"}
			return result, true
		}
		c := &call{runner: r, ctx: ctx, host: h, sink: sink, cell: cell, name: s.command, args: s.args, body: s.body, line: s.line, result: &result}
		if s.command == "" {
			c.runGo(s.text, s.line)
		} else {
			result.Value = nil
			if err := c.do(); err != nil && result.Err == nil {
				result.Err = commandError(c, err)
			}
		}
		if result.Err != nil {
			break
		}
	}
	return result, true
}

// runGo runs Go for the command; what it asks of the front end joins what
// commands before it asked.
func (c *call) runGo(code string, line int) {
	payloads := c.result.Payloads
	*c.result = c.evalGo(code, line)
	c.result.Payloads = append(payloads, c.result.Payloads...)
}

func (c *call) do() error {
	i := slices.IndexFunc(table, func(k word) bool { return k.name == canonical(c.name) })
	if i < 0 {
		return unknownCommand(c.name)
	}
	return table[i].run(c)
}

func commandError(c *call, err error) *interp.Error {
	if c.ctx.Err() != nil {
		return &interp.Error{Name: "Interrupted", Message: c.name + " was interrupted"}
	}
	source := strings.TrimRight(strings.Split(c.cell.Code, "\n")[c.line], "\r")
	return &interp.Error{
		Name: "CommandError", Message: err.Error(),
		Traceback:   []string{"\x1b[31mCommandError\x1b[0m: " + err.Error(), fmt.Sprintf("  cell %d, line %d: %s", c.cell.Number, c.line+1, source)},
		Diagnostics: []interp.Diagnostic{{Cell: c.cell.Number, Line: c.line + 1, Column: 1, Message: err.Error(), Source: source}},
	}
}

// isGoExpression tells !done, with a variable done, from a shell's !ls.
func isGoExpression(line, code string, known func(name string) bool) bool {
	if _, err := parser.ParseExpr(line); err != nil {
		return false
	}
	word := strings.TrimLeft(line, "!( \t")
	word = word[:len(word)-len(strings.TrimLeftFunc(word, assist.IdentifierRune))]
	if known(word) {
		return true
	}
	return word != "" && regexp.MustCompile(`(?m)^\s*(var\s+|func\s+)?`+regexp.QuoteMeta(word)+`\b\s*(,|:=|=|\(|[\w\[*])`).MatchString(code)
}

// aliases are other names of commands, most of them IPython's.
var aliases = map[string]string{
	"%who": "%vars", "%whos": "%vars", "%lsmagic": "%help", "%magic": "%help", "%quickref": "%help",
	"%hist": "%history", "%chdir": "%cd", "%doc": "%pinfo", "%pdoc": "%pinfo", "%psource": "%pinfo2",
	"%pdef": "%pinfo", "%set_env": "%env", "%%sh": "%%bash", "%%file": "%%writefile", "%sx": "!", "%system": "!",
	"%loadpy": "%load", "%page": "%pinfo", "%reset_selective": "%reset", "%recall": "%rerun", "%rep": "%rerun", "%%md": "%%markdown",
}

func canonical(name string) string {
	if a := aliases[name]; a != "" {
		return a
	}
	return name
}

// notNeeded answers words of IPython that have no place here.
var notNeeded = map[string]string{
	"%matplotlib": "figures show themselves: end a cell with a plot",
	"%pylab":      "figures show themselves: end a cell with a plot",
	"%load_ext":   "there are no extensions; import the package",
	"%reload_ext": "there are no extensions; run the cell with the import again",
	"%autoreload": "run the cell with the import again",
	"%pip":        "cells import what %packages lists; nothing is installed",
	"%conda":      "cells import what %packages lists; nothing is installed",
	"%debug":      "JupyterLab's debugger does this",
	"%pdb":        "JupyterLab's debugger does this",
	"%%python":    "cells are Go; %%script python3 runs another program",
	"%prun":       "%time and %timeit measure; runtime/pprof profiles",
}

func unknownCommand(name string) error {
	if why := notNeeded[name]; why != "" {
		return fmt.Errorf("%s is not needed: %s", name, why)
	}
	best, distance := "", 3
	for _, k := range table {
		if d := editDistance(strings.TrimLeft(name, "%"), strings.TrimLeft(k.name, "%")); d < distance {
			best, distance = k.name, d
		}
	}
	if best != "" {
		return fmt.Errorf("there is no command %s; did you mean %s? (%%help lists all)", name, best)
	}
	return fmt.Errorf("there is no command %s (%%help lists all)", name)
}

// editDistance is the number of letters to insert, delete or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// GoBefore is the Go of a cell up to the cursor: commands become empty lines,
// but for what follows a command that takes Go.
func GoBefore(code string) string {
	if !strings.ContainsAny(code, "%!?") {
		return code
	}
	var b strings.Builder
	for _, s := range segments(code, func(line string) bool { return strings.HasPrefix(line, "!") && strings.ContainsAny(line, "(.") }) {
		switch {
		case s.command == "":
			b.WriteString(s.text)
		case takesGo(s.command) && s.body != "":
			b.WriteString("\n" + s.body)
		case takesGo(s.command):
			b.WriteString("\n" + s.args)
		}
	}
	return b.String()
}

func takesGo(name string) bool {
	i := slices.IndexFunc(table, func(k word) bool { return k.name == canonical(name) })
	return i >= 0 && table[i].takesGo
}

// Complete completes the name of a command, or a path after one; it
// reports false where Go stands.
func Complete(code string, pos int) (interp.Completion, bool) {
	start := strings.LastIndexByte(code[:pos], '\n') + 1
	line := strings.TrimLeft(code[start:pos], " \t")
	if line == "" || line[0] != '%' && line[0] != '!' || !assist.Ended(GoBefore(code[:start])) {
		if first := strings.TrimSpace(code); strings.HasPrefix(first, "%%") {
			name, _, _ := strings.Cut(first, " ")
			name, _, _ = strings.Cut(name, "\n")
			if !takesGo(strings.TrimSpace(name)) && start > 0 {
				return assist.CompletePath(line[strings.LastIndexFunc(line, unicode.IsSpace)+1:], pos, ""), true
			}
		}
		return interp.Completion{}, false
	}
	name, args, hasArgs := strings.Cut(line, " ")
	switch {
	case line[0] == '!':
		return assist.CompletePath(line[1+strings.LastIndexFunc(line[1:], unicode.IsSpace)+1:], pos, ""), true
	case hasArgs && takesGo(name):
		return interp.Completion{}, false
	case hasArgs:
		return assist.CompletePath(args[strings.LastIndexFunc(args, unicode.IsSpace)+1:], pos, ""), true
	}
	rest := strings.TrimLeftFunc(code[pos:], assist.IdentifierRune)
	c := interp.Completion{Start: pos - len(name), End: len(code) - len(rest)}
	for _, k := range table {
		if k.name == "!" || start > 0 && strings.HasPrefix(k.name, "%%") || len(k.name) < len(name) || !strings.EqualFold(k.name[:len(name)], name) {
			continue
		}
		c.Items = append(c.Items, interp.CompletionItem{Text: k.name, Kind: "command", Signature: strings.TrimSpace(k.args + "  " + k.help)})
	}
	return c, true
}

// Inspect explains the command that the cursor at pos is on.
func Inspect(code string, pos int) interp.Inspection {
	start := strings.LastIndexByte(code[:pos], '\n') + 1
	line, _, _ := strings.Cut(code[start:], "\n")
	if !strings.HasPrefix(line, "%") {
		return interp.Inspection{}
	}
	name, _, _ := strings.Cut(line, " ")
	if pos-start > len(name) {
		return interp.Inspection{}
	}
	for _, k := range table {
		if k.name == canonical(name) {
			return assist.About{Title: strings.TrimSpace(k.name + " " + k.args), Comment: k.help}.Inspection()
		}
	}
	return interp.Inspection{}
}
