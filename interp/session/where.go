package session

import (
	"runtime"
	"strings"
)

// Where names the compiled function that the running cell waits for: the
// innermost one below the interpreter's frames.
func Where() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		called, _, ok := strings.Cut(g, "\nreflect.Value.call(")
		if !ok || !strings.Contains(g, "traefik/yaegi/interp.") {
			continue
		}
		name := ""
		for line := range strings.SplitSeq(called, "\n") {
			if strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "runtime.") ||
				strings.HasPrefix(line, "internal/") || strings.HasPrefix(line, "reflect.") {
				continue
			}
			if at := strings.LastIndex(line, "("); at > 0 {
				name = line[:at] // the last is what the cell called
			}
		}
		if name != "" && !strings.Contains(name, "yaegi") && !strings.HasPrefix(name, "trafficgpt/interp") {
			return name
		}
	}
	return ""
}

// stillIn says what an interrupted cell is in.
func stillIn() string {
	name := Where()
	if name == "" {
		name = "compiled code"
	}
	return "the cell is still in " + name + ", which cannot be stopped"
}
