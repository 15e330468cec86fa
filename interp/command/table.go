package command

// table is set in init because %help reads it.
var table []word

func init() {
	table = []word{
		{name: "%help", args: "[COMMAND]", help: "list the commands, or explain one", run: cmdHelp},
		{name: "%pinfo", args: "NAME", help: "show the declaration and the comment of a name; NAME? does the same", takesGo: true, run: cmdInfo},
		{name: "%pinfo2", args: "NAME", help: "the same with the source; NAME?? does the same", takesGo: true, run: cmdInfo},
		{name: "%packages", args: "[WORD]", help: "list the packages that cells can import", run: cmdPackages},
		{name: "%vars", args: "[PREFIX]", help: "list what cells have declared, with types and values", run: cmdVars},
		{name: "%reset", args: "", help: "drop everything that cells have declared", run: cmdReset},
		{name: "%restart", args: "", help: "start the engine anew, whatever it does", run: cmdHostOnly},
		{name: "%replay", args: "", help: "run the cells again whose variables were lost when the engine died", run: cmdHostOnly},
		{name: "%time", args: "CODE", help: "run code and say how long it took", takesGo: true, run: cmdTime},
		{name: "%timeit", args: "[-n LOOPS] [-r REPEATS] CODE", help: "run code many times and say how long one run takes", takesGo: true, run: cmdTimeit},
		{name: "%history", args: "[FIRST[-LAST]]…", help: "print the cells that have run", run: cmdHistory},
		{name: "%rerun", args: "[FIRST[-LAST]]…", help: "run cells that have run again; without a number the last one", run: cmdRerun},
		{name: "%save", args: "FILE [FIRST[-LAST]]…", help: "write the cells that have run to a file", run: cmdSave},
		{name: "%load", args: "FILE", help: "put the text of a file into the cell", run: cmdLoad},
		{name: "%run", args: "FILE", help: "run the cells of a .go script, divided by lines // %%", run: cmdRun},
		{name: "%cd", args: "[FOLDER]", help: "change the folder; - goes back, nothing goes home", run: cmdCd},
		{name: "%pwd", args: "", help: "print the folder", run: cmdPwd},
		{name: "%ls", args: "[…]", help: "list files", run: cmdLs},
		{name: "%cat", args: "FILE…", help: "print files", run: cmdFiles},
		{name: "%cp", args: "FROM… TO", help: "copy files", run: cmdFiles},
		{name: "%mv", args: "FROM… TO", help: "rename files", run: cmdFiles},
		{name: "%rm", args: "FILE…", help: "remove files", run: cmdFiles},
		{name: "%mkdir", args: "FOLDER…", help: "make folders", run: cmdFiles},
		{name: "%env", args: "[NAME[=VALUE]]", help: "print the environment or a variable of it, or set one", run: cmdEnv},
		{name: "!", args: "COMMAND", help: "run a command of the shell; {name} is replaced by the variable's value", run: cmdShell},
		{name: "%%bash", args: "", help: "run the cell in bash", run: cmdBash},
		{name: "%%script", args: "PROGRAM [ARGUMENTS]", help: "run a program with the cell as its input", run: cmdScript},
		{name: "%%writefile", args: "[-a] FILE", help: "write the cell to a file, or append it", run: cmdWritefile},
		{name: "%%time", args: "", help: "run the cell and say how long it took", takesGo: true, run: cmdTime},
		{name: "%%timeit", args: "[-n LOOPS] [-r REPEATS]", help: "run the cell many times and say how long one run takes", takesGo: true, run: cmdTimeit},
		{name: "%%capture", args: "", help: "run the cell and drop what it prints and shows", takesGo: true, run: cmdCapture},
		{name: "%%html", args: "", help: "show the cell as HTML", run: cmdShow},
		{name: "%%markdown", args: "", help: "show the cell as Markdown", run: cmdShow},
		{name: "%%latex", args: "", help: "show the cell as LaTeX", run: cmdShow},
		{name: "%%svg", args: "", help: "show the cell as an SVG image", run: cmdShow},
	}
}
