package session

import (
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"trafficgpt/interp/symbols"
)

// UserPackages finds the packages of the user's that cells in a folder import,
// for those who read them without running anything.
type UserPackages struct {
	im *importer
}

// UserPackage is one such package.
type UserPackage struct {
	Path  string // from the notebook: "./dir"
	Types *types.Package
	Files map[string][]byte // by base name
	// Imports maps each import path in Files that is of the user's to the Path
	// of the package it means.
	Imports map[string]string
}

// NewUserPackages looks in dir, the notebook's folder.
func NewUserPackages(dir string) (*UserPackages, error) {
	base, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &UserPackages{newImporter(base, symbols.FileSet(), map[string]string{})}, nil
}

// Load returns the package that a cell imports by a path, nil if the path is
// not of the user's.
func (u *UserPackages) Load(path string) (*UserPackage, error) {
	if symbols.Has(path) {
		return nil, nil
	}
	dir, ok := u.im.folder(path, "")
	if !ok {
		return nil, nil
	}
	p, err := u.im.readLocal(dir)
	if f, ok := err.(*localFailure); ok {
		if list, ok := f.err.(typeErrors); ok {
			return nil, list[0]
		}
		return nil, f.err
	}
	if err != nil {
		return nil, err
	}
	return u.describe(p)
}

// All lists the packages loaded so far and those they import.
func (u *UserPackages) All() ([]*UserPackage, error) {
	var list []*UserPackage
	for _, p := range u.im.local {
		d, err := u.describe(p)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *UserPackage) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func (u *UserPackages) describe(p *localPackage) (*UserPackage, error) {
	_, texts, _, err := u.im.localSource(p.dir)
	if err != nil {
		return nil, err
	}
	d := &UserPackage{Path: p.path, Types: p.pkg, Files: texts, Imports: map[string]string{}}
	for _, f := range p.files {
		for _, is := range f.Imports {
			path, err := strconv.Unquote(is.Path.Value)
			if err != nil || path == "unsafe" || symbols.Has(path) {
				continue
			}
			if dir, ok := u.im.folder(path, p.dir); ok {
				d.Imports[path] = u.im.localPath(dir)
			}
		}
	}
	return d, nil
}

// Rewritten is the text of a file of the package with its imports of other
// packages of the user's under the paths that name gives them.
func (p *UserPackage) Rewritten(file string, name func(path string) string) ([]byte, error) {
	text := p.Files[file]
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	out := string(text)
	for _, is := range slices.Backward(f.Imports) {
		path, _ := strconv.Unquote(is.Path.Value) // it was parsed before
		if to := p.Imports[path]; to != "" {
			from, end := fset.Position(is.Path.Pos()).Offset, fset.Position(is.Path.End()).Offset
			out = out[:from] + strconv.Quote(name(to)) + out[end:]
		}
	}
	return []byte(out), nil
}
