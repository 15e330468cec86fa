package f32

import (
	"testing"
	"unsafe"
)

func TestArenaAlignsGrowsAndKeepsSlices(t *testing.T) {
	a := NewArena(100)
	var all [][]float32
	for i, n := range []int{0, 1, 15, 16, 17, 1000, 3, 200000} {
		s := a.AllocZero(n)
		if len(s) != n || cap(s) != n {
			t.Fatalf("Alloc(%d): len %d cap %d", n, len(s), cap(s))
		}
		if n > 0 && uintptr(unsafe.Pointer(&s[0]))%64 != 0 {
			t.Errorf("Alloc(%d) is not on a 64-byte border", n)
		}
		for j := range s {
			if s[j] != 0 {
				t.Fatalf("AllocZero(%d)[%d] = %v", n, j, s[j])
			}
			s[j] = float32(i)
		}
		all = append(all, s)
	}
	for i, s := range all {
		for j := range s {
			if s[j] != float32(i) {
				t.Fatalf("slice %d changed at %d: %v", i, j, s[j])
			}
		}
	}
	high := a.HighWater()
	if want := 4 * (16 + 16 + 16 + 32 + 1008 + 16 + 200000); high != want {
		t.Errorf("HighWater() = %d, want %d", high, want)
	}
	a.Reset()
	if a.Used() != 0 || a.HighWater() != high || a.Size() < high {
		t.Errorf("after Reset: used %d, high %d, size %d", a.Used(), a.HighWater(), a.Size())
	}
	if n := testing.AllocsPerRun(5, func() { a.Alloc(200000); a.Alloc(1000); a.Reset() }); n != 0 {
		t.Errorf("a step in a grown arena allocates %v times", n)
	}
}

func TestArenaMarkRelease(t *testing.T) {
	var a Arena
	a.Alloc(10)
	m, used := a.Mark(), a.Used()
	first := a.Alloc(100000)
	a.Alloc(100000)
	a.Release(m)
	if a.Used() != used {
		t.Errorf("Used() = %d after Release, want %d", a.Used(), used)
	}
	if again := a.Alloc(100000); &again[0] != &first[0] {
		t.Error("memory was not reused after Release")
	}
	late := a.Mark()
	a.Release(m)
	defer func() {
		if recover() == nil {
			t.Error("releasing a mark after the present position did not panic")
		}
	}()
	a.Release(late)
}
