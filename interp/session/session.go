// Package session is the engine in this process. It takes a cell through split
// (its declarations, its statements), check (go/types beside what earlier cells
// have declared), compile (go/ssa, then package lower) and execute (yaegi), and
// keeps what the cell leaves. Nothing that does not check runs, and a cell that
// fails the check leaves the session as it was.
//
// Words that the files of this package share:
//
//   - live: what cells can name, the latest of each name, with the cell it is of.
//   - plan: a checked cell, on its way to be compiled and run.
//   - pass: one run of go/types over a cell. A check is made of steps that rewrite
//     the syntax between passes (checker.plan).
//   - fresh variable: one that a cell's statements declare; it becomes one of the
//     session. An alias is another name for an older variable that a fresh one of
//     another type hides.
//   - hoisted: of a variable, declared beside the functions of its cell, which
//     mention it, before the statement that sets it.
//   - reissued: of a declaration, checked and compiled again because a later cell
//     has declared anew what it mentions. retract takes back those that no longer
//     check.
//   - earlier version: a type that a later cell has declared anew; its values stay
//     of it.
//   - prelude: what every session knows without an import, that is must.
//   - border: between cells and compiled code, which knows nothing of boxes (package
//     rt). Functions that look into what they are given have been taught, or are
//     refused.
//   - passage: the way of a panic through the functions of cells; a stack is made
//     of it when somebody asks.
//   - late: of output, written by a goroutine after its cell has ended.
//   - stuck: of a cell, interrupted, but still in compiled code that nothing stops.
//   - snippet: code that a debugger runs in a call that stands.
package session

import (
	"context"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp"
	"trafficgpt/interp/command"
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

	commands command.Runner

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
	history  []interp.Cell      // that ran without error, for commands; outlives a reset
	count    int
	cancel   context.CancelFunc
	out      *router
	stuck    chan struct{} // closed when an interrupted cell that went on has ended
	crashes  chan fault    // of goroutines
	shown    []any
	exitCode int
	prelude  map[string]types.Object
	silent   *ssa.Package // the prelude: faults are those of its callers
	decls    []*decl
	starts   map[token.Pos]token.Pos // where the call with this parenthesis starts
	sources  map[*token.File]string  // the text of cells
	debug    *debugger
	lowered  func(source string) // sees the lowered source of every cell; set by tests
}

var (
	_ interp.Engine     = (*Session)(nil)
	_ interp.CommEngine = (*Session)(nil)
	_ interp.Debugger   = (*Session)(nil)
)

// entity is a name that cells may use.
type entity struct {
	obj  types.Object
	cell int
}

// New starts an empty session.
func New(opts Options) (*Session, error) {
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
	s.importer = newImporter(s.base, s.fset, s.cells)
	s.lowerer = lower.New(s.world, s.prog, hooks{s})
	s.starts, s.sources = map[token.Pos]token.Pos{}, map[*token.File]string{}
	s.world.Control.Crash = s.goroutinePanic
	var err error
	if s.exec, err = newYaegi(s.world, stderrOf{s.out}); err != nil {
		return fmt.Errorf("failed to start the executor: %w", err)
	}
	s.count, s.stuck, s.decls = 0, nil, nil
	s.crashes = make(chan fault, 1)
	s.debug.reset()
	return s.loadPrelude()
}

// Eval runs a cell: its commands, or all of it as Go.
func (s *Session) Eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, hasCommands := s.commands.Run(ctx, host{s, cancel}, cell, sink)
	if !hasCommands {
		r = s.eval(ctx, cell, sink)
	}
	if r.Err == nil {
		s.mu.Lock()
		s.history = append(s.history, cell)
		s.mu.Unlock()
	}
	r.Duration = time.Since(start)
	return r
}

func (s *Session) eval(ctx context.Context, cell interp.Cell, sink interp.Sink) interp.Result {
	s.run.Lock()
	defer s.run.Unlock()
	if err := s.unstick(); err != nil {
		return interp.Result{Err: err}
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
		return interp.Result{Err: s.compileError(cell, err)}
	}
	if plan == nil {
		return interp.Result{}
	}
	return s.execute(ctx, plan, sink)
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
