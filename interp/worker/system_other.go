//go:build unix && !linux

package worker

import "golang.org/x/sys/unix"

func duplicate(from, to int) error { return unix.Dup2(from, to) }

// setDataLimit does nothing: other systems than Linux do not count the memory
// that Go maps. The soft limit of the collector remains.
func setDataLimit(uint64) {}

// totalMemory is unknown, which means no limit.
func totalMemory() int64 { return 0 }
