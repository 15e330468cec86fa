// Package cli is the program's command lines: one file a command word, one
// parser, one form of help and of complaint. It is the only package that knows
// flags and signals, and the only one that prints to the process's streams;
// what the words do is done by functions of the rooms below, which take options
// and return errors.
//
// Exit codes, alike for all words: 0 done, 1 it failed, 2 it was asked wrongly,
// 130 it was interrupted. A mistake is one line on standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Options is what the program around the command lines gives them.
type Options struct {
	// KernelSpec is the kernelspec template that install fills in (see
	// kernel.InstallOptions); without one, install fails.
	KernelSpec []byte
}

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitWrong       = 2
	exitInterrupted = 130
)

// Run is the whole program but for the process around it: args are its
// arguments without its own name. It returns the exit code.
func Run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer, o ...Options) int {
	c := &call{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, options: append(o, Options{})[0]}
	if len(args) == 0 {
		if info, err := stdin.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			fmt.Fprintln(stderr, "trafficgpt: which command? (trafficgpt help lists them)")
			return exitWrong
		}
		args = []string{"repl"}
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-version", "--version":
		name = "version"
	}
	cmd, ok := find(name)
	if !ok {
		return c.unknown(name)
	}
	return c.run(cmd, args)
}

// command is one word that may follow trafficgpt.
type command struct {
	name    string
	summary string // in the list of words
	usage   string // what follows the word
	text    string // what it does, in lines that fit a terminal
	example string
	rest    bool // what stands after -- is handed on, in call.rest
	// prepare registers the flags and returns what then does the work.
	prepare func(f *flags) func(*call) error
}

// commands are the words, in the order in which help lists them.
func commands() []command {
	return []command{runCommand(), replCommand(), kernelCommand(), installCommand(), uninstallCommand(), encodeCommand(),
		decodeCommand(), judgeCommand(), exportCommand(), doctorCommand(), versionCommand(), helpCommand()}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// call is one use of a command.
type call struct {
	ctx     context.Context
	stop    func()   // ends what interruptible began
	args    []string // what is no flag
	rest    []string // what stands after --, where the command asks for it
	dashes  bool     // -- was there
	given   []string // the flags that were there, as they are written
	stdin   *os.File
	stdout  *os.File
	stderr  io.Writer
	options Options
}

// wrongUse is the error of a command that was asked wrongly.
type wrongUse struct{ problem string }

func (w wrongUse) Error() string { return w.problem }

func wrong(format string, args ...any) error { return wrongUse{fmt.Sprintf(format, args...)} }

// exitCode is the error of a command that has said itself what went wrong.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// unknown says that there is no such word, and which one was meant.
func (c *call) unknown(name string) int {
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	fmt.Fprintf(c.stderr, "trafficgpt: there is no command %q%s (trafficgpt help lists them)\n", name, nearest(name, names))
	return exitWrong
}

// none complains about arguments of a command that takes none.
func (c *call) none() error {
	if len(c.args) > 0 {
		return wrong("unexpected argument %q", c.args[0])
	}
	return nil
}

// run parses the arguments and does what the command does.
func (c *call) run(cmd command, args []string) int {
	f := newFlags(cmd.name)
	work := cmd.prepare(f)
	err := c.parse(f, cmd, args)
	if errors.Is(err, errHelp) {
		fmt.Fprint(c.stdout, cmd.help(f))
		return exitDone
	}
	if err == nil {
		err = work(c)
		if c.stop != nil {
			defer c.stop()
		}
	}
	var use wrongUse
	var code exitCode
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &use):
		fmt.Fprintf(c.stderr, "trafficgpt %s: %s; usage: %s (trafficgpt help %s)\n", cmd.name, use.problem, cmd.line(), cmd.name)
		return exitWrong
	}
	c.complain(cmd.name, err)
	if c.ctx.Err() != nil {
		return exitInterrupted
	}
	return exitFailed
}

// complain writes a line for the error, or one for each of several.
func (c *call) complain(name string, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			c.complain(name, e)
		}
		return
	}
	fmt.Fprintf(c.stderr, "trafficgpt %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
}
