package cli

import (
	"fmt"
	"path/filepath"

	"trafficgpt/kernel"
)

func uninstallCommand() command {
	return command{
		name: "uninstall", summary: "take it back", usage: placeUsage,
		text: `
Takes the kernel out of Jupyter. The options are those of install. Only a
kernelspec that trafficgpt has installed is removed.`,
		example: "trafficgpt uninstall --user",
		prepare: func(f *flags) func(*call) error {
			place := placeFlags(f)
			return func(c *call) error {
				o, err := place(c)
				if err != nil {
					return err
				}
				dir, err := kernel.Uninstall(o)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.stdout, "removed the kernel %s from %s\n", o.Name, filepath.Dir(dir))
				return nil
			}
		},
	}
}
