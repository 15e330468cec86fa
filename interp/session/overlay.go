package session

import "go/ast"

// overlays are functions of library packages lowered from source whose own
// bodies need unsafe or the runtime.
var overlays = map[string]string{
	"slices": `package slices

func overlaps[E any](a, b []E) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	for i := range a {
		if &a[i] == &b[0] {
			return true
		}
	}
	for i := range b {
		if &b[i] == &a[0] {
			return true
		}
	}
	return false
}
`,
	"maps": `package maps

func Clone[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return nil
	}
	r := make(M, len(m))
	for k, v := range m {
		r[k] = v
	}
	return r
}
`,
}

// overlay replaces functions of files by those of the same name.
func overlay(files []*ast.File, by *ast.File) {
	bodies := map[string]*ast.FuncDecl{}
	for _, d := range by.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			bodies[f.Name.Name] = f
		}
	}
	for _, f := range files {
		for i, d := range f.Decls {
			if fd, ok := d.(*ast.FuncDecl); ok && fd.Recv == nil && bodies[fd.Name.Name] != nil {
				f.Decls[i] = bodies[fd.Name.Name]
			}
		}
	}
}

// iterSource is package iter with goroutines for the runtime's coroutines.
const iterSource = `package iter

type Seq[V any] func(yield func(V) bool)

type Seq2[K, V any] func(yield func(K, V) bool)

func Pull[V any](seq Seq[V]) (next func() (V, bool), stop func()) {
	next2, stop := Pull2(func(yield func(V, struct{}) bool) {
		seq(func(v V) bool { return yield(v, struct{}{}) })
	})
	return func() (V, bool) {
		v, _, ok := next2()
		return v, ok
	}, stop
}

func Pull2[K, V any](seq Seq2[K, V]) (next func() (K, V, bool), stop func()) {
	var (
		k                            K
		v                            V
		ok, done, started, panicked  bool
		value                        any
	)
	resume, yielded := make(chan bool), make(chan bool)
	run := func() {
		finished := false
		defer func() {
			if !finished {
				value, panicked = recover(), true
			}
			ok, done = false, true
			yielded <- true
		}()
		if <-resume {
			seq(func(x K, y V) bool {
				k, v, ok = x, y, true
				yielded <- true
				return <-resume
			})
		}
		finished = true
	}
	move := func(on bool) {
		if !started {
			started = true
			go run()
		}
		ok = false
		resume <- on
		<-yielded
		if panicked {
			panicked = false
			panic(value)
		}
	}
	next = func() (rk K, rv V, rok bool) {
		if done {
			return
		}
		move(true)
		if !ok {
			return
		}
		return k, v, true
	}
	stop = func() {
		if done {
			return
		}
		if !started {
			done = true
			return
		}
		move(false)
	}
	return next, stop
}
`
