package session

import (
	"context"
	"fmt"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp"
	"trafficgpt/interp/lower"
	"trafficgpt/interp/symbols"
)

// RunProgram runs an ordinary package main in this session: its variables in
// the order of their dependencies, its init functions, then main. files maps
// names to sources. The exit status is 0, that of os.Exit, or 2 after a panic;
// a program that fails its check gives 1.
func (s *Session) RunProgram(ctx context.Context, files map[string][]byte, sink interp.Sink) (exit int, failure *interp.Error) {
	s.run.Lock()
	defer s.run.Unlock()
	s.mu.Lock()
	p, err := s.program(files)
	if err == nil {
		err = s.compileProgram(p)
	}
	s.mu.Unlock()
	if err != nil {
		e := s.compileError(interp.Cell{}, err)
		if _, refused := err.(*lower.Refusal); refused {
			e.Name = "Refused"
		}
		return 1, e
	}
	r := s.execute(ctx, p, sink)
	switch {
	case r.Err == nil:
		return 0, nil
	case r.Err.Name == "Refused":
		return 1, r.Err
	case r.Err.Name == "Exit":
		return s.exitCode, nil
	}
	return 2, r.Err
}

// program type-checks the files of a package.
func (s *Session) program(files map[string][]byte) (*plan, error) {
	p := &plan{info: newInfo(), program: true}
	var errs typeErrors
	for name, src := range files {
		f, err := parseSource(s.fset, name, src)
		if err != nil {
			return nil, err
		}
		s.cells[name] = string(src)
		p.files = append(p.files, f)
		for _, is := range f.Imports {
			path, err := strconv.Unquote(is.Path.Value)
			if err != nil || path == "unsafe" || symbols.Has(path) {
				continue
			}
			if _, ok := s.importer.folder(path, ""); !ok {
				errs = append(errs, types.Error{Fset: s.fset, Pos: is.Pos(), Msg: unknownImport(path)})
			}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	var failed *localFailure
	from := &localImporter{im: s.importer, p: &localPackage{dir: s.base}, failed: func(f *localFailure) { failed = f }}
	conf := types.Config{Importer: from, GoVersion: goVersion, Error: func(err error) {
		if e, ok := err.(types.Error); ok {
			errs = append(errs, e)
		}
	}}
	p.pkg, _ = conf.Check("main", s.fset, p.files, p.info)
	if failed != nil {
		return nil, failed.err
	}
	if len(errs) > 0 {
		return nil, errs
	}
	mend(p.files, p.info)
	return p, nil
}

func (s *Session) compileProgram(p *plan) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = internalError(r)
		}
	}()
	s.addImports(p.pkg)
	sp := s.prog.CreatePackage(p.pkg, p.files, p.info, false)
	sp.Build()
	var entries []func()
	for _, name := range []string{"init", "main"} {
		fn := sp.Func(name)
		if fn == nil {
			return fmt.Errorf("function %s is undeclared in the main package", name)
		}
		entry, err := s.load(fn)
		if err != nil {
			return err
		}
		entries = append(entries, entry)
	}
	p.entry = func() {
		for _, e := range entries {
			e()
		}
	}
	return nil
}

// PanicText is how a program ends whose main panicked with e, as Go prints it:
// the value, then the stack, without addresses. file says where a file of the
// stack lies.
func PanicText(e *interp.Error, file func(name string) string) string {
	var b strings.Builder
	msg, inGoroutine := strings.CutSuffix(e.Message, inAGoroutine)
	fmt.Fprintf(&b, "panic: %s\n", msg)
	if strings.HasPrefix(msg, "runtime error: invalid memory address") {
		b.WriteString("[signal SIGSEGV: segmentation violation]\n")
	}
	id := 1
	if inGoroutine {
		id = 2
	}
	fmt.Fprintf(&b, "\ngoroutine %d [running]:\n", id)
	for _, f := range e.Stack {
		name, literal, isLiteral := strings.Cut(strings.NewReplacer("(main.", "main.(", "(*main.", "main.(*").Replace(f.Func), "$")
		if !strings.HasPrefix(name, "main.") {
			name = "main." + name
		}
		if isLiteral {
			name += ".func" + strings.ReplaceAll(literal, "$", ".")
		}
		lines := make([]string, len(f.Lines))
		for i, n := range f.Lines {
			lines[i] = fmt.Sprint(n)
		}
		fmt.Fprintf(&b, "%s(...)\n\t%s:%s\n", name, file(f.File), strings.Join(lines, " or "))
	}
	return b.String()
}

// load lowers a function and hands it to the executor.
func (s *Session) load(fn *ssa.Function) (func(), error) {
	chunk, err := s.lowerer.Lower(fn)
	if err != nil {
		return nil, err
	}
	if s.lowered != nil {
		s.lowered(chunk.Source)
	}
	entry, err := s.exec.load(chunk)
	if err != nil {
		s.lowerer.Discard()
		return nil, err
	}
	s.debug.sync()
	return entry, nil
}
