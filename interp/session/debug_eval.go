package session

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"strings"
	"time"

	"trafficgpt/interp"
	"trafficgpt/interp/rt"
)

// Code for the user is checked and run like a cell in which the variables of a
// call are variables of the session.

// evalPatience is how long code may run for the user while the kernel waits.
const evalPatience = 5 * time.Second

const valueName = "value·"

// snippet is code that has been checked and lowered.
type snippet struct {
	run    func()
	types  []types.Type // of its values
	fresh  *types.Var   // the variable that it declares
	values []reflect.Value
}

// compile makes code, in which vars can be named, ready to run. With fresh, it
// can also assign to a new variable of that name and type.
func (d *debugger) compile(code string, vars []node, fresh *node) (sn *snippet, err error) {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = internalError(r)
		}
	}()
	d.evals++
	name := fmt.Sprintf("eval·%d", d.evals)
	c, err := d.parse(code, name)
	if err != nil {
		return nil, err
	}
	scope := newEvalScope(vars)
	sn = &snippet{}
	if fresh != nil {
		sn.fresh = scope.add(fresh.name, fresh.t)
	}
	pass, errs := d.resolve(c, scope, sn)
	if len(errs) > 0 {
		return nil, typeErrors(errs)
	}
	mend(pass.files, pass.info)
	s.addImports(pass.pkg)
	home := s.prog.CreatePackage(scope.home, nil, nil, false)
	sp := s.prog.CreatePackage(pass.pkg, pass.files, pass.info, false)
	sp.Build()
	for v, p := range scope.storage {
		s.lowerer.Bind(home.Var(v.Name()), p)
	}
	sn.run, err = s.load(sp.Func(name))
	return sn, err
}

// parse makes a cell without declarations of code.
func (d *debugger) parse(code, name string) (*checker, error) {
	pc, err := split(d.s.fset, "expression", code, name)
	if err != nil {
		return nil, err
	}
	c := &checker{s: d.s, cell: interp.Cell{Code: code}, pc: pc, dropped: map[*decl]bool{}, unknown: map[string]bool{}, reread: map[string]bool{}, changed: map[string]bool{}}
	if err := c.takeImports(); err != nil {
		return nil, err
	}
	if len(pc.decls.Decls) > 0 || len(c.imports) > 0 {
		return nil, errors.New("declarations belong into a cell")
	}
	if c.usesMust() {
		c.resolveMust()
	}
	return c, nil
}

// evalScope is what code can name besides what cells can.
type evalScope struct {
	home    *types.Package
	vars    []*types.Var
	storage map[*types.Var]reflect.Value // their addresses
}

func newEvalScope(vars []node) *evalScope {
	e := &evalScope{home: types.NewPackage("main", "vars"), storage: map[*types.Var]reflect.Value{}}
	for _, n := range vars {
		e.storage[e.add(n.name, n.t)] = n.v.Addr()
	}
	return e
}

func (e *evalScope) add(name string, t types.Type) *types.Var {
	v := types.NewVar(token.NoPos, e.home, name, t)
	e.home.Scope().Insert(v)
	e.vars = append(e.vars, v)
	return v
}

// resolve type-checks code. If it ends in an expression with values, these are
// assigned to variables of sn.
func (d *debugger) resolve(c *checker, scope *evalScope, sn *snippet) (*plan, []types.Error) {
	last, ok := c.lastExpr()
	if !ok {
		return c.pass(&second{fresh: scope.vars})
	}
	end := &c.pc.body.List[len(c.pc.body.List)-1]
	expr := last.X
	assign := func(lhs ...ast.Expr) {
		*end = &ast.AssignStmt{Lhs: lhs, TokPos: expr.Pos(), Tok: token.ASSIGN, Rhs: []ast.Expr{expr}}
	}
	assign(&ast.Ident{Name: "_", NamePos: expr.Pos()}) // used, to learn its type
	first, _ := c.pass(&second{fresh: scope.vars})
	sn.types = valueTypes(first.info.Types[expr])
	var lhs []ast.Expr
	for i, t := range sn.types {
		v := scope.add(fmt.Sprint(valueName, i), t)
		p := reflect.New(d.s.world.Type(t))
		scope.storage[v] = p
		sn.values = append(sn.values, p.Elem())
		lhs = append(lhs, &ast.Ident{Name: v.Name(), NamePos: expr.Pos()})
	}
	if assign(lhs...); len(lhs) == 0 {
		*end = &ast.ExprStmt{X: expr}
	}
	return c.pass(&second{fresh: scope.vars})
}

// valueTypes are the types of the values of an expression.
func valueTypes(tv types.TypeAndValue) []types.Type {
	switch t := tv.Type.(type) {
	case nil:
		return nil
	case *types.Tuple:
		out := make([]types.Type, t.Len())
		for i := range out {
			out[i] = t.At(i).Type()
		}
		return out
	default:
		if tv.IsVoid() || tv.IsType() || t == types.Typ[types.Invalid] {
			return nil
		}
		if tv.IsNil() {
			return []types.Type{types.Universe.Lookup("any").Type()}
		}
		return []types.Type{types.Default(t)}
	}
}

// perform runs a snippet where no breakpoint stops it.
func (d *debugger) perform(ctx context.Context, sn *snippet) error {
	for _, name := range []string{"LN", "LC"} { // where the cell is
		d.s.mu.Lock()
		line := d.s.exec.global(name).Elem()
		d.s.mu.Unlock()
		at := line.Int()
		defer line.SetInt(at)
	}
	done := make(chan error, 1)
	go func() {
		defer d.begin(true)()
		defer func() {
			if v := recover(); v != nil {
				done <- errors.New("panic: " + rt.PanicText(rt.MapPanic(v)))
			}
		}()
		sn.run()
		done <- nil
	}()
	patience := time.NewTimer(evalPatience)
	defer patience.Stop()
	select {
	case err := <-done:
		return err
	case <-d.s.world.Control.Done():
		return errors.New("interrupted")
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return fmt.Errorf("it still runs after %v; an interrupt ends it with the cell", evalPatience)
	}
}

// evaluate runs code in a call, or in the session for frame 0.
func (d *debugger) evaluate(ctx context.Context, id int, code string) (interp.DebugReply, error) {
	done, ok := d.still()
	if !ok {
		return interp.DebugReply{}, errRuns
	}
	defer done()
	var vars []node
	if id != 0 {
		d.mu.Lock()
		f, err := d.frame(id)
		d.mu.Unlock()
		if err != nil {
			return interp.DebugReply{}, err
		}
		vars = f.variables()
	}
	sn, err := d.compile(code, vars, nil)
	if err != nil {
		return interp.DebugReply{}, d.explain(code, err)
	}
	if err := d.perform(ctx, sn); err != nil {
		return interp.DebugReply{}, err
	}
	nodes := make([]node, len(sn.values))
	for i, v := range sn.values {
		nodes[i] = node{d.s.world, strings.TrimSpace(code), sn.types[i], v}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.show(nodes)
	if len(nodes) > 0 {
		r.Value = r.Variables[0]
	}
	for _, v := range r.Variables[min(1, len(nodes)):] {
		r.Value.Value += ", " + v.Value
		r.Value.Type += ", " + v.Type
		r.Value.Ref = 0
	}
	return r, nil
}

// explain makes one line of what is wrong with code.
func (d *debugger) explain(code string, err error) error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return errors.New(d.s.compileError(interp.Cell{Code: code}, err).Message)
}

// copy makes a variable of a call one of the session.
func (d *debugger) copy(id int, name, target string) error {
	if !token.IsIdentifier(target) || target == "_" {
		return fmt.Errorf("%q cannot be the name of a variable", target)
	}
	d.mu.Lock()
	f, err := d.frame(id)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	vars := f.variables()
	for i := len(vars) - 1; i >= 0; i-- {
		if vars[i].name == name {
			return d.keep(target, vars[i], f.at.cell)
		}
	}
	return fmt.Errorf("there is no variable %s here", name)
}

// keep makes a copy of a value a variable of the session.
func (d *debugger) keep(name string, n node, cell int) error {
	from := node{n.world, name + "_copied", n.t, n.v}
	sn, err := d.compile(name+" = "+from.name, []node{from}, &node{world: n.world, name: name, t: n.t})
	if err != nil {
		return d.explain("", err)
	}
	if err := d.perform(context.Background(), sn); err != nil {
		return err
	}
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[name] = &entity{sn.fresh, cell}
	delete(s.imports, name)
	return nil
}

type conditionKey struct {
	point *point
	text  string
}

// condition is a compiled condition with variables of its own.
type condition struct {
	sn   *snippet
	vars []node
	err  error
}

// holds evaluates a condition in a call.
func (d *debugger) holds(f *frame, text string) (bool, error) {
	c := d.condition(f, text)
	if c.err != nil {
		return false, c.err
	}
	c.take(f)
	if err := d.perform(context.Background(), c.sn); err != nil {
		return false, err
	}
	if v := c.sn.values; len(v) == 1 && v[0].Kind() == reflect.Bool {
		return v[0].Bool(), nil
	}
	return false, fmt.Errorf("%s is not of type bool", text)
}

// take gives the condition's variables the values of those of a call.
func (c *condition) take(f *frame) {
	for i, n := range f.variables() {
		c.vars[i].v.Set(n.v)
	}
}

func (d *debugger) condition(f *frame, text string) *condition {
	key := conditionKey{f.at, text}
	d.mu.Lock()
	c := d.conditions[key]
	d.mu.Unlock()
	if c != nil {
		return c
	}
	c = &condition{}
	for _, n := range f.variables() {
		c.vars = append(c.vars, node{n.world, n.name, n.t, reflect.New(n.v.Type()).Elem()})
	}
	if c.sn, c.err = d.compile(text, c.vars, nil); c.err != nil {
		c.err = d.explain(text, c.err)
	}
	d.mu.Lock()
	d.conditions[key] = c
	d.mu.Unlock()
	return c
}

// logText is a log message with the values of the expressions between its
// braces.
func (d *debugger) logText(f *frame, text string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		expr, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			if ok {
				b.WriteString("{" + rest)
			}
			return b.String()
		}
		b.WriteString(d.logValue(f, expr))
		text = after
	}
}

func (d *debugger) logValue(f *frame, expr string) string {
	c := d.condition(f, expr)
	if c.err != nil {
		return "{" + c.err.Error() + "}"
	}
	c.take(f)
	if err := d.perform(context.Background(), c.sn); err != nil {
		return "{" + err.Error() + "}"
	}
	var out []string
	for i, v := range c.sn.values {
		n := node{world: d.s.world, t: c.sn.types[i], v: v}
		if v.Kind() == reflect.String {
			out = append(out, v.String())
			continue
		}
		out = append(out, n.text())
	}
	return strings.Join(out, " ")
}
