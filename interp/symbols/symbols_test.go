package symbols

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every exported symbol of every package is in its table unless it is
// generic, and is what its type says.
func TestTablesHoldWhatTypesSay(t *testing.T) {
	for _, path := range Paths() {
		p, err := Types(path)
		if err != nil {
			t.Errorf("Types(%q): %v", path, err)
			continue
		}
		if p.Path() != path || p.Name() != Name(path) || !p.Complete() {
			t.Errorf("Types(%q) = %v, complete: %v", path, p, p.Complete())
		}
		table := Table(path)
		for _, name := range p.Scope().Names() {
			obj := p.Scope().Lookup(name)
			if !obj.Exported() {
				continue
			}
			v, ok := table[name]
			if generic(obj) {
				if ok {
					t.Errorf("%s.%s is generic, yet in the table", path, name)
				}
				continue
			}
			if !ok {
				t.Errorf("%s.%s is missing", path, name)
				continue
			}
			if err := agrees(obj, v); err != nil {
				t.Errorf("%s.%s: %v", path, name, err)
			}
		}
	}
}

func generic(obj types.Object) bool {
	switch o := obj.(type) {
	case *types.Func:
		return o.Signature().TypeParams().Len() > 0
	case *types.TypeName:
		if it, ok := o.Type().Underlying().(*types.Interface); ok && !it.IsMethodSet() {
			return true
		}
		switch t := o.Type().(type) {
		case *types.Named:
			return t.TypeParams().Len() > 0
		case *types.Alias:
			return t.TypeParams().Len() > 0
		}
	}
	return false
}

func agrees(obj types.Object, v reflect.Value) error {
	switch o := obj.(type) {
	case *types.Func:
		sig := o.Signature()
		if v.Kind() != reflect.Func || v.IsNil() {
			return fmt.Errorf("a %v instead of a function", v.Kind())
		}
		if v.Type().NumIn() != sig.Params().Len() || v.Type().NumOut() != sig.Results().Len() || v.Type().IsVariadic() != sig.Variadic() {
			return fmt.Errorf("%v instead of %v", v.Type(), sig)
		}
	case *types.Var:
		if !v.CanSet() {
			return fmt.Errorf("a variable that cannot be set")
		}
	case *types.Const:
		if c, ok := v.Interface().(constant.Value); ok {
			if !constant.Compare(c, token.EQL, o.Val()) {
				return fmt.Errorf("%v instead of %v", c, o.Val())
			}
		} else if got := fmt.Sprintf("%d", v.Interface()); o.Val().Kind() == constant.Int && got != o.Val().ExactString() {
			return fmt.Errorf("%s instead of %v", got, o.Val())
		}
	case *types.TypeName:
		if v.Kind() != reflect.Pointer || !v.IsNil() {
			return fmt.Errorf("a %v instead of a nil pointer", v.Kind())
		}
		if named, ok := o.Type().(*types.Named); ok && v.Type().Elem().Name() != named.Obj().Name() {
			return fmt.Errorf("type %v", v.Type().Elem())
		}
	}
	return nil
}

func TestWrappersImplementTheirInterfaces(t *testing.T) {
	n := 0
	for _, path := range Paths() {
		for name, v := range Table(path) {
			if !strings.HasPrefix(name, "_") {
				continue
			}
			n++
			it := Table(path)[name[1:]].Type().Elem()
			if w := v.Type().Elem(); !w.Implements(it) {
				t.Errorf("%s.%s does not implement %v", path, name, it)
			} else if w.Field(0).Name != "IValue" || w.NumField() != it.NumMethod()+1 {
				t.Errorf("%s.%s has %d fields for %d methods", path, name, w.NumField(), it.NumMethod())
			}
		}
	}
	if n < 150 {
		t.Errorf("only %d interfaces have a wrapper", n)
	}
}

func TestWhatCellsImport(t *testing.T) {
	if f := Table("strings")["ToUpper"].Interface().(func(string) string); f("ab") != "AB" {
		t.Error("strings.ToUpper does not work")
	}
	if Table("os")["Stdout"].Interface().(*os.File) != os.Stdout {
		t.Error("os.Stdout is another")
	}
	pi, _ := constant.Float64Val(Table("math")["Pi"].Interface().(constant.Value))
	if pi != math.Pi {
		t.Errorf("math.Pi = %v", pi)
	}
	if d := Table("time")["Second"].Interface(); d != time.Second {
		t.Errorf("time.Second = %v", d)
	}
	// Symbols of Go 1.23 to 1.26.
	for path, name := range map[string]string{"strings": "Lines", "bytes": "FieldsSeq", "testing/synctest": "Test", "log/slog": "NewMultiHandler"} {
		if !Table(path)[name].IsValid() {
			t.Errorf("%s.%s is missing", path, name)
		}
	}
	for _, path := range []string{"unsafe", "syscall", "internal/abi", "plugin", "nowhere"} {
		if Has(path) || Table(path) != nil {
			t.Errorf("%s can be imported", path)
		}
	}
	if _, err := Types("nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Types of an unknown package: %v", err)
	}
	if Name("math/rand/v2") != "rand" || !strings.HasPrefix(Synopsis("fmt"), "Package fmt implements") {
		t.Error("names or synopses are wrong")
	}
}

// Packages share what they mention, whichever is read first.
func TestTypesAreShared(t *testing.T) {
	var wg sync.WaitGroup
	for _, path := range []string{"net/http", "io", "bufio", "io", "net/http"} {
		wg.Go(func() {
			if _, err := Types(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	httpPkg, _ := Types("net/http")
	ioPkg, _ := Types("io")
	body := httpPkg.Scope().Lookup("NewRequest").(*types.Func).Signature().Params().At(2)
	if !types.Identical(body.Type(), ioPkg.Scope().Lookup("Reader").Type()) {
		t.Errorf("net/http mentions another io.Reader: %v", body)
	}
	// A line that moves in lib/ or model/ must not change exports.zip.
	if obj := ioPkg.Scope().Lookup("Copy"); obj.Pos().IsValid() {
		t.Errorf("io.Copy is declared at %v: types are packed without positions", FileSet().Position(obj.Pos()))
	}
}

func TestSourcesOfGenericPackages(t *testing.T) {
	for _, path := range []string{"slices", "maps", "cmp", "iter", "sync/atomic", "sync", "unique"} {
		files := Sources(path)
		if len(files) == 0 {
			t.Errorf("no sources of %s", path)
		}
		for name, src := range files {
			if !strings.HasSuffix(name, ".go") || !strings.Contains(string(src), "package "+Name(path)) {
				t.Errorf("%s/%s is not its source", path, name)
			}
		}
	}
	if Sources("fmt") != nil || Sources("nowhere") != nil {
		t.Error("fmt is not generic")
	}
}

func TestDocumentation(t *testing.T) {
	for _, c := range []struct{ path, symbol, decl, doc string }{
		{"fmt", "Printf", "func Printf(format string, a ...any) (n int, err error)", "Printf formats according to"},
		{"fmt", "Stringer", "type Stringer interface", "Stringer is implemented by"},
		{"fmt", "Stringer.String", "method String() string", ""},
		{"net/http", "Client.Do", "func (c *Client) Do(req *Request) (*Response, error)", "Do sends an HTTP request"},
		{"net/http", "Request.Method", "field Method string", "Method specifies the HTTP method"},
		{"math", "Pi", "const Pi = 3.14159", "Mathematical constants"},
		{"os", "Stdout", "var Stdout = NewFile", "Stdin, Stdout, and Stderr are open Files"},
		{"slices", "Sort", "func Sort[S ~[]E, E cmp.Ordered](x S)", "Sort sorts a slice"},
		{"fmt", "", "", "Package fmt implements"},
		{"gonum.org/v1/gonum/stat", "Mean", "func Mean(x, weights []float64) float64", "Mean computes the weighted mean"},
	} {
		if d := Declaration(c.path, c.symbol); !strings.HasPrefix(d, c.decl) {
			t.Errorf("declaration of %s.%s: %q", c.path, c.symbol, d)
		}
		if d := Doc(c.path, c.symbol); !strings.HasPrefix(d, c.doc) || c.doc == "" && d != "" {
			t.Errorf("comment of %s.%s: %q", c.path, c.symbol, d)
		}
	}
	// Every entry is readable, and few exported functions lack a comment.
	without := 0
	for _, path := range Paths() {
		if docOf(path, ""); docData.open()[path] == nil {
			t.Errorf("no documentation of %s", path)
		}
		for name, v := range Table(path) {
			if v.Kind() == reflect.Func && Declaration(path, name) == "" {
				without++
				t.Logf("no declaration of %s.%s", path, name)
			}
		}
	}
	if without > 20 {
		t.Errorf("%d functions have no declaration", without)
	}
}

func TestPathsAreSorted(t *testing.T) {
	if !slices.IsSorted(Paths()) {
		t.Error("find searches by halves, the packages are not sorted")
	}
	if !strings.HasPrefix(goVersion, "go1.26") {
		t.Errorf("the tables are those of %q", goVersion)
	}
	if goVersion != runtime.Version() {
		t.Logf("the tables are those of %s, this is %s", goVersion, runtime.Version())
	}
}

func BenchmarkColdTypesOfNetHTTP(b *testing.B) {
	for b.Loop() {
		typesOf.packages, typesOf.read = nil, nil
		if _, err := Types("net/http"); err != nil {
			b.Fatal(err)
		}
	}
}
