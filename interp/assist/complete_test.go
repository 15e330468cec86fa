package assist

import (
	"go/ast"
	"go/parser"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trafficgpt/interp/symbols"
)

// session is what a session would know after a cell of declarations.
func sessionOf(t testing.TB, src string, imports map[string]string) Names {
	t.Helper()
	f, err := parser.ParseFile(symbols.FileSet(), "cell1", "package main\n"+src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: probeImporter{}, DisableUnusedImportCheck: true}
	pkg, err := conf.Check("cell1", symbols.FileSet(), []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := Names{Objects: map[string]types.Object{}, Imports: imports}
	for _, name := range pkg.Scope().Names() {
		n.Objects[name] = pkg.Scope().Lookup(name)
	}
	n.Source = func(obj types.Object) (string, string) {
		if obj.Pkg() == pkg {
			return src, "cell 1"
		}
		return "", ""
	}
	return n
}

const liveCode = `
import "net/http"

// Point is a place.
type Point struct {
	// X is to the right.
	X, Y int
	hidden string
}

// Norm is how far it is.
func (p *Point) Norm(scale float64) (length float64, err error) { return }

func (p Point) String() string { return "" }

type Named struct {
	Point
	Name string
}

type Shape interface { Area(unit string) float64 }

// area sums.
func area(shapes ...Shape) float64 { return 0 }

func pair[K comparable, V any](k K, v V) map[K]V { return nil }

var client = &http.Client{}
var places []Point
const limit = 10
`

func live(t testing.TB) Names {
	return sessionOf(t, liveCode, map[string]string{"fmt": "fmt", "strings": "strings", "http": "net/http", "rnd": "math/rand/v2"})
}

// The cursor is at the bar; want are the first items, name:kind or
// name:kind:signature; "-" in front says that a name must not be among them,
// "=" in front that there are no others.
func TestComplete(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a file.pcap", "alpha/", "beta.txt", ".hidden"} {
		if strings.HasSuffix(name, "/") {
			os.Mkdir(filepath.Join(dir, name), 0o755)
		} else {
			os.WriteFile(filepath.Join(dir, name), nil, 0o644)
		}
	}
	known := live(t)
	for _, c := range []struct {
		code string
		want []string
	}{
		// Members of packages.
		{"fmt.Printl|", []string{"Println:function:func(a ...any) (n int, err error)"}},
		{"fmt.|", []string{"Append:function"}},
		{"fmt.printl|", []string{"Println:function"}},
		{"x := strings.ToUp| + fmt.Sprint()", []string{"ToUpper:function:func(s string) string"}},
		{"rnd.N|", []string{"N:function:func[Int rand.intType](n Int) Int", "New:function:func(src rand.Source) *rand.Rand"}},
		{"http.MethodGe|", []string{`=MethodGet:constant:untyped string = "GET"`}},
		{"http.StatusO|", []string{"=StatusOK:constant:untyped int = 200"}},
		{"import \"math\"\nmath.Sqr|", []string{"Sqrt:function:func(x float64) float64"}},
		{"import m \"math\"\nm.Sqr|", []string{"Sqrt:function"}},
		{"stat.MeanV|", []string{"MeanVariance:function"}}, // not imported yet
		// Values: of the session, of the cell, of expressions.
		{"client.G|", []string{"=Get:method:func(url string) (resp *http.Response, err error)"}},
		{"places[0].|", []string{"X:field:int", "Y:field:int", "hidden:field:string", "Norm:method:func(scale float64) (length float64, err error)"}},
		{"Named{}.|", []string{"Name:field:string", "Point:field:Point", "X:field:int", "Y:field", "hidden:field", "Norm:method", "=String:method"}},
		{"var s Shape; s.|", []string{"=Area:method:func(unit string) float64"}},
		{"p := Point{}\np.N|", []string{"=Norm:method"}},
		{"p := &Point{}\nq := p\nq.X|", []string{"=X:field"}},
		{"resp, err := client.Get(\"\")\nresp.Stat|", []string{"Status:field:string", "StatusCode:field:int"}},
		{"must(client.Get(\"\")).StatusC|", []string{"=StatusCode:field:int"}},
		{"strings.NewReader(\"\").ReadR|", []string{"=ReadRune:method"}},
		{"pair(1, Point{})[1].Nor|", []string{"=Norm:method"}},
		{"type T struct{ Alpha int }\nfunc (t T) Beta() {}\nT{}.|", []string{"Alpha:field:int", "=Beta:method:func()"}},
		{"x := \"a\"\nx := 1.5\nx|", []string{"x:variable:float64"}},
		{"client := strings.NewReader(\"\")\nclient.ReadB|", []string{"=ReadByte:method"}},
		{"(*Point).No|", []string{"=Norm:method"}},
		{"client.Transport.|", []string{"=RoundTrip:method"}},
		// Locals of the function being typed.
		{"func f(count int, name string) {\n\tfor index, part := range strings.Fields(name) {\n\t\tif part != \"\" { co|", []string{"count:variable:int", "comparable:type"}},
		{"func f(name string) {\n\tfor _, part := range strings.Fields(name) {\n\t\tpar|", []string{"part:variable:string"}},
		{"func f(p *Point) { g := func(inner int) { inn|", []string{"inner:variable:int"}},
		{"func f(p *Point) { if n, err := p.Norm(1); err != nil { n| ", nil},
		{"func f(p *Point) { if length, err := p.Norm(1); err != nil { len|", []string{"length:variable:float64", "len:function:func(v Type) int"}},
		{"func f(p *Point) { if p.|", []string{"X:field"}},
		{"func f(ps []Point) { for i := range ps[0].Nor|", []string{"=Norm:method"}},
		{"switch v := any(1).(type) {\ncase *Point:\n\tv.Nor|", []string{"=Norm:method"}},
		{"func (p *Point) Move() { p.Nor|", []string{"=Norm:method"}},
		{"defer func() { cli|", []string{"=client:variable:*http.Client"}},
		{"later := 1\nfunc f() { lat|", []string{"=later:variable:int"}},
		{"func f() { lat|\nlater := 1", []string{"-later"}},
		// Names.
		{"pla|", []string{"=places:variable:[]Point"}},
		{"Poi|", []string{"=Point:type:struct"}},
		{"lim|", []string{"=limit:constant:untyped int = 10"}},
		{"are|", []string{"=area:function:func(shapes ...Shape) float64"}},
		{"stri|", []string{"strings:package:strings", "string:type"}},
		{"appe|", []string{"=append:function:func(slice []Type, elems ...Type) []Type"}},
		{"fu|", []string{"func:keyword"}},
		{"Point{|", []string{"X:field:int", "Y:field:int", "hidden:field:string"}},
		{"Point{X: 1, Y|", []string{"Y:field:int"}},
		{"&http.Request{Meth|", []string{"=Method:field:string"}},
		{"Point{X: lim|", []string{"=limit:constant"}},
		// Import paths and files.
		{"import \"gonum.org/v1/gonum/stat/di|", []string{"gonum.org/v1/gonum/stat/distmat:package", "gonum.org/v1/gonum/stat/distmv:package"}},
		{"import \"plotte|", []string{"=gonum.org/v1/plot/plotter:package"}},
		{"import (\n\t\"fmt\"\n\t\"os/e|", []string{"=os/exec:package:Package exec runs external commands."}},
		{"import x \"trafficgpt/disp|", []string{"=trafficgpt/display:package"}},
		{"pcap.Read(\"" + dir + "/a|", []string{"a file.pcap:path", "=alpha/:path"}},
		{"x := `" + dir + "/b|", []string{"=beta.txt:path"}},
		{"f(\"" + dir + "/.|", []string{"=.hidden:path"}},
		// Nothing.
		{"x.|", nil},
		{"// fmt.Pr|", nil},
		{"/* fmt.Pr|", nil},
		{"12|", nil},
		{"func nam|", nil},
		{"nowhere.Foo|", nil},
	} {
		pos := strings.Index(c.code, "|")
		got := Complete(c.code[:pos], c.code[pos+1:], pos, known)
		var items []string
		for _, it := range got.Items {
			items = append(items, it.Text+":"+it.Kind+":"+it.Signature)
		}
		if c.want == nil && len(items) > 0 {
			if !strings.HasSuffix(c.code, "| ") {
				t.Errorf("%q: %.300q, want nothing", c.code, items)
			}
			continue
		}
		for i, want := range c.want {
			if name, not := strings.CutPrefix(want, "-"); not {
				if slices.ContainsFunc(items, func(it string) bool { return strings.HasPrefix(it, name+":") }) {
					t.Errorf("%q: %s is offered", c.code, name)
				}
				continue
			}
			want, only := strings.CutPrefix(want, "=")
			if i >= len(items) || !strings.HasPrefix(items[i], want) || only && len(items) != i+1 {
				t.Errorf("%q: %.300q, want %q", c.code, items, c.want)
				break
			}
		}
	}
}

func TestCompleteReplacesTheWholeName(t *testing.T) {
	code := "é := 1; fmt.Prixyz(é)"
	at := strings.Index(code, "xyz")
	c := Complete(code[:at], code[at:], at, live(t))
	if code[c.Start:c.End] != "Prixyz" || len(c.Items) != 3 {
		t.Errorf("%q %v", code[c.Start:c.End], c.Items)
	}
	code = "import \"gonum.org/v1/pl"
	if c := Complete(code, "", len(code), live(t)); code[c.Start:c.End] != "gonum.org/v1/pl" || len(c.Items) == 0 {
		t.Errorf("%q %v", code[c.Start:c.End], c.Items)
	}
}

func TestInspect(t *testing.T) {
	known := live(t)
	for _, c := range []struct {
		code   string
		detail int
		want   []string
	}{
		{"fmt.Prin|tf(\"\")", 0, []string{"func Printf(format string, a ...any) (n int, err error)", "Printf formats according to"}},
		{"fmt.Printf(\"%d\", |", 0, []string{"func Printf("}},
		{"fm|t.Printf", 0, []string{"package fmt", "Package fmt implements"}},
		{"client.Do|", 0, []string{"func (c *Client) Do(req *Request)", "Do sends an HTTP request"}},
		{"client.Timeout|", 0, []string{"field Timeout time.Duration", "Timeout specifies a time limit"}},
		{"http.DefaultClient|", 0, []string{"var DefaultClient *http.Client", "DefaultClient is the default"}},
		{"http.StatusOK|", 0, []string{"const StatusOK = 200", "RFC"}},
		{"http.Client|", 1, []string{"type Client struct", "func (*http.Client).Get(url string)"}},
		{"area|(nil)", 0, []string{"func area(shapes ...Shape) float64", "declared in cell 1", "area sums."}},
		{"area|", 1, []string{"return 0"}},
		{"places[0].Norm|", 0, []string{"func (p *Point) Norm(scale float64) (length float64, err error)", "Norm is how far it is."}},
		{"Point|{}", 0, []string{"type Point struct", "X, Y", "Point is a place."}},
		{"Point|{}", 1, []string{"type Point struct", "Norm(scale float64)"}},
		{"places|", 0, []string{"var places []Point"}},
		{"x := 1\nx|", 0, []string{"var x int"}},
		{"append|", 0, []string{"func append(slice []Type, elems ...Type) []Type", "built-in function appends"}},
		{"must|(f())", 0, []string{"func must[T any](value T, err error) T", "the cell fails"}},
		{"range|", 0, []string{"range walks"}},
		{"import \"strings|\"", 0, []string{"package strings", "Package strings implements"}},
		{"slices.Sort|", 1, []string{"func Sort[S ~[]E, E cmp.Ordered](x S)", "pdqsortOrdered"}},
		{"error|", 0, []string{"type error interface", "built-in interface type"}},
		{"nowhere|", 0, nil},
		{"1 + |", 0, nil},
	} {
		pos := strings.Index(c.code, "|")
		in := Inspect(c.code[:pos], c.code[pos+1:], c.detail, known)
		if in.Found != (c.want != nil) {
			t.Errorf("%q: found %v", c.code, in.Found)
			continue
		}
		for _, want := range c.want {
			if text, _ := in.Data["text/plain"].(string); !strings.Contains(text, want) {
				t.Errorf("%q: %q is not in\n%.500s", c.code, want, text)
			}
		}
		if c.want != nil && (in.Data["text/html"] == "" || !strings.HasPrefix(in.Data["text/markdown"].(string), "```go\n")) {
			t.Errorf("%q: %v", c.code, in.Data)
		}
	}
}

func BenchmarkComplete(b *testing.B) {
	known := live(b)
	for _, code := range []string{"fmt.Pri", "places[0].", "http.", "x"} {
		b.Run(code, func(b *testing.B) {
			for b.Loop() {
				Complete(code, "", len(code), known)
			}
		})
	}
}
