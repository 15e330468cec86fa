package interp

import (
	"context"
	"fmt"
	"go/parser"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"trafficgpt/display"
)

// Command is one of the words that cells may use beside Go: a line that begins
// with % or !, or a whole cell that begins with %%. Kernel and REPL show this
// table; the session runs it.
type Command struct {
	Name string // as it is typed: "%cd", "%%bash", "!"
	Args string // what may follow, for people
	Help string // one line
	// Go says that what follows is Go, and completed as such.
	Go bool

	run func(c *call) error
}

// Commands lists all commands, in the order in which %help shows them.
func Commands() []Command { return slices.Clone(commandTable) }

// host is what commands need of a session.
type host interface {
	// evalGo runs Go in the session without looking for commands.
	evalGo(ctx context.Context, cell Cell, sink Sink) Result
	// known is what completion knows.
	known() names
	// variables lists what cells have declared, by name.
	variables() []Variable
	// ran lists the cells that ran without error, as they were typed.
	ran() []Cell
	// reset drops everything that cells have declared.
	reset() error
	// begin is called before the commands of a cell run.
	begin()
}

// Variable is a name that a cell declared.
type Variable struct {
	Name, Kind, Type string
	Value            string // short, of variables and constants
}

// call is one use of a command.
type call struct {
	ctx    context.Context
	host   host
	sink   Sink
	cell   Cell
	name   string // as it was typed
	args   string
	body   string // of a %% command: the lines below
	line   int    // of the command in the cell, from 0
	result *Result
}

func (c *call) printf(format string, args ...any) { c.sink.Stdout(fmt.Appendf(nil, format, args...)) }

func (c *call) show(v any) error {
	return c.sink.Emit(display.Event{Kind: display.Display, Data: display.Of(v)})
}

// evalGo runs Go that stands at the command's place, so that positions are
// those of the cell.
func (c *call) evalGo(code string, line int) Result {
	return c.host.evalGo(c.ctx, Cell{ID: c.cell.ID, Number: c.cell.Number, Code: strings.Repeat("\n", line) + code}, c.sink)
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
		if name, args, ok := commandLine(trimmed); ok && between(text.String()) && !(name == "!" && isGo(trimmed)) {
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

// between reports whether a statement may begin after text.
func between(text string) bool {
	if strings.TrimSpace(text) == "" {
		return true
	}
	b := scanBrackets(text)
	return b.open == 0 && !b.unfinished && !b.continues
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
	if word == "" || marks == 0 || strings.TrimFunc(word, func(r rune) bool { return r == '.' || r == '/' || isIdentifierRune(r) }) != "" {
		return "", "", false
	}
	if marks > 1 {
		return "%pinfo2", word, true
	}
	return "%pinfo", word, true
}

// runCommands runs a cell that contains commands. It reports false for a cell
// that is only Go.
func runCommands(ctx context.Context, h host, cell Cell, sink Sink) (Result, bool) {
	if !strings.ContainsAny(cell.Code, "%!?") {
		return Result{}, false
	}
	list := segments(cell.Code, func(line string) bool { return isGoExpression(line, cell.Code, h.known()) })
	if !slices.ContainsFunc(list, func(s segment) bool { return s.command != "" }) {
		return Result{}, false
	}
	h.begin()
	var result Result
	for _, s := range list {
		if ctx.Err() != nil {
			result.Err = &Error{Name: "Interrupted", Message: "interrupted"}
			return result, true
		}
		c := &call{ctx: ctx, host: h, sink: sink, cell: cell, name: s.command, args: s.args, body: s.body, line: s.line, result: &result}
		if s.command == "" {
			payloads := result.Payloads
			result = c.evalGo(s.text, s.line)
			result.Payloads = append(payloads, result.Payloads...)
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

func (c *call) do() error {
	i := slices.IndexFunc(commandTable, func(k Command) bool { return k.Name == canonical(c.name) })
	if i < 0 {
		return unknownCommand(c.name)
	}
	return commandTable[i].run(c)
}

func commandError(c *call, err error) *Error {
	if c.ctx.Err() != nil {
		return &Error{Name: "Interrupted", Message: c.name + " was interrupted"}
	}
	source := strings.TrimRight(strings.Split(c.cell.Code, "\n")[c.line], "\r")
	return &Error{
		Name: "CommandError", Message: err.Error(),
		Traceback:   []string{"\x1b[31mCommandError\x1b[0m: " + err.Error(), fmt.Sprintf("  cell %d, line %d: %s", c.cell.Number, c.line+1, source)},
		Diagnostics: []Diagnostic{{Cell: c.cell.Number, Line: c.line + 1, Column: 1, Message: err.Error(), Source: source}},
	}
}

// isGoExpression tells !done, with a variable done, from a shell's !ls.
func isGoExpression(line, code string, known names) bool {
	if _, err := parser.ParseExpr(line); err != nil {
		return false
	}
	word := strings.TrimLeft(line, "!( \t")
	word = word[:len(word)-len(strings.TrimLeftFunc(word, isIdentifierRune))]
	if known.objects[word] != nil || known.imports[word] != "" {
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
	for _, k := range commandTable {
		if d := editDistance(strings.TrimLeft(name, "%"), strings.TrimLeft(k.Name, "%")); d < distance {
			best, distance = k.Name, d
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

// goBefore is the Go of a cell up to the cursor: commands become empty lines,
// but for what follows a command that takes Go.
func goBefore(code string) string {
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
	i := slices.IndexFunc(commandTable, func(k Command) bool { return k.Name == canonical(name) })
	return i >= 0 && commandTable[i].Go
}

// completeCommand completes the name of a command, or a path after one.
func completeCommand(code string, pos int) (Completion, bool) {
	start := strings.LastIndexByte(code[:pos], '\n') + 1
	line := strings.TrimLeft(code[start:pos], " \t")
	if line == "" || line[0] != '%' && line[0] != '!' || !between(goBefore(code[:start])) {
		if first := strings.TrimSpace(code); strings.HasPrefix(first, "%%") {
			name, _, _ := strings.Cut(first, " ")
			name, _, _ = strings.Cut(name, "\n")
			if !takesGo(strings.TrimSpace(name)) && start > 0 {
				return completePath(line[strings.LastIndexFunc(line, unicode.IsSpace)+1:], pos, ""), true
			}
		}
		return Completion{}, false
	}
	name, args, hasArgs := strings.Cut(line, " ")
	switch {
	case line[0] == '!':
		return completePath(line[1+strings.LastIndexFunc(line[1:], unicode.IsSpace)+1:], pos, ""), true
	case hasArgs && takesGo(name):
		return Completion{}, false
	case hasArgs:
		return completePath(args[strings.LastIndexFunc(args, unicode.IsSpace)+1:], pos, ""), true
	}
	end := pos + len(identifierAfter(code[pos:]))
	c := candidates{prefix: name, start: pos - len(name), end: end, seen: map[string]bool{}}
	for _, k := range commandTable {
		if k.Name != "!" && (start == 0 || !strings.HasPrefix(k.Name, "%%")) {
			c.add(len(c.items), k.Name, "command", func() string { return strings.TrimSpace(k.Args + "  " + k.Help) })
		}
	}
	return c.result(), true
}
