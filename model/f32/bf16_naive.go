package f32

// Where a path has no instructions for them, products of BF16 are made of float32: operands are widened, which is exact.

func naiveRound(dst []BF16, x []float32) {
	for i, v := range x {
		dst[i] = ToBF16(v)
	}
}

func naiveWiden(dst []float32, x []BF16) {
	for i, v := range x {
		dst[i] = v.Float32()
	}
}

// widened copies a rows×cols matrix without gaps.
func widened(x []BF16, ld, rows, cols int) *scratch {
	s := takeScratch(max(1, rows*cols))
	for r := range rows {
		naiveWiden(s.data[r*cols:][:cols], x[r*ld:][:cols])
	}
	for i, v := range s.data[:rows*cols] {
		if v < 0x1p-126 && v > -0x1p-126 {
			s.data[i] = 0
		}
	}
	return s
}

// stored returns the rows and columns of X as stored.
func stored(trans bool, rows, cols int) (int, int) {
	if trans {
		return cols, rows
	}
	return rows, cols
}

// withWide makes the products of BF16 of p's own.
func (p *path) withWide() {
	p.round, p.widen = naiveRound, naiveWiden
	p.gemm16 = func(x product16, threads bool) {
		ra, ca := stored(x.transA, x.m, x.k)
		rb, cb := stored(x.transB, x.k, x.n)
		a, b := widened(x.a, x.lda, ra, ca), widened(x.b, x.ldb, rb, cb)
		defer giveScratch(a)
		defer giveScratch(b)
		p.gemm(newProduct(x.transA, x.transB, x.m, x.n, x.k, x.alpha, a.data, ca, b.data, cb, x.beta, x.c, x.ldc), threads)
	}
	p.pack16 = func(transB bool, k, n int, b []float32, ldb int, dst *Packed) {
		rows, cols := stored(transB, k, n)
		s := takeScratch(max(1, rows*cols))
		defer giveScratch(s)
		for r := range rows {
			for j, v := range b[r*ldb:][:cols] {
				s.data[r*cols+j] = ToBF16(v).Float32()
			}
		}
		Pack(transB, k, n, s.data, cols, dst)
	}
	p.times16 = func(x product16, packed *Packed, threads bool) {
		a := widened(x.a, x.lda, x.m, x.k)
		defer giveScratch(a)
		to, ldc := x.c, x.ldc
		var sum *scratch
		if x.beta != 0 {
			sum = takeScratch(x.m * x.n)
			defer giveScratch(sum)
			to, ldc = sum.data, x.n
		}
		p.gemmPacked(x.m, a.data, x.k, packed, nil, to, ldc)
		if x.beta != 0 {
			for r := range x.m {
				row := x.c[r*x.ldc:][:x.n]
				p.add(row, row, sum.data[r*x.n:][:x.n])
			}
		}
	}
}
