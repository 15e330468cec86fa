package f32

// naiveGemm is the oracle: for every element of C one sum over k in order. The loops run i, l, j so that the
// inner one walks rows; the sum of each element still goes over l from 0 up.
func naiveGemm(p product, threads bool) {
	work := p.n * max(p.k, 1)
	naiveLoop.run(p.m, max(1, serialBelow/work), threads && p.m*work >= serialBelow, p)
}

var naiveLoop = NewLoop(func(p *product, lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		naiveRow(p, i)
	}
})

func naiveRow(p *product, i int) {
	c := p.c[i*p.ldc : i*p.ldc+p.n]
	if p.beta == 0 {
		clear(c)
	} else if p.beta != 1 {
		for j := range c {
			c[j] *= p.beta
		}
	}
	if p.alpha == 0 || p.k == 0 {
		return
	}
	for l := range p.k {
		x := p.alpha * p.a[offset(p.transA, i, l, p.lda)]
		if p.transB {
			for j := range c {
				c[j] += x * p.b[j*p.ldb+l]
			}
			continue
		}
		for j, y := range p.b[l*p.ldb : l*p.ldb+p.n] {
			c[j] += x * y
		}
	}
}

// naiveGemmPacked reads packed panels of any width.
func naiveGemmPacked(m int, a []float32, lda int, p *Packed, bias, c []float32, ldc int) {
	setRows(m, p.N, bias, c, ldc)
	args := naivePackedArgs{product{m: 1, k: p.K, alpha: 1, a: a, lda: lda, ldb: p.width, beta: 1, c: c, ldc: ldc}, *p}
	work := p.N * max(p.K, 1)
	naivePackedLoop.run(m, max(1, serialBelow/work), m*work >= serialBelow, args)
}

type naivePackedArgs struct {
	product
	packed Packed
}

var naivePackedLoop = NewLoop(func(a *naivePackedArgs, lo, hi, _ int) {
	p := &a.packed
	for i := lo; i < hi; i++ {
		for j := 0; j < p.N; j += p.width {
			q := a.product
			q.a, q.b, q.c, q.n = q.a[i*q.lda:], p.data[j*p.K:(j+p.width)*p.K], q.c[i*q.ldc+j:], min(p.width, p.N-j)
			naiveRow(&q, 0)
		}
	}
})

// naivePackB copies cols columns of op(B), k rows, into a panel of the given width and zeroes the rest.
func naivePackB(trans bool, k, cols int, b []float32, ldb int, panel []float32, width int) {
	for l := range k {
		row := panel[l*width : (l+1)*width]
		for j := range cols {
			row[j] = b[offset(trans, l, j, ldb)]
		}
		clear(row[cols:])
	}
}
