// Trafficgpt is a Jupyter kernel, a terminal REPL and a notebook runner for
// people who study network traffic: cells are Go, and a compiled library turns
// captures into tokens, trains models on them and turns tokens into captures.
package main

import (
	"context"
	_ "embed"
	"os"

	"trafficgpt/cli"
	"trafficgpt/interp/worker"
)

//go:embed kernel.json
var kernelSpec []byte

func main() {
	if len(os.Args) > 1 && os.Args[1] == worker.ChildCommand {
		os.Exit(worker.Main())
	}
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, cli.Options{KernelSpec: kernelSpec}))
}
