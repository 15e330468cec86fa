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
	p.causalRound, p.dotRows, p.rowDots, p.addRows, p.addOuter = naiveCausalRound, naiveDotRows, naiveRowDots, naiveAddRows, naiveAddOuter
	p.scaleRound, p.scaleRows16 = naiveScaleRound, naiveScaleRows16
	p.sumRound = naiveSumRound
	p.sumRoundRows, p.eluRoundRows = naiveSumRoundRows, naiveEluRoundRows
	p.geluRound = func(act, y []BF16, x, bias []float32) {
		n := len(x)
		s := takeScratch(n)
		defer giveScratch(s)
		z := s.data[:n]
		p.add(z, x, bias)
		p.round(y, z)
		p.widen(z, y)
		p.gelu(z, z)
		p.round(act, z)
	}
	p.geluBack = func(out, act, y []BF16, dact, sum []float32) {
		n := len(y)
		s := takeScratch(2 * n)
		defer giveScratch(s)
		z, g := s.data[:n], s.data[n:2*n]
		p.widen(z, y)
		p.geluGrad(g, z, dact)
		p.sumRound(out, g, sum)
		p.gelu(z, z)
		p.round(act, z)
	}
	p.addThree = func(dst, a, b, c []float32) {
		for i, v := range a {
			dst[i] = v + b[i] + c[i]
		}
	}
	p.fetchRows = func([]BF16, int, int, int) {}
	p.addRound = func(out []BF16, x, y []float32) {
		for i, v := range x {
			out[i] = ToBF16(v + y[i])
		}
	}
	p.eluRound = func(out []BF16, x, bias []float32) {
		s := takeScratch(len(x))
		defer giveScratch(s)
		z := s.data[:len(x)]
		p.add(z, x, bias)
		p.elu1(z, z)
		p.round(out, z)
	}
	p.gemm16 = func(x product16, threads bool) {
		ra, ca := stored(x.transA, x.m, x.k)
		rb, cb := stored(x.transB, x.k, x.n)
		a, b := widened(x.a, x.lda, ra, ca), widened(x.b, x.ldb, rb, cb)
		defer giveScratch(a)
		defer giveScratch(b)
		p.gemm(newProduct(x.transA, x.transB, x.m, x.n, x.k, x.alpha, a.data, ca, b.data, cb, x.beta, x.c, x.ldc), threads)
	}
	p.grads16 = func(grads []GradBF16) {
		for _, g := range grads {
			GemmBF16(true, false, g.M, g.N, g.K, 1, g.A, g.M, g.B, g.N, g.beta(), g.C, g.N)
		}
	}
	p.pack16 = func(n int, list [maxPackings]PackingBF16) {
		for i := range list[:n] {
			x := &list[i]
			rows, cols := stored(x.TransB, x.K, x.N)
			s := takeScratch(max(1, rows*cols))
			for r := range rows {
				for j, v := range x.B[r*x.LDB:][:cols] {
					s.data[r*cols+j] = ToBF16(v).Float32()
				}
			}
			Pack(x.TransB, x.K, x.N, s.data, cols, &x.Dst.p)
			giveScratch(s)
		}
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

func naiveCausalRound(out []BF16, ldo int, x []float32, ldx, rows, width, first int, add, sums []float32) {
	for i := range rows {
		n := min(first+i+1, width)
		sum, plus := float32(0), float32(0)
		if add != nil {
			plus = add[i]
		}
		row := out[i*ldo:][:width]
		for j, v := range x[i*ldx:][:n] {
			sum += v
			row[j] = ToBF16(v + plus)
		}
		clear(row[n:])
		if sums != nil {
			sums[i] = sum
		}
	}
}

func naiveDotRows(y []float32, x []BF16, ldx, cols int, z []float32) {
	for i := range y {
		for j, v := range x[i*ldx:][:cols] {
			y[i] += v.Float32() * z[j]
		}
	}
}

func naiveRowDots(y []float32, a []BF16, lda int, b []BF16, ldb, cols int) {
	for i := range y {
		y[i] = 0
		row := b[i*ldb:][:cols]
		for j, v := range a[i*lda:][:cols] {
			y[i] += v.Float32() * row[j].Float32()
		}
	}
}

func naiveAddRows(z []float32, x []BF16, ldx int, w []float32) {
	for i, by := range w {
		for j, v := range x[i*ldx:][:len(z)] {
			z[j] += by * v.Float32()
		}
	}
}

func naiveAddOuter(c []float32, ldc int, w, z []float32) {
	for i, by := range w {
		row := c[i*ldc:][:len(z)]
		for j, v := range z {
			row[j] += by * v
		}
	}
}

func naiveScaleRound(out []BF16, ldo int, x []float32, ldx, cols int, by []float32) {
	for i, f := range by {
		row := out[i*ldo:][:cols]
		for j, v := range x[i*ldx:][:cols] {
			row[j] = ToBF16(v * f)
		}
	}
}

func naiveScaleRows16(out []BF16, ldo int, x []BF16, ldx, cols int, by []float32) {
	for i, f := range by {
		row := out[i*ldo:][:cols]
		for j, v := range x[i*ldx:][:cols] {
			row[j] = ToBF16(v.Float32() * f)
		}
	}
}

func naiveSumRound(out []BF16, x, sum []float32) {
	for i, v := range x {
		sum[i] += v
		out[i] = ToBF16(v)
	}
}

func naiveSumRoundRows(out []BF16, ldo int, x []float32, ldx, rows int, sum []float32) {
	for i := range rows {
		naiveSumRound(out[i*ldo:][:len(sum)], x[i*ldx:][:len(sum)], sum)
	}
}

func naiveEluRoundRows(out []BF16, ldo int, x []float32, ldx int, y []BF16, ldy, rows int, sum []float32) {
	for i := range rows {
		row, from := out[i*ldo:][:len(sum)], y[i*ldy:][:len(sum)]
		for j, v := range x[i*ldx:][:len(sum)] {
			v *= min(1, from[j].Float32())
			sum[j] += v
			row[j] = ToBF16(v)
		}
	}
}
