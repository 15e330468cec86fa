package interp

import (
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/display"
	"trafficgpt/interp/lower"
	"trafficgpt/interp/rt"
	"trafficgpt/interp/symbols"
)

// Options of a session.
type Options struct {
	// Dir is where import "./dir" looks; empty means the working directory at
	// the start.
	Dir string
	// Exit is what os.Exit calls; by default it ends the cell.
	Exit func(code int) `json:"-"`
}

// Session is the engine in this process.
type Session struct {
	opts Options
	base string     // the folder of the notebook, absolute
	run  sync.Mutex // held while a cell runs

	mu       sync.Mutex // guards all below
	fset     *token.FileSet
	world    *rt.World
	prog     *ssa.Program
	lowerer  *lower.Lowerer
	exec     executor
	importer *importer
	live     map[string]*entity // by name
	imports  map[string]string  // name -> path
	cells    map[string]string  // position name -> source
	history  []Cell             // that ran without error, for commands; outlives a reset
	count    int
	cancel   context.CancelFunc
	out      *router
	stuck    chan struct{} // closed when an interrupted cell that went on has ended
	crashes  chan fault    // of goroutines
	shown    []any
	exitCode int
	prelude  map[string]types.Object
	decls    []*decl
	starts   map[token.Pos]token.Pos // where the call with this parenthesis starts
	sources  map[*token.File]string  // the text of cells
	debug    *debugger
}

// entity is a name that cells may use.
type entity struct {
	obj  types.Object
	cell int
}

// NewSession starts an empty session.
func NewSession(opts Options) (*Session, error) {
	base, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("failed to find the folder of the notebook: %w", err)
	}
	s := &Session{opts: opts, base: base}
	s.debug = newDebugger(s)
	if err := s.reset(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Session) reset() error {
	s.fset = symbols.FileSet()
	s.live, s.imports, s.cells = map[string]*entity{}, map[string]string{}, map[string]string{}
	s.world = rt.NewWorld(nativeType)
	s.out = &router{}
	s.prog = ssa.NewProgram(s.fset, ssa.InstantiateGenerics|ssa.NaiveForm)
	s.importer = newImporter(s)
	s.lowerer = lower.New(s.world, s.prog, s.native)
	s.lowerer.Refuse = s.refuse
	s.lowerer.Method = s.method
	s.lowerer.Followed = s.followed
	s.starts, s.sources = map[token.Pos]token.Pos{}, map[*token.File]string{}
	s.world.Control.Crash = s.goroutinePanic
	var err error
	if s.exec, err = newYaegi(s.world, stderrOf{s.out}, func(any) {}); err != nil {
		return fmt.Errorf("failed to start the executor: %w", err)
	}
	s.count, s.stuck, s.decls = 0, nil, nil
	s.crashes = make(chan fault, 1)
	s.debug.reset()
	return s.loadPrelude()
}

// router sends what a cell prints to the sink of the cell that runs.
type router struct {
	mu   sync.Mutex
	sink Sink
}

func (r *router) set(s Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink = s
}

// get is the sink of the cell that started the calling goroutine, or else of
// the cell that runs.
func (r *router) get() Sink {
	if s, ok := display.Owner().(Sink); ok {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sink
}

type stdoutOf struct{ r *router }

func (o stdoutOf) Write(p []byte) (int, error) {
	if s := o.r.get(); s != nil {
		s.Stdout(p)
	}
	return len(p), nil
}

type stderrOf struct{ r *router }

func (o stderrOf) Write(p []byte) (int, error) {
	if s := o.r.get(); s != nil {
		s.Stderr(p)
	}
	return len(p), nil
}

var _ io.Writer = stdoutOf{}

// commandHook runs a cell that is a command (%time, !ls …).
var commandHook func(s *Session, ctx context.Context, cell Cell, sink Sink) (handled bool, r Result)

// Eval runs a cell.
func (s *Session) Eval(ctx context.Context, cell Cell, sink Sink) Result {
	start := time.Now()
	if commandHook != nil {
		if handled, r := commandHook(s, ctx, cell, sink); handled {
			r.Duration = time.Since(start)
			return r
		}
	}
	r := s.eval(ctx, cell, sink)
	r.Duration = time.Since(start)
	return r
}

func (s *Session) eval(ctx context.Context, cell Cell, sink Sink) Result {
	s.run.Lock()
	defer s.run.Unlock()
	if err := s.unstick(); err != nil {
		return Result{Err: err}
	}
	s.mu.Lock()
	s.count++
	if cell.Number == 0 {
		cell.Number = s.count
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.cancel = cancel
	s.cells[cellName(cell.Number)] = cell.Code
	packages := maps.Clone(s.importer.local)
	plan, err := s.check(cell)
	if err == nil && plan != nil {
		err = s.compile(plan)
	}
	if err != nil {
		s.importer.local = packages // a cell that fails changes nothing
	}
	s.mu.Unlock()
	if err != nil {
		return Result{Err: s.compileError(cell, err)}
	}
	if plan == nil {
		return Result{}
	}
	return s.execute(ctx, plan, sink)
}

// plan is a checked cell.
type plan struct {
	cell    Cell
	pkg     *types.Package
	vars    *types.Package
	info    *types.Info
	files   []*ast.File
	fn      string
	newVars map[string]*types.Var
	aliases map[*types.Var]*types.Var // another name for an older variable
	imports map[string]string
	objects []types.Object // declared at package level
	before  *plan          // the declarations of the cell, when they are a package of their own
	entry   func()
	parsed  *parsedCell
	program bool // an ordinary package main

	replaced []replacedType // of packages that were read again
}

// compile lowers a checked cell and hands it to the executor; only then do its
// names become those of the session.
func (s *Session) compile(p *plan) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = internalError(r)
		}
	}()
	if b := p.before; b != nil {
		rangeOverNothing(b.files, b.info)
		s.addImports(b.pkg)
		s.prog.CreatePackage(b.pkg, b.files, b.info, false).Build()
	}
	rangeOverNothing(p.files, p.info)
	s.addImports(p.pkg)
	if p.vars != nil {
		s.prog.CreatePackage(p.vars, nil, nil, false)
	}
	sp := s.prog.CreatePackage(p.pkg, p.files, p.info, false)
	sp.Build()
	for alias, old := range p.aliases {
		s.lowerer.Alias(s.globalOf(alias), s.globalOf(old))
	}
	s.noteCalls(p)
	s.follow(p)
	if p.entry, err = s.entryOf(p, sp.Func(p.fn)); err != nil {
		return err
	}
	for name, path := range p.imports {
		s.imports[name] = path
		delete(s.live, name)
	}
	old := map[string]types.Object{}
	for _, o := range p.objects {
		if e := s.live[o.Name()]; e != nil {
			old[o.Name()] = e.obj
		}
		s.live[o.Name()] = &entity{o, p.cell.Number}
		delete(s.imports, o.Name())
	}
	for name, v := range p.newVars {
		s.live[name] = &entity{v, p.cell.Number}
		delete(s.imports, name)
	}
	s.remember(p)
	for name, o := range old {
		if was, ok := o.(*types.TypeName); ok && s.live[name] != nil && s.live[name].obj != o {
			rt.Replace(was)
		}
	}
	for _, r := range p.replaced {
		rt.Replace(r.was)
	}
	s.retype(old, p.replaced)
	return nil
}

// entryOf loads the cell's function and what must run before it: the
// initialisation of packages that it imports.
func (s *Session) entryOf(p *plan, fn *ssa.Function) (func(), error) {
	packages := p.pkg.Imports()
	if p.before != nil {
		packages = append(packages, p.before.pkg.Imports()...)
	}
	for _, path := range p.imports { // one that no code mentions is run too
		if pkg, err := s.importer.Import(path); err == nil {
			packages = append(packages, pkg)
		}
	}
	var steps []func()
	for _, pkg := range packages {
		first, err := s.initLocal(pkg)
		if err != nil {
			return nil, err
		}
		if first != nil {
			steps = append(steps, first)
		}
	}
	entry, err := s.load(fn)
	if err != nil || len(steps) == 0 {
		return entry, err
	}
	return func() {
		for _, step := range steps {
			step()
		}
		entry()
	}, nil
}

func (s *Session) addImports(pkg *types.Package) {
	for _, imp := range pkg.Imports() {
		s.addPackage(imp)
	}
}

// noteCalls remembers where calls start: go/ssa knows only their parentheses.
func (s *Session) noteCalls(p *plan) {
	for _, f := range []*ast.File{p.parsed.decls, p.parsed.stmts} {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				s.starts[c.Lparen] = c.Pos()
			}
			return true
		})
	}
}

// debugSource, in tests, sees the lowered source of every cell.
var debugSource func(string)

func (s *Session) globalOf(v *types.Var) *ssa.Global {
	p := s.prog.Package(v.Pkg())
	if p == nil {
		return nil
	}
	g, _ := p.Members[v.Name()].(*ssa.Global)
	return g
}

func internalError(r any) error {
	if e, ok := r.(error); ok {
		return fmt.Errorf("internal: %w", e)
	}
	return fmt.Errorf("internal: %v", r)
}

// execute runs the cell's function in a goroutine of its own and waits for its
// end or for an interrupt.
func (s *Session) execute(ctx context.Context, p *plan, sink Sink) Result {
	s.out.set(sink)
	leave := display.Enter(ctx, sink)
	defer leave()
	s.shown = nil
	s.exec.forget()
	s.world.Control.Exiting.Store(false)
	crashed := s.watchCrash() // before anything can panic
	done := make(chan any, 1)
	go func() {
		var failed any = fine
		defer s.debug.begin(false)()
		defer func() {
			if v := recover(); v != nil {
				s.debug.uncaught(v)
				failed = fault{rt.MapPanic(v), s.exec.passed()}
			} else if failed == nil {
				failed = goexit{}
			}
			done <- failed
		}()
		display.Own()
		failed = nil
		p.entry()
		failed = fine
	}()
	var end any
	interrupted := false
	select {
	case end = <-done:
		if _, left := end.(goexit); left && p.program {
			// the other goroutines of a program go on
			select {
			case c := <-crashed:
				s.halt()
				return Result{Err: s.panicError(c, true)}
			case <-ctx.Done():
			}
		}
	case c := <-crashed:
		s.halt()
		if !p.program { // which ends at once, without its deferred calls
			s.drain(done, drainLimit)
		}
		return Result{Err: s.panicError(c, true)}
	case <-ctx.Done():
		interrupted = true
		if v, ok := s.settle(done); ok {
			end = v
		} else {
			return Result{Err: &Error{Name: "Interrupted", Message: "interrupted; " + stillIn() + ": wait for it, or restart (%restart) to be rid of it"}}
		}
	}
	f, failed := end.(fault)
	if unwound := f.value == any(rt.ErrInterrupted); unwound || interrupted && ctx.Err() != nil {
		return Result{Err: &Error{Name: "Interrupted", Message: "interrupted"}}
	}
	switch {
	case failed:
		return Result{Err: s.panicError(f, false)}
	case end != fine:
		return Result{Err: s.panicError(fault{value: end}, false)}
	}
	return Result{Value: s.value()}
}

type goexit struct{}

// fine marks a cell that came to its end.
var fine any = new(int)

func (s *Session) halt() {
	s.world.Control.Stop()
	s.exec.halt()
}

// drainLimit is how long an interrupted cell may take to end; libraryLimit, how
// much of it the library has to come back with what it has.
const (
	drainLimit   = 250 * time.Millisecond
	libraryLimit = 150 * time.Millisecond
)

// settle waits for an interrupted cell. One that is within this project's
// library, which sees the interrupt itself, first gets the time to take what
// the library returns.
func (s *Session) settle(done chan any) (any, bool) {
	limit := drainLimit
	if strings.HasPrefix(Where(), "trafficgpt/lib/") {
		select {
		case v := <-done:
			return v, true
		case <-time.After(libraryLimit):
			limit -= libraryLimit
		}
	}
	s.halt()
	return s.drain(done, limit)
}

// drain waits for a halted cell.
func (s *Session) drain(done chan any, limit time.Duration) (any, bool) {
	select {
	case v := <-done:
		s.resume()
		return v, true
	case <-time.After(limit):
		stuck := make(chan struct{})
		s.stuck = stuck
		go func() {
			<-done
			close(stuck)
		}()
		return nil, false
	}
}

// resume lets code run again after a halt and runs the deferred calls that
// interrupted functions left.
func (s *Session) resume() {
	s.exec.release()
	late := s.world.Control.Resume()
	if len(late) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range late {
			func() {
				defer func() { _ = recover() }()
				f()
			}()
		}
	}()
	select {
	case <-done:
	case <-time.After(40 * time.Millisecond):
	}
}

// Interrupt stops the running cell; variables stay.
func (s *Session) Interrupt() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	return nil
}

// Restart drops every variable.
func (s *Session) Restart(ctx context.Context) error {
	_ = s.Interrupt()
	s.run.Lock()
	defer s.run.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reset()
}

// Close ends the session.
func (s *Session) Close() error { return s.Interrupt() }

// value is the bundle of what the last expression showed.
func (s *Session) value() display.Bundle {
	defer s.debug.begin(true)()
	if len(s.shown) == 0 {
		return nil
	}
	if len(s.shown) == 1 {
		return bundleOf(s.shown[0])
	}
	parts := make([]string, len(s.shown))
	for i, v := range s.shown {
		parts[i] = plainText(v)
	}
	return display.Bundle{display.Text: strings.Join(parts, " ")}
}

func bundleOf(v any) display.Bundle {
	if r, ok := v.(display.Rich); ok && !isNilPointer(v) {
		return r.MIME()
	}
	return display.Bundle{display.Text: plainText(v)}
}

func isNilPointer(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

func plainText(v any) string {
	if e, ok := v.(error); ok && !isNilPointer(v) {
		return e.Error()
	}
	return fmt.Sprintf("%+v", v)
}
