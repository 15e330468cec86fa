package progen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"sort"
	"strings"

	"trafficgpt/interp/symbols"
)

// imports are the packages that programs use, by the names they go by.
var imports = map[string]string{
	"cmp": "cmp", "errors": "errors", "fmt": "fmt", "io": "io", "json": "encoding/json", "maps": "maps", "math": "math",
	"slices": "slices", "sort": "sort", "strconv": "strconv", "strings": "strings", "sync": "sync", "bytes": "bytes", "iter": "iter",
	"cmplx": "math/cmplx", "bits": "math/bits", "atomic": "sync/atomic", "time": "time", "context": "context", "heap": "container/heap", "list": "container/list",
	"utf8": "unicode/utf8", "os": "os",
}

var used = regexp.MustCompile(`\b([a-z0-9]+)\.[A-Z]`)

// File completes a program to a file of package pkg.
func File(program, pkg string) string {
	seen := map[string]bool{}
	for _, m := range used.FindAllStringSubmatch(program, -1) {
		if p := imports[m[1]]; p != "" {
			seen[p] = true
		}
	}
	var paths []string
	for p := range seen {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\n", pkg)
	for _, p := range paths {
		fmt.Fprintf(&b, "import %q\n", p)
	}
	b.WriteString(program)
	return b.String()
}

type library struct{}

func (library) Import(path string) (*types.Package, error) { return symbols.Types(path) }

// Check type-checks a program and returns its errors.
func Check(program string) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", File(program, "main"), parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var errs []error
	conf := types.Config{Importer: library{}, GoVersion: "go1.26", Error: func(err error) {
		if len(errs) < 10 {
			errs = append(errs, err)
		}
	}}
	_, _ = conf.Check("main", fset, []*ast.File{f}, nil)
	return errors.Join(errs...)
}
