package cli

import (
	"fmt"

	"trafficgpt/kernel"
)

const placeUsage = "[--user | --sys-prefix | --prefix DIR] [--name NAME]"

func installCommand() command {
	return command{
		name: "install", summary: "make the kernel known to Jupyter", usage: placeUsage,
		text: `
Writes a kernelspec, which holds the absolute path of this program, so the
program must stay where it is. One built by "go run" is copied beside the
kernelspec.`,
		example: "trafficgpt install --user && jupyter lab",
		prepare: func(f *flags) func(*call) error {
			place := placeFlags(f)
			return func(c *call) error {
				o, err := place(c)
				if err != nil {
					return err
				}
				o.Spec = c.options.KernelSpec
				dir, err := kernel.Install(o)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.stdout, "installed the kernel %s in %s\n", o.Name, dir)
				return nil
			}
		},
	}
}

// placeFlags registers the flags that say where a kernelspec is, for install
// and uninstall.
func placeFlags(f *flags) func(*call) (kernel.InstallOptions, error) {
	var o kernel.InstallOptions
	user := f.Bool("user", false, "for this user (the default)")
	f.BoolVar(&o.SysPrefix, "sys-prefix", false, "in the active virtual or conda environment, or Python's prefix")
	f.StringVar(&o.Prefix, "prefix", "", "in `DIR`/share/jupyter")
	f.StringVar(&o.Name, "name", kernel.SpecName, "under another `NAME` than trafficgpt")
	return func(c *call) (kernel.InstallOptions, error) {
		if err := c.none(); err != nil {
			return o, err
		}
		if *user && (o.SysPrefix || o.Prefix != "") || o.SysPrefix && o.Prefix != "" {
			return o, wrongUse{"--user, --sys-prefix and --prefix exclude each other"}
		}
		if !kernel.ValidName(o.Name) {
			return o, wrong("a kernel's name holds letters, digits, '.', '_' and '-' only, not %q", o.Name)
		}
		return o, nil
	}
}
