package worker

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// duplicate makes descriptor to another name of from.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }

// setDataLimit limits the memory that the process may write to. The system
// refuses what is beyond, and Go's runtime ends the process as out of memory.
func setDataLimit(limit uint64) {
	// Less than what is in use already would be refused; the program then runs
	// without the limit rather than not at all.
	_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit})
}

// totalMemory is what the machine, or the group this process is in, has.
func totalMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	total := int64(info.Totalram) * int64(info.Unit)
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			total = min(total, n)
		}
	}
	return total
}
