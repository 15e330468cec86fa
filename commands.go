package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"trafficgpt/interp"
	"trafficgpt/interp/worker"
	"trafficgpt/kernel"
	"trafficgpt/notebooks"
	"trafficgpt/repl"
	"trafficgpt/tokenizer"
)

// version is the release this source belongs to; CHANGELOG.md says what is in it.
const version = "0.1.0"

func commands() []command {
	return []command{
		{"run", "run a notebook or a script of cells", runNotebook},
		{"repl", "read, evaluate, show in the terminal", runREPL},
		{"kernel", "serve a Jupyter connection file (Jupyter calls this)", runKernel},
		{"install", "make the kernel known to Jupyter", plain(kernel.InstallCommand)},
		{"uninstall", "take it back", plain(kernel.UninstallCommand)},
		{"encode", "captures to a corpus of tokens, losslessly", plain(tokenizer.EncodeCommand)},
		{"decode", "a corpus back to the captures, byte for byte", plain(tokenizer.DecodeCommand)},
		{"export", "a notebook to a Go program", plain(notebooks.ExportCommand)},
		{"doctor", "what Jupyter sees, and whether the kernel works", plain(kernel.DoctorCommand)},
		{"version", "print the version", printVersion},
	}
}

// plain fits a command that asks for nothing but its arguments.
func plain(f func(args []string, stdout, stderr io.Writer) int) func(context.Context, []string, *os.File, *os.File, io.Writer) int {
	return func(_ context.Context, args []string, _, stdout *os.File, stderr io.Writer) int {
		return f(args, stdout, stderr)
	}
}

// engineFlags are the flags of every command that runs cells.
type engineFlags struct{ memory int64 }

func (e *engineFlags) register(fs *flag.FlagSet) {
	fs.Func("memory", "", func(s string) error {
		var gb float64
		if _, err := fmt.Sscanf(strings.TrimSuffix(strings.ToUpper(s), "GB"), "%g", &gb); err != nil || gb < 0 {
			return fmt.Errorf("%q is no number of gigabytes", s)
		}
		e.memory = int64(gb * 1e9)
		if e.memory == 0 {
			e.memory = -1
		}
		return nil
	})
}

func (e *engineFlags) start(dir string) (interp.Engine, error) {
	w, err := worker.Start(worker.Options{Dir: dir, MemoryLimit: e.memory})
	if err != nil {
		return nil, fmt.Errorf("failed to start the engine: %w", err)
	}
	return w, nil
}

func runNotebook(ctx context.Context, args []string, _, stdout *os.File, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var engine engineFlags
	return notebooks.RunCommand(ctx, args, engine.register, engine.start, stdout, stderr)
}

const replHelp = `usage: trafficgpt repl [--memory GB]

Reads Go, runs it and shows what it gives, with state kept from line to line.
On a terminal it edits, completes (Tab), searches history (Ctrl-R), interrupts
(Ctrl-C) and leaves (Ctrl-D). From a pipe it runs all its input and ends with
exit code 1 at the first error.

example: echo 'x := 20; x + 1' | trafficgpt repl
`

func runREPL(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	fs := quietFlags("repl")
	var flags engineFlags
	flags.register(fs)
	if code, done := parse(fs, args, 0, replHelp, stdout, stderr); done {
		return code
	}
	engine, err := flags.start("")
	if err != nil {
		fmt.Fprintf(stderr, "trafficgpt repl: %v\n", err)
		return 1
	}
	defer engine.Close()
	return repl.Run(ctx, engine, stdin, stdout, stderr, repl.Options{Version: version})
}

const kernelHelp = `usage: trafficgpt kernel [--memory GB] CONNECTION_FILE

Serves one Jupyter kernel. Jupyter starts it so; people use install.

  --memory GB   limit of what cells may use (default nine tenths of the machine's)

example: trafficgpt kernel /tmp/connection.json
`

func runKernel(ctx context.Context, args []string, _, stdout *os.File, stderr io.Writer) int {
	fs := quietFlags("kernel")
	var flags engineFlags
	flags.register(fs)
	if code, done := parse(fs, args, 1, kernelHelp, stdout, stderr); done {
		return code
	}
	fail := func(err error) int {
		fmt.Fprintf(stderr, "trafficgpt kernel: %v\n", err)
		return 1
	}
	if _, err := os.Stat(fs.Arg(0)); err != nil { // before the engine is started for nothing
		return fail(fmt.Errorf("failed to read the connection file: %w", err))
	}
	// The kernel answers before its engine is ready.
	engine := worker.Launch(worker.Options{MemoryLimit: flags.memory})
	if err := kernel.Run(ctx, fs.Arg(0), engine, kernel.Options{Version: version, Log: stderr, Signals: true}); err != nil {
		return fail(err)
	}
	return 0
}

func printVersion(_ context.Context, args []string, _, stdout *os.File, stderr io.Writer) int {
	if code, done := parse(quietFlags("version"), args, 0, "usage: trafficgpt version\n\nPrints the version, the Go it was built with and the machine.\n\nexample: trafficgpt version\n", stdout, stderr); done {
		return code
	}
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = " (" + s.Value[:12] + ")"
			}
		}
	}
	fmt.Fprintf(stdout, "trafficgpt %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return 0
}

func quietFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads the flags of a command that takes n arguments; done is set when
// the command has nothing left to do.
func parse(fs *flag.FlagSet, args []string, n int, help string, stdout, stderr io.Writer) (code int, done bool) {
	err := fs.Parse(args)
	usage, _, _ := strings.Cut(help, "\n")
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		return 0, true
	case err != nil:
		fmt.Fprintf(stderr, "trafficgpt %s: %v; %s\n", fs.Name(), err, usage)
		return 2, true
	case fs.NArg() != n:
		fmt.Fprintf(stderr, "trafficgpt %s: it takes %d arguments, not %d; %s\n", fs.Name(), n, fs.NArg(), usage)
		return 2, true
	}
	return 0, false
}
