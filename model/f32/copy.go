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
	transposeLoop.Run(rows, 32, rowArgs{p: active(), dst: dst, ldd: ldd, x: src, lds: lds, cols: cols})
}

var transposeLoop = NewLoop(func(a *rowArgs, lo, hi, _ int) {
	a.p.transpose(a.dst[lo:], a.ldd, a.x[lo*a.lds:], a.lds, hi-lo, a.cols)
})

// CopyStrided copies a rows×cols block from src (row length lds) to dst (row length ldd): one head out of
// interleaved rows, or back. The blocks must not overlap. On all threads.
func CopyStrided(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	checkMatrix("CopyStrided", "src", false, rows, cols, len(src), lds)
	checkMatrix("CopyStrided", "dst", false, rows, cols, len(dst), ldd)
	overRows(copyLoop, rows, rowArgs{dst: dst, ldd: ldd, x: src, lds: lds, cols: cols})
}

var copyLoop = eachRow(func(a *rowArgs, r int) { copy(a.dst[r*a.ldd:r*a.ldd+a.cols], a.x[r*a.lds:r*a.lds+a.cols]) })

// GatherRows sets row i of dst, len(index)×cols without gaps, to row index[i] of table (cols elements
// a row): an embedding look-up. An index outside the table panics. On all threads.
func GatherRows(dst, table []float32, cols int, index []uint16) {
	same("GatherRows", len(index)*cols, len(dst))
	checkRows("GatherRows", len(table), cols, index)
	overRows(gatherLoop, len(index), rowArgs{dst: dst, x: table, cols: cols, index: index})
}

var gatherLoop = eachRow(func(a *rowArgs, r int) { copy(a.row(a.dst, r), a.row(a.x, int(a.index[r]))) })

// ScatterAddRows adds row i of src, len(index)×cols without gaps, to row index[i] of table: the gradient of
// [GatherRows]. Rows are added in the order of i, each column by one thread.
func ScatterAddRows(table, src []float32, cols int, index []uint16) {
	same("ScatterAddRows", len(index)*cols, len(src))
	checkRows("ScatterAddRows", len(table), cols, index)
	scatterLoop.run(cols, 64, len(src) >= forkAbove, rowArgs{p: active(), dst: table, x: src, cols: cols, index: index})
}

var scatterLoop = NewLoop(func(a *rowArgs, lo, hi, _ int) {
	for r, i := range a.index {
		row := a.dst[int(i)*a.cols+lo : int(i)*a.cols+hi]
		a.p.add(row, row, a.x[r*a.cols+lo:r*a.cols+hi])
	}
})

func checkRows(op string, length, cols int, index []uint16) {
	for i, r := range index {
		if (int(r)+1)*cols > length {
			panic(fmt.Sprintf("f32.%s: index %d is row %d of a table of %d rows", op, i, r, length/max(cols, 1)))
		}
	}
}
