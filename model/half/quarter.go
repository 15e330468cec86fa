package half

import (
	"math"
	"sync"
	"unsafe"
)

// Quarter is a k×n right-hand matrix of 8-bit weights, in panels of 32 columns,
// each column a multiple of its own scale.
//
// Where the processor multiplies integers (AVX512-VNNI), the weights of four rows lie together, and the activations
// of a product are rounded to 16 bits: by at most 1/65,024 of the largest in their row.
type Quarter struct {
	K, N  int
	data  []int8    // panels, each k rows of 32; the last filled up with zeros
	scale []float32 // of each column
	shift []int32   // 128 times each column's sum, where four rows lie together; else nil
}

// group is how many rows lie together at most.
const group = 4

func (m *Quarter) groups() int { return (m.K + group - 1) / group }

// at is where a weight lies.
func (m *Quarter) at(l, j int) int {
	if m.shift == nil {
		return (j/columns*m.K+l)*columns + j%columns
	}
	return ((j/columns*m.groups()+l/group)*columns+j%columns)*group + l%group
}

// QuarterLen is how many float32 elements of memory a k×n matrix takes.
func QuarterLen(k, n int) int {
	width := (n + columns - 1) / columns * columns
	return (k+group-1)/group*width + 2*width
}

// PackQuarter lays out op(B) as [Pack] does, in memory of at least QuarterLen
// elements. It has no NaN and no infinity: those become 0 and the largest weight.
func PackQuarter(transB bool, k, n int, b []float32, ldb int, memory []float32) *Quarter {
	checkStored("PackQuarter", transB, k, n, len(b), ldb, len(memory), QuarterLen(k, n))
	m := &Quarter{K: k, N: n}
	width := (n + columns - 1) / columns * columns
	if width == 0 {
		return m
	}
	m.scale, memory = memory[:width:width], memory[width:]
	clear(m.scale)
	if k == 0 {
		return m
	}
	shift := unsafe.Slice((*int32)(unsafe.Pointer(&memory[0])), width)
	clear(shift)
	memory = memory[width:]
	m.data = unsafe.Slice((*int8)(unsafe.Pointer(&memory[0])), width*m.groups()*group)
	clear(m.data)
	if multipliesIntegers() {
		m.shift = shift
	}
	eachWeight(transB, k, n, ldb, func(_, j, _, from int) {
		if x := float32(math.Abs(float64(b[from]))); x <= math.MaxFloat32 {
			m.scale[j] = max(m.scale[j], x)
		}
	})
	for i := range m.scale {
		m.scale[i] /= 127
	}
	eachWeight(transB, k, n, ldb, func(l, j, _, from int) {
		q := 0.0
		if s := m.scale[j]; s > 0 {
			q = math.Max(-127, math.Min(127, math.RoundToEven(float64(b[from])/float64(s))))
		}
		if q != q {
			q = 0
		}
		m.data[m.at(l, j)] = int8(q)
		shift[j] += 128 * int32(q)
	})
	return m
}

// Times computes C = A·M as [Matrix.Times] does.
func (m *Quarter) Times(rows int, a []float32, lda int, c []float32, ldc int) {
	times(m, m.K, m.N, rows, a, lda, c, ldc)
}

// Columns computes some columns of C as [Matrix.Columns] does.
func (m *Quarter) Columns(rows int, a []float32, lda int, c []float32, ldc, first, last int) {
	if m.shift != nil && m.K > 0 && multipliesIntegers() {
		checkShare(m.N, first, last)
		checkTimes(m.K, m.N, rows, len(a), lda, len(c), ldc)
		m.share(rows, a, lda, c, ldc, first, last)
		return
	}
	columnsOf(m, m.K, m.N, rows, a, lda, c, ldc, first, last)
}

func (m *Quarter) panel(p int, x []float32, y *[columns]float32) {
	scale := (*[columns]float32)(m.scale[p*columns:])
	if m.K == 0 {
		*y = [columns]float32{}
		return
	}
	if m.shift != nil {
		m.grouped(p, x, y)
		return
	}
	quarterKernel()(x, m.data[p*columns*m.K:][:columns*m.K], scale, y)
}

// naiveQuarter is what the kernels compute.
func naiveQuarter(x []float32, w []int8, scale, y *[columns]float32) {
	*y = [columns]float32{}
	for l, v := range x {
		for j := range y {
			y[j] += v * float32(w[l*columns+j])
		}
	}
	for j := range y {
		y[j] *= scale[j]
	}
}

// grouped is panel where four rows lie together.
func (m *Quarter) grouped(p int, x []float32, y *[columns]float32) {
	if multipliesIntegers() {
		r := roundings.Get().(*Rounded)
		m.dots(1, r.round(x, m.groups()), p, r.edge[:columns])
		*y = [columns]float32(r.edge[:columns])
		roundings.Put(r)
		return
	}
	*y = [columns]float32{}
	for l, v := range x {
		for j := range y {
			y[j] += v * float32(m.data[m.at(l, p*columns+j)])
		}
	}
	for j := range y {
		y[j] *= m.scale[p*columns+j]
	}
}

// share computes some columns of C.
func (m *Quarter) share(rows int, a []float32, lda int, c []float32, ldc, first, last int) {
	r := roundings.Get().(*Rounded)
	defer roundings.Put(r)
	for i := range rows {
		m.row(r.round(a[i*lda:][:m.K], m.groups()), c[i*ldc:], first, last)
	}
}

// row computes some columns of one row.
func (m *Quarter) row(r *Rounded, c []float32, first, last int) {
	for j := first; j < last; {
		panels, left := 1, last-j
		for 2*panels*columns <= left && panels < maxAside {
			panels *= 2
		}
		if left >= columns {
			m.dots(panels, r, j/columns, c[j:][:panels*columns])
		} else {
			edge := edgesOfRows.Get().(*[columns]float32) // others may have the same row
			m.dots(1, r, j/columns, edge[:])
			copy(c[j:][:left], edge[:])
			edgesOfRows.Put(edge)
		}
		j += panels * columns
	}
}

var edgesOfRows = sync.Pool{New: func() any { return new([columns]float32) }}

// Round rounds the activations x of one row for [Quarter.Row], once for all who compute columns of it. It returns false where the
// kernels in use take them as they are, in [Quarter.Columns].
func (m *Quarter) Round(x []float32, to *Rounded) bool {
	if m.shift == nil || m.K == 0 || !multipliesIntegers() {
		return false
	}
	to.round(x[:m.K], m.groups())
	return true
}

// Row is Columns for the one row that was rounded.
func (m *Quarter) Row(r *Rounded, c []float32, first, last int) {
	checkShare(m.N, first, last)
	m.row(r, c[:m.N], first, last)
}

// maxAside is how many panels are multiplied side by side.
const maxAside = 4

// Rounded is a row of activations in 16 bits: x = by·(256·hi+lo-32,768). The zero value is empty.
type Rounded struct {
	hi, lo []uint8
	by     float32
	edge   [columns]float32 // of the one panel that is not whole
}

var roundings = sync.Pool{New: func() any { return new(Rounded) }}

// steps is how many there are of an activation on either side of zero.
const steps = 32512

// round takes a row; what lies behind it up to so many groups meets weights of zero.
func (r *Rounded) round(x []float32, groups int) *Rounded {
	size := (groups*group + 15) &^ 15
	if len(r.hi) < size {
		r.hi, r.lo = make([]uint8, size), make([]uint8, size)
	}
	whole := len(x) &^ 15
	top := float32(0)
	if whole > 0 {
		top = largestOf(x[:whole])
	}
	for _, v := range x[whole:] {
		top = max(top, v, -v)
	}
	r.by = top / steps
	inverse := 1 / r.by
	if r.by < minStep { // nothing but zeros, or next to it
		inverse = 0
	}
	if whole > 0 {
		roundAll(x[:whole], inverse, r.hi, r.lo)
	}
	for i, v := range x[whole:] {
		q := int(math.RoundToEven(float64(v*inverse))) + 1<<15
		r.hi[whole+i], r.lo[whole+i] = uint8(q>>8), uint8(q)
	}
	return r
}

// minStep is a step whose inverse is finite.
const minStep = 1e-37
