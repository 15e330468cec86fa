package interp

// commandTable is set in init because %help reads it.
var commandTable []Command

func init() {
	commandTable = []Command{
		{Name: "%help", Args: "[COMMAND]", Help: "list the commands, or explain one", run: cmdHelp},
		{Name: "%pinfo", Args: "NAME", Help: "show the declaration and the comment of a name; NAME? does the same", Go: true, run: cmdInfo},
		{Name: "%pinfo2", Args: "NAME", Help: "the same with the source; NAME?? does the same", Go: true, run: cmdInfo},
		{Name: "%packages", Args: "[WORD]", Help: "list the packages that cells can import", run: cmdPackages},
		{Name: "%vars", Args: "[PREFIX]", Help: "list what cells have declared, with types and values", run: cmdVars},
		{Name: "%reset", Args: "", Help: "drop everything that cells have declared", run: cmdReset},
		{Name: "%restart", Args: "", Help: "start the engine anew, whatever it does", run: cmdHostOnly},
		{Name: "%replay", Args: "", Help: "run the cells again whose variables were lost when the engine died", run: cmdHostOnly},
		{Name: "%time", Args: "CODE", Help: "run code and say how long it took", Go: true, run: cmdTime},
		{Name: "%timeit", Args: "[-n LOOPS] [-r REPEATS] CODE", Help: "run code many times and say how long one run takes", Go: true, run: cmdTimeit},
		{Name: "%history", Args: "[FIRST[-LAST]]…", Help: "print the cells that have run", run: cmdHistory},
		{Name: "%rerun", Args: "[FIRST[-LAST]]…", Help: "run cells that have run again; without a number the last one", run: cmdRerun},
		{Name: "%save", Args: "FILE [FIRST[-LAST]]…", Help: "write the cells that have run to a file", run: cmdSave},
		{Name: "%load", Args: "FILE", Help: "put the text of a file into the cell", run: cmdLoad},
		{Name: "%run", Args: "FILE", Help: "run the cells of a .go script, divided by lines // %%", run: cmdRun},
		{Name: "%cd", Args: "[FOLDER]", Help: "change the folder; - goes back, nothing goes home", run: cmdCd},
		{Name: "%pwd", Args: "", Help: "print the folder", run: cmdPwd},
		{Name: "%ls", Args: "[…]", Help: "list files", run: cmdLs},
		{Name: "%cat", Args: "FILE…", Help: "print files", run: cmdFiles},
		{Name: "%cp", Args: "FROM… TO", Help: "copy files", run: cmdFiles},
		{Name: "%mv", Args: "FROM… TO", Help: "rename files", run: cmdFiles},
		{Name: "%rm", Args: "FILE…", Help: "remove files", run: cmdFiles},
		{Name: "%mkdir", Args: "FOLDER…", Help: "make folders", run: cmdFiles},
		{Name: "%env", Args: "[NAME[=VALUE]]", Help: "print the environment or a variable of it, or set one", run: cmdEnv},
		{Name: "!", Args: "COMMAND", Help: "run a command of the shell; {name} is replaced by the variable's value", run: cmdShell},
		{Name: "%%bash", Args: "", Help: "run the cell in bash", run: cmdBash},
		{Name: "%%script", Args: "PROGRAM [ARGUMENTS]", Help: "run a program with the cell as its input", run: cmdScript},
		{Name: "%%writefile", Args: "[-a] FILE", Help: "write the cell to a file, or append it", run: cmdWritefile},
		{Name: "%%time", Args: "", Help: "run the cell and say how long it took", Go: true, run: cmdTime},
		{Name: "%%timeit", Args: "[-n LOOPS] [-r REPEATS]", Help: "run the cell many times and say how long one run takes", Go: true, run: cmdTimeit},
		{Name: "%%capture", Args: "", Help: "run the cell and drop what it prints and shows", Go: true, run: cmdCapture},
		{Name: "%%html", Args: "", Help: "show the cell as HTML", run: cmdShow},
		{Name: "%%markdown", Args: "", Help: "show the cell as Markdown", run: cmdShow},
		{Name: "%%latex", Args: "", Help: "show the cell as LaTeX", run: cmdShow},
		{Name: "%%svg", Args: "", Help: "show the cell as an SVG image", run: cmdShow},
	}
}
