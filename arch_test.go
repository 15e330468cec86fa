package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath, Name, Dir  string
	Imports, Deps, GoFiles []string
}

// listPackages asks the go command for every package of the module. Paths are
// those within the module; the program itself is "main".
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Imports,Deps,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		p.ImportPath = within(p.ImportPath)
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	return pkgs
}

const module = "trafficgpt"

// within is the path of a package of the module inside it; other paths stay.
func within(importPath string) string {
	if importPath == module {
		return "main"
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// under reports whether p is one of the rooms or lies in one.
func under(p string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return p == r || strings.HasPrefix(p, r+"/") })
}

// TestBans keeps the bans by which a line knows its room (ARCHITECTURE.md).
func TestBans(t *testing.T) {
	terminal := []string{"github.com/reeflective/readline", "golang.org/x/term", "github.com/charmbracelet/x"}
	cells := []string{"lib", "tokenizer", "model", "display", "atomicfile"} // what cells import, and what is below that
	for _, p := range listPackages(t) {
		room := p.ImportPath
		for _, imported := range p.Imports {
			ban := func(broken bool, rule string) {
				if broken {
					t.Errorf("%s imports %s: %s", room, imported, rule)
				}
			}
			ban(under(imported, "github.com/traefik/yaegi") && !under(room, "interp"), "only interp and below know yaegi")
			ban(under(imported, "github.com/go-zeromq") && !under(room, "kernel"), "only kernel knows ZeroMQ")
			ban(under(imported, terminal...) && !under(room, "repl"), "only repl knows terminals")
			ban(imported == "flag" && !under(room, "cli", "interp/symbols"), "only cli reads a command line")
			ban(imported == "os/signal" && !under(room, "cli", "interp/symbols"), "only cli hears signals")
		}
		for _, dep := range p.Deps { // whatever the way
			own, inside := within(dep), ours(dep)
			ban := func(broken bool, rule string) {
				if broken {
					t.Errorf("%s depends on %s: %s", room, dep, rule)
				}
			}
			ban(inside && under(room, cells...) && under(own, "interp", "kernel", "repl", "notebooks", "cli"),
				"what cells import knows nothing of the engine and the front ends")
			ban(under(room, cells...) && under(dep, append(terminal, "github.com/traefik/yaegi", "github.com/go-zeromq")...),
				"what cells import needs no engine, terminal or socket")
			ban(inside && under(room, "tokenizer") && under(own, "model"), "tokenizer and model never import each other")
			ban(inside && under(room, "model") && under(own, "tokenizer"), "tokenizer and model never import each other")
			ban(inside && under(room, "display", "atomicfile"), "the ground floor imports nothing of ours")
		}
		for _, part := range strings.Split(room, "/") {
			if slices.Contains([]string{"util", "utils", "common", "helpers", "internal"}, part) {
				t.Errorf("%s: no package is named %s", room, path.Base(room))
			}
		}
	}
}

// TestOnePlace looks for what is done in one place only.
func TestOnePlace(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, file := range p.GoFiles {
			if strings.HasSuffix(file, "_table.go") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok || x.Obj != nil {
					return true
				}
				switch name := x.Name + "." + sel.Sel.Name; name {
				case "os.Rename":
					if p.ImportPath != "atomicfile" {
						t.Errorf("%s: %s: files are replaced by package atomicfile", fset.Position(n.Pos()), name)
					}
				case "os.Stdout", "fmt.Print", "fmt.Printf", "fmt.Println":
					// display prints in programs without an engine; the engine
					// and its child give cells their standard output.
					if !under(p.ImportPath, "main", "cli", "display", "interp/session", "interp/worker", "interp/symbols/gen") {
						t.Errorf("%s: %s: only commands print to the process's standard output", fset.Position(n.Pos()), name)
					}
				}
				return true
			})
		}
	}
}

// picture is what ARCHITECTURE.md draws under "Rooms".
type picture struct {
	rooms  []string
	arrows [][2]string // from, to; "everything" and "lib/*" stand for several
}

var roomLine = regexp.MustCompile(`^( *)((?:[\w.]+/ )*[\w.]+/) {2,}\S`)

func readPicture(t *testing.T) picture {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Rooms\n")
	parts := strings.Split(rest, "```")
	if len(parts) < 5 {
		t.Fatal("ARCHITECTURE.md has no two blocks under Rooms")
	}
	pic := picture{rooms: []string{"main"}}
	var above []string
	for line := range strings.Lines(parts[1]) {
		m := roomLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		depth := len(m[1]) / 2
		if depth > len(above) {
			t.Fatalf("ARCHITECTURE.md: %q hangs in the air", line)
		}
		for _, name := range strings.Fields(m[2]) {
			above = append(above[:depth:depth], strings.TrimSuffix(name, "/"))
			pic.rooms = append(pic.rooms, path.Join(above...))
		}
	}
	for line := range strings.Lines(parts[3]) {
		chain := strings.Split(strings.TrimSpace(line), " → ")
		for i := 1; i < len(chain); i++ {
			for _, from := range strings.Split(chain[i-1], ", ") {
				for _, to := range strings.Split(chain[i], ", ") {
					pic.arrows = append(pic.arrows, [2]string{from, to})
				}
			}
		}
	}
	return pic
}

// covers reports whether a name of the picture's arrows stands for a room.
func covers(name, room string) bool {
	parent, all := strings.CutSuffix(name, "/*")
	return name == room || name == "everything" || all && strings.HasPrefix(room, parent+"/")
}

// TestPicture holds the picture in ARCHITECTURE.md to the imports that there are: every
// package is drawn as a room, every import between rooms of the arrows as an arrow, and
// nothing is drawn that is not there.
func TestPicture(t *testing.T) {
	pic := readPicture(t)
	for _, r := range pic.rooms {
		if r == "main" {
			continue
		}
		if info, err := os.Stat(filepath.FromSlash(r)); err != nil || !info.IsDir() {
			t.Errorf("the room %s is drawn and not there", r)
		}
	}
	var ends []string // rooms that arrows name
	for _, a := range pic.arrows {
		for _, name := range a {
			if name == "everything" {
				continue
			}
			before := len(ends)
			for _, r := range pic.rooms {
				if covers(name, r) {
					ends = append(ends, r)
				}
			}
			if len(ends) == before {
				t.Errorf("an arrow names %s, which is no room of the picture", name)
			}
		}
	}
	roomOf := func(p string) string {
		best := ""
		for _, name := range ends {
			if under(p, name) && len(name) > len(best) {
				best = name
			}
		}
		return best
	}
	seen := make([]bool, len(pic.arrows))
	for _, p := range listPackages(t) {
		if !slices.Contains(pic.rooms, p.ImportPath) {
			t.Errorf("the package %s is not drawn", p.ImportPath)
		}
		from := roomOf(p.ImportPath)
		for _, imported := range p.Imports {
			if !ours(imported) {
				continue
			}
			to := roomOf(within(imported))
			if from == to && from != "" {
				continue
			}
			drawn := false
			for i, a := range pic.arrows {
				if covers(a[0], from) && covers(a[1], to) {
					drawn, seen[i] = true, true
				}
			}
			if !drawn {
				t.Errorf("%s imports %s, and no arrow goes from %q to %q", p.ImportPath, within(imported), from, to)
			}
		}
	}
	for i, a := range pic.arrows {
		if !seen[i] {
			t.Errorf("the arrow %s → %s is drawn, and nothing is imported so", a[0], a[1])
		}
	}
}
