package f32

// span is [lo,hi).
type span struct{ lo, hi int }

func (s span) len() int { return s.hi - s.lo }

// into is where the panels of a block of C go: panel i from data[i·pitch] on, rows ld apart.
type into struct {
	data      []float32
	ld, pitch int
}

// gemmTurned is the product with a transposed A and a long k, the gradient of a weight matrix. The sums of a
// block of C over all its k lie close together in scratch, and are added to C once: rows of C a power of two
// apart would evict each other from the caches. When C has few blocks, k is cut too, by the shape alone, and
// the parts are added in order.
func (e *engine) gemmTurned(p *product, threads bool) {
	t := turnArgs{e: e, p: *p, mb: even(p.m, e.turnM, e.mr), nb: even(p.n, e.turnN, e.nr)}
	down := (p.m-1)/t.mb + 1
	t.across = (p.n-1)/t.nb + 1
	t.blocks = down * t.across
	t.parts = max(1, min((5+t.blocks)/t.blocks, p.k/e.partK))
	t.kb = even(p.k, (p.k+t.parts-1)/t.parts, blockK)
	t.parts = (p.k-1)/t.kb + 1
	buf := takeScratch(t.blocks * t.parts * t.size())
	defer giveScratch(buf)
	t.sums = buf.data
	turnLoop.run(t.blocks*t.parts, 1, threads, t)
	if t.parts > 1 {
		finishLoop.run(t.blocks*((t.mb-1)/finishStrip+1), 1, threads, t)
	}
}

// turnArgs are a product whose C is cut in blocks of mb×nb and whose k in parts of kb.
type turnArgs struct {
	e                     *engine
	p                     product
	mb, nb, kb            int
	across, blocks, parts int
	sums                  []float32
}

// size is how many elements of sums one part of a block has.
func (t *turnArgs) size() int { return t.mb * t.nb }

func (t *turnArgs) spans(block int) (m, n span) {
	i, j := block/t.across*t.mb, block%t.across*t.nb
	return span{i, min(i+t.mb, t.p.m)}, span{j, min(j+t.nb, t.p.n)}
}

const finishStrip = 32

var (
	turnLoop = NewLoop(func(t *turnArgs, lo, hi, _ int) {
		for item := lo; item < hi; item++ {
			block, part := item/t.parts, item%t.parts
			m, n := t.spans(block)
			to := t.sums[item*t.size() : (item+1)*t.size()]
			t.e.turn(&t.p, m, n, span{part * t.kb, min((part+1)*t.kb, t.p.k)}, into{to, t.e.nr, m.len() * t.e.nr}, 0, 1)
			if t.parts == 1 {
				t.e.finish(&t.p, m, n, span{0, m.len()}, to, t.size(), 1)
			}
		}
	})
	finishLoop = NewLoop(func(t *turnArgs, lo, hi, _ int) {
		for item := lo; item < hi; item++ {
			block, from := item%t.blocks, item/t.blocks*finishStrip
			m, n := t.spans(block)
			if from < m.len() {
				t.e.finish(&t.p, m, n, span{from, min(from+finishStrip, m.len())}, t.sums[block*t.parts*t.size():], t.size(), t.parts)
			}
		}
	})
)

// finish adds the parts of some rows of a block and puts the sums into C.
func (e *engine) finish(p *product, m, n, rows span, sums []float32, size, parts int) {
	for q, j := 0, n.lo; j < n.hi; q, j = q+1, j+e.nr {
		at, end := (q*m.len()+rows.lo)*e.nr, (q*m.len()+rows.hi)*e.nr
		sum := sums[at:end]
		for part := 1; part < parts; part++ {
			e.add(sum, sum, sums[part*size+at:part*size+end])
		}
		cols := min(e.nr, n.hi-j)
		for i := range rows.len() {
			at := (m.lo+rows.lo+i)*p.ldc + j
			c, s := p.c[at:at+cols], sum[i*e.nr:i*e.nr+cols]
			switch {
			case p.beta != 0:
				e.addScaled(c, p.alpha, s)
			case p.alpha != 1:
				e.scale(c, p.alpha, s)
			default:
				copy(c, s)
			}
		}
	}
}

// turned multiplies a transposed A over the rows k of A and B: for some of them at a time A is copied into tiles, B panel
// by panel. While a panel is multiplied, the next one and a part of the next rows of A are fetched.
func (e *engine) turned(p *product, m, n, ks span, c into, flags int, alpha float32) {
	kb := even(ks.len(), blockK, 16)
	rows := m.len()
	whole, top, last := e.cut(rows)
	tiles := whole + min(top, 1) + min(last, 1)
	buf := takeScratch(kb * (e.nr + tiles*e.nr/2))
	defer giveScratch(buf)
	packed, turned := buf.data[:kb*e.nr], buf.data[kb*e.nr:]
	for l := ks.lo; l < ks.hi; l += kb {
		k := min(kb, ks.hi-l)
		e.packA(k, rows, p.a[l*p.lda+m.lo:], p.lda, turned)
		a := left{data: &turned[0], k: k, tiled: true}
		for q, j := 0, n.lo; j < n.hi; q, j = q+1, j+e.nr {
			cols := min(e.nr, n.hi-j)
			e.packB(p.transB, k, cols, p.b[offset(p.transB, l, j, p.ldb):], p.ldb, packed, e.nr)
			var nextA, nextB ahead
			if l+kb < ks.hi {
				nextA = aheadOf(&p.a[(l+kb)*p.lda+m.lo], 4*p.lda).strip(q)
			}
			switch {
			case p.transB:
			case j+e.nr < n.hi:
				nextB = aheadOf(&p.b[l*p.ldb+j+e.nr], 4*p.ldb)
			case l+kb < ks.hi:
				nextB = aheadOf(&p.b[(l+kb)*p.ldb+n.lo], 4*p.ldb)
			}
			e.panel(rows, a, &packed[0], 4*e.nr, c.data[q*c.pitch:], c.ld, cols, flags, alpha, nextB, nextA)
		}
		flags |= addToC
	}
}
