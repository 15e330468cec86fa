// %% [markdown]
// # The Go of cells
// Every item of the language that cells promise, in one script. It prints the
// same when `trafficgpt run` interprets it and when `trafficgpt export` has
// made a program of it, and a test holds the two together.

// %%
import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// %% generic functions, types, methods, inference, constraints
type Number interface {
	~int | ~int64 | ~float64
}

func Sum[N Number](xs ...N) (total N) {
	for _, x := range xs {
		total += x
	}
	return total
}

func Map[A, B any](xs []A, f func(A) B) []B {
	out := make([]B, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

type Stack[E any] struct{ list []E }

func (s *Stack[E]) Push(e E) { s.list = append(s.list, e) }
func (s *Stack[E]) Pop() (e E, ok bool) {
	if len(s.list) == 0 {
		return e, false
	}
	e = s.list[len(s.list)-1]
	s.list = s.list[:len(s.list)-1]
	return e, true
}
func (s *Stack[E]) All() iter.Seq2[int, E] {
	return func(yield func(int, E) bool) {
		for i, e := range s.list {
			if !yield(i, e) {
				return
			}
		}
	}
}

type Tree[K cmp.Ordered, V any] struct {
	left, right *Tree[K, V]
	key         K
	value       V
}

func (t *Tree[K, V]) Put(k K, v V) *Tree[K, V] {
	switch {
	case t == nil:
		return &Tree[K, V]{key: k, value: v}
	case k < t.key:
		t.left = t.left.Put(k, v)
	case k > t.key:
		t.right = t.right.Put(k, v)
	default:
		t.value = v
	}
	return t
}

func (t *Tree[K, V]) Walk(visit func(K, V)) {
	if t != nil {
		t.left.Walk(visit)
		visit(t.key, t.value)
		t.right.Walk(visit)
	}
}

type Celsius float64

fmt.Println(Sum(1, 2, 3), Sum(1.5, 2), Sum(Celsius(20), 1.5), Map([]int{1, 2}, func(n int) string { return fmt.Sprint(n, "!") }))
stack := &Stack[string]{}
stack.Push("a")
stack.Push("b")
for i, e := range stack.All() {
	fmt.Print(i, e, " ")
}
top, ok := stack.Pop()
fmt.Println(top, ok)
var tree *Tree[string, int]
for i, k := range []string{"m", "c", "x", "c"} {
	tree = tree.Put(k, i)
}
tree.Walk(func(k string, v int) { fmt.Print(k, "=", v, " ") })
fmt.Printf("%T %T\n", stack, tree)

// %% min, max, clear; range over int, function, string, map, channel
fmt.Println(min(3, 1, 2), max(1.5, 2), min("b", "a"))
counts := map[string]int{"a": 1}
clear(counts)
fmt.Println(len(counts))
for i := range 3 {
	fmt.Print(i)
}
countdown := func(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; n > 0 && yield(n); n-- {
		}
	}
}
for n := range countdown(5) {
	if n == 2 {
		break
	}
	fmt.Print(" ", n)
}
for i, r := range "aé世" {
	fmt.Print(" ", i, string(r))
}
letters := map[string]int{"x": 1, "y": 2, "z": 3}
total := 0
for _, n := range letters {
	total += n
}
values := make(chan int, 3)
for i := range 3 {
	values <- i * i
}
close(values)
for v := range values {
	total += v
}
fmt.Println(" ", total, slices.Sorted(maps.Keys(letters)))

// %% per-iteration loop variables; closures
var squares []func() int
for i := 0; i < 3; i++ {
	squares = append(squares, func() int { i += 10; return i })
}
fmt.Println(squares[0](), squares[1](), squares[2](), squares[0]())

// %% defer in all forms, recover
func deferred() (s string) {
	add := func(x any) { s += fmt.Sprint(x, " ") }
	n := 1
	defer add(n) // its argument is that of now
	n = 2
	for i := range 3 {
		defer func() { add(i) }()
	}
	defer func(m int) { add(fmt.Sprint("m", m)) }(n)
	local := func() { add("local") }
	defer local()
	local = nil
	return "start "
}

func recovered(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("wrapped: %w", r)
		default:
			err = fmt.Errorf("%T %v", r, r)
		}
	}()
	f()
	return nil
}

var missing *Stack[int]
fmt.Println(deferred())
fmt.Println(recovered(func() {}), recovered(func() { panic(Celsius(3)) }))
fmt.Println(recovered(func() { missing.Push(1) }))
fmt.Println(recovered(func() { xs := []int{1}; i := 3; xs[i]++ }))

// %% every type switch; same-shape types kept apart
type Point struct{ X, Y int }
type Size struct{ X, Y int }
type Shape interface{ Area() float64 }
type Square struct{ Side float64 }
type Circle struct{ R float64 }

func (s Square) Area() float64  { return s.Side * s.Side }
func (c *Circle) Area() float64 { return math.Floor(3 * c.R * c.R) }

func kind(x any) string {
	switch v := x.(type) {
	case nil:
		return "nil"
	case int, int64:
		return fmt.Sprintf("integer %v", v)
	case Point:
		return fmt.Sprint("point ", v.X)
	case Size:
		return fmt.Sprint("size ", v.X)
	case error:
		return "error " + v.Error()
	case Shape:
		return fmt.Sprint("shape ", v.Area())
	case func(int) int:
		return fmt.Sprint("function ", v(1))
	case []Point:
		return fmt.Sprint("points ", len(v))
	case map[string]any, *int:
		return "map or pointer"
	case chan<- int:
		return "send only"
	case interface{ String() string }:
		return "stringer " + v.String()
	}
	return fmt.Sprintf("%T", x)
}

for _, x := range []any{nil, 1, int64(2), Point{3, 4}, Size{5, 6}, errors.New("e"), Square{2}, &Circle{1}, Circle{1},
	func(n int) int { return n + 1 }, []Point{{1, 2}}, map[string]any{}, make(chan<- int), time.Second, 'x'} {
	fmt.Print(kind(x), "; ")
}
fmt.Println(any(Point{1, 2}) == any(Size{1, 2}), any(Point{1, 2}) == any(Point{1, 2}))

// %% method values and expressions, embedding
type Animal struct{ Name string }

func (a Animal) Hello() string     { return "I am " + a.Name }
func (a *Animal) Rename(n string) { a.Name = n }

type Namer interface{ Hello() string }
type Dog struct {
	Animal
	*Point
	Tricks []string
}

rex := Dog{Animal: Animal{"Rex"}, Point: &Point{1, 2}}
hello := rex.Hello // bound now
rex.Rename("Max")
rename := (*Animal).Rename
rename(&rex.Animal, rex.Name+"!")
area := Shape.Area
var namer Namer = &rex
fmt.Println(hello(), Animal.Hello(rex.Animal), namer.Hello(), rex.X+rex.Y, area(Square{3}), Square.Area(Square{2}))

// %% errors.Is and As, fmt of cell types, Stringer
type Fault struct{ Code int }

func (f *Fault) Error() string { return fmt.Sprint("fault ", f.Code) }
func (f *Fault) Is(target error) bool {
	other, ok := target.(*Fault)
	return ok && other.Code == f.Code
}

type Level int

const (
	Low Level = iota
	Mid
	High
)

func (l Level) String() string { return [...]string{"low", "mid", "high"}[l] }

var missingFile = errors.New("missing")
wrapped := fmt.Errorf("outer: %w", errors.Join(&Fault{7}, missingFile))
var fault *Fault
fmt.Println(errors.As(wrapped, &fault), fault.Code, errors.Is(wrapped, missingFile), errors.Is(wrapped, &Fault{7}), errors.Is(wrapped, &Fault{8}))
fmt.Printf("%T %v %+v %d %s %q|%#v|%v %+v\n", High, High, Low, Mid, Mid, High, Point{1, 2}, rex.Animal, struct {
	L Level
	p *Point
}{L: High})
fmt.Println([]Level{Low, High}, map[Level]string{Mid: "m"}, &Point{3, 4})

// %% encoding/json of cell types
type Base struct {
	ID   int    `json:"id"`
	Note string `json:"note,omitempty"`
}
type Record struct {
	Base
	Levels  []Level           `json:"levels"`
	When    *time.Duration    `json:"when"`
	Attrs   map[string]any    `json:"attrs,omitempty"`
	private int
}

text := must(json.Marshal(Record{Base: Base{ID: 4}, Levels: []Level{Low, High}, private: 9}))
var back Record
must(json.Unmarshal([]byte(`{"id":5,"note":"n","levels":[1],"attrs":{"k":[1,"x"]},"private":3}`), &back))
fmt.Println(string(text), back.ID, back.Note, back.Levels, back.Attrs, back.private)

// %% goroutines, select, sync, context
func workers(ctx context.Context, n int) (sum int) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	jobs := make(chan int)
	for range n {
		wg.Go(func() {
			for {
				select {
				case j, open := <-jobs:
					if !open {
						return
					}
					mu.Lock()
					sum += j
					mu.Unlock()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	for i := range 100 {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	return sum
}

ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
fmt.Println(workers(ctx, 4), ctx.Err())
cancel()
never := make(chan int)
select {
case <-never:
	fmt.Println("never")
case <-ctx.Done():
	fmt.Println(ctx.Err(), errors.Is(ctx.Err(), context.Canceled))
}
select {
case never <- 1:
default:
	fmt.Println("default")
}
var once sync.Once
for range 3 {
	once.Do(func() { fmt.Println("once") })
}

// %% labels, goto, fallthrough
func labels() (s string) {
outer:
	for i := range 4 {
		for j := range 4 {
			switch {
			case j == i:
				continue outer
			case i == 3:
				break outer
			case i == 2:
				s += "two "
				fallthrough
			default:
				s += fmt.Sprint(i, j, " ")
			}
		}
	}
	n := 0
again:
	if n++; n < 3 {
		goto again
	}
	return s + fmt.Sprint(n)
}
fmt.Println(labels())

// %% iota, constants, complex numbers
const (
	_  = iota
	KB = 1 << (10 * iota)
	MB
	big = 1 << 100
)
const (
	a, b = iota, -iota
	c, d
)
z := complex(3, -4)
fmt.Println(KB, MB, big>>98, a, b, c, d, real(z), imag(z*z), z/complex(0, 2), z == 3-4i)

// %% struct and array comparison, arrays as values, evaluation order
type Key struct {
	P [2]Point
	S string
}
grid := [2][3]int{{1, 2, 3}, {4, 5, 6}}
copied := grid
copied[1][2] = 9
seen := map[Key]int{{[2]Point{{1, 2}}, "k"}: 7}
fmt.Println(grid == copied, grid[1], copied[1], seen[Key{[2]Point{{1, 2}}, "k"}], Point{1, 2} == Point{1, 2}, [2]any{1, "x"} == [2]any{1, "x"})
trace := ""
note := func(s string, n int) int { trace += s; return n }
arr := []int{0, 0, 0}
arr[note("i", 1)], arr[note("j", 2)] = note("x", 5), note("y", 6)
m := map[int]int{note("k", 1): note("v", 2)}
i := 0
i, arr[i] = 1, 9
fmt.Println(trace, arr, m)
fmt.Println(note("a", 1)+note("b", 2)*note("c", 3))
fmt.Println(trace)

// %% arithmetic at the edges
var (
	i8       int8   = 127
	u8       uint8  = 200
	negative        = math.Copysign(0, -1)
	lowest   int64  = math.MinInt64
	shift    uint   = 70
	u32      uint32 = math.MaxUint32
	i32      int32  = math.MaxInt32
)
i8++
u8 += 100
fmt.Println(i8, u8, 1/negative, math.NaN() == math.NaN(), lowest/-1, -7/2, -7%3, 1<<shift>>shift, 5&^3, ^5)
fmt.Println(math.Inf(1) > math.MaxFloat64, u32+1, i32+1)

// %% a function uses what its own cell declares; a cell ends with a value
limit := 3
func within(n int) bool { return n < limit }
within(2)

// %% names declared anew, and what used them follows
limit := 1
fmt.Println(within(2))

// %%
func within(n int) bool { return n <= 2*limit }
func sorted(words string) []string {
	list := strings.Fields(words)
	sort.Slice(list, func(i, j int) bool { return len(list[i]) < len(list[j]) })
	return list
}
fmt.Println(within(2), sorted("ccc a bb"))

// %%
type Kelvin float64

fmt.Println(float64(Sum(Kelvin(1), 2)))

// %% a method in a later cell
func (k Kelvin) String() string { return fmt.Sprintf("%.1f K", float64(k)) }
fmt.Println(Kelvin(21.55), Sum(Kelvin(1), 2))

// %%
func (l Level) String() string { return strings.ToUpper([...]string{"low", "mid", "high"}[l]) }
fmt.Println(High, []Level{Low})

// %%
limit := fmt.Sprint("now a string of ", len(os.Args[0]) > 0)
limit
