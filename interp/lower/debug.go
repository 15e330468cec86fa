package lower

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp/rt"
)

// Debug makes a Lowerer print code that says where it is: a call of Enter when
// a function begins and of Leave when it returns, and before each statement a
// call of Step with the addresses of the variables in scope. Without it nothing
// of this is printed.
type Debug struct {
	// Enter takes the number of a function and returns what stands for its
	// call in Step and Leave.
	Enter any // func(function int) *T
	Step  any // func(call *T, point int, addresses ...any)
	Leave any // func(call *T)

	Functions []*ssa.Function
	Points    []Point
	stmts     int
}

// Point is a place where a function says that it is about to run a statement.
type Point struct {
	Pos      token.Pos // of the statement
	Stmt     int       // equal for the points of one statement
	Loop     bool      // a statement that is looked at again in each round
	Function int       // index in Debug.Functions
	Vars     []Variable
}

// Variable is a variable that is in scope at a point.
type Variable struct {
	Name string
	Type types.Type
	// Copied says that Step is given the value instead of the address.
	Copied bool
}

// generation is what a Lowerer has printed in one of its two modes.
type generation struct {
	funcs   map[*ssa.Function]*function
	methods map[*rt.Desc]bool
	framed  map[*ssa.Function]bool
	code    map[*rt.Desc]map[string]reflect.Value // the methods, while the other generation is in use
}

// SetDebug makes all code that is lowered from now on, and all it reaches, say
// where it is; nil goes back to the code that does not. Functions of each kind
// are lowered once.
func (l *Lowerer) SetDebug(d *Debug) {
	if (d == nil) == (l.debug == nil) {
		return
	}
	now := &generation{l.funcs, l.methods, l.framed, map[*rt.Desc]map[string]reflect.Value{}}
	for desc := range l.methods {
		now.code[desc] = desc.Methods()
	}
	then := l.other
	if then == nil {
		then = &generation{funcs: map[*ssa.Function]*function{}, methods: map[*rt.Desc]bool{}, framed: map[*ssa.Function]bool{}}
	}
	l.debug, l.other, l.funcs, l.methods, l.framed, l.moved = d, now, then.funcs, then.methods, then.framed, true
	for desc, code := range then.code {
		for name, fn := range code {
			desc.SetMethod(name, fn)
		}
	}
}

// move lowers what code and values that exist already reach without mentioning
// it: the methods that only the other generation has, and the functions behind
// variables.
func (l *Lowerer) move() {
	if !l.moved {
		return
	}
	l.moved = false
	l.undo = append(l.undo, func() { l.moved = true })
	for desc := range l.other.methods {
		if !l.methods[desc] {
			l.desc(desc.Type)
		}
	}
	for fn, v := range l.vars {
		if !l.replaced[fn] {
			l.inits = append(l.inits, v+" = "+l.function(fn).name)
		}
	}
}

// trail is what a gen knows about the statements of its function.
type trail struct {
	d     *Debug
	call  string // the variable that stands for this call
	fn    int    // index in Debug.Functions
	stmts []stmt
	vars  map[token.Pos][]ssa.Value // where the storage of a declared variable may be
	scope *types.Scope
	cur   *stmt
	last  map[*ssa.BasicBlock]*stmt
}

type stmt struct {
	node   ast.Stmt
	id     int
	silent bool // part of another statement that is not stopped at
}

// newTrail returns nil for code that is not debugged.
func (g *gen) newTrail() *trail {
	d := g.l.debug
	if d == nil || g.fn.Syntax() == nil || g.silent() {
		return nil
	}
	t := &trail{d: d, vars: map[token.Pos][]ssa.Value{}, last: map[*ssa.BasicBlock]*stmt{}}
	t.collect(g.fn.Syntax())
	for _, fv := range g.fn.FreeVars {
		t.vars[fv.Pos()] = append(t.vars[fv.Pos()], fv)
	}
	for _, b := range g.fn.Blocks {
		for _, in := range b.Instrs {
			if a, ok := in.(*ssa.Alloc); ok && a.Pos().IsValid() {
				t.vars[a.Pos()] = append(t.vars[a.Pos()], a)
			}
		}
	}
	outer := g.fn
	for outer.Parent() != nil {
		outer = outer.Parent()
	}
	if o := outer.Origin(); o != nil {
		outer = o
	}
	if f, ok := outer.Object().(*types.Func); ok {
		t.scope = f.Scope()
	}
	return t
}

// Statements calls f for the statements of a function's body, without those of
// function literals in it, that a program can stop at, in the order of their
// beginnings. part says that it belongs to the statement around it.
func Statements(fn ast.Node, f func(s ast.Stmt, part bool)) {
	var body *ast.BlockStmt
	switch n := fn.(type) {
	case *ast.FuncDecl:
		body = n.Body
	case *ast.FuncLit:
		body = n.Body
	case *ast.RangeStmt:
		body = n.Body
	}
	if body == nil {
		return
	}
	part := map[ast.Stmt]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.IfStmt:
			part[n.Init] = true
		case *ast.ForStmt:
			part[n.Init] = true
			if n.Post != nil {
				f(n.Post, true)
				part[n.Post] = true
			}
		case *ast.SwitchStmt:
			part[n.Init] = true
		case *ast.TypeSwitchStmt:
			part[n.Init], part[n.Assign] = true, true
		case *ast.CommClause:
			part[n.Comm] = true
		}
		s, ok := n.(ast.Stmt)
		if !ok || part[s] {
			return true
		}
		switch s := s.(type) {
		case *ast.BlockStmt, *ast.LabeledStmt, *ast.CaseClause, *ast.CommClause, *ast.EmptyStmt, *ast.BranchStmt:
			return true
		case *ast.ForStmt:
			if s.Init == nil && s.Cond == nil {
				return true
			}
		case *ast.DeclStmt:
			if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok != token.VAR {
				return true
			}
		}
		f(s, false)
		return true
	})
}

func (t *trail) collect(fn ast.Node) {
	Statements(fn, func(s ast.Stmt, part bool) {
		t.d.stmts++
		t.stmts = append(t.stmts, stmt{s, t.d.stmts, part})
	})
}

// at returns the innermost statement around a position.
func (t *trail) at(pos token.Pos) *stmt {
	var found *stmt
	for i := range t.stmts {
		s := &t.stmts[i]
		if s.node.Pos() <= pos && pos < s.node.End() && (found == nil || s.node.Pos() >= found.node.Pos() && s.node.End() <= found.node.End()) {
			found = s
		}
	}
	return found
}

// debugEnter is the statement that begins a function.
func (g *gen) debugEnter() string {
	if g.trail == nil {
		return ""
	}
	d := g.trail.d
	d.Functions = append(d.Functions, g.fn)
	g.trail.call, g.trail.fn = g.name("dc"), len(d.Functions)-1
	return g.trail.call + " := " + g.debugSym("enter", d.Enter) + "(" + strconv.Itoa(len(d.Functions)-1) + ")\n"
}

func (g *gen) debugSym(name string, fn any) string {
	return g.l.sym("B", "debug "+name, func() reflect.Value { return reflect.ValueOf(fn) })
}

// debugLeave is the statement that ends a call.
func (g *gen) debugLeave() string {
	if g.trail == nil {
		return ""
	}
	return g.debugSym("leave", g.trail.d.Leave) + "(" + g.trail.call + ")"
}

// debugBlock begins a block: a statement goes on in it if it did so wherever
// the block is reached from.
func (g *gen) debugBlock(b *ssa.BasicBlock) {
	t := g.trail
	if t == nil {
		return
	}
	t.cur = nil
	for i, p := range b.Preds {
		s, seen := t.last[p]
		if !seen || s == nil || i > 0 && s != t.cur {
			t.cur = nil
			return
		}
		t.cur = s
	}
}

// debugInstr prints a step before the first instruction of a statement.
func (g *gen) debugInstr(b *ssa.BasicBlock, i int, in ssa.Instruction) {
	t := g.trail
	if t == nil || g.recoverBlock {
		return
	}
	defer func() { t.last[b] = t.cur }()
	if _, ok := in.(*ssa.DebugRef); ok || !in.Pos().IsValid() {
		return
	}
	s := t.at(in.Pos())
	if s == nil || s.silent || s == t.cur {
		return
	}
	t.cur = s
	p := Point{Pos: s.node.Pos(), Stmt: s.id, Function: t.fn}
	switch s.node.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		p.Loop = true
	}
	var args strings.Builder
	g.inScope(s.node.Pos(), func(v *types.Var) {
		storage := g.storage(v, b, i)
		if storage == nil {
			return
		}
		t, arg := elem(storage.Type()), g.v(storage)
		// yaegi gives a variable of function type another slot at each
		// assignment, and some of these have no address.
		place, local := strings.CutPrefix(arg, "&")
		copied := local && g.rep(t).Kind() == reflect.Func
		if copied {
			arg = place
		}
		p.Vars = append(p.Vars, Variable{v.Name(), t, copied})
		args.WriteString(", " + arg)
	})
	t.d.Points = append(t.d.Points, p)
	g.emit("%s(%s, %d%s)", g.debugSym("step", t.d.Step), t.call, len(t.d.Points)-1, args.String())
}

// inScope calls f for the variables of the function that can be named at pos,
// the outer ones first.
func (g *gen) inScope(pos token.Pos, f func(*types.Var)) {
	if g.trail.scope == nil {
		return
	}
	var chain []*types.Scope
	for s := g.trail.scope.Innermost(pos); s != nil; s = s.Parent() {
		chain = append(chain, s)
		if s == g.trail.scope {
			break
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		var vars []*types.Var
		for _, name := range chain[i].Names() {
			if v, ok := chain[i].Lookup(name).(*types.Var); ok && name != "_" {
				if _, seen := chain[0].LookupParent(name, pos); seen == types.Object(v) {
					vars = append(vars, v)
				}
			}
		}
		slices.SortFunc(vars, func(a, b *types.Var) int { return int(a.Pos() - b.Pos()) })
		for _, v := range vars {
			f(v)
		}
	}
}

// storage is the pointer to a variable at an instruction, nil if there is none.
func (g *gen) storage(v *types.Var, b *ssa.BasicBlock, i int) ssa.Value {
	var best ssa.Value
	for _, c := range g.trail.vars[v.Pos()] {
		if !isPointer(c.Type()) || g.place[c] == "" && g.val[c] == "" {
			continue
		}
		a, ok := c.(*ssa.Alloc)
		if !ok {
			best = c
			continue
		}
		if !(a.Block() == b && g.index[a] < i) && !(a.Block() != b && a.Block().Dominates(b)) {
			continue
		}
		if old, ok := best.(*ssa.Alloc); !ok || old.Block() == a.Block() && g.index[old] < g.index[a] || old.Block() != a.Block() && old.Block().Dominates(a.Block()) {
			best = c
		}
	}
	return best
}

// debugReturn prints the end of a call; the results are evaluated before it.
func (g *gen) debugReturn(in *ssa.Return, vals []string) {
	if g.trail == nil {
		return
	}
	for i, r := range in.Results {
		if _, isConst := r.(*ssa.Const); !isConst {
			t := g.temp(g.l.typ(r.Type()))
			g.emit("%s = %s", t, vals[i])
			vals[i] = t
		}
	}
	g.emit("%s", g.debugLeave())
}

// snapshot is the instructions of a function as go/ssa made them.
type snapshot struct {
	blocks [][]ssa.Instruction
	refs   map[ssa.Value][]ssa.Instruction
	ops    []operand
	fn     *ssa.Function
}

type operand struct {
	at *ssa.Value
	v  ssa.Value
}

// snap remembers the instructions of fn, so that what printing it changes in
// them can be undone: it may be printed again in another mode.
func snap(fn *ssa.Function) *snapshot {
	s := &snapshot{fn: fn, refs: map[ssa.Value][]ssa.Instruction{}}
	keep := func(v ssa.Value) {
		if r := v.Referrers(); r != nil {
			s.refs[v] = append([]ssa.Instruction(nil), *r...)
		}
	}
	for _, p := range fn.Params {
		keep(p)
	}
	for _, p := range fn.FreeVars {
		keep(p)
	}
	var ops []*ssa.Value
	for _, b := range fn.Blocks {
		s.blocks = append(s.blocks, append([]ssa.Instruction(nil), b.Instrs...))
		for _, in := range b.Instrs {
			if v, ok := in.(ssa.Value); ok {
				keep(v)
			}
			for _, op := range in.Operands(ops[:0]) {
				s.ops = append(s.ops, operand{op, *op})
			}
		}
	}
	return s
}

func (s *snapshot) restore() {
	for i, b := range s.fn.Blocks {
		b.Instrs = s.blocks[i]
	}
	for v, r := range s.refs {
		*v.Referrers() = r
	}
	for _, o := range s.ops {
		*o.at = o.v
	}
}

// Bind makes p, a pointer, the address of a variable that no code has yet.
func (l *Lowerer) Bind(g *ssa.Global, p reflect.Value) { l.bound[g] = p }
