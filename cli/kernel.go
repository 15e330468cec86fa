package cli

import (
	"fmt"
	"os"

	"trafficgpt/interp/worker"
	"trafficgpt/kernel"
)

func kernelCommand() command {
	return command{
		name: "kernel", summary: "serve a Jupyter connection file (Jupyter calls this)", usage: "[--memory SIZE] CONNECTION_FILE",
		text:    "Serves one Jupyter kernel. Jupyter starts it so; people use install.",
		example: "trafficgpt kernel /tmp/connection.json",
		prepare: func(f *flags) func(*call) error {
			var engine engineFlags
			engine.register(f)
			return func(c *call) error {
				if len(c.args) != 1 {
					return wrong("it takes one connection file, not %d", len(c.args))
				}
				return serve(c, c.args[0], engine.memory)
			}
		},
	}
}

func serve(c *call, connectionFile string, memory int64) error {
	if _, err := os.Stat(connectionFile); err != nil { // before the engine is started for nothing
		return fmt.Errorf("failed to read the connection file: %w", err)
	}
	// The kernel answers before its engine is ready.
	engine := worker.Launch(worker.Options{MemoryLimit: memory})
	ctx, stop := ended(c.ctx)
	defer stop()
	return kernel.Run(ctx, connectionFile, engine, kernel.Options{Version: version, Log: c.stderr, Catch: catch})
}
