package cli

import "trafficgpt/kernel"

func doctorCommand() command {
	return command{
		name: "doctor", summary: "what Jupyter sees, and whether the kernel works",
		text: `
Looks for Jupyter and for installed kernelspecs, starts the kernel as Jupyter
would and runs a cell in it. The exit code is 1 when something is broken;
a Jupyter that is not installed is only noted.`,
		example: "trafficgpt doctor",
		prepare: func(*flags) func(*call) error {
			return func(c *call) error {
				if err := c.none(); err != nil {
					return err
				}
				if kernel.Doctor(c.stdout) > 0 {
					return exitCode(exitFailed)
				}
				return nil
			}
		},
	}
}
