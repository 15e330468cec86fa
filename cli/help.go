package cli

import "fmt"

func helpCommand() command {
	return command{
		name: "help", summary: "list the commands, or explain one", usage: "[COMMAND]",
		text:    "Lists the commands, or explains one as COMMAND --help does.",
		example: "trafficgpt help run",
		prepare: func(*flags) func(*call) error {
			return func(c *call) error {
				switch len(c.args) {
				case 0:
					list(c)
					return nil
				case 1:
					cmd, ok := find(c.args[0])
					if !ok {
						return exitCode(c.unknown(c.args[0]))
					}
					f := newFlags(cmd.name)
					cmd.prepare(f)
					fmt.Fprint(c.stdout, cmd.help(f))
					return nil
				}
				return wrong("it takes one command, not %d", len(c.args))
			}
		},
	}
}

func list(c *call) {
	fmt.Fprint(c.stdout, "trafficgpt: notebooks in Go for the study of network traffic\n\nusage: trafficgpt COMMAND [arguments]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(c.stdout, "  %-10s %s\n", cmd.name, cmd.summary)
	}
	fmt.Fprint(c.stdout, "\nWithout a command on a terminal: repl. Help of one command: trafficgpt help COMMAND\n\n"+
		"example: trafficgpt run notebooks/00-quickstart.ipynb\n")
}
