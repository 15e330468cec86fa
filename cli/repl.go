package cli

import "trafficgpt/repl"

func replCommand() command {
	return command{
		name: "repl", summary: "read, evaluate, show in the terminal", usage: "[--memory SIZE]",
		text: `
Reads Go, runs it and shows what it gives, with state kept from line to line.
On a terminal it edits, completes (Tab), searches history (Ctrl-R), interrupts
(Ctrl-C) and leaves (Ctrl-D). From a pipe it runs all its input and ends with
exit code 1 at the first error.`,
		example: "echo 'x := 20; x + 1' | trafficgpt repl",
		prepare: func(f *flags) func(*call) error {
			var engine engineFlags
			engine.register(f)
			return func(c *call) error {
				if err := c.none(); err != nil {
					return err
				}
				e, err := engine.start("")
				if err != nil {
					return err
				}
				defer e.Close()
				if code := repl.Run(c.ctx, e, c.stdin, c.stdout, c.stderr, repl.Options{Version: version, Catch: catch}); code != 0 {
					return exitCode(code)
				}
				return nil
			}
		},
	}
}
