package cli

import (
	"flag"
	"os"
	"slices"
	"strings"
	"time"

	"trafficgpt/notebooks"
)

// runFlags are the flags of run.
type runFlags struct {
	out, dir           string
	inplace, keepGoing bool
	quiet              bool
	parameters         []notebooks.Parameter
	timeout            time.Duration
	engine             engineFlags
}

func runCommand() command {
	return command{
		name: "run", summary: "run a notebook or a script of cells",
		usage: "[flags] NOTEBOOK.ipynb | CELLS.go | PROGRAM.go [-- args]",
		text: `
Runs every code cell in order, in the notebook's own folder as Jupyter does,
and shows progress on standard error. Without -o the outputs are printed as
text and the file is left alone. It stops at the first cell that fails, with
exit code 1; with -o the outputs up to there are stored all the same. Cells of
a .go file begin at lines "// %%".

An ordinary program (package main) runs as it would compiled: its main, with the
arguments after --, in the folder the command is given in, and its exit code.`,
		example: "trafficgpt run notebooks/00-quickstart.ipynb -p steps=50 -o /tmp/q.ipynb",
		rest:    true,
		prepare: func(f *flags) func(*call) error {
			r := &runFlags{}
			f.StringVar(&r.out, "o", "", "store the executed notebook in `OUT.ipynb` (written aside, then renamed)")
			f.BoolVar(&r.inplace, "inplace", false, "the same as -o NOTEBOOK.ipynb")
			f.Func("p", "override a variable of the cell tagged \"parameters\": `name=value` (repeatable)", func(s string) error {
				p, err := notebooks.ParseParameter(s)
				r.parameters = append(r.parameters, p)
				return err
			})
			f.DurationVar(&r.timeout, "timeout", 0, "longest time for one cell, a `DURATION` like 90s or 10m")
			f.BoolVar(&r.keepGoing, "keep-going", false, "run the cells after a failed one too")
			f.StringVar(&r.dir, "cwd", "", "run in `DIR` instead")
			f.BoolVar(&r.quiet, "quiet", false, "no progress")
			r.engine.register(f)
			return r.run
		},
	}
}

func (r *runFlags) run(c *call) error {
	if len(c.args) == 0 && len(c.rest) > 0 { // the first --, as elsewhere, stands before a name like a flag's
		c.args, c.rest = c.rest[:1], c.rest[1:]
		if c.dashes = len(c.rest) > 0; c.dashes && c.rest[0] == "--" {
			c.rest = c.rest[1:]
		}
	}
	switch {
	case len(c.args) != 1:
		return wrong("it takes one notebook, not %d", len(c.args))
	case r.inplace && r.out != "":
		return wrongUse{"-o and --inplace exclude each other"}
	case r.timeout < 0:
		return wrong("--timeout is negative: %v", r.timeout)
	}
	path := c.args[0]
	if text, ok := notebooks.ReadProgram(path); ok {
		if i := slices.IndexFunc(c.given, func(name string) bool { return name != "--cwd" && name != "--quiet" }); i >= 0 {
			return wrong("%s is for notebooks, and %s is a program", c.given[i], path)
		}
		return r.program(c, path, text)
	}
	if c.dashes {
		return wrong("arguments after -- are for programs, and %s has no package main", path)
	}
	o := notebooks.FileOptions{Out: r.out, Dir: r.dir, Start: r.engine.start, Options: notebooks.Options{
		Parameters: r.parameters, Timeout: r.timeout, KeepGoing: r.keepGoing, Errors: c.stderr}}
	if r.inplace {
		o.Out = path
	}
	if !r.quiet {
		o.Progress = c.stderr
	}
	if o.Out == "" {
		o.Live = c.stdout
	}
	c.interruptible()
	return notebooks.RunFile(c.ctx, path, o)
}

// program runs an ordinary program, whose process this is from then on: its
// arguments, its flags, its signals, its exit code.
func (r *runFlags) program(c *call, path string, text []byte) error {
	os.Args = append([]string{strings.TrimSuffix(path, ".go")}, c.rest...)
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.CommandLine.Usage = func() { flag.Usage() }
	code, err := notebooks.RunProgram(path, text, notebooks.ProgramOptions{Dir: r.dir, Stdout: c.stdout, Stderr: c.stderr})
	if err == nil && code != 0 {
		return exitCode(code)
	}
	return err
}
