package progen

import "strings"

func (g *gen) goroutines() string {
	return g.fill(`
func NAME() {
	burn()
	results := make([]chan $T, 3)
	for i := range results {
		results[i] = make(chan $T)
		v := $V
		go func() {
			defer close(results[i])
			if i > $N {
				v = $L
			}
			results[i] <- v
		}()
	}
	for i, c := range results {
		v, ok := <-c
		_, again := <-c
		fmt.Printf("%d $% %v %v\n", i, v, ok, again)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	total := 0
	for i := range 5 {
		wg.Add(1)
		go func(n int) { defer wg.Done(); mu.Lock(); defer mu.Unlock(); total += n * i }(i + $N)
	}
	wg.Wait()
	fmt.Println(total)
}
`, g.showType(1))
}

func (g *gen) selects() string {
	return g.fill(`
func NAME() {
	burn()
	a, b, quit := make(chan $T, 2), make(chan int, 1), make(chan struct{})
	for i := range 6 {
		switch i % 3 {
		case 0:
			a <- $V
		case 1:
			b <- $I
		}
		select {
		case v, ok := <-a:
			fmt.Printf("a $% %v\n", v, ok)
		case n := <-b:
			fmt.Println("b", n)
		default:
			fmt.Println("none")
		}
	}
	var never chan int
	go func() { close(quit) }()
	select {
	case <-never:
		fmt.Println("never")
	case never <- $I:
		fmt.Println("never")
	case _, ok := <-quit:
		fmt.Println("quit", ok)
	}
	select {
	case a <- $V:
		fmt.Println(len(a), cap(a))
	default:
	}
}
`, g.showType(1))
}

func (g *gen) recovers() string {
	return g.fill(`
func NAME() {
	burn()
	attempt := func(n int) (v $T, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("recovered %v", r)
				if e, ok := r.(error); ok {
					err = fmt.Errorf("recovered %w", e)
				}
			}
		}()
		var p *[3]$T
		var m map[int]int
		var f func()
		s := []$T{$L}
		v = $V
		switch n {
		case 0:
			return *new($T), nil
		case 1:
			return s[n+$N], nil
		case 2:
			return p[n], nil
		case 3:
			m[n]++
		case 4:
			f()
		case 5:
			panic(fmt.Sprintf("%T", v))
		case 6:
			panic(errors.New("own"))
		case 7:
			n -= 7
			fmt.Println($I / n)
		case 8:
			_ = any(v).(interface{ None() })
		case 9:
			panic(v)
		}
		return v, errors.New("end")
	}
	for i := range 11 {
		v, err := attempt(i)
		fmt.Printf("%d $% %v\n", i, v, err)
		var r interface{ RuntimeError() }
		fmt.Println(errors.As(err, &r))
	}
}
`, g.showType(1))
}

func (g *gen) deferOrder() string {
	return g.fill(`
func NAME() {
	burn()
	f := func(n int) (r int, s []string) {
		defer func() { r *= 2; s = append(s, "last") }()
		for i := range n {
			defer func(k int) { r += k; s = append(s, fmt.Sprint(i, k, n)) }(i * 10)
			if i == 2 {
				n = 100
				break
			}
		}
		if $B {
			defer func() {
				if v := recover(); v != nil {
					s = append(s, fmt.Sprint("got ", v))
				}
			}()
			panic($I)
		}
		return n, append(s, "returned")
	}
	fmt.Println(f($N))
	fmt.Println(f(2))
	x := $V
	defer fmt.Printf("$%\n", x)
	x = $L
	defer func() { fmt.Printf("$%\n", x) }()
}
`, g.showType(1))
}

func (g *gen) rangeFunc() string {
	return g.fill(`
func NAME() {
	burn()
	pairs := func(n int) iter.Seq2[int, $T] {
		return func(yield func(int, $T) bool) {
			defer fmt.Println("done", n)
			for i := range n {
				if !yield(i, $V) {
					return
				}
			}
		}
	}
	find := func(limit int) (out $T) {
		defer fmt.Println("left")
	outer:
		for i, v := range pairs(4) {
			for j := range pairs(3) {
				defer fmt.Print(i, j, ";")
				switch {
				case j == 1 && i < limit:
					continue outer
				case i == limit+1:
					break outer
				case i+j == 4:
					return v
				}
				out = v
			}
		}
		return out
	}
	for k := range 4 {
		v := find(k)
		fmt.Printf("$%\n", v)
	}
}
`, g.showType(1))
}

func (g *gen) generics() string {
	t := g.showType(1)
	n := g.numeric()
	return g.fill(strings.ReplaceAll(`
type NAMEpair[K comparable, V any] struct {
	Key K
	Val V
	next *NAMEpair[K, V]
}

func (p *NAMEpair[K, V]) add(k K, v V) *NAMEpair[K, V] { return &NAMEpair[K, V]{k, v, p} }

func (p *NAMEpair[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for ; p != nil; p = p.next {
			if !yield(p.Key, p.Val) {
				return
			}
		}
	}
}

type NAMEnum interface{ ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64 }

func NAMEsum[T NAMEnum](xs ...T) (s T) {
	for _, x := range xs {
		s += x
	}
	return
}

func NAMEmap[S ~[]A, A, B any](s S, f func(A) B) []B {
	var out []B
	for _, x := range s {
		out = append(out, f(x))
	}
	return out
}

func NAMEkind[T any](x T) string {
	switch any(x).(type) {
	case int, string:
		return "basic"
	case map[string]$T:
		return "same"
	case []T:
		return "slice"
	case fmt.Stringer:
		return "stringer"
	}
	return fmt.Sprintf("%T %T", x, *new(T))
}

func NAME() {
	burn()
	var p *NAMEpair[string, $T]
	p = p.add("a", $V).add($S, $L)
	for k, v := range p.all() {
		fmt.Printf("%q $%\n", k, v)
	}
	fmt.Printf("%T %T\n", p, *p)
	fmt.Println(NAMEsum(NUM), NAMEsum[float32](), NAMEsum([]int8{100, 27, 1}...))
	fmt.Println(NAMEmap([]$T{$V, $L}, func(x $T) string { return fmt.Sprintf("%T", x) }))
	fmt.Println(NAMEkind($V), NAMEkind($I), NAMEkind([]$T{}), NAMEkind(any($V)))
}
`, "NUM", g.typedExpr(n, 1)+", "+g.typedExpr(n, 2)), t)
}
