package f32

import (
	"fmt"
	"unsafe"
)

// Arena is a bump allocator for one step's activations: allocation moves an offset, and [Arena.Reset]
// frees everything. Slices start on 64-byte borders. When a block is full another is added, so slices
// already handed out stay valid; Reset then replaces the blocks with one that holds the high-water mark, so
// from the second step on nothing is allocated. The zero Arena is empty and ready. An Arena
// is not safe for use from several goroutines at once.
type Arena struct {
	blocks [][]float32
	cur    int // block allocations come from
	off    int // offset in it, in elements
	before int // elements in use in the blocks before cur
	high   int
}

// Mark is a position in an [Arena].
type Mark struct{ cur, off, before int }

const alignElems = 16 // 64 bytes

// NewArena returns an arena whose first block holds the given number of bytes.
func NewArena(bytes int) *Arena {
	a := &Arena{}
	if n := (bytes + 3) / 4; n > 0 {
		a.blocks = append(a.blocks, Aligned(n))
	}
	return a
}

// Aligned returns a zeroed slice of n elements that starts on a 64-byte border (and, when it is large,
// asks the system for huge pages, which spares address look-ups).
func Aligned(n int) []float32 {
	if n <= 0 {
		return nil
	}
	s := make([]float32, n+alignElems)
	adviseHuge(s)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(&s[0])) % 64); r != 0 {
		skip = (64 - r) / 4
	}
	return s[skip : skip+n : skip+n]
}

// Alloc returns n elements whose values are unspecified: what an earlier step left there.
func (a *Arena) Alloc(n int) []float32 {
	if n < 0 {
		panic(fmt.Sprintf("f32.Arena.Alloc: negative length %d", n))
	}
	size := (n + alignElems - 1) &^ (alignElems - 1)
	for a.cur < len(a.blocks) && a.off+size > len(a.blocks[a.cur]) {
		a.before += a.off
		a.cur++
		a.off = 0
	}
	if a.cur == len(a.blocks) {
		grow := 1 << 16
		if a.cur > 0 {
			grow = len(a.blocks[a.cur-1])
		}
		a.blocks = append(a.blocks, Aligned(max(size, grow)))
	}
	s := a.blocks[a.cur][a.off : a.off+n : a.off+n]
	a.off += size
	a.high = max(a.high, a.before+a.off)
	return s
}

// AllocZero returns n elements set to zero.
func (a *Arena) AllocZero(n int) []float32 {
	s := a.Alloc(n)
	clear(s)
	return s
}

// Mark returns the present position for [Arena.Release].
func (a *Arena) Mark() Mark { return Mark{a.cur, a.off, a.before} }

// Release frees everything allocated after the mark was taken. Marks are released in the reverse order
// of their taking; one taken before a Reset is void.
func (a *Arena) Release(m Mark) {
	if m.cur > a.cur || (m.cur == a.cur && m.off > a.off) {
		panic("f32.Arena.Release: the mark lies after the present position")
	}
	a.cur, a.off, a.before = m.cur, m.off, m.before
}

// Reset frees everything and joins the blocks into one.
func (a *Arena) Reset() {
	if len(a.blocks) > 1 {
		n := 0
		for _, b := range a.blocks {
			n += len(b)
		}
		a.blocks = [][]float32{nil} // drop the old blocks before the new one is made
		a.blocks[0] = Aligned(n)
	}
	a.cur, a.off, a.before = 0, 0, 0
}

// Used returns the bytes in use now.
func (a *Arena) Used() int { return 4 * (a.before + a.off) }

// HighWater returns the most bytes that were ever in use at once.
func (a *Arena) HighWater() int { return 4 * a.high }

// Size returns the bytes the arena holds.
func (a *Arena) Size() int {
	n := 0
	for _, b := range a.blocks {
		n += len(b)
	}
	return 4 * n
}
