package progen

import (
	"fmt"
	"strings"
)

func (g *gen) overflow() string {
	var b strings.Builder
	for range 6 {
		t := g.integer()
		fmt.Fprintf(&b, `	{
		x, y, s := %s, %s, uint(%d)
		x++
		y--
		fmt.Println(x+y, x-y, x*y, -x, ^y, x<<s, x>>s, x&^y, x/max(y, 1), x%%max(y, 1), x > y)
		x *= y
		x <<= s %% 9
		y >>= 1
		fmt.Println(x, y, int8(x), uint16(y), int32(x), uint64(y), float32(x), uint8(x)<<7>>s)
	}
`, convert(t, g.literal(t, 1)), convert(t, g.literal(t, 1)), g.n(70))
	}
	return g.fill("\nfunc NAME() {\n\tburn()\n"+b.String()+`	least, m1 := int64(-1<<63), int64(-1)
	fmt.Println(least/m1, least%m1, -least, least*m1, least-1, uint64(least)>>63)
	l8, n8 := int8(-128), int8(-1)
	fmt.Println(l8/n8, l8%n8, -l8, l8*n8, n8>>7, uint8(n8)>>7, l8<<1)
	var u8 uint8 = 255
	u8 += 2
	for u8 = 250; u8 > 5; u8 += 3 {
	}
	fmt.Println(u8, ^u8, -u8, uint32(-int32(u8)), int16(-7)/2, -7%3, 7%-3, -7>>1)
}
`, g.get("int"))
}

func (g *gen) arrays() string {
	return g.fill(`
func NAME() {
	burn()
	a := [...]$T{2: $V, 0: $L}
	b := a
	p := &b
	p[1] = $V
	for i := range p {
		fmt.Print(i, len(p), " ")
	}
	for i, v := range p[1:] {
		fmt.Printf("%d $%\n", i, v)
	}
	fmt.Println(a == b, *p == b, len(a), cap(p[:1]))
	grid := [2][3]$T{{$V}, {1: $L}}
	row := grid[0]
	grid[0][0] = $V
	grid[1] = row
	fmt.Println(grid[0] == grid[1], grid[1] == row)
	fmt.Printf("$%\n", grid[1][0])
	ps := [2]*[2]$T{{$V, $L}, {}}
	ps[1][1] = ps[0][0]
	ps[0], ps[1] = ps[1], ps[0]
	fmt.Printf("$%\n", ps[0][1])
	m := map[[2]$T]int{{$L, $L}: 1}
	m[[2]$T{}]++
	m[*ps[0]]++
	fmt.Println(len(m) > 1)
	f := func(x [3]$T) ([3]$T, *[3]$T) { x[0] = $V; return x, &x }
	c, q := f(a)
	q[2] = $V
	fmt.Println(c[2] == a[2])
	st := []struct{ arr [2]$T }{{}, {}}
	st[1].arr[1] = $V
	for i := range st {
		st[i].arr[0] = st[1].arr[1]
	}
	fmt.Printf("$%\n", st[0].arr[0])
	try("out", func() { i := 3; fmt.Println(a[i%5], p[id($N)]) })
}
`, g.cmpShow())
}

func (g *gen) constants() string {
	return g.fill(`
type NAMEday uint8

const (
	NAMEa NAMEday = iota + $N
	NAMEb
	_
	NAMEc
	NAMEd, NAMEe = iota * 2, 1 << iota
	NAMEf, NAMEg
)

const (
	NAMEbig   = 1 << 100
	NAMEsmall = NAMEbig >> 98
	NAMEfl    = NAMEbig / 3.0
	NAMEs     = "const" + "ant"
	NAMEr     = 'a' + 1
	NAMEc128  = 2i * 2i
)

func (d NAMEday) String() string { return [...]string{"zero", "one", "two"}[d%3] }

func NAME() {
	burn()
	fmt.Println(NAMEa, NAMEb, NAMEc, NAMEd, NAMEe, NAMEf, NAMEg)
	fmt.Printf("%d %v %x %s %q %T\n", NAMEa, NAMEb, NAMEc, NAMEc, NAMEb, NAMEa)
	fmt.Println(NAMEsmall, NAMEfl, NAMEs, NAMEr, string(rune(NAMEr)), NAMEc128, len(NAMEs))
	var f32 float32 = 0.1
	var f64 = 0.1
	fmt.Println(float64(f32) == f64, f32*3, f64*3, 0.1+0.2, f64+0.2, 1/3.0, 7/2, 7/2.0, -7/2, 1<<3.0)
	var s uint = $N
	var w int64 = 1 << s
	var i8 int8 = 1
	fmt.Println(w, i8<<7, i8<<8, uint8(1)<<s, 1<<s == 2, 5.0*s, id(NAMEday(250))+10)
	const h = "héllo"
	fmt.Println(len(h), h[1], h[0:2] == "h\xc3", []byte(h[:3]), []rune(h)[1])
	switch x := NAMEb; x {
	case NAMEa:
		fmt.Println("a")
	case NAMEb, NAMEc:
		fmt.Println("b or c", x)
		fallthrough
	default:
		fmt.Println("more")
	}
	days := [...]string{NAMEb: "b", NAMEc: "c"}
	fmt.Println(len(days), days, map[NAMEday]int{NAMEa: 1, NAMEc: 2})
	fmt.Println(math.MaxInt64, uint64(math.MaxUint64), math.Pi, float32(math.Pi), math.MinInt64, complex(1, 2)*complex64(3i))
}
`, g.get("int"))
}

func (g *gen) converts() string {
	return g.fill(`
func NAME() {
	burn()
	type celsius float64
	type kelvin celsius
	type name string
	type runes []rune
	type bts []byte
	s := $S
	fmt.Println(len(s), []byte(s), []rune(s), runes(s), bts(s), name(s)+"!", string(runes(s)) == s, string(bts(s)) == s)
	for i, r := range s + "é\xff" {
		fmt.Print(i, ":", r, " ")
	}
	fmt.Println(string(rune(id($I))), string(rune(0x10ffff+1)), strings.ToValidUTF8(s, "?"))
	k := kelvin(celsius(1.5) + 2)
	fmt.Printf("%v %T %.2f\n", k, k, float32(k))
	for _, f := range []float64{1.9, -1.9, 255.5, -0.5, 1e9, float64(1 << 31), -(1 << 31)} {
		fmt.Print(int(f), int64(f), " ")
	}
	for _, n := range []int64{0, -1, 1 << 31, 1<<63 - 1, -1 << 63, 256, 1<<53 + 1, int64(id($I))} {
		fmt.Println(int8(n), uint8(n), int16(n), uint16(n), int32(n), uint32(n), uint64(n), float32(n), float64(n), uintptr(n))
	}
	for _, n := range []uint64{1<<64 - 1, 1 << 63, 1<<53 + 1, 3} {
		fmt.Println(int64(n), float64(n), float32(n), int8(n))
	}
	type pt struct{ X, Y int }
	type pt2 struct {
		X, Y int
	}
	q := pt2(pt{1, $N})
	fmt.Printf("%v %T %v\n", q, q, pt(q) == pt{1, 2})
	anon := struct{ X, Y int }(q)
	q = anon
	fmt.Printf("%T %+v\n", anon, q)
	c := complex64(complex(1, -2))
	fmt.Println(real(c), imag(complex128(c)), c == 1-2i, -c, c*c, c/(1+1i))
	type fn func(int) int
	var f func(int) int = fn(func(x int) int { return x + $N })
	fmt.Println(f(1), fn(f)(2))
	fmt.Printf("%08.3f|%+d|%x|%X|%o|%b|%e|%10s|%-5d|%t|%c|%U|%q\n", 3.14159, 5, "hi", 255, 8, 5, 1234.5, "r", 7, true, 'x', 'x', 'y')
	fmt.Printf("%d %s %v %!\n", "str", 5)
	fmt.Printf("%d\n", 1, 2)
	fmt.Printf("%[2]d %[1]*d %.*f\n", 4, 2, 1, 2.55)
}
`, g.get("int"))
}

func (g *gen) stringers() string {
	u := choose(g, []string{"int8", "string", "[]int", "struct{ A, B int }", "map[string]int", "float64", "[2]bool", "func()"})
	v := map[string]string{"int8": "5", "string": `"s"`, "[]int": "{1, 2}", "struct{ A, B int }": "{1, 2}", "map[string]int": `{"a": 1}`, "float64": "1.5", "[2]bool": "{true}", "func()": "nil"}[u]
	val := "NAMEt(" + v + ")"
	if strings.HasPrefix(v, "{") {
		val = "NAMEt" + v
	}
	recv := choose(g, []string{"NAMEt", "*NAMEt"})
	meth := choose(g, []string{"String() string { return \"STR\" }", "Error() string { return \"ERR\" }", "GoString() string { return \"GO\" }",
		"Format(s fmt.State, verb rune) { w, ok := s.Width(); fmt.Fprintf(s, \"<%c %d %v %v>\", verb, w, ok, s.Flag('+')) }",
		"MarshalJSON() ([]byte, error) { return []byte(`\"J\"`), nil }", "MarshalText() ([]byte, error) { return []byte(\"TEXT\"), nil }"})
	jsonLine := `	b, err := json.Marshal([]any{x, &x, []NAMEt{x}, map[string]NAMEt{"k": x}, h})
	fmt.Println(string(b), err)
	hb, err := json.Marshal(&h)
	fmt.Println(string(hb), err)
`
	if u == "func()" {
		jsonLine = ""
	}
	return g.fill(`
type NAMEt `+u+`

func (x `+recv+`) `+meth+`

type NAMEholder struct {
	V NAMEt
	P *NAMEt
	v NAMEt
	S []NAMEt
	I any
}

type NAMEemb struct {
	NAMEt
	N int
}

func NAME() {
	burn()
	x := `+val+`
	h := NAMEholder{V: x, S: []NAMEt{x}, I: x}
	for _, f := range []string{"%v", "%+v", "%s", "%d", "%q", "%x", "%T", "%5v"} {
		fmt.Printf(f+" "+f+"\n", h, []NAMEt{x, x})
		fmt.Printf(f+" "+f+"\n", x, NAMEemb{x, 1})
		if f != "%d" && f != "%x" && f != "%q" {
			fmt.Printf(f+"\n", map[string]NAMEt{"k": x})
		}
	}
	fmt.Println(x, h.V, any(x), error(nil), h)
`+jsonLine+`	_, isS := any(x).(fmt.Stringer)
	_, isP := any(&x).(fmt.Stringer)
	_, isE := any(&x).(error)
	fmt.Println(isS, isP, isE)
}
`, g.get("int"))
}

func (g *gen) pipelines() string {
	return g.fill(`
func NAME() {
	burn()
	gen := func(n int) <-chan $T {
		c := make(chan $T)
		go func() {
			defer close(c)
			for range n {
				c <- $V
			}
		}()
		return c
	}
	count := func(in <-chan $T, out chan<- string) {
		n := 0
		for v := range in {
			n++
			out <- fmt.Sprintf("%d %T", n, v)
		}
		close(out)
	}
	out := make(chan string, 1)
	go count(gen($N), out)
	for s := range out {
		fmt.Println(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		<-ctx.Done()
		done <- context.Cause(ctx)
	}()
	cancel()
	fmt.Println(<-done)
	var once sync.Once
	var n atomic.Int32
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { once.Do(func() { n.Add(10) }); n.Add(int32(i)) })
	}
	wg.Wait()
	fmt.Println(n.Load())
	errs := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				errs <- fmt.Errorf("caught %v", v)
			}
		}()
		var m map[string]int
		m["x"] = $N
	}()
	fmt.Println(<-errs)
	try("closed", func() { c := make(chan int); close(c); v, ok := <-c; fmt.Println(v, ok); c <- 1 })
	try("twice", func() { c := make(chan int); close(c); close(c) })
	try("nil", func() { var c chan int; close(c) })
	cs := []chan int{make(chan int, 1), make(chan int, 1)}
	cs[$N%2] <- 1
	select {
	case v := <-cs[0]:
		fmt.Println("0", v)
	case v, ok := <-cs[1]:
		fmt.Println("1", v, ok)
	}
}
`, g.showType(1))
}

func (g *gen) labels() string {
	return g.fill(`
func NAME() {
	burn()
	n := 0
outer:
	for i := 0; i < 4; i++ {
	inner:
		for j := 0; ; j++ {
			n++
			switch {
			case j == 3:
				continue outer
			case i == 2 && $B:
				break inner
			case i == 3:
				break outer
			case j == 1:
				break
			default:
				if n%5 == $N {
					continue inner
				}
			}
			fmt.Print(i, j, " ")
		}
		fmt.Print("after ", i, "; ")
	}
	fmt.Println(n)
	i := 0
again:
	i++
	{
		v := $V
		if i < 3 {
			fmt.Printf("$%\n", v)
			goto again
		}
		if $B {
			goto end
		}
		fmt.Println("not skipped")
	}
end:
	fmt.Println("end", i)
sw:
	switch x := any($V).(type) {
	case $T:
		for {
			break sw
		}
	default:
		_ = x
	}
	var fs []func() int
	for i := 0; i < 3; i++ {
		fs = append(fs, func() int { i += 10; return i })
		if i == 1 {
			i++
		}
	}
	for _, f := range fs {
		fmt.Print(f(), f(), " ")
	}
	for i, f := range fs {
		defer func() { fmt.Print(i, f(), " ") }()
	}
	for i := range 3 {
		i *= 2
		defer func() { i++; fmt.Print(i, ";") }()
	}
	fmt.Println()
}
`, g.showType(1))
}

func (g *gen) state() string {
	return g.fill(`
type NAMEop func(*NAMEvm) NAMEop

type NAMEvm struct {
	stack []$T
	pc    int
	trace strings.Builder
	seen  map[string]*NAMEvm
}

func NAMEstart(vm *NAMEvm) NAMEop {
	vm.trace.WriteString("start ")
	vm.stack = append(vm.stack, $V)
	return NAMEloop
}

func NAMEloop(vm *NAMEvm) NAMEop {
	vm.pc++
	fmt.Fprintf(&vm.trace, "%d:%d ", vm.pc, len(vm.stack))
	if vm.pc > $N {
		return NAMEstop
	}
	vm.stack = append(vm.stack, vm.stack[len(vm.stack)-1], $L)
	return NAMEloop
}

func NAMEstop(vm *NAMEvm) NAMEop {
	vm.trace.WriteByte('.')
	return nil
}

func NAME() {
	burn()
	vm := &NAMEvm{seen: map[string]*NAMEvm{}}
	vm.seen["self"] = vm
	for op := NAMEop(NAMEstart); op != nil; {
		op = op(vm.seen["self"])
	}
	fmt.Println(vm.trace.String())
	for len(vm.stack) > 0 {
		top := vm.stack[len(vm.stack)-1]
		vm.stack = vm.stack[:len(vm.stack)-1]
		fmt.Printf("$%\n", top)
	}
	table := map[string]func(...int) int{
		"sum": func(xs ...int) (s int) {
			for _, x := range xs {
				s += x
			}
			return
		},
		"len": func(xs ...int) int { return len(xs) },
	}
	for _, k := range keys(table) {
		fmt.Println(k, table[k](), table[k]($I, $N), table[k]([]int{1, 2}...))
	}
	counter := func() (func() int, *int) {
		n := $N
		return func() int { n++; return n }, &n
	}
	next, p := counter()
	next()
	*p *= 3
	fmt.Println(next(), *p)
}
`, g.showType(1))
}

func (g *gen) pull() string {
	return g.fill(`
func NAME() {
	burn()
	seq := func(yield func($T) bool) {
		defer fmt.Println("seq ends")
		for i := range 3 {
			fmt.Print("y", i, " ")
			if !yield($V) {
				return
			}
		}
	}
	next, stop := iter.Pull(seq)
	for range $N {
		v, ok := next()
		fmt.Printf("%v $%\n", ok, v)
	}
	stop()
	all := slices.Collect(seq)
	fmt.Println(len(all))
	for i, c := range slices.Collect(slices.Chunk([]int{1, 2, 3, 4, 5}, 2)) {
		fmt.Print(i, c, " ")
	}
	m := maps.Collect(slices.All([]string{"a", $S}))
	fmt.Println(len(m), slices.Sorted(maps.Keys(m)))
	for s := range strings.SplitSeq("a,b,c", ",") {
		fmt.Print(s, " ")
	}
	try("panics", func() {
		for v := range seq {
			_ = v
			panic("in body")
		}
	})
	func() {
		for range seq {
			defer fmt.Println("deferred")
			return
		}
	}()
}
`, g.showType(1))
}

func (g *gen) builder() string {
	return g.fill(`
func NAME() {
	burn()
	var b strings.Builder
	for i, f := range strings.Fields(" a b "+$S+" c") {
		fmt.Fprintf(&b, "%d=%q,", i, f)
	}
	fmt.Println(b.String(), b.Len() > 0)
	var buf bytes.Buffer
	w := io.Writer(&buf)
	fmt.Fprint(w, $V)
	buf.WriteString("tail")
	fmt.Println(strings.HasSuffix(buf.String(), "tail"))
	r := strings.NewReplacer("a", "1", "b", "2")
	fmt.Println(r.Replace($S), strings.Map(func(r rune) rune {
		if r == 'a' {
			return -1
		}
		return r + 1
	}, "abca"))
	n, err := strconv.Atoi($S)
	fmt.Println(n, err)
	f, err := strconv.ParseFloat("1e400", 64)
	fmt.Println(f, err, strconv.Quote($S), strconv.FormatInt(int64(id($I)), 36))
	var ne *strconv.NumError
	fmt.Println(errors.As(err, &ne), errors.Is(err, strconv.ErrRange))
	idx := strings.IndexFunc($S, func(r rune) bool { return r > 127 })
	fmt.Println(idx, strings.Compare($S, "m"), strings.Count("cheese", "e"), strings.EqualFold("Go", "GO"), strings.Title("x y"))
	before, after, ok := strings.Cut("k=v", "=")
	fmt.Println(before, after, ok, bits.OnesCount(uint(id($I))), utf8.RuneCountInString($S), cmplx.Abs(3+4i))
	fmt.Println(time.Duration($N)*time.Second, time.Unix(0, 0).UTC().Format(time.RFC3339), fmt.Sprint($A, $A, "x", 1, 2), fmt.Sprintln($A))
}
`, g.showType(1))
}
