package kernel_test

import (
	"os"
	"testing"

	"trafficgpt/interp/worker"
)

// Tests with a real engine run this binary as its child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == worker.ChildCommand {
		os.Exit(worker.Main())
	}
	os.Exit(m.Run())
}
