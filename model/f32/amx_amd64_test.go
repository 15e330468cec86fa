package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// The definition of TDPBF16PS, as the Intel manual writes it: for each sum, the products of the lower halves of its
// pairs are added up in the order of k, those of the upper halves beside them, each with one rounding; then the two
// sums are added, and what comes out is added to the tile. Each step rounds to nearest, ties to even; denormals are
// zero before a step and after it.

// tilePairs is how many pairs of k one TDPBF16PS takes.
const tilePairs = 16

// dotOfPairs adds to sum what one TDPBF16PS does.
func dotOfPairs(sum float32, a, b *[tilePairs]uint32) float32 {
	var even, odd float32
	for l := range a {
		even = roundFlushed(exactProduct(a[l]<<16, b[l]<<16), wide(even))
		odd = roundFlushed(exactProduct(a[l]&^0xffff, b[l]&^0xffff), wide(odd))
	}
	return roundFlushed(wide(sum), wide(roundFlushed(wide(even), wide(odd))))
}

// wide is x in float64, or a zero of its sign if it is denormal.
func wide(x float32) float64 {
	if math.Abs(float64(x)) < 0x1p-126 {
		return math.Copysign(0, float64(x))
	}
	return float64(x)
}

// exactProduct multiplies two float32 given by their bits, of which only 8 of the mantissa count: exact in float64.
func exactProduct(x, y uint32) float64 {
	return wide(math.Float32frombits(x)) * wide(math.Float32frombits(y))
}

// roundFlushed is x+y rounded to float32, and zero if what is rounded to as many bits is below the normal ones. The
// sum in float64 may be rounded too, but so far down that the second rounding comes out as a single one would: x and y
// have at most 24 bits each, and 53 are more than twice as many and two.
func roundFlushed(x, y float64) float32 {
	if s := x + y; math.Abs(s) < 0x1p-126-0x1p-151 {
		return float32(math.Copysign(0, s))
	}
	return float32(x + y)
}

// tileKernel is tileamx over slices.
type tileKernel func(tiles, k int, a []uint32, ars, astep int, b []uint32, bs int, c []float32, ldc, flags int)

// tilesModel is the whole kernel by its definition.
func tilesModel(tiles, k int, a []uint32, ars, astep int, b []uint32, bs int, c []float32, ldc, flags int) {
	for i := range 32 * tiles {
		for j := range 32 {
			at := &c[i*ldc/4+j]
			sum := *at
			if flags&addToC == 0 {
				sum = 0
			}
			for l := 0; l < k; l += tilePairs {
				row := [tilePairs]uint32(a[(i/32*astep+i%32*ars)/4+l:])
				var column [tilePairs]uint32
				for p := range column {
					column[p] = b[(l+p)*bs/4+j]
				}
				sum = dotOfPairs(sum, &row, &column)
			}
			*at = sum
		}
	}
}

func TestDotOfPairsRounds(t *testing.T) {
	bits := func(x float32) uint32 { return math.Float32bits(x) >> 16 }
	pair := func(even, odd float32) uint32 { return bits(even) | bits(odd)<<16 }
	for _, c := range []struct {
		name string
		sum  float32
		a, b [tilePairs]uint32
		want float32
	}{
		{name: "even and odd are added apart", a: [tilePairs]uint32{pair(1, 1), pair(0x1p-24, 0x1p-24)},
			b: [tilePairs]uint32{pair(1, -1), pair(1, 1)}, want: 0x1p-24}, // 1+2^-24 is a tie to 1; -1+2^-24 is exact
		{name: "the tile is added last", sum: 0x1p24, a: [tilePairs]uint32{pair(1, 1)}, b: [tilePairs]uint32{pair(1, 1)}, want: 0x1p24 + 2},
		{name: "one rounding", a: [tilePairs]uint32{pair(1, 0), pair(0x1p-24, 0), pair(0x1p-60, 0)},
			b: [tilePairs]uint32{pair(1, 0), pair(1, 0), pair(1, 0)}, want: 1},
		{name: "a small product breaks a tie", a: [tilePairs]uint32{pair(0x1p-24, 0), pair(0x1p-47, 0), pair(1, 0)},
			b: [tilePairs]uint32{pair(1, 0), pair(1, 0), pair(1, 0)}, want: 0x1.000002p0},
		{name: "denormal inputs are zero", sum: 0x1p-127, a: [tilePairs]uint32{pair(0x1p-127, 0x1p-130)},
			b: [tilePairs]uint32{pair(0x1p100, 0x1p120)}, want: 0},
		{name: "denormal sums are zero", a: [tilePairs]uint32{pair(0x1p-64, 0)}, b: [tilePairs]uint32{pair(-0x1p-64, 0)}, want: 0},
		{name: "just below the normal ones rounds up", a: [tilePairs]uint32{pair(0x1p-63, 0), pair(-0x1p-76, 0)},
			b: [tilePairs]uint32{pair(0x1p-63, 0), pair(0x1p-76, 0)}, want: 0x1p-126},
		{name: "a little further is zero", a: [tilePairs]uint32{pair(0x1p-63, 0), pair(-0x1.8p-75, 0)},
			b: [tilePairs]uint32{pair(0x1p-63, 0), pair(0x1p-76, 0)}, want: 0},
		{name: "too much is infinite", sum: -1, a: [tilePairs]uint32{pair(0x1p127, 0)}, b: [tilePairs]uint32{pair(4, 0)}, want: float32(math.Inf(1))},
		{name: "minus zero", sum: float32(math.Copysign(0, -1)), a: [tilePairs]uint32{}, b: [tilePairs]uint32{}, want: 0},
	} {
		if got := dotOfPairs(c.sum, &c.a, &c.b); math.Float32bits(got) != math.Float32bits(c.want) {
			t.Errorf("%s: %b, want %b", c.name, got, c.want)
		}
	}
}

// pairValues make 32-bit pairs of bfloat16 of one kind.
var pairValues = []struct {
	name string
	half func(r *rand.Rand) float32
}{
	{"normal", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	{"any", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) }},
	{"huge", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * 0x1p62) }},
	{"tiny", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * math.Ldexp(1, -58-r.IntN(12))) }},
	{"special", func(r *rand.Rand) float32 {
		if special := []uint32{0, 1 << 31, 0x7f800000, 0xff800000, 0x7fc00000, 1 << 16, 0x807f0000, 0x00800000, 0x7f7f0000}; r.IntN(40) == 0 {
			return math.Float32frombits(special[r.IntN(len(special))])
		}
		return float32(r.NormFloat64())
	}},
}

// tileShape is one call of the kernel; strides in elements of four bytes, skew moves all starts off their lines.
type tileShape struct{ tiles, k, lda, step, ldb, ldc, skew int }

// checkTiles compares a kernel with its definition, bit for bit but for the kind of NaN, and for what lies around C.
func checkTiles(t *testing.T, kernel tileKernel, shapes []tileShape) {
	for _, s := range shapes {
		for n, kind := range pairValues {
			for flags := range 2 {
				name := fmt.Sprintf("%+v %s flags %d", s, kind.name, flags)
				r := rand.New(rand.NewPCG(uint64(n), uint64(s.k*s.tiles)))
				pairs := func(count int) []uint32 {
					v := make([]uint32, count+s.skew)[s.skew:]
					for i := range v {
						v[i] = math.Float32bits(kind.half(r))>>16 | math.Float32bits(kind.half(r))&^0xffff
					}
					return v
				}
				a, b := pairs((s.tiles-1)*s.step+31*s.lda+s.k), pairs((s.k-1)*s.ldb+32)
				c := newGuarded((32*s.tiles-1)*s.ldc+32, s.skew)
				for i := range c.v {
					c.v[i] = kind.half(r)
				}
				want := append([]float32(nil), c.v...)
				tilesModel(s.tiles, s.k, a, 4*s.lda, 4*s.step, b, 4*s.ldb, want, 4*s.ldc, flags)
				kernel(s.tiles, s.k, a, 4*s.lda, 4*s.step, b, 4*s.ldb, c.v, 4*s.ldc, flags)
				for i, w := range want {
					if g := c.v[i]; math.Float32bits(g) != math.Float32bits(w) && (g == g || w == w) {
						t.Errorf("%s: C[%d,%d] = %b, want %b", name, i/s.ldc, i%s.ldc, g, w)
						return
					}
				}
				c.check(t, name)
			}
		}
	}
}

var tileShapes = []tileShape{
	{tiles: 1, k: 16, lda: 16, step: 0, ldb: 32, ldc: 32},
	{tiles: 1, k: 32, lda: 37, step: 0, ldb: 45, ldc: 33, skew: 5},
	{tiles: 2, k: 16, lda: 48, step: 16, ldb: 32, ldc: 40, skew: 1},
	{tiles: 3, k: 48, lda: 48, step: 32 * 48, ldb: 32, ldc: 96},
	{tiles: 2, k: 96, lda: 100, step: 33 * 100, ldb: 64, ldc: 71, skew: 3},
}

func TestTilesAMX(t *testing.T) {
	if !hasAMX() {
		t.Skip("no AMX: this processor has no tile registers for bfloat16, or the system does not grant them")
	}
	checkTiles(t, callTiles, tileShapes)
}

// TestTilesAMXStay interrupts calls so long that threads are switched, and signals of collections come, inside them.
func TestTilesAMXStay(t *testing.T) {
	if !hasAMX() {
		t.Skip("no AMX: this processor has no tile registers for bfloat16, or the system does not grant them")
	}
	const tiles, k = 4, 1 << 13
	var threads, collector sync.WaitGroup
	var done atomic.Bool
	collector.Go(func() {
		for !done.Load() {
			runtime.GC()
		}
	})
	for n := range 4 {
		threads.Go(func() {
			r := rand.New(rand.NewPCG(4, uint64(n)))
			a, b, want := make([]uint32, k), make([]uint32, 32), make([]float32, 32)
			for _, v := range [][]uint32{a, b} {
				for i := range v {
					v[i] = math.Float32bits(float32(r.NormFloat64()))>>16 | math.Float32bits(float32(r.NormFloat64()))&^0xffff
				}
			}
			for j := range want { // all rows of A are one, and all of B
				var column [tilePairs]uint32
				for l := range column {
					column[l] = b[j]
				}
				for l := 0; l < k; l += tilePairs {
					row := [tilePairs]uint32(a[l:])
					want[j] = dotOfPairs(want[j], &row, &column)
				}
			}
			for begun := time.Now(); time.Since(begun) < 20*time.Millisecond; {
				c := make([]float32, 32*32*tiles)
				callTiles(tiles, k, a, 0, 0, b, 0, c, 128, 0)
				for i, got := range c {
					if got != want[i%32] {
						t.Errorf("thread %d: C[%d,%d] = %v, want %v", n, i/32, i%32, got, want[i%32])
						return
					}
				}
			}
		})
	}
	threads.Wait()
	done.Store(true)
	collector.Wait()
}

// callTiles runs the assembly.
func callTiles(tiles, k int, a []uint32, ars, astep int, b []uint32, bs int, c []float32, ldc, flags int) {
	tileamx(tiles, k, (*float32)(unsafe.Pointer(&a[0])), ars, astep, (*float32)(unsafe.Pointer(&b[0])), bs, &c[0], ldc, flags)
}

func BenchmarkTilesAMX(b *testing.B) {
	if !hasAMX() {
		b.Skip("no AMX")
	}
	for _, s := range []tileShape{{tiles: 1, k: 192, lda: 192, ldb: 32, ldc: 32}, {tiles: 6, k: 192, lda: 192, step: 32 * 192, ldb: 32, ldc: 32}} {
		b.Run(fmt.Sprintf("%d×32×32×%d", s.tiles, 2*s.k), func(b *testing.B) {
			x, y, z := make([]uint32, s.tiles*32*s.lda), make([]uint32, s.k*s.ldb), make([]float32, s.tiles*32*s.ldc)
			for b.Loop() {
				callTiles(s.tiles, s.k, x, 4*s.lda, 4*s.step, y, 4*s.ldb, z, 4*s.ldc, addToC)
			}
			b.ReportMetric(float64(b.N)*float64(s.tiles*32*32*s.k*4)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
