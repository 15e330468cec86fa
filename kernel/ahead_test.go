package kernel_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// The sockets must listen before the packages are initialised that take their
// time, or a front end's first connection is refused and tried again 100 ms
// later.
func TestSocketsComeFirst(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets are bound ahead on Linux only")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	order := []string{}
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "init "); ok {
			name, _, _ := strings.Cut(rest, " ")
			order = append(order, name)
		}
	}
	for _, name := range order {
		switch name {
		case "trafficgpt/kernel/ahead":
			return
		case "unicode", "reflect", "net", "go/types", "github.com/google/gopacket/layers":
			t.Errorf("%s is initialised before the sockets listen", name)
		}
	}
	t.Errorf("package ahead is not initialised at all: %v", order)
}
