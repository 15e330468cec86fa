package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

var errHelp = flag.ErrHelp

// flags are those of one command. A usage names the flag's value in
// `backquotes`, as package flag has it.
type flags struct{ *flag.FlagSet }

func newFlags(name string) *flags {
	f := &flags{flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// dashed is a flag as people write it: -o, --quiet.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// parse reads the flags, which may stand before, between and behind the other
// arguments, up to --: what follows is no flag, whatever it looks like.
func (c *call) parse(f *flags, cmd command, args []string) error {
	var after []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, after, c.dashes = args[:i], args[i+1:], true
	}
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return errHelp
		} else if err != nil {
			return wrongUse{f.problem(err)}
		}
		if args = f.Args(); len(args) == 0 {
			break
		}
		c.args, args = append(c.args, args[0]), args[1:]
	}
	if cmd.rest {
		c.rest = after
	} else {
		c.args = append(c.args, after...)
	}
	f.Visit(func(one *flag.Flag) { c.given = append(c.given, dashed(one.Name)) })
	return nil
}

// problem is what package flag says, with the flag that was meant.
func (f *flags) problem(err error) string {
	text := err.Error()
	name, ok := strings.CutPrefix(text, "flag provided but not defined: -")
	if !ok {
		return text
	}
	var names []string
	f.VisitAll(func(one *flag.Flag) { names = append(names, dashed(one.Name)) })
	return text + nearest(dashed(name), names)
}

// line is the command's usage in one line.
func (cmd *command) line() string {
	return strings.TrimRight("trafficgpt "+cmd.name+" "+cmd.usage, " ")
}

// help is the text of --help.
func (cmd *command) help(f *flags) string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n\n%s\n", cmd.line(), strings.Trim(cmd.text, "\n"))
	var rows [][2]string
	width := 0
	f.VisitAll(func(one *flag.Flag) {
		value, usage := flag.UnquoteUsage(one)
		left := strings.TrimRight(dashed(one.Name)+" "+value, " ")
		rows, width = append(rows, [2]string{left, usage}), max(width, len(left))
	})
	if len(rows) > 0 {
		b.WriteString("\n")
	}
	for _, r := range rows {
		for i, line := range wrap(r[1], terminal-width-4) {
			if i > 0 {
				r[0] = ""
			}
			fmt.Fprintf(&b, "  %-*s  %s\n", width, r[0], line)
		}
	}
	fmt.Fprintf(&b, "\nexample: %s\n", cmd.example)
	return b.String()
}

// terminal is the width that help fits.
const terminal = 80

// wrap breaks text into lines of at most width letters, between words.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// nearest asks whether the names nearest to a mistyped word were meant; empty
// when all are far.
func nearest(word string, names []string) string {
	best, found := max(1, (len(word)+1)/3), []string(nil)
	for _, n := range names {
		d := distance(word, n)
		if bare := strings.TrimLeft(word, "-"); len(bare) > 1 && strings.HasPrefix(strings.TrimLeft(n, "-"), bare) {
			d = 1 // not written to its end
		}
		if d < best {
			best, found = d, nil
		}
		if d == best {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(found, " or ") + "?"
}

// distance is the least number of letters to put in, take away, replace or
// exchange with the next that makes one word the other (Damerau and
// Levenshtein, each letter moved once).
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
