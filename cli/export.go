package cli

import (
	"fmt"
	"path/filepath"

	"trafficgpt/notebooks"
)

func exportCommand() command {
	return command{
		name: "export", summary: "a notebook to a Go program", usage: "-o DIR [--module DIR] NOTEBOOK.ipynb | CELLS.go",
		text: `
Writes a Go program that prints what the notebook printed: DIR/main.go, and a
go.mod that finds this project's library in the folder --module names.`,
		example: "trafficgpt export notebooks/00-quickstart.ipynb -o /tmp/e && cd /tmp/e && go build ./...",
		prepare: func(f *flags) func(*call) error {
			var o notebooks.ExportOptions
			out := f.String("o", "", "folder of the program, `DIR` (made if it is not there)")
			f.StringVar(&o.Module, "module", "", "checkout `DIR` of this project (default: the one the working folder is in, else the one this binary was built from)")
			return func(c *call) error {
				if len(c.args) != 1 || *out == "" {
					return wrongUse{"it takes one notebook, and a folder after -o"}
				}
				left, err := notebooks.Export(c.args[0], *out, o)
				if err != nil {
					return err
				}
				for _, l := range left {
					fmt.Fprintf(c.stderr, "trafficgpt export: left out, since it is a command of the notebook: %s\n", l)
				}
				fmt.Fprintf(c.stdout, "wrote %s\n", filepath.Join(*out, "main.go"))
				return nil
			}
		},
	}
}
