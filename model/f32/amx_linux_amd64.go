package f32

import "syscall"

// mayUseTiles asks the kernel to let this process use tile registers. A kernel older than 5.16, or a sandbox, says no.
func mayUseTiles() bool {
	const (
		requestState = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData     = 18     // XFEATURE_XTILEDATA
	)
	_, _, err := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestState, tileData, 0)
	return err == 0
}
