package f32

import "fmt"

// Transpose sets dst[c·ldd+r] = src[r·lds+c] for a rows×cols src with row length lds ≥ cols; dst is
// cols×rows with row length ldd ≥ rows. dst must not overlap src. On all threads.
func Transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	checkMatrix("Transpose", "src", false, rows, cols, len(src), lds)
	checkMatrix("Transpose", "dst", false, cols, rows, len(dst), ldd)
	if rows == 0 || cols == 0 {
		return
	}
	f := active().transpose
	if rows*cols < forkAbove {
		f(dst, ldd, src, lds, rows, cols)
		return
	}
	Parallel(rows, 32, func(lo, hi, _ int) { f(dst[lo:], ldd, src[lo*lds:], lds, hi-lo, cols) })
}

// CopyStrided copies a rows×cols block from src (row length lds) to dst (row length ldd): one head out of
// interleaved rows, or back. The blocks must not overlap. On all threads.
func CopyStrided(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	checkMatrix("CopyStrided", "src", false, rows, cols, len(src), lds)
	checkMatrix("CopyStrided", "dst", false, rows, cols, len(dst), ldd)
	eachRow(rows, cols, func(r int) { copy(dst[r*ldd:r*ldd+cols], src[r*lds:r*lds+cols]) })
}

// GatherRows sets row i of dst, len(index)×cols without gaps, to row index[i] of table (cols elements
// a row): an embedding look-up. An index outside the table panics. On all threads.
func GatherRows(dst, table []float32, cols int, index []uint16) {
	same("GatherRows", len(index)*cols, len(dst))
	checkRows("GatherRows", len(table), cols, index)
	eachRow(len(index), cols, func(r int) {
		at := int(index[r]) * cols
		copy(dst[r*cols:(r+1)*cols], table[at:at+cols])
	})
}

// ScatterAddRows adds row i of src, len(index)×cols without gaps, to row index[i] of table: the gradient of
// [GatherRows]. Rows are added in the order of i, each column by one thread.
func ScatterAddRows(table, src []float32, cols int, index []uint16) {
	same("ScatterAddRows", len(index)*cols, len(src))
	checkRows("ScatterAddRows", len(table), cols, index)
	add := active().add
	columns := func(lo, hi, _ int) {
		for r, i := range index {
			row := table[int(i)*cols+lo : int(i)*cols+hi]
			add(row, row, src[r*cols+lo:r*cols+hi])
		}
	}
	if len(src) < forkAbove {
		columns(0, cols, 0)
		return
	}
	Parallel(cols, 64, columns)
}

func checkRows(op string, length, cols int, index []uint16) {
	for i, r := range index {
		if (int(r)+1)*cols > length {
			panic(fmt.Sprintf("f32.%s: index %d is row %d of a table of %d rows", op, i, r, length/max(cols, 1)))
		}
	}
}
