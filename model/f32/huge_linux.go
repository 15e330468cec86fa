package f32

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// adviseHuge asks for huge pages for the whole ones inside s. It is advice: failure changes nothing.
func adviseHuge(s []float32) {
	if len(s)*4 < 2*hugePage {
		return
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*4)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % hugePage)
	whole := (len(b) - skip) &^ (hugePage - 1)
	if whole > 0 {
		_ = unix.Madvise(b[skip:skip+whole], unix.MADV_HUGEPAGE)
	}
}
