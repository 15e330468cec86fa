package f32

import (
	"testing"
	"unsafe"
)

// softTiles computes what [tileamx] does, in another order.
func softTiles(tiles, k int, a *float32, ars, astep int, b *float32, bs int, c *float32, ldc, flags int) {
	at := func(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), n)) }
	for tile := range tiles {
		for i := range tileRows {
			for j := range tileRows {
				sum := float32(0)
				for l := range k {
					x := (*[2]BF16)(unsafe.Pointer(at(a, tile*astep+i*ars+4*l)))
					y := (*[2]BF16)(unsafe.Pointer(at(b, l*bs+4*j)))
					sum += x[0].Float32()*y[0].Float32() + x[1].Float32()*y[1].Float32()
				}
				to := at(c, (tile*tileRows+i)*ldc+4*j)
				if flags&addToC != 0 {
					sum += *to
				}
				*to = sum
			}
		}
	}
}

// TestProductsOnTileRegisters runs the products of BF16 as they are cut for tile registers, with a kernel in Go in their place, so
// that processors without them test the cutting; and it wants the kernel to be used.
func TestProductsOnTileRegisters(t *testing.T) {
	if !hasBF16() {
		t.Skip("this processor has no AVX512-BF16")
	}
	if raced {
		t.Skip("one goroutine runs, and loops in Go take minutes under the race detector")
	}
	calls := 0
	soft := bf16Path(avx512Path(), func(tiles, k int, a *float32, ars, astep int, b *float32, bs int, c *float32, ldc, flags int) {
		calls++
		if tiles < 1 || k < tileK || k%tileK != 0 {
			t.Fatalf("the kernel is called for %d tiles of %d pairs", tiles, k)
		}
		softTiles(tiles, k, a, ars, astep, b, bs, c, ldc, flags)
	})
	old := active()
	defer current.Store(old)
	defer SetThreads(SetThreads(1))
	current.Store(soft)
	t.Run("Gemm", gemmBF16AgainstDefinition)
	t.Run("Times", timesBF16AgainstDefinition)
	if calls < 100 {
		t.Errorf("the kernel was called %d times", calls)
	}
}
