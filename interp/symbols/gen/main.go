// Command gen writes what interp/symbols embeds: for every package a cell may
// import a table of its symbols, its types as export data, its documentation,
// and for packages of the standard library with generic symbols the sources
// those are lowered from. It reads what the go command built, so it shows
// whatever the packages export when it runs.
//
// Run it from the module's root:
//
//	go run ./interp/symbols/gen
//
// With -check it only says whether that would change anything.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"trafficgpt/atomicfile"

	"golang.org/x/tools/go/gcexportdata"
)

// patterns are the packages beside the module's own that cells may import, as go list takes them.
var patterns = []string{
	"std",
	"github.com/google/gopacket", "github.com/google/gopacket/layers", "github.com/google/gopacket/pcapgo",
	"gonum.org/v1/gonum/blas", "gonum.org/v1/gonum/blas/blas64",
	"gonum.org/v1/gonum/cmplxs", "gonum.org/v1/gonum/diff/fd",
	"gonum.org/v1/gonum/dsp/fourier", "gonum.org/v1/gonum/dsp/window",
	"gonum.org/v1/gonum/floats", "gonum.org/v1/gonum/floats/scalar",
	"gonum.org/v1/gonum/graph", "gonum.org/v1/gonum/graph/community", "gonum.org/v1/gonum/graph/encoding",
	"gonum.org/v1/gonum/graph/encoding/dot", "gonum.org/v1/gonum/graph/multi", "gonum.org/v1/gonum/graph/network",
	"gonum.org/v1/gonum/graph/path", "gonum.org/v1/gonum/graph/simple", "gonum.org/v1/gonum/graph/topo",
	"gonum.org/v1/gonum/graph/traverse",
	"gonum.org/v1/gonum/integrate", "gonum.org/v1/gonum/integrate/quad", "gonum.org/v1/gonum/interp",
	"gonum.org/v1/gonum/mat", "gonum.org/v1/gonum/mathext", "gonum.org/v1/gonum/mathext/prng",
	"gonum.org/v1/gonum/num/quat", "gonum.org/v1/gonum/optimize",
	"gonum.org/v1/gonum/spatial/kdtree", "gonum.org/v1/gonum/spatial/r2", "gonum.org/v1/gonum/spatial/r3",
	"gonum.org/v1/gonum/stat", "gonum.org/v1/gonum/stat/combin", "gonum.org/v1/gonum/stat/distmat",
	"gonum.org/v1/gonum/stat/distmv", "gonum.org/v1/gonum/stat/distuv", "gonum.org/v1/gonum/stat/mds",
	"gonum.org/v1/gonum/stat/samplemv", "gonum.org/v1/gonum/stat/sampleuv", "gonum.org/v1/gonum/stat/spatial",
	"gonum.org/v1/plot", "gonum.org/v1/plot/font", "gonum.org/v1/plot/font/liberation",
	"gonum.org/v1/plot/palette", "gonum.org/v1/plot/palette/brewer", "gonum.org/v1/plot/palette/moreland",
	"gonum.org/v1/plot/plotter", "gonum.org/v1/plot/plotutil", "gonum.org/v1/plot/text",
	"gonum.org/v1/plot/vg", "gonum.org/v1/plot/vg/draw", "gonum.org/v1/plot/vg/recorder",
	"gonum.org/v1/plot/vg/vgeps", "gonum.org/v1/plot/vg/vgimg", "gonum.org/v1/plot/vg/vgpdf",
	"gonum.org/v1/plot/vg/vgsvg", "gonum.org/v1/plot/vg/vgtex",
}

// leftOut says why a package that the patterns match cannot be imported.
var leftOut = map[string]string{
	"unsafe":         "needs the compiler",
	"builtin":        "is the language itself, and a package only for its documentation",
	"syscall":        "differs from one system to the next; os and net have what is portable",
	"plugin":         "would make the linker keep every symbol of the program",
	"expvar":         "its import alone serves /debug/vars on the default HTTP server",
	"net/http/pprof": "its import alone serves /debug/pprof on the default HTTP server",
	"runtime/cgo":    "needs cgo",
	"runtime/race":   "needs cgo",
}

// notLowered are packages whose generic symbols are bound to the compiled
// runtime, so that their sources, of 3 MB, would serve nothing.
var notLowered = map[string]bool{"runtime": true, "reflect": true}

// pkg is one package as go list describes it, with its types.
type pkg struct {
	ImportPath, Name, Dir, Export string
	Doc                           string
	Standard                      bool
	GoFiles, Imports              []string
	Error                         *struct{ Err string }
	DepsErrors                    []*struct{ Err string }

	types *types.Package
}

func main() {
	out := flag.String("o", filepath.Join("interp", "symbols"), "directory to write to")
	skip := flag.Bool("skip-broken", false, "leave out packages that do not build, with a note, instead of failing")
	own := flag.String("own", "./display/... ./lib/... ./tokenizer/... ./model/...", "the module's own packages, as patterns")
	check := flag.Bool("check", false, "write nothing; fail if anything would change")
	flag.Parse()
	put := write
	if *check {
		put = compare
	}
	if err := generate(put, *out, append(strings.Fields(*own), patterns...), *skip); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(put func(string, map[string][]byte) error, out string, patterns []string, skipBroken bool) error {
	all, err := list(patterns, skipBroken)
	if err != nil {
		return err
	}
	pkgs := slices.DeleteFunc(all, func(p *pkg) bool { return !importable(p) })
	ld := &loader{fset: token.NewFileSet(), imports: make(map[string]*types.Package)}
	var generic []*pkg
	for _, p := range pkgs {
		if err := ld.load(p); err != nil {
			return err
		}
		if p.Standard && !notLowered[p.ImportPath] && hasGenerics(p.types.Scope()) {
			generic = append(generic, p)
		}
	}
	hidden, err := internalImports(generic, ld)
	if err != nil {
		return err
	}

	files := make(map[string][]byte)
	paths := make(map[string]bool)
	for _, p := range pkgs {
		paths[p.ImportPath] = true
	}
	for _, p := range pkgs {
		src, err := table(p, paths)
		if err != nil {
			return fmt.Errorf("failed to print the table of %s: %w", p.ImportPath, err)
		}
		files[tableFile(p.ImportPath)] = src
	}
	builtin, err := list([]string{"builtin"}, false)
	if err != nil {
		return err
	}
	docs, synopses, err := documentation(append(slices.Clone(pkgs), builtin...))
	if err != nil {
		return err
	}
	if files["docs.zip"], err = pack(docs); err != nil {
		return err
	}
	if files["index.go"], err = index(pkgs, synopses); err != nil {
		return err
	}
	if files["exports.zip"], err = ld.exports(append(slices.Clone(pkgs), hidden...)); err != nil {
		return err
	}
	if files["sources.zip"], err = sources(generic); err != nil {
		return err
	}
	return put(out, files)
}

// list asks the go command for the packages, built, in the order of their
// import paths.
func list(patterns []string, skipBroken bool) ([]*pkg, error) {
	args := []string{"list", "-export", "-trimpath", "-json=ImportPath,Name,Dir,Export,Doc,Standard,GoFiles,Imports,Error,DepsErrors"}
	if skipBroken {
		args = append(args, "-e")
	}
	cmd := exec.Command("go", append(append(args, "--"), patterns...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("failed to list the packages: %w\n%s", err, &stderr)
	}
	var pkgs []*pkg
	for dec := json.NewDecoder(&stdout); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("failed to read the list of packages: %w", err)
		}
		if p.Error == nil && len(p.GoFiles) == 0 {
			continue // only tests
		}
		if p.Error != nil || len(p.DepsErrors) > 0 || p.Export == "" && p.ImportPath != "unsafe" && p.ImportPath != "builtin" {
			if skipBroken {
				fmt.Fprintf(os.Stderr, "gen: left out %s, which does not build\n", p.ImportPath)
				continue
			}
			return nil, fmt.Errorf("%s does not build", p.ImportPath)
		}
		pkgs = append(pkgs, p)
	}
	slices.SortFunc(pkgs, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return pkgs, nil
}

func importable(p *pkg) bool {
	if p.Name == "main" || leftOut[p.ImportPath] != "" {
		return false
	}
	return !slices.ContainsFunc(strings.Split(p.ImportPath, "/"), func(s string) bool {
		return s == "internal" || s == "vendor"
	})
}

// loader reads export data; packages share what they import.
type loader struct {
	fset    *token.FileSet
	imports map[string]*types.Package
}

func (ld *loader) load(p *pkg) error {
	f, err := os.Open(p.Export)
	if err != nil {
		return err
	}
	defer f.Close()
	//lint:ignore SA1019 what go list names is an archive up to Go 1.28
	r, err := gcexportdata.NewReader(f)
	if err != nil {
		return fmt.Errorf("failed to find the export data of %s: %w", p.ImportPath, err)
	}
	p.types, err = gcexportdata.Read(r, ld.fset, ld.imports, p.ImportPath)
	if err != nil {
		return fmt.Errorf("failed to read the export data of %s: %w", p.ImportPath, err)
	}
	return nil
}

// exports packs the types of the packages. Written anew rather than copied,
// since what the compiler wrote holds the bodies of inlined functions too; and
// without positions, which no cell is shown and which would change the file
// with every line that moves in a library.
func (ld *loader) exports(pkgs []*pkg) ([]byte, error) {
	files := make(map[string][]byte)
	for _, p := range pkgs {
		var buf bytes.Buffer
		if err := gcexportdata.Write(&buf, nil, p.types); err != nil {
			return nil, fmt.Errorf("failed to write the export data of %s: %w", p.ImportPath, err)
		}
		files[p.ImportPath] = buf.Bytes()
	}
	return pack(files)
}

func hasGenerics(scope *types.Scope) bool {
	for _, name := range scope.Names() {
		if obj := scope.Lookup(name); obj.Exported() && isGeneric(obj) {
			return true
		}
	}
	return false
}

// internalImports loads the internal packages that the sources of the generic
// ones import, so that those sources type-check; cells cannot import them.
func internalImports(generic []*pkg, ld *loader) ([]*pkg, error) {
	var paths []string
	for _, p := range generic {
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "internal/") && !slices.Contains(paths, imp) {
				paths = append(paths, imp)
			}
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	hidden, err := list(paths, false)
	if err != nil {
		return nil, err
	}
	for _, p := range hidden {
		if err := ld.load(p); err != nil {
			return nil, err
		}
	}
	return hidden, nil
}

// sources packs the files of the standard library's generic packages.
func sources(pkgs []*pkg) ([]byte, error) {
	files := make(map[string][]byte)
	for _, p := range pkgs {
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			files[p.ImportPath+"/"+name] = src
		}
	}
	return pack(files)
}

// compare fails if the generated files of dir are not files. Another toolchain
// has another standard library: then there is nothing to compare.
func compare(dir string, files map[string][]byte) error {
	index, err := os.ReadFile(filepath.Join(dir, "index.go"))
	if err != nil {
		return err
	}
	if line := fmt.Sprintf("const goVersion = %q", goVersion()); !bytes.Contains(index, []byte(line)) {
		fmt.Fprintf(os.Stderr, "gen: %s was generated by another toolchain than %s: not compared\n", dir, goVersion())
		return nil
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*_table.go"))
	if err != nil {
		return err
	}
	var stale []string
	for _, path := range tables {
		if _, ok := files[filepath.Base(path)]; !ok {
			stale = append(stale, filepath.Base(path))
		}
	}
	for name, data := range files {
		if was, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(was, data) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("stale, run go run ./interp/symbols/gen: %s", strings.Join(stale, ", "))
	}
	return nil
}

// write replaces the generated files of dir by files.
func write(dir string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(dir, "*_table.go"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if was, err := os.ReadFile(path); err == nil && bytes.Equal(was, data) {
			continue // keeps its time, so that nothing is compiled in vain
		}
		if err := atomicfile.WriteBytes(path, data); err != nil {
			return err
		}
	}
	return nil
}

func goVersion() string { return runtime.Version() }
