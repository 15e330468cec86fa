package notebooks

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/interp"
)

// Starter starts an engine whose working directory is dir.
type Starter func(dir string) (interp.Engine, error)

const runHelp = `usage: trafficgpt run [flags] NOTEBOOK.ipynb | CELLS.go | PROGRAM.go [-- arguments]

Runs every code cell in order, in the notebook's own folder as Jupyter does,
and shows progress on standard error. Without -o the outputs are printed as
text and the file is left alone. It stops at the first cell that fails, with
exit code 1; with -o the outputs up to there are stored all the same. Cells of
a .go file begin at lines "// %%".

An ordinary program (package main) runs as it would compiled: its main, with the
arguments after --, in the folder the command is given in, and its exit code.

  -o OUT.ipynb    store the executed notebook (written aside, then renamed)
  --inplace       the same as -o NOTEBOOK.ipynb
  -p name=value   override a variable of the cell tagged "parameters" (repeatable)
  --timeout D     longest time for one cell, like 90s or 10m
  --keep-going    run the cells after a failed one too
  --cwd DIR       run in DIR instead
  --quiet         no progress
  --memory GB     limit of what cells may use (default nine tenths of the machine's)

example: trafficgpt run notebooks/00-quickstart.ipynb -p steps=50 -o /tmp/q.ipynb
`

type parameterFlag []Parameter

func (p *parameterFlag) String() string { return "" }

func (p *parameterFlag) Set(s string) error {
	param, err := ParseParameter(s)
	if err == nil {
		*p = append(*p, param)
	}
	return err
}

// RunCommand is `trafficgpt run`. Its exit codes: 0 all cells ran, 1 a cell
// failed or a file could not be read or written, 2 wrong usage, 130 interrupted.
// The engine's own flags are registered by register.
func RunCommand(ctx context.Context, args []string, register func(*flag.FlagSet), start Starter, stdout, stderr io.Writer) int {
	var params parameterFlag
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	out := fs.String("o", "", "")
	inplace := fs.Bool("inplace", false, "")
	fs.Var(&params, "p", "")
	timeout := fs.Duration("timeout", 0, "")
	keepGoing := fs.Bool("keep-going", false, "")
	cwd := fs.String("cwd", "", "")
	quiet := fs.Bool("quiet", false, "")
	register(fs)
	args, rest, given := cutArguments(args)
	files, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, runHelp)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "trafficgpt run: %v (trafficgpt help run)\n", err)
		return 2
	case len(files) != 1:
		fmt.Fprintf(stderr, "trafficgpt run: it takes one notebook, not %d (trafficgpt help run)\n", len(files))
		return 2
	case *inplace && *out != "":
		fmt.Fprintln(stderr, "trafficgpt run: -o and --inplace exclude each other (trafficgpt help run)")
		return 2
	}
	if program, ok := readProgram(files[0]); ok {
		if name := unfit(fs); name != "" {
			fmt.Fprintf(stderr, "trafficgpt run: --%s is for notebooks, and %s is a program (trafficgpt help run)\n", name, files[0])
			return 2
		}
		return runProgram(files[0], program, rest, *cwd, stderr)
	}
	if given {
		fmt.Fprintf(stderr, "trafficgpt run: arguments after -- are for programs, and %s has no package main (trafficgpt help run)\n", files[0])
		return 2
	}
	job := job{in: files[0], out: *out, dir: *cwd, start: start, stderr: stderr,
		opts: Options{Parameters: params, Timeout: *timeout, KeepGoing: *keepGoing, Errors: stderr}}
	if *inplace {
		job.out = job.in
	}
	if !*quiet {
		job.opts.Progress = stderr
	}
	if job.out == "" {
		job.opts.Live = stdout
	}
	return job.run(ctx)
}

// job is one run of a notebook file.
type job struct {
	in, out, dir string
	start        Starter
	stderr       io.Writer
	opts         Options
}

func (j job) run(ctx context.Context) int {
	fail := func(err error) int {
		fmt.Fprintf(j.stderr, "trafficgpt run: %v\n", err)
		return 1
	}
	nb, err := Read(j.in)
	if err != nil {
		return fail(err)
	}
	if j.out != "" { // a folder that is not there is better known before the work than after
		if info, err := os.Stat(filepath.Dir(j.out)); err != nil || !info.IsDir() {
			return fail(fmt.Errorf("failed to write %s: %s is not a folder", j.out, filepath.Dir(j.out)))
		}
	}
	if j.dir == "" {
		j.dir = filepath.Dir(j.in)
	}
	engine, err := j.start(j.dir)
	if err != nil {
		return fail(err)
	}
	defer engine.Close()
	began := time.Now()
	runErr := Run(ctx, nb, engine, j.opts)
	if j.out != "" {
		if err := nb.Write(j.out); err != nil {
			return fail(err)
		}
	}
	var failure *Failure
	switch {
	case runErr == nil:
		if j.opts.Progress != nil {
			fmt.Fprintf(j.opts.Progress, "done in %s%s\n", time.Since(began).Round(100*time.Millisecond), wrote(j.out))
		}
		return 0
	case errors.As(runErr, &failure):
		fail(runErr)
		if ctx.Err() != nil {
			return 130
		}
		return 1
	}
	return fail(runErr)
}

func wrote(path string) string {
	if path == "" {
		return ""
	}
	return ", wrote " + path
}

// parseMixed lets flags follow file names, as people type them.
func parseMixed(fs *flag.FlagSet, args []string) (files []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		args = fs.Args()
		if len(args) == 0 {
			return files, nil
		}
		files, args = append(files, args[0]), args[1:]
	}
}
