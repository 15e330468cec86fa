package session

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"trafficgpt/display"
	"trafficgpt/interp/rt"
	"trafficgpt/interp/symbols"
)

// sessionPath is the import path of the functions that only the engine calls.
const sessionPath = "session·"

// nativeType gives the compiled type a declared type stands for.
func nativeType(obj *types.TypeName) reflect.Type {
	if obj.Pkg() == nil {
		return nil
	}
	v, ok := symbols.Table(obj.Pkg().Path())[obj.Name()]
	if !ok || v.Kind() != reflect.Pointer || !v.IsNil() {
		return nil
	}
	return v.Type().Elem()
}

// native gives the compiled value of a function or the address of a variable.
func (s *Session) native(obj types.Object) reflect.Value {
	if obj == nil || obj.Pkg() == nil {
		return reflect.Value{}
	}
	path := obj.Pkg().Path()
	if path == sessionPath {
		return s.hidden()[obj.Name()]
	}
	v, ok := symbols.Table(path)[obj.Name()]
	if !ok {
		return reflect.Value{}
	}
	if r := s.replaced(path + "." + obj.Name()); r.IsValid() {
		return r
	}
	if _, isVar := obj.(*types.Var); isVar && v.CanAddr() {
		return v.Addr()
	}
	return guarded(path, obj.Name(), v)
}

// hidden are the functions of the session package.
func (s *Session) hidden() map[string]reflect.Value {
	return map[string]reflect.Value{
		"Show": reflect.ValueOf(func(v ...any) { s.shown = v }),
		"Fail": reflect.ValueOf(func(err error) { panic(mustFailure{err}) }),
	}
}

// mustFailure is the panic of must.
type mustFailure struct{ err error }

// importer finds packages: the standard library's generic ones from source,
// all others from their export data.
type importer struct {
	base  string // the notebook's folder, absolute
	fset  *token.FileSet
	texts map[string]string // what was read, by the name that positions have

	source map[string]*types.Package
	asts   map[string]sourcePackage

	local   map[string]*localPackage // by folder
	byTypes map[*types.Package]*localPackage
	reading []string // folders that are being read
}

type sourcePackage struct {
	files []*ast.File
	info  *types.Info
}

// fromSource are the packages whose generic functions are lowered from source.
var fromSource = map[string]bool{"slices": true, "maps": true, "cmp": true, "iter": true}

func newImporter(base string, fset *token.FileSet, texts map[string]string) *importer {
	return &importer{base: base, fset: fset, texts: texts, source: map[string]*types.Package{}, asts: map[string]sourcePackage{},
		local: map[string]*localPackage{}, byTypes: map[*types.Package]*localPackage{}}
}

// Import implements types.Importer.
func (im *importer) Import(path string) (*types.Package, error) {
	if p := im.source[path]; p != nil {
		return p, nil
	}
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if fromSource[path] {
		return im.fromSource(path)
	}
	if dir, ok := im.folder(path, ""); ok && !symbols.Has(path) {
		if p := im.local[dir]; p != nil {
			return p.pkg, nil
		}
		p, err := im.readLocal(dir)
		if err != nil {
			return nil, err
		}
		return p.pkg, nil
	}
	return symbols.Types(path)
}

func (im *importer) fromSource(path string) (*types.Package, error) {
	var names []string
	src := symbols.Sources(path)
	if path == "iter" {
		src = map[string][]byte{"iter.go": []byte(iterSource)}
	}
	for n := range src {
		names = append(names, n)
	}
	sort.Strings(names)
	var files []*ast.File
	for _, n := range names {
		f, err := parseSource(im.fset, path+"/"+n, src[n])
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if text := overlays[path]; text != "" {
		f, err := parseSource(im.fset, path+"/overlay.go", text)
		if err != nil {
			return nil, err
		}
		overlay(files, f)
	}
	return im.check(path, files)
}

func (im *importer) check(path string, files []*ast.File) (*types.Package, error) {
	info := newInfo()
	conf := types.Config{Importer: im, GoVersion: goVersion, DisableUnusedImportCheck: true}
	pkg, err := conf.Check(path, im.fset, files, info)
	if err != nil {
		return nil, err
	}
	im.source[path] = pkg
	im.asts[path] = sourcePackage{files, info}
	return pkg, nil
}

// addPackage makes an imported package, and those it mentions, known to ssa.
func (s *Session) addPackage(p *types.Package) {
	if s.prog.Package(p) != nil {
		return
	}
	// Export data of one package holds only what it mentions of another, and
	// ssa notes the members of a package once: it must be whole by then.
	if !p.Complete() && symbols.Has(p.Path()) {
		if whole, err := symbols.Types(p.Path()); err == nil {
			p = whole
		}
	}
	if sp, ok := s.importer.asts[p.Path()]; ok && s.importer.source[p.Path()] == p {
		for _, imp := range p.Imports() {
			s.addPackage(imp)
		}
		s.prog.CreatePackage(p, sp.files, sp.info, true).Build()
		return
	}
	if lp := s.importer.byTypes[p]; lp != nil {
		s.addLocal(lp)
		return
	}
	s.prog.CreatePackage(p, nil, nil, true)
	for _, imp := range p.Imports() {
		s.addPackage(imp)
	}
}

// unknownImport explains why a path cannot be imported.
func unknownImport(path string) string {
	if path == "C" {
		return "cgo cannot be used in cells"
	}
	var near []string
	base := path[strings.LastIndex(path, "/")+1:]
	for _, p := range symbols.Paths() {
		if b := p[strings.LastIndex(p, "/")+1:]; b == base || strings.Contains(p, path) || len(base) > 3 && strings.HasPrefix(b, base[:3]) {
			near = append(near, p)
		}
	}
	if len(near) > 5 {
		near = near[:5]
	}
	msg := fmt.Sprintf("package %s cannot be imported: cells import the standard library, gonum and this project's packages", path)
	if len(near) > 0 {
		msg += "; near: " + strings.Join(near, ", ")
	}
	return msg
}

// replaced gives session-aware versions of functions of the standard library.
func (s *Session) replaced(name string) reflect.Value {
	if f, ok := s.replacements()[name]; ok {
		return reflect.ValueOf(f)
	}
	if f, ok := s.borderFunctions()[name]; ok {
		return reflect.ValueOf(f)
	}
	return reflect.Value{}
}

func (s *Session) replacements() map[string]any {
	return map[string]any{
		"fmt.Print":   func(a ...any) (int, error) { return fmt.Fprint(stdoutOf{s.out}, rt.PrepareOperands(a)...) },
		"fmt.Println": func(a ...any) (int, error) { return fmt.Fprintln(stdoutOf{s.out}, a...) },
		"fmt.Printf":  func(f string, a ...any) (int, error) { return fprintf(stdoutOf{s.out}, f, a...) },
		"fmt.Sprint":  func(a ...any) string { return fmt.Sprint(rt.PrepareOperands(a)...) },
		"fmt.Sprintf": sprintf,
		"fmt.Fprint": func(w io.Writer, a ...any) (int, error) {
			return fmt.Fprint(late(w), rt.PrepareOperands(a)...)
		},
		"fmt.Fprintln": func(w io.Writer, a ...any) (int, error) { return fmt.Fprintln(late(w), a...) },
		"fmt.Fprintf": func(w io.Writer, f string, a ...any) (int, error) {
			return fprintf(late(w), f, a...)
		},
		"fmt.Errorf":  errorf,
		"fmt.Appendf": func(b []byte, f string, a ...any) []byte { return append(b, sprintf(f, a...)...) },
		"fmt.Append":  func(b []byte, a ...any) []byte { return fmt.Append(b, rt.PrepareOperands(a)...) },
		"time.Sleep":  s.sleep,
		"time.AfterFunc": func(d time.Duration, f func()) *time.Timer {
			return time.AfterFunc(d, display.Bind(func() { s.world.Guard(f) }))
		},
		"context.AfterFunc": func(ctx context.Context, f func()) func() bool {
			return context.AfterFunc(ctx, display.Bind(func() { s.world.Guard(f) }))
		},
		"os.Exit": s.exit,
	}
}

// method gives the session's own form of methods that block, so that an
// interrupt ends them.
func (s *Session) method(m *types.Func) reflect.Value {
	if m.Pkg() == nil {
		return reflect.Value{}
	}
	recv := s.world.TypeString(m.Signature().Recv().Type())
	switch m.Pkg().Path() {
	case "os":
		return fileMethod(recv + "." + m.Name())
	case "sync":
	case "encoding/json":
		return s.jsonMethod(recv + "." + m.Name())
	default:
		return s.guardedMethod(m)
	}
	c := &s.world.Control
	switch recv + "." + m.Name() {
	case "*sync.Mutex.Lock":
		return reflect.ValueOf(func(m *sync.Mutex) { c.Acquire(m.TryLock) })
	case "*sync.RWMutex.Lock":
		return reflect.ValueOf(func(m *sync.RWMutex) { c.Acquire(m.TryLock) })
	case "*sync.RWMutex.RLock":
		return reflect.ValueOf(func(m *sync.RWMutex) { c.Acquire(m.TryRLock) })
	case "*sync.WaitGroup.Wait":
		return reflect.ValueOf(func(wg *sync.WaitGroup) { c.Await(wg.Wait) })
	case "*sync.Cond.Wait":
		return reflect.ValueOf(func(cond *sync.Cond) { c.Await(cond.Wait) })
	case "*sync.WaitGroup.Go":
		return reflect.ValueOf(func(wg *sync.WaitGroup, f func()) {
			wg.Add(1)
			s.world.Go(func() { defer wg.Done(); f() })
		})
	}
	return reflect.Value{}
}

// jsonMethod gives the methods of encoding/json that look into cell types.
func (s *Session) jsonMethod(name string) reflect.Value {
	switch name {
	case "*json.Encoder.Encode":
		return reflect.ValueOf(func(e *json.Encoder, v any) error { return s.world.JSONError(e.Encode(v)) })
	case "*json.Decoder.Decode":
		return reflect.ValueOf(rt.DecodeJSON)
	}
	return reflect.Value{}
}

// guardedMethod is guarded for methods.
func (s *Session) guardedMethod(m *types.Func) reflect.Value {
	path := m.Pkg().Path()
	if isOpaque(path) || m.Signature().Params().Len() == 0 {
		return reflect.Value{}
	}
	recv := s.world.Type(m.Signature().Recv().Type())
	rm, ok := recv.MethodByName(m.Name())
	if !ok || recv.Kind() == reflect.Interface {
		return reflect.Value{}
	}
	return guarded(path, m.Name(), rm.Func)
}

// exit is os.Exit.
func (s *Session) exit(code int) {
	if s.opts.Exit != nil {
		s.opts.Exit(code)
	}
	s.world.Control.Exiting.Store(true)
	panic(rt.Exit(code))
}
