package model

import (
	"trafficgpt/model/f32"
	"trafficgpt/model/half"
)

// weightBits is how matrices are kept for products with few rows.
type weightBits int

const (
	bits32 weightBits = iota
	bits16
	bits8
	bitsBF16
	layouts = iota // so many
)

// length is how many float32 elements of memory a k×n matrix takes.
func (w weightBits) length(k, n int) int {
	switch w {
	case bits16:
		n = half.PackedLen(k, n)
	case bits8:
		n = half.QuarterLen(k, n)
	case bitsBF16:
		n = f32.PackedLen((k+1)/2, n)
	default:
		n = f32.PackedLen(k, n)
	}
	return (n + 15) &^ 15 // on a border of 64 bytes
}

// packedWeights are the matrices laid out for products with few rows.
type packedWeights struct {
	layers []packedLayer
	head   packedMatrix
}

type packedLayer struct{ qkv, proj, fc1, fc2 packedMatrix }

// packedMatrix holds one matrix in float32 or, if narrow or pairs is set, in fewer bits.
type packedMatrix struct {
	full   f32.Packed
	narrow interface {
		Columns(rows int, a []float32, lda int, c []float32, ldc, first, last int)
	}
	pairs   *f32.PackedBF16 // or instead of both
	quarter *half.Quarter   // narrow, where it is one
	k, n    int
}

// factor are the rows that a matrix is multiplied with, and those rounded where the matrix is in bfloat16.
type factor struct {
	x    []float32
	x16  []f32.BF16
	once *half.Rounded // one row for a matrix in 8 bits, or nil
}

// columns computes the columns from first up to last of y = x·w + bias for some rows, without gaps; both are multiples of
// unit, or the end.
func (w *packedMatrix) columns(rows rowsOfStep, in factor, bias *tensor, y []float32, first, last int) {
	n := rows.to - rows.from
	y = y[rows.from*w.n : rows.to*w.n]
	if w.pairs != nil {
		f32.FewColumnsBF16(n, in.x16[rows.from*w.k:rows.to*w.k], w.k, w.pairs, bias.w, y, w.n, first, last)
		return
	}
	x := in.x[rows.from*w.k : rows.to*w.k]
	if w.narrow == nil {
		f32.FewColumns(n, x, w.k, &w.full, bias.w, y, w.n, first, last)
		return
	}
	if in.once != nil {
		w.quarter.Row(in.once, y, first, last)
	} else {
		w.narrow.Columns(n, x, w.k, y, w.n, first, last)
	}
	for i := range n {
		row := y[i*w.n:][first:last]
		f32.Add(row, row, bias.w[first:last])
	}
}

// pack lays the weights out once; a change of the weights drops the layout.
func (m *Model) pack(bits weightBits) *packedWeights {
	if m.packed[bits] != nil {
		return m.packed[bits]
	}
	w := &packedWeights{layers: make([]packedLayer, m.cfg.Layers)}
	// All of it lies together, on huge pages: a token reads every weight once.
	memory := f32.Aligned(m.packedLen(bits))
	lay := func(transposed bool, k, n int, t *tensor, dst *packedMatrix) {
		dst.k, dst.n = k, n
		size := bits.length(k, n)
		room := memory[:size:size]
		memory = memory[size:]
		switch bits {
		case bits16:
			dst.narrow = half.Pack(transposed, k, n, t.w, t.cols, room)
		case bits8:
			dst.quarter = half.PackQuarter(transposed, k, n, t.w, t.cols, room)
			dst.narrow = dst.quarter
		case bitsBF16:
			dst.pairs = new(f32.PackedBF16)
			dst.pairs.Use(room)
			f32.PackBF16(transposed, k, n, t.w, t.cols, dst.pairs)
		default:
			dst.full.Use(room)
			f32.Pack(transposed, k, n, t.w, t.cols, &dst.full)
		}
	}
	for i := range w.layers {
		l, q := &m.params.layers[i], &w.layers[i]
		lay(false, l.qkv.rows, l.qkv.cols, &l.qkv, &q.qkv)
		lay(false, l.proj.rows, l.proj.cols, &l.proj, &q.proj)
		lay(false, l.fc1.rows, l.fc1.cols, &l.fc1, &q.fc1)
		lay(false, l.fc2.rows, l.fc2.cols, &l.fc2, &q.fc2)
	}
	if m.cfg.Tied {
		lay(true, m.cfg.Width, m.cfg.Vocabulary, &m.params.embed, &w.head)
	} else {
		lay(false, m.params.head.rows, m.params.head.cols, &m.params.head, &w.head)
	}
	m.packed[bits] = w
	return w
}

// packedLen is how many elements the packed matrices take.
func (m *Model) packedLen(bits weightBits) int {
	n := 0
	for i := range m.params.layers {
		l := &m.params.layers[i]
		for _, t := range []*tensor{&l.qkv, &l.proj, &l.fc1, &l.fc2} {
			n += bits.length(t.rows, t.cols)
		}
	}
	return n + bits.length(m.cfg.Width, m.cfg.Vocabulary)
}
