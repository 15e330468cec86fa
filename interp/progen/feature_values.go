package progen

import "strings"

func (g *gen) embedding() string {
	return g.fill(`
type NAMEi interface{ Get() $T }

type NAMEj interface {
	NAMEi
	Put($T)
}

type NAMEbase struct{ v $T }

func (b NAMEbase) Get() $T   { return b.v }
func (b *NAMEbase) Put(x $T) { b.v = x }
func (NAMEbase) Name() string { return "base" }

type NAMEmid struct {
	*NAMEbase
	n int
}

func (NAMEmid) Name() string { return "mid" }

type NAMEtop struct {
	NAMEmid
	NAMEi
	Extra []int
}

func (t NAMEtop) Get() $T { return t.NAMEmid.Get() }

func NAME() {
	burn()
	m := NAMEmid{&NAMEbase{$V}, $N}
	t := NAMEtop{NAMEmid: m, Extra: []int{$I}}
	u := t
	u.Put($V)
	u.n++
	u.NAMEi = u.NAMEmid
	fmt.Println(t.Name(), u.NAMEbase.Name(), t.n, u.n)
	fmt.Printf("$% $% $%\n", t.Get(), u.NAMEi.Get(), m.v)
	var j NAMEj = m
	j.Put($L)
	put, get := j.Put, NAMEi.Get
	put($V)
	fmt.Printf("$% %T\n", get(j), j)
	_, isJ := any(t).(NAMEj)
	_, isI := any(u).(NAMEi)
	_, ptrJ := any(&t).(interface{ Put($T) })
	_, baseJ := any(*t.NAMEbase).(NAMEj)
	fmt.Println(isJ, isI, ptrJ, baseJ)
	defer func() { fmt.Println(recover() != nil) }()
	NAMEtop{}.NAMEi.Get()
}
`, g.showType(1))
}

func (g *gen) methodValues() string {
	return g.fill(`
type NAMEt struct {
	v $T
	n int
}

func (t NAMEt) val() (int, $T)         { return t.n, t.v }
func (t *NAMEt) inc(by ...int) *NAMEt {
	for _, b := range by {
		t.n += b
	}
	return t
}

type NAMEf func(int) int

func (f NAMEf) twice(x int) int { return f(f(x)) }

func NAME() {
	burn()
	t := NAMEt{$V, 1}
	before, inc := t.val, t.inc
	inc(1, 2)
	t.inc([]int{$N, $N}...).inc().inc(5)
	t.v = $L
	n, v := before()
	fmt.Printf("%d $%\n", n, v)
	n, v = t.val()
	fmt.Printf("%d $%\n", n, v)
	fs := map[string]func(*NAMEt, ...int) *NAMEt{"inc": (*NAMEt).inc}
	fs["inc"](&t, 7)
	vals := []func(NAMEt) (int, $T){NAMEt.val}
	fmt.Println(t.n, len(vals))
	fmt.Println(NAMEf(func(x int) int { return x*2 + t.n }).twice($N))
	g := NAMEf.twice
	fmt.Println(g(func(x int) int { t.n++; return x - t.n }, $N))
	ts := []NAMEt{{n: 1}, {n: 2}}
	var calls []func(...int) *NAMEt
	for i := range ts {
		defer ts[i].inc(1)
		calls = append(calls, ts[i].inc)
	}
	for _, t := range ts {
		calls = append(calls, t.inc)
	}
	for i, c := range calls {
		fmt.Println(c(i).n)
	}
	fmt.Println(ts[0].n, ts[1].n)
}
`, g.showType(1))
}

func (g *gen) copies() string {
	return g.fill(`
func NAME() {
	burn()
	type inner struct {
		a [2]$T
		n int
	}
	type outer struct {
		in  inner
		arr [2]inner
		ptr *inner
	}
	x := outer{in: inner{n: 1}, ptr: &inner{n: 2}}
	x.in.a[0] = $V
	y := x
	y.in.n, y.arr[1].n, y.ptr.n = 10, 11, 12
	y.in.a[0], y.in.a[1] = y.in.a[1], $L
	fmt.Println(x.in.n, x.arr[1].n, x.ptr.n, y.in.n, y.arr[1].n)
	fmt.Printf("$% $%\n", x.in.a[0], y.in.a[1])
	f := func(o outer) outer { o.in.n++; o.arr[0].n = 5; o.ptr.n++; return o }
	z := f(y)
	fmt.Println(y.in.n, y.arr[0].n, z.in.n, z.arr[0].n, z.ptr.n)
	m := map[string]outer{"k": z}
	w := m["k"]
	w.in.n = 99
	fmt.Println(m["k"].in.n, w.in.n)
	arr := [3]inner{{n: 1}, {n: 2}, {n: 3}}
	for i, e := range arr {
		arr[2].n = 50
		e.n *= 10
		fmt.Print(i, e.n, " ")
	}
	sl := arr[:]
	for i, e := range sl {
		sl[2].n = 60
		fmt.Print(i, e.n, " ")
	}
	brr := arr
	p := &arr[1]
	p.n = 77
	c := make(chan [3]inner, 1)
	c <- arr
	arr[0].n = -1
	got := <-c
	var e any = got
	got[0].n = -2
	back := e.([3]inner)
	fmt.Println(arr[1].n, brr[1].n, got[0].n, back[0].n, brr == id(brr))
}
`, g.cmpShow())
}

func (g *gen) cmpShow() *typ {
	for {
		if t := g.comparableType(); !g.floats(t) {
			return t
		}
	}
}

func (g *gen) nanKeys() string {
	return g.fill(`
func NAME() {
	burn()
	nan, zero := math.NaN(), math.Copysign(0, -1)
	m := map[float64]int{nan: 1, zero: 2}
	m[nan]++
	m[0]++
	fmt.Println(len(m), m[nan], m[-zero])
	delete(m, nan)
	s := 0
	for k, v := range m {
		if k != k {
			s += v
		}
	}
	fmt.Println(len(m), s)
	type pt struct{ x, y float64 }
	ps := map[pt]int{{nan, 1}: 1, {zero, 1}: 2}
	ps[pt{0, 1}]++
	ps[pt{nan, 1}]++
	fmt.Println(len(ps), ps[pt{zero, 1}], pt{nan, 0} == pt{nan, 0}, pt{zero, 0} == pt{})
	var as = map[any]int{nan: 1, zero: 2, $I: 3}
	as[0.0]++
	as[nan]++
	as[float32(0)]++
	fmt.Println(len(as), as[0.0], any(nan) == any(nan), [1]float64{nan} == [1]float64{nan})
	clear(m)
	fmt.Println(len(m), min(nan, 1), max(zero, 0), min(0, zero), nan < 1, nan != nan, $A)
	switch nan {
	case nan:
		fmt.Println("same")
	default:
		fmt.Println("other")
	}
}
`, g.showType(1))
}

func (g *gen) ifaceKeys() string {
	t, u := g.cmpShow(), g.cmpShow()
	s := g.fill(`
func NAME() {
	burn()
	m := map[any]string{}
	ks := []any{$V, OTHER, 1, int8(1), "1", [1]int{1}, struct{ A int }{1}, nil, true, 1.0, 'a', $L}
	for i, k := range ks {
		m[k] += fmt.Sprint(i, ",")
	}
	for i, k := range ks {
		fmt.Println(i, m[k], k == ks[0], k == any(1))
	}
	fmt.Println(len(m))
	var e1, e2 interface{ M0() } = nil, nil
	var p *int
	fmt.Println(e1 == e2, any(p) == nil, any(p) == any((*int)(nil)), any(p) == any((*string)(nil)))
	type loc struct {
		v any
		s string
	}
	x, y := loc{$V, "a"}, loc{$V, "a"}
	lm := map[loc]int{x: 1}
	lm[y]++
	fmt.Println(x == y, len(lm) == 1)
	try("bad key", func() { m[[]int{1}] = "x" })
	try("bad compare", func() { fmt.Println(loc{v: []int{}} == loc{v: []int{}}) })
	try("fine compare", func() { fmt.Println(loc{v: []int{}} == loc{v: $I}, any([]int{}) == any(1)) })
	try("bad field", func() { fmt.Println(m[loc{func() {}, ""}]) })
}
`, t)
	return strings.ReplaceAll(s, "OTHER", g.typedExpr(u, 2))
}

func (g *gen) aliasing() string {
	return g.fill(`
func NAME() {
	burn()
	s := make([]$T, 2, 4)
	s[0] = $V
	a := append(s, $V)
	b := append(s, $L)
	fmt.Printf("$% $% %d %d\n", a[2], b[2], len(s), cap(a))
	c := s[:3:3]
	d := append(c, $L)
	c[0] = $L
	fmt.Printf("$% $% %d\n", s[0], d[0], cap(c))
	n := copy(s[1:], s)
	fmt.Printf("%d $%\n", n, s[1])
	e := s[len(s):]
	fmt.Println(len(e), cap(e), e == nil, len(s[:0:0]), s[:0] == nil)
	var z []$T
	z = append(z, z...)
	fmt.Println(z == nil, len(append(z, s...)), append([]byte("ab"), "cd"...))
	arr := (*[2]$T)(s)
	arr[1] = $V
	fmt.Printf("$% $%\n", s[1], ([2]$T)(s)[0])
	x := [4]int{1, 2, 3, 4}
	y := x[1:3]
	y = append(y, $N)
	y[0], x[2] = x[2], y[0]
	n = copy(x[:], x[2:])
	fmt.Println(x, y, n)
	m := [][]int{{1}, {2, 3}}
	m[0], m[1] = m[1], append(m[0], m[1]...)
	for i := range m {
		m[i] = append(m[i], i)
	}
	fmt.Println(m)
	bs := []byte("xyz")
	str := string(bs)
	bs[0] = 'Q'
	fmt.Println(str, string(bs), len(str[1:2]))
	clear(s)
	fmt.Printf("$%\n", s[0])
}
`, g.showType(1))
}

func (g *gen) swaps() string {
	return g.fill(`
func NAME() {
	burn()
	a := []int{0, 1, 2, 3}
	i := 1
	i, a[i] = 2, 9
	fmt.Println(i, a)
	a[0], a[a[0]] = a[3], a[1]
	fmt.Println(a)
	type node struct {
		v    $T
		next *node
	}
	var head *node
	for k := range 3 {
		head = &node{next: head}
		if k == 1 {
			head.v = $V
		}
	}
	var prev *node
	for head != nil {
		head.next, prev, head = prev, head, head.next
	}
	for n := prev; n != nil; n = n.next {
		fmt.Printf("$% ", n.v)
	}
	x, y := $V, $V
	x, y = y, x
	p, q := &x, &y
	*p, *q = *q, *p
	p, q = q, p
	fmt.Printf("\n$% $%\n", *p, *q)
	m := map[int]int{1: 2}
	m[1], m[2], i = m[2], m[1], m[1]
	fmt.Println(m, i)
	f := func(s string) int { fmt.Print(s, " "); return len(s) % 4 }
	a[f("a")], m[f("bb")] = f("ccc"), f("d")
	a[f("x")] += f("yyy")
	fmt.Println(a, m)
	var st struct{ a, b [2]int }
	st.a, st.b = [2]int{1, 2}, st.a
	st.a[0], st.a[1] = st.a[1], st.a[0]
	fmt.Println(st)
	b := [2]int{5, 6}
	b, c := [2]int{b[1], b[0]}, b
	fmt.Println(b, c)
	i = 0
	i, b[i], i = 1, i+7, 3
	fmt.Println(i, b)
}
`, g.showType(1))
}

func (g *gen) unwinding() string {
	return g.fill(`
func NAMEdeep(n int, log *[]string) (r $T) {
	defer func() { *log = append(*log, fmt.Sprint("d", n)) }()
	if n == 0 {
		panic($V)
	}
	defer func() {
		if n == 2 {
			v := recover()
			*log = append(*log, fmt.Sprintf("%T", v))
			defer func() { *log = append(*log, fmt.Sprint(recover())) }()
			if $B {
				panic(fmt.Sprint("again ", n))
			}
		}
	}()
	r = $L
	r = NAMEdeep(n-1, log)
	*log = append(*log, fmt.Sprint("r", n))
	return
}

func NAME() {
	burn()
	var log []string
	v := NAMEdeep(4, &log)
	fmt.Printf("$% %v\n", v, log)
	func() {
		defer func() { fmt.Println("outer", recover()) }()
		defer func() { panic("second") }()
		defer func() { fmt.Println(recover() != nil) }()
		panic("first")
	}()
	func() {
		defer func() { fmt.Println(recover()) }()
		for i := range 3 {
			defer func() {
				if i == 1 {
					fmt.Println("saw", recover())
				}
				fmt.Println(i)
			}()
		}
		panic(errors.New("loop"))
	}()
	help := func() any { return recover() }
	func() {
		defer func() { fmt.Println("nested", help(), recover()) }()
		defer help()
		panic(1)
	}()
	func() {
		defer func() { fmt.Printf("%T\n", recover()) }()
		var e error
		panic(e)
	}()
	fmt.Println(recover())
}
`, g.showType(1))
}

func (g *gen) recursion() string {
	return g.fill(`
type NAMEtree struct {
	l, r *NAMEtree
	k    int
	v    $T
}

func (t *NAMEtree) put(k int, v $T) *NAMEtree {
	if t == nil {
		return &NAMEtree{k: k, v: v}
	}
	switch {
	case k < t.k:
		t.l = t.l.put(k, v)
	case k > t.k:
		t.r = t.r.put(k, v)
	default:
		t.v = v
	}
	return t
}

func (t *NAMEtree) walk(yield func(int, $T) bool) bool {
	return t == nil || t.l.walk(yield) && yield(t.k, t.v) && t.r.walk(yield)
}

type NAMElist []NAMElist
type NAMEmap map[string]NAMEmap
type NAMEfn func(n int, self NAMEfn) int

func (l NAMElist) depth() int {
	d := 0
	for _, x := range l {
		d = max(d, x.depth())
	}
	return d + 1
}

func NAME() {
	burn()
	var t *NAMEtree
	for _, k := range []int{5, $N, 8, $N, 1, 5} {
		t = t.put(k, $V)
	}
	for k, v := range func(yield func(int, $T) bool) { t.walk(yield) } {
		if k > 6 {
			break
		}
		fmt.Printf("%d $%\n", k, v)
	}
	l := NAMElist{{}, {{}, {{}}}, nil}
	l = append(l, l...)
	fmt.Println(l.depth(), len(l), l)
	m := NAMEmap{"a": {"b": nil}}
	m["a"]["c"] = m
	fmt.Println(len(m["a"]["c"]["a"]), m["x"]["y"] == nil)
	f := func(n int, self NAMEfn) int {
		if n < 2 {
			return n
		}
		return self(n-1, self) + self(n-2, self)
	}
	fmt.Println(f(8, f))
	var even, odd func(int) bool
	even = func(n int) bool { return n == 0 || odd(n-1) }
	odd = func(n int) bool { return n != 0 && even(n-1) }
	fmt.Println(even($N), odd(7))
}
`, g.showType(1))
}
