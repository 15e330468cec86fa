package lower

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// gen prints one function. A closure that is created at most once in a call of
// its function is printed in place by a child gen and shares variables as the
// source does; others are made by a function that takes what they capture.
type gen struct {
	l      *Lowerer
	fn     *ssa.Function
	parent *gen
	ns     *int // counter of names, shared by all gens of one printed function

	body  strings.Builder
	decls map[string][]string // type text -> variables declared at the top
	order []string            // the keys of decls in order of appearance
	outer strings.Builder     // declarations outside the compiled frame

	val     map[ssa.Value]string // the expression or name that stands for a value
	simple  map[ssa.Value]bool   // val is a name or a constant
	place   map[ssa.Value]string // what a pointer points at, as an addressable expression
	reads   map[ssa.Value]readSet
	skip    map[ssa.Instruction]bool
	loop    map[*ssa.BasicBlock]bool
	index   map[ssa.Instruction]int
	checked map[string]bool                     // what is known in this block: pointers that are not nil, indexes in range
	facts   map[*ssa.BasicBlock]map[string]bool // the same at the end of a block
	private map[string]bool                     // names of variables that only stores in this function change
	zeros   map[string]string

	frame        string // the variable that holds this call's frame
	hidden       string // the frame that recover() in this function refers to
	labels       map[*ssa.BasicBlock]string
	targeted     map[*ssa.BasicBlock]bool
	recoverBlock bool
	entry        string                        // statements before the body
	rawClosure   map[*ssa.MakeClosure]string   // closures that take a hidden frame
	varStore     map[*ssa.Store]*ssa.IndexAddr // stores of variadic arguments
	vararg       map[*ssa.IndexAddr]string     // their values
	stack        *ssa.Alloc                    // the variable that holds the frame
	varLits      map[ssa.Value]string          // slices of them, as a list

	operators map[*ssa.BinOp][2]string        // the operands of binary expressions
	called    string                          // the name of the function that is printed at the top level
	one       *oneDefer                       // the defer of a function that has no frame for it
	ranges    map[*ssa.BasicBlock]*sliceRange // loops printed as range statements, by their header
	inRange   []*ssa.BasicBlock               // those being printed, outermost first
	rangeOf   map[*ssa.Call]*sliceRange       // the calls of len that bound them
	pending   []string                        // calls that wait for the statement they will stand in
	waiting   map[string]*waitingCall         // all that ever waited, by the mark that stands for them

	trail *trail // set in code that is debugged
}

// readSet says which memory an unevaluated expression reads.
type readSet struct {
	locals map[*ssa.Alloc]bool
	mem    bool
}

func (r *readSet) add(o readSet) {
	r.mem = r.mem || o.mem
	for a := range o.locals {
		r.local(a)
	}
}

func (r *readSet) local(a *ssa.Alloc) {
	if r.locals == nil {
		r.locals = map[*ssa.Alloc]bool{}
	}
	r.locals[a] = true
}

func newGen(l *Lowerer, fn *ssa.Function, parent *gen) *gen {
	g := &gen{
		l: l, fn: fn, parent: parent,
		decls: map[string][]string{}, val: map[ssa.Value]string{}, simple: map[ssa.Value]bool{}, place: map[ssa.Value]string{},
		reads: map[ssa.Value]readSet{}, skip: map[ssa.Instruction]bool{}, index: map[ssa.Instruction]int{},
		checked: map[string]bool{}, facts: map[*ssa.BasicBlock]map[string]bool{}, private: map[string]bool{}, zeros: map[string]string{}, labels: map[*ssa.BasicBlock]string{}, targeted: map[*ssa.BasicBlock]bool{},
		rawClosure: map[*ssa.MakeClosure]string{}, varStore: map[*ssa.Store]*ssa.IndexAddr{}, vararg: map[*ssa.IndexAddr]string{},
		varLits: map[ssa.Value]string{}, operators: map[*ssa.BinOp][2]string{},
		ranges: map[*ssa.BasicBlock]*sliceRange{}, rangeOf: map[*ssa.Call]*sliceRange{},
		waiting: map[string]*waitingCall{},
	}
	if parent != nil {
		g.ns = parent.ns
	} else {
		g.ns = new(int)
	}
	g.loop = loops(fn)
	for _, b := range fn.Blocks {
		for i, in := range b.Instrs {
			g.index[in] = i
		}
	}
	return g
}

func (g *gen) name(prefix string) string {
	*g.ns++
	return fmt.Sprintf("%s%d", prefix, *g.ns)
}

func (g *gen) emit(format string, args ...any) {
	g.body.WriteString(g.settle(fmt.Sprintf(format, args...)))
	g.body.WriteByte('\n')
}

// temp declares a variable at the top of the function.
func (g *gen) temp(typ string) string {
	n := g.name("t")
	g.declare(typ, n)
	return n
}

func (g *gen) declare(typ, n string) {
	if _, ok := g.decls[typ]; !ok {
		g.order = append(g.order, typ)
	}
	g.decls[typ] = append(g.decls[typ], n)
}

// zero names a variable that is never assigned.
func (g *gen) zero(typ string) string {
	if n, ok := g.zeros[typ]; ok {
		return n
	}
	n := g.name("z")
	g.declare(typ, n)
	g.zeros[typ] = n
	return n
}

func (g *gen) declText() string {
	var b strings.Builder
	for _, t := range g.order {
		fmt.Fprintf(&b, "var %s %s\n", strings.Join(g.decls[t], ", "), t)
	}
	return b.String()
}

// emit prints fn as a top-level function.
func (l *Lowerer) emit(fn *ssa.Function) {
	f := l.function(fn)
	g := newGen(l, fn, nil)
	g.called = f.name
	var params []string
	if f.recover {
		g.hidden = "rf"
		params = append(params, "rf *x.Frame")
	}
	var entry strings.Builder
	for i, p := range fn.Params {
		n := fmt.Sprintf("a%d", i)
		if f.byAddr[i] {
			params = append(params, n+" *"+l.typ(p.Type()))
			fmt.Fprintf(&entry, "q%d := *%s\n", i, n)
			n = fmt.Sprintf("q%d", i)
		} else {
			params = append(params, n+" "+l.typ(p.Type()))
		}
		g.set(p, n)
	}
	text := g.function(entry.String())
	fmt.Fprintf(&l.c.out, "func %s(%s)%s {\n%s}\n", f.name, strings.Join(params, ", "), l.results(fn.Signature), text)
}

// set records that a name stands for v.
func (g *gen) set(v ssa.Value, name string) {
	g.val[v] = name
	g.simple[v] = true
}

// function returns the text of the body of g.fn, whose parameters are named.
func (g *gen) function(entry string) string {
	if g.fn.Blocks == nil {
		refuse(g.fn.Pos(), "%s has no body", g.fn)
	}
	framed := g.needsFrame()
	if g.trail = g.newTrail(); g.trail != nil {
		entry += g.debugEnter()
	} else if framed {
		if d := findOneDefer(g.fn, g.loop); d != nil {
			g.prepareDefer(d)
			framed = false
		}
	}
	if !framed && g.trail == nil {
		defer snap(g.fn).restore()
		forward(g.fn)
		for _, b := range g.fn.Blocks {
			for i, in := range b.Instrs {
				g.index[in] = i
			}
		}
	}
	g.params()
	if framed {
		g.l.framed[g.fn] = true
		g.frame = g.name("fr")
		g.results()
	}
	g.blocks()
	body := g.declared(g.body.String())
	if !framed {
		return entry + body
	}
	g.body.Reset()
	g.decls, g.order, g.zeros = map[string][]string{}, nil, map[string]string{}
	after := g.afterRecover()
	return entry + g.outer.String() + g.declText() +
		fmt.Sprintf("x.Run(func(%s *x.Frame) bool {\n%s})\n%s", g.frame, body, after)
}

// declared puts the declarations of variables before a body where they are
// seen but not executed: the variables of a call are new and zero anyway.
func (g *gen) declared(body string) string {
	decl := g.declText()
	if decl == "" {
		return body
	}
	label := g.name("L")
	step := ""
	if line, _, _ := strings.Cut(body, "\n"); jumpsAtOnce(line) || strings.HasSuffix(line, ":") {
		step = "_ = 0\n"
	}
	return "goto " + label + "\n" + decl + label + ":\n" + step + body
}

// params lets a parameter and the variable it is copied to share one name.
func (g *gen) params() {
	if len(g.fn.Blocks) == 0 {
		return
	}
	for _, in := range g.fn.Blocks[0].Instrs {
		st, ok := in.(*ssa.Store)
		if !ok {
			continue
		}
		p, ok := st.Val.(*ssa.Parameter)
		if !ok || g.val[p] == "" || g.place[st.Addr] != "" || len(*p.Referrers()) != 1 {
			continue
		}
		if a, ok := st.Addr.(*ssa.Alloc); ok && a.Block() == st.Block() && !g.loop[a.Block()] {
			g.place[a] = g.val[p]
			g.private[g.val[p]] = localRoot(a) != nil
			g.skip[a], g.skip[st] = true, true
		}
	}
}

// needsFrame reports whether something defers onto this function's frame.
func (g *gen) needsFrame() bool {
	for _, b := range g.fn.Blocks {
		for _, in := range b.Instrs {
			c, ok := in.(*ssa.Call)
			if !ok || !isBuiltin(&c.Call, "ssa:deferstack") {
				continue
			}
			need := false
			for _, r := range *c.Referrers() {
				st, ok := r.(*ssa.Store)
				if !ok {
					need = true
					continue
				}
				for _, u := range *st.Addr.Referrers() {
					if u != st {
						need = true
					}
				}
				if a, ok := st.Addr.(*ssa.Alloc); ok {
					g.skip[st], g.skip[a] = true, true
					g.stack = a
				}
			}
			g.skip[c] = true
			return need
		}
	}
	return false
}

func isBuiltin(c *ssa.CallCommon, name string) bool {
	b, ok := c.Value.(*ssa.Builtin)
	return ok && b.Name() == name
}

// results declares, outside the frame, the variables of the results: all
// returns and the recover block read them after the deferred calls have run.
func (g *gen) results() {
	if g.stack != nil {
		g.place[g.stack] = g.frame
	}
	if g.fn.Recover == nil {
		return
	}
	for _, in := range g.fn.Recover.Instrs {
		ld, ok := in.(*ssa.UnOp)
		if !ok || ld.Op != token.MUL {
			continue
		}
		if a, ok := ld.X.(*ssa.Alloc); ok && g.place[a] == "" {
			n := g.name("v")
			fmt.Fprintf(&g.outer, "var %s %s\n", n, g.l.typ(elem(a.Type())))
			g.place[a] = n
			g.skip[a] = true
		}
	}
}

// afterRecover prints the return that follows a frame.
func (g *gen) afterRecover() string {
	if g.fn.Recover == nil {
		if g.fn.Signature.Results().Len() > 0 {
			refuse(g.fn.Pos(), "internal: %s has no recover block", g.fn)
		}
		return g.debugLeave()
	}
	g.recoverBlock = true
	g.block(g.fn.Recover)
	s := g.body.String()
	g.body.Reset()
	return s
}

func balanced(s string) bool {
	n := 0
	for _, c := range s {
		switch c {
		case '(':
			n++
		case ')':
			n--
			if n < 0 {
				return false
			}
		case '"':
			return false
		}
	}
	return n == 0
}

func hasPhis(b *ssa.BasicBlock) bool {
	_, ok := b.Instrs[0].(*ssa.Phi)
	return ok
}

// phis copies the values that flow along an edge, as if at once.
func (g *gen) phis(from, to *ssa.BasicBlock) {
	edge := -1
	for i, p := range to.Preds {
		if p == from {
			edge = i
			break
		}
	}
	var dst, src []string
	var typ []types.Type
	for _, in := range to.Instrs {
		p, ok := in.(*ssa.Phi)
		if !ok {
			break
		}
		s := g.v(p.Edges[edge])
		d := g.phi(p)
		if s == d {
			continue
		}
		dst, src, typ = append(dst, d), append(src, s), append(typ, p.Type())
	}
	if len(dst) == 1 {
		g.emit("%s = %s", dst[0], src[0])
		return
	}
	for i := range src {
		for j := range i {
			if strings.Contains(src[i], dst[j]) {
				t := g.temp(g.l.typ(typ[i]))
				g.emit("%s = %s", t, src[i])
				src[i] = t
				break
			}
		}
	}
	for i := range dst {
		g.emit("%s = %s", dst[i], src[i])
	}
}

func (g *gen) phi(p *ssa.Phi) string {
	if n := g.val[p]; n != "" {
		return n
	}
	n := g.temp(g.l.typ(p.Type()))
	g.set(p, n)
	return n
}

func elem(t types.Type) types.Type {
	return t.Underlying().(*types.Pointer).Elem()
}

func (g *gen) rep(t types.Type) reflect.Type { return g.l.world.Type(t) }
