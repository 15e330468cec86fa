// Package progen makes random Go programs that type-check, end, and print the
// same at every run, to compare two ways of running Go. A program is a file
// without its package clause and imports.
//
// Go leaves some orders open: whether a variable is read before a call beside
// it, which of two faults in one expression comes first, the order of a map.
// Programs do not depend on them: calls inside expressions change nothing that
// the expression reads, an expression holds at most one operation that may
// fail, and what ranges over a map does not depend on its order.
package progen

import (
	"fmt"
	"go/format"
	"math/rand/v2"
	"strings"
)

// Program returns the program of a seed: the same seed, the same program.
func Program(seed uint64) string {
	g := &gen{
		rng:   rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		types: map[string]*typ{},
	}
	g.basics()
	g.program()
	b, err := format.Source([]byte(g.out.String()))
	if err != nil {
		return g.out.String() // Check says where it does not parse
	}
	return string(b)
}

// gen holds what a program has so far.
type gen struct {
	rng  *rand.Rand
	out  strings.Builder
	next int

	types  map[string]*typ // by spelling
	basic  []*typ
	named  []*typ // declared types, no interfaces
	ifaces []*typ // declared interfaces with methods
	pool   []method
	funcs  []function
	scope  []variable
	result []*typ // of the function being written
	loop   int    // nesting of loops that may be left by break and continue
	depth  int    // nesting of statements
	nest   int    // nesting of literals
	quiet  bool   // call no functions of the program
	pure   bool   // in a function that expressions call: it changes nothing of its caller's
}

type variable struct {
	name    string
	t       *typ
	fixed   bool // may not be assigned: others read it at unknown times
	nonzero bool // a pointer that is not nil
}

type function struct {
	name    string
	params  []*typ
	results []*typ
}

// prelude is what every program has beside its own declarations.
const prelude = `
var fuel = 4000

// burn ends a program that runs too long, at the same step everywhere.
func burn() {
	fuel--
	if fuel < 0 {
		panic("out of fuel")
	}
}

func try(name string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			if e, ok := v.(error); ok {
				fmt.Println(name, "error:", e.Error())
				return
			}
			fmt.Printf("%s panic: %v %T\n", name, v, v)
		}
	}()
	f()
}

func id[T any](x T) T { return x }

func pick[T any](c bool, a, b T) T {
	if c {
		return a
	}
	return b
}

func at[S ~[]E, E any](s S, i int) (z E) {
	if len(s) == 0 {
		return z
	}
	return s[int(uint(i)%uint(len(s)))]
}

func from[T any](p *T) (z T) {
	if p == nil {
		return z
	}
	return *p
}

func ptr[T any](x T) *T { return &x }

func tr[T any](n int, x T) T {
	fmt.Print("<", n, ">")
	return x
}

func keys[M ~map[K]V, K cmp.Ordered, V any](m M) []K {
	return slices.Sorted(maps.Keys(m))
}

func whole[F ~float32 | ~float64](f F) F {
	if f != f || f > 1000 || f < -1000 {
		return 7
	}
	return f
}
`

func (g *gen) program() {
	g.out.WriteString(prelude)
	g.declareTypes()
	for range 3 + g.n(4) {
		g.globalVar()
	}
	for range 2 + g.n(3) {
		g.declareFunc()
	}
	var calls []string
	for range 2 + g.n(3) {
		name := g.fresh("section")
		g.section(name)
		calls = append(calls, fmt.Sprintf("\ttry(%q, %s)\n", name, name))
	}
	for range 3 + g.n(3) {
		name := g.fresh("feature")
		g.feature(name)
		calls = append(calls, fmt.Sprintf("\ttry(%q, %s)\n", name, name))
	}
	g.p("\nfunc main() {\n%s\tfmt.Println(\"end\")\n}\n", strings.Join(calls, ""))
}

// section writes a function of random statements.
func (g *gen) section(name string) {
	mark := len(g.scope)
	g.p("\nfunc %s() {\n\tburn()\n", name)
	g.result = nil
	g.block(4 + g.n(7))
	g.showScope(mark)
	g.p("}\n")
	g.scope = g.scope[:mark]
}

func (g *gen) p(format string, args ...any) { fmt.Fprintf(&g.out, format, args...) }

func (g *gen) n(n int) int { return g.rng.IntN(n) }

// chance is true one time in n.
func (g *gen) chance(n int) bool { return g.rng.IntN(n) == 0 }

func (g *gen) fresh(prefix string) string {
	g.next++
	return fmt.Sprintf("%s%d", prefix, g.next)
}

func choose[T any](g *gen, s []T) T { return s[g.n(len(s))] }

// capture returns what f writes instead of writing it.
func (g *gen) capture(f func()) string {
	old := g.out
	g.out = strings.Builder{}
	f()
	s := g.out.String()
	g.out = old
	return s
}
