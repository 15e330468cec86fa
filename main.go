// Trafficgpt is a Jupyter kernel, a terminal REPL and a notebook runner for
// people who study network traffic: cells are Go, and a compiled library turns
// captures into tokens, trains models on them and turns tokens into captures.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"trafficgpt/interp/worker"
	"trafficgpt/kernel"
)

//go:embed kernel.json
var kernelSpec []byte

func main() {
	if len(os.Args) > 1 && os.Args[1] == worker.ChildCommand {
		os.Exit(worker.Main())
	}
	kernel.Spec = kernelSpec
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command is one word that may follow trafficgpt.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int
}

// run is the whole program but for the process around it. It returns the exit
// code: 0 done, 1 it failed, 2 it was asked wrongly, 130 it was interrupted.
func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	if len(args) == 0 {
		if info, err := stdin.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			fmt.Fprintln(stderr, "trafficgpt: which command? (trafficgpt help lists them)")
			return 2
		}
		args = []string{"repl"}
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help", "help":
		return help(ctx, args, stdin, stdout, stderr)
	case "-v", "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, args, stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "trafficgpt: there is no command %q%s (trafficgpt help lists them)\n", name, nearest(name))
	return 2
}

func help(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	if len(args) > 0 && args[0] != "help" {
		return run(ctx, []string{args[0], "--help"}, stdin, stdout, stderr)
	}
	fmt.Fprint(stdout, "trafficgpt: notebooks in Go for the study of network traffic\n\nusage: trafficgpt COMMAND [arguments]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(stdout, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(stdout, "\nWithout a command on a terminal: repl. Help of one command: trafficgpt help COMMAND\n\n"+
		"example: trafficgpt run notebooks/00-quickstart.ipynb\n")
	return 0
}

// nearest names the command that a mistyped word begins like.
func nearest(word string) string {
	names := []string{}
	for _, c := range commands() {
		if word != "" && strings.HasPrefix(c.name, word[:1]) {
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(names, " or ") + "?"
}
