package session

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"trafficgpt/interp/symbols"
)

// Packages of the user's own are read from folders: import "./dir" means the
// folder beside the notebook, whatever %cd has done since, and in a file of
// such a package the folder beside that file. An import path within the module
// whose go.mod lies above is found too. Importing again reads again what has
// changed on disk; earlier cells that use the package follow.

// localPackage is a package read from a folder.
type localPackage struct {
	dir   string // absolute
	path  string // from the notebook's folder: "./dir"
	sum   [sha256.Size]byte
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
	deps  []*localPackage
	ready bool // its variables are set and its init functions have run
}

// localFailure carries the errors of a package through go/types, which knows
// only the import that failed.
type localFailure struct{ err error }

func (f *localFailure) Error() string { return f.err.Error() }

// folder finds the folder that a path imported in folder from stands for.
func (im *importer) folder(path, from string) (dir string, ok bool) {
	if !filepath.IsAbs(from) {
		from = filepath.Join(im.base, from)
	}
	if isRelative(path) {
		return filepath.Join(from, filepath.FromSlash(path)), true
	}
	root, module := moduleOf(from)
	if rest, ok := strings.CutPrefix(path+"/", module+"/"); ok && module != "" {
		return filepath.Join(root, filepath.FromSlash(rest)), true
	}
	return "", false
}

func isRelative(path string) bool {
	return path == "." || path == ".." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../")
}

// moduleOf finds the module that a folder is in, "" if it is in none.
func moduleOf(dir string) (root, module string) {
	for ; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			for line := range strings.Lines(string(data)) {
				if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
					return dir, strings.Trim(f[1], `"`)
				}
			}
			return "", ""
		}
		if dir == filepath.Dir(dir) {
			return "", ""
		}
	}
}

// localPath is the import path of a folder: the way to it from the notebook.
func (im *importer) localPath(dir string) string {
	rel, err := filepath.Rel(im.base, dir)
	if err != nil {
		return filepath.ToSlash(dir)
	}
	if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, "../") {
		rel = "./" + rel
	}
	return rel
}

// localSource reads the Go files of a folder that belong to this system.
func (im *importer) localSource(dir string) (names []string, texts map[string][]byte, sum [sha256.Size]byte, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, sum, im.noFolder(dir)
	}
	texts = map[string][]byte{}
	h := sha256.New()
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, name); err == nil && !ok {
			continue // for another system, or by its constraints
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, sum, err
		}
		names = append(names, name)
		texts[name] = data
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	if len(names) == 0 {
		return nil, nil, sum, fmt.Errorf("there are no Go files in %s", dir)
	}
	h.Sum(sum[:0])
	return names, texts, sum, nil
}

// noFolder says that a folder is not there, and which are.
func (im *importer) noFolder(dir string) error {
	var near []string
	for _, at := range slices.Compact([]string{filepath.Dir(dir), im.base}) {
		entries, _ := os.ReadDir(at) // none are near a folder that cannot be read
		for _, e := range entries {
			if goFiles, _ := filepath.Glob(filepath.Join(at, e.Name(), "*.go")); e.IsDir() && len(goFiles) > 0 {
				near = append(near, im.localPath(filepath.Join(at, e.Name())))
			}
		}
	}
	msg := fmt.Sprintf("there is no folder %s", dir)
	if len(near) > 0 {
		msg += "; near: " + strings.Join(near[:min(len(near), 5)], ", ")
	}
	return errors.New(msg)
}

// fresh reports whether a package and all it imports are as on disk.
func (im *importer) fresh(p *localPackage) bool {
	if im.local[p.dir] != p {
		return false
	}
	_, _, sum, err := im.localSource(p.dir)
	if err != nil || sum != p.sum {
		return false
	}
	return !slices.ContainsFunc(p.deps, func(d *localPackage) bool { return !im.fresh(d) })
}

// readLocal returns the package of a folder, read again if it has changed.
func (im *importer) readLocal(dir string) (*localPackage, error) {
	if p := im.local[dir]; p != nil && im.fresh(p) {
		return p, nil
	}
	if slices.Contains(im.reading, dir) {
		return nil, fmt.Errorf("import cycle: %s imports itself", im.localPath(dir))
	}
	im.reading = append(im.reading, dir)
	defer func() { im.reading = im.reading[:len(im.reading)-1] }()
	names, texts, sum, err := im.localSource(dir)
	if err != nil {
		return nil, err
	}
	p := &localPackage{dir: dir, path: im.localPath(dir), sum: sum, info: newInfo()}
	if err := im.parseLocal(p, names, texts); err != nil {
		return nil, &localFailure{err}
	}
	if err := im.checkLocal(p); err != nil {
		return nil, &localFailure{err}
	}
	im.local[dir] = p
	im.byTypes[p.pkg] = p
	return p, nil
}

func (im *importer) parseLocal(p *localPackage, names []string, texts map[string][]byte) error {
	var bad scanner.ErrorList
	for _, name := range names {
		shown := strings.TrimPrefix(p.path, "./") + "/" + name
		if p.path == "./." {
			shown = name
		}
		im.texts[shown] = string(texts[name])
		f, err := parseLocalFile(im.fset, shown, texts[name])
		if list, ok := syntaxErrors(err); ok {
			bad = append(bad, list...)
			continue
		} else if err != nil {
			return err
		}
		p.files = append(p.files, f)
	}
	if len(bad) > 0 {
		return bad
	}
	return im.localRules(p)
}

// localRules finds what go/types would not: a program, files of two packages,
// cgo and embedded files.
func (im *importer) localRules(p *localPackage) error {
	at := func(pos token.Pos, format string, args ...any) error {
		return typeErrors{{Fset: im.fset, Pos: pos, Msg: fmt.Sprintf(format, args...)}}
	}
	first := p.files[0].Name
	for _, f := range p.files {
		if f.Name.Name == "main" {
			return at(f.Name.Pos(), "%s is a program (package main), which cannot be imported", p.path)
		}
		if f.Name.Name != first.Name {
			return at(f.Name.Pos(), "package %s stands beside package %s in one folder", f.Name.Name, first.Name)
		}
		for _, g := range f.Comments {
			for _, c := range g.List {
				if strings.HasPrefix(c.Text, "//go:embed ") {
					return at(c.Pos(), "embedded files are not supported in packages that cells import: read the file")
				}
			}
		}
		for _, is := range f.Imports {
			path, err := strconv.Unquote(is.Path.Value)
			if err != nil || path == "unsafe" || symbols.Has(path) {
				continue
			}
			if _, ok := im.folder(path, p.dir); !ok {
				return at(is.Path.Pos(), "%s", unknownImport(path))
			}
		}
	}
	return nil
}

func (im *importer) checkLocal(p *localPackage) error {
	var errs typeErrors
	var failed *localFailure
	from := &localImporter{im: im, p: p, failed: func(f *localFailure) { failed = f }}
	conf := types.Config{Importer: from, GoVersion: goVersion, Error: func(err error) {
		if e, ok := err.(types.Error); ok {
			errs = append(errs, e)
		}
	}}
	pkg := types.NewPackage(p.path, p.files[0].Name.Name)
	_ = types.NewChecker(&conf, im.fset, pkg, p.info).Files(p.files)
	switch {
	case failed != nil:
		return failed.err
	case len(errs) > 0:
		return errs
	}
	p.pkg = pkg
	mend(p.files, p.info)
	return nil
}

// localImporter serves the imports of one package and notes them.
type localImporter struct {
	im     *importer
	p      *localPackage
	failed func(*localFailure)
}

func (l *localImporter) Import(path string) (*types.Package, error) {
	if path == "unsafe" || symbols.Has(path) {
		return l.im.Import(path)
	}
	dir, ok := l.im.folder(path, l.p.dir)
	if !ok {
		return nil, errors.New(unknownImport(path))
	}
	d, err := l.im.readLocal(dir)
	if f, ok := err.(*localFailure); ok {
		l.failed(f)
	}
	if err != nil {
		return nil, err
	}
	l.p.deps = append(l.p.deps, d)
	return d.pkg, nil
}

// initLocal loads what sets the variables of a package of the user's, and of
// those it imports, unless that was run. The returned function runs it.
func (s *Session) initLocal(pkg *types.Package) (run func(), err error) {
	if s.importer.byTypes[pkg] == nil {
		return nil, nil
	}
	s.addPackage(pkg)
	var waiting []*localPackage
	var entries []func()
	seen := map[*localPackage]bool{}
	var visit func(p *localPackage) error
	visit = func(p *localPackage) error {
		if p == nil || p.ready || seen[p] {
			return nil
		}
		seen[p] = true
		for _, d := range p.deps {
			if err := visit(d); err != nil {
				return err
			}
		}
		entry, err := s.load(s.prog.Package(p.pkg).Func("init"))
		if err != nil {
			return err
		}
		waiting, entries = append(waiting, p), append(entries, entry)
		return nil
	}
	if err := visit(s.importer.byTypes[pkg]); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, nil
	}
	return func() {
		for i, entry := range entries {
			done := false
			func() {
				defer func() {
					if !done { // a half made package is nobody's
						s.forgetLocal(waiting[i:])
					}
				}()
				entry()
				done = true
			}()
			waiting[i].ready = true
		}
	}, nil
}

// forgetLocal makes the session forget packages whose initialisation failed.
func (s *Session) forgetLocal(list []*localPackage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		delete(s.importer.local, p.dir)
		maps.DeleteFunc(s.imports, func(_, path string) bool { return path == p.path })
	}
}

// addLocal makes a package known to ssa, after those it imports.
func (s *Session) addLocal(p *localPackage) {
	for _, imp := range p.pkg.Imports() {
		s.addPackage(imp)
	}
	s.prog.CreatePackage(p.pkg, p.files, p.info, true).Build()
}

// retypeLocal finds the types that a package read again replaces.
func (c *checker) retypeLocal(old, now *types.Package) {
	for _, name := range old.Scope().Names() {
		was, ok1 := old.Scope().Lookup(name).(*types.TypeName)
		is, ok2 := now.Scope().Lookup(name).(*types.TypeName)
		if ok1 && ok2 {
			c.replaced = append(c.replaced, replacedType{was, is})
		}
	}
}
