package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release this source belongs to; CHANGELOG.md says what is in it.
const version = "0.1.0"

func versionCommand() command {
	return command{
		name: "version", summary: "print the version",
		text:    "Prints the version, the Go it was built with and the machine.",
		example: "trafficgpt version",
		prepare: func(*flags) func(*call) error {
			return func(c *call) error {
				if err := c.none(); err != nil {
					return err
				}
				fmt.Fprintf(c.stdout, "trafficgpt %s%s %s %s/%s\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
		},
	}
}

// revision is the commit that the program was built from, where that is known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
