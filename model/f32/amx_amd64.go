package f32

import (
	"sync"

	"golang.org/x/sys/cpu"
)

// hasAMX reports whether this process may use the kernel on tile registers, and AVX512-BF16 beside it for what is
// left over. The first call asks the system, which grants the tiles to the whole process: they are more for it to
// save at each switch of threads, but only for threads that use them.
var hasAMX = sync.OnceValue(func() bool {
	const tileConfig, tileData = 1 << 17, 1 << 18 // of XCR0
	x := &cpu.X86
	return x.HasAMXTile && x.HasAMXBF16 && x.HasAVX512F && x.HasAVX512BF16 &&
		x.HasOSXSAVE && xcr0()&(tileConfig|tileData) == tileConfig|tileData && mayUseTiles()
})
